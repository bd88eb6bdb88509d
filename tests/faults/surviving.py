"""A laboratory and an adapter on two sides of a bad line; then the line is mended, and judged what stands."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, Final

from adapter.errors import AdapterError
from tests.live.adapter_under_test import AdapterUnderTest
from tests.torture.edits import Edits
from tests.torture.judging import Verdict, judge

ROUNDS: Final = 5
PASSES_AFTERWARDS: Final = 2

_SETTINGS: Final[dict[str, Any]] = {
    "source__timeout_seconds": 5,
    "target__batch_cases": 3,
    "poll__absence_confirm_seconds": 0,
    "brake__withdraw_floor": 1000,
    "brake__change_floor": 1000,
}


class Hasty(Event):
    """The adapter's waits, cut short: what it decides stays the same, and a test need not wait for it."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait a hundredth of a second at most."""
        return super().wait(min(timeout or 0.0, 0.01))


@dataclass(frozen=True)
class Line:
    """The way that is disturbed: where it begins, what disturbs it in a round, and what ends that for good."""

    base_url: str
    disturb: Callable[[random.Random], None]
    heal: Callable[[], None]


@dataclass(frozen=True)
class Survived:
    """How it went: passes that failed while the line was bad, and what stands two passes after it was mended."""

    failed_passes: int
    edits: int
    verdict: Verdict
    writes_afterwards: int


def survive(server_url: str, line: Line, seed: int, folder: Path) -> Survived:
    """Let the laboratory work on the server itself, and the adapter over the line.

    Args:
        server_url: the server, undisturbed.
        line: the way that the adapter has.
        seed: of edits and disturbances.
        folder: for the adapter's state.

    """
    dice, edits = random.Random(seed), Edits(server_url, seed)
    edits.begin()
    adapter = AdapterUnderTest(
        line.base_url, folder / f"state-{seed}.sqlite", stop=Hasty(), **_SETTINGS
    )
    failed = 0
    try:
        for _ in range(ROUNDS):
            edits.several()
            line.disturb(dice)
            try:
                adapter.run(full_sweep=dice.random() < 0.3)
            except AdapterError:
                # As the loop does: the next pass does it all.
                failed += 1
            if dice.random() < 0.2:
                adapter.start()
        line.heal()
        # What was deleted is found by a sweep; an ordinary pass looks a second time.
        adapter.run(full_sweep=True)
        adapter.run()
        verdict = judge(server_url)
        writes = adapter.run(full_sweep=True).writes
    finally:
        adapter.stop()
        edits.close()
    return Survived(failed, edits.made, verdict, writes)
