"""A running adapter takes a changed folder of mappings, keeps the old where it is broken, and says so; as a process."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapter.sandbox.server import Sandbox
from tests.cli.conftest import FIXTURES, Run, Start, fetch, load, put, wait_until
from tests.servers.adapter_service import end_lease_of_the_dead
from tests.unit.terminology.mapping_sets import overlay, site_toml, site_words

PHRASE = "schwach wolkig"


@pytest.fixture
def folder(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site's folder, set for every command of the test."""
    made = site_toml(tmp_path / "lab")
    monkeypatch.setenv("HER2_SITE_MAPPINGS", str(made))
    return made


@pytest.fixture
def begin(start: Start, folder: Path, sandbox: Sandbox, tmp_path: Path) -> Callable[[], Any]:
    """Start `run` on the sandbox with this folder."""
    settings = tmp_path / "her2.toml"
    settings.write_text(f'[policy]\nsite_mappings = "{folder}"\n')
    arguments = ("run", "--config", str(settings), "--log-format", "json")
    return lambda: start(sandbox.base_url, *arguments)


def report(sandbox: Sandbox, text: str, *, of: str = "ihc-1-plus") -> None:
    """Let the laboratory report this text as the result of an example patient."""
    bundle = json.loads((FIXTURES / of / "input.json").read_text("utf-8"))
    [found] = [
        entry["resource"]
        for entry in bundle["entry"]
        if entry["resource"]["resourceType"] == "Observation"
    ]
    put(sandbox, {**found, "valueCodeableConcept": {"text": text}})


def categories(sandbox: Sandbox) -> dict[str, str]:
    """Patient → code of the category that stands."""
    standing = {}
    for one in fetch(sandbox, "Provenance?_count=500").get("entry", []):
        target = one["resource"]["target"][0]["reference"]
        derived = fetch(sandbox, target.partition("/_history")[0])
        coding = derived["valueCodeableConcept"]["coding"]
        standing[derived["subject"]["reference"]] = coding[0]["code"]
    return standing


def ended(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    events = [json.loads(line) for line in err.splitlines()]
    assert not [event for event in events if "dropped" in event]
    return events


def test_a_folder_is_taken_kept_out_and_taken_again_while_the_adapter_runs(
    sandbox: Sandbox, folder: Path, begin: Callable[[], Any], run: Run
) -> None:
    load(sandbox, "ihc-1-plus", "ihc-3-plus")
    report(sandbox, PHRASE)
    run("table", "--sign", "Dr. A")
    process = begin()
    wait_until(process, lambda: len(categories(sandbox)) == 1)
    first = run("status").lines[0]
    assert (first["mappings_refused"], first["signature"]) == (None, "current")

    overlay(folder, site_words("ihc-score", "1+", PHRASE))
    wait_until(process, lambda: len(categories(sandbox)) == 2)
    assert categories(sandbox)["Patient/ihc-1-plus"] == "low"
    taken = run("status").lines[0]
    assert taken["mappings"].split()[0] == first["mappings"].split()[0]
    assert taken["mappings"] != first["mappings"]
    assert (taken["signature"], taken["vocabulary_changed"]) == ("current", True)

    overlay(folder, site_words("ihc-score", "9+", PHRASE))
    wait_until(process, lambda: run("status").lines[0]["mappings_refused"] is not None)
    load(sandbox, "ihc-0")
    wait_until(process, lambda: len(categories(sandbox)) == 3)
    assert categories(sandbox)["Patient/ihc-1-plus"] == "low"
    refused = run("status", "--check")
    assert refused.code == 5
    assert f"in force: {taken['mappings']}" in refused.err
    assert "The overlay on the disk is invalid since" in refused.err
    assert refused.lines[0]["signature"] == "unreadable"

    overlay(folder, site_words("ihc-score", "2+", PHRASE))
    site_toml(folder, '[policy]\nzero_plus = "zero"', version="1.1.0")
    wait_until(process, lambda: categories(sandbox)["Patient/ihc-1-plus"] == "equivocal")
    repaired = run("status", "--check", HER2_POLL__INTERVAL_SECONDS="60")
    assert (repaired.code, repaired.lines[0]["mappings_refused"]) == (0, None)
    assert repaired.lines[0]["signature"] == "changed"
    assert "zero_plus dated, now zero" in repaired.lines[0]["decision_table"]

    events = ended(process)
    told = [event["event"] for event in events if event["event"].startswith("mappings_re")]
    assert told == ["mappings_reloaded", "mappings_refused", "mappings_reloaded"]
    [warning] = [event for event in events if event["event"] == "mappings_refused"]
    assert warning["level"] == "warning"
    assert warning["count"] >= 1
    assert warning["files"][0].startswith("0.json: ")
    rows = run("audit", "show").lines
    assert [row["action"] for row in rows if row["action"].startswith("mappings")] == [
        "mappings-reloaded",
        "mappings-refused",
        "mappings-reloaded",
    ]
    assert run("audit", "verify").code == 0


def test_an_adapter_that_is_killed_after_a_reload_leaves_the_sweep_to_the_next(
    sandbox: Sandbox, folder: Path, begin: Callable[[], Any], run: Run
) -> None:
    load(sandbox, "ihc-1-plus", "ihc-3-plus")
    report(sandbox, PHRASE)
    process = begin()
    wait_until(process, lambda: "done" in run("status").out)
    overlay(folder, site_words("ihc-score", "1+", PHRASE))
    wait_until(process, lambda: "mappings-reloaded" in run("audit", "show").out)
    process.kill()
    process.communicate()
    end_lease_of_the_dead(folder.parent)

    assert run("sync", HER2_FHIR_URL=sandbox.base_url).code == 0
    assert categories(sandbox) == {"Patient/ihc-1-plus": "low", "Patient/ihc-3-plus": "positive"}
