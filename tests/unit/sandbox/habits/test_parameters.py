"""Habits with the parameters of a search, seen by a plain HTTP client."""

from __future__ import annotations

import pytest

from adapter.sandbox.server import Sandbox
from tests.unit.sandbox.client import FISH, Client, Json, ids, issue, link, observation, reference

FORM = {"content_type": "application/x-www-form-urlencoded"}


@pytest.fixture
def two(fhir: Client, woman: Json) -> tuple[str, str]:
    """The ids of an IHC and a FISH result of one woman."""
    about = reference(woman)
    first = fhir.stored(observation(subject=about))
    return first["id"], fhir.stored(observation(FISH, subject=about))["id"]


def test_dropped_parameters_find_more_and_self_shows_it(
    sandbox: Sandbox, fhir: Client, woman: Json, two: tuple[str, str]
) -> None:
    query = f"patient={woman['id']}&code={FISH}&_count=9"
    assert ids(fhir.get(f"Observation?{query}").json()) == [two[1]]
    sandbox.habits.choose({"dropped-parameters": "code,status"})
    for page in (
        fhir.get(f"Observation?{query}").json(),
        fhir.send("POST", "Observation/_search", query.encode(), **FORM).json(),
    ):
        assert sorted(ids(page)) == sorted(two)
        assert "code" not in str(link(page, "self"))
        assert f"patient={woman['id']}" in str(link(page, "self"))
    sandbox.habits.choose({"dropped-parameters": "*"})
    page = fhir.get(f"Observation?{query}").json()
    assert set(ids(page)) >= set(two)
    assert str(link(page, "self")).endswith("Observation?_count=9")


def test_lying_self_links_hide_what_was_dropped(
    sandbox: Sandbox, fhir: Client, woman: Json, two: tuple[str, str]
) -> None:
    query = f"patient={woman['id']}&code={FISH}"
    sandbox.habits.choose({"dropped-parameters": True, "lying-self-links": True})
    page = fhir.get(f"Observation?{query}").json()

    assert sorted(ids(page)) == sorted(two)
    assert link(page, "self") == f"{fhir.base_url}/Observation?{query}"


@pytest.mark.parametrize(
    ("query", "everything", "modifiers"),
    [("colour=blue", 200, 400), ("subject:exact=x", 200, 200), ("code=%7C", 400, 400)],
)
def test_silent_unknowns_find_nothing(
    sandbox: Sandbox, fhir: Client, query: str, everything: int, modifiers: int
) -> None:
    assert fhir.get(f"Observation?{query}").status_code == 400
    for value, expected in (("all", everything), ("modifiers", modifiers)):
        sandbox.habits.choose({"silent-unknowns": value})
        answer = fhir.get(f"Observation?{query}")
        assert answer.status_code == expected
        if expected == 200:
            assert ids(answer.json()) == []


def test_no_last_updated_is_refused_or_ignored_and_not_promised(
    sandbox: Sandbox, fhir: Client, woman: Json, two: tuple[str, str]
) -> None:
    of_woman = ("patient", woman["id"])
    sandbox.habits.choose({"no-last-updated": True})
    for asked in (
        ("_lastUpdated", "ge2030"),
        ("_sort", "_lastUpdated"),
        ("_sort", "-_lastUpdated"),
    ):
        refused = fhir.search("Observation", of_woman, asked)
        assert (refused.status_code, issue(refused)["code"]) == (400, "not-supported")
    sandbox.habits.choose({"no-last-updated": "ignored"})
    page = fhir.search("Observation", of_woman, ("_lastUpdated", "ge2030")).json()

    assert sorted(ids(page)) == sorted(two)
    assert "_lastUpdated" not in str(link(page, "self"))
    for one in fhir.get("metadata").json()["rest"][0]["resource"]:
        assert "_lastUpdated" not in [parameter["name"] for parameter in one["searchParam"]]


def test_where_a_patient_is_required_a_search_of_everybody_is_refused(
    sandbox: Sandbox, fhir: Client, woman: Json, two: tuple[str, str]
) -> None:
    sandbox.habits.choose({"patient-required": True})
    for kind in ("Observation", "DiagnosticReport", "Specimen"):
        refused = fhir.search(kind, ("_count", "1"))
        assert (refused.status_code, issue(refused)["code"]) == (400, "required")
    assert refused_of_everybody(fhir, ("code", "85319-2"))
    for asked in (
        ("patient", woman["id"]),
        ("subject", f"Patient/{woman['id']}"),
        ("_id", ",".join(two)),
    ):
        assert sorted(ids(fhir.search("Observation", asked).json())) == sorted(two)
    assert fhir.search("Patient", ("_count", "1")).status_code == 200
    assert fhir.get(f"Observation/{two[0]}").status_code == 200


def refused_of_everybody(fhir: Client, asked: tuple[str, str]) -> bool:
    return bool(fhir.search("Observation", asked).status_code == 400)


def test_a_capped_count_makes_small_pages_and_echoes_what_was_asked(
    sandbox: Sandbox, fhir: Client, woman: Json, two: tuple[str, str]
) -> None:
    sandbox.habits.choose({"capped-count": 1})
    asked = fhir.search("Observation", ("patient", woman["id"]), ("_count", "100")).json()
    unasked = fhir.search("Observation", ("patient", woman["id"])).json()

    assert len(ids(asked)) == len(ids(unasked)) == 1
    assert "_count=100" in str(link(asked, "self"))
    assert asked["total"] == 2
    zero = fhir.search("Observation", ("patient", woman["id"]), ("_count", "0")).json()
    assert ids(zero) == []
