"""Three real processes on one state: the holder is stopped for two leases, later killed; nothing is doubled (C5)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import text

from adapter.sandbox.exchange import Answer, FhirRequest, FhirResponse
from adapter.sandbox.server import Sandbox
from adapter.store import SqlStateStore, open_store
from tests.live.laboratory import Laboratory
from tests.live.records import Records

ROOT = Path(__file__).parents[2]
LEASE_SECONDS = 2.0
PATIENCE_SECONDS = 120.0
PATIENTS = 40


@dataclass
class Gate:
    """Stops the process that sends the nth transaction while its request is under way."""

    at: int
    hold: Callable[[], None] = lambda: None
    seen: int = 0
    reached: threading.Event = field(default_factory=threading.Event)

    def __call__(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        if request.method == "POST" and not request.path and b'"transaction"' in request.body:
            self.seen += 1
            if self.seen == self.at:
                self.hold()
                self.reached.set()
        return answer(request)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def state_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state.sqlite'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


def holder_of(store: SqlStateStore) -> str | None:
    """Who holds the lease, as the database says."""
    with store._reading() as connection:
        return connection.execute(text("SELECT holder FROM her2_lease")).scalar_one()


def wait_for(what: str, happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE_SECONDS:.0f} s"
        time.sleep(0.05)


@contextmanager
def services(base_url: str, state_url: str, folder: Path) -> Iterator[dict[str, subprocess.Popen]]:
    """Three services on one state; all are killed in the end, also a stopped one."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "HER2_FHIR_URL": base_url,
        "HER2_STATE_URL": state_url,
        "HER2_TARGET__BATCH_CASES": "5",
    }
    running = {}
    with ExitStack() as opened:
        for name in ("one", "two", "three"):
            output = opened.enter_context((folder / f"{name}.out").open("ab"))
            running[name] = subprocess.Popen(
                [sys.executable, "-m", "tests.real.lease_process", name, str(LEASE_SECONDS)],
                env=environment,
                cwd=ROOT,
                stdout=output,
                stderr=output,
            )
        try:
            yield running
        finally:
            for process in running.values():
                process.kill()
                process.wait()


def passes(folder: Path, name: str) -> list[str]:
    """What a service said of its passes."""
    said = (folder / f"{name}.out").read_text(encoding="utf-8").splitlines()
    return [line for line in said if line.startswith(("done", "stopped"))]


def test_a_stopped_holder_is_replaced_and_doubles_nothing_when_it_wakes(
    state_url: str, tmp_path: Path
) -> None:
    gate = Gate(at=4)
    with ExitStack() as opened:
        sandbox = opened.enter_context(Sandbox(layers=(gate,)))
        store = opened.enter_context(open_store(state_url))
        laboratory, records = Laboratory(sandbox.base_url), Records(sandbox.base_url)
        opened.callback(laboratory.close)
        opened.callback(records.close)
        laboratory.women(PATIENTS)
        gate.seen = 0
        running = opened.enter_context(services(sandbox.base_url, state_url, tmp_path))
        first: list[str] = []

        def stop_holder() -> None:
            first.append(holder_of(store) or "")
            running[first[0]].send_signal(signal.SIGSTOP)

        gate.hold = stop_holder
        wait_for("a holder that writes", gate.reached.is_set)
        time.sleep(2 * LEASE_SECONDS)
        others = [name for name in running if name != first[0]]
        wait_for("another takes over", lambda: holder_of(store) in others)
        wait_for("it ends a pass", lambda: any(passes(tmp_path, name) for name in others))
        running[first[0]].send_signal(signal.SIGCONT)
        time.sleep(LEASE_SECONDS)
        records.assert_sound(patients=PATIENTS)

        second = holder_of(store)
        assert second in others
        running[second].kill()
        laboratory.ihc("late", "3+")
        wait_for("a third takes over", lambda: holder_of(store) not in (None, second))
        wait_for("it writes what is new", lambda: len(records.derived()) == PATIENTS + 1)
        records.assert_sound(patients=PATIENTS + 1)
        assert store.check_trail().is_sound
