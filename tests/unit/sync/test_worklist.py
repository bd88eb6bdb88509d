"""What could not be read is listed for a person, and nothing of a patient with it.

Protects the unmapped worklist: what is on it, its grouping, and its privacy.
"""

from __future__ import annotations

import pytest

from adapter.sync.worklist import known_words, shape_of
from tests.fakes.site import Site, catalogue


def test_results_that_could_not_be_read_are_listed_once_with_an_example() -> None:
    site = Site()
    for patient in ("anna", "berta"):
        site.laboratory.ihc(patient, "see Dr. Meier's letter of 12.03.2026")
    site.settle()
    site.run(full_sweep=True)
    (item,) = site.store.unmapped()
    assert item.count == 2
    assert item.example in ("Observation/ihc-anna-a", "Observation/ihc-berta-a")
    assert "Meier" not in item.pattern
    assert "12" not in item.pattern


def test_results_that_were_read_are_not_listed() -> None:
    site = Site()
    site.laboratory.ihc("anna", "2+")
    site.settle()
    assert site.store.unmapped() == ()


def test_a_dry_run_lists_nothing() -> None:
    site = Site()
    site.laboratory.ihc("anna", "gibberish")
    site.run(dry_run=True)
    assert site.store.unmapped() == ()


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("Score 2+", "score 9+"),
        ("Erika Mustermann, *1950-01-02", "…, …9999-99-99"),
        ("HER2: whatnot strongly in 30 %", "her9: … strongly in 99 %"),
        ("2+\nJos\u00e9", "9+ …"),
        ("", ""),
    ],
    ids=["known-words", "a-name-and-a-date", "mixed", "lines-and-accents", "empty"],
)
def test_only_words_of_the_vocabulary_are_shown(text: str, shape: str) -> None:
    assert shape_of(text, known_words(catalogue())) == shape
