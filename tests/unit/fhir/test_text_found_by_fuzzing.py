"""Texts that the fuzz once made the product read with more confidence than a second reader would."""

from __future__ import annotations

import pytest

from adapter.her2 import Assay
from tests.unit.fhir.text_forms import UNDECIDED
from tests.unit.fhir.text_judging import by_product

BRACKETS = ("HER2 positive (", "1+ (outside", "outside 3+) 1+", "Positive (IHC 3+", "1) 3+", "[3+)")


@pytest.mark.parametrize("text", BRACKETS)
def test_a_text_whose_brackets_do_not_match_was_cut_and_is_not_read(text: str) -> None:
    assert by_product(text, Assay.IHC) == UNDECIDED


def test_brackets_that_match_are_read() -> None:
    assert by_product("HER2 [positive (3+)]", Assay.IHC) == "positive"


@pytest.mark.parametrize(
    "text",
    ["3+3", "3+3 (positive)", "0, 5%0", ",0 5%", ".1", "0-1+0-1+", "+++3", "3+\u0663", "3positive"],
)
def test_a_number_cut_off_or_run_together_with_another_is_not_read(text: str) -> None:
    assert by_product(text, Assay.IHC) == UNDECIDED


def test_a_number_may_stand_tight_before_its_unit() -> None:
    assert by_product("ratio 5.1, 9.7copies/cell", Assay.ISH) == "positive"


@pytest.mark.parametrize(
    "text",
    [
        "2+ (outside FISH: not amplified)",
        "0 (outside not amplified)",
        "3+ (outside). not amplified",
        "IHC 2+; FISH not amplified (outside)",
        "2+ (OSH HER2, FISH not amplified)",
    ],
)
def test_ihc_of_one_laboratory_and_ish_of_another_are_not_put_together(text: str) -> None:
    assert by_product(text, Assay.OVERALL) == UNDECIDED


def test_a_ratio_and_copies_are_of_one_laboratory_or_not_read() -> None:
    assert by_product("1.3 (OSH, CN 2.2)", Assay.ISH) == UNDECIDED


@pytest.mark.parametrize("text", ["0+, amplification", "1+ FISH", "HER2 (FISH): 1+", "low; FISH"])
def test_a_test_that_is_named_without_its_result_beside_a_score_is_missed(text: str) -> None:
    assert by_product(text, Assay.IHC) == UNDECIDED


def test_an_overall_result_that_is_not_available_is_not_stated_beside_it() -> None:
    assert by_product("HER2/neu: 3+ (positive)\n[Not Available]", Assay.OVERALL) == UNDECIDED


@pytest.mark.parametrize(
    "text",
    [
        "on-amplified",
        "un amplified",
        "no amplification result",
        "low staining",
        "3+ on another block",
    ],
)
def test_a_word_that_may_turn_or_move_the_result_is_no_filler(text: str) -> None:
    assert by_product(text, Assay.IHC) == UNDECIDED


@pytest.mark.parametrize(
    "text", ["low, strong", "low (5%)", "ultralow (no staining); 0", "low, 90%"]
)
def test_low_and_ultralow_are_held_against_the_staining_described(text: str) -> None:
    assert by_product(text, Assay.IHC) == UNDECIDED


@pytest.mark.parametrize(
    "text", ["IHC positive", "HER2 IHC: negative", "Positive (score 3)", "Positive; IHC"]
)
def test_an_ihc_result_under_an_ish_test_gives_no_category(text: str) -> None:
    assert by_product(text, Assay.ISH) == UNDECIDED


@pytest.mark.parametrize("text", ["amplified, pending", "3+; not available"])
def test_what_is_pending_or_not_available_is_not_stated_beside_it(text: str) -> None:
    assert by_product(text, Assay.OVERALL) == UNDECIDED


