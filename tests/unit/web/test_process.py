"""`her2-adapter run --http` as a process of its own: started, asked, stopped, killed.

Protects that a stop is in good order while somebody waits, and that a kill loses nothing that was asked for.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from adapter.sandbox.server import Sandbox
from tests.servers.adapter_service import AdapterService
from tests.unit.web.running import TOKENS, categories, put, until
from tests.workloads.content import patient, result, specimen

ROOT = Path(__file__).parents[3]
SYNC = {"Authorization": f"Bearer {TOKENS['sync']}"}


@pytest.fixture
def start(sandbox: Sandbox, tmp_path: Path) -> Iterator[Callable[[], AdapterService]]:
    """Start processes; none outlives its test."""
    started: list[AdapterService] = []

    def start_one() -> AdapterService:
        service = AdapterService(
            sandbox.base_url,
            tmp_path,
            HER2_POLL__INTERVAL_SECONDS="3600",
            HER2_HTTP__SYNC_TOKEN=TOKENS["sync"],
            HER2_HTTP__DERIVE_TOKEN=TOKENS["derive"],
        )
        started.append(service)
        service.wait_for("http_started")
        return service

    yield start_one
    for one in started:
        one.end(signal.SIGKILL)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as server:
        yield server


def sync(process: AdapterService, name: str) -> requests.Response:
    return requests.post(f"{process.url}/sync", json={"patient": name}, headers=SYNC, timeout=30)


def report(sandbox: Sandbox, name: str, score: str = "1+") -> None:
    for one in (patient(name), specimen(f"s-{name}", name)):
        put(sandbox, one)
    put(sandbox, result("ihc", score, of=name, sample=f"s-{name}"))


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"]
)
def test_a_stop_ends_it_in_good_order(
    sandbox: Sandbox, start: Callable[[], AdapterService], number: signal.Signals, code: int
) -> None:
    report(sandbox, "anna")
    process = start()
    assert sync(process, "anna").status_code == 200
    began = time.monotonic()
    assert process.end(number) == code, process.said
    assert time.monotonic() - began < 20
    assert "Traceback" not in process.said
    assert categories(sandbox) == {"anna": "low"}


def test_a_stop_in_a_flood_answers_everybody_and_loses_nobody(
    sandbox: Sandbox, start: Callable[[], AdapterService]
) -> None:
    names = [f"p{number}" for number in range(15)]  # more changes at once would engage the brake
    for name in names:
        report(sandbox, name)
    process = start()
    sync(process, "nobody")
    for name in names:
        report(sandbox, name, "3+")
    with ThreadPoolExecutor(15) as clients:
        asked = [clients.submit(sync, process, name) for name in names]
        time.sleep(0.1)
        assert process.end(signal.SIGTERM) == 0, process.said
        statuses = [one.result().status_code for one in asked if one.exception() is None]
    assert set(statuses) <= {200, 202, 503}
    again = start()
    until(lambda: categories(sandbox) == dict.fromkeys(names, "positive"))
    assert again.end(signal.SIGTERM) == 0


def test_a_kill_loses_nothing_that_was_asked_for(
    sandbox: Sandbox, start: Callable[[], AdapterService], tmp_path: Path
) -> None:
    process = start()
    sync(process, "nobody")
    names = [f"p{number}" for number in range(10)]
    for name in names:
        report(sandbox, name)
    with ThreadPoolExecutor(10) as clients:
        asked = [clients.submit(sync, process, name) for name in names]
        time.sleep(0.15)
        process.end(signal.SIGKILL)
        for one in asked:
            one.exception()
    with sqlite3.connect(tmp_path / "state.sqlite") as state:
        state.execute(
            "UPDATE her2_lease SET holder = NULL"
        )  # instead of waiting until it has run out
    again = start()
    until(lambda: categories(sandbox) == dict.fromkeys(names, "low"))
    assert again.end(signal.SIGTERM) == 0


def test_where_to_listen_without_http_is_wrong_usage(sandbox: Sandbox, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "adapter", "run", "127.0.0.1:0"],
        env={**os.environ, "HER2_FHIR_URL": sandbox.base_url},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert "--http 127.0.0.1:0" in ended.stderr


def test_a_kill_in_mid_bundle_leaves_nothing_behind(
    sandbox: Sandbox, start: Callable[[], AdapterService]
) -> None:
    """Nothing was stored for it, so it is sent again, to whoever answers next."""
    entries = [
        {"resource": one}
        for number in range(1500)
        for one in (
            patient(f"p{number}"),
            specimen(f"s{number}", f"p{number}"),
            result("ihc", "1+", of=f"p{number}", sample=f"s{number}"),
        )
    ]
    body = {"resourceType": "Bundle", "type": "collection", "entry": entries}

    def derive(process: AdapterService) -> requests.Response:
        url, shown = f"{process.url}/fhir/$her2-derive", TOKENS["derive"]
        headers = {"Authorization": f"Bearer {shown}"}
        return requests.post(url, json=body, headers=headers, timeout=300)

    first = start()
    with ThreadPoolExecutor(1) as clients:
        asked = clients.submit(derive, first)
        time.sleep(0.3)
        first.end(signal.SIGKILL)
        assert isinstance(asked.exception(), requests.ConnectionError)
    answer = derive(start())

    assert answer.status_code == 200
    assert answer.headers["Her2-Counts"] == "results=1500, used=1500, derived=1500"
    assert categories(sandbox) == {}
