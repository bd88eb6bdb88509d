"""The worklist on the command line: what is asked for, in groups, with a sentence where a person reads."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapter.ports import WorklistEntry, WorklistKind
from adapter.store import open_store
from tests.cli.conftest import Run

NOW = datetime(2026, 3, 29, 12, tzinfo=UTC)
ENTRY = WorklistEntry(
    kind=WorklistKind.NOT_READ,
    subject="Patient/1",
    reference="Observation/1",
    reason="answer-not-known",
    system="http://lab.test/codes",
    code="HER-2",
    pattern="… 9",
)
NARRATIVE = replace(ENTRY, kind=WorklistKind.NARRATIVE, reference="DiagnosticReport/1")
PARTNER = replace(ENTRY, kind=WorklistKind.LIKELY_PARTNER, partner="Observation/7")


@pytest.fixture(autouse=True)
def worklist(tmp_path: Path) -> None:
    again = replace(ENTRY, subject="Patient/2", reference="Observation/2")
    with open_store(f"sqlite:///{tmp_path / 'state.sqlite'}") as store:
        store.replace_worklist(
            subjects=[], references=[], entries=[ENTRY, again, NARRATIVE, PARTNER], at=NOW
        )


def test_unmapped_shows_what_was_not_read_in_groups(run: Run) -> None:
    ended = run("unmapped")
    [line] = ended.lines
    assert (line["count"], line["system"], line["code"]) == (2, "http://lab.test/codes", "HER-2")
    assert (line["reason"], line["pattern"]) == ("answer-not-known", "… 9")
    assert (line["example"], line["first_seen"]) == ("Observation/1", "2026-03-29T12:00:00+00:00")
    assert len(line["row"]) == 8
    assert "subject" not in line
    assert "1 row, 2 results" in ended.err


@pytest.mark.parametrize(
    ("kind", "examples"),
    [
        ("narrative", ["DiagnosticReport/1"]),
        ("likely-partner", ["Observation/1"]),
        ("all", ["Observation/1", "Observation/1", "DiagnosticReport/1"]),
    ],
)
def test_another_kind_is_shown_when_it_is_asked_for(
    run: Run, kind: str, examples: list[str]
) -> None:
    assert sorted(line["example"] for line in run("unmapped", "--kind", kind).lines) == sorted(
        examples
    )


def test_a_table_tells_the_reason_in_a_sentence(run: Run) -> None:
    shown = " ".join(run("unmapped", "-o", "table").out.split())
    assert "The coded answer is not known" in shown
    assert "Partner" not in shown


def test_every_form_of_output_holds_every_row(run: Run) -> None:
    assert run("unmapped", "-o", "csv").out.splitlines()[0].startswith("row,kind,count,reason")
    assert '"answer-not-known"' in run("unmapped", "-o", "json").out


def test_status_counts_the_results_that_were_not_read(run: Run) -> None:
    facts = run("status").lines[0]
    assert facts["unmapped"] == 2
