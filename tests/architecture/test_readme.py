"""What the documents promise runs: the six lines of the README, and the pages that are generated."""

from __future__ import annotations

import doctest
from pathlib import Path

import adapter.her2

ROOT = Path(__file__).parents[2]


def test_the_six_lines_of_the_readme_run_as_printed() -> None:
    failures, tried = doctest.testfile(str(ROOT / "README.md"), module_relative=False)

    assert (failures, tried > 0) == (0, True)


def test_the_docstring_of_the_core_runs_as_printed() -> None:
    failures, tried = doctest.testmod(adapter.her2)

    assert (failures, tried > 0) == (0, True)


def test_the_readme_names_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text("utf-8")

    assert "make demo" in text
    assert "make test" in text
