"""Batch and transaction bundles.

Source: FHIR R4, http.html#transaction: order of processing (DELETE, POST, PUT, GET), replacement of
links to entries, conditional references, all or nothing. Departures, all towards strictness:
conditional references see the server as it was before the transaction, and links inside narrative
are not replaced.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from adapter.sandbox.calls import Call
from adapter.sandbox.counts import Counts
from adapter.sandbox.interactions import Interactions, criteria_pairs
from adapter.sandbox.json_text import JsonObject
from adapter.sandbox.outcomes import Refused, bad_request
from adapter.sandbox.references import is_conditional, replace_links
from adapter.sandbox.replies import Preference, Reply, as_entry
from adapter.sandbox.routing import Route, route

_processing_order = {"DELETE": 0, "POST": 1, "PUT": 2, "GET": 3, "HEAD": 3}
_conditions = {
    "ifMatch": "if_match",
    "ifNoneMatch": "if_none_match",
    "ifModifiedSince": "if_modified_since",
    "ifNoneExist": "if_none_exist",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a request bundle; `full_url` is empty where it has none."""

    index: int
    full_url: str
    call: Call

    @property
    def resource_type(self) -> str:
        """The type in the URL of the request."""
        return self.call.path.partition("/")[0]


class Bundles:
    """Carries out batch and transaction bundles."""

    def __init__(self, interactions: Interactions, counts: Counts) -> None:
        self._interactions = interactions
        self._counts = counts

    def perform(
        self, bundle: JsonObject, base_url: str, preference: Preference | None
    ) -> JsonObject:
        """Carry out a bundle and build the response bundle, entries in the order they came.

        Raises: Refused with 400 for what is no batch or transaction; for a transaction also the refusal
            of the first entry that fails, nothing having been stored.
        """
        if bundle.get("resourceType") != "Bundle":
            raise bad_request("the base takes a Bundle", expression="resourceType")
        raw_entries = bundle.get("entry", [])
        if not isinstance(raw_entries, list):
            raise bad_request("entry is a list", code="structure", expression="Bundle.entry")
        match bundle.get("type"):
            case "transaction":
                self._counts.interaction("transaction")
                replies = self._transaction(raw_entries, base_url)
                entries = [as_entry(reply, preference) for reply in replies]
            case "batch":
                self._counts.interaction("batch")
                entries = [
                    self._batch_entry(index, raw, base_url, preference)
                    for index, raw in enumerate(raw_entries)
                ]
            case _:
                raise bad_request("the base takes a batch or transaction", expression="Bundle.type")
        response: JsonObject = {"resourceType": "Bundle", "type": f"{bundle['type']}-response"}
        if entries:
            response["entry"] = entries
        return response

    def _batch_entry(
        self, index: int, raw: Any, base_url: str, preference: Preference | None
    ) -> JsonObject:
        try:
            entry = self._read_entry(index, raw, base_url)
            return as_entry(self._interactions.perform(entry.call), preference)
        except Refused as refusal:
            phrase = HTTPStatus(refusal.status).phrase
            status = f"{refusal.status} {phrase}"
            return {"response": {"status": status, "outcome": refusal.outcome()}}

    def _transaction(self, raw_entries: list[Any], base_url: str) -> list[Reply]:
        entries = []
        for index, raw in enumerate(raw_entries):
            with _naming(index):
                entries.append(self._read_entry(index, raw, base_url))
        _refuse_same_criteria(entries)
        with self._interactions.unit_of_work(base_url) as writer:
            settled = [self._settled(entry) for entry in entries]
            addresses = _addresses(settled)
            replies: dict[int, Reply] = {}
            linked = [self._linked(entry, addresses) for entry in settled]
            for entry in sorted(linked, key=lambda one: _processing_order[one.call.method]):
                with _naming(entry.index):
                    replies[entry.index] = self._interactions.carry_out(entry.call, writer)
        return [replies[entry.index] for entry in entries]

    def _settled(self, entry: Entry) -> Entry:
        with _naming(entry.index):
            return replace(entry, call=self._interactions.settle(entry.call))

    def _linked(self, entry: Entry, addresses: dict[str, str]) -> Entry:
        call = entry.call
        if call.target is None or call.resource is None:
            return entry
        # http://elsewhere/fhir/Observation/1 → http://elsewhere/fhir: relative references in that
        # entry mean resources there (bundle.html#references).
        root = "/".join(entry.full_url.split("/")[:-2])

        def replacement(link: str) -> str:
            address = addresses.get(link) or addresses.get(f"{root}/{link}")
            if address is None and is_conditional(link):
                return self._conditional_target(link, call.base_url)
            return address or link

        with _naming(entry.index):
            return replace(
                entry, call=replace(call, resource=replace_links(call.resource, replacement))
            )

    def _conditional_target(self, link: str, base_url: str) -> str:
        resource_type, _, query = link.partition("?")
        found = self._interactions.one_match(resource_type, criteria_pairs(query), base_url)
        if found is None:
            raise bad_request(f"a conditional reference: no {resource_type} matches")
        return f"{resource_type}/{found}"

    def _read_entry(self, index: int, raw: Any, base_url: str) -> Entry:
        call, asked = _read_call(raw, base_url)
        self._counts.interaction(asked.interaction)
        full_url = raw.get("fullUrl", "")
        if not isinstance(full_url, str):
            raise bad_request("fullUrl is a string", code="structure")
        return Entry(index, full_url, call)


