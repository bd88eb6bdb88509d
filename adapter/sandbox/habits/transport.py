"""Habits below HTTP: answers that never come, end early, or are packed and cut."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus

from adapter.sandbox.exchange import FHIR_JSON, Answer, FhirRequest, FhirResponse, RawResponse
from adapter.sandbox.habits.asking import is_write
from adapter.sandbox.habits.habit import Habit, Scene, Sometimes, seconds, whole


def raw(answer: FhirResponse, *pieces: bytes, pause_seconds: float = 0.0) -> RawResponse:
    """Return an answer that is sent as these bytes, after which the connection ends.

    What another habit has made bytes of already stays as it is.
    """
    if isinstance(answer, RawResponse):
        return answer
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
        said = answer(request)
        return RawResponse(said.status, said.body, said.headers)


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
        found = answer(request)
        packed = gzip.compress(found.body.encode(), mtime=0)
        half = packed[: len(packed) // 2]
        headers = {"Content-Encoding": "gzip", "Content-Length": str(len(half))}
        return raw(found, head(found, headers) + half)


_MEGABYTE = 1024 * 1024


class GzipBombs(Habit):
    """A small answer that is not."""

    name = "gzip-bombs"
    does = "every answer unpacks to MEGABYTES more, of blanks after the JSON; for clients that accept gzip"
    seen = "urllib3 GHSA-2xpw-w6gg-jr37 and others; 200 MB of it arrive as 0.2 MB"
    takes = "MEGABYTES"
    default = "200"

    def __init__(self, value: str, scene: Scene) -> None:
        super().__init__(value, scene)
        # A gzip file may have several members, one after the other (RFC 1952, 2.2).
        self._blanks = gzip.compress(b" " * _MEGABYTE, mtime=0) * whole(value)

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Pack it together."""
        found = answer(request)
        if "gzip" not in request.headers.get("accept-encoding", "").lower():
            return found
        packed = gzip.compress(found.body.encode(), mtime=0) + self._blanks
        headers = {"Content-Encoding": "gzip", "Content-Length": str(len(packed))}
        return raw(found, head(found, headers) + packed)


class TruncatedBodies(Sometimes):
    """An end before the end."""

    name = "truncated-bodies"
    does = (
        "one answer in OFTEN ends in its middle: before its Content-Length, in the middle of a chunked body, or at the "
        "close of a connection without either"
    )
    seen = "proxies and restarts; the last kind cannot be told from a whole body by HTTP/1.1"
    takes = "OFTEN[:length|chunked|close]"
    kinds = ("length", "chunked", "close")

    def spoiled(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Send half."""
        found = answer(request)
        body = found.body.encode()
        half = body[: len(body) // 2]
        match self.kind:
            case "length":
                return raw(found, head(found, {"Content-Length": str(len(body))}) + half)
            case "chunked":
                chunk = b"%x\r\n%s\r\n" % (len(half), half)
                return raw(found, head(found, {"Transfer-Encoding": "chunked"}) + chunk)
            case _:
                return raw(found, head(found, {}) + half)


class SlowDrip(Habit):
    """Byte by byte, almost."""

    name = "slow-drip"
    does = "the body of every answer comes in 20 pieces over SECONDS"
    seen = "overloaded proxies; a time-out between two bytes never ends it (Toxiproxy: slicer)"
    takes = "SECONDS"
    default = "10"

    def __init__(self, value: str, scene: Scene) -> None:
        super().__init__(value, scene)
        self._seconds = seconds(value)

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Cut it up."""
        found = answer(request)
        body = found.body.encode()
        size = len(body) // 20 + 1
        pieces = [body[start : start + size] for start in range(0, len(body), size)]
        first = head(found, {"Content-Length": str(len(body))})
        return raw(found, first, *pieces, pause_seconds=self._seconds / 20)


_types = {
    "plain": "text/plain",
    "html": "text/html",
    "xml": "application/fhir+xml",
    "octets": "application/octet-stream",
}


class WrongContentTypes(Sometimes):
    """Another label on the same bottle."""

    name = "wrong-content-types"
    does = "one answer in OFTEN has the Content-Type of plain text, HTML, FHIR XML or unknown bytes"
    seen = "misconfigured gateways and static mocks"
    takes = "OFTEN[:plain|html|xml|octets]"
    kinds = tuple(_types)

    def spoiled(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Change the label."""
        found = answer(request)
        return replace(found, headers={**found.headers, "Content-Type": _types[self.kind]})


HABITS: tuple[type[Habit], ...] = (
    SlowDrip,
    LostResponses,
    TruncatedGzip,
    GzipBombs,
    TruncatedBodies,
    WrongContentTypes,
)
