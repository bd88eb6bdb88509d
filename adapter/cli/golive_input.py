"""What was not understood or set aside, and what nobody has verified."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from adapter.cli.documents import Part
from adapter.cli.golive_words import STATEMENT, day_of
from adapter.cli.printing import Block, number_of
from adapter.fhir.reasons import SENTENCES
from adapter.golive import findings
from adapter.her2.compared import Comparison
from adapter.ports import WorklistKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapter.golive.look import Look
    from adapter.sync.planning.worklist import WorklistGroup

_TITLES: Final = {
    WorklistKind.NOT_READ: "Not read: unmapped codes and texts that are not understood",
    WorklistKind.NARRATIVE: "HER2 in narratives: suggestions, never a category",
    WorklistKind.LIKELY_PARTNER: "Likely partners: open samples that another one may complete",
}
_COLUMNS: Final = {
    "count": "Results",
    "says": "Why",
    "system": "System",
    "code": "Code",
    "pattern": "Text pattern",
    "suggestion": "Suggestion",
    "example": "Example",
    "partner": "Partner",
    "row": "Row",
    "first_seen": "First seen",
}


def of_input(look: Look) -> Part:
    """Show what people can make readable, most frequent first, and what gave no category."""
    aside = [
        {"kind": "set-aside", "outcome": outcome, "reason": reason, "results": number}
        | {"says": SENTENCES.get(reason, "")}
        for (outcome, reason), number in findings.aside_by_reason(look.report.set_aside)
    ]
    parked = [
        {
            "kind": "parked",
            "derived": f"Observation/{one.key}",
            "patient": one.patient,
            "reason": one.reason,
            "attempts": one.attempts,
            "parked_at": day_of(one.parked_at),
        }
        for one in look.parked
    ]
    listed = (_listed(kind, look.worklist) for kind in _TITLES)
    columns = {"results": "Results", "outcome": "Outcome", "reason": "Reason", "says": "Sentence"}
    of_parked = {"derived": "Derived result", "patient": "Patient", "reason": "Reason"}
    return Part(
        "4. What was not understood, and what was set aside",
        tuple(_of_reading(look)),
        (
            *listed,
            Block("Set aside, by reason", columns, aside),
            Block("Parked: refused by the server", {**of_parked, "attempts": "Attempts"}, parked),
        ),
    )


def _of_reading(look: Look) -> Iterator[str]:
    outcomes = ", ".join(
        f"{number} {name}" for name, number in sorted(look.report.outcomes.items()) if number
    )
    yield f"Of {look.report.fetched} HER2 candidates that were read: {outcomes or 'none'}."
    if not look.worklist:
        yield "Nothing is on the worklist."
    else:
        yield "Texts are shown as their shape: known words stand, every other word is …, every digit 9."


def _listed(kind: WorklistKind, groups: Sequence[WorklistGroup]) -> Block:
    rows = [
        {
            "kind": kind.value,
            "row": one.row,
            "count": one.count,
            "reason": one.reason,
            "says": SENTENCES.get(one.reason, one.reason),
            "system": one.system,
            "code": one.code,
            "pattern": one.pattern,
            "suggestion": one.suggestion,
            "example": one.example,
            "partner": one.partner,
            "first_seen": day_of(one.first_seen),
        }
        for one in groups
        if one.kind is kind
    ]
    filled = {name for row in rows for name, value in row.items() if value}
    columns = {name: heading for name, heading in _COLUMNS.items() if name in filled}
    return Block(_TITLES[kind], columns, rows)


def of_limits(look: Look) -> Part:
    """Say what is not verified, and what this report cannot see."""
    return Part("6. Not verified, and limits", tuple(_limits(look)))


def _limits(look: Look) -> Iterator[str]:
    yield STATEMENT
    yield (
        "The adapter reads what a laboratory stated; it sees no image and no tissue, and says nothing of who is "
        "eligible for a treatment. Rules marked G are the guideline's, those marked P this product's own policy."
    )
    yield (
        "A signature under the decision table says that it was read; neither the table nor a mapping was validated."
    )
    taken = findings.by_comparison(look.report.compared)[Comparison.TAKEN]
    if taken:
        yield f"{number_of(taken, 'answer')} on the laboratory's conclusion alone: nothing was compared with it."
    yield (
        "A HER2 result that no search of the adapter finds is in none of these numbers: see poll.laboratory_sweep and "
        "`her2-adapter doctor`."
    )
    yield (
        "Passes count as far as the state store keeps them, results as the server showed them to this account now."
    )
    yield (
        "This page names patients and their results by the logical ids of the server, without a name or a value: it is "
        "health data all the same, and to be kept as such."
    )
    for warning in look.report.warnings:
        if warning not in look.report.brake.reasons:
            yield f"The pass of this report warned: {warning}"
