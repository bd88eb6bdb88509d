"""Protects searching: which resources match, and that what is not understood is not ignored."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
import requests

from adapter.sandbox.rules import ServerRules
from adapter.sandbox.server import Sandbox
from tests.unit.sandbox.client import (
    FISH,
    IHC,
    LOINC,
    Client,
    Json,
    ids,
    issue,
    link,
    observation,
    patient,
    reference,
)

SYSTEM = "http://hospital.test/mrn"


def test_codes_match_with_and_without_their_system(fhir: Client, woman: Json) -> None:
    ihc = fhir.stored(observation(IHC, subject=reference(woman)))["id"]
    local = {"coding": [{"code": IHC}, {"system": "http://local.test", "code": "her2"}]}
    own = fhir.stored({**observation(subject=reference(woman)), "code": local})["id"]
    fish = fhir.stored(observation(FISH, subject=reference(woman)))["id"]
    of_her = ("patient", woman["id"])

    def found(code: str) -> set[str]:
        return set(fhir.found("Observation", of_her, ("code", code)))

    assert found(IHC) == {ihc, own}
    assert found(f"{LOINC}|{IHC}") == {ihc}
    assert found(f"|{IHC}") == {own}
    assert found(f"{LOINC}|") == {ihc, fish}
    assert found(f"http://other.test|{IHC}") == set()
    assert found(f"{LOINC}|{IHC},{LOINC}|{FISH}") == {ihc, fish}
    assert found("her2,nothing") == {own}


def test_repeated_parameters_all_have_to_match(fhir: Client, woman: Json) -> None:
    both = [{"coding": [{"system": "http://c.test", "code": one}]} for one in ("lab", "derived")]
    one = fhir.stored(observation(subject=reference(woman), category=both[:1]))["id"]
    two = fhir.stored(observation(subject=reference(woman), category=both))["id"]
    of_her = ("patient", woman["id"])
    assert set(fhir.found("Observation", of_her, ("category", "lab"))) == {one, two}
    lab_and_derived = (("category", "lab"), ("category", "derived"))
    assert fhir.found("Observation", of_her, *lab_and_derived) == [two]


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [("code", {"report"}), ("component-code", {"panel"}), ("combo-code", {"report", "panel"})],
)
def test_component_codes_are_apart_from_the_code(
    fhir: Client, woman: Json, parameter: str, expected: set[str]
) -> None:
    component = [{"code": observation(IHC)["code"], "valueString": "2+"}]
    stored = {
        "report": fhir.stored(observation(IHC, subject=reference(woman)))["id"],
        "panel": fhir.stored(observation("48676-1", subject=reference(woman), component=component))[
            "id"
        ],
    }
    found = fhir.found("Observation", ("patient", woman["id"]), (parameter, f"{LOINC}|{IHC}"))
    assert set(found) == {stored[name] for name in expected}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HER2", {"display", "text"}),
        ("her2 by", {"display"}),
        ("HÉR2", {"display", "text"}),
        ("HER2  Status", {"text"}),
        ("status", set()),
        ("er-2,her2 status", {"text"}),
    ],
)
def test_the_text_of_a_code_matches_from_the_left(
    fhir: Client, woman: Json, text: str, expected: set[str]
) -> None:
    display = {"coding": [{"system": LOINC, "code": IHC, "display": "HER2 by Immune stain"}]}
    stored = {
        "display": {**observation(subject=reference(woman)), "code": display},
        "text": {**observation(subject=reference(woman)), "code": {"text": "Her2 status"}},
        "other": {**observation(subject=reference(woman)), "code": {"text": "Ki-67"}},
    }
    named = {name: fhir.stored(content)["id"] for name, content in stored.items()}
    found = fhir.found("Observation", ("patient", woman["id"]), ("code:text", text))
    assert set(found) == {named[name] for name in expected}


@pytest.mark.parametrize(
    ("value", "matches"),
    [
        (f"{SYSTEM}|A,B|1", False),
        (rf"{SYSTEM}|A\,B\|1", True),
        (r"A\,B\|1", True),
        (f"{SYSTEM}|", True),
        (r"|A\,B\|1", False),
        (r"http://other.test|A\,B\|1", False),
        (r"a\,b\|1", False),
    ],
)
def test_identifiers_match_exactly_and_may_hold_escaped_signs(
    fhir: Client, value: str, matches: bool
) -> None:
    stored = fhir.stored(patient(identifier=[{"system": SYSTEM, "value": "A,B|1"}]))
    answer = fhir.search("Patient", ("identifier", value))
    # `system|A,B|1` is an alternative `B|1` of a system B: understood, but not this identifier.
    assert answer.status_code == 200
    assert (stored["id"] in ids(answer.json())) is matches


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("patient", "ID"),
        ("patient", "Patient/ID"),
        ("patient", "BASE/Patient/ID"),
        ("patient:Patient", "ID"),
        ("subject", "ID"),
        ("subject", "Patient/ID"),
        ("subject:Patient", "ID"),
        ("subject", "Patient/nobody,Patient/ID"),
        ("patient", "nobody,ID"),
    ],
)
def test_a_patient_is_named_with_or_without_her_type(
    fhir: Client, woman: Json, name: str, value: str
) -> None:
    stored = fhir.stored(observation(subject=reference(woman)))
    named = value.replace("ID", woman["id"]).replace("BASE", fhir.base_url)
    assert fhir.found("Observation", (name, named)) == [stored["id"]]


def test_a_reference_written_as_an_absolute_url_of_this_server_is_found(
    fhir: Client, woman: Json
) -> None:
    absolute = {"reference": f"{fhir.base_url}/Patient/{woman['id']}"}
    stored = fhir.stored(observation(subject=absolute))
    assert fhir.found("Observation", ("patient", woman["id"])) == [stored["id"]]


def test_a_reference_to_another_server_is_found_by_its_whole_url(fhir: Client) -> None:
    url = "http://elsewhere.test/fhir/Patient/7"
    stored = fhir.stored(observation(subject={"reference": url}))
    assert fhir.found("Observation", ("subject", url)) == [stored["id"]]
    assert stored["id"] not in fhir.found("Observation", ("subject", "7"))


def test_a_subject_that_is_no_patient_is_not_found_as_patient(fhir: Client) -> None:
    group = fhir.stored({"resourceType": "Group", "type": "person", "actual": True})
    stored = fhir.stored(observation(subject=reference(group)))
    assert fhir.found("Observation", ("subject", f"Group/{group['id']}")) == [stored["id"]]
    assert fhir.found("Observation", ("patient", group["id"])) == []


@pytest.mark.parametrize(
    ("resource_type", "element", "parameter", "target_type", "is_list"),
    [
        ("Observation", "specimen", "specimen", "Specimen", False),
        ("Observation", "derivedFrom", "derived-from", "Observation", True),
        ("Observation", "basedOn", "based-on", "ServiceRequest", True),
        ("Observation", "focus", "focus", "Condition", True),
        ("Observation", "device", "device", "Device", False),
        ("DiagnosticReport", "result", "result", "Observation", True),
        ("DiagnosticReport", "specimen", "specimen", "Specimen", True),
        ("Specimen", "parent", "parent", "Specimen", True),
        ("Provenance", "target", "target", "Observation", True),
        ("Condition", "encounter", "encounter", "Encounter", False),
    ],
)
def test_references_are_searched_in_their_element(
    fhir: Client, resource_type: str, element: str, parameter: str, target_type: str, is_list: bool
) -> None:
    required = {"status": "final", "code": {"text": "any"}}
    target = fhir.stored({"resourceType": target_type, **required})
    named = [reference(target)] if is_list else reference(target)
    stored = fhir.stored({"resourceType": resource_type, **required, element: named})
    fhir.stored({"resourceType": resource_type, **required})
    assert fhir.found(resource_type, (parameter, target["id"])) == [stored["id"]]
    assert fhir.found(resource_type, (parameter, f"{target_type}/{target['id']}")) == [stored["id"]]


def test_provenance_is_found_by_an_entity_that_names_a_version(fhir: Client) -> None:
    source = fhir.stored(observation())
    what = {"reference": f"Observation/{source['id']}/_history/1"}
    stored = fhir.stored(
        {"resourceType": "Provenance", "entity": [{"role": "source", "what": what}]}
    )
    assert fhir.found("Provenance", ("entity", f"Observation/{source['id']}")) == [stored["id"]]


def test_specimens_are_found_by_accession_and_tags_by_their_code(fhir: Client, new_id: str) -> None:
    tag = {"system": "http://tags.test", "code": new_id}
    accession = {"system": "http://lab.test", "value": new_id}
    content = {"resourceType": "Specimen", "meta": {"tag": [tag]}, "accessionIdentifier": accession}
    stored = fhir.stored(content)["id"]
    fhir.stored({"resourceType": "Specimen"})
    assert fhir.found("Specimen", ("accession", f"http://lab.test|{new_id}")) == [stored]
    assert fhir.found("Specimen", ("_tag", f"http://tags.test|{new_id}")) == [stored]


def test_conformance_resources_are_found_by_url(fhir: Client, new_id: str) -> None:
    url = f"http://codes.test/{new_id}"
    for resource_type in ("CodeSystem", "ValueSet", "ConceptMap", "StructureDefinition"):
        stored = fhir.stored({"resourceType": resource_type, "url": url, "version": "1"})["id"]
        assert fhir.found(resource_type, ("url", url), ("version", "1")) == [stored]
        assert fhir.found(resource_type, ("url", url + "/")) == []


def test_status_is_a_code_without_a_system(fhir: Client, woman: Json) -> None:
    final = fhir.stored(observation(subject=reference(woman)))["id"]
    fhir.stored(observation(subject=reference(woman), status="preliminary"))
    of_her = ("patient", woman["id"])
    assert fhir.found("Observation", of_her, ("status", "final,amended")) == [final]
    system = "http://hl7.org/fhir/observation-status"
    assert fhir.search("Observation", of_her, ("status", f"{system}|final")).status_code == 400


def test_an_update_is_found_by_what_it_says_now_and_a_deleted_one_not_at_all(
    fhir: Client, woman: Json, new_id: str
) -> None:
    of_her = ("patient", woman["id"])
    fhir.put(observation(id=new_id, subject=reference(woman)))
    fhir.put(observation(FISH, id=new_id, subject=reference(woman)))
    assert fhir.found("Observation", of_her, ("code", IHC)) == []
    assert fhir.found("Observation", of_her, ("code", FISH)) == [new_id]
    fhir.delete(f"Observation/{new_id}")
    assert fhir.found("Observation", of_her) == []
    assert fhir.search("Observation", ("_id", new_id)).json()["total"] == 0
    fhir.put(observation(FISH, id=new_id, subject=reference(woman)))
    assert fhir.found("Observation", of_her) == [new_id]


def test_several_ids_are_asked_for_at_once(fhir: Client, woman: Json) -> None:
    stored = [fhir.stored(observation(subject=reference(woman)))["id"] for _ in range(3)]
    assert set(fhir.found("Observation", ("_id", ",".join([*stored[:2], "nobody"])))) == {
        *stored[:2]
    }


def test_a_search_by_post_finds_the_same_and_says_what_it_searched(
    fhir: Client, woman: Json
) -> None:
    stored = fhir.stored(observation(subject=reference(woman)))["id"]
    form = f"code={quote(f'{LOINC}|{IHC}')}&patient={woman['id']}".encode()
    form_type = "application/x-www-form-urlencoded"
    answer = fhir.send("POST", "Observation/_search?_count=5", form, content_type=form_type)
    assert ids(answer.json()) == [stored]
    got = fhir.search(
        "Observation", ("_count", "5"), ("code", f"{LOINC}|{IHC}"), ("patient", woman["id"])
    )
    assert link(answer.json(), "self") == link(got.json(), "self")
    assert fhir.send("POST", "Observation/_search", form).status_code == 415
    assert (
        fhir.send("POST", "Observation/_search", b"\xff", content_type=form_type).status_code == 400
    )


def test_a_very_long_list_of_alternatives_is_answered(fhir: Client, woman: Json) -> None:
    stored = fhir.stored(observation(subject=reference(woman)))["id"]
    form_type = "application/x-www-form-urlencoded"

    def search(name: str, many: str, mine: str, number: int) -> requests.Response:
        listed = ",".join([many.format(n) for n in range(number)] + [mine])
        body = f"patient={woman['id']}&{name}={listed}".encode()
        return fhir.send("POST", "Observation/_search", body, content_type=form_type)

    for name, many, mine in (
        ("_id", "x{}", stored),
        ("code", "http://c.test|{}", f"{LOINC}|{IHC}"),
        ("subject", "Patient/x{}", f"Patient/{woman['id']}"),
    ):
        assert ids(search(name, many, mine, 3000).json()) == [stored]
    assert search("code:text", "x{}", "none", 3000).status_code == 200
    assert issue(search("_id", "x{}", stored, 5000))["code"] == "too-costly"


@pytest.mark.parametrize(
    "query",
    [
        "unknown=1",
        "code:in=http://v.test",
        "code:not=1",
        "status:text=final",
        "subject:Woman=1",
        "subject:Device=Patient/1",
        "patient:Group=1",
        "patient:identifier=1",
        "patient.identifier=1",
        "_has:Provenance:target:agent=1",
        "_lastUpdated:missing=true",
        "_id:text=1",
        "date=2024",
        "_sort=date",
        "_sort=",
        "_count=-1",
        "_count=x",
        "_count=1&_count=2",
        "_total=some",
        "_summary=true",
        "_contained=true",
        "_filter=code eq 1",
        "_query=x",
        "code=",
        "code=a,,b",
        "code=a|b|c",
        "code=|",
        "patient=Group/1",
        "patient=Patient/1/_history/1",
        "patient=a b",
        "_lastUpdated=yesterday",
        "_lastUpdated=2024-13",
        "_lastUpdated=ap2024",
        "_lastUpdated=2024-01-01T00:00:00 02:00",
        "_lastUpdated=2024-02-30",
        "_include=Observation:code",
        "_include=Observation",
        "_include=*",
        "_include=Specimen:parent",
        "_include=Observation:subject:Woman",
        "_include=Observation:specimen:Patient",
        "_include:recurse=Observation:specimen",
        "_revinclude=Woman:target",
        "_revinclude=Provenance:target:Observation:x",
    ],
)
def test_what_is_not_understood_is_refused_and_never_ignored(fhir: Client, query: str) -> None:
    answer = fhir.get(f"Observation?{query}")
    assert answer.status_code == 400
    assert issue(answer)["diagnostics"]


def test_a_refusal_names_the_parameter_and_not_the_value(fhir: Client) -> None:
    said = issue(fhir.get("Patient?name=Lovelace"))["diagnostics"]
    assert "'name'" in said
    assert "Lovelace" not in said


def test_a_parameter_of_another_type_is_unknown(fhir: Client) -> None:
    assert fhir.get("Patient?code=1").status_code == 400
    assert fhir.get("Provenance?identifier=1").status_code == 400


def test_the_self_link_repeats_what_had_an_effect_and_nothing_else(fhir: Client) -> None:
    answer = fhir.get(f"Observation?code={LOINC}%7C{IHC}&_elements=id&_count=5000&_format=json")
    code = quote(f"{LOINC}|{IHC}", safe="")
    assert link(answer.json(), "self") == f"{fhir.base_url}/Observation?code={code}&_count=1000"


def test_elements_are_not_left_out_silently(fhir: Client, woman: Json) -> None:
    answer = fhir.get(f"Patient?_id={woman['id']}&_elements=id")
    assert answer.json()["entry"][0]["resource"] == woman


@pytest.mark.parametrize("query", ["_summary=count", "_count=0"])
def test_a_count_alone_has_no_entries(fhir: Client, woman: Json, query: str) -> None:
    fhir.stored(observation(subject=reference(woman)))
    bundle = fhir.get(f"Observation?patient={woman['id']}&{query}").json()
    assert bundle["total"] == 1
    assert "entry" not in bundle
    assert link(bundle, "next") is None


def test_the_total_is_given_unless_it_is_not_wanted(fhir: Client, woman: Json) -> None:
    of_her = ("_id", woman["id"])
    assert fhir.search("Patient", of_her).json()["total"] == 1
    assert fhir.search("Patient", of_her, ("_total", "accurate")).json()["total"] == 1
    assert "total" not in fhir.search("Patient", of_her, ("_total", "none")).json()


def test_entries_carry_their_address_and_mode(fhir: Client, woman: Json) -> None:
    (entry,) = fhir.get(f"Patient?_id={woman['id']}").json()["entry"]
    assert entry["fullUrl"] == f"{fhir.base_url}/Patient/{woman['id']}"
    assert entry["search"] == {"mode": "match"}


class Steps:
    """A clock that a test sets; every request sees what it says."""

    def __init__(self) -> None:
        self.now = datetime(2024, 3, 10, 12, 0, 0, 123_456, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="module")
def timed() -> Iterator[Client]:
    """Three Observations, `early`, `noon` and `late`, one second and one day apart."""
    clock = Steps()
    with Sandbox(clock=clock, rules=ServerRules()) as running:
        client = Client(running.base_url)
        noon = clock.now
        for name, moment in (
            ("noon", noon),
            ("late", noon + timedelta(days=1)),
            ("early", noon - timedelta(seconds=1)),
        ):
            clock.now = moment
            client.put(observation(id=name))
        yield client
        client.session.close()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-03-10T12:00:00.123Z", "noon"),
        ("eq2024-03-10T12:00:00.123Z", "noon"),
        ("2024-03-10T12:00:00Z", "noon"),
        ("2024-03-10T12:00:00.124Z", ""),
        ("2024-03-10T13:00:00%2B01:00", "noon"),
        ("ge2024-03-10T12:00:00.123Z", "noon late"),
        ("gt2024-03-10T12:00:00.123Z", "late"),
        ("gt2024-03-10T12:00:00.122Z", "noon late"),
        ("lt2024-03-10T12:00:00.123Z", "early"),
        ("le2024-03-10T12:00:00.123Z", "early noon"),
        ("2024-03-10", "early noon"),
        ("gt2024-03-10", "late"),
        ("ge2024-03-11", "late"),
        ("lt2024-03-11", "early noon"),
        ("le2024-03-10", "early noon"),
        ("2024-03-10T12:00", "noon"),
        ("2024-03", "early noon late"),
        ("2024", "early noon late"),
        ("gt2024", ""),
        ("lt2024-03", ""),
        ("ne2024-03-10", "late"),
        ("sa2024-03-10", "late"),
        ("eb2024-03-11", "early noon"),
        ("2024-03-11,lt2024-03-10T12:00:00Z", "early late"),
    ],
)
def test_the_last_update_is_searched_by_what_a_date_covers(
    timed: Client, value: str, expected: str
) -> None:
    bundle = timed.get(f"Observation?_lastUpdated={value}").json()
    assert set(ids(bundle)) == set(expected.split())


def test_two_bounds_enclose_a_window(timed: Client) -> None:
    window = "_lastUpdated=ge2024-03-10T12:00:00Z&_lastUpdated=lt2024-03-11"
    assert ids(timed.get(f"Observation?{window}").json()) == ["noon"]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("_lastUpdated", ["early", "noon", "late"]),
        ("-_lastUpdated", ["late", "noon", "early"]),
        ("_id", ["early", "late", "noon"]),
        ("-_id", ["noon", "late", "early"]),
    ],
)
def test_results_come_in_the_order_asked_for(timed: Client, sort: str, expected: list[str]) -> None:
    assert ids(timed.get(f"Observation?_sort={sort}").json()) == expected
