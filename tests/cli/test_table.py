"""`table` prints what the core decides, and the page of the documentation is what it prints."""

from __future__ import annotations

import csv
import io

import pytest

from adapter.her2.grid import IHC_KINDS, ISH_KINDS, cell_text, grid
from adapter.her2.policy import ASCO_CAP_2023
from adapter.her2.rules import ALL_RULES
from tests.cli.conftest import ROOT, Run


def test_the_lines_equal_the_grid_of_the_core(run: Run) -> None:
    ended = run("table", "-o", "ndjson")

    expected = {cell: cell_text(verdict) for cell, verdict in grid(ASCO_CAP_2023).items()}
    got = {
        (line["ihc"], line["ish"]): line["category"] + ("*" if line["review"] else "")
        for line in ended.lines
    }
    assert got == expected


def test_the_policy_basic_decides_its_five_lines_and_nothing_else(run: Run) -> None:
    lines = run("table", "--policy", "basic").lines

    decided = {(x["ihc"], x["ish"]): x["category"] for x in lines if x["rule"] != "beyond-basic"}
    assert decided[("0", "none")] == "negative"
    assert decided[("1+", "none")] == "low"
    assert decided[("2+", "negative")] == "low"
    assert decided[("2+", "positive")] == "positive"
    assert decided[("2+", "none")] == "equivocal"
    assert decided[("3+", "none")] == "positive"
    assert {row for row, _ in decided} == {"none", "0", "1+", "2+", "3+"}


def test_every_cell_stands_in_the_printed_table(run: Run) -> None:
    ended = run("table", "-o", "table")

    for kind in (*IHC_KINDS, *ISH_KINDS):
        assert kind in ended.out
    assert "indeterminate*" in ended.out
    assert "review" in ended.err


@pytest.mark.parametrize("form", ["json", "csv"])
def test_the_other_forms_hold_all_cells(run: Run, form: str) -> None:
    ended = run("table", "-o", form)

    if form == "csv":
        assert len(list(csv.DictReader(io.StringIO(ended.out)))) == 169
    else:
        assert ended.out.count('"citation"') == 169


def test_the_page_of_the_documentation_is_what_the_command_prints(run: Run) -> None:
    page = (ROOT / "docs/decision-table.md").read_text("utf-8")

    assert run("table", "--output", "markdown").out == page


def test_the_page_names_every_rule_with_its_mark(run: Run) -> None:
    page = run("table", "--output", "markdown").out

    for rule in ALL_RULES:
        assert f"| `{rule.id}` | [{rule.basis.value}] | {rule.citation} | {rule.sentence} |" in page


def test_the_page_holds_what_its_rules_cite(run: Run) -> None:
    """A rule that cites this page for a policy of our own must find it there."""
    page = run("table", "--output", "markdown").out

    for heading in (
        "N5",
        "N6",
        "Which results count",
        "Numbers",
        "The laboratory's overall result",
    ):
        assert f"**{heading}" in page or f"## {heading}" in page
