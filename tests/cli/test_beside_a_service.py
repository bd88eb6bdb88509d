"""A command that writes holds the lease: it waits for a service, which goes on by itself, or says who holds it.

Protects the one writer (C5): over real HTTP and in processes of their own, on a server that chooses ids.
"""

from __future__ import annotations

import json
import signal
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapter.fhir.identity import category_of
from adapter.sandbox.server import Sandbox
from adapter.store import open_store
from adapter.sync.lease import LEASE_SECONDS, WANTED
from adapter.terminology.systems import ADAPTER_SYSTEM

from .conftest import Run, Start, fetch, load, wait_until

HOLDER = "her2-adapter run, her2@one, process 17, 0a1b2c3d"


@pytest.fixture
def held(tmp_path: Path) -> str:
    """The URL of the state, whose lease a service on another machine holds."""
    url = f"sqlite:///{tmp_path / 'state.sqlite'}"
    with open_store(url) as store:
        store.acquire_lease(HOLDER, now=datetime.now(UTC), seconds=LEASE_SECONDS)
        store.set_setting("brake-shown", json.dumps({"marks": ["x"]}))
    return url


def untouched(url: str) -> bool:
    with open_store(url) as store:
        lease = store.held_lease()
        return lease is not None and lease.holder == HOLDER and store.setting(WANTED) is None


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["sync", "--wait", "1"], "did not step aside within 1 s, and nothing was written"),
        (["sync", "--patient", "ihc-0", "--wait", "0"], "Run this again later"),
        (["brake", "release", "--by", "Dr. A. Sample", "--wait", "1"], "longer --wait"),
        (["withdraw", "--all"], "stop it, withdraw, start it"),
        (["erase", "--patient", "ihc-0"], "stop it, erase, start it"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_who_cannot_have_the_lease_writes_nothing_and_names_the_holder(
    run: Run, sandbox: Sandbox, held: str, command: list[str], told: str
) -> None:
    load(sandbox, "ihc-0")
    before = sandbox.writes
    ended = run(*command, HER2_FHIR_URL=sandbox.base_url)
    said = " ".join(ended.err.split())
    assert (ended.code, sandbox.writes) == (3, before)
    assert told in said
    assert HOLDER in said
    assert "UTC" in said
    assert untouched(held)


@pytest.mark.parametrize(
    "command",
    [["sync", "--dry-run"], ["withdraw", "--all", "--preview"], ["brake", "show"], ["status"]],
    ids=lambda value: value[0],
)
def test_what_writes_nothing_needs_no_lease(
    run: Run, sandbox: Sandbox, held: str, command: list[str]
) -> None:
    load(sandbox, "ihc-0")
    assert run(*command, HER2_FHIR_URL=sandbox.base_url).code == 0
    assert untouched(held)


def test_a_pass_that_observes_needs_no_lease(run: Run, sandbox: Sandbox, held: str) -> None:
    load(sandbox, "ihc-0")
    assert run("sync", HER2_FHIR_URL=sandbox.base_url, HER2_MODE="observe").code == 0
    assert untouched(held)


def test_a_lease_is_given_back_at_the_end_also_of_a_pass_that_fails(
    run: Run, sandbox: Sandbox, tmp_path: Path
) -> None:
    load(sandbox, "ihc-0")
    assert run("sync", HER2_FHIR_URL=sandbox.base_url).code == 0
    assert run("sync", HER2_FHIR_URL=f"{sandbox.base_url}/Patient").code == 3
    assert run("withdraw", "--all", HER2_FHIR_URL=sandbox.base_url).code == 0
    with open_store(f"sqlite:///{tmp_path / 'state.sqlite'}") as store:
        assert store.held_lease() is None


def test_an_interrupt_ends_the_wait(sandbox: Sandbox, start: Start, held: str) -> None:
    process = start(sandbox.base_url, "sync")

    def asks() -> bool:
        with open_store(held) as store:
            return store.setting(WANTED) is not None

    wait_until(process, asks)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "nothing was written" in err
    assert sandbox.writes == 0
    assert untouched(held)


@pytest.mark.parametrize("interval", ["3", "3600"])  # not oftener: nobody reads what it logs
def test_a_running_service_steps_aside_and_goes_on_by_itself(
    sandbox: Sandbox,
    start: Start,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    interval: str,
) -> None:
    """On a server that chooses ids: there two that write at once could make two of one result."""
    monkeypatch.setattr("tests.cli.conftest.INTERVAL", interval)
    load(sandbox, "ihc-1-plus", "ihc-0", "ihc-3-plus")
    sandbox.habits.choose({"no-client-ids": 405, "no-conditional-update": 405})
    service = start(sandbox.base_url, "run", "--log-format", "json")
    wait_until(service, lambda: sum(derived(sandbox).values()) == 3)
    files = ["later.json", "input.json", "later.json"]
    for file, arguments in zip(
        files, ([], ["--patient", "ihc-1-plus"], ["--backfill"]), strict=True
    ):
        load(sandbox, "ihc-1-plus", file=file)
        command = start(sandbox.base_url, "sync", *arguments, "-o", "ndjson", "--wait", "60")
        _, err = command.communicate(timeout=90)
        assert command.returncode == 0, err
        assert service.poll() is None
    found = derived(sandbox)
    assert (found["equivocal"], found["positive"], found["low"], found.total()) == (1, 1, 0, 3)
    with open_store(f"sqlite:///{tmp_path / 'state.sqlite'}") as store:
        wait_until(
            service, lambda: (held := store.held_lease()) is not None and "run" in held.holder
        )
    if interval == "3":
        load(sandbox, "ihc-1-plus")
        wait_until(service, lambda: derived(sandbox)["low"] == 1)
    service.send_signal(signal.SIGTERM)
    _, err = service.communicate(timeout=30)
    assert service.returncode == 0, err
    events = [json.loads(line) for line in err.splitlines()]
    assert not [one for one in events if one["event"] == "pass_failed"]
    taken = [one["holder"] for one in events if one["event"] == "lease_taken"]
    assert len(taken) >= 2  # between two commands it may not have come to it
    assert all(one.startswith("her2-adapter run, ") for one in taken)
    assert sum(derived(sandbox).values()) == 3


def derived(sandbox: Sandbox) -> Counter[str]:
    """Category → how many derived Observations say so."""
    tag = f"{ADAPTER_SYSTEM}%7Cderived"
    found = fetch(sandbox, f"Observation?_tag={tag}&_count=100")
    return Counter(str(category_of(entry["resource"])) for entry in found.get("entry", []))
