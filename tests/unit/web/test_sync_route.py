"""POST /sync as a job of the EHR uses it: names patients, hears what changed.

Protects that asking is idempotent, authenticated and bounded, and that nothing asked for is lost.
"""

from __future__ import annotations

import gc
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import requests

from adapter.errors import StoreError, TemporaryServerError
from adapter.sandbox.exchange import Answer, FhirRequest, FhirResponse
from adapter.sandbox.habits.denying import Forbidden
from adapter.sandbox.outcomes import outcome
from adapter.sandbox.replies import plain_response
from adapter.sandbox.server import Sandbox
from adapter.store import open_store
from adapter.sync.one_pass import OnePass
from adapter.sync.scope import Scope
from tests.unit.web.running import Running, categories, put, running, until
from tests.workloads.content import result, specimen


def asked(served: Running, content: Any, **options: Any) -> dict[str, Any]:
    answer = served.post("/sync", "sync", json=content, **options)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_a_patient_is_looked_at_and_the_change_is_told(served: Running) -> None:
    served.put_result("anna", "1+")
    answer = asked(served, {"patient": "anna"})
    assert answer["changed"] == 1
    [sample] = answer["samples"]
    assert sample["patient"] == "Patient/anna"
    assert (sample["category"], sample["action"], sample["before"]) == ("low", "create", None)
    assert served.categories() == {"anna": "low"}
    assert "Not verified by a pathologist" in answer["notice"]


def test_asking_again_changes_nothing(served: Running) -> None:
    served.put_result("anna", "1+")
    asked(served, {"patient": "Patient/anna"})
    writes = served.sandbox.writes
    again = asked(served, {"patients": ["Patient/anna", "anna"]})
    assert again["changed"] == 0
    assert [sample["action"] for sample in again["samples"]] == ["skip"]
    assert served.sandbox.writes == writes


def test_a_correction_is_told_with_what_stood_before(served: Running) -> None:
    served.put_result("anna", "1+")
    asked(served, {"patient": "anna"})
    put(served.sandbox, result("ihc", "3+", of="anna", sample="s-anna"))
    [sample] = asked(served, {"patient": "anna"})["samples"]
    assert (sample["before"], sample["category"]) == ("low", "positive")


def test_what_a_brake_holds_back_is_not_told_as_changed(tmp_path: Path) -> None:
    with running(tmp_path, brake__change_floor=0, brake__change_percent=0) as served:
        served.put_result("anna", "1+")
        asked(served, {"patient": "anna"})
        put(served.sandbox, result("ihc", "3+", of="anna", sample="s-anna"))
        answer = asked(served, {"patient": "anna"})
        assert (answer["status"], answer["changed"]) == ("braked", 0)
        assert answer["unfinished"] == ["Patient/anna"]
        assert served.categories() == {"anna": "low"}


def test_what_is_only_observed_is_not_told_as_changed(tmp_path: Path) -> None:
    with running(tmp_path, mode="observe") as served:
        served.put_result("anna", "1+")
        answer = asked(served, {"patient": "anna"})
        assert (answer["status"], answer["changed"]) == ("observed", 0)
        assert [one["action"] for one in answer["samples"]] == ["create"]
        assert served.sandbox.writes == 3


def test_nobody_elses_samples_are_told(served: Running) -> None:
    served.put_result("anna", "1+")
    served.put_result("berta", "3+")
    answer = asked(served, {"patient": "berta"})
    assert {sample["patient"] for sample in answer["samples"]} == {"Patient/berta"}


def test_a_result_that_cannot_be_read_is_told_with_its_reason(served: Running) -> None:
    served.put_result("anna", "1+")
    spoilt = result("ihc", "1+", of="anna", sample="s-anna")
    spoilt["valueCodeableConcept"] = {"text": "seen by the tumour board"}
    put(served.sandbox, spoilt)
    answer = asked(served, {"patient": "anna"})
    assert [one["observation"] for one in answer["setAside"]] == ["Observation/s-anna-ihc"]
    assert answer["setAside"][0]["reason"]


