"""A real HAPI FHIR JPA server (R4): built once from Maven Central, started on loopback.

Tests count requests and writes *at the server*, from its access log. Standalone:
`python -m tests.servers.hapi [--port N] [--postgres [URL]]` runs one until interrupted.
"""

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.servers import postgres
from tests.servers.cache import CACHE, made_once
from tests.servers.child import Child
from tests.servers.java import BRIEF, java
from tests.servers.required import MissingPartError, executable

_PROJECT = Path(__file__).with_name("hapi")
_GET_MAVEN = "apt install maven"
_START_SECONDS = 240.0
_REQUEST_SECONDS = 60.0
_NOT_DOWNLOADED = re.compile(
    r"(?:Could not (?:resolve|transfer)|Non-resolvable|was not found in|Unknown host).*"
)
_LOG_LINE = re.compile(
    r"(?P<number>\d+) (?P<method>\S+) (?P<status>\d+) (?P<entries>\S+) (?P<target>.*)"
)
_READING_POSTS = ("/_search", "/$validate")


@dataclass(frozen=True)
class LoggedRequest:
    """One line of the server's access log."""

    number: int
    method: str
    status: int
    target: str
    entries: Mapping[str, int]
    """How often each method occurs in a Bundle that was sent to the server; empty otherwise."""

    @property
    def is_write(self) -> bool:
        """Say whether it could change a resource; refused and ineffective writes count too."""
        if self.method != "POST":
            return self.method in {"PUT", "PATCH", "DELETE"}
        if self.target.partition("?")[0].endswith(_READING_POSTS):
            return False
        return set(self.entries) != {"GET"}


class HapiServer:
    """A running server; everybody who shares it uses patients of their own."""

    def __init__(self, child: Child, port: int, access_log: Path) -> None:
        self.root_url = f"http://127.0.0.1:{port}"
        self.base_url = f"{self.root_url}/fhir"
        self.access_log = access_log
        self._child = child

    def mark(self) -> int:
        """Return a point in the order of requests, for `requests_since` and `writes_since`."""
        answer = requests.get(f"{self.root_url}/fence", timeout=_REQUEST_SECONDS)
        return int(answer.headers["Request-Number"])

    def requests_since(self, mark: int) -> list[LoggedRequest]:
        """List what arrived after the mark, in order of arrival, each once it is answered.

        Tomcat writes a line just after the answer has left. So this waits until no number
        between the mark and now is missing: a late line, and a request whose client is
        long dead, are counted too.
        """
        now = self.mark()
        deadline = time.monotonic() + _REQUEST_SECONDS
        while True:
            logged = {each.number: each for each in _read_log(self.access_log)}
            numbers = range(mark + 1, now)
            if all(number in logged for number in numbers):
                return [logged[n] for n in numbers if logged[n].target != "/fence"]
            if time.monotonic() > deadline:
                raise RuntimeError(f"requests after {mark} are still not answered by HAPI")
            time.sleep(0.01)

    def writes_since(self, mark: int) -> list[LoggedRequest]:
        """List the requests after the mark that could change a resource."""
        return [each for each in self.requests_since(mark) if each.is_write]

    def empty(self) -> None:
        """Remove every resource and its history, profiles included; takes less than a second."""
        everything = {"name": "expungeEverything", "valueBoolean": True}
        requests.post(
            f"{self.base_url}/$expunge",
            json={"resourceType": "Parameters", "parameter": [everything]},
            timeout=_REQUEST_SECONDS,
        ).raise_for_status()

    def install_package(self, content: bytes) -> dict[str, int]:
        """Install a FHIR package by HAPI's own installer; give how many resources of each type."""
        answer = requests.post(
            f"{self.root_url}/install-package", data=content, timeout=_REQUEST_SECONDS
        )
        answer.raise_for_status()
        installed: dict[str, int] = answer.json()["resourcesInstalled"]
        return installed

    def stop(self) -> None:
        """End the server; repeatable."""
        self._child.stop()


