"""Protects what a marked repeat replaces: what came before it, and nothing by what states no result."""

from __future__ import annotations

import pytest

from adapter.her2.cases import group
from adapter.her2.classify import classify
from adapter.her2.model import (
    Classification,
    Evidence,
    IhcResult,
    IshResult,
    RepeatMarker,
    SampleLinks,
)
from tests.unit.her2.builders import G, case, evidence, ihc, ish, number

REPEAT = RepeatMarker.REPEAT
JANUARY, FEBRUARY = "2024-01-10T10:00:00Z", "2024-02-10T10:00:00Z"


def answer(*results: Evidence | IhcResult | IshResult) -> Classification:
    return classify(case(*results))


@pytest.mark.parametrize("names_it", [False, True], ids=["by a word", "by reference"])
def test_a_marker_on_the_earlier_of_two_results_replaces_nothing(names_it: bool) -> None:
    named = ("Observation/2",) if names_it else ()
    got = answer(
        evidence(ihc("1+"), "1", issued=JANUARY, marker=REPEAT, repeat_of=named),
        evidence(ihc("3+"), "2", issued=FEBRUARY),
    )

    assert got.category == "needs-review"
    assert [reason.code for reason in got.reasons] == ["ihc-results-differ"]


def test_a_marker_on_the_later_of_two_results_replaces_the_earlier() -> None:
    got = answer(
        evidence(ihc("1+"), "1", issued=JANUARY),
        evidence(ihc("3+"), "2", issued=FEBRUARY, marker=REPEAT),
    )

    assert (got.category, got.review) == ("positive", True)


def test_a_later_result_without_a_marker_is_not_replaced_by_an_earlier_repeat() -> None:
    got = answer(
        evidence(ihc("2+"), "1", issued="2024-01-01"),
        evidence(ihc("1+"), "2", issued=JANUARY, marker=REPEAT),
        evidence(ihc("3+"), "3", issued=FEBRUARY),
    )

    assert got.category == "needs-review"


def test_two_results_that_say_they_replace_each_other_need_review() -> None:
    got = answer(
        evidence(ihc("1+"), "1", marker=REPEAT, repeat_of=("Observation/2",)),
        evidence(ihc("3+"), "2", marker=REPEAT, repeat_of=("Observation/1",)),
    )

    assert got.category == "needs-review"


def test_a_chain_of_repeats_leaves_the_last() -> None:
    got = answer(
        evidence(ihc("1+"), "1"),
        evidence(ihc("2+"), "2", marker=REPEAT, repeat_of=("Observation/1",)),
        evidence(ihc("3+"), "3", marker=REPEAT, repeat_of=("Observation/2",)),
    )

    assert (got.category, got.used) == ("positive", ("Observation/3",))


def test_a_percentage_marked_as_a_repeat_replaces_no_score() -> None:
    marked = evidence(IhcResult(percent=number("45")), "3", marker=REPEAT)

    got = answer(ihc("2+"), ish("negative"), marked)

    assert got.category == "low"


def test_cep17_copies_marked_as_a_repeat_replace_no_ish() -> None:
    marked = evidence(ish(cep17="2.1"), "3", marker=REPEAT)

    assert answer(ihc("2+"), ish("positive"), marked).category == "positive"


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_result_that_is_replaced_on_another_specimen_stands_with_review(side: str) -> None:
    first = evidence(ihc("1+"), "1", specimen="S1", links=SampleLinks(side="left"))
    named = {"marker": REPEAT, "repeat_of": ("Observation/1",)}
    second = evidence(ihc("3+"), "2", specimen="S2", links=SampleLinks(side=side), **named)

    answers = [classify(one) for one in group([first, second])]

    assert [(got.category, got.review) for got in answers] == [("low", True), ("positive", True)]
    assert all(got.reasons[-1].code == "repeated-on-another-sample" for got in answers)


@pytest.mark.parametrize(
    ("first", "recount", "category"),
    [
        (JANUARY, FEBRUARY, "low"),
        (None, FEBRUARY, "low"),
        (JANUARY, JANUARY, "low"),
        (FEBRUARY, JANUARY, "pending-second-review"),
    ],
)
def test_a_recount_dated_before_the_first_count_confirms_nothing(
    first: str | None, recount: str, category: str
) -> None:
    counts = (
        evidence(G[4], "2", issued=first),
        evidence(G[4], "3", issued=recount, marker=RepeatMarker.RECOUNT),
    )

    assert answer(ihc("2+"), *counts).category == category


def test_a_recount_dated_before_another_first_count_differs_from_it() -> None:
    recount = evidence(G[1], "3", issued=JANUARY, marker=RepeatMarker.RECOUNT)

    got = answer(ihc("2+"), evidence(G[5], "2", issued=FEBRUARY), recount)

    assert [reason.code for reason in got.reasons] == ["ish-results-differ"]
