"""What an operator asks: status, the worklists, taking results back, the settings with their secrets masked."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapter.bootstrap import SystemClock
from adapter.ports import ParkedCase, PassRecord, StateStore
from adapter.sandbox.server import Sandbox
from adapter.store import open_store, place_of
from adapter.sync.in_force import MappingsInForce, keep
from adapter.sync.measured import MeasuredSource, Measurement, remember
from adapter.sync.releasing import BRAKE
from tests.cli.conftest import Run, fetch, load


@contextmanager
def state(folder: Path) -> Iterator[StateStore]:
    with open_store(f"sqlite:///{folder / 'state.sqlite'}") as store:
        yield store


def passed(ago_seconds: float, outcome: str = "done", kind: str = "incremental") -> PassRecord:
    ended = datetime.now(UTC) - timedelta(seconds=ago_seconds)
    return PassRecord(
        started_at=ended - timedelta(seconds=2),
        ended_at=ended,
        kind=kind,
        outcome=outcome,
        counts={"fetched": 40, "writes": 6, "parked": 1},
    )


@pytest.mark.parametrize(
    ("records", "code", "told"),
    [
        ([(0, "done")], 0, ""),
        ([(100, "done"), (10, "failed")], 0, ""),
        ([(400, "done")], 5, "Stale: no pass has ended well since"),
        ([(400, "done"), (0, "failed")], 5, "Stale"),
        ([(0, "observed")], 0, ""),
        ([(0, "braked")], 5, "A brake is engaged"),
        ([], 5, "no pass has ended well since the start"),
    ],
    ids=["fresh", "one-failure", "old", "only-failures", "observed", "braked", "never"],
)
def test_status_check_ends_in_5_when_stale_or_braked(
    run: Run, tmp_path: Path, records: list[tuple[int, str]], code: int, told: str
) -> None:
    with state(tmp_path) as store:
        for ago_seconds, outcome in records:
            store.record_pass(passed(ago_seconds, outcome))
    ended = run("status", "--check", HER2_POLL__INTERVAL_SECONDS="100")

    assert ended.code == code
    assert told in ended.err
    assert run("status").code == 0


@pytest.mark.parametrize("kind", ["patients", "withdrawal"])
def test_passes_over_some_patients_make_nobody_else_fresh(
    run: Run, tmp_path: Path, kind: str
) -> None:
    with state(tmp_path) as store:
        store.record_pass(passed(400))
        for _ in range(30):
            store.record_pass(passed(1, kind=kind))
            store.record_pass(passed(0, "failed"))
    ended = run("status", "--check", HER2_POLL__INTERVAL_SECONDS="100")

    assert (ended.code, "Stale" in ended.err) == (5, True)
    facts = ended.lines[0]
    assert (facts["fresh"], 400 <= facts["seconds_since"] < 430) == (False, True)


def test_passes_over_some_patients_hide_no_last_good_pass_and_no_brake(
    run: Run, tmp_path: Path
) -> None:
    with state(tmp_path) as store:
        store.record_pass(passed(50, kind="walk"))
        for _ in range(30):
            store.record_pass(passed(1, kind="patients"))
    assert run("status", "--check", HER2_POLL__INTERVAL_SECONDS="100").code == 0
    with state(tmp_path) as store:
        store.record_pass(passed(3, "braked", kind="sweep"))
        store.record_pass(passed(2, "failed"))
        store.record_pass(passed(1, kind="patients"))
    ended = run("status", "--check")
    assert (ended.code, "A brake is engaged" in ended.err) == (5, True)


def test_status_check_ends_in_5_while_a_changed_overlay_is_refused(
    run: Run, tmp_path: Path
) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    good = MappingsInForce(("1.0.0+a", "1.2.0+b"), now)
    refused = replace(good, refused=("site.toml: version: missing",), refused_at=now)
    told = {}
    for name, one in {"good": good, "refused": refused}.items():
        with state(tmp_path) as store:
            store.record_pass(passed(1))
            keep(store, one, "her2@host")
        told[name] = run("status", "--check")

    assert (told["good"].code, told["refused"].code) == (0, 5)
    assert told["good"].lines[0]["mappings"] == "1.0.0+a 1.2.0+b"
    assert told["good"].lines[0]["mappings_refused"] is None
    sentence = told["refused"].lines[0]["mappings_refused"]
    assert (
        "invalid since 2026-03-01T00:00:00+00:00, 1 defect; in force: 1.0.0+a 1.2.0+b." in sentence
    )
    assert sentence in told["refused"].err


def test_status_tells_queue_parked_brake_and_the_last_passes(run: Run, tmp_path: Path) -> None:
    with state(tmp_path) as store:
        store.record_pass(passed(5))
        store.enqueue(["Patient/a", "Patient/b"], reason="changed")
        store.park(ParkedCase("key", "Patient/a", "refused", "f", datetime.now(UTC)))
        store.set_setting(BRAKE, "{}")
    facts, last = run("status").lines

    assert (facts["queue"], facts["parked"], facts["brake_engaged"]) == (2, 1, True)
    assert facts["fresh"]
    assert (last["kind"], last["outcome"], last["fetched"], last["writes"]) == (
        "pass",
        "done",
        40,
        6,
    )
    table = run("status", "-o", "table").out
    assert "brake engaged" in table
    assert "incremental" in table


@pytest.mark.parametrize(
    "command",
    [
        ["status"],
        ["status", "--check"],
        ["parked", "list"],
        ["parked", "retry"],
        ["unmapped"],
        ["audit", "show"],
        ["audit", "verify"],
        ["audit", "head"],
        ["brake", "show"],
        ["brake", "release", "--by", "Dr. Example"],
        ["erase", "--patient", "a"],
        ["mappings", "add", "1a2b3c4d", "--means", "ihc", "--by", "x", "--overlay", "site"],
    ],
    ids=" ".join,
)
def test_a_command_that_asks_after_the_state_makes_none(
    run: Run, sandbox: Sandbox, tmp_path: Path, command: list[str]
) -> None:
    ended = run(*command, HER2_FHIR_URL=sandbox.base_url, HER2_STATE_URL="sqlite:///other.sqlite")

    assert ended.code == 3, ended.err
    assert f"There is no state store {tmp_path / 'other.sqlite'}" in ended.err
    assert list(tmp_path.glob("other*")) == []


def test_status_names_the_state_it_read_without_a_password(run: Run, tmp_path: Path) -> None:
    with state(tmp_path):
        pass
    facts = run("status", HER2_STATE_URL="sqlite:///state.sqlite").lines[0]
    assert facts["state"] == str(tmp_path / "state.sqlite")
    assert place_of("postgresql://me:secret@db.test/her2").endswith("me:***@db.test/her2")


def test_parked_results_are_listed_and_sent_again_on_request(run: Run, tmp_path: Path) -> None:
    with state(tmp_path) as store:
        for key in ("one", "two"):
            store.park(ParkedCase(key, f"Patient/{key}", "refused", "f", datetime.now(UTC)))

    assert [line["key"] for line in run("parked", "list").lines] == ["one", "two"]
    assert run("parked", "retry", "three").code == 2
    assert [line["key"] for line in run("parked", "retry", "two").lines] == ["two"]
    with state(tmp_path) as store:
        assert [case.key for case in store.parked()] == ["one"]
        assert tuple(store.queued()) == ("Patient/two",)
    assert [line["key"] for line in run("parked", "retry").lines] == ["one"]


@pytest.mark.parametrize(
    ("chosen", "count"),
    [
        (["--all"], 11),
        (["--rule", "ihc-0"], 1),
        (["--policy", "asco-cap-2023"], 11),
        (["--policy", "asco-cap-2023|1.0.0"], 11),
        (["--policy", "9.9"], 0),
        (["--policy", "basic"], 0),
        (["--since", "2020-01-01"], 11),
        (["--since", "2999-01-01"], 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_withdraw_takes_back_what_is_chosen(
    run: Run, sandbox: Sandbox, chosen: list[str], count: int
) -> None:
    load(sandbox)
    run("sync", HER2_FHIR_URL=sandbox.base_url)
    written = sandbox.writes
    preview = run("withdraw", *chosen, "--preview")
    assert (preview.code, len(preview.lines), sandbox.writes) == (0, count, written)
    assert run("withdraw", *chosen).code == 0

    assert withdrawn(sandbox) == count


def test_in_observe_mode_nothing_is_withdrawn(run: Run, sandbox: Sandbox) -> None:
    load(sandbox)
    run("sync", HER2_FHIR_URL=sandbox.base_url)
    written = sandbox.writes
    ended = run("withdraw", "--all", HER2_MODE="observe")

    assert (ended.code, "mode is observe" in ended.err, sandbox.writes) == (2, True, written)
    preview = run("withdraw", "--all", "--preview")
    assert (preview.code, len(preview.lines), sandbox.writes) == (0, 11, written)


@pytest.mark.parametrize(
    ("chosen", "code", "told"),
    [
        (
            ["--rule", "ihc-00"],
            2,
            "did you mean ihc-0?",
        ),
        (["--rule", "r/1"], 2, "no rule r/1 is known"),
        (["--rule", "ihc-0"], 0, "No derived result of ours fits"),
        (["--patient", "nosuch"], 0, "No derived result of ours fits"),
    ],
    ids=["near-a-rule", "like-nothing", "a-rule-that-decided-nothing", "unknown-patient"],
)
@pytest.mark.parametrize("preview", [[], ["--preview"]], ids=["withdraw", "preview"])
def test_a_withdrawal_that_finds_nothing_says_so(
    run: Run, sandbox: Sandbox, chosen: list[str], preview: list[str], code: int, told: str
) -> None:
    load(sandbox, "ihc-3-plus")
    run("sync", HER2_FHIR_URL=sandbox.base_url)
    ended = run("withdraw", *chosen, *preview)

    assert (ended.code, told in ended.err) == (code, True), ended.err
    assert "these are marked" not in ended.err
    assert withdrawn(sandbox) == 0


def withdrawn(sandbox: Sandbox) -> int:
    tag = "https://w3id.org/her2-adapter/CodeSystem/her2-adapter|derived"
    found = fetch(sandbox, f"Observation?_tag={tag}&status=entered-in-error&_summary=count")
    return int(found["total"])


@pytest.mark.parametrize(
    "wrong",
    [[], ["--all", "--rule", "ihc-0"], ["--policy", "other|1"], ["--since", "x"]],
    ids=["nothing", "all-and-some", "unknown-policy", "no-day"],
)
def test_withdraw_wants_to_know_what(run: Run, wrong: list[str]) -> None:
    assert run("withdraw", *wrong, HER2_FHIR_URL="https://fhir.test").code == 2


def test_config_masks_every_secret_and_names_the_origin(run: Run) -> None:
    ended = run(
        "config",
        HER2_FHIR_URL="https://fhir.test/r4",
        HER2_SOURCE__AUTH__KIND="bearer",
        HER2_SOURCE__AUTH__TOKEN="very-secret-token",
        HER2_STATE_URL="postgresql+psycopg://user:very-secret-word@db.test/her2",
    )

    rows = {line["name"]: line for line in ended.lines}
    assert rows["source.url"]["value"] == "https://fhir.test/r4"
    assert rows["source.url"]["origin"] == "HER2_FHIR_URL"
    assert "very-secret" not in ended.out + ended.err


def test_config_says_what_came_from_the_doctor_and_makes_no_state_file(
    run: Run, tmp_path: Path
) -> None:
    url = "https://fhir.test/r4"

    def row() -> tuple[str, str]:
        lines = {line["name"]: line for line in run("config", HER2_FHIR_URL=url).lines}
        return lines["source.page_size"]["value"], lines["source.page_size"]["origin"]

    assert row() == ("500", "default")
    assert not (tmp_path / "state.sqlite").exists()
    with state(tmp_path) as store:
        at = datetime(2026, 3, 1, tzinfo=UTC)
        remember(store, MeasuredSource(50, 900.0, incremental=True), Measurement(url, at))
    assert row() == ("50", "doctor, 2026-03-01")


def test_the_file_the_environment_and_the_flag_win_in_this_order(run: Run, tmp_path: Path) -> None:
    (tmp_path / "her2.toml").write_text('[policy]\nname = "basic"\nzero_plus = "zero"\n')

    def name_of(*flags: str, **environment: str) -> str:
        rows = run("config", "--config", "her2.toml", *flags, **environment).lines
        return next(str(row["value"]) for row in rows if row["name"] == "policy.name")

    assert name_of() == "basic"
    assert name_of(HER2_POLICY="asco-cap-2023") == "asco-cap-2023"
    assert name_of("--policy", "basic") == "basic"


def test_config_check_asks_the_server_and_writes_nothing(run: Run, sandbox: Sandbox) -> None:
    load(sandbox, "ihc-0")
    before = sandbox.writes
    ended = run("config", "--check", HER2_FHIR_URL=sandbox.base_url)

    assert (ended.code, sandbox.writes) == (0, before)
    assert "FHIR 4.0.1" in ended.err
    assert "All good" in ended.err
    assert run("config", "--check", HER2_FHIR_URL=f"{sandbox.base_url}/nowhere").code == 3


@pytest.mark.parametrize(
    "command", [["config", "--check"], ["sync"], ["doctor", "--read-only", "-o", "table"]]
)
def test_where_no_pass_can_run_the_setting_that_helps_is_named(
    run: Run, sandbox: Sandbox, tmp_path: Path, command: list[str]
) -> None:
    sandbox.habits.choose(profile="epic")
    ended = run(*command, HER2_FHIR_URL=sandbox.base_url, COLUMNS="400")
    told = ended.out + ended.err

    assert ended.code == (0 if command[0] == "doctor" else 3)
    assert "set poll.discovery to patients or requests (docs/integrate.md)" in told
    assert "All good" not in told
    assert "Every pass reads everything" not in told

    (tmp_path / "list.txt").write_text("ihc-0\n")
    listed = {"HER2_POLL__DISCOVERY": "patients", "HER2_POLL__PATIENTS_FILE": "list.txt"}
    again = run(*command, **listed)
    assert (again.code, "poll.discovery to" in again.out + again.err) == (0, False), again.err


def test_without_transactions_config_check_says_how_it_is_written_then(
    run: Run, sandbox: Sandbox
) -> None:
    sandbox.habits.choose({"no-transactions": "405"})
    ended = run("config", "--check", HER2_FHIR_URL=sandbox.base_url)
    assert "results are then written one resource at a time" in ended.err
    assert "All good" in ended.err


@pytest.mark.parametrize(
    "command", [["sync"], ["withdraw", "--all"], ["brake", "show"]], ids=" ".join
)
def test_a_person_who_stops_the_waiting_for_a_server_has_interrupted_and_not_failed(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: list[str]
) -> None:
    with state(tmp_path):
        pass

    def interrupted(clock: SystemClock, _seconds: float) -> None:
        if not clock._stop.is_set():
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(SystemClock, "sleep", interrupted)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    ended = run(*command, HER2_FHIR_URL=f"http://127.0.0.1:{port}/fhir")
    assert (ended.code, "Stopped before the server answered" in ended.err) == (130, True), ended.err


def test_mappings_are_checked_and_listed(run: Run, tmp_path: Path) -> None:
    assert run("mappings", "check").code == 0
    names = [line["name"] for line in run("mappings", "list").lines]
    assert "conceptmap-answers-ihc.json" in names

    (tmp_path / "overlay").mkdir()
    (tmp_path / "overlay" / "site.json").write_text('{"resourceType": "ConceptMap"}')
    ended = run("mappings", "check", "overlay")
    assert ended.code == 2
    assert all(line["defect"].startswith("site.json") for line in ended.lines)
    refused = run("classify", text="{}", HER2_SITE_MAPPINGS=str(tmp_path / "overlay"))
    assert refused.code == 2


def test_queue_list_shows_who_waits_and_drop_takes_off_whom_it_is_told(
    run: Run, tmp_path: Path
) -> None:
    with state(tmp_path) as store:
        store.enqueue(["Patient/b", "Patient/a", "Patient/c"], reason="asked")
    assert [one["patient"] for one in run("queue", "list").lines] == [
        "Patient/b",
        "Patient/a",
        "Patient/c",
    ]
    ended = run("queue", "drop", "--patient", "b", "--patient", "Patient/c")
    assert (ended.code, [one["patient"] for one in ended.lines]) == (0, ["Patient/b", "Patient/c"])
    with state(tmp_path) as store:
        assert tuple(store.queued()) == ("Patient/a",)
        rows = store.recorded("Patient/b")
    assert [(one.action, one.outcome) for one in rows] == [("dropped", "off-the-queue")]


def test_queue_drop_takes_off_nobody_when_one_is_not_queued(run: Run, tmp_path: Path) -> None:
    with state(tmp_path) as store:
        store.enqueue(["Patient/a"], reason="asked")
    assert run("queue", "drop", "--patient", "a", "--patient", "x").code == 2
    with state(tmp_path) as store:
        assert tuple(store.queued()) == ("Patient/a",)
