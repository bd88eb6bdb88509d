"""Kills: whatever dies, and wherever, nothing is lost, nothing stands twice, and the state is whole (P8, C1, C5, C9).

Each kill is a real SIGKILL of a real adapter process against a server in another one. Every run ends with the
oracle. HER2_PROVE=full asks for the thousand kills that are measured by hand.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.servers.required import executable, skip_or_fail

IS_FULL: Final = os.environ.get("HER2_PROVE") == "full"
SEED: Final = 20260110
NEVER_CALLED_BY_A_PASS: Final = {
    "server.write",  # the Device, once, before the first death
    "store.look_again",  # where the source is not asked what changed
    "store.erase",
    "store.held_about",
    "store.held_lease",
    "store.passes",
    "store.latest_pass",
    "store.passes_since",
    "store.worklist",
    "store.recorded",
    "store.trail_head",
    "store.check_trail",
}
"""But for the first two, only other commands call these."""
SECONDS_A_KILL: Final = 60.0

Record = Callable[[str, object], None]


def torture(*, kills: int, server: str) -> dict[str, Any]:
    """Run the command as anybody can; its result, and on stderr how to repeat it."""
    asked = ["torture", "--kills", str(kills), "--server", server, "--seed", str(SEED)]
    ran = subprocess.run(
        [sys.executable, "-m", "adapter", *asked, "--output", "json"],
        stdout=subprocess.PIPE,
        text=True,
        timeout=300 + SECONDS_A_KILL * kills,
        check=False,
    )
    assert ran.stdout, f"her2-adapter {' '.join(asked)} gave nothing"
    said: dict[str, Any] = json.loads(ran.stdout)
    assert (ran.returncode == 0) == said["held"]
    return said


def assert_held(said: dict[str, Any], *, kills: int) -> None:
    """Hold a result to the promise, count by count."""
    assert said["failures"] == []
    assert said["kills"] >= kills
    counts = ("lost", "doubled", "different_from_oracle", "without_one_provenance_each")
    assert {name: said[name] for name in (*counts, "states_damaged")} == dict.fromkeys(
        (*counts, "states_damaged"), 0
    )
    assert said["cases"] > said["runs"], "nothing was written"
    assert said["held"]


def figure_of(said: dict[str, Any]) -> str:
    """Say what was measured in one sentence."""
    return (
        f"{said['kills']} kills on {said['server']} ({said['at_points']} at {len(said['points_reached'])} "
        f"crash points, {said['at_instants']} at random instants) and {said['stops']} stops by signal (slowest "
        f"{said['slowest_stop_seconds']} s), {said['cases']} derived Observations after {said['edits']} edits: "
        f"{said['lost']} lost, {said['doubled']} doubled, {said['without_one_provenance_each']} without one "
        f"Provenance each version, {said['states_damaged']} states damaged"
    )


def test_kills_on_the_sandbox_lose_and_double_nothing(record_property: Record) -> None:
    kills = 1000 if IS_FULL else 120
    said = torture(kills=kills, server="sandbox")
    record_property("promise", "kills")
    record_property("figure", figure_of(said))
    assert_held(said, kills=kills)
    assert said["stops"] >= kills // 10
    assert said["slowest_stop_seconds"] <= 10
    # Every named point was died at, but for calls that no pass makes.
    assert said["points_left"] == []
    assert {one.partition(":")[0] for one in said["points_missed"]} <= NEVER_CALLED_BY_A_PASS


@pytest.mark.real
@pytest.mark.parametrize(
    ("server", "needed", "kills"),
    [
        pytest.param("hapi", "java", 1000 if IS_FULL else 20, id="hapi"),
        pytest.param("medplum", "node", 1000 if IS_FULL else 20, id="medplum"),
    ],
)
def test_kills_on_a_real_server_lose_and_double_nothing(
    record_property: Record, server: str, needed: str, kills: int
) -> None:
    with skip_or_fail():
        executable(needed, "see .ci/run")
    said = torture(kills=kills, server=server)
    record_property("promise", "kills")
    record_property("figure", figure_of(said))
    assert_held(said, kills=kills)
