"""Every guard is needed: without it, the tests that are named for it turn red."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.guards.listed import guards
from tests.guards.runner import remove_each

IS_FULL: Final = os.environ.get("HER2_PROVE") == "full"
# .ci/run runs every test as the code stands beside this one, and is red when one of them is.
IN_CI: Final = os.environ.get("CI") == "true"


def test_every_removal_of_a_guard_turns_its_tests_red(
    record_property: Callable[[str, object], None], tmp_path: Path
) -> None:
    record_property("promise", "guards")
    chosen = guards()

    verdicts = list(remove_each(chosen, tmp_path, whole_suite=IS_FULL, are_green=IN_CI))

    noticed = sum(one.bites for one in verdicts)
    by = "the whole suite" if IS_FULL else "its own tests"
    record_property("figure", f"{len(verdicts)} guards removed in turn, {noticed} noticed by {by}")
    assert [(one.guard.id, one.green, one.trouble) for one in verdicts if not one.bites] == []