def test_a_patient_without_results_is_named(served: Running) -> None:
    """An engine that has just stored a result, or that spelt an id wrong, must not take silence for an answer."""
    served.put_result("anna", "1+")
    answer = asked(served, {"patients": ["nobody", "anna"]})
    assert answer["withoutResults"] == ["Patient/nobody"]
    assert {sample["patient"] for sample in answer["samples"]} == {"Patient/anna"}


def test_a_patient_of_whom_results_are_only_set_aside_is_not_named_as_without(
    served: Running,
) -> None:
    served.put_result("anna", "1+")
    spoilt = result("ihc", "1+", of="anna", sample="s-anna")
    put(served.sandbox, {**spoilt, "status": "entered-in-error"})
    answer = asked(served, {"patient": "anna"})
    assert (len(answer["setAside"]), answer["withoutResults"]) == (1, [])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"patient": 7}',
        b'{"patients": []}',
        b'{"patient": "a", "patients": ["b"]}',
        b'{"patient": "a", "patient": "b"}',
        b'{"patient": "../../Device/x"}',
        b'{"patient": "a/_history/1"}',
        b'{"patient": "Observation/a"}',
        b'{"patients": ["a", null]}',
        b'{"patient": "a", "more": 1}',
        '{"patient": "Ä"}'.encode(),
        b'{"patient": "' + b"a" * 65 + b'"}',
    ],
)
def test_a_body_that_names_no_patients_is_refused_and_not_quoted(
    standing: Running, body: bytes
) -> None:
    answer = standing.post("/sync", "sync", data=body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error", "message"}
    assert "Device" not in answer.text


def test_more_patients_than_allowed_are_refused(tmp_path: Path) -> None:
    with running(tmp_path, http__sync_patients=2) as served:
        answer = served.post("/sync", "sync", json={"patients": ["a", "b", "c"]})
        assert (answer.status_code, answer.json()["error"]) == (413, "too-many-patients")


def test_a_body_beyond_its_limit_is_refused_before_it_has_arrived(standing: Running) -> None:
    def endless() -> Any:
        for _ in range(10_000):
            yield b" " * 1024

    try:
        answer = standing.post("/sync", "sync", data=endless())
    except requests.ConnectionError:
        return  # the answer was given, and the line closed, while this side was still talking
    assert answer.status_code == 413


def test_a_flood_is_bounded_told_when_to_come_again_and_served(tmp_path: Path) -> None:
    with running(tmp_path, http__sync_queue=5) as served:
        names = [f"p{number}" for number in range(20)]
        for name in names:
            served.put_result(name, "1+")

        def insist(name: str) -> int:
            refusals = 0
            while True:
                answer = served.post("/sync", "sync", json={"patient": name})
                if answer.status_code == 200:
                    return refusals
                assert answer.status_code == 429
                assert int(answer.headers["Retry-After"]) >= 1
                refusals += 1
                time.sleep(0.05)

        with ThreadPoolExecutor(20) as clients:
            list(clients.map(insist, names))
        assert served.categories() == dict.fromkeys(names, "low")


def test_who_does_not_wait_can_look_later(served: Running) -> None:
    served.put_result("anna", "1+")
    answer = served.post(
        "/sync", "sync", json={"patient": "anna"}, headers={"Prefer": "respond-async"}
    )
    place = answer.headers.get("Location", "")
    deadline = time.monotonic() + 20
    while answer.status_code == 202 and time.monotonic() < deadline:
        time.sleep(0.05)
        answer = served.get(place, "sync")
    assert answer.json()["samples"][0]["category"] == "low"
    assert served.get("/sync/" + "0" * 32, "sync").status_code == 404
    assert served.get("/sync/nothing", "sync").status_code == 404


def fail_for_one_who_does_not_wait(folder: Path) -> None:
    """Run a service whose pass fails after the caller has gone; nothing of it is left afterwards."""

    def failing(_: object) -> None:
        time.sleep(0.3)
        raise TemporaryServerError("a canary of a patient", status=503)

    with running(folder) as served, pytest.MonkeyPatch.context() as patched:
        patched.setattr(served.service.loop.cycle, "run_pass", failing)
        later = {"Prefer": "respond-async"}
        answer = served.post("/sync", "sync", json={"patient": "anna"}, headers=later)
        assert answer.status_code == 202
        until(lambda: served.get(answer.headers["Location"], "sync").status_code != 202)


def test_a_failure_that_nobody_waits_for_is_printed_by_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fail_for_one_who_does_not_wait(tmp_path)
    gc.collect()
    assert [one for one in caplog.records if one.name == "asyncio"] == []
    assert "canary" not in caplog.text


def test_what_was_asked_for_is_done_after_a_restart(tmp_path: Path) -> None:
    with Sandbox() as sandbox:
        with running(tmp_path, sandbox=sandbox) as served:
            served.put_result("anna", "1+")
            # Another process holds the lease, so that this one only queues what is asked.
            with open_store(f"sqlite:///{tmp_path / 'state.sqlite'}") as store:
                store.release_lease(served.service.loop.lease.holder)
                now = served.service.loop.parts.clock.now()
                assert store.acquire_lease("another", now=now, seconds=1000) is not None
            answer = served.post("/sync", "sync", json={"patient": "anna"})
            assert (answer.status_code, answer.json()["status"]) == (202, "queued")
        with open_store(f"sqlite:///{tmp_path / 'state.sqlite'}") as store:
            assert "Patient/anna" in store.queued()
            store.release_lease("another")
        with running(tmp_path, sandbox=sandbox):
            assert categories(sandbox) == {"anna": "low"}


def test_one_whose_pass_a_stop_cut_short_is_told_to_come_again(
    served: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.put_result("anna", "3+")
    scope = OnePass._scope

    def stopped_meanwhile(one: OnePass) -> Scope:
        chosen = scope(one)
        served.stop.set()
        return chosen

    monkeypatch.setattr(OnePass, "_scope", stopped_meanwhile)
    answer = served.post("/sync", "sync", json={"patient": "anna"})
    assert (answer.status_code, answer.json()["error"]) == (503, "stopping")
    assert answer.headers["Retry-After"]


def test_a_server_that_is_away_is_told_and_the_patient_stays_queued(tmp_path: Path) -> None:
    with Sandbox() as sandbox, running(tmp_path, sandbox=sandbox) as served:
        served.put_result("anna", "1+")
        sandbox.stop()
        answer = served.post("/sync", "sync", json={"patient": "anna"}, timeout=120)
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        with open_store(f"sqlite:///{tmp_path / 'state.sqlite'}") as store:
            assert "Patient/anna" in store.queued()


def test_what_cannot_be_queued_is_not_looked_at(
    served: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, passes = served.service.loop.parts.store, len(served.reports)

    def full(patients: Any, *, reason: str) -> int:
        time.sleep(0.5)  # long enough for a pass, where one could begin
        raise StoreError("disk full")

    served.put_result("anna", "1+")
    with monkeypatch.context() as patched:
        patched.setattr(store, "enqueue", full)
        answer = served.post("/sync", "sync", json={"patient": "anna"})
    assert (answer.status_code, answer.json()["error"]) == (503, "state-store")
    assert (len(served.reports), served.categories()) == (passes, {})
    assert asked(served, {"patient": "anna"})["changed"] == 1


def test_the_durable_queue_of_callers_has_an_end(
    served: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapter.web.sync_route.QUEUED", 1)
    store = served.service.loop.parts.store
    with monkeypatch.context() as patched:
        patched.setattr(store, "queue_length", lambda reason=None: 100 * 100 if reason else 0)
        answer = served.post("/sync", "sync", json={"patient": "anna"})
    assert (answer.status_code, answer.json()["error"]) == (429, "queue-full")
    assert int(answer.headers["Retry-After"]) >= 1
    assert "Patient/anna" not in store.queued()
    assert asked(served, {"patient": "anna"})["status"] == "done"


def test_what_was_only_observed_is_not_queued_for_ever(tmp_path: Path) -> None:
    with running(tmp_path, mode="observe", poll__discovery="requests") as served:
        served.put_result("anna", "1+")
        assert asked(served, {"patient": "anna"})["status"] == "observed"
        assert served.service.loop.parts.store.queue_length() == 0


def test_a_request_that_another_process_does_is_not_told_as_queued_for_ever(
    tmp_path: Path,
) -> None:
    with running(tmp_path, poll__interval_seconds=1) as served:
        store = served.service.loop.parts.store
        store.release_lease(served.service.loop.lease.holder)
        now = served.service.loop.parts.clock.now()
        assert store.acquire_lease("another", now=now, seconds=1000) is not None
        answer = served.post(
            "/sync", "sync", json={"patient": "anna"}, headers={"Prefer": "respond-async"}
        )
        if answer.headers.get("Location") is None:  # it was quicker than the caller
            assert answer.json()["status"] == "queued"
            return
        place = answer.headers["Location"]
        until(lambda: served.get(place, "sync").json()["status"] == "queued")
        store.done(store.queued())
        assert served.get(place, "sync").status_code == 404


def test_the_answer_says_what_its_description_says(served: Running) -> None:
    served.put_result("anna", "1+")
    answer = asked(served, {"patient": "anna"})
    described = served.get("/openapi.json", "watch").json()
    schema = described["paths"]["/sync"]["post"]["responses"]["200"]["content"]["application/json"]
    jsonschema.validate(answer, schema["schema"])
    assert json.dumps(described)


def test_where_nobody_can_ask_what_changed_who_is_asked_for_is_looked_at_and_nobody_else(
    tmp_path: Path,
) -> None:
    with Sandbox() as sandbox:
        refusing = {"patient-required": True, "no-last-updated": True}
        sandbox.habits.choose(refusing)
        settings = {"poll__discovery": "requests", "poll__interval_seconds": 0.2}
        with running(tmp_path, sandbox=sandbox, **settings) as served:
            for name in ("anna", "berta"):
                served.put_result(name, "1+")
            assert asked(served, {"patient": "anna"})["changed"] == 1
            passes = len(served.reports)
            until(lambda: len(served.reports) >= passes + 3)
            sandbox.habits.choose()
            assert served.categories() == {"anna": "low"}
            sandbox.habits.choose(refusing)
            put(sandbox, result("ihc", "3+", of="anna", sample="s-anna"))
            [sample] = asked(served, {"patient": "anna"})["samples"]
            assert (sample["before"], sample["category"]) == ("low", "positive")
        sandbox.habits.choose()
        assert categories(sandbox) == {"anna": "positive"}


def test_one_whose_specimen_is_not_shown_is_unfinished_and_the_others_are_told(
    served: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("anna", "berta"):
        served.put_result(name, "1+")
        put(served.sandbox, specimen(f"block-{name}", name))
        parent = {"parent": [{"reference": f"Specimen/block-{name}"}]}
        put(served.sandbox, {**specimen(f"s-{name}", name), **parent})

    def around(_: Forbidden, request: FhirRequest, answer: Answer) -> FhirResponse:
        is_protected = request.method == "GET" and request.path == "Specimen/block-anna"
        denied = plain_response(403, outcome("forbidden", "a protected record"))
        return denied if is_protected else answer(request)

    monkeypatch.setattr(Forbidden, "around", around)
    served.sandbox.habits.choose({"forbidden": "Media", "no-batches": True})
    answer = asked(served, {"patients": ["anna", "berta"]})
    assert answer["unfinished"] == ["Patient/anna"]
    assert [one["patient"] for one in answer["samples"]] == ["Patient/berta"]
    assert any("Specimen/block-anna (not-shown-403)" in words for words in answer["warnings"])
    alone = asked(served, {"patient": "anna"})
    assert (alone["status"], alone["unfinished"]) == ("done", ["Patient/anna"])
    served.sandbox.habits.choose()
    asked(served, {"patient": "anna"})
    assert served.categories() == {"anna": "low", "berta": "low"}
