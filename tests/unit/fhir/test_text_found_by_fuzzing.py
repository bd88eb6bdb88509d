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
    "text", ["3+3", "3+3 (positive)", "0, 5%0", ",0 5%", ".1", "0-1+0-1+", "3+\u0663", "3positive"]
)
def test_a_number_cut_off_or_run_together_with_another_is_not_read(text: str) -> None:
    assert by_product(text, Assay.IHC) == UNDECIDED


def test_a_number_may_stand_tight_before_its_unit() -> None:
    assert by_product("ratio 5.1, 9.7copies/cell", Assay.ISH) == "positive"


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
    "text", ["ratio >= 2.1. is amplified", "HER2/CEP17 ratio >= 2.0, is considered amplified"]
)
def test_a_cut_off_is_explained_across_a_comma_too(text: str) -> None:
    assert by_product(text, Assay.ISH) == UNDECIDED
