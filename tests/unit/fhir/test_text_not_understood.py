"""Protects against half-reading: a text that is not understood whole gives no result at all."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.fhir.reasons import SENTENCES
from adapter.fhir.text.reader import MAX_LENGTH, read
from adapter.fhir.text.tokens import Lexicon
from adapter.her2.model import IhcResult
from adapter.terminology.vocabulary import MapRow, TestRole, Word, WordKind
from tests.unit.fhir.recognising import catalogue, reading


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "text-empty"),
        ("   ", "text-empty"),
        ("see report", "text-not-understood"),
        ("3+?", "text-not-understood"),
        ("IHC3", "text-not-understood"),  # a block, an order, a panel
        ("IHC3 +", "text-not-understood"),
        ("IHC4+", "text-not-understood"),
        ("IHC3++", "text-not-understood"),
        ("FISH3+", "text-not-understood"),
        ("RIHC3+", "text-not-understood"),
        ("HER23+", "text-not-understood"),
        ("not 3+", "text-not-understood"),
        ("no 3+", "text-not-understood"),
        ("No evidence of 3+", "text-not-understood"),
        ("not positive", "text-not-understood"),
        ("never positive", "text-not-understood"),
        ("Percentage of tumor cells: 3", "share-of-cells-not-understood"),
        ("percent positive", "share-of-cells-not-understood"),
        ("3+ in 0 cells", "text-not-understood"),
        ("3+ in 5 cells", "text-not-understood"),
        ("3+, nuclei: 0", "text-not-understood"),
        ("3+ or 2+", "text-not-understood"),
        ("1+/3+", "text-not-understood"),
        ("3+-1+", "text-not-understood"),
        ("1+ 3+", "several-scores"),
        ("DCIS: 3+", "text-not-understood"),
        ("+", "text-not-understood"),
        ("HER2/neu+", "plus-alone"),
        ("2.5", "number-without-meaning"),
        ("11", "number-without-meaning"),
        ("03", "text-not-understood"),
        ("1/3", "text-not-understood"),
        ("<2", "number-without-meaning"),
        ("1.8 : 1", "number-without-meaning"),
        ("8/8", "text-not-understood"),
        ("80 %", "no-score"),
        ("No membrane staining", "no-score"),
        ("3+ in 80 %, 2+ in 10 %", "several-percentages"),
        ("2+ (weak incomplete staining)", "staining-not-understood"),
        ("IHC 2+ FISH amplified", "two-tests-in-one-clause"),
        ("ER positive", "other-analyte-in-value"),
        ("Estrogen receptor positive tumor", "other-analyte-in-value"),
        ("HER2 3+, ER IRS 0", "other-analyte-in-value"),
        ("Ki-67 60 %", "other-analyte-in-value"),
        ("faintly positive", "no-score"),
        ("weakly positive", "staining-not-understood"),
        ("Positive in 5 % of tumour cells", "no-score"),
        ("Equivocal, 20 %", "no-score"),
        ("HER2 3+ recommended", "text-not-understood"),
        ("3+ not performed", "text-not-understood"),
        ("3+, ratio", "text-not-understood"),
        ("three plus %", "text-not-understood"),
        ("0 to 1+", "text-not-understood"),
        ("< (2+)", "text-not-understood"),
        ("5-10 copies %", "text-not-understood"),
        ("FISH recommended", "nothing-stated"),
        ("FISH not performed", "nothing-stated"),
        ("HER2", "nothing-stated"),
        ("Present", "text-not-understood"),
        ("Detected", "presence-is-no-result"),
        ("2++", "text-not-understood"),
        ("3+ 7", "several-scores"),
        ("Negative for HER2-low", "text-not-understood"),
        ("0, negative for HER2-ultralow", "text-not-understood"),
        ("0 (negative for ultralow)", "text-not-understood"),
        ("Negative result for HER2-low", "text-not-understood"),
        ("negative for 1+", "text-not-understood"),
        ("negative for 1", "text-not-understood"),
        ("negativo per HER2-low", "text-not-understood"),
        ("0/ultralow", "text-not-understood"),
        ("IHC ultralow/0", "text-not-understood"),
        ("Negative (0) / ultralow", "text-not-understood"),
        ("2+, FISH: no overexpression", "two-tests-in-one-clause"),
    ],
)
def test_an_ihc_text_that_is_not_understood_whole_says_nothing(text: str, problem: str) -> None:
    found = reading(text, TestRole.IHC)
    assert found.stated.is_empty
    assert found.problem == problem


@pytest.mark.parametrize(
    "text",
    [
        "1,234",  # thousands or decimals
        "1.2.2024",
        "2004",  # a year
        "1.4 1.5",
        "1.4 copies 3.2",  # could be bound either way
        "amplified not",
        "not not amplified",
        "not equivocal",
        "amplified in some cells",
        "polysomy",
        "group 1, group 2",
        "single probe, dual probe: amplified",
        "cell population 5 %, cell population 10 %: amplified",
        "ratio 1.2 : 1 copies 3",
        "1.4-1.2",
        "<1.2-1.4",
        "not ratio",
        "amplification",
        "1.4 in 5 %",
        "amplified in 5 %",
        "ratio 101",
        "ratio of HER2/Centromere 17 >= 2.1 is amplified if confirmed",
    ],
)
def test_an_ish_text_that_is_not_understood_whole_says_nothing(text: str) -> None:
    found = reading(text, TestRole.ISH)
    assert not found.is_whole
    assert found.stated.is_empty


@pytest.mark.parametrize("text", ["0", "2", "1.4", "<1.8"])
def test_a_bare_number_says_nothing_where_the_test_is_not_known(text: str) -> None:
    assert reading(text, TestRole.OVERALL).problem == "number-without-meaning"


def test_copies_of_her2_under_a_cep17_test_are_not_taken_for_cep17() -> None:
    assert reading("HER2 copies 6.2", TestRole.CEP17_COPIES).problem == "unit-against-test"


@pytest.mark.parametrize("extra", ["xyz", "?", "!", "vielleicht", "0.5.1", "§", "not"])
@pytest.mark.parametrize("text", ["3+", "0", "Negative", "not amplified"])
def test_one_unknown_word_makes_any_text_unread(text: str, extra: str) -> None:
    assert not reading(f"{text} {extra}").is_whole
    assert not reading(f"{extra} {text}").is_whole


@pytest.mark.parametrize(
    "kind", [WordKind.RESULT, WordKind.ASSAY, WordKind.PROBE, WordKind.IHC_SCORE]
)
def test_a_word_whose_meaning_the_core_does_not_know_is_never_read(kind: WordKind) -> None:
    row = MapRow("map", "system", "code", "odd")
    lexicon = Lexicon.of([Word("oddly", kind, "odd", "en", row)])
    stated = read("oddly", lexicon, TestRole.IHC).stated
    assert stated.is_empty or stated.ihc == IhcResult(off_scale=True, text="oddly")


def test_a_phrase_of_digits_alone_is_left_to_the_grammar() -> None:
    row = MapRow("map", "system", "code", "3+")
    lexicon = Lexicon.of([Word("0", WordKind.IHC_SCORE, "3+", "*", row)])
    (token,) = lexicon.tokens("0")
    assert token.word is None


def test_a_phrase_with_two_meanings_is_understood_as_neither() -> None:
    rows = [MapRow("map", "system", meaning, meaning) for meaning in ("positive", "negative")]
    words = [Word("odd", WordKind.RESULT, row.meaning, "en", row) for row in rows]
    for listed in (words, words[::-1]):
        assert read("odd", Lexicon.of(listed), TestRole.IHC).problem == "text-not-understood"


def test_a_narrative_is_too_long_to_be_a_result() -> None:
    assert reading("3+ " * MAX_LENGTH).problem == "text-too-long"


@pytest.mark.parametrize(
    "text",
    ["(" * 299, "0-" * 149, "+" * 299, "not " * 74, "1." * 149, "<" * 299, "1+-" * 99, "在" * 299],
)
def test_hostile_texts_are_read_in_no_time(text: str) -> None:
    started = time.perf_counter()
    assert not reading(text).is_whole
    assert time.perf_counter() - started < 0.5


_PHRASES = sorted(word.phrase for word in catalogue().words())
_PIECES = st.one_of(
    st.sampled_from(_PHRASES),
    st.sampled_from(["0", "1+", "3+", "2.0", "%", "<", "(", ")", ",", ";", ":", "/", "-", "10 %"]),
    st.text(max_size=5),
)


@settings(max_examples=300, deadline=2000)
@given(st.lists(_PIECES, max_size=12), st.sampled_from(sorted(TestRole)))
def test_any_text_is_read_or_refused_with_a_known_reason(
    pieces: list[str], asked: TestRole
) -> None:
    found = reading(" ".join(pieces), asked)
    assert found.is_whole or (found.problem in SENTENCES and found.stated.is_empty)


@settings(max_examples=200, deadline=2000)
@given(st.text(max_size=400), st.sampled_from(sorted(TestRole)))
def test_arbitrary_text_never_raises(text: str, asked: TestRole) -> None:
    reading(text, asked)


@pytest.mark.parametrize(
    "text",
    [
        "biopsy 1: negative",
        "left 2: negative",
        "left breast 2 negative",
        "breast specimen 2: negative",
        "core biopsy 3: positive",
        "carcinoma 1: negative",
    ],
)
def test_a_number_that_counts_samples_is_no_score_and_no_ratio(text: str) -> None:
    lexicon = Lexicon.of(catalogue().words())

    assert read(text, lexicon, TestRole.IHC).problem
    assert read(text, lexicon, TestRole.ISH).problem


@pytest.mark.parametrize("text", ["positive 3/3 cells", "8/8", "2/3", "score 3/12"])
def test_a_number_of_another_number_is_no_score(text: str) -> None:
    assert not reading(text).is_whole


@pytest.mark.parametrize("text", ["left negative, right", "links positiv; rechts negativ"])
def test_one_text_about_both_sides_is_not_read(text: str) -> None:
    assert reading(text).problem == "two-sides-in-one-text"


@pytest.mark.parametrize(
    "text",
    [
        "Primary: IHC 2+. Metastasis: FISH not amplified.",
        "Primary. IHC 2+. Metastasis. FISH not amplified.",
        "core biopsy IHC 2+; metastasis FISH negative",
        "IHC 2+ (core biopsy), FISH not amplified (liver metastasis)",
        "Primärtumor und Metastase: IHC 3+",
    ],
)
def test_one_text_about_a_metastasis_and_another_sample_is_not_read(text: str) -> None:
    assert reading(text, TestRole.OVERALL).problem == "samples-differ"


@pytest.mark.parametrize(
    "text",
    [
        "HER2 IHC left breast core biopsy 2+",
        "Core biopsy, liver metastasis: IHC 2+, FISH not amplified",
        "core biopsy of metastasis: IHC 2+; FISH not amplified",
        "metastatic carcinoma, breast primary, IHC 2+, FISH not amplified",
        "core biopsy: IHC 3+ (liver metastasis)",
        "biopsy: IHC 2+; excision: FISH not amplified",
        "Metastasis: IHC 2+. Metastasis: FISH not amplified",
    ],
)
def test_several_names_of_one_sample_are_read(text: str) -> None:
    assert reading(text, TestRole.OVERALL).is_whole


@pytest.mark.parametrize(
    "text",
    ["no amplification\nresult", "not\namplified", "no\namplification: detected"],
)
def test_a_phrase_that_a_line_break_cuts_is_not_known_by_its_first_half(text: str) -> None:
    assert not reading(text, TestRole.ISH).is_whole


def test_a_line_break_between_phrases_parts_clauses() -> None:
    assert reading("HER2 IHC\nscore 2+\nFISH not amplified").is_whole


def test_a_criterion_is_none_the_better_for_a_stray_sign() -> None:
    text = "ratio of HER2/Centromere 17 positiv >= 2.= is amplified"
    assert reading(text, TestRole.ISH).problem == "criterion-not-result"
