"""Protects notes on the other test and report conclusions: they contradict a category and never give one."""

from __future__ import annotations

import pytest

from adapter.her2.classify import classify
from adapter.her2.model import Classification, Evidence, IhcResult, IshResult, ResultWord
from tests.unit.her2.builders import G, case, evidence, ihc, ish, overall


def answer(*results: Evidence | IhcResult | IshResult) -> Classification:
    return classify(case(*results))


AMPLIFIED, NOT_AMPLIFIED = (ish("positive"),), (ish("negative"),)


@pytest.mark.parametrize("noted", [AMPLIFIED, (G[1],)], ids=["word", "numbers"])
@pytest.mark.parametrize("score", ["0", "1+"])
def test_a_note_of_amplification_beside_a_negative_ihc_needs_review(score: str, noted) -> None:
    got = answer(evidence(ihc(score), "1", noted_ish=noted))

    assert got.category == "needs-review"
    assert "note-against-results" in [reason.code for reason in got.reasons]


def test_a_note_of_amplification_under_2_plus_contradicts_the_ish_that_is_there() -> None:
    got = answer(evidence(ihc("2+"), "1", noted_ish=AMPLIFIED), ish("negative"))

    assert got.category == "needs-review"
    assert "ISH positive" in got.reasons[0].sentence
    assert "low" in got.reasons[0].sentence


def test_a_note_of_no_amplification_contradicts_a_positive_ish() -> None:
    got = answer(evidence(ihc("2+"), "1", noted_ish=NOT_AMPLIFIED), ish("positive"))

    assert got.category == "needs-review"


def test_a_note_that_repeats_what_the_other_result_says_changes_nothing() -> None:
    got = answer(
        evidence(ihc("1+"), "1", noted_ish=AMPLIFIED),
        evidence(ish("positive"), "2", noted_ihc=(ihc("1+"),)),
    )

    assert (got.category, got.review) == ("positive", True)


def test_a_note_gives_no_category_and_closes_no_open_one() -> None:
    assert answer(evidence(ihc("2+"), "1", noted_ish=AMPLIFIED)).category == "equivocal"
    got = answer(evidence(ihc("3+"), "1", noted_ish=NOT_AMPLIFIED))
    assert (got.category, got.review) == ("positive", False)


@pytest.mark.parametrize(
    ("score", "noted", "category"),
    [
        ("2+", "3+", "needs-review"),
        ("2+", "2+", "low"),
        ("2+", "equivocal", "low"),
        (None, "3+", "needs-review"),
        (None, "positive", "needs-review"),
        (None, "2+", "negative-unspecified"),
    ],
)
def test_a_note_on_the_ihc_under_a_negative_ish(score, noted: str, category: str) -> None:
    tests = [ihc(score)] if score else []
    got = answer(*tests, evidence(ish("negative"), "9", noted_ihc=(ihc(noted),)))

    assert got.category == category


CONCLUSIONS = [
    ("1+", None, "positive", "needs-review"),
    ("1+", None, "negative", "low"),
    ("1+", None, "low", "low"),
    ("1+", None, "equivocal", "low"),
    ("1+", "positive", "positive", "positive"),
    ("0", None, "low", "needs-review"),
    ("0", None, "negative", "negative"),
    ("3+", None, "negative", "needs-review"),
    ("3+", "negative", "positive", "positive"),
    ("2+", None, "positive", "equivocal"),
    ("2+", "negative", "equivocal", "low"),
    ("2+", "negative", "positive", "needs-review"),
    ("negative", None, "low", "negative-unspecified"),
]


@pytest.mark.parametrize(("score", "word", "concluded", "category"), CONCLUSIONS)
def test_a_report_s_coded_conclusion_beside_its_results(
    score: str, word: str | None, concluded: str, category: str
) -> None:
    said = evidence(ihc(score), "1", concluded=frozenset({ResultWord(concluded)}))
    got = answer(said, *([ish(word)] if word else []))

    assert got.category == category


def test_of_several_conclusions_one_that_agrees_is_enough() -> None:
    both = frozenset({ResultWord.POSITIVE, ResultWord.NEGATIVE})
    assert answer(evidence(ihc("1+"), "1", concluded=both)).category == "low"


def test_an_adjudication_is_not_contradicted_by_the_note_it_settled() -> None:
    first = evidence(ihc("2+"), "1", issued="2024-01-01", noted_ish=AMPLIFIED)
    final = evidence(overall("negative", adjudicated=True), "3", issued="2024-03-01")
    got = answer(first, evidence(G[4], "2", issued="2024-02-01"), final)

    assert got.category == "low"
