"""Serves the application from a thread, so that the thread that was started runs passes and takes the signals."""

from __future__ import annotations

import socket
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvicorn
from starlette.applications import Starlette

from adapter.errors import ConfigError
from adapter.renewed import Renewed
from adapter.web.connections import BoundedConnection, most_connections

STOP_SECONDS: Final = 5
"""How long requests under way may take once a stop was asked for."""
IDLE_SECONDS: Final = 75
"""How long a connection may say nothing between two requests; longer than most proxies keep theirs."""


@dataclass(frozen=True)
class Tls:
    """PEM files of a server certificate; the key may be in the first."""

    cert_file: str
    key_file: str | None = None


def listen(host: str, port: int) -> socket.socket:
    """Return a bound TCP socket, on a free port for 0; raises ConfigError when it cannot be had."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ConfigError(
            [f"http.address: {host} is no address here ({error.strerror})"]
        ) from error
    family, kind, _, _, address = found[0]
    # asyncio turns Nagle's delay off only for sockets that name TCP; it costs 40 ms an answer.
    listening = socket.socket(family, kind, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as error:
        listening.close()
        raise ConfigError(
            [f"http.address: port {port} on {host} cannot be had ({error.strerror})"]
        ) from error
    return listening


class HttpServer:
    """Answers on a bound socket from `start` to `stop`."""

    def __init__(self, app: Starlette, listening: socket.socket, tls: Tls | None = None) -> None:
        """Take over the socket; raises ConfigError when the certificate cannot be used."""
        self._socket = listening
        self._certificate = None if tls is None else _certificate(tls)
        self._server = _ReadyServer(_config(app, self._certificate))
        self._thread = threading.Thread(
            target=self._server.run, args=([listening],), name="http", daemon=True
        )

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, as bound."""
        host, port = self._socket.getsockname()[:2]
        return host, port

    @property
    def refusal(self) -> str:
        """One sentence while the certificate was renewed and the new one cannot be used, else ""."""
        return "" if self._certificate is None else self._certificate.refusal

    @property
    def lives(self) -> bool:
        """Whether it answers, or is about to."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to answer; raises ConfigError when it cannot, for instance for a certificate that is none."""
        self._thread.start()
        while not self._server.ready.wait(0.05):
            if not self._thread.is_alive():
                raise ConfigError(
                    ["http: the server did not start; is the certificate a PEM file?"]
                )

    def stop(self) -> None:
        """Finish the requests under way, then stop."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()


class _ReadyServer(uvicorn.Server):
    """Tells another thread when it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


def _certificate(tls: Tls) -> Renewed[ssl.SSLContext]:
    """Give what handshakes are made with, renewed with its files; raises ConfigError when they cannot be used."""

    def make() -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        # Without a password of its own OpenSSL would ask for one at the terminal.
        context.load_cert_chain(tls.cert_file, tls.key_file, password="")
        return context

    files = [Path(one) for one in (tls.cert_file, tls.key_file) if one is not None]
    certificate = Renewed("http-certificate", files, make)
    try:
        certificate.now()
    except OSError as error:
        raise ConfigError(
            [
                "http.cert_file, http.key_file: are no certificate and key in PEM that belong together"
            ]
        ) from error
    return certificate


def _choosing(certificate: Renewed[ssl.SSLContext]) -> ssl.SSLContext:
    """Give a context under which each handshake takes the certificate of its own time."""

    def choose(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = certificate.now()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.sni_callback = (
        choose  # called in every handshake, also of a client that names no server
    )
    return context


def _config(app: Starlette, certificate: Renewed[ssl.SSLContext] | None) -> uvicorn.Config:
    bounds = {
        "most": most_connections(),
        "tls": None if certificate is None else _choosing(certificate),
    }
    return uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,  # a path may name a resource
        log_config=None,  # the process decides what is logged
        server_header=False,
        proxy_headers=False,  # nothing here depends on who a proxy says the client is
        lifespan="off",
        ws="none",
        http=type("Connection", (BoundedConnection,), bounds),
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
