"""A server that holds one resource which is no strict JSON: its patient waits, everybody else is decided."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapter.errors import ServerError
from adapter.sandbox.server import Sandbox
from tests.live.adapter_under_test import AdapterUnderTest
from tests.live.laboratory import Laboratory
from tests.live.records import Records, category_of

KINDS = {
    "key": "duplicate-key",
    "nan": "not-a-number",
    "digits": "number-out-of-range",
    "surrogate": "lone-surrogate",
    "control": "nul-character",
    "depth": "too-deep",
}


@pytest.mark.parametrize("spoilt", ["result", "specimen", "ours"])
@pytest.mark.parametrize("kind", KINDS)
def test_one_spoilt_resource_holds_back_its_patient_alone(
    kind: str, spoilt: str, tmp_path: Path
) -> None:
    with Sandbox() as sandbox:
        laboratory, records = Laboratory(sandbox.base_url), Records(sandbox.base_url)
        anna, berta = laboratory.patient("anna"), laboratory.patient("berta")
        ihc = laboratory.ihc("anna", "1+")
        laboratory.ihc("berta", "1+")
        adapter = AdapterUnderTest(sandbox.base_url, tmp_path / "state.sqlite")
        try:
            adapter.settle()
            (before,) = records.derived(anna)
            one = {
                "result": ihc,
                "specimen": laboratory.sample("anna"),
                "ours": f"Observation/{before['id']}",
            }[spoilt]
            laboratory.amend(ihc, "3+")
            laboratory.amend(f"Observation/{laboratory.prefix}-berta-a-ihc", "3+")
            sandbox.habits.choose({"spoilt-resource": f"{one.partition('/')[2]}:{kind}"})
            for sweep in (False, True, False):
                report = adapter.run(full_sweep=sweep)
                assert report.signals["refused"] == 1
                assert report.queue_left >= 1
                assert any(f"{one} ({KINDS[kind]})" in words for words in report.warnings)
            listed = adapter.adapter.parts.store.worklist()
            assert [
                (row.entry.subject, row.entry.reference, row.entry.reason) for row in listed
            ] == [(anna, one, KINDS[kind])]
            sandbox.habits.choose()
            assert records.derived(anna) == [before]
            assert category_of(records.only(berta)) == "positive"
            adapter.settle()
            assert category_of(records.only(anna)) == "positive"
            assert adapter.adapter.parts.store.worklist() == ()
            records.assert_sound(patients=2)
        finally:
            adapter.stop()
            laboratory.close()
            records.close()


def test_a_resource_with_two_subjects_still_stops_the_pass(tmp_path: Path) -> None:
    """Nobody knows who would have to wait: nothing is decided at all."""
    with Sandbox() as sandbox:
        laboratory, records = Laboratory(sandbox.base_url), Records(sandbox.base_url)
        ihc = laboratory.ihc("anna", "1+")
        laboratory.ihc("berta", "1+")
        sandbox.habits.choose({"spoilt-resource": f"{ihc.partition('/')[2]}:subject"})
        adapter = AdapterUnderTest(sandbox.base_url, tmp_path / "state.sqlite")
        try:
            with pytest.raises(ServerError) as failed:
                adapter.run()
            assert failed.value.code == "duplicate-key"
            sandbox.habits.choose()
            assert records.derived(laboratory.patient("berta")) == []
            adapter.settle()
            records.assert_sound(patients=2)
        finally:
            adapter.stop()
            laboratory.close()
            records.close()
