"""`sync` and `run` end as promised: what they print, and each exit code; over real HTTP, signals included."""

from __future__ import annotations

import json
import signal
import socket
import time
from pathlib import Path

import jsonschema
import pytest

from adapter.cli.exit_codes import NOT_REACHABLE, WRONG_USAGE
from adapter.sandbox.server import Sandbox
from tests.cli.conftest import ROOT, Run, Start, fetch, load, wait_until
from tests.unit.terminology.mapping_sets import site_toml

SCHEMA = json.loads((ROOT / "docs/schemas/sync-line.schema.json").read_text("utf-8"))


def test_a_pass_writes_what_is_missing_and_a_second_one_nothing(run: Run, sandbox: Sandbox) -> None:
    load(sandbox)
    first = run("sync", "--once", HER2_FHIR_URL=sandbox.base_url)
    written = sandbox.writes
    second = run("sync")

    assert (first.code, second.code) == (0, 0)
    assert {line["action"] for line in first.lines if line["kind"] == "case"} == {"create"}
    assert {line["action"] for line in second.lines if line["kind"] == "case"} == {"skip"}
    assert sandbox.writes == written
    assert "0 versions written" in second.err


def test_every_line_of_a_pass_is_as_the_schema_says(run: Run, sandbox: Sandbox) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    load(sandbox)
    lines = run("sync", HER2_FHIR_URL=sandbox.base_url).lines
    load(sandbox, file="later.json")
    lines += run("sync").lines
    lines += run("withdraw", "--all").lines

    assert {"create", "update", "retract"} <= {line.get("action") for line in lines}
    for line in lines:
        jsonschema.validate(line, SCHEMA)


def test_a_dry_run_writes_nothing_and_leaves_no_trace(run: Run, sandbox: Sandbox) -> None:
    load(sandbox)
    before = sandbox.writes
    ended = run("sync", "--dry-run", HER2_FHIR_URL=sandbox.base_url)

    assert (ended.code, sandbox.writes) == (0, before)
    assert "11 to create" in ended.err
    assert run("status").lines[0]["last_good_pass"] is None


def test_a_table_tells_what_was_done(run: Run, sandbox: Sandbox) -> None:
    load(sandbox, "ihc-1-plus", "gastric")
    first = run("sync", "-o", "table", HER2_FHIR_URL=sandbox.base_url)
    load(sandbox, "ihc-1-plus", file="later.json")
    second = run("sync", "-o", "table")

    assert "created" in first.out
    assert "not-applicable" in first.out
    assert "updated (was low)" in second.out


def test_only_the_patients_asked_for_are_looked_at(
    run: Run, sandbox: Sandbox, tmp_path: Path
) -> None:
    load(sandbox)
    (tmp_path / "patients.txt").write_text("ihc-3-plus\n\nPatient/ihc-0\nPatient/ihc-o\n")
    one = run("sync", "--patient", "ihc-1-plus", HER2_FHIR_URL=sandbox.base_url)
    two = run("sync", "--patients", "patients.txt")

    assert [line["subject"] for line in one.lines] == ["Patient/ihc-1-plus"]
    assert {line["subject"] for line in two.lines} == {"Patient/ihc-3-plus", "Patient/ihc-0"}
    assert "No HER2 result is shown" not in one.err
    assert "No HER2 result is shown of Patient/ihc-o: is the id right?" in two.err


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"ihc-0\r\nMeier;17\n\nx y\n", "2 lines are no patient id, the first is line 2"),
        ("ihc-0\n".encode("utf-16"), "is not text in UTF-8"),
        (b"# nobody\n\n", "names no patient"),
    ],
    ids=["table", "utf-16", "nobody"],
)
def test_a_file_with_a_line_that_is_no_id_is_refused_and_not_quoted(
    run: Run, sandbox: Sandbox, tmp_path: Path, content: bytes, told: str
) -> None:
    (tmp_path / "list.csv").write_bytes(content)
    ended = run("sync", "--patients", "list.csv", HER2_FHIR_URL=sandbox.base_url, COLUMNS="200")

    assert (ended.code, told in ended.err, "Meier" in ended.err) == (2, True, False), ended.err
    assert not (tmp_path / "state.sqlite").exists()


def test_a_file_may_begin_with_a_byte_order_mark_and_hold_remarks(
    run: Run, sandbox: Sandbox, tmp_path: Path
) -> None:
    load(sandbox, "ihc-0")
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbfihc-0  # of today\r\n")
    ended = run("sync", "--patients", "list.txt", HER2_FHIR_URL=sandbox.base_url)
    assert [line["subject"] for line in ended.lines] == ["Patient/ihc-0"]


