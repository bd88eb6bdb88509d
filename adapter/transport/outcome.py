"""What a FHIR server means by an answer that is no success: its status and OperationOutcome.

How much of an OperationOutcome is kept: the issue's code, HAPI's own message codes, and the text
cut at 256 characters. Servers repeat what was sent to them, so whatever stands in quotes or angle
brackets, the query of an address, tokens (`system|value`), dates and long numbers are taken out
first, and of the rest only known words of servers stay (`plain_words`). Ids such as `Patient/abc`
stay. A body that is not an OperationOutcome is never quoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from adapter.errors import (
    AmbiguousMatch,
    ForeignOrigin,
    InputError,
    NotAuthorised,
    PermanentServerError,
    ServerError,
    TemporaryServerError,
    UnknownOutcome,
    VersionConflict,
)
from adapter.ports import JsonObject, JsonReader
from adapter.transport.http import SAFE_TO_RESEND_STATUSES, Answer
from adapter.transport.origin import resolve_link
from adapter.transport.plain_words import plain_words

MAX_TEXT = 256
_READ_TEXT = 2_000  # the patterns below take quadratic time on a text without end

# FHIR R4 IssueType "transient" and its children, and two of "processing" that pass with time.
_TRANSIENT_CODES = frozenset(
    {"transient", "lock-error", "no-store", "exception", "timeout", "incomplete", "throttled"}
)
_SECURITY_CODES = frozenset({"security", "login", "unknown", "expired", "forbidden"})
# HAPI's and Spark's words for several matches; Medplum says the issue code. Not a version conflict.
_SEVERAL_MATCHES = re.compile(r"multiple|matched \d+", re.IGNORECASE)
_HAPI_CODE = re.compile(r"HAPI-\d{3,5}")
_MAY_HOLD_PATIENTS = (
    re.compile(r"<[^>]*>?"),
    re.compile(r"[\"“„«`][^\"”»`]*[\"”»`]?"),
    re.compile(r"(?<!\w)['‘].*?(?:['’](?!\w)|$)", re.DOTALL),
    re.compile(r"\?\S*"),
    re.compile(r"\S*\|\S*"),
    re.compile(r"\b\d{4}-\d\d(?:-\d\d\S*)?|\b\d{1,2}[./]\d{1,2}[./]\d{2,4}"),
    re.compile(r"(?<![\w/-])\d{5,}"),
)
_REMOVED = "…"


@dataclass(frozen=True)
class Issue:
    """One issue of an OperationOutcome; `text` as the server began it, not fit for a message."""

    severity: str
    code: str
    text: str

    def summary(self) -> str:
        """Code and text without what may identify a patient, at most 256 characters."""
        hapi = " ".join(dict.fromkeys(_HAPI_CODE.findall(self.text)))
        text = _HAPI_CODE.sub("", self.text)
        for pattern in _MAY_HOLD_PATIENTS:
            text = pattern.sub(_REMOVED, text)
        words = plain_words(text.lstrip(": "), MAX_TEXT)
        parts = (_code_word(self.code), hapi, words)
        return " ".join(part for part in parts if part)[:MAX_TEXT]


def issues_of(resource: Any) -> tuple[Issue, ...]:
    """Read the issues of an OperationOutcome; empty for anything else, and never raises."""
    if not isinstance(resource, dict) or resource.get("resourceType") != "OperationOutcome":
        return ()
    return tuple(_read_issues(resource.get("issue")))


def error_in(issues: tuple[Issue, ...]) -> ServerError | None:
    """Turn error and fatal issues of an otherwise good answer into the error to raise, or None."""
    for issue in issues:
        if issue.severity in ("error", "fatal"):
            text = f"the server reports: {issue.summary()}"
            if issue.code in _TRANSIENT_CODES:
                return TemporaryServerError(text, status=200)
            if issue.code in _SECURITY_CODES:
                return NotAuthorised(text, status=200)
            return PermanentServerError(text, status=200)
    return None


def refusal(
    answer: Answer, *, read_json: JsonReader, retry_after: float | None, writes: bool = False
) -> ServerError:
    """Turn an answer that is no success into the error for it.

    Args:
        answer: with a status of 400 or more.
        read_json: reads its body, which may be no JSON at all.
        retry_after: seconds that the server asks us to wait, or None.
        writes: the request may have changed the server.

    Returns: NotAuthorised (401, 403), VersionConflict or AmbiguousMatch (409, 412),
        TemporaryServerError (408, 425, 429, 5xx), UnknownOutcome (the same for a write, unless the
        server says by it that nothing was done), else PermanentServerError.

    """
    status = answer.status
    issues = issues_of(_parsed(answer, read_json))
    said = next((issue.summary() for issue in issues if issue.severity in ("error", "fatal")), "")
    text = f"the server answered {status}" + (f": {said}" if said else "")
    match status:
        case 401 | 403:
            return NotAuthorised(f"{text}; check the credentials and their scopes", status=status)
        case 409 | 412 if _is_ambiguous(issues, status):
            return AmbiguousMatch(text, status=status)
        case 409 | 412:
            return VersionConflict(text, status=status)
        case 501:
            return PermanentServerError(text, status=status)
        case 408 | 425 | 429:
            temporary = True
        case _:
            temporary = status >= 500
    if temporary and writes and status not in SAFE_TO_RESEND_STATUSES:
        return UnknownOutcome(
            f"{text}; the write may have landed", status=status, retry_after_seconds=retry_after
        )
    if temporary:
        return TemporaryServerError(text, status=status, retry_after_seconds=retry_after)
    return PermanentServerError(text, status=status)


def redirect_refusal(answer: Answer, *, base_url: str, request_url: str) -> PermanentServerError:
    """Say of a redirect whether it leaves the configured server; neither kind is followed.

    A redirect inside the server is a wrong base URL at best, and at worst a login page.
    """
    try:
        resolve_link(answer.headers.get("Location", ""), base_url=base_url, request_url=request_url)
    except ForeignOrigin:
        return ForeignOrigin(
            f"the server redirects ({answer.status}) to an address outside the configured base; "
            "redirects are never followed: configure the FHIR base itself",
            status=answer.status,
        )
    return PermanentServerError(
        f"the server redirects ({answer.status}) instead of answering; redirects are not followed",
        status=answer.status,
    )


def _is_ambiguous(issues: tuple[Issue, ...], status: int) -> bool:
    if any(issue.code == "multiple-matches" for issue in issues):
        return True
    return status == 412 and any(_SEVERAL_MATCHES.search(issue.text) for issue in issues)


def _parsed(answer: Answer, read_json: JsonReader) -> JsonObject | None:
    if not answer.body:
        return None
    try:
        return read_json(answer.body)
    except InputError:
        return None  # an error page of a proxy; the status alone decides, and it is not quoted


def _read_issues(found: Any) -> Iterator[Issue]:
    for issue in found if isinstance(found, list) else ():
        if not isinstance(issue, dict):
            continue
        details = issue.get("details")
        in_details = details.get("text") if isinstance(details, dict) else None
        texts = (issue.get("diagnostics"), in_details)
        text = next((text for text in texts if isinstance(text, str)), "")
        yield Issue(str(issue.get("severity", "")), str(issue.get("code", "")), text[:_READ_TEXT])


def _code_word(code: str) -> str:
    """Keep a code only if it looks like one: servers have put whole sentences there."""
    return code if re.fullmatch(r"[a-z][a-z-]{0,31}", code) else ""
