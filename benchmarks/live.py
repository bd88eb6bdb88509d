"""How long the adapter takes on a real server, beside the bare HTTP exchange: `python -m benchmarks.live`.

Measured, in one run and on one server, for N patients with one IHC each, every third with a FISH:

- `first`: the pass that meets a server without any result of ours; it reads everything and writes N
  derived Observations with their Provenances.
- `second`: the pass after it, which looks once more at all whom the first one created something for.
- `quiet`: the pass after that; nothing has changed, and discovery says so.

For each of them the wall time of `Cycle.run_pass`, and beside it that of the bare exchange: the very
same requests (method, URL, headers, bytes), recorded, then replayed one after the other with plain
requests and no logic, on the same server emptied and loaded again. What is published is their ratio.
The two take turns in going first (the replay then sends what the round before recorded), after one
round that is not counted, because Java compiles as it goes.
CPU seconds are those of this process alone (adapter : bare, medians); they bear a busy machine better
than wall time does.

Not measured: the start of the process and of its parts, the network between two machines, TLS, and
how well a server does under several clients. The state is a SQLite file, as by default. A ratio says
what the adapter adds on this machine and this server; seconds say nothing about another.
"""

import argparse
import cProfile
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any, TypeVar

import requests

from adapter.bootstrap import open_adapter
from adapter.errors import AdapterError
from adapter.logs import configure
from adapter.settings import ServerSettings, Settings, StoreSettings
from adapter.sync.cycle import Cycle, PassOptions, PassReport
from benchmarks.exchange import Exchange, ReplayDiffersError, noted, replay
from benchmarks.servers import NotEmptyError, Server, given, own_hapi
from tests.servers.required import MissingPartError

MOST_PATIENTS = 2_000
PASSES = {"first": PassOptions(backfill=True), "second": PassOptions(), "quiet": PassOptions()}
_T = TypeVar("_T")

Recording = Mapping[str, Sequence[Exchange]]
"""Pass → its exchange."""


class WrongWorkError(Exception):
    """The work that was measured is not the work that was meant."""


@dataclass(frozen=True)
class Took:
    """What one pass, or the replay of its exchange, took."""

    seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class Measurement:
    """One pass in one round."""

    adapter: Took
    bare: Took
    requests: int
    writes: int

    @property
    def ratio(self) -> float:
        """Wall time of the adapter over that of the bare exchange."""
        return self.adapter.seconds / self.bare.seconds


Round = dict[str, Measurement]
"""Pass → its measurement."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, and return 0; 1 when the work was wrong, 2 when it cannot start."""
    asked = _arguments(arguments)
    configure("console", "error")
    try:
        with ExitStack() as opened:
            server = given(asked.server) if asked.server else opened.enter_context(own_hapi())
            opened.callback(server.empty)
            facts = _facts(server, asked.patients)
            rounds = measure(server, asked.patients, asked.rounds)
            facts["load_average_after"] = os.getloadavg()[0]
            if asked.profile:
                profile(server, asked.patients, asked.profile)
    except (MissingPartError, NotEmptyError, requests.RequestException) as error:
        print(f"no server to measure against: {error}", file=sys.stderr)
        return 2
    except (ReplayDiffersError, WrongWorkError, AdapterError) as error:
        print(f"no figures: {error}", file=sys.stderr)
        return 1
    print("\n".join(table(facts, rounds)))
    if asked.json:
        asked.json.write_text(json.dumps(_as_json(facts, rounds), indent=2) + "\n", "utf-8")
    return 0


def measure(server: Server, patients: int, rounds: int) -> list[Round]:
    """Measure so many rounds, after one that only warms the server up and makes a first recording.

    Raises:
        WrongWorkError: when not every case was written, or a pass wrote that had nothing to write.
        ReplayDiffersError: when the replay was answered otherwise than the adapter was.

    """
    _told("a round to warm up …")
    _, recording = run_adapter(server, patients)
    run_bare(server, patients, recording)
    done: list[Round] = []
    for number in range(rounds):
        _told(f"round {number + 1} of {rounds} …")
        if number % 2:
            # What the round before recorded: the same requests, but for the instants in searches.
            bare = run_bare(server, patients, recording)
            took, recording = run_adapter(server, patients)
        else:
            took, recording = run_adapter(server, patients)
            bare = run_bare(server, patients, recording)
        done.append(
            {
                name: Measurement(
                    adapter=took[name],
                    bare=bare[name],
                    requests=len(recording[name]),
                    writes=sum(each.is_write for each in recording[name]),
                )
                for name in PASSES
            }
        )
    return done


def run_adapter(server: Server, patients: int) -> tuple[dict[str, Took], Recording]:
    """Load the server, and let the adapter run its passes over it."""
    took: dict[str, Took] = {}
    recording: dict[str, list[Exchange]] = {name: [] for name in PASSES}
    with _adapter_on(server, patients) as cycle:
        for name, options in PASSES.items():
            with noted(recording[name]):
                took[name], report = _timed(partial(cycle.run_pass, options))
            _check(name, report, recording[name], patients)
    return took, recording