@pytest.mark.parametrize("command", ["sync", "withdraw", "erase"])
@pytest.mark.parametrize("name", ["Jane Doe", "", "Patient/", "a/b", "x" * 65])
def test_a_patient_who_is_no_id_is_refused_and_not_quoted(
    run: Run, command: str, name: str
) -> None:
    ended = run(command, "--patient", name, HER2_FHIR_URL="https://fhir.test", COLUMNS="200")
    assert (ended.code, "Jane" in ended.err) == (2, False)


def test_a_sample_that_gets_no_result_is_not_called_unchanged(run: Run, sandbox: Sandbox) -> None:
    load(sandbox, "gastric", "ihc-0")
    first = run("sync", HER2_FHIR_URL=sandbox.base_url).err
    again = run("sync").err
    assert "Derived results: 1 created, 1 nothing to write;" in first
    assert "1 patient; whoever got a first result is looked at once more" in first
    assert "Derived results: 1 unchanged, 1 nothing to write;" in again


def test_a_first_pass_that_is_too_large_asks_an_operator(run: Run, sandbox: Sandbox) -> None:
    load(sandbox)
    before = sandbox.writes
    ended = run("sync", HER2_FHIR_URL=sandbox.base_url, HER2_BRAKE__FIRST_PASS="5")

    assert (ended.code, sandbox.writes) == (5, before)
    assert "--backfill" in ended.err
    assert "2 low" in ended.err
    assert run("status", "--check").code == 5
    shown = run("brake", "show", "-o", "ndjson")
    assert (shown.code, len(shown.lines)) == (5, 11)
    assert "Engaged: the last pass was a first contact" in shown.err
    assert "This is a first contact, 11 results to create" in shown.err
    assert run("sync", "--backfill").code == 0
    assert sandbox.writes > before


@pytest.mark.parametrize("since", ["2024-01-31", "2024-01-31T10:00:00+02:00"])
def test_since_takes_a_day_or_an_instant(run: Run, sandbox: Sandbox, since: str) -> None:
    load(sandbox, "ihc-0")

    assert run("sync", "--since", since, HER2_FHIR_URL=sandbox.base_url).code == 0


def test_fail_on_review_ends_in_4_after_everything_was_written(run: Run, sandbox: Sandbox) -> None:
    load(sandbox, "two-scores-contradict")
    ended = run("sync", "--fail-on", "parked,review", HER2_FHIR_URL=sandbox.base_url)

    assert ended.code == 4
    assert fetch(sandbox, "Provenance?_summary=count")["total"] == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["sync", "--since", "yesterday"], "is no day or instant"),
        (["sync", "--patients", "nowhere"], "does not exist"),
        (["sync", "--fail-on", "x"], "knows parked, review, unmapped"),
        (["sync", "--unknown"], "No such option"),
        (["sync", "-o", "xml"], "is not one of"),
        (["nonsense"], "No such command"),
        (["sync"], "source.url is not set"),
        (["sync", "--config", "nowhere.toml"], "cannot be read"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_ends_in_2(run: Run, arguments: list[str], told: str) -> None:
    ended = run(*arguments, COLUMNS="200")

    assert ended.code == 2
    assert told in ended.err
    assert ended.out == ""


def test_every_wrong_setting_is_told_at_once(run: Run) -> None:
    ended = run("sync", HER2_POLL__INTERVAL_SECONDS="soon", HER2_FHIR_URL="http://elsewhere.test/")

    assert ended.code == 2
    assert "poll.interval_seconds" in ended.err
    assert "source.url" in ended.err


def test_a_server_that_is_no_fhir_server_ends_in_3(run: Run, sandbox: Sandbox) -> None:
    ended = run("sync", HER2_FHIR_URL=f"{sandbox.base_url}/Patient")

    assert ended.code == 3
    assert "is it the FHIR base URL?" in ended.err


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"]
)
def test_run_polls_until_it_is_stopped(
    sandbox: Sandbox, start: Start, number: signal.Signals, code: int
) -> None:
    load(sandbox, "ihc-1-plus")
    process = start(sandbox.base_url, "run", "-o", "ndjson")
    wait_until(process, lambda: sandbox.counts.versions >= 3 + 3)
    load(sandbox, "ihc-1-plus", file="later.json")
    wait_until(process, lambda: sandbox.counts.versions >= 6 + 1 + 2)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)

    assert process.returncode == code, err
    lines = [json.loads(line) for line in out.splitlines()]
    assert [(line["action"], line["category"]) for line in lines] == [
        ("create", "low"),
        ("update", "equivocal"),
    ]


