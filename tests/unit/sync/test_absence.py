"""Absence is not deletion, and a narrowed scope must not take a hospital's results away.

Protects withdrawal: two reads far enough apart, the brake, and what a person may release.
"""

from __future__ import annotations

from typing import Any

import pytest

from adapter.sync.cycle import PassOutcome, SyncOptions
from adapter.sync.options import BrakeLimits
from adapter.sync.releasing import WITHDRAWN_LATELY, engaged
from tests.fakes.crash import CrashPoints
from tests.fakes.site import Site


def settled_site(patients: int, **limits: Any) -> Site:
    site = Site(options=SyncOptions(brakes=BrakeLimits(**limits)))
    for number in range(patients):
        site.laboratory.ihc(f"p{number:03}", "1+")
    site.settle()
    return site


def delete(site: Site, patients: int) -> None:
    for number in range(patients):
        site.server.delete(f"Observation/ihc-p{number:03}-a")


def test_a_source_hidden_from_search_is_read_by_id_and_nothing_changes() -> None:
    site = settled_site(2)
    site.server.hidden = {"Observation/ihc-p000-a"}
    report = site.run(full_sweep=True)
    assert (report.writes, report.actions) == (0, {"skip": 2})


def test_a_deleted_source_is_waited_for_before_its_result_is_withdrawn() -> None:
    site = settled_site(2)
    delete(site, 1)
    report = site.run(full_sweep=True)
    assert (report.writes, report.signals["absence-unconfirmed"]) == (0, 1)
    assert site.store.queue_length() == 1
    site.clock.advance(300)
    assert site.run().writes == 0
    site.clock.advance(600)
    assert site.run().actions == {"retract": 1}
    assert site.categories() == {"p001": "low"}
    site.assert_sound()
    assert site.settle().writes == 0


def test_a_source_that_comes_back_meanwhile_starts_the_wait_anew() -> None:
    site = settled_site(1)
    source = site.server.get("Observation/ihc-p000-a")
    assert source is not None
    delete(site, 1)
    site.run(full_sweep=True)
    site.server.put(source)
    site.clock.advance(900)
    site.settle()
    delete(site, 1)
    assert site.run(full_sweep=True).writes == 0
    assert site.categories() == {"p000": "low"}


def test_other_samples_of_the_patient_go_on_while_one_waits() -> None:
    site = settled_site(1)
    delete(site, 1)
    site.laboratory.ihc("p000", "3+", sample="b")
    report = site.run(full_sweep=True)
    assert report.actions == {"create": 1, "wait": 1}


def test_a_deleted_ihc_beside_a_fish_is_waited_for_too() -> None:
    site = Site()
    ihc = site.laboratory.ihc("anna", "2+")
    site.laboratory.fish("anna", "Not amplified")
    site.settle()
    site.server.delete(ihc)
    assert site.run(full_sweep=True).writes == 0
    assert site.categories() == {"anna": "low"}
    site.clock.advance(600)
    site.settle()
    assert site.categories() == {"anna": "negative-unspecified"}
    site.assert_sound()


def test_too_many_withdrawals_for_absence_engage_the_brake_and_nothing_is_written() -> None:
    site = settled_site(10)
    delete(site, 4)
    site.laboratory.ihc("new", "1+")
    site.run(full_sweep=True)
    site.clock.advance(600)
    before = site.server.writes
    report = site.run()
    assert report.outcome is PassOutcome.BRAKED
    assert report.needs_operator
    assert (site.server.writes, report.actions["retract"]) == (before, 4)
    assert engaged(site.store) is not None
    assert "4 of 11" in report.brake.reasons[0]


def test_as_many_withdrawals_as_the_floor_allows_go_through() -> None:
    site = settled_site(10)
    delete(site, 3)
    site.run(full_sweep=True)
    site.clock.advance(600)
    assert site.run().actions == {"retract": 3}


def test_an_engaged_brake_stays_engaged_until_released_and_heals_by_itself() -> None:
    site = settled_site(10)
    sources = [site.server.get(f"Observation/ihc-p{number:03}-a") for number in range(4)]
    delete(site, 4)
    site.run(full_sweep=True)
    site.clock.advance(600)
    assert [site.run().outcome for _ in range(3)] == [PassOutcome.BRAKED] * 3
    for source in sources:
        assert source is not None
        site.server.put(source)
    assert site.settle().outcome is PassOutcome.DONE
    assert engaged(site.store) is None
    assert len(site.categories()) == 10


