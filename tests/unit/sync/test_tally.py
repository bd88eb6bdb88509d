"""The numbers of a pass must add up, and where they do not the pass says so."""

from __future__ import annotations

from adapter.sync.tally import Tally


def test_a_result_that_has_no_outcome_is_told_and_counted() -> None:
    tally = Tally()

    tally.add_candidates(5, {"used": 2, "ignored": 1, "not-her2": 1}, ())

    assert tally.signals["unaccounted"] == 1
    assert tally.warnings == ["accounting does not add up: 1 results have no outcome"]


def test_a_result_that_is_counted_twice_is_told_too() -> None:
    tally = Tally()

    tally.add_candidates(1, {"used": 1, "unreadable": 1}, ())

    assert tally.signals["unaccounted"] == 1


def test_numbers_that_add_up_say_nothing() -> None:
    tally = Tally()

    tally.add_candidates(3, {"used": 1, "no-result": 1, "not-applicable": 1}, ())

    assert (tally.signals["unaccounted"], tally.warnings) == (0, [])
