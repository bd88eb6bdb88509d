"""A wall clock on a whole exchange: connecting, the handshake, the headers and the body.

The timeouts of sockets, and so those of urllib3 and requests, are for one silence each: a server that sends its headers
byte by byte is never silent for long, and would hold a pass for days. When the time is over the connection is shut down
from a thread of its own, and whatever waits for it wakes up.
Source: urllib3, `Timeout`: "the read timeout is not a limit on the total time of the request".
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from requests import PreparedRequest
from requests.adapters import DEFAULT_POOLSIZE, HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class TimeLimit:
    """The limit on one exchange. `ran_out`: it is over, and what was held was shut down."""

    def __init__(self) -> None:
        self.ran_out = False
        self._held: socket.socket | None = None
        self._lock = threading.Lock()

    def hold(self, connection: socket.socket) -> None:
        """Shut this connection down when the time is over, or at once where it is.

        A duplicate is held: TLS takes the socket itself over, and its number may be given to another file.
        """
        with self._lock:
            self._let_go()
            self._held = socket.fromfd(connection.fileno(), connection.family, connection.type)
            if self.ran_out:
                self._shut()

    def run_out(self) -> None:
        """Say that the time is over."""
        with self._lock:
            self.ran_out = True
            self._shut()

    def end(self) -> None:
        """Hold nothing any more."""
        with self._lock:
            self._let_go()

    def _shut(self) -> None:
        if self._held is not None:
            with suppress(OSError):  # the server was quicker
                self._held.shutdown(socket.SHUT_RDWR)

    def _let_go(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None


class _Here(threading.local):
    """The limit on what this thread does."""

    limit: TimeLimit | None = None


_HERE: Final = _Here()


@contextmanager
def at_most(seconds: float) -> Iterator[TimeLimit]:
    """Limit the exchanges of this thread, over connections of a `LimitedAdapter`, to so long in all."""
    limit = TimeLimit()
    timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), limit.run_out)
    timer.name, timer.daemon = "time-limit", True
    timer.start()
    _HERE.limit = limit
    try:
        yield limit
    finally:
        _HERE.limit = None
        timer.cancel()
        limit.end()


def _hold(connection: socket.socket | None) -> None:
    if connection is not None and _HERE.limit is not None:
        _HERE.limit.hold(connection)


class _Limited(HTTPConnection):
    """A connection that tells the limit of its thread what it waits for."""

    def _new_conn(self) -> socket.socket:
        connection = super()._new_conn()
        _hold(connection)
        return connection

    def request(self, *given: Any, **named: Any) -> None:
        """Send a request, also over a connection that was kept open."""
        _hold(self.sock)
        super().request(*given, **named)


class _LimitedWithTls(_Limited, HTTPSConnection):
    """The same, with TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Limited


class _PoolWithTls(HTTPSConnectionPool):
    ConnectionCls = _LimitedWithTls


class LimitedAdapter(HTTPAdapter):
    """Makes connections that `at_most` can end, with a TLS context of ours once `use` was called."""

    def __init__(self) -> None:
        self._context: ssl.SSLContext | None = None
        self._lock = threading.Lock()
        super().__init__()

    def use(self, context: ssl.SSLContext) -> None:
        """Make connections with this context from now on; such as wait with another are closed."""
        with self._lock:
            if context is self._context:
                return
            earlier = self.poolmanager
            self.init_poolmanager(DEFAULT_POOLSIZE, DEFAULT_POOLSIZE, ssl_context=context)
            self._context = context
            earlier.clear()

    def build_connection_pool_key_attributes(
        self, request: PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        """Tell requests what makes a connection: a context of ours has its authorities and certificate in it."""
        host, files = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, files if self._context is None else {"cert_reqs": "CERT_REQUIRED"}

    def cert_verify(self, *given: Any, **named: Any) -> None:
        """Add no authorities to a context of ours; requests would trust its own too."""
        if self._context is None:
            super().cert_verify(*given, **named)  # type: ignore[no-untyped-call]

    def init_poolmanager(self, *given: Any, **named: Any) -> None:
        """Make the pools."""
        super().init_poolmanager(*given, **named)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _PoolWithTls}
