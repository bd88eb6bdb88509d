"""What an interaction gives back, and how it looks alone or as an entry of a response bundle."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from adapter.sandbox.exchange import FhirResponse
from adapter.sandbox.json_text import JsonObject, JsonText, write_json
from adapter.sandbox.outcomes import outcome
from adapter.sandbox.storage import StoredVersion


class Preference(StrEnum):
    """What a client wants to get back from a write (http.html#return)."""

    MINIMAL = "minimal"
    REPRESENTATION = "representation"
    OUTCOME = "OperationOutcome"


@dataclass(frozen=True, slots=True)
class Reply:
    """The result of one interaction.

    `content` is what a reading interaction found; a write has `is_write` and the version that now
    stands, which is a deletion after a delete and None when there was nothing to delete.
    """

    status: int
    content: Any = None
    version: StoredVersion | None = None
    is_write: bool = False


def preference_in(headers: Mapping[str, str]) -> Preference | None:
    """Return what `Prefer: return=…` asks for, or None."""
    found = re.search(r"\breturn\s*=\s*\"?(\w+)", headers.get("prefer", ""))
    return next((one for one in Preference if found and one.value == found[1]), None)


def instant(moment: datetime) -> str:
    """Write an aware UTC moment as an R4 instant with milliseconds."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def plain_response(
    status: int, resource: JsonObject, headers: Mapping[str, str] | None = None
) -> FhirResponse:
    """Build an answer out of a resource, an OperationOutcome say."""
    return FhirResponse(status, write_json(resource), headers or {})


def as_response(reply: Reply, preference: Preference | None, base_url: str) -> FhirResponse:
    """Turn a reply into an HTTP answer; a write returns the resource unless asked otherwise."""
    headers: dict[str, str] = {}
    version = reply.version
    if version is not None:
        headers["ETag"] = version.etag
        headers["Last-Modified"] = format_datetime(version.updated_at, usegmt=True)
        if reply.is_write and version.body is not None:
            headers["Location"] = f"{base_url}/{version.url}"
    content = reply.content
    if reply.is_write:
        content = _written(reply, preference or Preference.REPRESENTATION)
    return FhirResponse(reply.status, "" if content is None else write_json(content), headers)


def as_entry(reply: Reply, preference: Preference | None) -> JsonObject:
    """Turn a reply into an entry of a batch or transaction response.

    A write returns the resource only where asked, as servers usually do inside bundles.
    """
    response: JsonObject = {"status": f"{reply.status} {HTTPStatus(reply.status).phrase}"}
    version = reply.version
    if version is not None:
        if reply.is_write and version.body is not None:
            response["location"] = version.url
        response["etag"] = version.etag
        response["lastModified"] = instant(version.updated_at)
    content = reply.content
    if reply.is_write:
        content = _written(reply, preference or Preference.MINIMAL)
        if preference is Preference.OUTCOME:
            return {"response": {**response, "outcome": content}}
    return (
        {"response": response} if content is None else {"resource": content, "response": response}
    )


def _written(reply: Reply, preference: Preference) -> Any:
    match preference:
        case Preference.MINIMAL:
            return None
        case Preference.OUTCOME:
            said = HTTPStatus(reply.status).phrase
            return outcome("informational", said, severity="information")
        case Preference.REPRESENTATION:
            version = reply.version
            return None if version is None or version.body is None else JsonText(version.body)
