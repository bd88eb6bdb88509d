"""Under the habits of each server, what stands on the sandbox in the end is what the oracle asks for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from adapter.errors import ServerError
from adapter.sandbox.habits.profiles import PROFILES
from adapter.sandbox.server import Sandbox
from tests.live.adapter_under_test import AdapterUnderTest
from tests.live.laboratory import Laboratory
from tests.oracle import content_of, differences

PASSES = 15
AT_ONCE = {"throttled": "0.05:zero", "unavailable": "0.03:zero", "index-lag": "0.5"}
"""The same refusals without the waiting, so that the test is about what happens and not about when."""


@contextmanager
def _good_for_a_moment(sandbox: Sandbox) -> Iterator[None]:
    """Let the laboratory write to a good server; the habits begin anew afterwards."""
    habits = sandbox.habits.on
    sandbox.habits.choose()
    yield
    sandbox.habits.choose(habits)


def _run_until_quiet(adapter: AdapterUnderTest) -> None:
    """Run passes, failed ones too, until one has nothing to write."""
    failed = 0
    for _ in range(PASSES):
        try:
            report = adapter.run()
        except ServerError:
            failed += 1
            continue
        if report.writes == 0 and report.queue_left == 0:
            return
    raise AssertionError(f"{PASSES} passes do not come to rest; {failed} failed")


def _discovery(profile: str, laboratory: Laboratory, folder: Path) -> dict[str, Any]:
    """Give the settings of a site: where nobody can ask what changed, everybody on a list is read at each pass."""
    if profile != "epic":
        return {}
    file = folder / "patients.txt"
    names = ("low", "open", "both")
    file.write_text("\n".join(map(laboratory.patient, names)), encoding="utf-8")
    return {
        "poll__discovery": "patients",
        "poll__patients_file": str(file),
        "poll__sweep_hours": 1e-6,
    }


@pytest.mark.parametrize("profile", [one.name for one in PROFILES])
def test_under_every_profile_what_stands_is_what_the_oracle_asks_for(
    profile: str, tmp_path: Path
) -> None:
    with Sandbox() as sandbox:
        laboratory = Laboratory(sandbox.base_url)
        laboratory.ihc("low", "1+")
        laboratory.ihc("open", "2+")
        laboratory.ihc("both", "2+")
        laboratory.fish("both", "Positive")
        sandbox.habits.choose(profile=profile, seed=1)
        sandbox.habits.switch(
            {name: AT_ONCE[name] for name in AT_ONCE if name in sandbox.habits.on}
        )
        adapter = AdapterUnderTest(
            sandbox.base_url, tmp_path / "state.sqlite", **_discovery(profile, laboratory, tmp_path)
        )
        try:
            _run_until_quiet(adapter)
            with _good_for_a_moment(sandbox):
                assert differences(content_of(sandbox.base_url)) == []
                laboratory.amend(f"Observation/{laboratory.prefix}-low-a-ihc", "3+")
                laboratory.fish("open", "Negative")
            adapter.start()
            _run_until_quiet(adapter)
            sandbox.habits.choose()
            _run_until_quiet(adapter)
        finally:
            adapter.stop()
            laboratory.close()

        assert differences(content_of(sandbox.base_url)) == []
