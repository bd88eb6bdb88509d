"""A hospital in the middle of its life, and how it goes on with a state that something happened to."""

from __future__ import annotations

import copy
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from adapter.errors import StoreError
from adapter.store import SqlStateStore, open_store
from tests.fakes.clock import FakeClock
from tests.fakes.crash import Killed
from tests.fakes.server import FakeFhirServer
from tests.fakes.site import Site
from tests.oracle import content_of_fake, differences


@dataclass(frozen=True)
class MidLife:
    """A hospital in the middle of its life: its server, and the files of the adapter's state."""

    versions: dict[str, list[Any]]
    now: Any
    state: bytes
    journal: bytes
    earlier_state: bytes


def _die() -> None:
    raise Killed


@cache
def mid_life() -> MidLife:
    """Results stand, some were amended, taken back or deleted since, and the last pass was killed while it wrote."""
    with tempfile.TemporaryDirectory() as folder:
        return _lived(Path(folder) / "state.sqlite")


def _lived(file: Path) -> MidLife:
    site = Site()
    with open_store(f"sqlite:///{file}") as store:
        site.store = store  # type: ignore[assignment]
        site.restart()
        for number in range(8):
            site.laboratory.ihc(f"p{number}", ("0", "1+", "2+", "3+")[number % 4])
        site.settle()
    earlier = file.read_bytes()
    with open_store(f"sqlite:///{file}") as store:
        site.store = store  # type: ignore[assignment]
        site.restart()
        site.laboratory.amend("Observation/ihc-p1-a", "3+")
        site.laboratory.take_back("Observation/ihc-p3-a")
        site.laboratory.fish("p2", "Amplified")
        site.server.delete("Observation/ihc-p5-a")
        site.laboratory.ihc("late", "1+")
        site.server.before_transaction = _die
        with suppress(Killed):
            site.run(full_sweep=True)
        assert len(store.outbox()) == 1
        state, journal = file.read_bytes(), file.with_name("state.sqlite-wal").read_bytes()
    return MidLife(site.server.versions, site.clock.now(), state, journal, earlier)


@dataclass
class Revived:
    """The hospital goes on, with a state as the test left it."""

    path: Path
    site: Site
    store: SqlStateStore | None = None
    refused: int = 0

    @classmethod
    def of(cls, life: MidLife, path: Path) -> Revived:
        clock = FakeClock()
        clock.advance((life.now - clock.now()).total_seconds())
        server = FakeFhirServer(clock)
        server.versions = copy.deepcopy(life.versions)
        return cls(path, Site(server=server))

    def run(self, *, hours: float = 0, **asked: Any) -> None:
        """Run a pass as the service does: after an error of the state the process is started again."""
        self.site.clock.advance(hours * 3600)
        for _ in range(4):
            try:
                self._open()
                self.site.run(**asked)
            except StoreError:
                self.refused += 1
                self.close()
            else:
                return
        # What no restart heals is for the operator: the state is moved away.
        self.close()
        for part in self.path.parent.glob(f"{self.path.name}*"):
            part.unlink()
        self._open()
        self.site.run(**asked)

    def _open(self) -> None:
        if self.store is None:
            try:
                self.store = open_store(f"sqlite:///{self.path}", sets_aside=True)
            except StoreError:
                self.path.unlink()  # told with what to do: install the newer release, or name a new store
                self.refused += 1
                raise
            self.site.store = self.store  # type: ignore[assignment]
            self.site.restart()

    def close(self) -> None:
        """End the process."""
        if self.store is not None:
            self.store.close()
            self.store = None

    def differences(self) -> list[str]:
        """What is not as the oracle says."""
        return differences(content_of_fake(self.site.server))

    def converges(self) -> str:
        """Go on for more than a day; tells how it came to rest, and fails where it did not."""
        try:
            for _ in range(3):
                self.run()
                self.site.clock.advance(700)
            at_once = self.differences() == []
            self.run(hours=25)
            self.run(hours=1)
            assert self.differences() == []
            self.site.assert_sound()
            before = self.site.server.writes
            self.run()
            assert self.site.server.writes == before, "it does not come to rest"
        finally:
            self.close()
        return "at once" if at_once else "with the next sweep"


def put(path: Path, state: bytes, journal: bytes) -> None:
    path.write_bytes(state)
    if journal:
        path.with_name(f"{path.name}-wal").write_bytes(journal)
