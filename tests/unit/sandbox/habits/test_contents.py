"""Habits with what an answer holds, seen by a plain HTTP client."""

from __future__ import annotations

import pytest

from adapter.sandbox.server import Sandbox
from tests.unit.sandbox.client import (
    Client,
    Json,
    create_entry,
    ids,
    observation,
    patient,
    reference,
)


@pytest.fixture
def stored(fhir: Client, woman: Json) -> Json:
    """A result of a woman, with a part and a note."""
    part = {"code": {"text": "ratio"}, "valueString": "2.1"}
    result = observation(subject=reference(woman), component=[part], note=[{"text": "repeat"}])
    return fhir.stored({**result, "meta": {"tag": [{"system": "http://example.org", "code": "t"}]}})


def test_denied_as_empty_looks_as_if_nothing_were_there(
    sandbox: Sandbox, fhir: Client, woman: Json, stored: Json
) -> None:
    sandbox.habits.choose({"denied-as-empty": "Observation"})
    page = fhir.search("Observation", ("patient", woman["id"]))

    assert (page.status_code, page.json()["total"], ids(page.json())) == (200, 0, [])
    assert fhir.get(f"Observation/{stored['id']}").status_code == 404
    assert fhir.get(f"Patient/{woman['id']}").status_code == 200
    assert fhir.post(observation()).status_code == 201


def test_forbidden_is_said_aloud(sandbox: Sandbox, fhir: Client, woman: Json) -> None:
    sandbox.habits.choose({"forbidden": "Observation"})
    assert fhir.search("Observation", ("patient", woman["id"])).status_code == 403
    assert fhir.get(f"Patient/{woman['id']}").status_code == 200
    sandbox.habits.choose({"forbidden": "writes"})

    assert fhir.search("Observation", ("patient", woman["id"])).status_code == 200
    assert fhir.post(patient()).status_code == fhir.put(woman).status_code == 403
    assert fhir.transaction(create_entry(patient())).status_code == 403


@pytest.mark.parametrize("severity", ["information", "warning", "error", "fatal"])
def test_outcome_entries_stand_in_a_page(
    sandbox: Sandbox, fhir: Client, woman: Json, stored: Json, severity: str
) -> None:
    sandbox.habits.choose({"outcome-entries": severity})
    for answer in (
        fhir.search("Observation", ("patient", woman["id"])),
        fhir.search("Observation", ("patient", "nobody")),
    ):
        *others, last = answer.json()["entry"]
        assert all(entry["search"]["mode"] == "match" for entry in others)
        assert last["search"]["mode"] == "outcome"
        assert last["resource"]["issue"][0]["severity"] == severity


def test_outcome_answers_come_instead_of_what_was_asked_for(
    sandbox: Sandbox, fhir: Client, stored: Json
) -> None:
    sandbox.habits.choose({"outcome-answers": 2})
    url = f"Observation/{stored['id']}"
    answers = [fhir.get(url), fhir.get(url)]

    assert [one.status_code for one in answers] == [200, 200]
    assert answers[1].json()["resourceType"] == "OperationOutcome"
    assert fhir.get("metadata").json()["resourceType"] == "CapabilityStatement"


def test_login_pages_are_html_with_200(sandbox: Sandbox, fhir: Client, stored: Json) -> None:
    sandbox.habits.choose({"login-pages": 2})
    url = f"Observation?_id={stored['id']}"
    answers = [fhir.get(url), fhir.get(url)]

    assert [one.status_code for one in answers] == [200, 200]
    assert answers[1].headers["Content-Type"].startswith("text/html")
    assert answers[1].text.startswith("<!DOCTYPE html>")


def test_subsetted_results_lack_parts_and_say_so(
    sandbox: Sandbox, fhir: Client, woman: Json, stored: Json
) -> None:
    sandbox.habits.choose({"subsetted": True})
    page = fhir.search("Observation", ("patient", woman["id"])).json()
    (found,) = [entry["resource"] for entry in page["entry"]]

    assert not {"component", "note"} & set(found)
    assert {tag["code"] for tag in found["meta"]["tag"]} == {"t", "SUBSETTED"}
    assert "component" in fhir.get(f"Observation/{stored['id']}").json()


@pytest.mark.parametrize("kind", ["server", "all"])
def test_no_meta_hides_versions_in_resources_pages_and_headers(
    sandbox: Sandbox, fhir: Client, woman: Json, stored: Json, kind: str
) -> None:
    sandbox.habits.choose({"no-meta": kind})
    alone = fhir.get(f"Observation/{stored['id']}")
    page = fhir.search("Observation", ("patient", woman["id"])).json()

    assert not {"ETag", "Last-Modified"} & set(alone.headers)
    for found in (alone.json(), page["entry"][0]["resource"]):
        assert set(found.get("meta", {})) == ({"tag"} if kind == "server" else set())
        assert found["note"] == stored["note"]
    assert "meta" not in fhir.post(patient()).json()


def test_no_totals_unless_asked_for(
    sandbox: Sandbox, fhir: Client, woman: Json, stored: Json
) -> None:
    fhir.stored(observation(subject=reference(woman)))
    of_woman = ("patient", woman["id"])
    sandbox.habits.choose({"no-totals": True})

    assert "total" not in fhir.search("Observation", of_woman, ("_count", "1")).json()
    assert fhir.search("Observation", of_woman).json()["total"] == 2
    accurate = fhir.search("Observation", of_woman, ("_count", "1"), ("_total", "accurate"))
    assert accurate.json()["total"] == 2


def test_mixed_up_answers_are_those_to_the_question_before(
    sandbox: Sandbox, fhir: Client, woman: Json, stored: Json
) -> None:
    sandbox.habits.choose({"mixed-up-answers": 2})
    first, mixed = fhir.get(f"Patient/{woman['id']}"), fhir.get(f"Observation/{stored['id']}")

    assert mixed.status_code == 200
    assert mixed.json() == first.json()
    assert fhir.get(f"Observation/{stored['id']}").json() == stored
