"""A new row goes into the overlay without touching what stands there, and only after everything was checked."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from adapter.errors import MappingError
from adapter.terminology import systems
from adapter.terminology.catalogue import load_catalogue
from adapter.terminology.check import check_mappings
from adapter.terminology.mapping_files import MappingFile
from adapter.terminology.overlay import (
    Addition,
    NewCode,
    NewName,
    NewPhrase,
    Stamp,
    extended,
    next_version,
    site_url_of,
)
from adapter.terminology.overlay_folder import add_rows, holds_files
from adapter.terminology.vocabulary import AnswerKind, TestRole
from tests.unit.terminology.mapping_sets import SITE, overlay, site_map

LOINC = "http://loinc.org"
STAMP = Stamp("Dr. B. Novak", "the answer list of our LIS", date(2026, 3, 29), SITE, "Hospital")
ANSWER = NewCode(systems.IHC_ANSWERS, systems.ANSWER_SYSTEM, "urn:lab", "A7", "2+", "two plus")
TEST = NewCode(systems.TEST_ROLES, systems.TEST_ROLE_SYSTEM, "urn:lab", "T1", "ihc")
PHRASE = NewPhrase("überbordend", "result.positive", "result", "positive", "de")
NAME = NewName("urn:ln", LOINC)
ALL = (ANSWER, TEST, PHRASE, NAME)


def test_an_empty_folder_becomes_a_whole_overlay_that_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    add_rows(folder, ALL, STAMP)
    assert check_mappings(overlays=[folder]) == ()
    read = load_catalogue(overlays=[folder])
    answer, test = read.answer(AnswerKind.IHC, "urn:lab", "A7"), read.test_code("urn:lab", "T1")
    assert answer is not None
    assert test is not None
    assert (answer.meaning, test.role) == ("2+", TestRole.IHC)
    assert "überbordend" in {word.phrase for word in read.words()}
    assert read.canonical_system("URN:LN") == LOINC
    assert read.names.form("urn:ln") == "loinc"
    assert read.overlay_versions[0].startswith("0.1.0+")


def test_a_row_says_who_added_it_when_and_why() -> None:
    (file,) = extended((), [ANSWER], STAMP)
    element = file.resource["group"][0]["element"][0]
    assert element["display"] == "two plus"
    assert element["target"][0]["comment"] == (
        "Source: Dr. B. Novak, 2026-03-29: the answer list of our LIS"
    )
    assert (file.url, file.metadata("publisher")) == (
        f"{SITE}/ConceptMap/site-ihc-answers",
        "Hospital",
    )


def test_rows_of_one_system_stand_together_and_what_was_there_stays(tmp_path: Path) -> None:
    folder = overlay(tmp_path / "site", site_map("ihc-answers", ("urn:lab", "A1", "1+")))
    before, after = add_rows(folder, [ANSWER], STAMP)
    (group,) = after[0].resource["group"]
    assert [element["code"] for element in group["element"]] == ["A1", "A7"]
    assert group["element"][:1] == before[0].resource["group"][0]["element"]
    assert json.loads((folder / "0.json").read_text(encoding="utf-8")) == after[0].resource
    assert list(folder.iterdir()) == [folder / "0.json"]


def test_every_file_gets_the_new_version_and_date(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    add_rows(folder, [ANSWER, NAME], STAMP)
    later = Stamp("A. Berg", "", date(2026, 4, 1), SITE, "Hospital")
    _, after = add_rows(folder, [PHRASE], later)
    assert {file.metadata("version") for file in after} == {"0.2.0"}
    assert {file.metadata("date") for file in after} == {"2026-04-01"}


@pytest.mark.parametrize(
    ("versions", "following"),
    [((), "0.1.0"), (("0.1.0",), "0.2.0"), (("1.9.3", "1.10.0"), "1.11.0"), (("new",), "0.1.0")],
)
def test_the_version_goes_on_from_the_highest(versions: tuple[str, ...], following: str) -> None:
    files = [MappingFile(v, {"resourceType": "ConceptMap", "version": v}) for v in versions]
    assert next_version(files) == following


def test_the_files_given_are_not_changed() -> None:
    (file,) = extended((), [ANSWER], STAMP)
    before = json.dumps(file.resource)
    extended([file], [PHRASE, ANSWER], STAMP)
    assert json.dumps(file.resource) == before


@pytest.mark.parametrize(
    ("url", "base"),
    [
        (f"{SITE}/ConceptMap/local", SITE),
        ("https://x.test/CodeSystem/a", "https://x.test"),
        ("urn:uuid:1", ""),
    ],
)
def test_the_urls_of_new_files_follow_those_that_are_there(url: str, base: str) -> None:
    assert site_url_of([MappingFile("a", {"resourceType": "ConceptMap", "url": url})]) == base


@pytest.mark.parametrize(
    ("addition", "says"),
    [
        (NewCode(systems.IHC_ANSWERS, systems.ANSWER_SYSTEM, "urn:lab", "A1", "2+"), "contradict"),
        (
            NewCode(systems.IHC_ANSWERS, systems.ANSWER_SYSTEM, "urn:lab", "A2", "two"),
            "unknown tar",
        ),
        (
            NewCode(systems.TEST_ROLES, systems.TEST_ROLE_SYSTEM, LOINC, "99-1", "ihc"),
            "check digit",
        ),
        (
            NewCode(systems.TEST_ROLES, systems.TEST_ROLE_SYSTEM, LOINC, "16112-5", "ihc"),
            "cannot become ihc",
        ),
        (NewPhrase("Positiv", "result.positive", "result", "positive"), "not in lower case"),
        (NewPhrase("x", "result.positive", "result", "positive", " de"), "language"),
        (NewName("urn:lab", LOINC), "is not canonical"),
    ],
    ids=["contradiction", "no-meaning", "check-digit", "other-marker", "case", "not-r4", "alias"],
)
def test_a_row_that_would_be_a_defect_is_refused_and_nothing_written(
    tmp_path: Path, addition: Addition, says: str
) -> None:
    folder = overlay(tmp_path / "site", site_map("ihc-answers", ("urn:lab", "A1", "1+")))
    before = (folder / "0.json").read_bytes()
    with pytest.raises(MappingError, match=says):
        add_rows(folder, [addition], STAMP)
    assert [(file.name, file.read_bytes()) for file in folder.iterdir()] == [("0.json", before)]


def test_an_overlay_with_a_defect_is_refused_before_it_is_extended(tmp_path: Path) -> None:
    folder = overlay(tmp_path / "site", {"resourceType": "ConceptMap"})
    with pytest.raises(MappingError, match=r"0\.json: \$\.url: missing"):
        add_rows(folder, [ANSWER], STAMP)
    (folder / "0.json").write_text("{", encoding="utf-8")
    with pytest.raises(MappingError, match="cannot be read as JSON"):
        add_rows(folder, [ANSWER], STAMP)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MappingError, match="cannot be written"):
        add_rows(tmp_path / "file" / "site", [ANSWER], STAMP)


def test_a_refused_first_row_makes_no_folder(tmp_path: Path) -> None:
    wrong = NewCode(systems.IHC_ANSWERS, systems.ANSWER_SYSTEM, "urn:lab", "A2", "two")
    with pytest.raises(MappingError):
        add_rows(tmp_path / "site", [wrong], STAMP)
    assert not (tmp_path / "site").exists()
    assert not holds_files(tmp_path / "site")