@pytest.mark.parametrize(
    "text", ["ratio >= 2.1. is amplified", "HER2/CEP17 ratio >= 2.0, is considered amplified"]
)
def test_a_cut_off_is_explained_across_a_comma_too(text: str) -> None:
    assert by_product(text, Assay.ISH) == UNDECIDED


def test_0_of_one_laboratory_and_0_plus_of_another_differ() -> None:
    assert by_product("0 (outside 0+)", Assay.IHC) == UNDECIDED


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("无 amplified", id="Chinese not, English amplified"),
        pytest.param("kein Nachweis von amplified", id="German not, English amplified"),
        pytest.param("nicht amplificado", id="German not, Spanish amplified"),
        pytest.param("not final amplified", id="a filler between"),
        pytest.param("not by method amplified", id="a method between"),
    ],
)
def test_a_negation_denies_only_the_next_word_of_its_own_language(text: str) -> None:
    assert by_product(text, Assay.ISH) == UNDECIDED


@pytest.mark.parametrize("text", ["not HER2 amplified", "sans amplification détectée"])
def test_a_negation_denies_the_word_it_stands_before(text: str) -> None:
    assert by_product(text, Assay.ISH) == "negative-unspecified"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("se amplificado", id="Portuguese if"),
        pytest.param("als geamplificeerd", id="Dutch if"),
        pytest.param("bei positiver IHC, FISH empfohlen", id="German in case of"),
        pytest.param("bij positieve uitslag, FISH volgt", id="Dutch in case of"),
        pytest.param("FISH zum Nachweis einer HER2-Amplifikation", id="German: to detect"),
        pytest.param("tested for evidence of amplification", id="English: to find"),
        pytest.param("gen amplificatie aangetoond", id="Dutch geen with a letter missing"),
        pytest.param("negative for am", id="cut off"),
        pytest.param("HER2 is positive which", id="cut off before a clause"),
    ],
)
def test_a_condition_a_purpose_and_a_cut_text_are_no_result(text: str) -> None:
    assert by_product(text, Assay.OVERALL) == UNDECIDED


@pytest.mark.parametrize(
    "text", ["HER2-low: negative", "HER2-low-Status: negativ", "HER2-ultralow status: negative"]
)
def test_low_that_is_denied_is_not_low(text: str) -> None:
    assert by_product(text, Assay.OVERALL) == UNDECIDED


@pytest.mark.parametrize("text", ["HER2 negative (low)", "negative, low", "negative low"])
def test_low_may_be_said_more_closely_after_negative(text: str) -> None:
    assert by_product(text, Assay.OVERALL) == "low"


@pytest.mark.parametrize("text", ["2+ low, FISH: amplified", "2+; FISH: amplified (outside low)"])
@pytest.mark.parametrize("asked", [Assay.IHC, Assay.OVERALL])
def test_low_and_amplified_contradict_each_other(text: str, asked: Assay) -> None:
    assert by_product(text, asked) == UNDECIDED


@pytest.mark.parametrize("text", ["low, score", "and ultralow , score"])
def test_low_beside_a_score_without_its_number_is_not_read(text: str) -> None:
    assert by_product(text, Assay.OVERALL) == UNDECIDED


@pytest.mark.parametrize(
    "text",
    [
        "positive; HER2 score",
        "HER2 score: positive",
        "copies/cell HER2-",
        "negativ CEP17 copies/cell",
    ],
)
def test_under_ish_a_score_and_a_count_without_its_number_are_no_result(text: str) -> None:
    assert by_product(text, Assay.ISH) == UNDECIDED


@pytest.mark.parametrize("text", ["ratio >= 2.e is amplified", "ratio >= 2.0, the is amplified"])
def test_a_filler_before_is_does_not_make_a_cut_off_a_result(text: str) -> None:
    assert by_product(text, Assay.ISH) == UNDECIDED


def test_a_single_letter_tight_behind_a_sign_is_the_rest_of_a_word() -> None:
    assert by_product("3+ (90%e)", Assay.IHC) == UNDECIDED
