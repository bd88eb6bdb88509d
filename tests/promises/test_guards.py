"""Every guard is needed: without it, the tests that are named for it turn red."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from tests.guards.listed import guards
from tests.guards.runner import remove_each


def test_every_removal_of_a_guard_turns_its_tests_red(
    record_property: Callable[[str, object], None], tmp_path: Path
) -> None:
    record_property("promise", "guards")
    whole = os.environ.get("HER2_PROVE") == "full"
    chosen = guards()

    verdicts = list(remove_each(chosen, tmp_path, whole_suite=whole))

    noticed = sum(one.bites for one in verdicts)
    by = "the whole suite" if whole else "its own tests"
    record_property("figure", f"{len(verdicts)} guards removed in turn, {noticed} noticed by {by}")
    assert [(one.guard.id, one.green, one.trouble) for one in verdicts if not one.bites] == []
