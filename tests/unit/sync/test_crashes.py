"""Killed at any step, run again: the server ends as if nothing had happened.

Protects P8: every call to the server and every change of the store is a point at which the process dies.
A kill is a BaseException, so no handler can hide it; what is judged stands on the server.
"""

from __future__ import annotations

import pytest

from adapter.sync.cycle import SyncOptions
from adapter.sync.options import SendLimits
from tests.fakes.crash import CrashPoints, Killed
from tests.fakes.site import Site


def site_in_mid_life() -> Site:
    """Some results stand; since then one was amended, one taken back, one completed, two are new."""
    site = Site()
    for patient, score in (("anna", "1+"), ("berta", "3+"), ("clara", "2+")):
        site.laboratory.ihc(patient, score)
    site.settle()
    site.laboratory.amend("Observation/ihc-anna-a", "2+")
    site.laboratory.take_back("Observation/ihc-berta-a")
    site.laboratory.fish("clara", "Amplified")
    site.laboratory.ihc("dora", "0")
    site.laboratory.ihc("emma", "1+")
    return site


def states(site: Site) -> dict[str, tuple[object, ...]]:
    """What stands, without what depends on when it was written."""
    return {
        one["id"]: (
            one["status"],
            one["valueCodeableConcept"]["coding"][0]["code"],
            str(one.get("derivedFrom")),
            len(site.server.history(f"Observation/{one['id']}")),
        )
        for one in site.derived()
    }


def test_a_process_killed_at_any_step_of_a_pass_is_healed_by_the_next_one() -> None:
    clean = site_in_mid_life()
    counting = CrashPoints()
    clean.run_with(counting)
    clean.settle()
    expected = states(clean)
    assert counting.steps > 25
    for step in range(1, counting.steps + 1):
        site = site_in_mid_life()
        site.die_at(step)
        site.settle()
        assert states(site) == expected, f"killed at step {step}"
        site.assert_sound()


def test_a_first_pass_killed_at_any_step_is_healed_by_the_next_one() -> None:
    def fresh() -> Site:
        site = Site(options=SyncOptions(send=SendLimits(batch_cases=4)))
        for number in range(10):
            site.laboratory.ihc(f"p{number}", "1+")
        return site

    clean, counting = fresh(), CrashPoints()
    clean.run_with(counting)
    expected = states(clean)
    for step in range(1, counting.steps + 1):
        site = fresh()
        site.die_at(step)
        site.settle()
        assert states(site) == expected, f"killed at step {step}"
        site.assert_sound()


def test_a_state_that_is_lost_is_rebuilt_without_a_write() -> None:
    site = site_in_mid_life()
    site.settle()
    before = site.server.writes
    site.store.__init__()  # type: ignore[misc]  # the database file is gone
    site.restart()
    site.settle()
    assert site.server.writes == before


def test_a_write_of_a_killed_process_that_lands_late_changes_nothing() -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    with pytest.raises(Killed):
        # The bundle is frozen and on its way when the process dies.
        site.run_with(CrashPoints(at=_step_of_the_first_result(site)))
    (frozen,) = site.store.outbox()
    site.restart()
    site.settle()
    site.server.transact(frozen.body)
    site.settle()
    assert len(site.derived()) == 1
    site.assert_sound()


def _step_of_the_first_result(site: Site) -> int:
    """The step right before the first result is carried out."""
    twin, counting = Site(), CrashPoints()
    twin.laboratory.ihc("anna", "1+")
    found: list[int] = []
    twin.server.before_transaction = lambda: found.append(counting.steps + 1)
    twin.run_with(counting)
    return found[0]
