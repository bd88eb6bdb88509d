"""The same laboratories, edit for edit, on the sandbox, HAPI and Medplum's router: all equal to the oracle."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from adapter.sandbox.server import Sandbox
from tests.faults.surviving import Line, survive

SEEDS: Final = range(20 if os.environ.get("HER2_PROVE") == "full" else 3)


@pytest.mark.parametrize(
    "server",
    [
        "sandbox",
        pytest.param("hapi", marks=pytest.mark.real),
        pytest.param("medplum", marks=pytest.mark.real),
    ],
)
def test_the_same_edits_end_as_the_oracle_says_on_every_server(
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
    tmp_path: Path,
    server: str,
) -> None:
    cases = edits = 0
    for seed in SEEDS:
        with Sandbox() as sandbox:
            real = None if server == "sandbox" else request.getfixturevalue(f"empty_{server}")
            url = real.base_url if real else sandbox.base_url
            if real:
                real.empty()
            ended = survive(url, Line(url, lambda _: None, lambda: None), seed, tmp_path)
        assert ended.verdict.wrong == (), f"seed {seed}"
        assert ended.verdict.unpaired == (), f"seed {seed}"
        assert (ended.failed_passes, ended.writes_afterwards) == (0, 0), f"seed {seed}"
        cases, edits = cases + ended.verdict.cases, edits + ended.edits
    assert cases > 0
    record_property("promise", "same scenarios")
    record_property(
        "figure",
        f"{server}: {len(SEEDS)} laboratories, {edits} edits, {cases} derived Observations, all equal to the oracle",
    )
