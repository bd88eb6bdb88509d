"""Prometheus itself: its `promtool`, which judges alert rules over series, and a server that scrapes on loopback."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import requests

from tests.servers.child import Child
from tests.servers.required import executable

_GET: Final = "apt install prometheus"
_SECONDS: Final = 30.0


def promtool(*arguments: str, shown: str = "") -> str:
    """Run promtool, `shown` on its standard input; gives what it says against that, "" when it finds nothing.

    Raises: MissingPartError without it.
    """
    ran = subprocess.run(
        [executable("promtool", _GET), *arguments],
        input=shown,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return "" if ran.returncode == 0 else ran.stdout or f"promtool ended with {ran.returncode}"


class Prometheus:
    """A running server."""

    def __init__(self, root_url: str) -> None:
        self._root_url = root_url

    def rules(self) -> list[dict[str, Any]]:
        """Give every rule with its "name", "health", "lastError" and "state"."""
        groups: list[dict[str, Any]] = self._asked("rules")["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def alerts(self) -> dict[str, str]:
        """Give the alerts whose expression is true: name → "pending" or "firing"."""
        found: Sequence[Mapping[str, Any]] = self._asked("alerts")["alerts"]
        return {one["labels"]["alertname"]: str(one["state"]) for one in found}

    def targets(self) -> dict[str, str]:
        """Give what it scrapes: address → "up", "down" or "unknown"."""
        found: Sequence[Mapping[str, Any]] = self._asked("targets")["activeTargets"]
        return {one["labels"]["instance"]: str(one["health"]) for one in found}

    def _asked(self, what: str) -> Any:
        answer = requests.get(f"{self._root_url}/api/v1/{what}", timeout=_SECONDS)
        answer.raise_for_status()
        return answer.json()["data"]


@contextmanager
def running(configuration: Mapping[str, Any], folder: Path) -> Iterator[Prometheus]:
    """Start a server with this configuration, and stop it at the end.

    Args:
        configuration: what stands in its prometheus.yml.
        folder: where its files go.

    Raises:
        MissingPartError: when it is not on this machine.
        RuntimeError: when it does not start.

    """
    program = executable("prometheus", _GET)
    file = folder / "prometheus.yml"
    file.write_text(json.dumps(configuration), "utf-8")  # JSON is YAML
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    options = {
        "config.file": file,
        "storage.tsdb.path": folder / "series",
        "web.listen-address": address,
    }
    words = [f"--{name}={value}" for name, value in options.items()]
    child = Child([program, *words], log=folder / "prometheus.log")
    try:
        _wait_until_ready(child, f"http://{address}")
        yield Prometheus(f"http://{address}")
    finally:
        child.stop()


def _wait_until_ready(child: Child, root_url: str) -> None:
    deadline = time.monotonic() + _SECONDS
    while child.is_running and time.monotonic() < deadline:
        try:
            if requests.get(f"{root_url}/-/ready", timeout=_SECONDS).ok:
                return
        except requests.ConnectionError:
            pass  # it does not listen yet
        time.sleep(0.1)
    raise RuntimeError(f"Prometheus did not start:\n{child.last_words()}")
