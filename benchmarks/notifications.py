"""What a burst of notifications costs: `python -m benchmarks.notifications`.

`run --http` in a process of its own polls a sandbox FHIR server once an hour. When its first pass is over, results of
so many women are put onto the server while 10,000 notifications with the right secret arrive over eight connections;
the last result is written just before the last notification. Counted are the passes that were woken: two at most, and
every category has to stand after them. Then 10,000 with a wrong secret, which must wake nothing.

Figures: notifications a second as eight clients in Python send them on the cores that are left; CPU of the service's
process for a thousand of them, which bears a busy machine better; its resident set before and after.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import requests

from adapter.sandbox.server import Sandbox
from benchmarks.patients import patient
from tests.servers.adapter_service import AdapterService

CONNECTIONS = 8
MOST_PASSES = 2
QUIET_SECONDS = 5.0
"""Longer than wake-ups take to settle: so long nothing may begin."""
_SECRET = "a-secret-of-the-benchmark-0123456789"
_HEADER = "X-Webhook-Secret"
_MEGABYTE = 1024 * 1024


class WrongWorkError(Exception):
    """The work that was measured is not the work that was meant."""


@dataclass(frozen=True)
class Burst:
    """What one burst took, and how many passes came of it."""

    notifications: int
    seconds: float
    cpu_seconds: float
    passes: int


class Running:
    """The service as it is measured. `url`: where notifications go."""

    def __init__(self, service: AdapterService) -> None:
        self._service = service
        self._watched = psutil.Process(service.process.pid)
        service.wait_for("pass_ended")
        self.url = f"{service.url}/webhook"

    @property
    def passes(self) -> int:
        """Passes that ended so far."""
        return len(self._service.events("pass_ended"))

    def cpu_seconds(self) -> float:
        """Processor time so far."""
        took = self._watched.cpu_times()
        return float(took.user + took.system)

    def megabytes(self) -> float:
        """Resident set."""
        return float(self._watched.memory_info().rss) / _MEGABYTE


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return 0; 1 when a pass too many was made or a category is missing."""
    asked = _arguments(arguments)
    try:
        figures = measure(asked.notifications, asked.patients)
    except (WrongWorkError, requests.RequestException) as error:
        print(f"no figures: {error}", file=sys.stderr)
        return 1
    figures |= {
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "load_average_after": os.getloadavg()[0],
    }
    for name in ("right", "wrong"):
        one = figures[name]
        each = 1000 * one["cpu_seconds"] / one["notifications"]
        print(
            f"{one['notifications']} with the {name} secret: passes: {one['passes']}, "
            f"{one['notifications'] / one['seconds']:.0f} a second, {each:.2f} s CPU a thousand"
        )
    print(f"{figures['patients']} categories stand; ", end="")
    print(f"{figures['megabytes_before']:.0f} MB before, {figures['megabytes_after']:.0f} MB after")
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    return 0


def measure(notifications: int, patients: int) -> dict[str, Any]:
    """Send both bursts; raises WrongWorkError when what came of them is not what has to."""
    with (
        Sandbox() as server,
        tempfile.TemporaryDirectory(prefix="her2-benchmark-") as folder,
        service(server.base_url, Path(folder)) as running,
    ):
        before = running.megabytes()
        right = burst(running, server, notifications, patients)
        if not 1 <= right.passes <= MOST_PASSES:
            raise WrongWorkError(f"{right.passes} passes came of one burst")
        standing = _categories(server)
        if standing != patients:
            raise WrongWorkError(f"{standing} of {patients} categories stand")
        wrong = burst(running, server, notifications, 0, secret="wrong")
        if wrong.passes:
            raise WrongWorkError(f"{wrong.passes} passes came of a wrong secret")
        return {
            "right": asdict(right),
            "wrong": asdict(wrong),
            "patients": patients,
            "megabytes_before": before,
            "megabytes_after": running.megabytes(),
        }


def burst(
    running: Running, server: Sandbox, notifications: int, patients: int, secret: str = _SECRET
) -> Burst:
    """Write results while notifications arrive, and wait until nothing more comes of them."""
    passes, cpu, began = running.passes, running.cpu_seconds(), time.monotonic()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        shares = [notifications // CONNECTIONS] * CONNECTIONS
        sent = [pool.submit(_notify, running.url, share, secret) for share in shares]
        for number in range(patients):
            _put(server, number)
        answers = set().union(*(one.result() for one in sent))
    answers |= _notify(running.url, 1, secret)
    seconds = time.monotonic() - began
    if answers != {(202, b"")}:
        raise WrongWorkError(f"answered with {answers}")
    cpu = running.cpu_seconds() - cpu
    _wait_until_quiet(running)
    return Burst(notifications, seconds, cpu, passes=running.passes - passes)


@contextmanager
def service(base_url: str, folder: Path) -> Iterator[Running]:
    """Start `run --http`, and give it once its first pass has ended."""
    process = AdapterService(
        base_url,
        folder,
        HER2_POLL__INTERVAL_SECONDS="3600",
        HER2_HTTP__WEBHOOK__SECRET=_SECRET,
    )
    try:
        yield Running(process)
    finally:
        process.end()


def _notify(url: str, number: int, secret: str) -> set[tuple[int, bytes]]:
    with requests.Session() as session:
        session.trust_env = False
        answers = (session.post(url, headers={_HEADER: secret}, timeout=60) for _ in range(number))
        return {(one.status_code, one.content) for one in answers}


def _put(server: Sandbox, number: int) -> None:
    entries = [
        {
            "resource": one,
            "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"},
        }
        for one in patient(number)
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    requests.post(server.base_url, json=bundle, timeout=60).raise_for_status()


def _categories(server: Sandbox) -> int:
    url = f"{server.base_url}/Observation?_tag=https://w3id.org/her2-adapter/CodeSystem/her2-adapter|derived"
    found = requests.get(f"{url}&_count=10000", timeout=60).json()
    return len(found.get("entry", []))


def _wait_until_quiet(running: Running) -> None:
    seen, since = running.cpu_seconds(), time.monotonic()
    while time.monotonic() - since < QUIET_SECONDS:
        time.sleep(0.25)
        now = running.cpu_seconds()
        if now - seen > 0.1:  # a pass is under way; a wait costs less
            seen, since = now, time.monotonic()


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.notifications", description=__doc__)
    parser.add_argument("--notifications", type=int, default=10_000)
    parser.add_argument("--patients", type=int, default=100)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
