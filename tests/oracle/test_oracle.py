"""Who judges the judge: the oracle gives the fixtures' categories, finds each planted error, and refuses to guess."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.site import Site
from tests.oracle import Content, NotCovered, content_of_fake, differences, expected
from tests.oracle.reading import REPEAT_NOTE

FIXTURES = Path(__file__).parents[2] / "fixtures"
CASES = sorted(path.parent.name for path in FIXTURES.glob("*/expected.json"))
FAINT = "0 (faint incomplete membrane staining in 5 % of tumor cells)"


def resources_of(case: str) -> list[dict[str, Any]]:
    bundle = json.loads((FIXTURES / case / "input.json").read_text("utf-8"))
    return [entry["resource"] for entry in bundle["entry"]]


@pytest.mark.parametrize("case", CASES)
def test_it_gives_what_each_fixture_says(case: str) -> None:
    rows = json.loads((FIXTURES / case / "expected.json").read_text("utf-8"))
    wanted = {
        (row["category"], row["subject"], frozenset(row["sources"]))
        for row in rows
        if row["kind"] == "case"
    }

    found = expected(resources_of(case)).records

    assert {(one.category, one.subject, one.derived_from) for one in found} == wanted


def site_with_results() -> Site:
    site = Site()
    for patient, score in (("anna", "1+"), ("berta", "3+"), ("clara", "2+")):
        site.laboratory.ihc(patient, score)
    site.laboratory.fish("clara", "Amplified")
    site.laboratory.ihc("dora", "0")
    site.settle()
    site.laboratory.amend("Observation/ihc-anna-a", "2+")
    site.laboratory.take_back("Observation/ihc-dora-a")
    site.settle()
    return site


def test_a_server_that_is_right_has_no_differences() -> None:
    site = site_with_results()

    assert differences(content_of_fake(site.server)) == []
    assert len(site.derived()) == 4


def derived_of(site: Site, patient: str) -> dict[str, Any]:
    (one,) = [one for one in site.derived() if one["subject"]["reference"] == f"Patient/{patient}"]
    return one


def lose(site: Site) -> None:
    del site.server.versions[f"Observation/{derived_of(site, 'anna')['id']}"]


def withdraw(site: Site) -> None:
    site.server.change(f"Observation/{derived_of(site, 'anna')['id']}", status="entered-in-error")


def double(site: Site) -> None:
    site.server.put({**derived_of(site, "anna"), "id": "another"})


def double_under_another_name(site: Site) -> None:
    one = derived_of(site, "anna")
    named = [{**one["identifier"][0], "value": "another"}]
    site.server.put({**one, "id": "another", "identifier": named})


def leave_stale(site: Site) -> None:
    site.laboratory.fish("anna", "Amplified")


def leave_standing(site: Site) -> None:
    site.laboratory.take_back("Observation/ihc-berta-a")


def delete_the_source(site: Site) -> None:
    site.server.delete("Observation/ihc-berta-a")


def change_the_category(site: Site) -> None:
    one = derived_of(site, "berta")
    value = copy.deepcopy(one["valueCodeableConcept"])
    value["coding"][0]["code"] = "low"
    site.server.change(f"Observation/{one['id']}", valueCodeableConcept=value)


def change_the_patient(site: Site) -> None:
    one = derived_of(site, "berta")
    site.server.change(f"Observation/{one['id']}", subject={"reference": "Patient/anna"})


def name_other_sources(site: Site) -> None:
    one = derived_of(site, "clara")
    site.server.change(f"Observation/{one['id']}", derivedFrom=one["derivedFrom"][:1])


def change_the_status(site: Site) -> None:
    site.server.change(f"Observation/{derived_of(site, 'berta')['id']}", status="preliminary")


def remove_a_provenance(site: Site) -> None:
    (one, *_) = site.provenances(derived_of(site, "berta"))
    del site.server.versions[f"Provenance/{one['id']}"]


def add_a_provenance(site: Site) -> None:
    (one, *_) = site.provenances(derived_of(site, "berta"))
    site.server.put({**one, "id": "another"})


def orphan_a_provenance(site: Site) -> None:
    lose(site)
    site.laboratory.take_back("Observation/ihc-anna-a")


def miss_a_new_result(site: Site) -> None:
    site.laboratory.ihc("emma", "1+")


PLANTED: list[tuple[Callable[[Site], None], str]] = [
    (lose, "lost: equivocal of Patient/anna"),
    (withdraw, "lost: equivocal of Patient/anna"),
    (miss_a_new_result, "lost: low of Patient/emma"),
    (double, "doubled:"),
    (double_under_another_name, "extra: another stands"),
    (leave_stale, "stale:"),
    (leave_stale, "wrong:"),
    (leave_standing, "extra:"),
    (delete_the_source, "extra:"),
    (change_the_category, "says low, it must be positive"),
    (change_the_patient, "is of Patient/anna, not of Patient/berta"),
    (change_the_status, "is preliminary, which is not settled"),
    (name_other_sources, "stale:"),
    (remove_a_provenance, "provenance: 0 for 1 versions"),
    (add_a_provenance, "provenance: 2 for 1 versions"),
    (orphan_a_provenance, "orphan:"),
]


@pytest.mark.parametrize(("plant", "sentence"), PLANTED)
def test_it_finds_each_planted_error(plant: Callable[[Site], None], sentence: str) -> None:
    site = site_with_results()
    plant(site)

    found = differences(content_of_fake(site.server))

    assert any(sentence in line for line in found), found


def test_without_a_history_it_still_asks_for_a_provenance_of_what_stands() -> None:
    site = site_with_results()
    remove_a_provenance(site)
    content = Content(content_of_fake(site.server).resources)

    assert any(line.startswith("provenance: none for") for line in differences(content))


SAMPLES = [
    ([("85319-2", "1+", {}), ("85318-4", "Amplified", {})], "positive"),
    ([("85319-2", FAINT, {}), ("85318-4", "Negative", {})], "ultralow"),
    ([("85319-2", "2+", {"status": "preliminary"})], "pending-ihc"),
    ([("85319-2", "2+", {"status": "registered"})], None),
    ([("85319-2", "2+", {"status": "unknown"})], "needs-review"),
    ([("85318-4", "Negative", {"status": "preliminary"})], None),
    ([("85318-4", "Equivocal", {})], "pending-ihc"),
    (
        [("85319-2", "1+", {"status": "cancelled"}), ("48676-1", "Negative", {})],
        "negative-unspecified",
    ),
    ([("85319-2", "1+", {}), ("48676-1", "Negative", {})], "low"),
    ([("85319-2", "1+", {}), ("48676-1", "Positive", {})], "needs-review"),
    ([("85319-2", "2+", {}), ("85318-4", "Equivocal", {}), ("48676-1", "Negative", {})], "low"),
    ([("85319-2", "Positive", {}), ("18474-7", "3+", {})], "positive"),
    ([("85319-2", "Positive", {}), ("18474-7", "1+", {})], "needs-review"),
    ([("85319-2", "1+", {}), ("18474-7", "3+", {"note": [{"text": REPEAT_NOTE}]})], "positive"),
    ([("85318-4", "Amplified", {}), ("31150-6", "Not amplified", {})], "needs-review"),
]


@pytest.mark.parametrize(("results", "category"), SAMPLES)
def test_it_follows_the_rules_and_so_does_the_adapter(
    results: list[tuple[str, str, dict[str, Any]]], category: str | None
) -> None:
    site = Site()
    for number, (code, text, elements) in enumerate(results):
        made = site.laboratory.result("anna", code, text, **elements)
        site.server.put({**made, "id": f"r{number}"})
    site.settle()

    assert expected(content_of_fake(site.server).resources).categories() == (
        {"Patient/anna": [category]} if category else {}
    )
    assert differences(content_of_fake(site.server)) == []


STRANGE: list[dict[str, Any]] = [
    {"valueCodeableConcept": {"text": "strongly positive in parts"}},
    {
        "valueCodeableConcept": {
            "coding": [{"system": "http://snomed.info/sct", "code": "10828004"}]
        }
    },
    {"code": {"coding": [{"system": "http://loinc.org", "code": "85337-4"}]}},
    {"code": {"text": "HER2"}},
    {"code": {"coding": [{"system": "http://loinc.org", "code": "85319-2", "display": "CA 15-3"}]}},
    {"status": "done"},
    {"note": [{"text": "See the report."}]},
    {"method": {"text": "by hand"}},
    {"modifierExtension": [{"url": "http://example.com/not", "valueBoolean": True}]},
    {"effectiveDateTime": "2026"},
    {"effectiveDateTime": "2012-05-05"},
    {"interpretation": [{"text": "negative"}]},
    {"subject": {"reference": "Group/1"}},
]


@pytest.mark.parametrize("elements", STRANGE)
def test_it_says_loudly_what_it_does_not_cover(elements: dict[str, Any]) -> None:
    site = Site()
    site.server.put({**site.laboratory.result("anna", "85319-2", "1+"), **elements})

    with pytest.raises(NotCovered):
        expected(content_of_fake(site.server).resources)
