"""Ways of writing that name another laboratory, an extent, a cut-off or a mere sign.

Protects against a result taken from the wrong laboratory, a focal score taken for the whole tumour, and a
criterion taken for a result.
"""

from __future__ import annotations

import pytest

from adapter.fhir.stated import Conflict
from adapter.her2.model import IhcScore, ResultWord
from adapter.terminology.vocabulary import TestRole
from tests.unit.fhir.recognising import reading


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("1+ (outside 3+)", "IHC 1+ against IHC 3+"),
        ("3+ (2+ outside)", "IHC 3+ against IHC 2+"),
        ("2+, outside hospital 1+", "IHC 2+ against IHC 1+"),
        ("negativ, auswärts positiv", "negative against positive"),
    ],
)
def test_two_laboratories_that_differ_are_a_contradiction(text: str, sides: str) -> None:
    assert reading(text).stated.conflicts == (Conflict("laboratories-differ", sides),)


def test_a_ratio_and_copies_of_two_laboratories_are_no_one_count() -> None:
    (conflict,) = reading("1.3 (OSH CN 4.2)", TestRole.ISH).stated.conflicts
    assert conflict.code == "laboratories-differ"
    assert "ratio 1.3" in conflict.sides
    assert "copies per cell 4.2" in conflict.sides


@pytest.mark.parametrize("text", ["3+ (outside)", "outside: 3+", "3+ (outside 3+)", "OSH 3+"])
def test_one_result_of_another_laboratory_is_that_result(text: str) -> None:
    read = reading(text)
    assert read.is_whole
    assert read.stated.ihc is not None
    assert read.stated.ihc.scores == (IhcScore.THREE_PLUS,)
    assert read.stated.conflicts == ()


def test_ihc_of_one_and_ish_of_another_laboratory_may_be_of_two_samples() -> None:
    assert reading("2+ (outside FISH amplified)").problem == "laboratories-mixed"


def test_laboratories_that_speak_of_different_tests_are_not_compared() -> None:
    text = "not amplified, 3+ (OSH HER2 negativ (nicht amplifiziert))"
    assert reading(text).problem == "laboratories-mixed"
    assert reading("2+, FISH not amplified (outside 2+)").problem == "laboratories-mixed"


@pytest.mark.parametrize("text", ["1+ (focal)", "3+ focally", "2+, heterogen", "3+ (hétérogène)"])
def test_a_focal_score_without_a_share_of_cells_is_left_to_a_person(text: str) -> None:
    assert reading(text).stated.conflicts == (Conflict("extent-not-stated"),)


def test_a_heterogeneous_score_with_its_share_of_cells_stands() -> None:
    read = reading("3+ (heterogenous 70-80% pos)")
    assert read.is_whole
    assert read.stated.conflicts == ()


def test_an_extent_without_an_ihc_result_is_not_understood() -> None:
    assert reading("focal", TestRole.IHC).problem == "text-not-understood"
    assert reading("focally amplified", TestRole.ISH).problem == "text-not-understood"


@pytest.mark.parametrize(
    "text",
    [
        "ratio of HER2/Centromere 17 >= 2.1 is amplified",
        "> 10 % is positive",
        "ratio > 2.0 means amplified",
    ],
)
def test_a_cut_off_that_is_explained_is_no_result(text: str) -> None:
    assert reading(text, TestRole.ISH).problem == "criterion-not-result"


@pytest.mark.parametrize(
    "text",
    [
        "1+ is negative",
        "3+ is positive",
        "IHC 3+ is considered positive",
        "2+ means equivocal",
        "0 is negative",
        "Score 1+ ist negativ",
        "1+ est négatif",
        "2+, is equivocal",
        "amplified is positive",
        "ISH group 2 is negative",
    ],
)
@pytest.mark.parametrize("asked", [TestRole.IHC, TestRole.OVERALL])
def test_a_legend_of_scores_is_no_result(text: str, asked: TestRole) -> None:
    assert reading(text, asked).problem == "criterion-not-result"


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("HER2 is 3+", "3+"),
        ("The HER2 score is 1+ (negative)", "1+"),
        ("HER2 is positive (3+)", "3+"),
        ("HER2 status is equivocal, 2+", "2+"),
        ("Score 1+ = negativ", "1+"),
        ("3+ = positive", "3+"),
        ("HER2: 1+ (negative)", "1+"),
        ("Der Score ist 2+", "2+"),
    ],
)
def test_a_score_after_is_and_a_word_beside_a_score_are_a_result(text: str, score: str) -> None:
    stated = reading(text, TestRole.IHC).stated.ihc
    assert stated is not None
    assert [one.value for one in stated.scores] == [score]


@pytest.mark.parametrize("text", ["ratio is 1.4", "HER2 is not amplified", "is negative"])
def test_is_before_a_result_changes_nothing(text: str) -> None:
    assert reading(text, TestRole.ISH).is_whole


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("detected", ResultWord.POSITIVE),
        ("NOT detected", ResultWord.NEGATIVE),
        ("nicht nachgewiesen", ResultWord.NEGATIVE),
        ("HER2 by FISH: not detected", ResultWord.NEGATIVE),
        ("amplification of HER2 detected", ResultWord.POSITIVE),
        ("amplification of HER2 not detected", ResultWord.NEGATIVE),
        ("no amplification of HER2 detected", ResultWord.NEGATIVE),
    ],
)
def test_detected_is_a_result_of_ish(text: str, word: ResultWord) -> None:
    ish = reading(text, TestRole.ISH).stated.ish
    assert ish is not None
    assert ish.word is word


@pytest.mark.parametrize("asked", [TestRole.IHC, TestRole.OVERALL, TestRole.RATIO])
@pytest.mark.parametrize("text", ["detected", "not detected", "HER2 detected"])
def test_detected_is_no_result_of_any_other_test(text: str, asked: TestRole) -> None:
    assert reading(text, asked).problem == "presence-is-no-result"


@pytest.mark.parametrize("text", ["HER2/neu-", "HER2-", "ERBB2-", "HER2- (FISH not amplified)"])
def test_a_tight_minus_is_negative_without_a_score(text: str) -> None:
    read = reading(text)
    said = read.stated.ihc or read.stated.ish
    assert said is not None
    assert read.stated.overall in (None, ResultWord.NEGATIVE)
    assert said.word is ResultWord.NEGATIVE


def test_a_tight_plus_alone_may_be_1_plus_and_is_not_read() -> None:
    assert reading("HER2+").problem == "plus-alone"
    assert reading("HER2/neu+", TestRole.OVERALL).problem == "plus-alone"


def test_a_tight_plus_beside_a_score_is_the_word_positive() -> None:
    read = reading("HER2+ Score 3+ (FISH amplifiziert)")
    assert read.is_whole
    assert read.stated.ihc is not None
    assert read.stated.ihc.scores == (IhcScore.THREE_PLUS,)
    assert reading("HER2+ score 1+").stated.ihc is not None


@pytest.mark.parametrize("text", ["HER2 -", "HER2 +", "HER2+/-", "HER2-/ER+", "HER2-x"])
def test_a_sign_that_may_mean_anything_is_not_read(text: str) -> None:
    assert not reading(text).is_whole
