"""Habits of next links: they lead to another place, or are not whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from adapter.sandbox.exchange import Answer, FhirRequest, FhirResponse
from adapter.sandbox.habits.asking import edited_page, link_of, with_link
from adapter.sandbox.habits.habit import Habit, Scene
from adapter.sandbox.json_text import JsonObject


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
    "relative": lambda url: f"?{urlsplit(url).query}",
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
        if self.value == "relative" and request.query.startswith("_page="):
            request = replace(request, path="")  # it was meant beside the search, and is there too

        def misled(page: JsonObject) -> JsonObject:
            url = link_of(page, "next")
            if url is None:
                return page
            moved = _foreign[self.value](url) if self.value in _foreign else _moved(url, self.value)
            return with_link(page, "next", moved)

        return edited_page(answer(request), misled)


HABITS: tuple[type[Habit], ...] = (ForeignNextLinks,)
