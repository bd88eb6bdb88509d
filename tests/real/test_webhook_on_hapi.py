"""HAPI really wakes a running adapter: with and without a payload, through deaths, deletions and silence.

The adapter polls once an hour here, so that within a test whatever follows a change was woken by HAPI, or found at
a start.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adapter.sandbox.server import Sandbox
from tests.live.laboratory import IHC, Laboratory
from tests.live.records import Records, category_of
from tests.servers.adapter_service import LONGEST_SECONDS, AdapterService, environment
from tests.servers.hapi import HapiServer

pytestmark = pytest.mark.real

SECRET = "correct-horse-battery-staple-0001"
QUIET_SECONDS = 10.0
"""Twice as long as HAPI ever took to call."""
HOURLY = {"HER2_POLL__INTERVAL_SECONDS": "3600"}
AT_ONCE = {
    "HER2_POLL__INTERVAL_SECONDS": "1",
    "HER2_POLL__SWEEP_HOURS": "0.0001",
    "HER2_POLL__ABSENCE_CONFIRM_SECONDS": "1",
}


@dataclass
class Service:
    """`her2-adapter run --http`, one life after the other at one address, and the commands beside it."""

    server: str
    folder: Path
    port: int
    settings: dict[str, str]
    life: AdapterService | None = None

    def start(self, **settings: str) -> None:
        """Start it, and wait until its first pass has ended."""
        address = f"127.0.0.1:{self.port}"
        self.life = AdapterService(
            self.server, self.folder, address=address, **self.settings, **settings
        )
        self.life.wait_for("pass_ended")

    def stop(self) -> None:
        """End it in good order: it gives its lease back, for which the next would wait five minutes else."""
        assert self.life is not None
        assert self.life.end() == 0, self.last_words()

    def kill(self) -> None:
        """End it as a power cut would that takes the disk of the state along."""
        assert self.life is not None
        assert self.life.end(signal.SIGKILL) == -signal.SIGKILL, self.last_words()
        for file in self.folder.glob("state*"):
            file.unlink()

    def command(self, *arguments: str) -> list[dict[str, Any]]:
        """Run another command to its good end; gives its rows."""
        ran = subprocess.run(
            [sys.executable, "-m", "adapter", *arguments],
            env={**environment(self.server, self.folder), **self.settings},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            text=True,
            timeout=LONGEST_SECONDS,
            check=True,
        )
        return [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]

    @property
    def passes(self) -> int:
        """Passes that ended in this life."""
        return 0 if self.life is None else len(self.life.events("pass_ended"))

    def last_words(self) -> str:
        """The end of its log."""
        return "it was not started" if self.life is None else self.life.said[-3000:]


def until(seen: Callable[[], bool], what: str, told: Callable[[], str]) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < deadline:
        if seen():
            return
        time.sleep(0.25)
    pytest.fail(f"{what} did not come; the adapter's last words:\n{told()}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


@pytest.fixture
def service(calling_hapi: HapiServer, tmp_path: Path) -> Iterator[Service]:
    port = free_port()
    settings = {
        "HER2_HTTP__WEBHOOK__ENDPOINT": f"http://127.0.0.1:{port}/webhook",
        "HER2_HTTP__WEBHOOK__SECRET": SECRET,
    }
    made = Service(calling_hapi.base_url, tmp_path, port, settings)
    yield made
    with suppress(subprocess.CalledProcessError):
        made.command("subscribe", "remove")
    if made.life is not None:
        made.life.end()


@pytest.fixture
def laboratory(calling_hapi: HapiServer) -> Iterator[Laboratory]:
    made = Laboratory(calling_hapi.base_url)
    yield made
    made.close()


@pytest.fixture
def records(calling_hapi: HapiServer) -> Iterator[Records]:
    made = Records(calling_hapi.base_url)
    yield made
    made.close()


def follows(service: Service, records: Records, patient: str, category: str) -> None:
    """Wait until this category stands."""

    def stands() -> bool:
        return [category_of(one) for one in records.derived(patient)] == [category]

    until(stands, f"{category} of {patient}", service.last_words)


def test_hapi_wakes_it_with_and_without_a_payload_and_what_it_missed_is_found_at_its_start(
    service: Service, laboratory: Laboratory, records: Records
) -> None:
    laboratory.ihc("first", "3+")
    service.start(**HOURLY)
    follows(service, records, laboratory.patient("first"), "positive")
    rows = service.command("subscribe", "create")
    assert {row["status"] for row in rows} == {"active"}

    result = laboratory.ihc("anna", "1+")  # a POST without a body
    follows(service, records, laboratory.patient("anna"), "low")
    laboratory.amend(result, "0")
    follows(service, records, laboratory.patient("anna"), "negative")

    service.command("subscribe", "create", "--payload", "json")
    laboratory.ihc("berta", "1+")  # a PUT to /webhook/Observation/<id>, with a body
    follows(service, records, laboratory.patient("berta"), "low")

    for name, end in (("clara", service.stop), ("doris", service.kill)):
        end()
        laboratory.ihc(name, "3+")  # HAPI calls in vain
        time.sleep(QUIET_SECONDS)
        assert records.derived(laboratory.patient(name)) == []
        service.start(**HOURLY)
        follows(service, records, laboratory.patient(name), "positive")
    laboratory.ihc("erna", "1+")  # and it is called again
    follows(service, records, laboratory.patient("erna"), "low")

    # Nothing that the adapter wrote itself woke it: it is quiet until the next hour.
    time.sleep(QUIET_SECONDS)
    passes = service.passes
    time.sleep(QUIET_SECONDS)
    assert service.passes == passes
    records.assert_sound(patients=6)


def test_of_a_deletion_hapi_says_nothing_and_only_the_poll_finds_it(
    service: Service, laboratory: Laboratory, calling_hapi: HapiServer
) -> None:
    """On two servers: HAPI deletes nothing that our own record on it refers to."""
    with Sandbox() as target:
        service.settings |= {"HER2_TARGET__URL": target.base_url}
        records = Records(target.base_url, calling_hapi.base_url)
        laboratory.ihc("other", "1+")
        result = laboratory.report(laboratory.result("anna", IHC, "3+"))
        service.start(**HOURLY)
        service.command("subscribe", "create")
        anna = f"{calling_hapi.base_url}/{laboratory.patient('anna')}"
        (before,) = [one for one in records.derived() if one["subject"]["reference"] == anna]

        time.sleep(QUIET_SECONDS)  # what its first contact left to be looked at once more is done
        passes = service.passes
        laboratory.delete(result)
        time.sleep(QUIET_SECONDS)
        assert service.passes == passes

        service.stop()
        service.start(**AT_ONCE)

        def is_withdrawn() -> bool:
            found = {one["id"]: one["status"] for one in records.derived()}
            return found[before["id"]] == "entered-in-error"

        until(is_withdrawn, "the withdrawal", service.last_words)
        records.close()
