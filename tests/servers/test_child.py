"""Protects the machine that runs the tests: no server outlives the process that started it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers.child import Child

ROOT = Path(__file__).resolve().parents[2]
# Begun beside other work, a shell's background job is deaf to SIGINT, and so is whatever it starts.
STARTER = """
import signal, time
from pathlib import Path
from tests.servers.child import Child
signal.signal(signal.SIGINT, signal.default_int_handler)
Child(["sh", "-c", "echo $$ > pid; exec sleep 600"], log=Path("log"))
time.sleep(600)
"""


def _eventually(condition: Callable[[], bool], timeout_seconds: float = 60) -> bool:
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _is_alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # it can end between being opened and read
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_child_ends_when_its_starter_is_killed(tmp_path: Path, end: signal.Signals) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    noted = tmp_path / "pid"
    assert _eventually(lambda: noted.exists() and noted.read_text() != "")
    child = int(noted.read_text())
    assert _is_alive(child)
    starter.send_signal(end)
    starter.wait()
    assert _eventually(lambda: not _is_alive(child))


def test_child_that_ignores_its_signal_is_ended_by_force(tmp_path: Path) -> None:
    deaf = Child(
        ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"], log=tmp_path / "log"
    )
    assert _eventually(lambda: "ready" in deaf.last_words())
    deaf.stop(timeout_seconds=0.2)
    assert not deaf.is_running


def test_child_that_ends_by_itself_is_noticed_with_its_last_words(tmp_path: Path) -> None:
    brief = Child(["sh", "-c", "echo no memory left; exit 3"], log=tmp_path / "log")
    assert _eventually(lambda: not brief.is_running)
    assert "no memory left" in brief.last_words()
    brief.stop()
