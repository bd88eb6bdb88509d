"""A pass in words and rows: what was found, decided and written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from adapter.cli.lines import ASIDE_COLUMNS, CASE_COLUMNS, aside_line, told
from adapter.cli.printing import Block, Output, counted, number_of, print_blocks, say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from adapter.sync.report import CaseRow, PassReport

_COLUMNS: Final = {**CASE_COLUMNS, "action": "Done"}
_NAMED: Final = 20
"""Patients who are named in one sentence at most."""
NOTHING_TO_WRITE: Final = "nothing"
_DONE: Final = {
    "create": "created",
    "update": "updated",
    "retract": "withdrawn",
    "repair": "repaired",
    "complete": "completed",
    "skip": "unchanged",
    "wait": "waiting",
    NOTHING_TO_WRITE: "nothing to write",
}
_TO_DO: Final = {
    "create": "to create",
    "update": "to update",
    "retract": "to withdraw",
    "repair": "to repair",
    "complete": "to complete",
    "skip": "unchanged",
    "wait": "waiting",
    NOTHING_TO_WRITE: "nothing to write",
}
_OUTCOMES: Final = {
    "done": "done",
    "observed": "computed, nothing was written",
    "braked": "stopped by a brake, nothing was written",
    "stopped": "stopped before all was written; the rest stays queued",
}


def pass_line(row: CaseRow) -> dict[str, Any]:
    """Make the line of one sample of a pass: as that of `classify`, and what was done.

    `sample` is the specimen, else what joins the results.
    """
    return {
        "kind": "case",
        "subject": row.patient,
        "sample": row.sample,
        "category": row.category,
        "asco_cap": row.asco_cap,
        "ish_group": row.ish_group,
        "review": row.review,
        "rule": row.rule,
        "reasons": told(row.reasons),
        "sources": list(row.sources),
        "derived": row.derived,
        "action": row.action.value,
        "before": row.before,
    }


def print_pass(report: PassReport, form: Output) -> None:
    """Print a pass: its samples and what was set aside on stdout, its counts on stderr."""
    cases = [pass_line(row) for row in report.rows]
    aside = [
        aside_line(one.observation, one.subject, one.outcome, one.reason)
        for one in report.set_aside
    ]
    if form is Output.TABLE:
        words = _words(report)
        cases = [{**case, "action": _action(case, words)} for case in cases]
    print_blocks(
        form,
        [Block("HER2 category", _COLUMNS, cases), Block("Set aside", ASIDE_COLUMNS, aside)],
    )
    say(*sentences(report))


def sentences(report: PassReport) -> list[str]:
    """Say what a pass did: counts, parked cases, warnings, what a brake wants to be looked at."""
    seconds = (report.ended_at - report.started_at).total_seconds()
    results = counted((name, number) for name, number in sorted(report.outcomes.items()))
    words = _words(report)
    actions = counted((words[name], number) for name, number in _actions(report).items())
    said = [
        f"Pass ({report.kind.value}) {_OUTCOMES[report.outcome.value]}, {seconds:.1f} s: "
        f"{number_of(report.patients, 'patient')}, "
        f"{number_of(report.fetched, 'result')} ({results or 'none'})",
        f"Derived results: {actions or 'none'}; {number_of(report.writes, 'version')} written",
    ]
    if report.categories:
        categories = sorted(report.categories.items(), key=lambda one: (-one[1], one[0]))
        said.append(f"By category: {counted(categories)}")
    said += [f"Parked Observation/{key}: {why}" for key, why in sorted(report.parked.items())]
    if report.queue_left:
        is_first = report.writes and report.actions.get("create")
        again = "; whoever got a first result is looked at once more" if is_first else ""
        said.append(f"Queued for the next pass: {number_of(report.queue_left, 'patient')}{again}")
    said += report.warnings
    return said


def without_results(report: PassReport, asked: Iterable[str]) -> list[str]:
    """Say of which of the patients who were asked for no result was seen, so that a mistyped id is no silence."""
    unseen = sorted(report.without_results(asked))
    if not unseen:
        return []
    more = f" and {len(unseen) - _NAMED} more" if len(unseen) > _NAMED else ""
    return [f"No HER2 result is shown of {', '.join(unseen[:_NAMED])}{more}: is the id right?"]


def _actions(report: PassReport) -> dict[str, int]:
    """Count decisions by action; samples that have no derived result and get none are not called unchanged."""
    actions = dict(report.actions)
    skipped = actions.pop("skip", 0)
    stand = min(skipped, sum(row.action.value == "skip" for row in report.rows))
    found = {"skip": stand, NOTHING_TO_WRITE: skipped - stand}
    return actions | {name: number for name, number in found.items() if number}


def _words(report: PassReport) -> dict[str, str]:
    """Choose the words for actions: done, or to be done where nothing was written."""
    return _DONE if report.outcome.value in ("done", "stopped") else _TO_DO


def _action(case: dict[str, Any], words: dict[str, str]) -> str:
    done, before = words[case["action"]], case["before"]
    changed = before is not None and before != case["category"]
    return f"{done} (was {before})" if changed else done
