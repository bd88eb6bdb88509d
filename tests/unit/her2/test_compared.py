"""Protects what a hospital is shown before it goes live: no disagreement with the laboratory is missed or made up.

The comparison is for people; that it never alters an answer is held too.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from adapter.her2 import ASCO_CAP_2023, Category, classify
from adapter.her2.compared import Compared, Comparison, compared
from adapter.her2.model import Case, Evidence, Policy, ResultWord, TumourSite
from adapter.her2.overall import AGREES_WITH
from tests.unit.her2.builders import G, case, evidence, ihc, ish, overall
from tests.unit.her2.test_properties import all_evidence


def held(sample: Case, policy: Policy = ASCO_CAP_2023) -> Compared | None:
    return compared(sample, classify(sample, policy), policy)


@pytest.mark.parametrize(
    ("score", "fish", "word", "how", "by_tests"),
    [
        ("1+", None, "negative", "finer", "low"),
        ("2+", "negative", "negative", "finer", "low"),
        ("0+", None, "negative", "finer", "ultralow"),
        ("0", None, "negative", "agrees", "negative"),
        ("1+", None, "low", "agrees", "low"),
        ("3+", None, "positive", "agrees", "positive"),
        ("2+", None, "equivocal", "agrees", "equivocal"),
        ("3+", None, "negative", "against", "positive"),
        ("1+", None, "positive", "against", "low"),
        ("0", None, "positive", "against", "negative"),
        ("2+", "positive", "negative", "against", "positive"),
        ("2+", "negative", "equivocal", "against", "low"),
        ("0", None, "low", "against", "negative"),
        ("2+", None, "positive", "undecided", "equivocal"),
        ("2+", None, "negative", "undecided", "equivocal"),
    ],
)
def test_an_answer_is_held_against_the_laboratorys_own_word(
    score: str, fish: str | None, word: str, how: str, by_tests: str
) -> None:
    tests = [ihc(score), *([ish(fish)] if fish else [])]
    found = held(case(*tests, overall(word)))
    assert found == Compared(Comparison(how), (ResultWord(word),), Category(by_tests))


def test_a_word_alone_is_taken_and_compares_nothing() -> None:
    found = held(case(overall("negative")))
    assert found == Compared(Comparison.TAKEN, (ResultWord.NEGATIVE,), Category.NO_RESULT)


def test_an_adjudication_is_taken() -> None:
    found = held(case(ihc("2+"), G[4], overall("negative")))
    assert found is not None
    assert found.how is Comparison.TAKEN


def test_overall_results_that_differ_are_named_both() -> None:
    found = held(case(ihc("1+"), overall("negative"), overall("positive")))
    words = (ResultWord.NEGATIVE, ResultWord.POSITIVE)
    assert found == Compared(Comparison.LABORATORY_DIFFERS, words, Category.LOW)


def test_low_under_an_ihc_code_is_a_word_of_the_laboratory_too() -> None:
    found = held(case(ihc("low"), overall("positive")))
    words = (ResultWord.LOW, ResultWord.POSITIVE)
    assert found == Compared(Comparison.LABORATORY_DIFFERS, words, Category.NO_RESULT)


@pytest.mark.parametrize(
    ("concluded", "how"),
    [({"positive"}, "against"), ({"negative"}, "finer"), ({"negative", "low"}, "agrees")],
)
def test_a_reports_coded_conclusion_counts_where_there_is_no_overall_result(
    concluded: set[str], how: str
) -> None:
    words = frozenset(map(ResultWord, concluded))
    found = held(case(evidence(ihc("1+"), concluded=words)))
    assert found == Compared(Comparison(how), tuple(sorted(words)), Category.LOW)


def test_a_conclusion_against_the_results_is_told_beside_an_overall_result_that_agrees() -> None:
    said = frozenset({ResultWord.POSITIVE})
    found = held(case(evidence(ihc("1+"), concluded=said), overall("negative")))
    words = (ResultWord.NEGATIVE, ResultWord.POSITIVE)
    assert found == Compared(Comparison.AGAINST, words, Category.LOW)


def test_without_a_word_of_the_laboratory_there_is_nothing_to_compare() -> None:
    assert held(case(ihc("1+"))) is None
    assert held(case(ihc("1+"), overall("not-done"))) is None


def test_a_withdrawn_word_does_not_count() -> None:
    gone = evidence(overall("positive"), "9", status="entered-in-error")
    assert held(case(ihc("1+"), gone)) is None


def test_where_nothing_is_written_there_is_nothing_to_compare() -> None:
    stomach = evidence(ihc("3+"), site=TumourSite.OTHER)
    assert held(case(stomach, overall("negative"))) is None


def test_what_says_where_the_tumour_is_stays_without_the_word() -> None:
    required = replace(ASCO_CAP_2023, tumour_site="required")
    said = evidence(overall("negative"), "9", site=TumourSite.BREAST)
    found = held(case(ihc("3+"), said), required)
    assert found == Compared(Comparison.AGAINST, (ResultWord.NEGATIVE,), Category.POSITIVE)


@settings(max_examples=300, deadline=None)
@given(all_evidence())
def test_whatever_the_results_an_agreement_is_one(made: list[Evidence]) -> None:
    sample = case(*made)
    answer = classify(sample)
    found = compared(sample, answer, ASCO_CAP_2023)
    assert classify(sample) == answer
    if found is None:
        return
    agreed = {category for word in found.laboratory for category in AGREES_WITH[word]}
    if found.how in (Comparison.AGREES, Comparison.FINER):
        assert answer.category in agreed
    if found.how is Comparison.UNDECIDED:
        assert answer.category not in agreed
    contradicts = any(one.code == "overall-against-scores" for one in answer.reasons)
    if contradicts:
        assert found.how in (Comparison.AGAINST, Comparison.UNDECIDED)
