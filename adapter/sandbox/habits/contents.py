"""Habits with what an answer holds: less, more, or something else than was asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from adapter.sandbox.exchange import Answer, FhirRequest, FhirResponse
from adapter.sandbox.habits.asking import (
    edited,
    edited_page,
    is_search,
    link_of,
    pairs_of,
    reads,
)
from adapter.sandbox.habits.habit import Habit, Scene, Sometimes, chosen
from adapter.sandbox.json_text import JsonObject
from adapter.sandbox.outcomes import outcome
from adapter.sandbox.replies import plain_response


class OutcomeEntries(Habit):
    """Something went wrong, in a 200."""

    name = "outcome-entries"
    does = "every page of a search holds an OperationOutcome (search.mode outcome) of this SEVERITY"
    seen = "FHIR R4, Bundle.entry.search.mode; Epic (unknown parameters); LinuxForHealth issue 747"
    takes = "information|warning|error|fatal"
    default = "warning"

    def __init__(self, value: str, scene: Scene) -> None:
        super().__init__(value, scene)
        chosen(value, "information", "warning", "error", "fatal")

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Add it."""
        said = outcome("incomplete", "not everything was searched", severity=self.value)
        entry = {"resource": said, "search": {"mode": "outcome"}}
        return edited_page(
            answer(request), lambda page: {**page, "entry": [*page.get("entry", ()), entry]}
        )


class OutcomeAnswers(Sometimes):
    """No Bundle, and 200."""

    name = "outcome-answers"
    does = "one read or search in OFTEN is answered 200 with an OperationOutcome (error) and nothing else"
    seen = "gateways that turn errors into 200; fhirbase issue 124"

    def concerns(self, request: FhirRequest) -> bool:
        """Concern reads and searches."""
        return reads(request)

    def spoiled(self, _request: FhirRequest, _answer: Answer) -> FhirResponse:
        """Say that it failed."""
        return plain_response(200, outcome("exception", "the search failed"))


class MixedUpAnswers(Sometimes):
    """Another one's answer."""

    name = "mixed-up-answers"
    does = "one read or search in OFTEN is answered as the read or search before it, whatever was asked"
    seen = "caching proxies that leave the query or the authorisation out of their key"

    def __init__(self, value: str, scene: Scene) -> None:
        super().__init__(value, scene)
        self._before: FhirResponse | None = None

    def concerns(self, request: FhirRequest) -> bool:
        """Concern reads and searches."""
        return reads(request)

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Keep the last answer."""
        found = super().around(request, answer)
        if reads(request):
            self._before = found
        return found

    def spoiled(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Give the one before."""
        return self._before or answer(request)


class LoginPages(Sometimes):
    """A session that ended."""

    name = "login-pages"
    does = "one read or search in OFTEN is answered 200 with an HTML page that asks for a password"
    seen = "single sign-on gateways; HAPI FHIR answers HTML to URLs over 8 KB"

    def concerns(self, request: FhirRequest) -> bool:
        """Concern reads and searches."""
        return reads(request)

    def spoiled(self, _request: FhirRequest, _answer: Answer) -> FhirResponse:
        """Ask who it is."""
        page = "<!DOCTYPE html><html><body><form><input type=password></form></body></html>"
        return FhirResponse(200, page, {"Content-Type": "text/html; charset=utf-8"})


class Subsetted(Habit):
    """Half a resource."""

    name = "subsetted"
    does = (
        "search results come without component, note, method and interpretation, tagged SUBSETTED"
    )
    seen = "servers that give summaries; FHIR R4, search.html#summary"

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Leave elements out, and say so."""
        return edited_page(answer(request), lambda page: _with_resources(page, _subset))


_left_out = frozenset({"component", "note", "method", "interpretation", "text", "referenceRange"})
_subsetted = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
}


def _subset(resource: JsonObject) -> JsonObject:
    kept = {name: value for name, value in resource.items() if name not in _left_out}
    meta = kept.get("meta", {})
    return {**kept, "meta": {**meta, "tag": [*meta.get("tag", ()), _subsetted]}}


class NoMeta(Habit):
    """Nobody can see what changed."""

    name = "no-meta"
    does = (
        "resources come without versionId and lastUpdated (all: without meta), answers without ETag"
    )
    seen = "Epic and other servers that do not keep versions (R4: versioning no-version)"
    takes = "server|all"
    default = "server"

    def __init__(self, value: str, scene: Scene) -> None:
        super().__init__(value, scene)
        chosen(value, "server", "all")

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Leave it out."""
        found = edited(answer(request), self._without)
        headers = {
            name: value
            for name, value in found.headers.items()
            if name not in ("ETag", "Last-Modified")
        }
        return replace(found, headers=headers)

    def _without(self, resource: JsonObject) -> JsonObject:
        if resource.get("resourceType") == "Bundle":
            return _with_resources(resource, self._without)
        if "meta" not in resource:
            return resource
        hidden = ("versionId", "lastUpdated") if self.value == "server" else tuple(resource["meta"])
        meta = {name: item for name, item in resource["meta"].items() if name not in hidden}
        rest = {name: item for name, item in resource.items() if name != "meta"}
        return {**rest, "meta": meta} if meta else rest


class NoTotals(Habit):
    """How many there are is not said."""

    name = "no-totals"
    does = "a search of several pages has no total, unless it asks for _total=accurate"
    seen = "HAPI FHIR"

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Leave it out."""
        if not is_search(request) or ("_total", "accurate") in pairs_of(request):
            return answer(request)

        def untold(page: JsonObject) -> JsonObject:
            if link_of(page, "next") is None:
                return page
            return {name: value for name, value in page.items() if name != "total"}

        return edited_page(answer(request), untold)


def _with_resources(bundle: JsonObject, edit: Callable[[JsonObject], JsonObject]) -> JsonObject:
    entries: list[Any] = [_with_resource(entry, edit) for entry in bundle.get("entry", ())]
    return {**bundle, "entry": entries} if entries else bundle


def _with_resource(entry: JsonObject, edit: Callable[[JsonObject], JsonObject]) -> JsonObject:
    return {**entry, "resource": edit(entry["resource"])} if "resource" in entry else entry


HABITS: tuple[type[Habit], ...] = (
    LoginPages,
    OutcomeAnswers,
    MixedUpAnswers,
    OutcomeEntries,
    NoTotals,
    NoMeta,
    Subsetted,
)