def test_results_that_the_laboratory_takes_back_never_engage_the_brake() -> None:
    site = settled_site(10)
    for number in range(10):
        site.laboratory.take_back(f"Observation/ihc-p{number:03}-a")
    report = site.run()
    assert (report.outcome, report.actions) == (PassOutcome.DONE, {"retract": 10})


def test_too_many_changed_categories_engage_the_brake() -> None:
    site = settled_site(30)
    for number in range(21):
        site.laboratory.amend(f"Observation/ihc-p{number:03}-a", "3+")
    report = site.run()
    assert report.outcome is PassOutcome.BRAKED
    assert set(site.categories().values()) == {"low"}
    site.cycle.show_brake()
    released = site.run(released_by="Dr. A. Sample")
    assert (released.outcome, released.actions["update"]) == (PassOutcome.DONE, 21)


@pytest.mark.parametrize(("existing", "stops"), [(30, True), (500, False)], ids=["30", "500"])
def test_the_limit_of_changes_grows_with_what_stands(existing: int, stops: bool) -> None:
    site = settled_site(30, first_pass=10_000)
    site.store.set_setting("derived-count", str(existing))
    for number in range(21):
        site.laboratory.amend(f"Observation/ihc-p{number:03}-a", "3+")
    assert site.run().brake.engaged is stops


def test_results_that_cannot_be_read_any_more_by_a_new_mapping_engage_the_brake() -> None:
    site = settled_site(30)
    for number in range(21):
        site.laboratory.amend(f"Observation/ihc-p{number:03}-a", "gibberish")
    assert site.run().outcome is PassOutcome.BRAKED


def woken_one_by_one(site: Site, patients: int) -> list[PassOutcome]:
    """Hide sources from searches and reads, then touch their patients one after the other, ten minutes apart."""
    outcomes = []
    for number in range(patients):
        site.server.delete(f"Observation/ihc-p{number:03}-a")
        site.server.change(f"Patient/p{number:03}", active=True)
        site.run()
        site.clock.advance(600)
        outcomes.append(site.run().outcome)
    return outcomes


def test_withdrawals_drop_by_drop_are_held_to_the_same_limit_as_all_at_once() -> None:
    site = settled_site(30)
    outcomes = woken_one_by_one(site, 5)
    assert outcomes == [PassOutcome.DONE] * 3 + [PassOutcome.BRAKED] * 2
    assert len(site.categories()) == 27
    report = site.run()
    assert report.outcome is PassOutcome.BRAKED
    assert "2 of 27" in report.brake.reasons[0]
    assert "beside 3 that were so lately" in report.brake.reasons[0]


def test_what_was_withdrawn_a_day_ago_counts_no_more() -> None:
    site = settled_site(30)
    assert set(woken_one_by_one(site, 4)[:3]) == {PassOutcome.DONE}
    site.clock.advance(24 * 3600)
    assert site.settle().outcome is PassOutcome.DONE
    assert len(site.categories()) == 26


def test_a_release_ends_the_account_of_what_was_withdrawn_lately() -> None:
    site = settled_site(30)
    assert woken_one_by_one(site, 4)[-1] is PassOutcome.BRAKED
    site.cycle.show_brake()
    assert site.run(released_by="Dr. A. Sample").outcome is PassOutcome.DONE
    for number in range(4, 7):
        site.server.delete(f"Observation/ihc-p{number:03}-a")
    site.run(full_sweep=True)
    site.clock.advance(600)
    assert site.run().actions["retract"] == 3
    assert len(site.categories()) == 23


def about_to_withdraw_three() -> Site:
    site = settled_site(30)
    delete(site, 3)
    site.run(full_sweep=True)
    site.clock.advance(600)
    return site


def test_wherever_a_pass_dies_its_withdrawals_count_once_and_never_not_at_all() -> None:
    counting = CrashPoints()
    about_to_withdraw_three().run_with(counting)
    assert counting.steps > 10
    for step in range(1, counting.steps + 1):
        site = about_to_withdraw_three()
        site.die_at(step)
        assert site.settle().outcome is PassOutcome.DONE, step
        assert len(site.categories()) == 27, step
        site.server.delete("Observation/ihc-p003-a")
        site.run(full_sweep=True)
        site.clock.advance(600)
        assert site.run().outcome is PassOutcome.BRAKED, step


def test_an_absence_that_is_only_looked_at_is_not_counted_as_withdrawn() -> None:
    site = settled_site(30)
    delete(site, 3)
    site.run(full_sweep=True)
    site.clock.advance(600)
    for _ in range(3):
        site.run(dry_run=True)
    assert site.store.setting(WITHDRAWN_LATELY) is None
    assert site.run().actions["retract"] == 3
