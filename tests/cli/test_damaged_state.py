"""A damaged state is set aside by a service alone, and never from under one; all others say so and change nothing.

Protects the audit trail from being split, and that a service which meets the damage is mended by its next start (C3).
"""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from adapter.sandbox.server import Sandbox
from adapter.store import open_store
from tests.unit.store.spoiling import spoil_a_page

from .conftest import Run, Start, load, wait_until


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'state.sqlite'}"


def spoil(folder: Path) -> None:
    with open_store(url(folder)) as store:
        store.set_setting("spoilt-next", "")  # so that others read their pages anew
        spoil_a_page(store, folder / "state.sqlite")


def files(folder: Path) -> dict[str, bytes]:
    kept = (one for one in folder.glob("state.sqlite*") if one.suffix != ".lock")
    return {one.name: one.read_bytes() for one in kept if not one.name.endswith(("-wal", "-shm"))}


def aside(folder: Path) -> list[str]:
    found = (one.name for one in folder.glob("state.sqlite.corrupt-*"))
    return [name for name in found if not name.endswith(("-wal", "-shm"))]


@pytest.fixture
def spoilt(run: Run, sandbox: Sandbox, tmp_path: Path) -> Path:
    """The folder of a state that has one damaged page, after a pass."""
    load(sandbox, "ihc-0", "ihc-3-plus")
    assert run("sync", HER2_FHIR_URL=sandbox.base_url).code == 0
    spoil(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        ["status"],
        ["status", "--check"],
        ["unmapped"],
        ["parked", "list"],
        ["queue", "list"],
        ["audit", "verify"],
        ["brake", "show"],
        ["brake", "release", "--by", "Dr. A. Sample"],
        ["sync", "--dry-run"],
        ["withdraw", "--all"],
        ["erase", "--patient", "ihc-0"],
    ],
    ids=" ".join,
)
def test_every_other_command_says_that_it_is_damaged_and_changes_nothing(
    run: Run, sandbox: Sandbox, spoilt: Path, command: list[str]
) -> None:
    before, writes = files(spoilt), sandbox.writes
    ended = run(*command)
    assert (ended.code, sandbox.writes) == (3, writes), ended.err
    assert "is damaged. `her2-adapter run` sets a SQLite file aside" in " ".join(ended.err.split())
    assert files(spoilt) == before


def test_the_settings_are_shown_without_what_is_kept_in_a_damaged_state(
    run: Run, spoilt: Path
) -> None:
    before = files(spoilt)
    ended = run("config")
    assert (ended.code, "is not shown" in ended.err, "is damaged" in ended.err) == (0, True, True)
    assert files(spoilt) == before


def test_a_pass_that_writes_sets_it_aside_and_writes_nothing_anew(
    run: Run, sandbox: Sandbox, spoilt: Path
) -> None:
    writes = sandbox.writes
    ended = run("sync")
    assert (ended.code, sandbox.writes) == (0, writes)
    assert len(aside(spoilt)) == 1
    assert run("status", "--check").code == 0
    told = run("audit", "show", "-o", "ndjson").lines[0]
    assert (told["action"], told["outcome"]) == ("trail-begun", "state-was-damaged")


def test_a_service_that_meets_damage_ends_and_its_next_start_rebuilds_the_state(
    run: Run, sandbox: Sandbox, start: Start, tmp_path: Path
) -> None:
    load(sandbox, "ihc-0", "ihc-3-plus")
    service = start(sandbox.base_url, "run", "--log-format", "json")
    wait_until(service, lambda: run("status", "--check").code == 0)
    writes = sandbox.writes
    spoil(tmp_path)
    checked = run("status", "--check")  # a health check beside it, in the middle of all this
    assert (checked.code, aside(tmp_path)) == (3, [])
    assert service.wait(timeout=60) == 3
    assert service.stderr is not None
    said = service.stderr.read()
    assert "pass_failed" in said
    assert "is damaged" in said.splitlines()[-1]
    assert aside(tmp_path) == []

    again = start(sandbox.base_url, "run", "--log-format", "json")
    wait_until(again, lambda: bool(aside(tmp_path)) and run("status", "--check").code == 0)
    again.send_signal(signal.SIGTERM)
    _, err = again.communicate(timeout=30)
    assert again.returncode == 0, err
    events = [json.loads(line)["event"] for line in err.splitlines()]
    assert events.count("state_store_corrupt") == 1
    assert "pass_failed" not in events
    assert sandbox.writes == writes
