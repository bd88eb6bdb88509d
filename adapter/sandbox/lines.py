"""The connections themselves: for an answer that is not HTTP, or none at all.

A web framework cannot cut a connection, nor send half of what it announced. So uvicorn's protocol
tells here which connections are open, and an answer may be written to one of them directly.
"""

from __future__ import annotations

import asyncio

from starlette.types import Receive, Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

from adapter.sandbox.exchange import RawResponse

_open: dict[object, asyncio.Transport] = {}
"""Open connections of this process by both addresses, which no two of them share."""


class KnownLine(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, on a connection that can be found by the client's address."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        """Take note of the connection."""
        super().connection_made(transport)
        _open[self.client, self.server] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        _open.pop((self.client, self.server), None)
        super().connection_lost(exc)


async def send_raw(answer: RawResponse, scope: Scope, receive: Receive) -> None:
    """Write the bytes of an answer to the connection that asked, and close it."""
    line = _open[scope["client"], scope["server"]]
    for position, piece in enumerate(answer.raw):
        if position and answer.pause_seconds:
            await asyncio.sleep(answer.pause_seconds)
        line.write(piece)
    line.close()
    while (await receive())["type"] != "http.disconnect":
        pass
