"""Toxiproxy: a TCP proxy that disturbs connections, built once by Go and started on loopback."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import requests

from tests.servers.cache import CACHE, made_once
from tests.servers.child import Child
from tests.servers.required import MissingPartError, executable

VERSION: Final = "v2.5.0"
_MODULE: Final = "github.com/Shopify/toxiproxy/v2/cmd/server"
_GET_GO: Final = "apt install golang"
_SECONDS: Final = 30.0
_NOT_DOWNLOADED: Final = re.compile(r"dial tcp|no such host|proxyconnect|timeout", re.IGNORECASE)


class Toxiproxy:
    """A running Toxiproxy; one way through it at a time."""

    def __init__(self, child: Child, api: str) -> None:
        self._api = api
        self._child = child
        self._made = 0

    def way_to(self, url: str) -> Way:
        """Open a way to a server; the caller closes it."""
        self._made += 1
        where = urlsplit(url)
        proxy = {
            "name": f"way-{self._made}",
            "listen": "127.0.0.1:0",
            "upstream": f"{where.hostname}:{where.port}",
            "enabled": True,
        }
        made = _asked("POST", f"{self._api}/proxies", proxy)
        return Way(f"{self._api}/proxies/{proxy['name']}", f"http://{made['listen']}{where.path}")


class Way:
    """A way to a server; `base_url` is where clients go in."""

    def __init__(self, proxy: str, base_url: str) -> None:
        self._proxy = proxy
        self._listen = urlsplit(base_url).netloc
        self.base_url = base_url

    def disturb(self, kind: str, toxicity: float, **attributes: int) -> None:
        """Put a toxic on what comes from the server.

        Args:
            kind: a toxic of Toxiproxy, such as "latency".
            toxicity: which share of the connections has it, from 0 to 1.
            attributes: of the toxic.

        """
        toxic = {
            "name": kind,
            "type": kind,
            "stream": "downstream",
            "toxicity": toxicity,
            "attributes": attributes,
        }
        _asked("POST", f"{self._proxy}/toxics", toxic)

    def heal(self) -> None:
        """Take every toxic off."""
        for toxic in _asked("GET", f"{self._proxy}/toxics"):
            _asked("DELETE", f"{self._proxy}/toxics/{toxic['name']}")

    def switch(self, *, on: bool) -> None:
        """Close the way, with every connection on it, or open it again."""
        _asked("POST", self._proxy, {"enabled": on, "listen": self._listen})

    def close(self) -> None:
        """Remove it."""
        _asked("DELETE", self._proxy)


@contextmanager
def running(folder: Path | None = None) -> Iterator[Toxiproxy]:
    """Build Toxiproxy if need be, start it, and stop it at the end.

    Args:
        folder: where its log goes; None means a temporary folder that is removed at the end.

    Raises:
        MissingPartError: when it has to be built and Go is missing, or its module proxy is not reached.
        RuntimeError: when it does not start.

    """
    program = built()
    with tempfile.TemporaryDirectory(prefix="her2-toxiproxy-") as made:
        log = (folder or Path(made)) / "toxiproxy.log"
        # It does not tell which port it got for 0.
        port = _free_port()
        child = Child([str(program), "-host", "127.0.0.1", "-port", str(port)], log=log)
        try:
            yield Toxiproxy(child, _address(child, port))
        finally:
            child.stop()


def built() -> Path:
    """Return the program from the cache, built by Go first where it is not there."""
    return made_once(CACHE / f"toxiproxy-{VERSION}", _build_into) / "server"


def _build_into(folder: Path) -> None:
    go = executable("go", _GET_GO)
    ran = subprocess.run(
        [go, "install", f"{_MODULE}@{VERSION}"],
        env={**os.environ, "GOFLAGS": "-mod=mod", "GOBIN": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode != 0:
        if _NOT_DOWNLOADED.search(ran.stderr):
            raise MissingPartError("Toxiproxy", "a connection to the Go module proxy")
        raise RuntimeError(f"Go could not build Toxiproxy:\n{ran.stderr}")


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


def _address(child: Child, port: int) -> str:
    api = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline and child.is_running:
        with suppress(requests.ConnectionError):
            _asked("GET", f"{api}/version")
            return api
        time.sleep(0.05)
    raise RuntimeError(f"Toxiproxy did not start:\n{child.last_words()}")


def _asked(method: str, url: str, body: object = None) -> Any:
    answer = requests.request(method, url, json=body, timeout=_SECONDS)
    answer.raise_for_status()
    is_json = answer.headers.get("Content-Type", "").startswith("application/json")
    return answer.json() if answer.content and is_json else None
