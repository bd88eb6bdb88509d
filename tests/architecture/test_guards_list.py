"""The list of guards follows the code: each one stands where it says, and its tests exist."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.architecture.known_tests import is_known
from tests.guards.listed import ROOT, Guard, NotTheSourceError, guards
from tests.guards.runner import Verdict

GUARDS = guards()


def test_there_are_as_many_guards_as_promised() -> None:
    assert len(GUARDS) >= 25


def test_each_guard_has_a_name_of_its_own() -> None:
    assert [name for name, times in Counter(one.id for one in GUARDS).items() if times > 1] == []


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.id)
def test_a_guard_stands_where_the_list_says_and_names_tests_that_exist(guard: Guard) -> None:
    source = (ROOT / guard.file).read_text("utf-8")

    assert guard.removed_from(source) != source
    assert guard.tests
    assert [test for test in guard.tests if not is_known(test)] == []


@pytest.mark.parametrize("source", ["", "if guarded:\nif guarded:\n"], ids=["none", "two"])
def test_a_guard_that_cannot_be_found_for_certain_is_told(source: str) -> None:
    guard = Guard("x", "X.", "adapter/x.py", "if guarded:", "if True:", ("tests/x.py::test_x",))

    with pytest.raises(NotTheSourceError, match="x: its text stands"):
        guard.removed_from(source)


def test_a_test_that_stays_green_and_a_run_that_failed_prove_nothing() -> None:
    guard = GUARDS[0]

    assert Verdict(guard).bites
    assert not Verdict(guard, green=("tests/x.py::test_x",)).bites
    assert not Verdict(guard, trouble="could not be run").bites


def test_the_names_of_tests_are_known_by_file_and_name() -> None:
    here = Path(__file__).relative_to(ROOT).as_posix()

    assert is_known(f"{here}::test_there_are_as_many_guards_as_promised")
    assert is_known(f"{here}::test_a_guard_that_cannot_be_found_for_certain_is_told[none]")
    assert not is_known(f"{here}::test_nothing")
    assert not is_known("tests/nowhere.py::test_nothing")
