"""Protects the report of what an overlay adds and overrides: rows, reasons, phrases and names, each once."""

from __future__ import annotations

from pathlib import Path

from adapter.terminology.catalogue import load_catalogue
from adapter.terminology.differences import Difference, differences
from tests.unit.terminology.mapping_sets import (
    SITE,
    naming_system,
    overlay,
    site_map,
    site_toml,
    site_words,
)

LOCAL = f"{SITE}/CodeSystem/her2"
LOINC = "http://loinc.org"
MAP = f"{SITE}/ConceptMap/local"


def of(*overlays: Path) -> tuple[Difference, ...]:
    return differences(load_catalogue(), load_catalogue(overlays=overlays))


def test_a_set_differs_from_itself_in_nothing() -> None:
    assert of() == ()


def test_an_added_row_has_no_meaning_before(tmp_path: Path) -> None:
    folder = overlay(tmp_path, site_map("ihc-answers", (LOCAL, "zwei", "2+")))

    assert of(folder) == (Difference("ihc-answers", LOCAL, "zwei", None, "2+", MAP),)
    assert not of(folder)[0].overrides


def test_an_overridden_row_has_both_meanings_and_comes_first(tmp_path: Path) -> None:
    rows = ((LOCAL, "a", "2+"), (LOINC, "LA11840-8", "0"))
    first, second = of(overlay(tmp_path, site_map("ihc-answers", *rows)))

    assert (first.code, first.before, first.after) == ("LA11840-8", "unreadable", "0")
    assert first.overrides
    assert second.code == "a"


def test_the_same_meaning_from_another_file_is_no_difference(tmp_path: Path) -> None:
    row = (LOINC, "LA6576-8", "positive")

    assert of(overlay(tmp_path, site_map("ihc-answers", row))) == ()


def test_another_reason_of_an_exclusion_is_a_difference(tmp_path: Path) -> None:
    shipped = load_catalogue().test_code(LOINC, "51981-9")
    assert shipped is not None
    row = (LOINC, "51981-9", "excluded")
    (one,) = of(overlay(tmp_path, site_map("test-roles", row, code_system="her2-test-role")))

    assert (one.before, one.after) == (f"excluded ({shipped.reason})", "excluded")


def test_a_phrase_is_overridden_however_it_is_spelt(tmp_path: Path) -> None:
    folder = overlay(tmp_path, site_words("result", "negative", "non-amplified", "nada"))
    changed = {one.code: one for one in of(folder)}

    assert set(changed) == {"non-amplified", "nada"}
    before = changed["non-amplified"].before
    assert before is not None
    assert before.startswith("ish-result: ")
    assert changed["non-amplified"].after == "result: negative"
    assert changed["nada"].before is None


def test_a_name_of_a_code_system_is_a_difference(tmp_path: Path) -> None:
    toml = site_toml(tmp_path / "a", f'[code_systems]\n"lab-loinc" = "{LOINC}"')
    json = overlay(tmp_path / "b", naming_system(LOCAL, "her2-local", prefix="urn:lab:"))
    found = {one.code: one.after for one in of(toml, json)}

    assert found == {
        "lab-loinc": LOINC,
        LOCAL.lower(): LOCAL,
        "her2-local": LOCAL,
        "urn:lab:…": LOCAL,
    }


def test_what_is_gone_has_no_meaning_after(tmp_path: Path) -> None:
    folder = overlay(tmp_path, site_map("ihc-answers", (LOCAL, "zwei", "2+")))
    (one,) = differences(load_catalogue(overlays=[folder]), load_catalogue())

    assert (one.before, one.after, one.map) == ("2+", None, MAP)
