"""Every spelling of HER2 that the recogniser reads as one is searched for, in few words."""

from __future__ import annotations

import pytest

from adapter.terminology.catalogue import load_catalogue
from adapter.terminology.search_names import search_names
from adapter.terminology.vocabulary import MapRow, Word, WordKind

NAMES = load_catalogue().search_names()


@pytest.mark.parametrize(
    "name",
    [
        "HER2",
        "HER-2/neu",
        "her 2",
        "Her2neuStatus",
        "c-erbB-2",
        "C erbB 2",
        "c-erbB2",
        "CerbB2",
        "ERBB2 gene duplication",
        "HercepTest",
        "IHC HER2",
        "FISH HER-2",
        "Human epidermal growth factor receptor 2",
    ],
)
def test_a_name_of_her2_begins_as_it_is_searched_for(name: str) -> None:
    assert any(name.lower().startswith(beginning) for beginning in NAMES)


@pytest.mark.parametrize("name", ["Hemoglobin", "HER3", "Heroin", "IHC ER", "EGFR"])
def test_another_name_is_not_searched_for(name: str) -> None:
    assert not any(name.lower().startswith(beginning) for beginning in NAMES)


def test_no_beginning_covers_another() -> None:
    assert not [a for a in NAMES for b in NAMES if a != b and a.startswith(b)]


def test_all_fit_one_parameter() -> None:
    assert len(",".join(NAMES)) < 2500


def test_a_name_that_a_site_adds_is_searched_for() -> None:
    row = MapRow(map="m", system="s", code="c", meaning="her2", display="")
    added = Word("neu antigen", WordKind.HER2, "her2", "*", row)
    assert search_names([added]) == ("neu antigen",)
