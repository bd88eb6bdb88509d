"""One request in, one answer out: formats, bodies, headers, and every refusal as an outcome."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

from adapter.errors import ConfigError
from adapter.sandbox.accesses import AccessLog
from adapter.sandbox.calls import Call
from adapter.sandbox.counts import Counts
from adapter.sandbox.exchange import Answer, FhirRequest, FhirResponse, Layer, with_layers
from adapter.sandbox.habits.active import ActiveHabits
from adapter.sandbox.interactions import Interactions, criteria_pairs
from adapter.sandbox.json_text import JsonObject, NotJson, read_json, write_json
from adapter.sandbox.outcomes import Refused, bad_request
from adapter.sandbox.replies import as_response, preference_in
from adapter.sandbox.routing import MethodRefused, Route, route
from adapter.sandbox.rules import Clock, ServerRules, utc_now
from adapter.sandbox.search import Pairs
from adapter.sandbox.storage import Storage
from adapter.sandbox.transaction import Bundles

_json_types = frozenset({"application/fhir+json", "application/json", "text/json"})
_acceptable = _json_types | {"*/*", "application/*"}
_json_formats = _json_types | {"json"}
_form_type = "application/x-www-form-urlencoded"


class FhirService:
    """The whole server, but for HTTP itself."""

    def __init__(
        self,
        database: str = ":memory:",
        *,
        rules: ServerRules | None = None,
        layers: Sequence[Layer] = (),
        clock: Clock = utc_now,
    ) -> None:
        """Open the database and put the layers on, the first outermost, the habits inside of them.

        Raises: ConfigError when the database cannot be used.
        """
        self.rules = rules or ServerRules()
        self.counts = Counts()
        self.accesses = AccessLog()
        self.habits = ActiveHabits(clock)
        self._snapshots: list[sqlite3.Connection] = []
        self._storage = Storage(database)
        self.interactions = Interactions(
            self._storage, self.rules, self.habits, clock=clock, counts=self.counts
        )
        self._bundles = Bundles(self.interactions, self.counts)
        self._layered: Answer = with_layers(self._answer, [*layers, self.habits.around])

    def close(self) -> None:
        """Close the database."""
        for copied in self._snapshots:
            copied.close()
        self._storage.close()

    def answer(self, request: FhirRequest) -> FhirResponse:
        """Answer one request; thread-safe."""
        self.counts.request()
        answer = self._layered(request)
        self.accesses.add(request, answer)
        return answer

    def snapshot(self) -> int:
        """Keep everything as it is now, as a backup; return its number, counted from 1."""
        self._snapshots.append(self._storage.copy())
        return len(self._snapshots)

    def restore(self, number: int | None = None) -> None:
        """Go back to a backup, the last one for None; result sets that were being paged are lost.

        Raises: ConfigError when there is no such backup.
        """
        wanted = len(self._snapshots) if number is None else number
        if not 1 <= wanted <= len(self._snapshots):
            raise ConfigError([f"the sandbox has no snapshot {wanted}"])
        self._storage.replace(self._snapshots[wanted - 1])
        with self._storage.transaction():
            self.interactions.reading.pages.forget()

    def _answer(self, request: FhirRequest) -> FhirResponse:
        try:
            asked = route(request.method, request.path)
            if asked.interaction != "bundle":
                self.counts.interaction(asked.interaction)
            _refuse_other_formats(request)
            if asked.interaction == "bundle":
                return self._bundle(request)
            call = _call(request, asked)
            reply = self.interactions.perform(call)
            return as_response(reply, preference_in(request.headers), request.base_url)
        except Refused as refusal:
            return refused(refusal)

    def _bundle(self, request: FhirRequest) -> FhirResponse:
        bundle = _resource_in(request)
        preference = preference_in(request.headers)
        response = self._bundles.perform(bundle, request.base_url, preference)
        return FhirResponse(200, write_json(response))


def refused(refusal: Refused) -> FhirResponse:
    """Turn a refusal into an answer with an OperationOutcome."""
    allow = {"Allow": ", ".join(refusal.allowed)} if isinstance(refusal, MethodRefused) else {}
    return FhirResponse(refusal.status, write_json(refusal.outcome()), allow)


def _call(request: FhirRequest, asked: Route) -> Call:
    query = criteria_pairs(request.query)
    if asked.interaction in ("create", "update"):
        query = tuple(pair for pair in query if pair[0] not in ("_format", "_pretty"))
    is_write = request.method in ("POST", "PUT") and asked.interaction != "search-type"
    if asked.interaction == "search-type" and request.method == "POST":
        query += _form(request)
    return Call(
        request.method,
        request.path,
        request.base_url,
        query=query,
        resource=_resource_in(request) if is_write else None,
        if_match=request.headers.get("if-match"),
        if_none_match=request.headers.get("if-none-match"),
        if_modified_since=request.headers.get("if-modified-since"),
        if_none_exist=request.headers.get("if-none-exist"),
    )


def _resource_in(request: FhirRequest) -> JsonObject:
    _refuse_other_content(request, _json_types)
    try:
        resource: Any = read_json(request.body)
    except NotJson as error:
        raise bad_request(str(error), code="structure") from error
    if not isinstance(resource, dict):
        raise bad_request("the body is not a resource", code="structure")
    return resource


def _form(request: FhirRequest) -> Pairs:
    _refuse_other_content(request, frozenset({_form_type}))
    try:
        return tuple(parse_qsl(request.body.decode("utf-8"), keep_blank_values=True))
    except UnicodeDecodeError as error:
        raise bad_request("the form is not UTF-8", code="structure") from error


def _refuse_other_content(request: FhirRequest, allowed: frozenset[str]) -> None:
    content_type, *parameters = request.headers.get("content-type", "").lower().split(";")
    charsets = [one.strip() for one in parameters if one.strip().startswith("charset")]
    if content_type.strip() not in allowed or charsets not in ([], ["charset=utf-8"]):
        expected = ", ".join(sorted(allowed))
        raise Refused(415, "not-supported", f"Content-Type is one of {expected}, in UTF-8")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Refused(415, "not-supported", "Content-Encoding is not supported")


def _refuse_other_formats(request: FhirRequest) -> None:
    wanted = [value for name, value in criteria_pairs(request.query) if name == "_format"]
    if wanted:
        # A plus that was not escaped arrives as a blank.
        acceptable = all(one.replace(" ", "+") in _json_formats for one in wanted)
    else:
        ranges = request.headers.get("accept", "*/*").lower().split(",")
        acceptable = any(one.partition(";")[0].strip() in _acceptable for one in ranges)
    if not acceptable:
        raise Refused(406, "not-supported", "this server speaks application/fhir+json only")
