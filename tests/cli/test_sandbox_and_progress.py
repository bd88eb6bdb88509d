"""The sandbox command serves until it is stopped; progress is for terminals only, and counts what passes through."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from threading import Event

import pytest

from adapter.bootstrap import SystemClock
from adapter.cli.progress import Watched, shown_progress
from adapter.connections import server_of
from adapter.sandbox.habits.profiles import PROFILES
from adapter.sandbox.habits.registry import HABITS
from adapter.sandbox.server import Sandbox
from adapter.settings import ServerSettings
from tests.cli.conftest import ROOT, Run, load


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"]
)
def test_the_sandbox_prints_its_address_and_serves_until_stopped(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "adapter",
            "sandbox",
            "--port",
            "0",
            "--database",
            tmp_path / "s.db",
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        base = process.stdout.readline().strip()
        with urllib.request.urlopen(f"{base}/metadata") as answer:
            assert json.load(answer)["fhirVersion"] == "4.0.1"
        process.send_signal(number)
        process.communicate(timeout=30)

    assert process.returncode == code
    assert (tmp_path / "s.db").exists()


def test_it_takes_a_profile_and_habits_on_top_of_it_and_says_so() -> None:
    options = ["--profile", "hapi", "--habit", "no-client-ids=400", "--habit", "lost-responses"]
    with subprocess.Popen(
        [sys.executable, "-m", "adapter", "sandbox", "--port", "0", "--seed", "7", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        base = process.stdout.readline().strip()
        with urllib.request.urlopen(base.replace("/fhir", "/_sandbox/habits")) as answer:
            on = json.load(answer)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)

    assert process.returncode == 0
    assert on["search-cache"] == "60"
    assert (on["no-client-ids"], on["lost-responses"]) == ("400", "3")
    assert "Habit no-client-ids=400" in said


def test_all_habits_and_profiles_are_listed(run: Run) -> None:
    ended = run("sandbox", "--list-habits", "--output", "ndjson")
    listed = [json.loads(line) for line in ended.out.splitlines()]

    assert ended.code == 0
    habits = {row["name"]: row for row in listed if "does" in row and "seen" in row}
    assert set(habits) == {habit.name for habit in HABITS}
    assert habits["search-cache"]["default"] == "60"
    profiles = {row["name"]: row["habits"] for row in listed if "habits" in row}
    assert set(profiles) == {profile.name for profile in PROFILES}
    assert "search-cache=60 " in profiles["hapi"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--habit", "nonsense"], "there is no habit 'nonsense'"),
        (["--habit", "late-commits=soon"], "late-commits takes a number of seconds"),
        (["--profile", "saintly"], "there is no sandbox profile 'saintly'"),
    ],
)
def test_a_wrong_habit_or_profile_is_wrong_usage(run: Run, options: list[str], said: str) -> None:
    ended = run("sandbox", "--port", "0", *options)

    assert ended.code == 2
    assert said in ended.err
    assert ended.out == ""


def test_a_port_that_is_taken_is_told(run: Run, sandbox: Sandbox) -> None:
    port = sandbox.base_url.rsplit(":", 1)[1].partition("/")[0]
    ended = run("sandbox", "--port", port)

    assert ended.code == 2
    assert f"port {port}" in ended.err


def test_a_watched_server_tells_what_was_read_and_written(sandbox: Sandbox) -> None:
    load(sandbox, "ihc-0", "ihc-1-plus")
    told: list[tuple[int, int]] = []
    with server_of(ServerSettings(url=sandbox.base_url), SystemClock(Event())) as server:
        watched = Watched(server, lambda read, written: told.append((read, written)))
        found = [one for page in watched.search("Observation", []) for one in page.matches]
        assert watched.read("Patient/ihc-0") is not None
        assert set(watched.read_all(["Patient/ihc-0", "Patient/none"])) == {
            "Patient/ihc-0",
            "Patient/none",
        }
        entry = {"resource": found[0], "request": {"method": "PUT", "url": "Observation/ihc-0-ihc"}}
        entry["resource"]["id"] = "ihc-0-ihc"
        body = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
        watched.transact(json.dumps(body, default=str).encode())

        assert watched.base_url == server.base_url
        assert watched.capability() == server.capability()
    assert told == [(2, 0), (1, 0), (2, 0), (0, 1)]


def test_progress_shows_nothing_where_nobody_looks(
    monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox
) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr("sys.stderr", stderr)
    with (
        server_of(ServerSettings(url=sandbox.base_url), SystemClock(Event())) as server,
        shown_progress() as watched,
    ):
        assert watched(server) is server

    assert stderr.getvalue() == ""


def test_progress_is_shown_on_a_terminal(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(stderr, "isatty", lambda: True)
    monkeypatch.setattr("sys.stderr", stderr)
    monkeypatch.setenv("TERM", "xterm")
    load(sandbox, "ihc-0")
    with (
        server_of(ServerSettings(url=sandbox.base_url), SystemClock(Event())) as server,
        shown_progress() as watched,
    ):
        list(watched(server).search("Observation", []))

    assert "1 read, 0 written" in stderr.getvalue()
