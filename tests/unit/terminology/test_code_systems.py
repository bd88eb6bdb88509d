"""Protects the names of code systems and the check digits: a slip in either finds nothing, or the wrong thing."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.terminology.code_systems import (
    other_scheme,
    preferred_uri,
    read_names,
    well_formed,
)
from adapter.terminology.mapping_files import MappingFile
from adapter.terminology.systems import CODE_FORM_EXTENSION, PREFIX_EXTENSION


def naming(*ids: dict[str, Any], form: str = "") -> MappingFile:
    extension = [{"url": CODE_FORM_EXTENSION, "valueCode": form}] if form else []
    resource = {"resourceType": "NamingSystem", "extension": extension, "uniqueId": list(ids)}
    return MappingFile("names.json", resource)


URI = {"type": "uri", "value": "http://codes.test/a", "preferred": True}


@pytest.mark.parametrize(
    "code",
    ["85319-2", "18474-7", "48676-1", "104279-5", "1-8", "LA6576-8", "LA0-9", "LL4396-9", "LP1-1"],
)
def test_a_loinc_code_is_well_formed(code: str) -> None:
    assert well_formed(code, "loinc")


@pytest.mark.parametrize(
    "code",
    [
        "85319-0",
        "85319-3",
        "85319",
        "85319-",
        "-2",
        "85319-22",
        "85319-x",
        "LA-8",
        "LAx-8",
        "４8676-1",
        "",
    ],
)
def test_a_code_that_loinc_cannot_have_is_noticed(code: str) -> None:
    assert not well_formed(code, "loinc")


@pytest.mark.parametrize("code", ["10828004", "260385009", "3550001000004108", "476171000210109"])
def test_a_snomed_identifier_is_well_formed(code: str) -> None:
    assert well_formed(code, "sctid")


@pytest.mark.parametrize(
    "code", ["10828001", "10828040", "12345", "85319-2", "1" * 19, "１0828004", ""]
)
def test_a_code_that_snomed_ct_cannot_have_is_noticed(code: str) -> None:
    assert not well_formed(code, "sctid")


def test_a_system_without_a_stated_form_takes_any_code() -> None:
    assert well_formed("N1", "")


def test_every_name_leads_to_the_preferred_uri() -> None:
    names = read_names(
        [naming(URI, {"type": "oid", "value": "1.2.3"}, {"type": "other", "value": "A"})]
    )

    assert {names.canonical(name) for name in ("http://codes.test/a", "1.2.3", "a", " A ")} == {
        "http://codes.test/a"
    }


def test_an_unknown_name_only_loses_its_outer_blanks() -> None:
    assert read_names([]).canonical(" http://Codes.test/B ") == "http://Codes.test/B"


def test_a_beginning_identifies_only_where_it_is_marked_as_one() -> None:
    marked = {
        "type": "other",
        "value": "http://codes.test/a/",
        "extension": [{"url": PREFIX_EXTENSION, "valueBoolean": True}],
    }
    names = read_names([naming(URI, marked)])

    assert names.canonical("http://codes.test/a/edition/7") == "http://codes.test/a"
    assert names.canonical("http://codes.test/another") == "http://codes.test/another"


def test_a_form_belongs_to_the_system_under_all_its_names() -> None:
    names = read_names([naming(URI, {"type": "other", "value": "A"}, form="loinc")])

    assert names.form("A") == names.form("http://codes.test/a") == "loinc"
    assert names.form("http://codes.test/b") == ""


def test_other_resources_name_no_system() -> None:
    file = MappingFile("other.json", {"resourceType": "CodeSystem", "uniqueId": [URI]})

    assert read_names([file]).exact == {}


def test_without_a_preferred_uri_there_is_no_canonical_url() -> None:
    assert preferred_uri(naming({"type": "uri", "value": "http://codes.test/a"})) == ""


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("http://cap.test/eCC", "https://cap.test/eCC"),
        ("https://cap.test/eCC/", "http://cap.test/eCC"),
        ("urn:oid:1.2.3", "urn:oid:1.2.3"),
        ("LOINC", "LOINC"),
    ],
)
def test_a_url_has_one_other_scheme(url: str, other: str) -> None:
    assert other_scheme(url) == other
