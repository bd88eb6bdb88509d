"""Habits below HTTP: answers that never come, end early, or are packed and cut."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from http import HTTPStatus

from adapter.sandbox.exchange import FHIR_JSON, Answer, FhirRequest, FhirResponse, RawResponse
from adapter.sandbox.habits.asking import is_write
from adapter.sandbox.habits.habit import Habit, Sometimes


def raw(answer: FhirResponse, *pieces: bytes, pause_seconds: float = 0.0) -> RawResponse:
    """Return an answer that is sent as these bytes, after which the connection ends."""
    return RawResponse(
        answer.status, answer.body, answer.headers, raw=pieces, pause_seconds=pause_seconds
    )


def head(answer: FhirResponse, headers: Mapping[str, str]) -> bytes:
    """Write status line and headers as they go over the wire, the blank line included."""
    phrase = HTTPStatus(answer.status).phrase
    said = {"Content-Type": f"{FHIR_JSON};charset=utf-8", **answer.headers, **headers}
    lines = [f"HTTP/1.1 {answer.status} {phrase}", *(f"{k}: {v}" for k, v in said.items())]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1")


class LostResponses(Sometimes):
    """It was done, and nobody hears of it."""

    name = "lost-responses"
    does = "one write in OFTEN is carried out, and the connection closed without an answer"
    seen = "every network: time-outs of proxies, restarts between commit and answer"

    def concerns(self, request: FhirRequest) -> bool:
        """Concern writes only."""
        return is_write(request)

    def spoiled(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Do it and say nothing."""
        return raw(answer(request))


class TruncatedGzip(Sometimes):
    """Half of it unpacks without an error."""

    name = "truncated-gzip"
    does = (
        "one answer in OFTEN is packed with gzip and cut to half, with the Content-Length of what is sent; for "
        "clients that accept gzip"
    )
    seen = "proxies; requests 2.34 and urllib3 2.7 hand the half out without an error"

    def concerns(self, request: FhirRequest) -> bool:
        """Concern clients that unpack."""
        return "gzip" in request.headers.get("accept-encoding", "").lower()

    def spoiled(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Pack it and send half."""
        whole = answer(request)
        packed = gzip.compress(whole.body.encode(), mtime=0)
        half = packed[: len(packed) // 2]
        headers = {"Content-Encoding": "gzip", "Content-Length": str(len(half))}
        return raw(whole, head(whole, headers) + half)


HABITS: tuple[type[Habit], ...] = (LostResponses, TruncatedGzip)
