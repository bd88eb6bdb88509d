"""How much of one request is taken in, and how many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from starlette.requests import ClientDisconnect, Request

from adapter.web.answers import Refused

BODY_SECONDS: Final = 30.0
"""A body must have arrived by then; a slow one holds a place that others need."""


async def read_body(request: Request, limit: int, *, seconds: float = BODY_SECONDS) -> bytes:
    """Read a body of at most `limit` bytes; raises Refused as `take_body`, and 415 when it is encoded."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "content-encoding", "Send the body as it is, without Content-Encoding.")
    pieces: list[bytes] = []
    await take_body(request, limit, pieces.append, seconds=seconds)
    return b"".join(pieces)


async def take_body(
    request: Request,
    limit: int,
    take: Callable[[bytes], object],
    *,
    seconds: float = BODY_SECONDS,
) -> None:
    """Give on a body of at most `limit` bytes, piece by piece as it arrives; none of it is kept.

    Raises: Refused with 413 as soon as it is longer, 408 when it is late, 400 when it is cut. It is counted while it
        arrives: what a client announces is not believed.

    """
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced) > limit:
        raise too_long(limit)
    length = 0
    try:
        async with asyncio.timeout(seconds):
            async for piece in request.stream():
                length += len(piece)
                if length > limit:
                    raise too_long(limit)
                take(piece)
    except TimeoutError:
        raise Refused(408, "body-late", f"The body had not arrived after {seconds:g} s.") from None
    except ClientDisconnect:
        raise Refused(400, "body-cut", "The body ended before its end.") from None


def too_long(limit: int) -> Refused:
    """Give the refusal of a body beyond its limit, in bytes."""
    return Refused(413, "body-too-long", f"The body is longer than {limit} bytes.")


class Turnstile:
    """Lets so many requests in at once and refuses the others with 429 (RFC 6585, section 4)."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Hold a place; raises Refused when none is free. For the one thread of the event loop."""
        if self._free <= 0:
            raise Refused(
                429, "too-many", "Too many requests at once; come again.", {"Retry-After": "1"}
            )
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1
