"""docs/security.md: every row of the requirements is there, and every test that it names exists."""

from __future__ import annotations

import re

import pytest

from adapter.sync.permissions import needed
from tests.architecture.known_tests import ROOT, is_known

PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
ROWS = {
    cells[0]: (cells[1], cells[2])
    for line in PAGE.splitlines()
    if re.match(r"\| S\d+ \|", line)
    for cells in [[cell.strip() for cell in line.strip("| ").split(" | ")]]
}


def _tests(text: str) -> list[str]:
    return re.findall(r"`(tests/[^`]+)`", text)


def test_no_row_of_the_requirements_is_missing() -> None:
    assert list(ROWS) == [f"S{number}" for number in range(1, 33)]


@pytest.mark.parametrize("row", ROWS)
def test_a_row_is_proved_by_tests_or_says_that_it_is_for_later(row: str) -> None:
    what, proof = ROWS[row]
    assert _tests(proof) or (proof == "–" and "*later*" in what)


def test_every_test_that_the_page_names_exists() -> None:
    named = _tests(PAGE)
    assert len(named) > 40
    assert [one for one in named if not is_known(one)] == []


def test_each_safeguard_of_hipaa_names_rows_that_are_proved() -> None:
    table = PAGE.partition("## HIPAA 164.312")[2].partition("\n## ")[0]
    safeguards = re.findall(r"^\| \(([a-e])\) .* \| ([S0-9, ]+) \|$", table, re.MULTILINE)
    assert [letter for letter, _ in safeguards] == ["a", "b", "c", "d", "e"]
    for _, rows in safeguards:
        assert all(_tests(ROWS[row][1]) for row in rows.split(", "))


def test_the_scopes_on_the_page_are_those_that_are_asked_for() -> None:
    table = PAGE.partition("## What it may do")[2].partition("\nTwo servers")[0].splitlines()
    said = [
        [
            f"system/{one.removeprefix('system/')}"
            for one in re.findall(r"`([A-Za-z/]+\.[a-z]+)`", line)
        ]
        for line in table
        if line.startswith("| ") and "scopes asked for" not in line
    ]
    reading = needed(source=True, target=True, observe=True)
    writing = needed(source=True, target=True)
    creating = needed(source=True, target=True, creates=True)
    assert said == [
        list(reading),
        [one for one in writing if one not in reading],
        [one for one in creating if one not in writing],
    ]
