"""The benchmark of `$her2-derive` runs, and measures the work that it says it measures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.derive_operation import RESOURCES_A_BUNDLE, bundle

ROOT = Path(__file__).parents[2]


def test_both_ways_are_measured_and_their_answers_compared(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    options = ("--bundles", "3", "--rounds", "1", "--no-large", "--json", str(file))
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.derive_operation", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert ran.returncode == 0, ran.stderr
    figures = json.loads(file.read_text("utf-8"))
    [one] = figures["rounds"]
    for way in ("function", "service"):
        assert one[way]["bundles"] == 3
        assert one[way]["seconds"] > 0
        assert f"\n{way} " in ran.stdout
    assert figures["memory"]["most"] >= figures["memory"]["before"] > 10


def test_no_two_bundles_are_alike_and_each_has_ten_resources() -> None:
    bodies = [bundle(number) for number in range(50)]

    assert len(set(bodies)) == 50
    assert {len(json.loads(body)["entry"]) for body in bodies} == {RESOURCES_A_BUNDLE}
