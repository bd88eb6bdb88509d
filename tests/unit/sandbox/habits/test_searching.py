"""Habits of searches, seen by a plain HTTP client."""

from __future__ import annotations

from adapter.sandbox.server import Sandbox
from tests.unit.sandbox.client import Client, Json, ids, observation, reference
from tests.unit.sandbox.habits.conftest import MovedClock


def _result(woman: Json, **elements: object) -> Json:
    return observation(subject=reference(woman), **elements)


def test_with_index_lag_reading_shows_what_searching_does_not_yet(
    sandbox: Sandbox, fhir: Client, clock: MovedClock, woman: Json
) -> None:
    sandbox.habits.choose({"index-lag": 30})
    stored = fhir.stored(_result(woman))
    of_woman = ("patient", woman["id"])

    assert fhir.get(f"Observation/{stored['id']}").status_code == 200
    assert fhir.found("Observation", of_woman) == []
    strong = {"x_amz_fhir_history_consistency_level": "strong"}
    page = fhir.get(f"Observation?patient={woman['id']}", **strong)
    assert ids(page.json()) == [stored["id"]], "whoever asks strongly waits for the index"
    assert fhir.found("Observation", of_woman) == []
    clock.go_on(31)
    assert fhir.found("Observation", of_woman) == [stored["id"]]
    fhir.put({**stored, "status": "amended"})
    assert fhir.found("Observation", of_woman) == [], "an update hides it again"
    answer = fhir.search("Patient", ("_id", woman["id"]), ("_revinclude", "Observation:patient"))
    assert ids(answer.json(), "include") == []
    clock.go_on(31)
    assert fhir.found("Observation", of_woman) == [stored["id"]]


def test_the_search_cache_answers_as_before_unless_told_not_to(
    sandbox: Sandbox, fhir: Client, clock: MovedClock, woman: Json
) -> None:
    sandbox.habits.choose({"search-cache": 60})
    url = f"Observation?patient={woman['id']}"
    form = {"content_type": "application/x-www-form-urlencoded"}
    body = f"patient={woman['id']}".encode()

    def posted() -> Json:
        found: Json = fhir.send("POST", "Observation/_search", body, **form).json()
        return found

    assert ids(fhir.get(url).json()) == ids(posted()) == []
    stored = fhir.stored(_result(woman))
    assert ids(fhir.get(url).json()) == ids(posted()) == []
    assert ids(fhir.get(f"{url}&_count=9").json()) == [stored["id"]], "another URL, another answer"
    assert ids(fhir.get(url, cache_control="no-cache").json()) == [stored["id"]]
    fhir.delete(f"Observation/{stored['id']}")
    assert ids(fhir.get(url).json()) == [stored["id"]], "no-cache renews what is kept"
    clock.go_on(61)
    assert ids(fhir.get(url).json()) == ids(posted()) == []


def test_a_window_limit_fails_searches_that_find_too_much(
    sandbox: Sandbox, fhir: Client, woman: Json
) -> None:
    sandbox.habits.choose({"window-limit": 2})
    query = f"Observation?patient={woman['id']}&_count=1&_total=none"
    for expected in (200, 200, 500):
        fhir.stored(_result(woman))
        assert fhir.get(query).status_code == expected
    assert len(fhir.found("Observation", ("patient", woman["id"]), ("status", "amended"))) == 0
