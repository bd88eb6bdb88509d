"""The benchmark runs, measures the work that it says it measures, and touches no server in use."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from adapter.sandbox.server import Sandbox
from benchmarks.exchange import Exchange

ROOT = Path(__file__).parents[2]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """An empty server that needs no Java."""
    with Sandbox() as server:
        yield server


@dataclass(frozen=True)
class Run:
    """One run: what it printed, what it measured, and what it left on the server."""

    printed: str
    figures: dict[str, Any]
    left: dict[str, int]

    @property
    def passes(self) -> dict[str, Any]:
        """The measurements of the only round, by pass."""
        (only_round,) = self.figures["rounds"]
        passes: dict[str, Any] = only_round
        return passes


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run for several tests: it takes seconds."""
    file = tmp_path_factory.mktemp("benchmark") / "figures.json"
    with Sandbox() as server:
        ran = _benchmark(server.base_url, "--rounds", "1", "--json", str(file))
        assert ran.returncode == 0, ran.stderr
        left = {kind: _count(server, kind) for kind in ("Patient", "Observation", "Provenance")}
    return Run(ran.stdout, json.loads(file.read_text("utf-8")), left)


def _benchmark(base_url: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run it as a user does, on three patients."""
    command = [sys.executable, "-m", "benchmarks.live", "--server", base_url]
    return subprocess.run(
        [*command, "--patients", "3", *options], cwd=ROOT, capture_output=True, text=True
    )


def _count(server: Sandbox, kind: str) -> int:
    found = requests.get(f"{server.base_url}/{kind}", timeout=10).json()
    return len(found.get("entry", []))


def test_every_pass_is_measured_beside_its_bare_exchange(run: Run) -> None:
    assert run.figures["patients"] == 3
    assert list(run.passes) == ["first", "second", "quiet"]
    for name, measured in run.passes.items():
        assert measured["ratio"] == measured["adapter"]["seconds"] / measured["bare"]["seconds"]
        assert measured["requests"] > 0
        assert f"\n{name} " in run.printed


def test_only_the_first_pass_writes(run: Run) -> None:
    device_and_one_batch = 2
    writes = {name: measured["writes"] for name, measured in run.passes.items()}
    assert writes == {"first": device_and_one_batch, "second": 0, "quiet": 0}


def test_the_server_is_left_empty(run: Run) -> None:
    assert run.left == {"Patient": 0, "Observation": 0, "Provenance": 0}


def test_a_server_that_holds_a_patient_is_refused_and_left_alone(sandbox: Sandbox) -> None:
    someone = {"resourceType": "Patient", "id": "someone"}
    requests.put(f"{sandbox.base_url}/Patient/someone", json=someone, timeout=10)
    before = sandbox.writes

    ran = _benchmark(sandbox.base_url)

    assert ran.returncode == 2
    assert "name an empty server" in ran.stderr
    assert sandbox.writes == before


def test_a_server_that_is_not_there_is_named() -> None:
    with Sandbox() as server:
        gone = server.base_url

    ran = _benchmark(gone)

    assert ran.returncode == 2
    assert "no server to measure against" in ran.stderr


def test_an_even_number_of_rounds_is_refused(sandbox: Sandbox) -> None:
    ran = _benchmark(sandbox.base_url, "--rounds", "2")

    assert ran.returncode == 2
    assert "must be odd" in ran.stderr


def _sent(method: str, url: str, *entries: str) -> Exchange:
    body = json.dumps({"entry": [{"request": {"method": each}} for each in entries]})
    return Exchange(method, url, {}, body.encode() if method == "POST" else None, 200, "")


@pytest.mark.parametrize(
    ("sent", "is_write"),
    [
        pytest.param(_sent("GET", "http://server/fhir/Patient/a"), False, id="read"),
        pytest.param(_sent("POST", "http://server/fhir/Observation/_search"), False, id="search"),
        pytest.param(_sent("POST", "http://server/fhir", "GET", "GET"), False, id="batch-of-reads"),
        pytest.param(_sent("POST", "http://server/fhir", "GET", "PUT"), True, id="transaction"),
        pytest.param(_sent("POST", "http://server/fhir/Observation"), True, id="create"),
        pytest.param(_sent("PUT", "http://server/fhir/Observation/a"), True, id="update"),
        pytest.param(_sent("DELETE", "http://server/fhir/Observation/a"), True, id="delete"),
    ],
)
def test_writes_are_told_from_reads(sent: Exchange, is_write: bool) -> None:
    assert sent.is_write is is_write


def test_a_small_burst_of_notifications_is_measured(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    asked = ["--notifications", "400", "--patients", "5", "--json", str(file)]
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.notifications", *asked],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    figures = json.loads(file.read_text("utf-8"))
    assert figures["right"]["passes"] in (1, 2)
    assert (figures["wrong"]["passes"], figures["patients"]) == (0, 5)
