"""Commands run in this process through the entry point, in an empty folder and without anybody's settings."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adapter.cli.main import main
from adapter.sandbox.server import Sandbox

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "fixtures"
INTERVAL = "0.05"
"""Seconds between two passes of a process that is started."""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Ended]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run a command; `text` is its stdin, keywords in capitals are environment variables."""
    for name in list(os.environ):
        if name.startswith("HER2_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HER2_STATE_URL", f"sqlite:///{tmp_path / 'state.sqlite'}")

    def run_command(*arguments: object, text: str | bytes = "", **environment: str) -> Ended:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        data = text.encode() if isinstance(text, str) else text
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return run_command


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A FHIR server on loopback, in memory."""
    with Sandbox() as server:
        yield server


def load(server: Sandbox, *cases: str, file: str = "input.json") -> None:
    """Put example patients on a server; all of them when none is named."""
    names = cases or tuple(sorted(path.parent.name for path in FIXTURES.glob(f"*/{file}")))
    for name in names:
        request = urllib.request.Request(
            server.base_url,
            data=(FIXTURES / name / file).read_bytes(),
            headers={"Content-Type": "application/fhir+json"},
            method="POST",
        )
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200


def put(server: Sandbox, resource: dict[str, Any]) -> None:
    """Put one resource under its id."""
    request = urllib.request.Request(
        f"{server.base_url}/{resource['resourceType']}/{resource['id']}",
        data=json.dumps(resource).encode(),
        headers={"Content-Type": "application/fhir+json"},
        method="PUT",
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status in (200, 201)


def fetch(server: Sandbox, path: str) -> dict[str, Any]:
    """Read JSON from a server."""
    with urllib.request.urlopen(f"{server.base_url}/{path}") as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def environment(server: str, folder: Path) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("HER2_")}
    return {
        **kept,
        "HER2_FHIR_URL": server,
        "HER2_STATE_URL": f"sqlite:///{folder / 'state.sqlite'}",
        "HER2_POLL__INTERVAL_SECONDS": INTERVAL,
        "PYTHONUNBUFFERED": "1",
    }


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a command in a process of its own; none outlives its test."""
    started: list[subprocess.Popen[str]] = []

    def start_command(server: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "adapter", *arguments],
            env=environment(server, tmp_path),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start_command
    for process in started:
        process.kill()
        process.communicate()


def wait_until(
    process: subprocess.Popen[str], condition: Callable[[], bool], seconds: float = 30.0
) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)
