"""Protects against sudden death: the adapter is killed in the middle of its first pass, many times.

Real processes, real signals, a server in a process of its own. What a killed client had sent can
still land while the next one already works. Afterwards one clean pass must leave one Observation
for each patient, as many Provenances as versions, and neither without the other.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.live.laboratory import Laboratory
from tests.live.records import Records
from tests.live.servers import LiveServer, OnHapi, sandbox_process
from tests.servers.adapter_service import end_lease_of_the_dead

PASS_SECONDS = 120.0
SEED = 20260110
LONGEST_LIFE_SECONDS = 0.3
"""From the first write of a process to its death, at most."""
SLOWLY = {"HER2_TARGET__BATCH_CASES": "5", "HER2_TARGET__CASES_PER_MINUTE": "600"}
"""Ten cases a second in small bundles: so all lives together, on a machine however busy, do not do the work."""


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LiveServer]:
    """An empty server in a process of its own."""
    if request.param == "hapi":
        yield OnHapi(request.getfixturevalue("empty_hapi"))
    else:
        with sandbox_process(tmp_path) as sandbox:
            yield sandbox


@dataclass(frozen=True)
class Command:
    """`her2-adapter` as an operator starts it, with settings from the environment alone."""

    server: LiveServer
    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start it; both of its output streams go to a file."""
        settings = {
            "HER2_FHIR_URL": self.server.base_url,
            "HER2_STATE_URL": f"sqlite:///{self.folder}/state.sqlite",
            "HER2_LOG__FORMAT": "json",
            **self.settings,
        }
        with (self.folder / "output").open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "adapter", *arguments],
                env={**os.environ, **settings},
                cwd=self.folder,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def completes(self, *arguments: str) -> None:
        """Run it to its end, which must be a good one."""
        code = self.start(*arguments).wait(PASS_SECONDS)
        assert code == 0, self._last_words()

    def kill_while_it_writes(self, moment: random.Random) -> float:
        """Start a pass and kill it at random after its first write; seconds until that write."""
        before = self.server.mark()
        started = time.monotonic()
        process = self.start("sync", "--backfill")
        while process.poll() is None and not self.server.since(before).writes:
            time.sleep(0.05)
        idle = time.monotonic() - started
        time.sleep(moment.uniform(0, LONGEST_LIFE_SECONDS))
        self._kill(process)
        return idle

    def kill_after(self, seconds: float) -> None:
        """Start a pass and kill it, wherever it is by then."""
        process = self.start("sync", "--backfill")
        time.sleep(seconds)
        self._kill(process)

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        code = process.wait()
        assert code == -signal.SIGKILL, f"it ended by itself with {code}: {self._last_words()}"
        end_lease_of_the_dead(self.folder)

    def _last_words(self) -> str:
        return (self.folder / "output").read_text(encoding="utf-8")[-2000:]


@pytest.mark.parametrize(
    ("server", "patients", "kills"),
    [
        pytest.param("sandbox", 100, 8, id="sandbox"),
        pytest.param("hapi", 300, 20, id="hapi", marks=pytest.mark.real),
    ],
    indirect=["server"],
)
def test_first_pass_that_is_killed_many_times_ends_with_one_record_each(
    server: LiveServer, patients: int, kills: int, tmp_path: Path
) -> None:
    laboratory, records = Laboratory(server.base_url), Records(server.base_url)
    laboratory.women(patients)
    mortal, adapter = Command(server, tmp_path, SLOWLY), Command(server, tmp_path)
    moment = random.Random(SEED)
    quickest = PASS_SECONDS
    for number in range(kills):
        # Three of four die while they write, the fourth on its way there.
        if number % 4 == 3:
            mortal.kill_after(moment.uniform(0, quickest))
        else:
            quickest = min(quickest, mortal.kill_while_it_writes(moment))
    written = len(records.derived())
    assert 0 < written < patients, "all of it was one first pass"

    adapter.completes("sync", "--backfill")
    records.assert_sound(patients=patients)
    quiet = server.mark()
    adapter.completes("sync")
    assert server.since(quiet).writes == 0
    laboratory.close()
    records.close()