def _read_call(raw: Any, base_url: str) -> tuple[Call, Route]:
    request = raw.get("request") if isinstance(raw, dict) else None
    if not isinstance(request, dict):
        raise bad_request("an entry without request", code="required")
    method, url = request.get("method"), request.get("url")
    if method not in (*_processing_order, "PATCH") or not isinstance(url, str) or not url:
        raise bad_request("request needs method and url", code="required")
    path, _, query = url.removeprefix(f"{base_url}/").partition("?")
    asked = route(method, unquote(path))
    if method == "POST" and asked.interaction != "create":
        raise bad_request("POST in a bundle creates; search with GET", code="not-supported")
    resource = raw.get("resource")
    if method in ("POST", "PUT") and not isinstance(resource, dict):
        raise bad_request("the resource is missing", code="required")
    conditions = {
        name: request[element] for element, name in _conditions.items() if element in request
    }
    if not all(isinstance(value, str) for value in conditions.values()):
        raise bad_request("the conditions of a request are strings", code="structure")
    call = Call(
        method,
        unquote(path),
        base_url,
        query=criteria_pairs(query),
        resource=resource if method in ("POST", "PUT") else None,
        **conditions,
    )
    return call, asked


@contextmanager
def _naming(index: int) -> Iterator[None]:
    try:
        yield
    except Refused as refusal:
        raise refusal.in_entry(index) from refusal


def _refuse_same_criteria(entries: Iterable[Entry]) -> None:
    """Refuse two conditional writes on the same criteria: the second would depend on the first.

    HAPI drops one of them silently (issue 8183); R4 wants the transaction to fail.
    """
    seen: set[object] = set()
    for entry in entries:
        call = entry.call
        criteria = criteria_pairs(call.if_none_exist or "") if call.method == "POST" else ()
        if call.method == "PUT":
            criteria = call.query
        if criteria:
            identity = (entry.resource_type, tuple(sorted(criteria)))
            if identity in seen:
                raise bad_request("two entries with the same criteria").in_entry(entry.index)
            seen.add(identity)


def _addresses(entries: Iterable[Entry]) -> dict[str, str]:
    """Return `Type/id` by fullUrl, refusing two writes of one resource and two equal fullUrls."""
    addresses: dict[str, str] = {}
    written: set[tuple[str, str]] = set()
    for entry in entries:
        target = entry.call.target
        if target is None:
            continue
        name = "/".join(target)
        if target in written:
            raise bad_request(f"{name} is written twice", code="duplicate").in_entry(entry.index)
        written.add(target)
        if entry.call.method == "DELETE" or not entry.full_url:
            continue
        if entry.full_url in addresses:
            raise bad_request("two entries have this fullUrl", code="duplicate").in_entry(
                entry.index
            )
        addresses[entry.full_url] = name
    return addresses
