"""`her2-adapter torture`, from a checkout: kill the adapter many times, and hold what stands against the oracle.

One result line on stdout, progress on stderr; exit 0 only if all held.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from adapter.logs import configure
from tests.servers.required import MissingPartError
from tests.torture.places import NotEmptyError, Place, place
from tests.torture.points import crash_points
from tests.torture.run import Mode, Run, Tally
from tests.torture.schedule import Schedule

KILLS_A_RUN: Final = 20
_MODES: Final = (Mode.ALONE, Mode.TWO_STATES, Mode.ALONE, Mode.ONE_STATE, Mode.ALONE)


@dataclass(frozen=True)
class Result:
    """Everything that one torture gave."""

    server: str
    seed: int
    tallies: tuple[Tally, ...]
    schedule: Schedule
    seconds: float

    @property
    def held(self) -> bool:
        """Whether every run ended as it must."""
        return all(one.held for one in self.tallies)

    def as_json(self) -> dict[str, Any]:
        """Give the result as one object."""
        verdicts = [one.verdict for one in self.tallies if one.verdict is not None]
        wrong = [sentence for one in verdicts for sentence in one.wrong]
        return {
            "server": self.server,
            "seed": self.seed,
            "kills": sum(one.kills for one in self.tallies),
            "at_points": sum(one.at_points for one in self.tallies),
            "at_instants": sum(one.at_instants for one in self.tallies),
            "points_reached": [str(one) for one in self.schedule.points_reached],
            "points_missed": [str(one) for one in self.schedule.points_missed],
            "points_left": [str(one) for one in self.schedule.points_left],
            "stops": sum(one.stops for one in self.tallies),
            "slowest_stop_seconds": round(max(o.slowest_stop_seconds for o in self.tallies), 2),
            "runs": len(self.tallies),
            "edits": sum(one.edits for one in self.tallies),
            "cases": sum(one.cases for one in verdicts),
            "lost": sum(one.count("lost") for one in verdicts),
            "doubled": sum(one.count("doubled") for one in verdicts),
            "different_from_oracle": len(wrong),
            "without_one_provenance_each": sum(len(one.unpaired) for one in verdicts),
            "states_damaged": sum(one.damaged for one in self.tallies),
            "failures": [sentence for one in self.tallies for sentence in _complaints(one)],
            "seconds": round(self.seconds),
            "held": self.held,
        }


def torture(kills: int, ready: Place, seed: int, folder: Path, *, server: str) -> Result:
    """Kill so many processes, in runs of twenty.

    Args:
        kills: how many in all.
        ready: gives an empty server for a run.
        seed: of everything that is chosen; each run has its own, made from it.
        folder: for states and logs.
        server: its name, for the result.

    """
    began = time.monotonic()
    schedule = Schedule(crash_points(), random.Random(seed))
    tallies: list[Tally] = []
    done = 0
    while done < kills:
        number = len(tallies)
        where = folder / f"run-{number}"
        where.mkdir()
        run = Run(ready(), where, _MODES[number % len(_MODES)], seed * 1000 + number)
        tally = run.kill(min(KILLS_A_RUN, kills - done), schedule, _progress(done, kills))
        tallies.append(tally)
        for sentence in _complaints(tally):
            _say(f"run {number} (seed {tally.seed}, {tally.mode}): {sentence}")
        if tally.kills == 0:
            break
        done += tally.kills
    return Result(server, seed, tuple(tallies), schedule, time.monotonic() - began)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; the exit code."""
    asked = _parser().parse_args(arguments)
    configure("json", "error")
    _forget_the_site()
    with tempfile.TemporaryDirectory(prefix="her2-torture-") as name:
        folder = Path(asked.folder or name)
        folder.mkdir(exist_ok=True)
        try:
            with place(asked.server, folder) as ready:
                result = torture(asked.kills, ready, asked.seed, folder, server=asked.server)
        except (MissingPartError, NotEmptyError) as error:
            _say(str(error))
            return 2
    said = result.as_json()
    sys.stdout.write((json.dumps(said) if asked.output == "json" else _sentence(said)) + "\n")
    if not result.held:
        _say(
            f"again: her2-adapter torture --kills {asked.kills} --server {asked.server} "
            f"--seed {asked.seed}"
        )
    return 0 if result.held else 1


def _forget_the_site() -> None:
    """No setting of a real site may reach an adapter here: the kills would be of its results."""
    for name in [one for one in os.environ if one.startswith("HER2_")]:
        del os.environ[name]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="her2-adapter torture", description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--server", default="sandbox", help="sandbox, hapi, medplum, or a URL")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", choices=("text", "json"), default="text")
    parser.add_argument("--folder", help="keep states and logs here")
    return parser


def _sentence(said: dict[str, Any]) -> str:
    return (
        f"{'held' if said['held'] else 'BROKEN'}: {said['kills']} kills on {said['server']} "
        f"({said['at_points']} at {len(said['points_reached'])} points, {said['at_instants']} at instants), "
        f"{said['stops']} stops (slowest {said['slowest_stop_seconds']} s), {said['cases']} cases after "
        f"{said['edits']} edits: {said['lost']} lost, {said['doubled']} doubled, "
        f"{said['different_from_oracle']} different from the oracle, "
        f"{said['without_one_provenance_each']} without one Provenance each version, "
        f"{said['states_damaged']} states damaged"
    )


def _complaints(tally: Tally) -> list[str]:
    verdict = tally.verdict
    found = list(tally.failures)
    if tally.damaged:
        found.append(f"SQLite calls a state damaged after {tally.damaged} ends")
    return found + ([*verdict.wrong, *verdict.unpaired] if verdict else [])


def _progress(done: int, kills: int) -> Any:
    count = iter(range(done + 1, kills + 1))

    def told() -> None:
        number = next(count, None)
        if number is not None and number % 10 == 0:
            _say(f"{number} of {kills} kills")

    return told


def _say(sentence: str) -> None:
    sys.stderr.write(sentence + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
