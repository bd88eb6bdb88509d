"""The audit trail on the command line: shown for one patient, checked, and its head kept elsewhere."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from adapter.sandbox.server import Sandbox

from .conftest import FIXTURES, Run, load

CASES = sorted(path.parent.name for path in FIXTURES.glob("*/input.json"))[:3]


def synced(run: Run, sandbox: Sandbox) -> str:
    """Run a pass over some example patients; returns one of them."""
    load(sandbox, *CASES)
    ended = run("sync", "-o", "ndjson", HER2_FHIR_URL=sandbox.base_url)
    patient: str = next(line["subject"] for line in ended.lines if line["kind"] == "case")
    return patient


def test_an_operator_sees_what_was_done_for_one_patient(run: Run, sandbox: Sandbox) -> None:
    patient = synced(run, sandbox)
    lines = run("audit", "show", "--patient", patient, "-o", "ndjson").lines
    assert {line["action"] for line in lines} == {"created"}
    assert all(line["details"]["derived"].startswith("Observation/") for line in lines)
    short = run("audit", "show", "--patient", patient.removeprefix("Patient/"), "-o", "ndjson")
    assert short.lines == lines


def test_the_whole_trail_names_no_patient(run: Run, sandbox: Sandbox) -> None:
    patient = synced(run, sandbox)
    ended = run("audit", "show", "-o", "ndjson")
    assert patient not in ended.out
    assert "Observation/" not in ended.out
    assert {"trail-begun", "created"} == {line["action"] for line in ended.lines}
    assert {line["details"] for line in ended.lines if line["action"] == "created"} == {"sealed"}


def test_a_patient_of_whom_nothing_is_recorded_is_told(run: Run, sandbox: Sandbox) -> None:
    synced(run, sandbox)
    ended = run("audit", "show", "--patient", "nobody")
    assert (ended.code, ended.out) == (0, "")
    assert "Nothing is recorded of this patient, or they were erased" in ended.err


def test_a_sound_trail_is_told_and_what_its_key_is_worth(run: Run, sandbox: Sandbox) -> None:
    synced(run, sandbox)
    ended = run("audit", "verify", "-o", "ndjson")
    assert (ended.code, ended.lines[0]["sound"], ended.lines[0]["wrong_row"]) == (0, True, None)
    assert "store.audit_key keeps it elsewhere" in ended.err


def test_the_first_wrong_row_is_named_and_the_command_ends_in_5(
    run: Run, sandbox: Sandbox, tmp_path: Path
) -> None:
    synced(run, sandbox)
    connection = sqlite3.connect(tmp_path / "state.sqlite")
    connection.execute("DROP TRIGGER her2_audit_no_update")
    connection.execute("UPDATE her2_audit SET outcome = 'x' WHERE seq = 3")
    connection.commit()
    connection.close()
    ended = run("audit", "verify", "-o", "ndjson")
    assert (ended.code, ended.lines[0]["wrong_row"]) == (5, 3)
    assert "Row 3: this row, or the order of rows" in ended.err


def test_a_head_that_was_kept_is_found_again_and_a_foreign_one_is_not(
    run: Run, sandbox: Sandbox
) -> None:
    synced(run, sandbox)
    kept = run("audit", "head", "-o", "ndjson").lines[0]["head"]
    assert run("audit", "verify", "--head", kept).code == 0
    assert run("audit", "verify", "--head", "1:" + "0" * 64).code == 5


def test_the_trail_of_a_key_that_was_replaced_needs_the_old_one(
    run: Run, sandbox: Sandbox, tmp_path: Path
) -> None:
    synced(run, sandbox)
    other = {"HER2_STORE__AUDIT_KEY": "k" * 40}
    assert run("audit", "verify", **other).code == 5
    old = tmp_path / "state.sqlite.audit-key"
    assert run("audit", "verify", "--old-key", old, **other).code == 0
