"""Protects what is refused: each way in which a set of mappings can be wrong is found and named with its place."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.terminology.mapping_files import MappingFile
from adapter.terminology.rules import defects
from adapter.terminology.site import Site
from tests.unit.terminology.mapping_sets import (
    SHIPPED,
    SITE,
    JsonObject,
    naming_system,
    site_map,
    site_words,
)

LOCAL = f"{SITE}/CodeSystem/her2"
LOINC = "http://loinc.org"


@pytest.fixture(scope="module")
def shipped() -> list[MappingFile]:
    from adapter.terminology.mapping_files import read_folder

    return read_folder(SHIPPED)[0]


def of_overlay(shipped: list[MappingFile], *resources: JsonObject) -> list[str]:
    files = [MappingFile(f"{number}.json", resource) for number, resource in enumerate(resources)]
    return defects([shipped, files])


def test_the_shipped_set_has_none(shipped: list[MappingFile]) -> None:
    assert defects([shipped]) == []


def test_a_sites_map_has_none(shipped: list[MappingFile]) -> None:
    assert of_overlay(shipped, site_map("ish-answers", (LOCAL, "1", "positive"))) == []


@pytest.mark.parametrize(
    "element", ["version", "name", "title", "status", "date", "publisher", "description"]
)
def test_missing_metadata_is_named(shipped: list[MappingFile], element: str) -> None:
    resource = site_map("ish-answers", (LOCAL, "1", "positive"))
    del resource[element]

    assert of_overlay(shipped, resource) == [f"0.json: $.{element}: missing"]


@pytest.mark.parametrize(
    ("element", "value", "said"),
    [
        ("status", "retired", "0.json: $.status: retired is not in use (draft or active)"),
        ("version", "one", "0.json: $.version: not a version such as 1.0.0"),
        ("date", "January", "0.json: $.date: not a date such as 2026-01-31"),
        ("url", "https://w3id.org/her2-adapter/x", "is not a url of the site's own"),
        ("resourceType", "Patient", "Patient is none of CodeSystem, ConceptMap, NamingSystem"),
        ("resourceType", "ValueSet", "ValueSet is none of CodeSystem, ConceptMap, NamingSystem"),
        ("resourceType", "", "missing is none of"),
        ("targetUri", "", "$.targetUri: missing is no value set that the adapter maps to"),
        ("targetUri", "http://x.test", "http://x.test is no value set that the adapter maps to"),
        ("group", [], "0.json: $.group: a map without a row"),
    ],
)
def test_wrong_metadata_is_named(
    shipped: list[MappingFile], element: str, value: Any, said: str
) -> None:
    resource = site_map("ish-answers", (LOCAL, "1", "positive"), **{element: value})

    found = of_overlay(shipped, resource)

    assert any(said in defect for defect in found), found


def with_target(**changes: Any) -> JsonObject:
    resource = site_map("ish-answers", (LOCAL, "1", "positive"))
    resource["group"][0]["element"][0]["target"][0].update(changes)
    return resource


@pytest.mark.parametrize(
    ("resource", "said"),
    [
        pytest.param(
            site_map("ish-answers", (LOCAL, "1", "amplified")),
            "unknown target 'amplified'",
            id="a meaning of another test",
        ),
        pytest.param(
            site_map("ish-answers", (LOCAL, "1", "positve")),
            "unknown target 'positve'",
            id="a misspelt meaning",
        ),
        pytest.param(
            site_map("ish-answers", (LOCAL, "1", "positive"), code_system="her2-site"),
            "unknown target 'positive'",
            id="a meaning in a wrong system",
        ),
        pytest.param(
            site_map("ish-answers", ("LOINC", "LA6576-8", "positive")),
            "source system 'LOINC' is not canonical; write 'http://loinc.org'",
            id="another name of a system",
        ),
        pytest.param(
            site_map("ish-answers", ("", "1", "positive")),
            "source system '' is not canonical",
            id="no system",
        ),
        pytest.param(
            site_map("ish-answers", (LOCAL, " 1", "positive")),
            "source code ' 1' is missing or has outer blanks",
            id="a blank before the code",
        ),
        pytest.param(
            site_map("ish-answers", (LOCAL, "", "positive")),
            "source code '' is missing",
            id="no code",
        ),
        pytest.param(
            site_map("test-roles", (LOINC, "85319-0", "ihc"), code_system="her2-test-role"),
            "'85319-0' is no code of http://loinc.org",
            id="a wrong check digit",
        ),
        pytest.param(
            site_map("ish-answers", (LOINC, "10828004", "positive")),
            "'10828004' is no code of http://loinc.org",
            id="a SNOMED code in LOINC",
        ),
        pytest.param(
            site_map("ish-answers", ("http://snomed.info/sct", "LA6576-8", "positive")),
            "'LA6576-8' is no code of http://snomed.info/sct",
            id="a LOINC code in SNOMED",
        ),
        pytest.param(with_target(comment=" "), "no source", id="no source"),
        pytest.param(
            with_target(equivalence="unmatched"), "equivalence 'unmatched'", id="unmatched"
        ),
        pytest.param(with_target(equivalence=""), "equivalence ''", id="no equivalence"),
    ],
)
def test_a_wrong_row_is_named_with_its_place(
    shipped: list[MappingFile], resource: JsonObject, said: str
) -> None:
    found = of_overlay(shipped, resource)

    assert len(found) == 1, found
    assert found[0].startswith("0.json: group[0].element[0].target[0]: ")
    assert said in found[0]


def test_a_row_that_stands_twice_is_named_with_both_places(shipped: list[MappingFile]) -> None:
    resource = site_map("ish-answers", (LOCAL, "1", "positive"), (LOCAL, "1", "positive"))

    assert of_overlay(shipped, resource) == [
        "0.json: group[1].element[0].target[0]: duplicate row: 1 is at"
        " 0.json: group[0].element[0].target[0] already"
    ]


def test_rows_that_contradict_each_other_are_named_across_files(
    shipped: list[MappingFile],
) -> None:
    one = site_map("ish-answers", (LOCAL, "1", "positive"))
    two = site_map("ish-answers", (LOCAL, "1", "negative"), url=f"{SITE}/ConceptMap/two")

    assert of_overlay(shipped, one, two) == [
        "1.json: group[0].element[0].target[0]: contradictory row: 1 is negative here and positive"
        " at 0.json: group[0].element[0].target[0]"
    ]


def test_one_code_may_mean_two_things_under_two_tests(shipped: list[MappingFile]) -> None:
    one = site_map("ish-answers", (LOCAL, "1", "positive"))
    two = site_map("ihc-answers", (LOCAL, "1", "1+"), url=f"{SITE}/ConceptMap/two")

    assert of_overlay(shipped, one, two) == []


def test_a_url_names_one_resource(shipped: list[MappingFile]) -> None:
    one = site_map("ish-answers", (LOCAL, "1", "positive"))
    two = site_map("ihc-answers", (LOCAL, "1", "1+"))

    assert of_overlay(shipped, one, two) == [
        f"1.json: $.url: {SITE}/ConceptMap/local is the url of 0.json already"
    ]


def test_a_set_has_one_version(shipped: list[MappingFile]) -> None:
    one = site_map("ish-answers", (LOCAL, "1", "positive"))
    two = site_map("ihc-answers", (LOCAL, "1", "1+"), url=f"{SITE}/ConceptMap/two", version="0.2.0")

    assert of_overlay(shipped, one, two) == ["0.json: $.version: 0.1.0, but the set has 0.2.0"]


@pytest.mark.parametrize("code", ["51981-9", "85330-9"])
@pytest.mark.parametrize("role", ["ihc", "overall", "generic"])
def test_a_denied_test_stays_denied(shipped: list[MappingFile], code: str, role: str) -> None:
    resource = site_map("test-roles", (LOINC, code, role), code_system="her2-test-role")

    (found,) = of_overlay(shipped, resource)

    assert f"{code} is " in found
    assert f"cannot become {role}" in found


def test_a_site_may_deny_more(shipped: list[MappingFile]) -> None:
    resource = site_map("test-roles", (LOINC, "18474-7", "excluded"), code_system="her2-test-role")

    assert of_overlay(shipped, resource) == []


def test_a_shipped_file_has_a_url_of_ours(shipped: list[MappingFile]) -> None:
    stray = MappingFile("stray.json", {**shipped[0].resource, "url": "http://elsewhere.test/x"})

    assert (
        "stray.json: $.url: http://elsewhere.test/x is not a url below https://w3id.org/her2-adapter"
        in defects([[*shipped, stray]])
    )


def test_a_missing_map_or_code_system_is_named(shipped: list[MappingFile]) -> None:
    left = [
        file for file in shipped if "sides" not in file.name and "category.json" not in file.name
    ]

    found = defects([left])

    assert "the set: $: no ConceptMap to https://w3id.org/her2-adapter/ValueSet/sides" in found
    assert "the set: $: https://w3id.org/her2-adapter/CodeSystem/her2-category is missing" in found


def test_names_of_a_system_need_a_preferred_uri(shipped: list[MappingFile]) -> None:
    (loinc,) = (file for file in shipped if file.name == "namingsystem-loinc.json")
    nameless = MappingFile("namingsystem-loinc.json", {**loinc.resource, "uniqueId": []})
    others = [file for file in shipped if file is not loinc]

    found = defects([[*others, nameless]])

    assert any(f.startswith("namingsystem-loinc.json: $.uniqueId: no preferred uri") for f in found)


def test_no_set_at_all_is_no_crash() -> None:
    assert defects([]) == []


def test_a_value_set_that_composes_nothing_holds_nothing(shipped: list[MappingFile]) -> None:
    (sides,) = (file for file in shipped if file.name == "valueset-sides.json")
    empty = MappingFile(sides.name, {**sides.resource, "compose": "nothing"})
    found = defects([[empty if file is sides else file for file in shipped]])

    assert any("unknown target 'left'" in defect for defect in found)


def test_a_site_cannot_take_a_name_from_another_code_system(shipped: list[MappingFile]) -> None:
    taken = naming_system(LOCAL, LOINC, "Loinc")

    assert of_overlay(shipped, taken) == [
        f"0.json: $.uniqueId: {name} names {LOINC} already, and cannot name {LOCAL}"
        for name in (LOINC, "Loinc")
    ]


def test_a_site_cannot_take_the_beginning_of_other_names(shipped: list[MappingFile]) -> None:
    found = of_overlay(shipped, naming_system(LOCAL, prefix="http://"))

    assert any(f"http:// names {LOINC} already" in defect for defect in found)


def test_a_site_may_name_its_own_and_a_known_system(shipped: list[MappingFile]) -> None:
    assert of_overlay(shipped, naming_system(LOCAL, "her2-local", prefix="urn:lab:")) == []
    assert of_overlay(shipped, naming_system(LOINC, "lab-loinc")) == []


@pytest.mark.parametrize(
    ("phrase", "kind"),
    [
        ("estrogen receptor", "other-analyte"),
        ("estrogen-receptor", "other-analyte"),
        ("not", "negation"),
        ("gastric", "site-other"),
        ("serum", "other-test"),
    ],
)
def test_a_site_cannot_take_away_a_word_that_keeps_a_result_out(
    shipped: list[MappingFile], phrase: str, kind: str
) -> None:
    (defect,) = of_overlay(shipped, site_words("filler", "filler", phrase))

    assert defect.endswith(f"{phrase!r} is {kind} and cannot become filler")


def test_a_site_may_say_which_other_analyte_a_word_names(shipped: list[MappingFile]) -> None:
    assert of_overlay(shipped, site_words("other-analyte", "er-alpha", "estrogen receptor")) == []


def test_a_sites_phrase_of_digits_and_signs_would_have_no_effect(
    shipped: list[MappingFile],
) -> None:
    (defect,) = of_overlay(shipped, site_words("ihc-score", "3+", "2+"))

    assert "'2+' has digits and no letter" in defect


def test_a_system_of_the_sites_own_rows_is_no_name_of_another(shipped: list[MappingFile]) -> None:
    row = MappingFile("0.json", site_map("ish-answers", ("lab-loinc", "LA6576-8", "positive")))
    site = Site(aliases={"lab-loinc": LOINC})
    found = defects([shipped, [row]], [site])

    assert f"names lab-loinc already, and cannot name '{LOINC}'" in found[0]


def test_a_wrong_name_is_one_defect_and_leaves_the_shipped_rows_alone(
    shipped: list[MappingFile],
) -> None:
    (defect,) = defects([shipped, []], [Site(aliases={LOINC: "http://snomed.info/sct"})])

    assert defect.startswith("site.toml: code_systems.")
