"""HAPI really wakes a running adapter: with and without a payload, through deaths, deletions and silence.

The adapter polls once an hour here, so that within a test whatever follows a change was woken by HAPI, or found at
a start.
"""

from __future__ import annotations

import json
import os
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
from tests.servers.hapi import HapiServer

pytestmark = pytest.mark.real

SECRET = "correct-horse-battery-staple-0001"
LONGEST_SECONDS = 90.0
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
    """`her2-adapter run --http` as a process of its own, and the commands beside it."""

    environment: dict[str, str]
    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self, **settings: str) -> None:
        """Start it, and wait until its first pass has ended."""
        before = self.passes
        with self._log.open("ab") as output:
            self.process = self._run("run", "--http", f"127.0.0.1:{self.port}", output, **settings)
        until(lambda: self.passes > before, "the first pass", self.last_words)

    def stop(self) -> None:
        """End it in good order: it gives its lease back, for which the next would wait five minutes else."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(LONGEST_SECONDS) == 0, self.last_words()

    def kill(self) -> None:
        """End it as a power cut would that takes the disk of the state along."""
        assert self.process is not None
        self.process.kill()
        assert self.process.wait() == -signal.SIGKILL, self.last_words()
        for file in self.folder.glob("state*"):
            file.unlink()

    def command(self, *arguments: str) -> list[dict[str, Any]]:
        """Run another command to its good end; gives its rows."""
        with (self.folder / "command").open("wb+") as output:
            process = self._run(*arguments, output, HER2_LOG__LEVEL="error")
            assert process.wait(LONGEST_SECONDS) == 0, arguments
            output.seek(0)
            lines = output.read().decode().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    @property
    def passes(self) -> int:
        """Passes that ended so far, in all its lives."""
        return self._said("pass_ended")

    def _said(self, event: str) -> int:
        return (
            self._log.read_text("utf-8").count(f'"event": "{event}"') if self._log.exists() else 0
        )

    def _run(self, *arguments: Any, **settings: str) -> subprocess.Popen[bytes]:
        *words, output = arguments
        kept = {name: text for name, text in os.environ.items() if not name.startswith("HER2_")}
        return subprocess.Popen(
            [sys.executable, "-m", "adapter", *words],
            env={**kept, **self.environment, **settings},
            cwd=self.folder,
            stdout=output,
            stderr=subprocess.STDOUT,
        )

    @property
    def _log(self) -> Path:
        return self.folder / "log"

    def last_words(self) -> str:
        """The end of its log."""
        return self._log.read_text("utf-8")[-3000:] if self._log.exists() else "it said nothing"


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
    environment = {
        "HER2_FHIR_URL": calling_hapi.base_url,
        "HER2_STATE_URL": f"sqlite:///{tmp_path / 'state.sqlite'}",
        "HER2_HTTP__WEBHOOK__ENDPOINT": f"http://127.0.0.1:{port}/webhook",
        "HER2_HTTP__WEBHOOK__SECRET": SECRET,
        "HER2_LOG__FORMAT": "json",
    }
    made = Service(environment, tmp_path, port)
    yield made
    with suppress(AssertionError):
        made.command("subscribe", "remove")
    if made.process is not None and made.process.poll() is None:
        made.stop()


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
        service.environment |= {"HER2_TARGET__URL": target.base_url}
        records = Records(target.base_url, calling_hapi.base_url)
        laboratory.ihc("other", "1+")
        result = laboratory.report(laboratory.result("anna", IHC, "3+"))
        service.start(**HOURLY)
        service.command("subscribe", "create")
        anna = f"{calling_hapi.base_url}/{laboratory.patient('anna')}"
        (before,) = [one for one in records.derived() if one["subject"]["reference"] == anna]

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
