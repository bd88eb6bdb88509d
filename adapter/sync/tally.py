"""Counting one pass: one outcome for every candidate, and the numbers must add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from adapter.her2.model import Classification
from adapter.sync.planning.plan import Action, Planned
from adapter.sync.report import CaseRow, SetAside

USED: Final = "used"
REWORDED: Final = (
    "texts of derived results, or codings beside ours, are otherwise than they were written: "
    "`reworded` counts them, `her2-adapter verify` names them"
)
OUTCOMES: Final = (USED, "not-her2", "not-applicable", "unreadable", "ignored", "no-result")
"""What can become of a HER2 candidate; fetched is their sum."""


@dataclass
class Tally:
    """The numbers and rows of one pass, as they grow."""

    fetched: int = 0
    patients: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    categories: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    signals: Counter[str] = field(default_factory=Counter)
    rows: list[CaseRow] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)
    parked: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def add_candidates(
        self, fetched: int, outcomes: Mapping[str, int], set_aside: Iterable[SetAside]
    ) -> None:
        """Count candidates and check the accounting identity.

        Fetched = used + not-her2 + not-applicable + unreadable + ignored + no-result. A difference
        is a defect of the adapter: it is told, and never hides a result.
        """
        self.fetched += fetched
        self.outcomes.update(outcomes)
        self.set_aside.extend(set_aside)
        missing = fetched - sum(outcomes[name] for name in OUTCOMES if name in outcomes)
        if missing:
            self.signals["unaccounted"] += abs(missing)
            self.warn(f"accounting does not add up: {missing} results have no outcome")

    def add_decision(self, planned: Planned, *, is_held: bool = False) -> None:
        """Count a decision and make its row; `is_held`: parked, and not sent again."""
        if planned.action is Action.WAIT:
            self.signals["absence-unconfirmed"] += 1
        if planned.action is Action.SKIP and planned.edited:
            self.signals["reworded"] += 1
            self.warn(REWORDED)
        if not is_held:
            self.actions[planned.action.value] += 1
        answer = planned.desired.classification if planned.desired else None
        if answer is not None and planned.action is not Action.RETRACT:
            self.categories[answer.category.value] += 1
        row = row_of(planned, answer)
        if row is not None:
            self.rows.append(row)

    def warn(self, words: str) -> None:
        """Note a sentence for the operator, once."""
        if words not in self.warnings:
            self.warnings.append(words)


def row_of(planned: Planned, answer: Classification | None) -> CaseRow | None:
    """Show a case; None where nothing stands and nothing is to be written."""
    case = planned.desired.case if planned.desired else None
    if case is None or answer is None:
        if planned.action in (Action.SKIP, Action.REPAIR):
            return None
        return CaseRow(
            patient=planned.patient,
            sample="",
            derived=f"Observation/{planned.key}",
            sources=tuple(source.reference for source in planned.sources),
            category=planned.before or "",
            asco_cap=None,
            ish_group=None,
            rule="",
            review=False,
            reasons=(planned.reason,) if planned.reason else (),
            action=planned.action,
            before=planned.before,
        )
    if not answer.category.is_written and planned.action is Action.SKIP:
        return None
    said = (*answer.reasons, *answer.limits)
    return CaseRow(
        patient=case.subject,
        sample=case.specimen or case.key,
        derived=f"Observation/{planned.key}",
        sources=answer.used,
        category=answer.category.value,
        asco_cap=answer.asco_cap.value if answer.asco_cap else None,
        ish_group=answer.ish_group.value if answer.ish_group else None,
        rule=answer.rule.id,
        review=answer.review,
        reasons=tuple(dict.fromkeys(reason.code for reason in said)),
        action=planned.action,
        before=planned.before,
    )
