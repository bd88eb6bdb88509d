"""Answers in one form: JSON, never cached, and errors that tell a code and nothing of how we are built (S31)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

FHIR_JSON: Final = "application/fhir+json"
NOTICE: Final = "Not verified by a pathologist; the laboratory's report is the result of record."
"""Stands wherever a category is shown."""

HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""On every answer (ASVS 3.4, 14.3.2)."""

_ISSUES: Final = {
    400: "invalid",
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    406: "not-supported",
    408: "timeout",
    413: "too-long",
    415: "not-supported",
    422: "processing",
    429: "throttled",
    503: "transient",
}


class Refused(Exception):
    """A request that is refused: status, stable code, one sentence without anything the caller sent."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        self.status, self.code, self.message = status, code, message
        self.headers = dict(headers or {})
        super().__init__(message)


def json_answer(
    content: Any,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    media_type: str = "application/json",
) -> Response:
    """Give a JSON answer."""
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(body, status, {**HEADERS, **(headers or {})}, media_type)


def refusal(refused: Refused, *, as_fhir: bool) -> Response:
    """Give the answer of a refusal: an OperationOutcome on FHIR routes (FHIR R4, section 3.1.0.1.5), else JSON."""
    if not as_fhir:
        content: dict[str, Any] = {"error": refused.code, "message": refused.message}
        return json_answer(content, status=refused.status, headers=refused.headers)
    issue = {
        "severity": "error",
        "code": _ISSUES.get(refused.status, "exception"),
        "details": {"text": refused.code},
        "diagnostics": refused.message,
    }
    outcome = {"resourceType": "OperationOutcome", "issue": [issue]}
    return json_answer(
        outcome, status=refused.status, headers=refused.headers, media_type=FHIR_JSON
    )
