"""`erase`: previewed, done, and honest about what it does not reach."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapter.sandbox.server import Sandbox
from adapter.store import open_store
from adapter.sync.reading.landmarks import SEEN
from adapter.sync.releasing import SHOWN, WITHDRAWN_LATELY
from adapter.sync.writing.foreign_edits import EDITS, WROTE

from .conftest import FIXTURES, Run, fetch, load

CASES = sorted(path.parent.name for path in FIXTURES.glob("*/input.json"))[:3]


@pytest.fixture
def patient(run: Run, sandbox: Sandbox) -> str:
    """A patient, by its bare id, of whom a result was derived."""
    load(sandbox, *CASES)
    ended = run("sync", "-o", "ndjson", HER2_FHIR_URL=sandbox.base_url)
    named = {str(line["subject"]) for line in ended.lines if line["kind"] == "case"}
    # One whose id is no part of another's, so that a search for it finds nobody else.
    subject = max(named, key=len)
    return subject.removeprefix("Patient/")


def traces(folder: Path, name: str) -> list[str]:
    files = folder.glob("state.sqlite*")
    return sorted(file.name for file in files if name.encode() in file.read_bytes())


def test_a_preview_counts_and_erases_nothing(run: Run, patient: str, tmp_path: Path) -> None:
    ended = run("erase", "--patient", patient, "--preview", "-o", "ndjson")
    held = {line["where"]: line["count"] for line in ended.lines}
    assert (ended.code, held["known patients"], held["key in the audit trail"]) == (0, 1, 1)
    assert "Nothing was erased" in ended.err
    assert traces(tmp_path, patient)


def test_an_erased_patient_is_in_no_file_and_the_trail_verifies(
    run: Run, patient: str, tmp_path: Path
) -> None:
    assert run("erase", "--patient", f"Patient/{patient}").code == 0
    assert traces(tmp_path, patient) == []
    assert run("audit", "verify").code == 0
    shown = run("audit", "show", "-o", "ndjson")
    assert [line["action"] for line in shown.lines][-1] == "erased"
    assert patient not in shown.out
    assert run("audit", "show", "--patient", patient).out == ""


@pytest.mark.parametrize("preview", [[], ["--preview"]], ids=["erase", "preview"])
def test_an_id_of_whom_nothing_is_held_is_said(run: Run, patient: str, preview: list[str]) -> None:
    ended = run("erase", "--patient", "nosuch", *preview)
    assert "Nothing was held of Patient/nosuch: is the id right?" in ended.err
    assert "Nothing was held" not in run("erase", "--patient", patient, *preview).err


def test_notes_that_could_name_something_of_the_patient_are_forgotten(
    run: Run, patient: str, tmp_path: Path
) -> None:
    """A note is a setting; one that is added and names ids must be added to `erase` too."""
    kept_on_purpose = {
        "audit-head",
        "derived-count",
        "frozen-for",
        "last-sweep",
        "parked-retried",
        "swept-with",
        "write-manner",
    }
    with open_store(f"sqlite:///{tmp_path / 'state.sqlite'}") as store:
        for name in (EDITS, SEEN, SHOWN, WITHDRAWN_LATELY, WROTE):
            store.set_setting(name, f"Observation/of-{patient}")
    run("erase", "--patient", patient)
    with sqlite3.connect(tmp_path / "state.sqlite") as connection:
        left = {name for (name,) in connection.execute("SELECT name FROM her2_setting")}
    connection.close()
    assert left <= kept_on_purpose, left - kept_on_purpose


def test_it_says_what_it_does_not_touch_and_names_the_command(run: Run, patient: str) -> None:
    said = run("erase", "--patient", patient).err
    assert f"her2-adapter withdraw --patient {patient}" in said
    for untouched in ("FHIR server", "logs", "backups", "looks at them anew"):
        assert untouched in said


def test_an_erased_patient_whom_the_server_still_shows_is_looked_at_anew(
    run: Run, sandbox: Sandbox, patient: str
) -> None:
    run("erase", "--patient", patient)
    report = run("sync", "--patient", patient, "-o", "ndjson")
    assert [line["action"] for line in report.lines if line["kind"] == "case"] == ["skip"]
    held = run("erase", "--patient", patient, "--preview", "-o", "ndjson").lines
    assert {line["where"]: line["count"] for line in held}["known patients"] == 1


def test_the_command_it_names_takes_back_what_is_about_the_patient_alone(
    run: Run, sandbox: Sandbox, patient: str
) -> None:
    ended = run("withdraw", "--patient", patient, "-o", "ndjson")
    assert {line["subject"] for line in ended.lines} == {f"Patient/{patient}"}
    found = fetch(sandbox, "Observation?status=entered-in-error&_summary=count")
    assert found["total"] == len(ended.lines) >= 1


def test_it_waits_for_a_running_adapter_to_be_stopped(
    run: Run, patient: str, tmp_path: Path
) -> None:
    with open_store(f"sqlite:///{tmp_path / 'state.sqlite'}") as store:
        store.acquire_lease("a service", now=datetime.now(UTC), seconds=300)
    ended = run("erase", "--patient", patient)
    assert (ended.code, "stop it, erase, start it" in ended.err) == (3, True)
    assert traces(tmp_path, patient)


@pytest.mark.parametrize("name", ["", "a b", "../x", "Patient/", "a" * 65, "Observation/1"])
def test_what_is_no_id_is_wrong_usage(run: Run, name: str) -> None:
    assert run("erase", "--patient", name).code == 2