@contextmanager
def running(
    *,
    port: int = 0,
    database: postgres.Database | None = None,
    folder: Path | None = None,
    external_references: bool = False,
    rest_hooks: bool = False,
    is_brief: bool = True,
) -> Iterator[HapiServer]:
    """Build HAPI if need be, start it, and stop it at the end.

    Args:
        port: 0 lets the system choose a free one.
        database: a PostgreSQL database; None means H2 in memory.
        folder: where its logs go; None means a temporary folder that is removed at the end.
        external_references: whether it takes references to other servers; stock HAPI refuses them.
        rest_hooks: whether Subscriptions are called; stock HAPI calls none.
        is_brief: ready in half the time, and slower once it is warm: for tests, not for measuring speed.

    Raises:
        MissingPartError: without Java 17, or when it has to be built and cannot be.
        RuntimeError: when the build or the start fails.
    """
    program = java()
    jar = build()
    with ExitStack() as cleanup:
        if folder is None:
            folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="her2-hapi-")))
        port_file = folder / "port"
        port_file.unlink(missing_ok=True)
        access_log = folder / "access.log"
        settings = {
            "portfile": str(port_file),
            "server.port": str(port),
            "server.tomcat.accesslog.directory": str(folder),
            "server.tomcat.accesslog.prefix": access_log.name,
            "hapi.fhir.allow_external_references": str(external_references).lower(),
            "hapi.fhir.subscription.resthook_enabled": str(rest_hooks).lower(),
            **_database_settings(database),
        }
        child = Child(
            [
                *(program, "-Xmx2g", "-XX:+UseSerialGC", *(BRIEF if is_brief else ())),
                *(f"-D{name}={value}" for name, value in settings.items()),
                *("-jar", str(jar)),
            ],
            log=folder / "hapi.log",
        )
        cleanup.callback(child.stop)
        yield _wait_until_ready(child, port_file, access_log)


def build() -> Path:
    """Return the server's jar from the cache, built by Maven first when its sources changed.

    Raises:
        MissingPartError: without Maven, or when Maven Central cannot be reached.
        RuntimeError: when the sources do not compile.
    """
    sources = [_PROJECT / "pom.xml", *sorted(_PROJECT.glob("src/main/java/**/*.java"))]
    digest = hashlib.sha256(b"\0".join(each.read_bytes() for each in sources)).hexdigest()[:16]
    return made_once(CACHE / "hapi" / digest, _build_into) / "target" / "hapi.jar"


def _build_into(folder: Path) -> None:
    shutil.copytree(_PROJECT, folder, dirs_exist_ok=True)
    maven = executable("mvn", _GET_MAVEN)
    ran = subprocess.run(
        [maven, "--quiet", "--batch-mode", "package"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode != 0:
        unreachable = _NOT_DOWNLOADED.search(ran.stdout)
        if unreachable is not None:
            raise MissingPartError(
                "HAPI FHIR", f"a connection to Maven Central ({unreachable[0][:200]})"
            )
        raise RuntimeError(f"Maven could not build HAPI:\n{ran.stdout}{ran.stderr}")


def _database_settings(database: postgres.Database | None) -> dict[str, str]:
    if database is None:
        return {}
    return {
        "spring.datasource.url": database.jdbc_url,
        "spring.datasource.username": database.user,
        "spring.datasource.password": database.password,
    }


def _wait_until_ready(child: Child, port_file: Path, access_log: Path) -> HapiServer:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and child.is_running:
        written = port_file.read_text() if port_file.exists() else ""
        if written:
            server = HapiServer(child, int(written), access_log)
            asked = requests.get(f"{server.base_url}/metadata", timeout=_REQUEST_SECONDS)
            if asked.status_code == requests.codes.ok:
                return server
        time.sleep(0.1)
    raise RuntimeError(f"HAPI did not start:\n{child.last_words()}")


def _read_log(access_log: Path) -> Iterator[LoggedRequest]:
    for line in access_log.read_text(encoding="utf-8").splitlines(keepends=True):
        found = _LOG_LINE.fullmatch(line.rstrip("\n"))
        # A line without its end is still being written; one without a number was refused by
        # Tomcat itself and reached nobody.
        if line.endswith("\n") and found is not None:
            yield LoggedRequest(
                number=int(found["number"]),
                method=found["method"],
                status=int(found["status"]),
                target=found["target"],
                entries=_entries(found["entries"]),
            )


def _entries(noted: str) -> dict[str, int]:
    counts = (each.split("x") for each in noted.split(",") if "x" in each)
    return {method: int(count) for method, count in counts}


def _main() -> None:
    parser = argparse.ArgumentParser(description="Run a HAPI FHIR server until interrupted.")
    parser.add_argument("--port", type=int, default=8080, help="0 chooses a free one")
    parser.add_argument(
        "--postgres",
        nargs="?",
        const="",
        metavar="URL",
        help="store in this database; without URL in a PostgreSQL of its own; default: H2",
    )
    asked = parser.parse_args()
    with suppress(KeyboardInterrupt), ExitStack() as cleanup:
        database = None
        if asked.postgres:
            database = postgres.Database.from_url(asked.postgres)
        elif asked.postgres is not None:
            database = cleanup.enter_context(postgres.running()).new_database()
        server = cleanup.enter_context(running(port=asked.port, database=database, is_brief=False))
        sys.stdout.write(f"{server.base_url}\naccess log: {server.access_log}\n")
        sys.stdout.flush()
        while True:
            time.sleep(1)


if __name__ == "__main__":
    _main()
