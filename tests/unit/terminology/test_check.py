"""Protects `mappings check`: what a reviewer must know before a set is shipped, beyond what start refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from adapter.terminology.check import check_mappings
from tests.unit.terminology.mapping_sets import (
    SITE,
    JsonObject,
    change,
    copy_of_shipped,
    overlay,
    site_map,
)

BASE = "https://w3id.org/her2-adapter"


def drop_rows(*codes: str) -> Callable[[JsonObject], None]:
    def drop(resource: JsonObject) -> None:
        for group in resource["group"]:
            group["element"] = [e for e in group["element"] if e["code"] not in codes]

    return drop


def drop_meaning(meaning: str) -> Callable[[JsonObject], None]:
    def drop(resource: JsonObject) -> None:
        for group in resource["group"]:
            group["element"] = [e for e in group["element"] if e["target"][0]["code"] != meaning]
        resource["group"] = [group for group in resource["group"] if group["element"]]

    return drop


def drop_concept(code: str) -> Callable[[JsonObject], None]:
    def drop(resource: JsonObject) -> None:
        resource["concept"] = [c for c in resource["concept"] if c["code"] != code]

    return drop


def add_concept(code: str) -> Callable[[JsonObject], None]:
    def add(resource: JsonObject) -> None:
        resource["concept"].append({"code": code, "display": code, "definition": code})

    return add


def drop_kind(kind: str) -> Callable[[JsonObject], None]:
    def drop(resource: JsonObject) -> None:
        resource["concept"] = [
            c for c in resource["concept"] if c["property"][0]["valueCode"] != kind
        ]

    return drop


def drop_word(kind: str, meaning: str) -> Callable[[JsonObject], None]:
    def drop(resource: JsonObject) -> None:
        resource["concept"] = [
            c
            for c in resource["concept"]
            if [p.get("valueCode") or p.get("valueString") for p in c["property"]]
            != [kind, meaning]
        ]

    return drop


def add_row(system: str, code: str) -> Callable[[JsonObject], None]:
    def add(resource: JsonObject) -> None:
        group = next(g for g in resource["group"] if g["source"] == system)
        group["element"].append({**group["element"][0], "code": code})

    return add


def drop_group(system: str) -> Callable[[JsonObject], None]:
    def drop(resource: JsonObject) -> None:
        resource["group"] = [g for g in resource["group"] if g["source"] != system]

    return drop


def drop_member(code: str) -> Callable[[JsonObject], None]:
    def drop(resource: JsonObject) -> None:
        for include in resource["compose"]["include"]:
            include["concept"] = [c for c in include["concept"] if c["code"] != code]

    return drop


def drop_reasons(resource: JsonObject) -> None:
    for group in resource["group"]:
        for element in group["element"]:
            element["target"][0].pop("product", None)


def test_the_shipped_set_is_clean() -> None:
    assert check_mappings() == ()


def test_a_sites_overlay_is_checked_with_it(tmp_path: Path) -> None:
    good = overlay(tmp_path / "good", site_map("ihc-answers", (SITE, "x", "1+")))
    bad = overlay(tmp_path / "bad", site_map("ihc-answers", (SITE, "x", "1+"), status=7))

    assert check_mappings(overlays=[good]) == ()
    assert any(d.startswith("0.json: $.status") for d in check_mappings(overlays=[bad]))


@pytest.mark.parametrize(
    ("name", "how", "said"),
    [
        pytest.param(
            "conceptmap-sides.json",
            lambda r: r.update(experimental="maybe"),
            "conceptmap-sides.json: $.experimental: ",
            id="a wrong type",
        ),
        pytest.param(
            "conceptmap-sides.json",
            lambda r: r["group"][0]["element"][0].update(colour="red"),
            "conceptmap-sides.json: $.group[0].element[0].colour: ",
            id="an element that FHIR does not have",
        ),
        pytest.param(
            "conceptmap-sides.json",
            lambda r: r.update(resourceType="Sides"),
            "conceptmap-sides.json: $.resourceType: Sides is none of",
            id="a resource that FHIR does not have",
        ),
        pytest.param(
            "conceptmap-test-codes.json",
            drop_rows("85319-2"),
            "85319-2 of http://loinc.org is in the value set only",
            id="a recognised test without a row",
        ),
        pytest.param(
            "valueset-excluded-tests.json",
            lambda r: r["compose"]["include"][0]["concept"].pop(0),
            "72383-3 of http://loinc.org is in the map only",
            id="an excluded test that is not listed",
        ),
        pytest.param(
            "conceptmap-answers-ish.json",
            drop_meaning("group-3"),
            f"the set: {BASE}/ValueSet/ish-answers: no row maps to 'group-3'",
            id="a group that nothing reaches",
        ),
        pytest.param(
            "conceptmap-test-codes.json",
            drop_meaning("panel"),
            f"the set: {BASE}/ValueSet/test-roles: no row maps to 'panel'",
            id="a role that nothing reaches",
        ),
        pytest.param(
            "codesystem-her2-category.json",
            drop_concept("low"),
            "codesystem-her2-category.json: $.concept: 'low' is missing",
            id="a category that is not defined",
        ),
        pytest.param(
            "codesystem-her2-answer.json",
            add_concept("maybe"),
            "codesystem-her2-answer.json: $.concept: 'maybe' is unknown to the core",
            id="an answer that the core does not know",
        ),
        pytest.param(
            "codesystem-her2-exclusion.json",
            add_concept("whim"),
            "codesystem-her2-exclusion.json: $.concept: 'whim' is used by no row",
            id="a reason that nothing uses",
        ),
        pytest.param(
            "codesystem-her2-exclusion.json",
            drop_concept("her3"),
            "codesystem-her2-exclusion.json: $.concept: 'her3' is used, but missing",
            id="a reason that is not defined",
        ),
        pytest.param(
            "codesystem-her2-site.json",
            add_concept("middle"),
            "codesystem-her2-site.json: $.concept: 'middle' is used by no row",
            id="a site that nothing uses",
        ),
        pytest.param(
            "codesystem-her2-site.json",
            drop_concept("left"),
            "valueset-sides.json: $.compose: 'left' is no code of",
            id="a value set that lists what is not defined",
        ),
        pytest.param(
            "codesystem-her2-word.json",
            drop_kind("side"),
            f"the set: {BASE}/CodeSystem/her2-word: no phrase of kind 'side'",
            id="a kind of word without words",
        ),
        pytest.param(
            "conceptmap-answers-overall.json",
            drop_meaning("negative-or-equivocal"),
            f"the set: {BASE}/ValueSet/overall-answers: no row maps to 'negative-or-equivocal'",
            id="a meaning of an answer that nothing reaches",
        ),
        pytest.param(
            "conceptmap-test-methods.json",
            drop_meaning("ish"),
            f"the set: {BASE}/ValueSet/test-methods: no row maps to 'ish'",
            id="a method that nothing reaches",
        ),
        pytest.param(
            "conceptmap-tumour-sites.json",
            drop_meaning("secondary"),
            f"the set: {BASE}/ValueSet/tumour-sites: no row maps to 'secondary'",
            id="a site that nothing reaches",
        ),
        pytest.param(
            "codesystem-her2-word.json",
            drop_word("comparator", "<="),
            f"the set: {BASE}/CodeSystem/her2-word: no phrase of kind 'comparator' means '<='",
            id="a meaning of a word without words",
        ),
        pytest.param(
            "valueset-overall-answers.json",
            drop_member("negative-or-equivocal"),
            "codesystem-her2-answer.json: $.concept: 'negative-or-equivocal' is in no value set"
            " of answers",
            id="an answer that no row may use",
        ),
        pytest.param(
            "conceptmap-genes.json",
            drop_group("http://www.genenames.org/geneId"),
            "namingsystem-hgnc.json: $.uniqueId: no row has a code of"
            " http://www.genenames.org/geneId",
            id="names of a system that nothing uses",
        ),
        pytest.param(
            "conceptmap-answers-ihc.json",
            add_row("http://cap.org/eCC", "85319-2"),
            "85319-2 has the form of LOINC, not of http://cap.org/eCC",
            id="a code of LOINC under another system",
        ),
        pytest.param(
            "conceptmap-answers-ihc.json",
            add_row("http://cap.org/eCC", "1381317004"),
            "1381317004 has the form of SNOMED CT, not of http://cap.org/eCC",
            id="a code of SNOMED CT under another system",
        ),
        pytest.param(
            "conceptmap-test-codes.json",
            drop_reasons,
            "72383-3 needs a reason",
            id="a denied test without a reason",
        ),
        pytest.param(
            "conceptmap-answers-ihc.json",
            lambda r: r.pop("copyright"),
            "conceptmap-answers-ihc.json: $.copyright: missing, but codes of http://loinc.org,"
            " http://snomed.info/sct are named",
            id="a map without a licence",
        ),
        pytest.param(
            "valueset-excluded-tests.json",
            lambda r: r.pop("copyright"),
            "valueset-excluded-tests.json: $.copyright: missing",
            id="a value set without a licence",
        ),
    ],
)
def test_a_defect_is_named_with_its_place(
    tmp_path: Path, name: str, how: Callable[[JsonObject], None], said: str
) -> None:
    folder = copy_of_shipped(tmp_path)
    change(folder, name, how)

    found = check_mappings(folder)

    assert any(said in defect for defect in found), found


def test_a_missing_file_is_named_by_its_url(tmp_path: Path) -> None:
    folder = copy_of_shipped(tmp_path)
    (folder / "codesystem-her2-category.json").unlink()

    found = check_mappings(folder)

    assert f"{BASE}/CodeSystem/her2-category: $.concept: 'low' is missing" in found


def test_a_folder_that_is_not_there_is_one_defect_among_others(tmp_path: Path) -> None:
    assert f"{tmp_path / 'none'}: $: no such folder" in check_mappings(tmp_path / "none")


def test_each_defect_is_said_once(tmp_path: Path) -> None:
    folder = copy_of_shipped(tmp_path)
    change(folder, "conceptmap-genes.json", lambda r: r.pop("version"))

    found = check_mappings(folder)

    assert len(found) == len(set(found))
