"""The doctor writes nothing but its own, says what it was denied, and leaves nothing behind, whatever happens."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapter.doctor.bench import Bench
from adapter.doctor.findings import Standing, Topic
from adapter.doctor.judge import advise
from adapter.errors import NotFhirR4
from adapter.sandbox.exchange import FhirRequest, FhirResponse
from tests.fakes.crash import Killed
from tests.unit.doctor.conftest import Answering, Clinic

WRITTEN_TYPES = {"Observation", "Device", "Provenance"}


def outcome(status: int) -> FhirResponse:
    issue = {"severity": "error", "code": "processing", "diagnostics": "no"}
    body = {"resourceType": "OperationOutcome", "issue": [issue]}
    return FhirResponse(status, json.dumps(body))


def refusing(status: int, method: str, kind: str = "") -> Answering:
    """Refuse requests of a method to a type."""

    def instead(request: FhirRequest) -> FhirResponse | None:
        hit = request.method == method and request.path.startswith(kind)
        return outcome(status) if hit and request.path != "metadata" else None

    return instead


def written(requests: list[FhirRequest]) -> list[dict[str, Any]]:
    """Every resource that was sent, also those in bundles."""
    found = []
    for request in requests:
        body = json.loads(request.body) if request.body else {}
        entries = body.get("entry", [{"resource": body}] if body else [])
        found += [entry["resource"] for entry in entries]
    return found


def test_read_only_sends_reads_only_and_says_what_it_could_not_measure(clinic: Clinic) -> None:
    found = clinic.examine(no_writes="it takes a write")

    assert clinic.writes == []
    assert found.findings[Topic.CLIENT_IDS].standing is Standing.NOT_MEASURED
    assert found.findings[Topic.ATOMIC].says == "it takes a write"
    advice = advise(found, writes=True, page_size=500, entries=50)
    assert (advice.target, advice.cannot_write) == (None, False)
    assert "not measured" in advice.sentences[0]


def test_nothing_is_written_about_a_patient(clinic: Clinic) -> None:
    clinic.examine()

    sent = written(clinic.writes)
    assert {one["resourceType"] for one in sent} == WRITTEN_TYPES
    assert all(one["meta"]["tag"][0]["code"] == "doctor" for one in sent)
    assert "Patient/" not in json.dumps(sent)
    assert clinic.standing() == []


@pytest.mark.parametrize(
    ("instead", "missing"),
    [
        (refusing(403, "GET", "Specimen"), {"system/Specimen.s", "system/Specimen.r"}),
        (refusing(403, "PUT", "Provenance"), {"system/Provenance.u"}),
        (refusing(403, "PUT", "Device"), {"system/Device.u"}),
        (refusing(403, "GET", "Patient"), {"system/Patient.r"}),
    ],
    ids=["Specimen.rs", "Provenance.u", "Device.u", "Patient.r"],
)
def test_what_is_denied_names_the_missing_scope(
    clinic: Clinic, instead: Answering, missing: set[str]
) -> None:
    clinic.instead = instead
    found = clinic.examine()

    advice = advise(found, writes=True, page_size=500, entries=50)
    assert set(advice.missing) == missing
    assert "system/Provenance.u" in advice.scopes


def test_a_token_that_ends_meanwhile_is_no_missing_scope(clinic: Clinic) -> None:
    # Rarer than the eight requests of a race: two in a row would be a denial.
    clinic.sandbox.habits.choose({"unauthorised": "23"})
    found = clinic.examine()
    clinic.sandbox.habits.choose()

    assert found.denied == frozenset()
    assert found.works(Topic.ACCESS)
    assert found.works(Topic.CLIENT_IDS)


def test_a_server_that_always_says_401_is_a_denial(clinic: Clinic) -> None:
    clinic.instead = refusing(401, "GET", "Condition")
    assert clinic.examine().denied == {"system/Condition.r"}


def test_what_is_denied_is_refused_and_not_claimed(clinic: Clinic) -> None:
    clinic.instead = refusing(403, "POST")
    found = clinic.examine()

    assert found.findings[Topic.TRANSACTION].standing is Standing.REFUSED
    assert found.findings[Topic.ATOMIC].standing is Standing.REFUSED
    assert advise(found, writes=True, page_size=500, entries=50).target is None


@pytest.mark.parametrize("status", [403, 405])
def test_where_nothing_can_be_deleted_little_is_written_and_marked(
    clinic: Clinic, status: int
) -> None:
    clinic.instead = refusing(status, "DELETE")
    found = clinic.examine()

    standing = clinic.standing()
    assert {one["status"] for one in standing} == {"entered-in-error"}
    assert "Provenance" not in {one["resourceType"] for one in standing}
    assert len(standing) < 15
    assert f"{len(standing)} marked entered-in-error" in found.findings[Topic.REMOVAL].says
    assert found.left == ()
    assert found.findings[Topic.ENTRIES].standing is Standing.NOT_MEASURED
    assert found.findings[Topic.ATOMIC].works
    assert not any(scope.endswith("d") for scope in found.denied)


def test_what_a_server_takes_and_gives_no_good_answer_to_is_taken_away_too(clinic: Clinic) -> None:
    clinic.sandbox.habits.choose({"lost-responses": "5"})
    found = clinic.examine()
    clinic.sandbox.habits.choose()

    assert clinic.standing() == []
    assert found.findings[Topic.VERSIONS_KEPT].topic is Topic.VERSIONS_KEPT


@pytest.mark.parametrize("at", range(1, 40, 6))
def test_a_stop_at_any_time_leaves_nothing_behind(clinic: Clinic, at: int) -> None:
    stopped: list[bool] = []

    def instead(_: FhirRequest) -> None:
        if len(clinic.writes) == at:
            stopped.append(True)

    clinic.instead = instead
    with clinic.server() as server:
        bench = Bench(server, clinic.clock, stopped=lambda: bool(stopped))
        found = clinic.examiner(bench).examine()

    assert stopped
    assert found.findings[Topic.VERSIONS_KEPT].says == "stopped before it"
    assert clinic.standing() == []


@pytest.mark.parametrize("chooses_ids", [True, False])
def test_a_killed_doctor_is_cleaned_up_after_by_the_next_one(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, chooses_ids: bool
) -> None:
    """The kill comes while it waits for the index; and the killed one takes nothing away."""
    clinic.sandbox.habits.choose(
        {"index-lag": "5"} | ({} if chooses_ids else {"no-client-ids": "405"})
    )

    def killed() -> None:
        raise Killed

    clinic.clock.when_asleep = killed
    with monkeypatch.context() as patched:
        patched.setattr("adapter.doctor.traces.Traces.take_away", lambda *_: killed())
        with pytest.raises(Killed):
            clinic.examine()
    clinic.clock.when_asleep = lambda: None
    clinic.clock.sleep(60)
    left = len(clinic.standing())
    assert left

    clinic.sandbox.habits.choose()
    found = clinic.examine()
    assert f"{left} of them of an earlier doctor" in found.findings[Topic.REMOVAL].says
    assert clinic.standing() == []


def test_left_overs_are_told_of_and_left_alone_by_a_doctor_that_only_reads(clinic: Clinic) -> None:
    clinic.instead = refusing(405, "DELETE")
    clinic.examine()
    clinic.instead = lambda _: None
    marked = clinic.standing()
    body = {
        **marked[0],
        "status": "inactive" if marked[0]["resourceType"] == "Device" else "cancelled",
    }
    with clinic.server() as server:
        Bench(server, clinic.clock).put(body)
    clinic.requests.clear()

    found = clinic.examine(no_writes="it takes a write")
    assert "1 of an earlier doctor" in found.findings[Topic.REMOVAL].says
    assert clinic.writes == []


def test_only_what_carries_the_tag_is_touched_even_where_the_search_ignores_it(
    clinic: Clinic,
) -> None:
    """A server that leaves out `_tag` finds everything: the results of patients above all."""
    result = {
        "resourceType": "Observation",
        "id": "of-a-laboratory",
        "status": "final",
        "code": {"text": "HER2"},
    }
    with clinic.server() as server:
        Bench(server, clinic.clock).put(result)
    found_by_anything = json.dumps(
        {
            "resourceType": "Bundle",
            "type": "searchset",
            "entry": [{"resource": result, "search": {"mode": "match"}}],
        }
    )
    clinic.instead = lambda request: (
        FhirResponse(200, found_by_anything)
        if request.method == "GET" and request.path == "Observation" and "_tag" in request.query
        else None
    )
    clinic.examine()
    clinic.instead = lambda _: None

    assert [one["id"] for one in clinic.standing()] == ["of-a-laboratory"]
    assert clinic.standing()[0]["meta"]["versionId"] == "1"


def test_an_error_of_one_measurement_does_not_stop_the_others(clinic: Clinic) -> None:
    clinic.instead = refusing(500, "PUT", "Provenance")
    found = clinic.examine()

    assert found.findings[Topic.VERSIONS_KEPT].standing is Standing.NOT_MEASURED
    assert "500" in found.findings[Topic.VERSIONS_KEPT].says
    assert found.findings[Topic.CLOCK].standing is Standing.MEASURED
    assert advise(found, writes=True, page_size=500, entries=50).target is not None


def test_what_is_no_fhir_server_is_not_examined(clinic: Clinic) -> None:
    clinic.instead = lambda _: FhirResponse(404)
    with pytest.raises(NotFhirR4):
        clinic.examine()
    assert clinic.writes == []
