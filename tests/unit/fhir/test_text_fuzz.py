"""100,000 texts: real forms, spoilt in every way we know, and nonsense. The product may be at a loss, never wrong.

No value raises, none takes over 50 ms of processor time, and no definite category is given that the second reader
does not give as well. How many the product leaves undecided that the second reader could read is printed (-s).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random
from time import process_time

import pytest

from adapter.her2 import Assay
from tests.unit.fhir.text_forms import FORMS, UNDECIDED, Form
from tests.unit.fhir.text_judging import agrees, by_product, by_second_reader
from tests.unit.fhir.text_mutations import any_characters, long_text, mutated, salad

SEEDS = range(20)
VALUES_PER_SEED = 5_000
SHARE_OF_LONG_TEXTS = 0.003
LIMIT_SECONDS = 0.05
ASSAYS = tuple(Assay)
KINDS = (*[mutated] * 7, *[salad] * 2, any_characters)
READ_AT_LEAST = 0.9
"""Share of the forms with a definite category that the product must read as the table says."""


def _values(seed: int) -> Iterator[tuple[str, Assay]]:
    random = Random(seed)
    for _ in range(VALUES_PER_SEED):
        is_long = random.random() < SHARE_OF_LONG_TEXTS
        make = long_text if is_long else random.choice(KINDS)
        yield make(random), random.choice(ASSAYS)


def _timed(text: str, asked: Assay) -> tuple[str, float]:
    began = process_time()
    category = by_product(text, asked)
    return category, process_time() - began


def _seconds_at_best(text: str, asked: Assay, first: float) -> float:
    """The shortest of up to three tries: a garbage collection is not the text's fault."""
    best = first
    for _ in range(2):
        if best <= LIMIT_SECONDS:
            break
        best = min(best, _timed(text, asked)[1])
    return best


@pytest.mark.parametrize("seed", SEEDS)
def test_no_text_is_read_wrong_or_slowly(seed: int) -> None:
    counts: Counter[str] = Counter()
    wrong, slow = [], []
    for text, asked in _values(seed):
        category, seconds = _timed(text, asked)
        if _seconds_at_best(text, asked, seconds) > LIMIT_SECONDS:
            slow.append((asked.value, text[:80], len(text)))
        second = by_second_reader(text, asked)
        if not agrees(category, second):
            wrong.append((asked.value, text, category, sorted(second)))
        counts["read" if category != UNDECIDED else "missed" if second else "undecided"] += 1
    print(f"seed {seed}: {dict(counts)}")  # noqa: T201
    assert (wrong, slow) == ([], [])
    assert counts["read"] > VALUES_PER_SEED * 0.03, "the fuzz must not be all nonsense"


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_the_product_never_reads_more_than_the_form_says(form: Form) -> None:
    assert by_product(form.text, form.asked) in (form.expected, UNDECIDED)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_the_second_reader_reads_each_form_as_the_table_says(form: Form) -> None:
    second = by_second_reader(form.text, form.asked) or {UNDECIDED}
    assert second == {form.expected}


def test_the_product_reads_the_forms_that_state_a_result() -> None:
    stated = [form for form in FORMS if form.expected != UNDECIDED]
    missed = [str(form) for form in stated if by_product(form.text, form.asked) == UNDECIDED]
    assert len(missed) <= len(stated) * (1 - READ_AT_LEAST), missed
