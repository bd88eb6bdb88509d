"""Network faults: whatever the line does, nothing is lost or doubled, and two passes after it all is right (D1–D18).

TCP faults are Toxiproxy's, HTTP faults those of a small proxy of our own. HER2_PROVE=full takes 50 seeds a kind.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from adapter.sandbox.server import Sandbox
from tests.faults.kinds import Fault
from tests.faults.proxy import canary, faulty_way
from tests.faults.surviving import Line, Survived, survive
from tests.servers.toxiproxy import Toxiproxy, Way

SEEDS: Final = range(50 if os.environ.get("HER2_PROVE") == "full" else 3)

Record = Callable[[str, object], None]

TOXICS: Final[dict[str, Callable[[random.Random], dict[str, int]]]] = {
    "latency": lambda dice: {"latency": dice.randint(1, 20), "jitter": 20},
    "bandwidth": lambda dice: {"rate": dice.randint(50, 500)},
    "slow_close": lambda dice: {"delay": dice.randint(10, 100)},
    "timeout": lambda dice: {"timeout": dice.randint(20, 100)},
    "reset_peer": lambda dice: {"timeout": dice.randint(0, 30)},
    "slicer": lambda dice: {
        "average_size": dice.randint(200, 800),
        "size_variation": 100,
        "delay": 50,
    },
    "limit_data": lambda dice: {"bytes": dice.randint(100, 60_000)},
}
"""Toxic of Toxiproxy → its attributes, by seed; milliseconds, kilobytes a second, bytes."""


def assert_survived(ended: Survived, what: str) -> None:
    """Hold the end to the promise."""
    assert ended.verdict.wrong == (), what
    assert ended.verdict.unpaired == (), what
    assert ended.writes_afterwards == 0, what
    assert ended.verdict.cases > 0, what


def figure(kind: str, ended: list[Survived]) -> str:
    """Say what was measured in one sentence."""
    return (
        f"{kind}: {len(ended)} seeds, {sum(one.edits for one in ended)} edits, "
        f"{sum(one.failed_passes for one in ended)} passes failed, "
        f"{sum(one.verdict.cases for one in ended)} derived Observations: 0 lost, 0 doubled, all right within "
        "2 passes after the fault ended"
    )


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name.lower())
def test_an_exchange_that_goes_wrong_loses_and_doubles_nothing(
    record_property: Record, tmp_path: Path, fault: Fault
) -> None:
    survived, faults = [], 0
    for seed in SEEDS:
        with Sandbox() as sandbox, canary() as elsewhere:
            with faulty_way(sandbox.base_url, seed, elsewhere=elsewhere.url) as way:

                def disturb(_: random.Random, way: Any = way) -> None:
                    way.fault = fault

                def heal(way: Any = way) -> None:
                    way.fault = None

                line = Line(way.base_url, disturb, heal)
                ended = survive(sandbox.base_url, line, seed, tmp_path)
                faults += way.faults
            assert_survived(ended, f"{fault}, seed {seed}")
            assert elsewhere.visits == []
            survived.append(ended)
    assert faults >= 3 * len(SEEDS), "hardly anything went wrong"
    record_property("promise", "network faults")
    record_property("figure", f"{figure(fault, survived)}; {faults} exchanges went wrong")


@contextmanager
def disturbed(toxiproxy: Toxiproxy, sandbox: Sandbox) -> Iterator[Way]:
    """Open a way through Toxiproxy."""
    way = toxiproxy.way_to(sandbox.base_url)
    try:
        yield way
    finally:
        way.close()


@pytest.mark.real
@pytest.mark.parametrize("toxic", TOXICS)
def test_a_connection_that_is_disturbed_loses_and_doubles_nothing(
    record_property: Record, toxiproxy: Toxiproxy, tmp_path: Path, toxic: str
) -> None:
    survived = []
    for seed in SEEDS:
        with Sandbox() as sandbox, disturbed(toxiproxy, sandbox) as way:

            def disturb(dice: random.Random, way: Way = way) -> None:
                way.heal()
                way.disturb(toxic, dice.choice([0.2, 0.5, 1.0]), **TOXICS[toxic](dice))

            ended = survive(sandbox.base_url, Line(way.base_url, disturb, way.heal), seed, tmp_path)
            assert_survived(ended, f"{toxic}, seed {seed}")
            survived.append(ended)
    record_property("promise", "network faults")
    record_property("figure", figure(f"TCP {toxic}", survived))


@pytest.mark.real
def test_a_server_that_goes_and_comes_loses_and_doubles_nothing(
    record_property: Record, toxiproxy: Toxiproxy, tmp_path: Path
) -> None:
    survived = []
    for seed in SEEDS:
        with Sandbox() as sandbox, disturbed(toxiproxy, sandbox) as way:

            def disturb(dice: random.Random, way: Way = way) -> None:
                way.switch(on=dice.random() < 0.5)

            def heal(way: Way = way) -> None:
                way.switch(on=True)

            ended = survive(sandbox.base_url, Line(way.base_url, disturb, heal), seed, tmp_path)
            assert_survived(ended, f"down and up, seed {seed}")
            survived.append(ended)
    assert sum(one.failed_passes for one in survived) > 0
    record_property("promise", "network faults")
    record_property("figure", figure("TCP down and up", survived))
