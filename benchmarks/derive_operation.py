"""What `POST /fhir/$her2-derive` bears on one core: `python -m benchmarks.derive_operation`.

Measured, in one run: Bundles of 10 resources (three patients, each with a specimen and an IHC, one with a FISH; three
derived Observations, with their Provenances, come back), N of them, no two alike.

- `function`: the same code without HTTP, in this process, on the core that the service has afterwards.
- `service`: a process of its own, pinned to that one core, asked by two connections at once over loopback, without TLS.
  The client has the other cores. It is the whole of `run --http`, but for the passes.

For each: Bundles a second of wall time, and CPU time of the process a Bundle, which bears a busy machine better. The
ratio of the two CPU times is what HTTP adds. Memory is the resident set of the service's process: after a few Bundles
to warm up, after all of them, and the most that was seen; at the end the most with Bundles as large as may be.

Every answer is compared with that of the function, but for the instants of writing.

Not measured: TLS, the network, more than one core, and what passes beside it take from the same process.
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import requests

from benchmarks.derive_server import derive_function
from benchmarks.patients import patient

PATIENTS_A_BUNDLE = 3
RESOURCES_A_BUNDLE = 10
CONNECTIONS = 2
_WARM = 50
_MEGABYTE = 1024 * 1024
_INSTANT = re.compile(rb'"(?:recorded|issued|lastUpdated|occurredDateTime)":"[^"]*"')


class WrongWorkError(Exception):
    """The work that was measured is not the work that was meant."""


@dataclass(frozen=True)
class Took:
    """What one way of answering all Bundles took."""

    bundles: int
    seconds: float
    cpu_seconds: float

    @property
    def per_second(self) -> float:
        """Bundles a second."""
        return self.bundles / self.seconds


@dataclass(frozen=True)
class Round:
    """Both ways, one after the other."""

    function: Took
    service: Took

    @property
    def ratio(self) -> float:
        """CPU of the service over that of the function alone."""
        return self.service.cpu_seconds / self.function.cpu_seconds


@dataclass(frozen=True)
class Memory:
    """Megabytes of resident set of the service's process; `large` with two Bundles of `limit` megabytes each."""

    before: float
    after: float
    most: float
    large: float | None
    limit: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, and return 0; 1 when the work was wrong."""
    asked = _arguments(arguments)
    core, others = _cores()
    os.sched_setaffinity(0, {core})
    bodies = [bundle(number) for number in range(asked.bundles)]
    load = os.getloadavg()[0]
    try:
        rounds, memory = measure(bodies, asked.rounds, core, others, large=asked.large)
    except (WrongWorkError, requests.RequestException) as error:
        print(f"no figures: {error}", file=sys.stderr)
        return 1
    facts = {
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "bundles": asked.bundles,
        "bytes_a_bundle": round(statistics.mean(map(len, bodies))),
        "python": platform.python_version(),
        "client_has_a_core_of_its_own": core not in others,
        "load_average_before": load,
        "load_average_after": os.getloadavg()[0],
    }
    print("\n".join(table(facts, rounds, memory)))
    if asked.json:
        figures = {**facts, "rounds": [asdict(each) for each in rounds], "memory": asdict(memory)}
        asked.json.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    return 0


def bundle(number: int) -> bytes:
    """Give a Bundle of 10 resources, other patients for each number."""
    first = number * PATIENTS_A_BUNDLE
    return _bundle(range(first, first + PATIENTS_A_BUNDLE))


def _bundle(numbers: Sequence[int]) -> bytes:
    entries = [{"resource": one} for number in numbers for one in patient(number)]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode()


def measure(
    bodies: Sequence[bytes], rounds: int, core: int, others: set[int], *, large: bool
) -> tuple[list[Round], Memory]:
    """Measure so many rounds, after one that warms up; raises WrongWorkError when an answer is another."""
    done: list[Round] = []
    with derive_function() as function, service(core) as running:
        expected = [_timeless(function(body)) for body in bodies]
        _posted(running.url, bodies[:_WARM])
        running.most_seen()
        before = running.megabytes()
        for number in range(rounds):
            print(f"round {number + 1} of {rounds} …", file=sys.stderr, flush=True)
            os.sched_setaffinity(0, {core})
            alone = _timed(lambda: [function(body) for body in bodies], time.process_time)
            os.sched_setaffinity(0, others)
            answers: list[bytes] = []
            served = _timed(lambda: answers.extend(_posted(running.url, bodies)), running.cpu)  # noqa: B023
            if list(map(_timeless, answers)) != expected:
                raise WrongWorkError("an answer of the service is not that of the function")
            done.append(Round(Took(len(bodies), *alone), Took(len(bodies), *served)))
        after, most = running.megabytes(), running.most_seen()
        limit = running.megabytes_a_bundle
        if large:
            _posted(running.url, [_large(limit)] * CONNECTIONS)
        memory = Memory(before, after, most, running.most_seen() if large else None, limit)
    return done, memory


class Service:
    """A running service: its address, its largest Bundle, its CPU time and its memory."""

    def __init__(self, url: str, megabytes_a_bundle: int, process: psutil.Process) -> None:
        self.url = url
        self.megabytes_a_bundle = megabytes_a_bundle
        self._process = process
        self._most = 0.0
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)

    def cpu(self) -> float:
        """Give the CPU seconds it has used."""
        used = self._process.cpu_times()
        return float(used.user + used.system)

    def megabytes(self) -> float:
        """Give its resident set."""
        return float(self._process.memory_info().rss / _MEGABYTE)

    def most_seen(self) -> float:
        """Give the largest resident set since this was last asked."""
        most, self._most = max(self._most, self.megabytes()), 0.0
        return most

    def __enter__(self) -> "Service":
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._watch.join()

    def _look(self) -> None:
        while not self._ended.wait(0.05):
            self._most = max(self._most, self.megabytes())


@contextmanager
def service(core: int) -> Iterator[Service]:
    """Run the service on one core, in a process of its own that ends with the block."""
    command = [sys.executable, "-m", "benchmarks.derive_server", str(core)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        told = child.stdout.readline().split()
        if not told:
            raise WrongWorkError("the service did not start")
        with Service(told[0], int(told[1]), psutil.Process(child.pid)) as running:
            yield running
    finally:
        child.communicate()  # the end of its standard input ends it


def _posted(url: str, bodies: Sequence[bytes]) -> list[bytes]:
    """Post all of them by several connections, and give the answers in the order of the Bundles."""
    local = threading.local()

    def post(body: bytes) -> bytes:
        if not hasattr(local, "session"):
            local.session = requests.Session()
            local.session.trust_env = False
            local.session.headers["Content-Type"] = "application/fhir+json"
        answer = local.session.post(url, data=body, timeout=600)
        answer.raise_for_status()
        return bytes(answer.content)

    with ThreadPoolExecutor(CONNECTIONS) as connections:
        return list(connections.map(post, bodies))


def _large(megabytes: int) -> bytes:
    """Give a Bundle of just below this limit."""
    size = len(_bundle(range(99_000, 99_300))) / 300
    return _bundle(range(int(0.98 * megabytes * _MEGABYTE / size)))


def _timed(run: Callable[[], object], cpu: Callable[[], float]) -> tuple[float, float]:
    wall, used = time.perf_counter(), cpu()
    run()
    return time.perf_counter() - wall, cpu() - used


def _timeless(answer: bytes) -> bytes:
    return _INSTANT.sub(b"", answer)


def _cores() -> tuple[int, set[int]]:
    """Choose a core for what is measured, and those of the client; one for both where there is one."""
    first, *others = sorted(os.sched_getaffinity(0))
    return first, set(others) or {first}


def table(facts: dict[str, Any], rounds: Sequence[Round], memory: Memory) -> Iterator[str]:
    """Give the lines of the table, with the machine's facts above it."""
    yield (
        f"{facts['bundles']} Bundles of {RESOURCES_A_BUNDLE} resources ({facts['bytes_a_bundle']} bytes), "
        f"{len(rounds)} rounds, each value: min / median / max\n"
        f"one core, Python {facts['python']}, load average {facts['load_average_before']:.1f} before and "
        f"{facts['load_average_after']:.1f} after\n"
    )
    yield f"{'':10}{'Bundles a second':>24}{'CPU, ms a Bundle':>24}"
    for name in ("function", "service"):
        took: list[Took] = [getattr(each, name) for each in rounds]
        speed = _spread([each.per_second for each in took], 0)
        cpu = _spread([1000 * each.cpu_seconds / each.bundles for each in took], 2)
        yield f"{name:10}{speed:>24}{cpu:>24}"
    yield f"service / function, CPU: {_spread([each.ratio for each in rounds], 2)}"
    yield (
        f"memory of the service, MB: {memory.before:.0f} warmed up, {memory.after:.0f} after all, "
        f"{memory.most:.0f} at most"
    )
    if memory.large is not None:
        yield f"{memory.large:.0f} MB at most with {CONNECTIONS} Bundles of {memory.limit} MB each at once"


def _spread(values: Sequence[float], digits: int) -> str:
    least, median, most = min(values), statistics.median(values), max(values)
    return f"{least:.{digits}f} / {median:.{digits}f} / {most:.{digits}f}"


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.derive_operation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--bundles", type=int, default=1_000, metavar="N")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument(
        "--large",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="end with Bundles as large as may be, which takes a minute",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every measurement here")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
