"""Habits of paging: links that lead elsewhere, and pages that are not there any more."""

from __future__ import annotations

from collections.abc import Callable
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


def _moved(url: str, origin: str) -> str:
    parts = urlsplit(url)
    return f"{origin}{parts.path}?{parts.query}"


def _host_of(url: str) -> str:
    return urlsplit(url).netloc


_foreign: dict[str, Callable[[str], str]] = {
    "host": lambda url: _moved(url, "http://elsewhere.invalid"),
    "scheme": lambda url: _moved(url, f"https://{_host_of(url)}"),
    "port": lambda url: _moved(url, f"http://{_host_of(url).rpartition(':')[0]}:1"),
    "doubled-port": lambda url: _moved(url, f"http://{_host_of(url)}:443"),
    "path": lambda url: url.replace("/fhir?", "/other?"),
    "userinfo": lambda url: _moved(url, f"http://{_host_of(url)}@elsewhere.invalid"),
    "suffix": lambda url: _moved(url, f"http://{_host_of(url)}.elsewhere.invalid"),
    "network-path": lambda url: _moved(url, "//elsewhere.invalid"),
    "relative": lambda url: f"..{urlsplit(url).path}?{urlsplit(url).query}",
    "absolute-path": lambda url: _moved(url, ""),
}
FOREIGN_KINDS = tuple(_foreign)


class ForeignNextLinks(Habit):
    """Next links that leave the server."""

    name = "foreign-next-links"
    does = (
        "next links name another host, scheme, port or path, or are relative; KIND is an origin such as "
        f"http://127.0.0.1:9, or one of {', '.join(FOREIGN_KINDS)}"
    )
    seen = (
        "DbGaP issue 4, Microsoft issues 1317 and 3526, OpenSRP issue 1714 (:443:443), FHIR-PYrate issue 77 "
        "(http for https), fhircrackr issue 110 (relative); CVE-2026-34361"
    )
    takes = "KIND"
    default = "host"

    def __init__(self, value: str, scene: Scene) -> None:
        super().__init__(value, scene)
        if value not in _foreign and "://" not in value:
            raise ValueError(f"takes an origin or one of {', '.join(FOREIGN_KINDS)}")

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Let the next link lead elsewhere."""

        def misled(page: JsonObject) -> JsonObject:
            url = link_of(page, "next")
            if url is None:
                return page
            moved = _foreign[self.value](url) if self.value in _foreign else _moved(url, self.value)
            return with_link(page, "next", moved)

        return edited_page(answer(request), misled)


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
    ForeignNextLinks,
    LostPages,
    EmptyPages,
    EmptyLastPage,
    LinkLoops,
    ExpiringPages,
    ShiftingPages,
)
