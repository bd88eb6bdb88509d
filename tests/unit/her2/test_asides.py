"""Protects notes on the other test and report conclusions: they contradict a category and never give one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapter.her2.classify import classify
from adapter.her2.model import (
    Classification,
    Evidence,
    IhcResult,
    IshResult,
    OverallResult,
    ResultWord,
    Staining,
)
from adapter.her2.policy import ASCO_CAP_2023
from tests.unit.her2.builders import G, case, evidence, ihc, ish, number, overall


def answer(*results: Evidence | IhcResult | IshResult | OverallResult) -> Classification:
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


RATIO_ALONE = ish(ratio="2.6")
AMPLIFIED_WITH_RATIO = ish("positive", ratio="2.6")
NOT_AMPLIFIED_WITH_RATIO = ish("negative", ratio="1.1")


@pytest.mark.parametrize(
    ("results", "noted", "category"),
    [
        ([ihc("1+")], AMPLIFIED_WITH_RATIO, "needs-review"),
        ([ihc("1+")], RATIO_ALONE, "needs-review"),
        ([overall("negative")], AMPLIFIED_WITH_RATIO, "needs-review"),
        ([overall("low")], AMPLIFIED_WITH_RATIO, "needs-review"),
        ([ihc("2+"), ish(ratio="1.5", copies="3")], AMPLIFIED_WITH_RATIO, "needs-review"),
        ([ihc("2+"), ish("negative")], RATIO_ALONE, "needs-review"),
        ([ihc("2+"), ish("negative")], G[4], "needs-review"),
        ([overall("positive")], NOT_AMPLIFIED_WITH_RATIO, "needs-review"),
        ([overall("positive")], ish("negative"), "needs-review"),
        ([ihc("positive")], ish("negative"), "needs-review"),
        ([ihc("1+")], NOT_AMPLIFIED_WITH_RATIO, "low"),
        ([ihc("1+")], G[4], "low"),
        ([ihc("2+"), ish("negative")], ish(ratio="1.1"), "low"),
        ([ihc("2+"), G[5]], ish(ratio="1.2"), "low"),
        ([ihc("2+"), ish("positive")], RATIO_ALONE, "positive"),
        ([ihc("3+")], NOT_AMPLIFIED_WITH_RATIO, "positive"),
        ([ihc("positive")], RATIO_ALONE, "positive"),
        ([overall("positive")], AMPLIFIED_WITH_RATIO, "positive"),
        ([overall("negative")], ish(ratio="1.5"), "negative-unspecified"),
        ([overall("negative")], G[4], "negative-unspecified"),
        ([overall("low")], NOT_AMPLIFIED_WITH_RATIO, "low"),
        ([ihc("2+"), ish("indeterminate")], ish("negative"), "indeterminate"),
    ],
    ids=str,
)
def test_an_ish_in_a_note_of_another_test_is_held_against_the_category(
    results, noted: IshResult, category: str
) -> None:
    own, *others = results
    assert answer(evidence(own, "9", noted_ish=(noted,)), *others).category == category


@pytest.mark.parametrize(
    ("word", "note", "category"),
    [
        ("negative", ish("negative", ratio="2.5", copies="7.0"), "needs-review"),
        ("negative", ish("negative", ratio="2.5"), "needs-review"),
        ("negative", ish("negative", copies="7.0"), "needs-review"),
        ("negative", ish("negative", ratio="2.2", copies="3.3"), "needs-review"),
        ("negative", ish("negative", ratio="1.8", copies="6.5"), "needs-review"),
        ("positive", ish("positive", ratio="1.1", copies="2.2"), "needs-review"),
        ("positive", ish("positive", ratio="1.8", copies="6.5"), "needs-review"),
        ("negative", ish("negative", ratio="1.1", copies="2.2"), "low"),
        ("negative", ish("negative", ratio="1.1"), "low"),
        ("positive", ish("positive", ratio="2.5"), "positive"),
    ],
    ids=str,
)
def test_the_numbers_of_a_note_are_held_against_the_word_of_its_own_result(
    word: str, note: IshResult, category: str
) -> None:
    assert answer(ihc("2+"), evidence(ish(word), "2", noted_ish=(note,))).category == category


def test_the_word_may_agree_with_groups_2_to_4_where_the_row_ends_that_way() -> None:
    noted = (ish("negative", ratio="2.2", copies="3.3"),)

    assert answer(ihc("1+"), evidence(ish("negative"), "2", noted_ish=noted)).category == "low"


@pytest.mark.parametrize(
    ("score", "percent", "category"),
    [
        ("1+", None, "needs-review"),
        ("1+", "15", "needs-review"),
        ("1+", "10", "low"),
        ("3+", "15", "positive"),
    ],
)
def test_a_second_cell_population_in_a_note_of_the_ihc(
    score: str, percent: str | None, category: str
) -> None:
    population = IshResult(second_population=True, population_percent=number(percent))

    assert answer(evidence(ihc(score), "1", noted_ish=(population,))).category == category


FAINT = Staining.FAINT_INCOMPLETE
ULTRALOW_IN_WORDS = ihc("0", word="ultralow", staining=FAINT)


@pytest.mark.parametrize(
    ("value", "noted", "category"),
    [
        (ihc("0"), ULTRALOW_IN_WORDS, "needs-review"),
        (ihc("0"), ihc("0+"), "needs-review"),
        (ihc("0"), ihc("0", percent="5"), "needs-review"),
        (ihc("0"), ihc("0", percent="8", staining=FAINT), "needs-review"),
        (ihc("0"), ihc("0", staining=Staining.NONE), "negative"),
        (ihc("0"), ihc("0", word="negative"), "negative"),
        (ihc("0+"), ihc("0+"), "ultralow"),
        (ihc("negative"), ihc("1+", word="negative"), "negative-unspecified"),
    ],
    ids=str,
)
def test_a_note_that_says_more_of_the_staining_than_its_own_result(
    value: IhcResult, noted: IhcResult, category: str
) -> None:
    assert answer(evidence(value, "1", noted_ihc=(noted,))).category == category


@pytest.mark.parametrize(
    ("scored_at", "choice", "category"),
    [
        ("2023-12-31", "dated", "negative"),
        ("2024-01-01", "dated", "needs-review"),
        ("2023-12-31", "ultralow", "needs-review"),
        ("2024-01-01", "zero", "negative"),
    ],
)
def test_0_plus_in_a_note_means_what_it_means_in_a_value(
    scored_at: str, choice: str, category: str
) -> None:
    noted = evidence(ihc("0"), "1", scored_at=scored_at, noted_ihc=(ihc("0+"),))

    policy = replace(ASCO_CAP_2023, zero_plus=choice)
    assert classify(case(noted), policy).category == category


@pytest.mark.parametrize(
    ("results", "word", "category"),
    [
        ([ihc("0"), ish("negative")], "ultralow", "needs-review"),
        ([ihc("0"), ish("negative")], "low", "needs-review"),
        ([ihc("2+"), ish("positive")], "low", "needs-review"),
        ([ihc("2+"), ish("negative")], "low", "low"),
        ([ihc("0"), overall("ultralow")], "ultralow", "ultralow"),
        ([overall("negative")], "low", "negative-unspecified"),
        ([ihc("2+")], "low", "equivocal"),
    ],
    ids=str,
)
def test_low_and_ultralow_in_a_note_are_held_against_the_category(
    results, word: str, category: str
) -> None:
    *others, last = results
    assert answer(*others, evidence(last, "9", noted_ihc=(ihc(word),))).category == category


def test_a_score_in_a_note_that_its_own_percentage_contradicts_needs_review() -> None:
    noted = (ihc("3+", percent="5"),)

    assert answer(evidence(overall("positive"), "1", noted_ihc=noted)).category == "needs-review"


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


BOTH = frozenset({ResultWord.POSITIVE, ResultWord.NEGATIVE})


@pytest.mark.parametrize("score", ["0", "0+", "1+", "3+"])
def test_each_conclusion_of_a_report_on_one_sample_has_to_agree(score: str) -> None:
    got = answer(evidence(ihc(score), "1", concluded=BOTH))

    assert got.category == "needs-review"
    assert [reason.code for reason in got.reasons][:1] == ["conclusion-against-results"]


@pytest.mark.parametrize(
    ("score", "category"), [("0", "negative"), ("1+", "low"), ("3+", "positive")]
)
def test_of_several_conclusions_on_several_samples_one_that_agrees_is_enough(
    score: str, category: str
) -> None:
    both = evidence(ihc(score), "1", concluded=BOTH, shares_report=True)
    assert answer(both).category == category


def test_one_conclusion_that_agrees_with_none_of_the_samples_needs_review() -> None:
    positive = frozenset({ResultWord.POSITIVE})
    got = answer(evidence(ihc("1+"), "1", concluded=positive, shares_report=True))
    assert got.category == "needs-review"


@pytest.mark.parametrize("finer", [ResultWord.LOW, ResultWord.EQUIVOCAL, ResultWord.INDETERMINATE])
def test_a_finer_or_an_earlier_conclusion_beside_negative_contradicts_no_low(
    finer: ResultWord,
) -> None:
    both = frozenset({ResultWord.NEGATIVE, finer})
    assert answer(evidence(ihc("1+"), "1", concluded=both)).category == "low"


def test_an_adjudication_is_not_contradicted_by_the_note_it_settled() -> None:
    first = evidence(ihc("2+"), "1", issued="2024-01-01", noted_ish=AMPLIFIED)
    final = evidence(overall("negative", adjudicated=True), "3", issued="2024-03-01")
    got = answer(first, evidence(G[4], "2", issued="2024-02-01"), final)

    assert got.category == "low"
