"""Habits of paging: pages that are not there any more, are empty, shift, or never end."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import urlsplit

from adapter.sandbox.exchange import Answer, FhirRequest, FhirResponse
from adapter.sandbox.habits.asking import (
    edited_page,
    empty_page,
    interaction_of,
    link_of,
    url_of,
    with_link,
)
from adapter.sandbox.habits.habit import Habit, Scene, Sometimes, seconds, whole
from adapter.sandbox.json_text import JsonObject
from adapter.sandbox.outcomes import outcome
from adapter.sandbox.replies import plain_response


def _expired() -> FhirResponse:
    return plain_response(410, outcome("expired", "this page is no longer kept: search again"))


class ExpiringPages(Habit):
    """A search lives for some time only."""

    name = "expiring-pages"
    does = "the next links of a search are answered with 410 from SECONDS after its first page on"
    seen = "HAPI FHIR (search life; issue 7220); Microsoft FHIR Server issues 453, 674, 1415"
    takes = "SECONDS"
    default = "60"

    def __init__(self, value: str, scene: Scene) -> None:
        super().__init__(value, scene)
        self._life = timedelta(seconds=seconds(value))
        self._born: dict[str, datetime] = {}

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Refuse the page of a search that is too old."""
        results = request.query.partition(".")[0]
        if interaction_of(request) == "page":
            born = self._born.get(results)
            if born is not None and self.scene.clock() - born >= self._life:
                return _expired()
            return answer(request)

        def remembered(page: JsonObject) -> JsonObject:
            url = link_of(page, "next")
            if url is not None:
                results = urlsplit(url).query.partition(".")[0]
                self._born.setdefault(results, self.scene.clock())
            return page

        return edited_page(answer(request), remembered)


class LostPages(Sometimes):
    """A page that was never kept."""

    name = "lost-pages"
    does = "one further page in OFTEN is answered with 410, as if its search had expired"
    seen = (
        "servers that restart, or drop searches under load: HAPI issue 7220, Microsoft issue 1415"
    )

    def concerns(self, request: FhirRequest) -> bool:
        """Concern further pages only."""
        return interaction_of(request) == "page"

    def spoiled(self, _request: FhirRequest, _answer: Answer) -> FhirResponse:
        """Forget it."""
        return _expired()


class ShiftingPages(Habit):
    """Pages by offset into what is found now."""

    name = "shifting-pages"
    does = "what is written or deleted while a client pages shifts the pages: rows are repeated or passed over"
    seen = "R4 search.html#currency leaves it open; Microsoft FHIR Server issue 1792; Medplum (_offset)"

    def keeps_result_sets(self) -> bool:
        """Search anew for each page."""
        return False


_gap = "&_gap=1"


class EmptyPages(Habit):
    """Nothing here, and more there."""

    name = "empty-pages"
    does = "an empty page with a next link stands before every further page"
    seen = "Microsoft FHIR Server pull request 3177"

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Give the empty page, whose next link leads to the true one."""
        if interaction_of(request) == "page" and request.query.endswith(_gap):
            url = url_of(request)
            page = with_link(empty_page(url), "next", url.removesuffix(_gap))
            return plain_response(200, page)

        def delayed(page: JsonObject) -> JsonObject:
            url = link_of(page, "next")
            return page if url is None else with_link(page, "next", url + _gap)

        return edited_page(answer(request), delayed)


_beyond = "_page=beyond-the-end"


class EmptyLastPage(Habit):
    """One page more than there is."""

    name = "empty-last-page"
    does = "the last page has a next link, which leads to an empty page"
    seen = "HAPI FHIR issues 5237 and 1300"

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Add one."""
        if interaction_of(request) == "page" and request.query == _beyond:
            return plain_response(200, empty_page(url_of(request)))

        def prolonged(page: JsonObject) -> JsonObject:
            if link_of(page, "next") is not None or "entry" not in page:
                return page
            return with_link(page, "next", f"{request.base_url}?{_beyond}")

        return edited_page(answer(request), prolonged)


_more = "_page=more."


class EndlessPages(Habit):
    """Always one more."""

    name = "endless-pages"
    does = "after the last page come empty ones without end, each with a next link that was never seen before"
    seen = "servers whose offset knows no end; no client may trust that paging ends"

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Add one more."""
        if interaction_of(request) == "page" and request.query.startswith(_more):
            number = request.query.removeprefix(_more)
            url = f"{request.base_url}?{_more}{int(number) + 1 if number.isdecimal() else 1}"
            return plain_response(200, with_link(empty_page(url_of(request)), "next", url))

        def prolonged(page: JsonObject) -> JsonObject:
            is_last = link_of(page, "next") is None
            return with_link(page, "next", f"{request.base_url}?{_more}1") if is_last else page

        return edited_page(answer(request), prolonged)


class LinkLoops(Habit):
    """Round and round."""

    name = "link-loops"
    does = "the next link of the NUMBER-th page of a search leads back to its first page"
    seen = "servers that mangle page tokens; no client may trust that paging ends"
    takes = "NUMBER"
    default = "2"

    def __init__(self, value: str, scene: Scene) -> None:
        super().__init__(value, scene)
        self._length = whole(value)
        self._pages: dict[str, tuple[int, str]] = {}

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Lead back when it is time to."""
        number, first = self._pages.get(request.query, (1, url_of(request)))

        def looped(page: JsonObject) -> JsonObject:
            url = link_of(page, "next")
            if url is None:
                return page
            if number >= self._length:
                return with_link(page, "next", first)
            self._pages[urlsplit(url).query] = (number + 1, first)
            return page

        return edited_page(answer(request), looped)


HABITS: tuple[type[Habit], ...] = (
    LostPages,
    EmptyPages,
    EmptyLastPage,
    EndlessPages,
    LinkLoops,
    ExpiringPages,
    ShiftingPages,
)
