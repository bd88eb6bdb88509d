"""Medplum's FHIR router (R4) over its in-memory repository, on loopback: a second real server.

Its habits are not HAPI's: version ids are UUIDs, what is deleted answers 404, an unknown search
parameter finds nothing and says nothing. It scans linearly: for behaviour, not for speed. Standalone:
`python -m tests.servers.medplum [--port N]` runs one until interrupted.
"""

import argparse
import hashlib
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import requests

from tests.servers.cache import CACHE, download, made_once
from tests.servers.child import Child
from tests.servers.required import executable

_PROJECT = Path(__file__).with_name("medplum")
_GET_NODE = "apt install nodejs npm"
_START_SECONDS = 120.0
_REQUEST_SECONDS = 60.0
_URL = re.compile(r"http://127\.0\.0\.1:\d+/fhir(?=\n)")


class MedplumServer:
    """A running server; everybody who shares it uses patients of their own."""

    def __init__(self, child: Child, base_url: str) -> None:
        self.base_url = base_url
        self.root_url = base_url.removesuffix("/fhir")
        self._child = child

    def counts(self) -> dict[str, int]:
        """Give how many requests and writes came so far; entries of a Bundle count singly."""
        answer = requests.get(f"{self.root_url}/counts", timeout=_REQUEST_SECONDS)
        counted: dict[str, int] = answer.json()
        return counted

    def empty(self) -> None:
        """Remove every resource and its history."""
        requests.post(f"{self.root_url}/empty", timeout=_REQUEST_SECONDS).raise_for_status()

    def stop(self) -> None:
        """End the server; repeatable."""
        self._child.stop()


@contextmanager
def running(*, port: int = 0, folder: Path | None = None) -> Iterator[MedplumServer]:
    """Install Medplum's packages if need be, start the server, and stop it at the end.

    Args:
        port: 0 lets the system choose a free one.
        folder: where its log goes; None means a temporary folder that is removed at the end.

    Raises:
        MissingPartError: without Node, or when the packages cannot be fetched.
        RuntimeError: when it does not start.

    """
    node = executable("node", _GET_NODE)
    project = installed()
    with ExitStack() as cleanup:
        if folder is None:
            made = tempfile.TemporaryDirectory(prefix="her2-medplum-")
            folder = Path(cleanup.enter_context(made))
        log = folder / "medplum.log"
        child = Child([node, str(project / "server.mjs"), str(port)], log=log)
        cleanup.callback(child.stop)
        yield MedplumServer(child, _address(child, log))


def installed() -> Path:
    """Return the folder of the server with its packages, fetched by the lock when it changed.

    Raises:
        MissingPartError: without npm, or when the registry cannot be reached.

    """
    sources = [_PROJECT / name for name in ("package.json", "package-lock.json", "server.mjs")]
    digest = hashlib.sha256(b"\0".join(each.read_bytes() for each in sources)).hexdigest()[:16]

    def fetch_into(folder: Path) -> None:
        for each in sources:
            shutil.copy(each, folder)
        npm = executable("npm", _GET_NODE)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        download(command, what="Medplum's fhir-router", folder=folder)

    return made_once(CACHE / "medplum" / digest, fetch_into)


def _address(child: Child, log: Path) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and child.is_running:
        if found := _URL.search(log.read_text(encoding="utf-8")):
            return found[0]
        time.sleep(0.05)
    raise RuntimeError(f"Medplum's router did not start:\n{child.last_words()}")


def _main() -> None:
    parser = argparse.ArgumentParser(description="Run Medplum's FHIR router until interrupted.")
    parser.add_argument("--port", type=int, default=8081, help="0 chooses a free one")
    with suppress(KeyboardInterrupt), running(port=parser.parse_args().port) as server:
        sys.stdout.write(f"{server.base_url}\n")
        sys.stdout.flush()
        while True:
            time.sleep(1)


if __name__ == "__main__":
    _main()
