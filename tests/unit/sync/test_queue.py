"""Who is queued is looked at after that, whatever a pass is doing at that moment.

Protects that nobody who was asked for is forgotten: the pass takes off the queue only whom it was handed out
before it read anything of them. And that a queue comes to rest: nothing is looked at again and again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from adapter.ports import ListedPatients
from adapter.sync.cycle import PassKind, SyncOptions
from adapter.sync.options import DiscoverBy, ReadLimits
from tests.fakes.crash import CrashPoints, Killed
from tests.fakes.site import Site


@dataclass
class Meanwhile(CrashPoints):
    """Something that another process does before one of the steps of a pass."""

    at: int | None
    does: Callable[[], None]
    steps: int = field(default=0, init=False)

    def step(self) -> None:
        self.steps += 1
        if self.steps == self.at:
            self.does()


class AnnaAlone:
    """A list of one patient."""

    def read(self) -> ListedPatients:
        return ListedPatients(("Patient/anna",))


def mid_life(discovery: DiscoverBy) -> Site:
    """One result stands, its source was amended since, and no server can tell so."""
    site = Site(options=SyncOptions(read=ReadLimits(discovery=discovery)))
    site.listed = AnnaAlone() if discovery is DiscoverBy.PATIENTS else None
    site.restart()
    site.laboratory.ihc("anna", "1+")
    site.run(patients=["anna"])
    site.settle()
    overwrite(site, "2+")
    site.store.enqueue(["Patient/anna"], reason="asked")
    site.clock.advance(hours=1)
    return site


def overwrite(site: Site, score: str) -> None:
    """Change the result under the version and the time that it had."""
    [versions] = [
        versions for name, versions in site.server.versions.items() if name.endswith("ihc-anna-a")
    ]
    assert versions[-1] is not None
    versions[-1] = {**versions[-1], "valueCodeableConcept": {"text": score}}


def run_with(site: Site, crash: CrashPoints, **asked: Any) -> Any:
    site.server.crash = site.store.crash = crash
    try:
        return site.run(**asked)
    finally:
        site.server.crash = site.store.crash = CrashPoints()


CASES = [
    pytest.param(DiscoverBy.CHANGES, {}, PassKind.INCREMENTAL, id="changes"),
    pytest.param(DiscoverBy.CHANGES, {"full_sweep": True}, PassKind.SWEEP, id="sweep"),
    pytest.param(DiscoverBy.CHANGES, {"patients": ["anna"]}, PassKind.PATIENTS, id="asked-for"),
    pytest.param(DiscoverBy.REQUESTS, {}, PassKind.INCREMENTAL, id="requests"),
    pytest.param(DiscoverBy.REQUESTS, {"patients": ["anna"]}, PassKind.PATIENTS, id="a-request"),
    pytest.param(DiscoverBy.PATIENTS, {}, PassKind.INCREMENTAL, id="listed"),
    pytest.param(DiscoverBy.PATIENTS, {"full_sweep": True}, PassKind.WALK, id="walk"),
    pytest.param(DiscoverBy.PATIENTS, {"patients": ["anna"]}, PassKind.PATIENTS, id="of-a-list"),
]


@pytest.mark.parametrize(("discovery", "asked", "kind"), CASES)
def test_who_is_queued_at_any_step_of_a_pass_is_looked_at_after_that(
    discovery: DiscoverBy, asked: dict[str, Any], kind: PassKind
) -> None:
    counting = CrashPoints()
    clean = mid_life(discovery)
    assert run_with(clean, counting, **asked).kind is kind
    clean.settle()
    assert clean.categories() == {"anna": "equivocal"}
    assert counting.steps > 5
    for step in range(1, counting.steps + 1):
        site = mid_life(discovery)

        def corrected(site: Site = site) -> None:
            overwrite(site, "3+")
            site.store.enqueue(["Patient/anna"], reason="asked")

        run_with(site, Meanwhile(step, corrected), **asked)
        site.restart()
        site.settle()
        assert site.categories() == {"anna": "positive"}, f"queued before step {step}"
        site.assert_sound()


@pytest.mark.parametrize(("discovery", "asked", "kind"), CASES)
def test_a_pass_killed_at_any_step_leaves_queued_whom_it_did_not_finish(
    discovery: DiscoverBy, asked: dict[str, Any], kind: PassKind
) -> None:
    counting = CrashPoints()
    assert run_with(mid_life(discovery), counting, **asked).kind is kind
    for step in range(1, counting.steps + 1):
        site = mid_life(discovery)
        with pytest.raises(Killed):
            run_with(site, CrashPoints(at=step), **asked)
        site.restart()
        site.settle()
        assert site.categories() == {"anna": "equivocal"}, f"killed at step {step}"
        site.assert_sound()


def test_who_was_not_queued_when_a_pass_over_them_began_is_not_taken_off() -> None:
    site = mid_life(DiscoverBy.REQUESTS)
    site.settle()
    overwrite(site, "3+")
    woken: list[int] = []

    def asked_again() -> None:
        if not woken:
            overwrite(site, "0")
            woken.append(site.store.enqueue(["Patient/anna"], reason="asked"))

    site.server.before_transaction = asked_again
    report = site.run(patients=["anna"])
    assert (woken, report.queue_left) == ([1], 1)
    site.settle()
    assert site.categories() == {"anna": "negative"}


def test_a_pass_that_finishes_whom_it_was_asked_for_leaves_nobody_queued() -> None:
    site = mid_life(DiscoverBy.REQUESTS)
    assert site.run(patients=["anna"]).queue_left == 0
