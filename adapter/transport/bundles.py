"""Reads what servers put into Bundles: pages of a search, answers to a transaction or a batch.

Pure: Bundles in, records or errors out. A page is believed only as far as it says itself what it
is; a resource that cannot be used is refused alone and counted, so that the others are not lost.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from adapter.errors import (
    PartlyCarriedOut,
    PermanentServerError,
    TemporaryServerError,
    UnknownOutcome,
)
from adapter.ports import EntryOutcome, JsonObject, RefusedResource, SearchPage, SearchParams
from adapter.transport.outcome import error_in, issues_of

NO_RESOURCE = "without a resource"
NO_STRICT_JSON = "no strict JSON"
NO_ID = "without a valid id"
NO_MODE = "neither match nor include"
SHORTENED = "shortened by the server (SUBSETTED)"
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_REFERENCE = re.compile(r"([A-Z][A-Za-z]{1,63})/([^/]+)(?:/_history/([^/]+))?")
# How results are delivered, not which: servers do not all echo these (FHIR R4 search, 3.1.1.4).
_DELIVERY_PARAMETERS = frozenset(
    {
        "_contained",
        "_containedType",
        "_count",
        "_elements",
        "_format",
        "_include",
        "_pretty",
        "_revinclude",
        "_sort",
        "_summary",
        "_total",
    }
)


def is_id(text: object) -> bool:
    """Tell whether this is a FHIR id that can stand in a path; "." and ".." would climb in it."""
    return isinstance(text, str) and bool(_ID.fullmatch(text)) and text.strip(".") != ""


def split_reference(reference: str) -> tuple[str, str, str | None] | None:
    """Split "Type/id" or "Type/id/_history/v" into its parts, or None if it is neither."""
    parts = _REFERENCE.fullmatch(reference)
    if parts is None:
        return None
    resource_type, logical_id, version = parts.groups()
    if not is_id(logical_id) or not (version is None or is_id(version)):
        return None
    return resource_type, logical_id, version


def entries_of(bundle: JsonObject) -> list[Any]:
    """Give the entries of a Bundle, [] when it has none; raises TemporaryServerError if no list."""
    entries = bundle.get("entry", [])
    if not isinstance(entries, list):
        raise TemporaryServerError(
            "the server's Bundle has entries that are not a list", code="entries-no-list"
        )
    return entries


def link_of(bundle: JsonObject, relation: str) -> str | None:
    """Give the URL of a Bundle's link, or None.

    Raises: PermanentServerError when the link is there but holds no text: taking it for the end
        would lose every page after it.
    """
    links = bundle.get("link", [])
    for link in links if isinstance(links, list) else ():
        if isinstance(link, dict) and link.get("relation") == relation:
            url = link.get("url")
            if not isinstance(url, str) or not url:
                raise PermanentServerError(
                    f"the server's {relation} link holds no address", code="link-without-address"
                )
            return url
    return None


def page_of(
    bundle: JsonObject, resource_type: str, *, server_time: datetime | None = None
) -> SearchPage:
    """Sort the entries of a searchset into matches, included resources and warnings.

    An entry is refused alone, with a warning, when it has no resource with a valid id, when it is a
    match of another type than was asked for, or when the server shortened it (tag SUBSETTED). What
    was asked for and cannot be used is given apart: its patient must not be decided without it. So is
    every resource that the reader refused, whatever its entry says of it.

    Raises: TemporaryServerError, NotAuthorised or PermanentServerError for an OperationOutcome
        among the entries with an error; then the page may be incomplete.
    Source: FHIR R4 search, 3.1.1.8 and 3.1.1.9.
    """
    matches: list[JsonObject] = []
    included: list[JsonObject] = []
    unusable: list[JsonObject] = []
    not_read: list[RefusedResource] = []
    warnings: list[str] = []
    refused: Counter[str] = Counter()
    for entry in entries_of(bundle):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, RefusedResource):
            refused[f"{NO_STRICT_JSON} ({resource.code})"] += 1
            not_read.append(resource)
            continue
        if issues := issues_of(resource):
            if error := error_in(issues):
                raise error
            warnings.extend(issue.summary() for issue in issues)
            continue
        mode = _mode(entry, resource, resource_type)
        reason = _why_unusable(resource, mode, resource_type)
        if not isinstance(resource, dict):
            refused[NO_RESOURCE] += 1
        elif reason:
            refused[reason] += 1
            if reason in (NO_ID, SHORTENED, NO_MODE) and resource["resourceType"] == resource_type:
                unusable.append(resource)
        elif mode == "match":
            matches.append(resource)
        elif mode == "include":
            included.append(resource)
    warnings += [f"{count} search entries refused: {why}" for why, count in refused.items()]
    total = bundle.get("total")
    return SearchPage(
        matches=tuple(matches),
        included=tuple(included),
        warnings=tuple(warnings),
        server_time=server_time,
        total=total if isinstance(total, int) and not isinstance(total, bool) else None,
        unusable=tuple(unusable),
        refused=tuple(not_read),
    )


def names_on(page: SearchPage) -> frozenset[tuple[str, str]]:
    """Name all that a page shows, by type and id, also what could not be read of it."""
    shown = (*page.matches, *page.included, *page.unusable, *(one.known for one in page.refused))
    return frozenset((str(one.get("resourceType")), str(one.get("id"))) for one in shown)


def is_shortened(resource: JsonObject) -> bool:
    """Tell whether the server left parts of a resource out (tag SUBSETTED, FHIR R4 search)."""
    meta = resource.get("meta")
    tags = meta.get("tag") if isinstance(meta, dict) else None
    return any(
        isinstance(tag, dict) and tag.get("code") == "SUBSETTED"
        for tag in (tags if isinstance(tags, list) else ())
    )


def dropped_parameter(sent: SearchParams, self_link: str) -> str | None:
    """Find a search parameter that the server did not apply, by its self link; None if it used all.

    Names must come back, as often and with the same modifier; values may be written another way
    (encoded, absolute, another precision) but not emptied. A modifier that names a type may be
    folded into the value (`subject:Patient=1` as `subject=Patient/1`).

    Source: FHIR R4 search, 3.1.1.2: the self link holds the parameters actually used.
    """
    query = self_link.partition("?")[2]
    used = Counter(name for name, value in parse_qsl(query, keep_blank_values=True) if value)
    wanted: Counter[str] = Counter(name for name, _ in dict.fromkeys(sent))
    for name, count in wanted.items():
        base, _, modifier = name.partition(":")
        if base in _DELIVERY_PARAMETERS:
            continue
        found = used[name] + (used[base] if modifier[:1].isupper() else 0)
        if found < count:
            return name
    return None


def transaction_outcomes(bundle: JsonObject, *, sent: int) -> tuple[EntryOutcome, ...]:
    """Read a transaction's answer, and believe it only if it says of every entry that it landed.

    Raises: UnknownOutcome for another Bundle type, another number of entries, or an entry without a
        success; PartlyCarriedOut where every entry has a status and one is a refusal, and for a
        batch-response: some servers run a transaction as a batch and answer 200 for the whole (B4).
    """
    kind = bundle.get("type") if bundle.get("resourceType") == "Bundle" else None
    if kind not in ("transaction-response", "batch-response"):
        raise UnknownOutcome("the answer to the transaction is not a transaction-response")
    entries = bundle.get("entry", [])
    if not isinstance(entries, list) or len(entries) != sent:
        raise UnknownOutcome(f"the answer to the transaction does not have {sent} entries")
    statuses = [entry_status(entry) for entry in entries]
    refused = any(status is not None and status >= 400 for status in statuses)
    if None not in statuses and (refused or kind == "batch-response"):
        raise PartlyCarriedOut("the server carries out a transaction as a batch", statuses)
    if kind == "batch-response":
        raise UnknownOutcome("the answer to the transaction is not a transaction-response")
    outcomes = []
    for number, (entry, status) in enumerate(zip(entries, statuses, strict=True), start=1):
        if status is None or not 200 <= status < 300:
            raise UnknownOutcome(
                f"entry {number} of {sent} was answered with {status or 'no status'} "
                "inside a transaction that was accepted"
            )
        resource = entry.get("resource")
        if not isinstance(resource, dict) or resource.get("resourceType") == "OperationOutcome":
            resource = None
        outcomes.append(EntryOutcome(status, version_said(entry["response"], resource), resource))
    return tuple(outcomes)


def entry_status(entry: Any) -> int | None:
    """Give the HTTP status in the response of an entry ("201 Created" → 201), or None."""
    response = entry.get("response") if isinstance(entry, dict) else None
    status = response.get("status") if isinstance(response, dict) else None
    found = re.match(r"\d{3}(?!\d)", status) if isinstance(status, str) else None
    return int(found.group()) if found else None


def batch_of_reads(references: Iterable[str]) -> JsonObject:
    """Make a batch Bundle that reads these relative references."""
    return {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [{"request": {"method": "GET", "url": reference}} for reference in references],
    }


def batch_reads(
    bundle: JsonObject, references: tuple[str, ...]
) -> Iterator[tuple[str, JsonObject]]:
    """Give the resources that a batch-response holds, each at its place; every other reference is to be read alone.

    That something is gone (404, 410) is never taken from a batch: an entry names nothing but its place, and a server
    that answers in another order, or refuses what it does not do with a 404, would call a result gone that is there.
    Source: FHIR R4 http.html, batch: the entries of the answer have the order of those of the request.
    """
    entries = bundle.get("entry")
    is_answer = bundle.get("resourceType") == "Bundle" and bundle.get("type") == "batch-response"
    if not is_answer or not isinstance(entries, list) or len(entries) != len(references):
        return
    for reference, entry in zip(references, entries, strict=True):
        if entry_status(entry) == 200 and is_the_one(entry.get("resource"), reference):
            yield reference, entry["resource"]


def is_the_one(resource: Any, reference: str) -> bool:
    """Tell whether this is the whole resource that the reference names, in the version it names."""
    parts = split_reference(reference)
    if parts is None or not isinstance(resource, dict) or is_shortened(resource):
        return False
    resource_type, logical_id, version = parts
    meta = resource.get("meta")
    stated = meta.get("versionId") if isinstance(meta, dict) else None
    return (
        resource.get("resourceType") == resource_type
        and resource.get("id") == logical_id
        and (version is None or stated is None or stated == version)
    )


def _mode(entry: Any, resource: Any, resource_type: str) -> str:
    search = entry.get("search") if isinstance(entry, dict) else None
    mode = search.get("mode") if isinstance(search, dict) else None
    if isinstance(mode, str):
        return mode
    asked = isinstance(resource, dict) and resource.get("resourceType") == resource_type
    return "match" if asked else "include"


def _why_unusable(resource: Any, mode: str, resource_type: str) -> str | None:
    if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
        return NO_RESOURCE
    if mode not in ("match", "include"):
        return NO_MODE
    if not is_id(resource.get("id")):
        return NO_ID
    if mode == "match" and resource["resourceType"] != resource_type:
        return f"a match that is no {resource_type}"
    if is_shortened(resource):
        return SHORTENED
    return None


def version_said(response: JsonObject, resource: JsonObject | None) -> str | None:
    """Give the versionId that a write's answer names: by its etag, the resource, or its location."""
    etag = response.get("etag")
    if isinstance(etag, str) and (version := etag.removeprefix("W/").strip('"')):
        return version
    meta = resource.get("meta") if resource else None
    if isinstance(meta, dict) and isinstance(meta.get("versionId"), str):
        return str(meta["versionId"])
    location = response.get("location")
    if isinstance(location, str) and "/_history/" in location:
        return location.rpartition("/_history/")[2] or None
    return None
