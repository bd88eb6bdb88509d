"""Bounds on a connection beside those on a request: how many, how long without a request, and what follows a refusal.

uvicorn bounds requests. Whoever opens connections and says nothing would hold the files that passes need, and a body
that was refused would be read to its end, however long that is.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, ClassVar, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

CONNECTIONS: Final = 500
"""More than these at once are not held: room is made by ending one that waits, or else the new one."""
HEAD_SECONDS: Final = 20.0
"""The head of a request must be there so long after the connection, or after its first byte."""
REST_BYTES: Final = 256 * 1024
REST_SECONDS: Final = 10.0
"""So much of a body is still read once the request is answered, and for so long: then the connection ends."""
FAREWELL_SECONDS: Final = 2.0
"""So long the answer may take to reach a client whose body is not read any more."""


class BoundedConnection(H11Protocol):
    """One connection. `most`: how many may be held at once, for all of them. `tls`: None for HTTP in the clear.

    A handshake is made here and not by the server's socket: that one would hold a client who says nothing for a minute,
    and count it nowhere.
    """

    most: ClassVar[int] = CONNECTIONS
    tls: ClassVar[ssl.SSLContext | None] = None

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._deadline: asyncio.TimerHandle | None = None
        self._began = self.loop.time()
        self._has_asked = False
        self._rest = REST_BYTES
        self._is_ending = False
        self._handshake: asyncio.Task[None] | None = None
        self._early: bytearray | None = None
        self._is_lost = False

    @property
    def _waits(self) -> bool:
        """Whether no request of it is under way."""
        return self.conn.their_state is h11.IDLE

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Hold it, if there is room, from its first byte on."""
        if self.tls is None:
            super().connection_made(transport)
        else:
            transport.pause_reading()
            self.transport, self._early = transport, bytearray()
            self.connections.add(self)
            self._handshake = self.loop.create_task(self._shake_hands(transport, self.tls))
        if len(self.connections) > self.most:
            self._make_room()
        self._expect(HEAD_SECONDS, self._abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._is_lost = True
        if self._early is not None:
            return  # the handshake sees to it
        self._expect_nothing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in what arrived, while something is still waited for."""
        if self._early is not None:
            self._early += data
            return
        if self._is_ending:
            return
        super().data_received(data)
        if self._waits:
            self._expect(HEAD_SECONDS, self._abort)
        elif self._is_answered:
            self._rest -= len(data)
            if self._rest < 0:
                self._end()
        else:
            self._has_asked = True
            self._expect_nothing()

    def on_response_complete(self) -> None:
        """Go on to the next request; what is left of this one's body is read if it is little and comes soon."""
        super().on_response_complete()
        if self._is_answered and not self.transport.is_closing():
            self._expect(REST_SECONDS, self._end)
        else:
            self._expect_nothing()

    @property
    def _is_answered(self) -> bool:
        """Whether the request was answered before its body had come."""
        return self.conn.our_state is h11.DONE and self.conn.their_state is h11.SEND_BODY

    async def _shake_hands(self, plain: asyncio.Transport, tls: ssl.SSLContext) -> None:
        """Go on with TLS, in the time that there is for the head of a request."""
        secure: asyncio.Transport | None = None
        try:
            secure = await self.loop.start_tls(
                plain, self, tls, server_side=True, ssl_handshake_timeout=HEAD_SECONDS
            )
        except OSError:
            plain.abort()  # no TLS, or none in time
        early, self._early = self._early, None
        if secure is None or self._is_lost or secure.is_closing():
            self.connections.discard(self)
            self._expect_nothing()
            return
        super().connection_made(secure)
        if early:
            self.data_received(bytes(early))

    def _make_room(self) -> None:
        """End one that waits, one that never asked for anything first, the oldest of them; else this one."""
        waiting = [
            one for one in self.connections if isinstance(one, BoundedConnection) and one._waits
        ]
        min(waiting, key=lambda one: (one._has_asked, one._began), default=self)._abort()

    def _abort(self) -> None:
        self.connections.discard(self)
        self.transport.abort()

    def _end(self) -> None:
        """Read no more, let the answer arrive, and end it."""
        self._is_ending = True
        self._unset_keepalive_if_required()
        self.transport.pause_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._expect_nothing()
        self._expect(FAREWELL_SECONDS, self._abort)

    def _expect(self, seconds: float, otherwise: Callable[[], None]) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(seconds, otherwise)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def most_connections() -> int:
    """How many may be held: CONNECTIONS, and half of the files that this process may open."""
    try:
        import resource
    except ImportError:  # no such limit on Windows
        return CONNECTIONS
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS if files == resource.RLIM_INFINITY else min(CONNECTIONS, files // 2)