def run_bare(server: Server, patients: int, recording: Recording) -> dict[str, Took]:
    """Load the server, and send it the recorded requests."""
    server.load(patients)
    took: dict[str, Took] = {}
    with requests.Session() as session:
        session.trust_env = False
        for name, exchanges in recording.items():
            took[name], _ = _timed(partial(replay, session, exchanges))
    if server.derived() != patients:
        raise WrongWorkError(f"the replay wrote {server.derived()} of {patients} results")
    return took


def profile(server: Server, patients: int, file: Path) -> None:
    """Profile one more first pass into a file for `python -m pstats`; not counted.

    By CPU time, so that waiting for the server does not hide what is ours.
    """
    profiler = cProfile.Profile(time.process_time)
    with _adapter_on(server, patients) as cycle:
        profiler.runcall(cycle.run_pass, PASSES["first"])
    profiler.dump_stats(file)


def table(facts: Mapping[str, Any], rounds: Sequence[Round]) -> Iterator[str]:
    """Give the lines of the table, with the machine's facts above it."""
    yield (
        f"{facts['patients']} patients, {len(rounds)} rounds, each value: min / median / max\n"
        f"{facts['server']} on {facts['database']}\n"
        f"{facts['cores']} cores, Python {facts['python']}, load average "
        f"{facts['load_average_before']:.1f} before and {facts['load_average_after']:.1f} after\n"
    )
    yield (
        f"{'pass':8}{'adapter, s':>22}{'bare exchange, s':>22}{'adapter / bare':>20}"
        f"{'own CPU, s':>14}{'requests':>10}{'per case':>10}{'writes':>8}"
    )
    for name in PASSES:
        of_pass = [each[name] for each in rounds]
        last = of_pass[-1]
        yield (
            f"{name:8}{_spread(each.adapter.seconds for each in of_pass):>22}"
            f"{_spread(each.bare.seconds for each in of_pass):>22}"
            f"{_spread(each.ratio for each in of_pass):>20}"
            f"{_both_cpu(of_pass):>14}"
            f"{last.requests:>10}{last.requests / facts['patients']:>10.3f}{last.writes:>8}"
        )


@contextmanager
def _adapter_on(server: Server, patients: int) -> Iterator[Cycle]:
    """Load the server, then give a fresh adapter with a state file of its own."""
    server.load(patients)
    with TemporaryDirectory(prefix="her2-benchmark-") as folder:
        settings = Settings(
            source=ServerSettings(url=server.base_url, allow_http=True),
            store=StoreSettings(url=f"sqlite:///{folder}/state.sqlite"),
        )
        with open_adapter(settings, Event()) as adapter:
            yield Cycle(adapter.parts, adapter.options)


def _check(name: str, report: PassReport, exchanges: Sequence[Exchange], patients: int) -> None:
    """Hold a pass against what it is meant to do: all cases the first, nothing the others."""
    created, writes = report.actions.get("create", 0), sum(each.is_write for each in exchanges)
    if name == "first" and (created != patients or report.parked):
        raise WrongWorkError(f"the first pass created {created} of {patients} results")
    if name != "first" and (writes or report.writes):
        raise WrongWorkError(f"the {name} pass sent {writes} writes; it has nothing to write")


def _timed(run: Callable[[], _T]) -> tuple[Took, _T]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = run()
    return Took(time.perf_counter() - wall, time.process_time() - cpu), result


def _spread(values: Iterator[float]) -> str:
    numbers = sorted(values)
    return f"{numbers[0]:.2f} / {statistics.median(numbers):.2f} / {numbers[-1]:.2f}"


def _both_cpu(of_pass: Sequence[Measurement]) -> str:
    adapter = statistics.median(each.adapter.cpu_seconds for each in of_pass)
    bare = statistics.median(each.bare.cpu_seconds for each in of_pass)
    return f"{adapter:.2f} : {bare:.2f}"


def _facts(server: Server, patients: int) -> dict[str, Any]:
    return {
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "patients": patients,
        "server": server.software,
        "database": server.database,
        "cores": len(os.sched_getaffinity(0)),
        "machine": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load_average_before": os.getloadavg()[0],
    }


def _as_json(facts: Mapping[str, Any], rounds: Sequence[Round]) -> dict[str, Any]:
    return {
        **facts,
        "rounds": [
            {name: {**asdict(each), "ratio": each.ratio} for name, each in one.items()}
            for one in rounds
        ],
    }


def _told(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.live",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--patients", type=_patients, default=500, metavar="N")
    parser.add_argument("--rounds", type=_odd, default=3, metavar="N", help="an odd number")
    parser.add_argument(
        "--server",
        metavar="URL",
        help="an empty FHIR server to use instead of a HAPI of our own; it is emptied again",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every measurement here")
    parser.add_argument(
        "--profile",
        type=Path,
        metavar="FILE",
        help="profile one more first pass into this file, for python -m pstats",
    )
    return parser.parse_args(arguments)


def _patients(text: str) -> int:
    number = int(text)
    if not 1 <= number <= MOST_PATIENTS:
        raise argparse.ArgumentTypeError(f"must be from 1 to {MOST_PATIENTS}")
    return number


def _odd(text: str) -> int:
    number = int(text)
    if number < 1 or number % 2 == 0:
        raise argparse.ArgumentTypeError("must be odd, so that a median is one of the values")
    return number


if __name__ == "__main__":
    sys.exit(main())
