"""What must hold of every text, whatever the vocabulary: sameness of spellings, and no gain from a negation."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.her2 import Assay
from tests.unit.fhir.text_forms import DEFINITE, FORMS, UNDECIDED, Form
from tests.unit.fhir.text_judging import by_product

STATED = [form for form in FORMS if by_product(form.text, form.asked) in DEFINITE]
forms = st.sampled_from(FORMS)
stated = st.sampled_from(STATED)
# No word of any report; letters that no phrase could take for an abbreviation.
unknown_words = st.text("qxzjw", min_size=3, max_size=8)
negations = st.sampled_from(
    ("not", "no", "non", "nicht", "kein", "pas de", "sans", "sin", "never", "without")
)


def _wide(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


SPELLINGS = {
    "upper case": str.upper,
    "lower case": str.lower,
    "composed": lambda text: unicodedata.normalize("NFC", text),
    "decomposed": lambda text: unicodedata.normalize("NFD", text),
    "full width": _wide,
    "wide blanks": lambda text: text.replace(" ", "   "),
    "hard blanks": lambda text: text.replace(" ", "\u00a0"),
    "blanks around": lambda text: f"  {text}\t",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_text_means_the_same_in_every_spelling(spelling: str, form: Form) -> None:
    spelt = SPELLINGS[spelling](form.text)
    assert by_product(spelt, form.asked) == by_product(form.text, form.asked)


@given(stated, unknown_words, st.booleans())
def test_an_unknown_word_leaves_nothing_decided(form: Form, word: str, before: bool) -> None:
    text = f"{word} {form.text}" if before else f"{form.text} {word}"
    assert by_product(text, form.asked) == UNDECIDED


@given(stated, negations)
def test_a_negation_before_a_result_never_makes_it_positive_or_finer(form: Form, word: str) -> None:
    category = by_product(f"{word} {form.text}", form.asked)
    unspoilt = by_product(form.text, form.asked)
    # "not amplified, 3+" still says 3+: its score stands after the negated word
    assert category in {UNDECIDED, "negative-unspecified", unspoilt}
    if "amplif" not in form.text.lower():
        assert category == UNDECIDED


@settings(max_examples=300)
@given(forms, forms, st.sampled_from(("; ", "\n", ", ")), st.sampled_from(Assay))
def test_the_order_of_two_statements_makes_no_other_category(
    one: Form, other: Form, joint: str, asked: Assay
) -> None:
    """A bare word that comes first is a headline; behind a test it may be of that test, and a person decides."""
    answers = {
        by_product(f"{first.text}{joint}{then.text}", asked)
        for first, then in ((one, other), (other, one))
    }
    assert len(answers - {UNDECIDED}) <= 1, answers


@given(stated)
def test_a_text_said_twice_means_the_same_or_nothing(form: Form) -> None:
    category = by_product(form.text, form.asked)
    assert by_product(f"{form.text}; {form.text}", form.asked) in {category, UNDECIDED}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("0", "3+"),
        ("1+", "3+"),
        ("0", "1+"),
        ("positive", "negative"),
        ("amplified", "not amplified"),
    ],
)
@pytest.mark.parametrize("asked", Assay)
def test_two_results_that_differ_decide_nothing(one: str, other: str, asked: Assay) -> None:
    for text in (f"{one}; {other}", f"{other} ({one})", f"{one}\n{other}"):
        assert by_product(text, asked) == UNDECIDED


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=60), st.sampled_from(Assay))
def test_no_text_raises(text: str, asked: Assay) -> None:
    assert by_product(text, asked) in {*DEFINITE, UNDECIDED}
