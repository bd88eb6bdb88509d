"""A suggestion helps a person and never decides: near words are found, turned meanings are not suggested."""

from __future__ import annotations

import pytest

from adapter.fhir.terms import Terms
from adapter.fhir.text.nearest import (
    code_elsewhere,
    is_her2_test_elsewhere,
    nearest_words,
    nearly_her2,
)
from tests.fakes.site import catalogue

LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
TERMS = Terms.of(catalogue())


@pytest.mark.parametrize(
    ("text", "suggested"),
    [
        ("amplifed", "almost “amplified”"),
        ("HER2 postive (3+)", "almost “positive”"),
        ("indeterminat", "almost “indeterminata”"),
        ("ampliziert", "almost “amplifiziert”"),
        ("unamplifed", "almost “unamplified”"),
        ("nonamplified", ""),
        ("misamplified", ""),
        ("unpositive", ""),
        ("amplifed, postive", ""),
        ("Schmidt", ""),
        ("psitv", ""),
        ("positive", ""),
        ("", ""),
    ],
    ids=lambda value: value or "nothing",
)
def test_the_one_word_that_was_not_understood_is_held_against_the_vocabulary(
    text: str, suggested: str
) -> None:
    assert nearest_words([text], TERMS) == suggested


def test_no_word_of_the_laboratory_gets_into_a_suggestion() -> None:
    suggested = nearest_words(["Positivd", "weakk", "amplifed"], TERMS)
    assert suggested == "almost “positiv” and almost “weak” and almost “amplified”"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("HRE2 by IHC", "her2"),
        ("HHER-2 status", "her2"),
        ("HE2", "her2"),
        ("ERB2 FISH", "erbb2"),
        ("Hercetest", "herceptest"),
        ("HER2", ""),
        ("HER3", ""),
        ("ER2", ""),
        ("ER 2+", ""),
        ("PER2", ""),
        ("HER", ""),
        ("there", ""),
        ("Glucose", ""),
    ],
)
def test_a_slip_of_the_pen_in_the_name_of_her2_is_seen_and_no_other_marker_taken_for_it(
    text: str, name: str
) -> None:
    assert nearly_her2(text, TERMS) == name


@pytest.mark.parametrize(
    ("system", "suggested"),
    [
        ("urn:lab:ln", "85319-2 of http://loinc.org: add a name of the code system"),
        ("", "85319-2 of http://loinc.org, sent without its code system"),
        (SNOMED, "85319-2 of http://loinc.org, sent as a code of another system"),
    ],
    ids=["unknown system", "no system", "another known system"],
)
def test_a_code_that_is_known_in_another_system_is_named(system: str, suggested: str) -> None:
    assert code_elsewhere(system, "85319-2", TERMS) == suggested


@pytest.mark.parametrize("code", ["1", "POS", "3+", "85319-3", ""])
def test_a_code_that_may_mean_anything_suggests_nothing(code: str) -> None:
    assert code_elsewhere("urn:lab", code, TERMS) == ""


def test_only_codes_of_her2_tests_hint_at_her2() -> None:
    assert is_her2_test_elsewhere("85319-2", TERMS)
    assert not is_her2_test_elsewhere("16112-5", TERMS)  # oestrogen receptor
    assert not is_her2_test_elsewhere("2345-7", TERMS)  # glucose
