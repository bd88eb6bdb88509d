"""A server that protects one specimen: who needs it waits, everybody else is decided; one that protects all fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import requests

from adapter.errors import NotAuthorised
from adapter.sandbox.exchange import Answer, FhirRequest, FhirResponse
from adapter.sandbox.habits.denying import Forbidden
from adapter.sandbox.outcomes import outcome
from adapter.sandbox.replies import plain_response
from adapter.sandbox.server import Sandbox
from tests.live.adapter_under_test import AdapterUnderTest
from tests.live.laboratory import Laboratory
from tests.live.records import Records, category_of

PASSES = (("3+", {}), ("0", {"full_sweep": True}), ("3+", {}))
"""What the other patient's result is amended to before each pass, and how that is asked for."""


@pytest.fixture
def protected(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Beginnings of what may not be read, and the status that says so, alone or in a batch; while the habit is on."""
    statuses: dict[str, int] = {}

    def status_of(path: str) -> int | None:
        return next((status for one, status in statuses.items() if path.startswith(one)), None)

    def around(_: Forbidden, request: FhirRequest, answer: Answer) -> FhirResponse:
        status = status_of(request.path) if request.method == "GET" else None
        if status is not None:
            return plain_response(status, outcome("forbidden", "a protected record"))
        asked = json.loads(request.body) if request.body.startswith(b"{") else {}
        answered = answer(request)
        if asked.get("type") != "batch" or answered.status != 200:
            return answered
        bundle = json.loads(answered.body)
        for number, entry in enumerate(asked["entry"]):
            if (status := status_of(entry["request"]["url"])) is not None:
                bundle["entry"][number] = {"response": {"status": str(status)}}
        return plain_response(200, bundle)

    monkeypatch.setattr(Forbidden, "around", around)
    return statuses


def with_parent(laboratory: Laboratory, patient: str) -> str:
    """Give a sample a parent, which no search brings and a read asks for."""
    sample, owner = laboratory.sample(patient), {"reference": laboratory.patient(patient)}
    parent = f"{sample}-parent"
    for reference, more in ((parent, {}), (sample, {"parent": [{"reference": parent}]})):
        resource = {"resourceType": "Specimen", "id": reference.partition("/")[2], "subject": owner}
        requests.put(
            f"{laboratory.base_url}/{reference}", json={**resource, **more}, timeout=10
        ).raise_for_status()
    return parent


@pytest.mark.parametrize("batches", [True, False])
@pytest.mark.parametrize("status", [403, 501])
def test_one_protected_specimen_holds_back_its_patient_alone(
    status: int, batches: bool, protected: dict[str, int], tmp_path: Path
) -> None:
    with Sandbox() as sandbox:
        laboratory, records = Laboratory(sandbox.base_url), Records(sandbox.base_url)
        anna, berta = laboratory.patient("anna"), laboratory.patient("berta")
        of_anna, of_berta = laboratory.ihc("anna", "1+"), laboratory.ihc("berta", "1+")
        parent = with_parent(laboratory, "anna")
        with_parent(laboratory, "berta")
        adapter = AdapterUnderTest(sandbox.base_url, tmp_path / "state.sqlite")
        try:
            adapter.settle()
            before = records.derived(anna)
            laboratory.amend(of_anna, "3+")
            protected[parent] = status
            sandbox.habits.choose({"forbidden": "Media", "no-batches": not batches})
            for score, asked in PASSES:
                laboratory.amend(of_berta, score)
                report = adapter.run(**asked)
                assert report.signals["not-shown"] == 1
                assert any(f"{parent} (not-shown-{status})" in one for one in report.warnings)
                assert records.derived(anna) == before
                expected = {"3+": "positive", "0": "negative"}[score]
                assert category_of(records.only(berta)) == expected
            sandbox.habits.choose()
            adapter.run()
            assert category_of(records.only(anna)) == "positive"
            adapter.settle()
            records.assert_sound(patients=2)
        finally:
            adapter.stop()
            laboratory.close()
            records.close()


@pytest.mark.parametrize("batches", [True, False])
def test_an_account_that_may_read_no_specimen_fails_the_pass(
    batches: bool, protected: dict[str, int], tmp_path: Path
) -> None:
    with Sandbox() as sandbox:
        laboratory, records = Laboratory(sandbox.base_url), Records(sandbox.base_url)
        results = [laboratory.ihc(name, "1+") for name in ("anna", "berta")]
        for name in ("anna", "berta"):
            with_parent(laboratory, name)
        adapter = AdapterUnderTest(sandbox.base_url, tmp_path / "state.sqlite")
        try:
            adapter.settle()
            for one in results:
                laboratory.amend(one, "3+")
            protected["Specimen/"] = 403
            sandbox.habits.choose({"forbidden": "Media", "no-batches": not batches})
            for sweep in (False, True, False):
                with pytest.raises(NotAuthorised):
                    adapter.run(full_sweep=sweep)
            sandbox.habits.choose()
            adapter.settle()
            assert category_of(records.only(laboratory.patient("anna"))) == "positive"
            records.assert_sound(patients=2)
        finally:
            adapter.stop()
            laboratory.close()
            records.close()
