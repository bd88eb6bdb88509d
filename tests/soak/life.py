"""One service in a process of its own, worked for a while, and what it holds at each moment of it."""

from __future__ import annotations

import signal
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
import requests

from adapter.sandbox.server import Sandbox
from tests.servers.adapter_service import AdapterService
from tests.soak.corrections import Corrections
from tests.torture.judging import Verdict, judge

TOKEN: Final = "s" * 40
WARM: Final = 0.25
"""The share of the time in which caches may still fill."""


@dataclass(frozen=True)
class Sample:
    """What the process holds, `at` so many seconds from the start; memory in megabytes."""

    at: float
    megabytes: float
    files: int
    threads: int


@dataclass(frozen=True)
class Soaked:
    """How it went. `slope`: megabytes an hour once warm, by least squares."""

    minutes: float
    edits: int
    calls: int
    samples: tuple[Sample, ...]
    queue_left: int
    verdict: Verdict
    exit_code: int

    @property
    def warm(self) -> tuple[Sample, ...]:
        """The samples after the caches have filled."""
        return tuple(one for one in self.samples if one.at >= WARM * self.samples[-1].at)

    @property
    def slope(self) -> float:
        """Megabytes an hour."""
        points = self.warm
        fit = statistics.linear_regression([p.at for p in points], [p.megabytes for p in points])
        return 3600 * fit.slope

    @property
    def sentence(self) -> str:
        """What was measured."""
        files, threads = (
            [getattr(one, name) for one in self.warm] for name in ("files", "threads")
        )
        return (
            f"{self.minutes:g} minutes, {self.edits} edits, {self.calls} calls over HTTP: memory "
            f"{self.warm[0].megabytes:.0f} to {self.warm[-1].megabytes:.0f} MB ({self.slope:+.1f} MB an hour "
            f"once warm), {min(files)} to {max(files)} open files, {min(threads)} to {max(threads)} threads, "
            f"{self.queue_left} patients left in the queue, {len(self.verdict.wrong)} differences from the oracle "
            f"in {self.verdict.cases} derived Observations"
        )


def soak(minutes: float, folder: Path, *, seed: int = 1, every: float = 1.0) -> Soaked:
    """Let a laboratory work while the service polls and is asked; then wait until it is done, and judge.

    Args:
        minutes: how long.
        folder: for the state.
        seed: of the laboratory's edits.
        every: seconds between two samples.

    """
    with Sandbox() as sandbox, _service(sandbox.base_url, folder) as service:
        url = service.url
        edits, calls, samples = Corrections(sandbox.base_url, seed), 0, list[Sample]()
        watched = psutil.Process(service.process.pid)
        began = time.monotonic()
        while (at := time.monotonic() - began) < 60 * minutes:
            edits.several()
            calls += _call(url)
            samples.append(_sample(watched, at))
            time.sleep(every)
        left = _settled(url)
        edits.close()
        verdict = judge(sandbox.base_url)
        code = service.end()
    return Soaked(minutes, edits.made, calls, tuple(samples), left, verdict, code)


def _call(url: str) -> int:
    """Ask what callers ask: one patient, readiness, the numbers, and something that is refused."""
    shown = {"Authorization": f"Bearer {TOKEN}"}
    requests.post(f"{url}/sync", json={"patient": "soak-1"}, headers=shown, timeout=60)
    requests.post(f"{url}/sync", data=b"{", headers=shown, timeout=60)
    for path in ("/readyz", "/healthz", "/metrics", "/nothing"):
        requests.get(url + path, headers=shown, timeout=60)
    return 6


def _sample(process: psutil.Process, at: float) -> Sample:
    with process.oneshot():
        return Sample(
            at, process.memory_info().rss / 2**20, process.num_fds(), process.num_threads()
        )


def _settled(url: str) -> int:
    """Wait until passes have nothing left to do; give how many patients are queued then."""
    shown = {"Authorization": f"Bearer {TOKEN}"}
    queue = -1
    for _ in range(60):
        time.sleep(1)
        queue = requests.get(f"{url}/readyz", headers=shown, timeout=60).json()["queue"]
        if queue == 0:
            break
    time.sleep(3)  # a whole pass more
    return int(queue)


@contextmanager
def _service(server: str, folder: Path) -> Iterator[AdapterService]:
    service = AdapterService(
        server,
        folder,
        HER2_POLL__INTERVAL_SECONDS="0.5",
        HER2_POLL__OVERLAP_SECONDS="5",
        HER2_POLL__ABSENCE_CONFIRM_SECONDS="1",
        HER2_POLL__SWEEP_HOURS="0.0005",  # every other second: what was deleted is found by sweeps
        HER2_BRAKE__WITHDRAW_FLOOR="100000",
        HER2_BRAKE__CHANGE_FLOOR="100000",
        HER2_HTTP__SYNC_TOKEN=TOKEN,
        HER2_LOG__LEVEL="info",
    )
    try:
        yield service
    finally:
        service.end(signal.SIGKILL)