def test_run_in_observe_mode_writes_nothing(sandbox: Sandbox, start: Start) -> None:
    load(sandbox, "ihc-1-plus")
    before = sandbox.writes
    process = start(sandbox.base_url, "run", "--observe", "--log-format", "json")
    seen = sandbox.requests
    wait_until(process, lambda: sandbox.requests > seen + 60)  # a first pass takes a third of these
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)

    assert (process.returncode, sandbox.writes) == (0, before)
    events = [json.loads(line) for line in err.splitlines()]
    ended = [event["counts"] for event in events if event["event"] == "pass_ended"]
    assert ended[0]["category.low"] == 1  # the last one may have been stopped before it got there


def test_run_logs_which_overlay_it_uses(sandbox: Sandbox, start: Start, tmp_path: Path) -> None:
    site_toml(tmp_path / "lab", '[policy]\nzero_plus = "zero"')
    settings = tmp_path / "her2.toml"
    settings.write_text(f'[policy]\nsite_mappings = "{tmp_path / "lab"}"\n')
    seen = sandbox.requests
    process = start(sandbox.base_url, "run", "--config", str(settings), "--log-format", "json")
    wait_until(process, lambda: sandbox.requests > seen + 5)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)

    events = [json.loads(line) for line in err.splitlines()]
    [told] = [event for event in events if event["event"] == "overlay_loaded"]
    assert (told["overlay"], told["added"], told["overridden"]) == ("St. Example's", 0, 0)
    assert told["mappings"].startswith("1.0.0+")
    assert "dropped" not in told


def test_a_second_interrupt_ends_a_pass_at_once(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/fhir"
        process = start(url, "sync")
        connection, _ = silent.accept()
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        connection.close()

    assert process.returncode == 130


def test_a_server_that_is_not_there_ends_in_3(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    process = start(f"http://127.0.0.1:{port}/fhir", "sync")
    _, err = process.communicate(timeout=120)

    assert process.returncode == 3
    assert "127.0.0.1 gave no usable answer" in err


def test_a_reader_that_goes_away_is_no_defect(start: Start) -> None:
    process = start("http://127.0.0.1:1/fhir", "table", "-o", "ndjson")
    assert process.stdout is not None
    process.stdout.close()
    process.wait(timeout=30)

    assert process.stderr is not None
    assert process.returncode == 130
    assert process.stderr.read() == ""
    process.stderr.close()


def test_a_pass_says_by_what_it_knows_whom_to_look_at(
    run: Run, sandbox: Sandbox, tmp_path: Path
) -> None:
    load(sandbox)
    sandbox.habits.choose({"patient-required": True, "no-last-updated": True})
    (tmp_path / "list.txt").write_text("ihc-3-plus\nihc-0\n", "utf-8")
    listed = {"HER2_POLL__DISCOVERY": "patients", "HER2_POLL__PATIENTS_FILE": "list.txt"}
    checked = run("config", "--check", HER2_FHIR_URL=sandbox.base_url, **listed)
    ended = run("sync")

    assert (checked.code, ended.code) == (0, 0)
    assert "The list names 2 patients" in checked.err
    said = "Discovery: the patients of the file list.txt, each read every 24 h"
    assert said in checked.err
    assert said in ended.err
    subjects = {line["subject"] for line in ended.lines if line["kind"] == "case"}
    assert subjects == {"Patient/ihc-3-plus", "Patient/ihc-0"}
    assert "full sweep" not in ended.err
    again = run("sync")
    assert "0 versions written" in again.err
    assert run("sync", "--since", "2024-01-01").code == WRONG_USAGE
    (tmp_path / "list.txt").write_text("", "utf-8")
    gone = run("sync")
    assert (gone.code, "nothing is withdrawn" in gone.err) == (NOT_REACHABLE, True)


def test_by_requests_a_pass_without_any_looks_at_nobody(run: Run, sandbox: Sandbox) -> None:
    load(sandbox)
    ended = run("sync", HER2_FHIR_URL=sandbox.base_url, HER2_POLL__DISCOVERY="requests")
    assert "only the patients that somebody asks for" in ended.err
    assert ended.lines == []
    asked = run("sync", "--patient", "ihc-3-plus")
    assert [line["subject"] for line in asked.lines] == ["Patient/ihc-3-plus"]
