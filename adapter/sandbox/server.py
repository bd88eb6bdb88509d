"""Runs the sandbox on a loopback address: in a thread for tests and the demo, or until stopped."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Sequence
from types import TracebackType

import uvicorn

from adapter.errors import ConfigError
from adapter.sandbox.app import BASE_PATH, create_app
from adapter.sandbox.counts import Counts
from adapter.sandbox.exchange import Layer
from adapter.sandbox.habits.active import ActiveHabits
from adapter.sandbox.lines import KnownLine
from adapter.sandbox.rules import Clock, ServerRules, utc_now
from adapter.sandbox.service import FhirService

START_SECONDS = 30.0
STOP_SECONDS = 5


class Sandbox:
    """A sandbox in a background thread, for as long as a `with` block lasts.

    `base_url`, `writes` and `requests` are there from construction on; connections wait until the
    block is entered.
    """

    def __init__(
        self,
        port: int = 0,
        database: str = ":memory:",
        *,
        rules: ServerRules | None = None,
        layers: Sequence[Layer] = (),
        clock: Clock = utc_now,
    ) -> None:
        """Take a loopback port, a free one for 0, and open the database.

        Raises: ConfigError when the port is taken, or the database unusable.
        """
        self._socket = loopback_socket("127.0.0.1", port)
        try:
            app = create_app(database, rules=rules, layers=layers, clock=clock)
        except ConfigError:
            self._socket.close()
            raise
        self.service: FhirService = app.state.service
        self._server = _ReadyServer(_config(app))
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="sandbox", daemon=True
        )

    @property
    def base_url(self) -> str:
        """The FHIR base, `http://127.0.0.1:NNNN/fhir`."""
        return _base_url(self._socket)

    @property
    def counts(self) -> Counts:
        """All counters."""
        return self.service.counts

    @property
    def habits(self) -> ActiveHabits:
        """The habits that are on, none at first; they may be changed at any time."""
        return self.service.habits

    @property
    def requests(self) -> int:
        """HTTP requests below the FHIR base so far."""
        return self.counts.requests

    @property
    def writes(self) -> int:
        """Creates, updates and deletes asked for so far, those inside bundles included."""
        return self.counts.writes

    def start(self) -> None:
        """Start to answer.

        Raises: ConfigError when the server did not start.
        """
        self._thread.start()
        if not self._server.ready.wait(START_SECONDS):
            raise ConfigError(["the sandbox did not start"])

    def stop(self) -> None:
        """Finish the requests under way, then stop and close the database."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    def __enter__(self) -> Sandbox:
        self.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.stop()


def serve(host: str = "127.0.0.1", port: int = 8080, database: str = ":memory:") -> None:
    """Run the sandbox in this thread until SIGINT or SIGTERM; port 0 takes a free one.

    Raises: ConfigError when the host is not loopback, the port is taken, or the database unusable;
        KeyboardInterrupt after SIGINT, once the server has stopped in good order.
    """
    listening = loopback_socket(host, port)
    try:
        uvicorn.Server(_config(create_app(database))).run([listening])
    finally:
        listening.close()


def loopback_socket(host: str, port: int) -> socket.socket:
    """Return a bound TCP socket on a loopback address.

    The sandbox asks nobody who they are, so no other machine may reach it.

    Raises: ConfigError when the host is not loopback, or the port cannot be had.
    """
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError as error:
        raise ConfigError([f"the sandbox listens on loopback only, not on {host!r}"]) from error
    if not address.is_loopback:
        raise ConfigError([f"the sandbox listens on loopback only, not on {host!r}"])
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    # asyncio turns Nagle's delay off only for sockets that name TCP; it costs 40 ms an answer.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # A port in TIME_WAIT from the last run may be taken again; one in use may not.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((str(address), port))
    except (OSError, OverflowError) as error:
        listening.close()
        raise ConfigError([f"port {port} on {address} cannot be had: {error}"]) from error
    return listening


class _ReadyServer(uvicorn.Server):
    """Tells another thread when it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


def _config(app: object) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # type: ignore[arg-type]  # Starlette is an ASGI application; uvicorn's alias is narrower
        log_level="warning",
        access_log=False,  # URLs of searches are as sensitive as what they find
        log_config=None,  # the host process decides what is logged and where
        server_header=False,
        date_header=False,  # the sandbox's own clock is told
        lifespan="on",
        ws="none",
        http=KnownLine,
        timeout_graceful_shutdown=STOP_SECONDS,
    )


def _base_url(listening: socket.socket) -> str:
    host, port = listening.getsockname()
    return f"http://{host}:{port}{BASE_PATH}"
