"""One run: an empty server, a laboratory at work, adapters that die, and at the end the judgement."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from tests.live.adapter_under_test import AdapterUnderTest
from tests.torture.edits import Edits
from tests.torture.judging import Verdict, is_intact, judge
from tests.torture.mortal import Death, Life, command, live
from tests.torture.processes import HungError, Process
from tests.torture.schedule import Schedule

LONGEST_LIFE_SECONDS: Final = 0.7
PASSES_TO_REACH_A_POINT: Final = 3
STOP_AFTER_KILLS: Final = 5
MOST_STOP_SECONDS: Final = 10.0
ABSENCE_SECONDS: Final = 0.2

_SETTINGS: Final[dict[str, Any]] = {
    "target.batch_cases": 3,
    "poll.absence_confirm_seconds": ABSENCE_SECONDS,
    # Half of what stands may change between two lives; the brakes have tests of their own.
    "brake.withdraw_floor": 1000,
    "brake.change_floor": 1000,
    "poll.interval_seconds": 0.05,
    "log.format": "json",
}


_SWEEP_HOURS: Final = (24.0, 0.0003)
"""A life sweeps once at most, or in nearly every pass."""
_EVERY_CASE: Final = '"Provenance"'
"""Stands in each transaction that holds a case."""
_SOME_CASES: Final = r'"Patient/[^"]*[02468]"'
"""Stands in about every second case."""
_REFUSED_BY_MISSES: Final = ("", _SOME_CASES, _EVERY_CASE, _SOME_CASES)
"""What a server refuses of a life after so many that did not come to its point; then from the first again."""


class Mode(StrEnum):
    """How many adapters there are, and what they share."""

    ALONE = "one adapter"
    TWO_STATES = "two adapters, each with a state of its own"
    ONE_STATE = "two adapters on one state; one takes over from the other"


@dataclass
class Tally:
    """What happened in a run, and how it ended."""

    seed: int
    mode: Mode
    at_points: int = 0
    at_instants: int = 0
    stops: int = 0
    slowest_stop_seconds: float = 0.0
    edits: int = 0
    damaged: int = 0
    failures: list[str] = field(default_factory=list)
    verdict: Verdict | None = None

    @property
    def kills(self) -> int:
        """How many processes were killed."""
        return self.at_points + self.at_instants

    @property
    def held(self) -> bool:
        """Whether everything is as it must be."""
        verdict = self.verdict
        is_right = verdict is not None and not verdict.wrong and not verdict.unpaired
        return is_right and not self.failures and not self.damaged


class Run:
    """The kills of one run, in a folder that holds the states and the adapters' log."""

    def __init__(self, base_url: str, folder: Path, mode: Mode, seed: int) -> None:
        self.base_url = base_url
        self.folder = folder
        self.tally = Tally(seed, mode)
        self.dice = random.Random(seed)
        self.edits = Edits(base_url, seed)
        self.log = folder / "adapter.log"
        self._standby: Process | None = None

    def kill(self, times: int, schedule: Schedule, told: Callable[[], None]) -> Tally:
        """Kill that many processes, let one adapter finish the work, and judge what stands.

        Args:
            times: how many kills.
            schedule: which points are still to be reached.
            told: called after each kill.

        """
        self.edits.begin()
        try:
            while self.tally.kills < times:
                self._one_life(schedule)
                told()
                if self.tally.kills % STOP_AFTER_KILLS == 0:
                    self._one_stop()
            self._end_standby()
            self._settle()
            self.tally.verdict = judge(self.base_url)
        except (HungError, AssertionError) as error:
            self.tally.failures.append(str(error))
        finally:
            if self._standby is not None:
                self._standby.kill()
            self.edits.close()
        self._note_defects()
        self.tally.edits = self.edits.made
        return self.tally

    def _one_life(self, schedule: Schedule) -> None:
        self.edits.several()
        if self.tally.mode is not Mode.ALONE and self._standby is None:
            self._standby = self._start(self._standby_state)
            self._standby.wait_until_ready()
        # Most die at a point, as long as there are new ones; later every second. One that shares a
        # state may wait for its turn for ever.
        share = 0.9 if schedule.has_new else 0.5
        may_reach = self.tally.mode is not Mode.ONE_STATE and self.dice.random() < share
        point = schedule.next() if may_reach else None
        if point is None:
            self._killed_at_an_instant()
        elif self._killed_at(
            Death(point, schedule.time_for(point, self.dice)),
            refused=self._refused(schedule.misses(point)),
            # Some points are come to by sweeps alone: after a miss they are not left to chance.
            sweeps=schedule.misses(point) % 2 == 1,
        ):
            schedule.reached(point)
        else:
            schedule.missed(point)

    def _refused(self, misses: int) -> str:
        """Choose what the server refuses: some points are come to only where it takes no case, or not every one."""
        if self.dice.random() < 0.1:
            return self.dice.choice((_SOME_CASES, _EVERY_CASE))
        return _REFUSED_BY_MISSES[misses % len(_REFUSED_BY_MISSES)]

    def _killed_at(self, death: Death, *, refused: str, sweeps: bool) -> bool:
        """Let a process die at a point; False if it never came there."""
        process = self._start(
            death=death, passes=PASSES_TO_REACH_A_POINT, refused=refused, sweeps=sweeps
        )
        process.wait_until_ready()
        self.edits.one()
        code = process.wait()
        self._check_states()
        if code == -signal.SIGKILL:
            self.tally.at_points += 1
            return True
        if code != 0:
            self._fail(f"a life that never came to {death.point} ended with {code}")
        return False

    def _killed_at_an_instant(self) -> None:
        """Kill a process, or the one that stands by, while the laboratory goes on."""
        process = self._start()
        process.wait_until_ready()
        until = time.monotonic() + self.dice.uniform(0, LONGEST_LIFE_SECONDS)
        while (left := until - time.monotonic()) > 0:
            self.edits.one()
            time.sleep(min(0.1, left))
        if self._standby is not None and self.dice.random() < 0.5:
            process, self._standby = self._standby, process
        if (code := process.kill()) != -signal.SIGKILL:
            self._fail(f"a process ended by itself with {code}")
        self.tally.at_instants += 1
        self._check_states()
        if self.tally.mode is Mode.TWO_STATES:
            # The one that is left goes on for a while; the next life begins with both states free.
            time.sleep(self.dice.uniform(0, LONGEST_LIFE_SECONDS))
            self._end_standby()

    def _one_stop(self) -> None:
        """Stop the command itself by SIGTERM (exit 0) or SIGINT (130), while it works."""
        by, expected = self.dice.choice([(signal.SIGTERM, 0), (signal.SIGINT, 130)])
        self.edits.one()
        seen = self._started()
        process = Process(Life(self._settings(0), self.log), command)
        while self._started() == seen and process.is_alive:
            time.sleep(0.02)
        time.sleep(self.dice.uniform(0, LONGEST_LIFE_SECONDS))
        self._ends_well(process, by, expected)
        self.tally.stops += 1

    def _end_standby(self) -> None:
        if self._standby is not None:
            process, self._standby = self._standby, None
            self._ends_well(process, signal.SIGTERM, 0)

    def _ends_well(self, process: Process, by: signal.Signals, expected: int) -> None:
        code, seconds = process.stop(by)
        self.tally.slowest_stop_seconds = max(self.tally.slowest_stop_seconds, seconds)
        if code != expected:
            self._fail(f"{by.name} ended an adapter with {code}, not {expected}")
        if seconds > MOST_STOP_SECONDS:
            self._fail(f"{by.name} took {seconds:.1f} s")
        self._check_states()

    def _settle(self) -> None:
        """Let each adapter come to rest, with a sweep in between, as an operator would after a bad day."""
        for state in self._states():
            adapter = AdapterUnderTest(self.base_url, state, **self._named_settings())
            try:
                adapter.settle()
                time.sleep(2 * ABSENCE_SECONDS)
                store = adapter.adapter.parts.store
                parked = store.parked()
                store.unpark(one.key for one in parked)
                store.enqueue((one.patient for one in parked), reason="retry")
                adapter.run(full_sweep=True)
                adapter.settle()
                if problem := store.check_trail().problem:
                    self._fail(f"the audit trail is broken: {problem}")
                if writes := adapter.run(full_sweep=True).writes:
                    self._fail(f"a pass over what is settled wrote {writes} times")
            finally:
                adapter.stop()

    def _note_defects(self) -> None:
        """Find what the loop outlived but should not have met: a bug of the adapter."""
        log = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        if "Traceback" in log:
            self._fail(f"an adapter logged a traceback: {self.log}")

    def _start(self, state: int = 0, *, sweeps: bool = False, **told: Any) -> Process:
        hours = self.dice.choice(_SWEEP_HOURS)
        settings = {
            **self._settings(state),
            "poll.sweep_hours": min(_SWEEP_HOURS) if sweeps else hours,
        }
        return Process(Life(settings, self.log, **told), live)

    def _started(self) -> int:
        return self.log.read_text(encoding="utf-8").count("run_started") if self.log.exists() else 0

    def _settings(self, state: int) -> dict[str, Any]:
        where = {
            "source.url": self.base_url,
            "store.url": f"sqlite:///{self.folder}/state-{state}.sqlite",
        }
        return {**_SETTINGS, **where}

    def _named_settings(self) -> dict[str, Any]:
        return {name.replace(".", "__"): value for name, value in _SETTINGS.items()}

    @property
    def _standby_state(self) -> int:
        return 1 if self.tally.mode is Mode.TWO_STATES else 0

    def _states(self) -> list[Path]:
        return sorted(self.folder.glob("state-*.sqlite"))

    def _check_states(self) -> None:
        in_use = self._standby is not None
        damaged = [one for one in self._states() if not is_intact(one, in_use=in_use)]
        self.tally.damaged += len(damaged)

    def _fail(self, sentence: str) -> None:
        self.tally.failures.append(sentence)
