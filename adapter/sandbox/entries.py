"""The entries of a batch or transaction: read, judged together, and refused one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from adapter.sandbox.calls import Call
from adapter.sandbox.interactions import criteria_pairs
from adapter.sandbox.json_text import JsonObject
from adapter.sandbox.outcomes import Refused, bad_request
from adapter.sandbox.routing import Route, route

PROCESSING_ORDER = {"DELETE": 0, "POST": 1, "PUT": 2, "GET": 3, "HEAD": 3}
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


def refused_entry(refusal: Refused) -> JsonObject:
    """Build the entry of a response bundle that says why this entry alone was refused."""
    status = f"{refusal.status} {HTTPStatus(refusal.status).phrase}"
    return {"response": {"status": status, "outcome": refusal.outcome()}}


def read_call(raw: Any, base_url: str) -> tuple[Call, Route]:
    """Read one entry of a request bundle as a call, and the interaction that it asks for.

    Raises: Refused with 400 where something is missing or of the wrong shape.
    """
    request = raw.get("request") if isinstance(raw, dict) else None
    if not isinstance(request, dict):
        raise bad_request("an entry without request", code="required")
    method, url = request.get("method"), request.get("url")
    if method not in (*PROCESSING_ORDER, "PATCH") or not isinstance(url, str) or not url:
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
def naming(index: int) -> Iterator[None]:
    """Let a refusal inside say which entry caused it."""
    try:
        yield
    except Refused as refusal:
        raise refusal.in_entry(index) from refusal


def refuse_same_criteria(entries: Iterable[Entry]) -> None:
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


def addresses_of(entries: Iterable[Entry]) -> dict[str, str]:
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
