"""A brake is let go by a named person who was shown what it holds back, and no further than that (A6, H16)."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.sync.cycle import PassOutcome, SyncOptions
from adapter.sync.options import BrakeLimits
from adapter.sync.planning.brakes import BrakeState, Load, judge
from adapter.sync.releasing import BRAKE, SHOWN, engaged, shown_marks
from tests.fakes.site import Site

BY = "Dr. A. Sample"


def braked_site(*, gone: int = 4, patients: int = 12) -> Site:
    """More sources are gone than may be withdrawn without being asked."""
    site = Site(options=SyncOptions(brakes=BrakeLimits()))
    for number in range(patients):
        site.laboratory.ihc(f"p{number:03}", "1+")
    site.settle()
    vanish(site, range(gone))
    assert site.run().outcome is PassOutcome.BRAKED
    return site


def vanish(site: Site, numbers: Any) -> None:
    for number in numbers:
        site.server.delete(f"Observation/ihc-p{number:03}-a")
    site.run(full_sweep=True)
    site.clock.advance(600)


def trail(site: Site) -> list[tuple[str, str, str]]:
    """What the trail tells of the brake: action, outcome, who."""
    return [
        (one.action.value, one.outcome, one.actor)
        for one in site.store.trail
        if one.action.value.startswith("brake")
    ]


def test_a_release_goes_as_far_as_was_shown_and_is_recorded_with_its_name() -> None:
    site = braked_site()
    shown = site.cycle.show_brake()
    assert (shown.outcome, len(shown.brake.load.held)) == (PassOutcome.OBSERVED, 4)
    assert len(site.categories()) == 12
    report = site.run(released_by=BY)
    assert (report.outcome, report.actions["retract"]) == (PassOutcome.DONE, 4)
    assert len(site.categories()) == 8
    assert trail(site) == [
        ("brake-engaged", "done", "adapter"),
        ("brake-shown", "done", "adapter"),
        ("brake-released", "granted", BY),
    ]
    assert (engaged(site.store), site.store.setting(SHOWN)) == (None, None)
    site.assert_sound()


def test_nothing_is_released_that_was_not_shown() -> None:
    site = braked_site()
    assert site.run(released_by=BY).outcome is PassOutcome.BRAKED
    assert len(site.categories()) == 12


def test_as_many_others_than_were_shown_are_not_released() -> None:
    """The same number is not the same preview: the four that were shown came back, four others are gone."""
    site = braked_site()
    first = [site.server.history(f"Observation/ihc-p{number:03}-a")[0] for number in range(4)]
    site.cycle.show_brake()
    vanish(site, range(4, 8))
    for source in first:
        site.server.put(source)
    report = site.run(released_by=BY)
    assert report.outcome is PassOutcome.BRAKED
    assert "4 of these were not in the preview" in report.brake.reasons[-1]
    assert len(site.categories()) == 12
    assert trail(site)[-1] == ("brake-released", "goes-further-than-shown", BY)


def test_what_came_on_top_of_the_preview_holds_the_whole_back() -> None:
    site = braked_site()
    site.cycle.show_brake()
    vanish(site, range(4, 6))
    assert site.run(released_by=BY).outcome is PassOutcome.BRAKED
    site.cycle.show_brake()
    assert site.run(released_by=BY).actions["retract"] == 6


def test_less_than_was_shown_is_released() -> None:
    site = braked_site(gone=6)
    site.cycle.show_brake()
    site.server.put(site.server.history("Observation/ihc-p000-a")[0])
    assert site.run(released_by=BY).outcome is PassOutcome.DONE
    assert len(site.categories()) == 7


def test_a_category_that_would_change_otherwise_than_shown_is_held_back() -> None:
    site = Site()
    for number in range(30):
        site.laboratory.ihc(f"p{number:03}", "1+")
    site.settle()
    for number in range(21):
        site.laboratory.amend(f"Observation/ihc-p{number:03}-a", "3+")
    site.run()
    site.cycle.show_brake()
    site.laboratory.amend("Observation/ihc-p000-a", "0")
    assert site.run(released_by=BY).outcome is PassOutcome.BRAKED
    site.laboratory.amend("Observation/ihc-p000-a", "3+")
    assert site.run(released_by=BY).outcome is PassOutcome.DONE


def test_a_brake_tells_since_when_and_how_much_it_holds_back() -> None:
    site = braked_site()
    first = engaged(site.store)
    assert first is not None
    assert (first.withdrawals, first.changes) == (4, 0)
    site.run()
    again = engaged(site.store)
    assert again is not None
    assert again.since == first.since is not None
    assert trail(site) == [("brake-engaged", "done", "adapter")]


def test_a_brake_that_is_needed_no_more_ends_and_that_is_recorded() -> None:
    site = braked_site()
    for number in range(4):
        site.server.put(site.server.history(f"Observation/ihc-p{number:03}-a")[0])
    site.settle()
    assert engaged(site.store) is None
    assert trail(site)[-1][0] == "brake-ended"


def test_a_pass_over_one_patient_does_not_end_the_brake_of_the_others() -> None:
    site = braked_site()
    site.run(patients=["Patient/p011"])
    assert engaged(site.store) is not None


def test_a_brake_is_not_got_round_one_patient_after_the_other() -> None:
    site = Site()
    for number in range(24):
        site.laboratory.ihc(f"p{number:03}", "1+")
    site.settle()
    for number in range(21):
        site.laboratory.amend(f"Observation/ihc-p{number:03}-a", "3+")
    assert site.run().outcome is PassOutcome.BRAKED
    for number in range(21):
        report = site.run(patients=[f"Patient/p{number:03}"])
        assert (report.outcome, report.writes) == (PassOutcome.BRAKED, 0)
        assert "a brake is engaged" in report.warnings[-1]
    assert set(site.categories().values()) == {"low"}
    still = engaged(site.store)
    assert still is not None
    assert still.changes == 21
    site.cycle.show_brake()
    assert site.run(released_by=BY).outcome is PassOutcome.DONE
    assert site.run(patients=["Patient/p000"]).outcome is PassOutcome.DONE
    assert list(site.categories().values()).count("positive") == 21


def test_what_a_brake_does_not_hold_back_is_done_for_who_is_asked_for() -> None:
    site = braked_site()
    site.laboratory.ihc("nora", "3+")
    site.laboratory.take_back("Observation/ihc-p011-a")
    report = site.run(patients=["Patient/nora", "Patient/p011"])
    assert (report.outcome, report.actions) == (PassOutcome.DONE, {"create": 1, "retract": 1})
    assert engaged(site.store) is not None


def test_a_preview_of_nothing_lets_nothing_go() -> None:
    site = braked_site()
    for number in range(4):
        site.server.put(site.server.history(f"Observation/ihc-p{number:03}-a")[0])
    site.cycle.show_brake()
    assert shown_marks(site.store) == frozenset()
    vanish(site, range(4))
    assert site.run(released_by=BY).outcome is PassOutcome.BRAKED


@pytest.mark.parametrize(
    "said", ['{"withdrawals": 4, "changes": 0}', "{}", "no JSON", "[]", '{"since": 7}']
)
def test_a_brake_of_an_earlier_release_stays_engaged(said: str) -> None:
    site = braked_site()
    site.store.set_setting(BRAKE, said)
    found = engaged(site.store)
    assert found is not None
    assert found.since is None
    assert site.run().outcome is PassOutcome.BRAKED
    again = engaged(site.store)
    assert again is not None
    assert again.since is not None


def test_marks_tell_apart_what_would_be_done() -> None:
    marks = frozenset(f"m{number}" for number in range(9))
    load = Load(gone=marks, existing=9, held={one[1:]: one for one in marks})
    limits = BrakeLimits()
    all_shown = frozenset(load.held.values())
    assert judge(load, limits, shown=all_shown) == BrakeState(False, (), load)
    assert judge(load, limits, shown=all_shown - {"m3"}).engaged
    assert judge(load, limits).engaged
