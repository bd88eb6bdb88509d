"""The lines that classify and sync print: one for each sample, one for each Observation set aside.

Their form is a contract: docs/schemas/ describes it, and a test holds it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from adapter.her2.classify import SCOPE

if TYPE_CHECKING:
    from adapter.her2.model import Case, Classification, Reason

CASE_COLUMNS: Final = {
    "subject": "Patient",
    "sample": "Sample",
    "sources": "Sources",
    "category": "Category",
    "asco_cap": "ASCO/CAP",
    "rule": "Rule",
    "review": "Review",
    "reasons": "Reasons",
}
ASIDE_COLUMNS: Final = {
    "observation": "Observation",
    "subject": "Patient",
    "outcome": "Outcome",
    "reason": "Reason",
}


def case_line(case: Case, classification: Classification) -> dict[str, Any]:
    """Make the line of one sample."""
    status, group = classification.asco_cap, classification.ish_group
    return {
        "kind": "case",
        "subject": case.subject,
        "specimen": case.specimen,
        "key": case.key,
        "category": classification.category.value,
        "asco_cap": status.value if status else None,
        "ish_group": group.value if group else None,
        "review": classification.review,
        "rule": classification.rule.id,
        "reasons": reason_codes((*classification.reasons, *classification.limits)),
        "sources": list(classification.used),
    }


def reason_codes(reasons: Iterable[Reason]) -> list[str]:
    """Give the codes of reasons and limits, without the scope, which holds for every line."""
    return told(reason.code for reason in reasons)


def told(codes: Iterable[str]) -> list[str]:
    """Give each code once, without the scope, which holds for every line."""
    return [code for code in dict.fromkeys(codes) if code != SCOPE.code]


def aside_line(observation: str, subject: str | None, outcome: str, reason: str) -> dict[str, Any]:
    """Make the line of one Observation that was set aside."""
    return {
        "kind": "set-aside",
        "observation": observation,
        "subject": subject,
        "outcome": outcome,
        "reason": reason,
    }


def with_sample(line: dict[str, Any]) -> dict[str, Any]:
    """Add what a table shows as the sample: the specimen, else what joins its results."""
    return {**line, "sample": line["specimen"] or line["key"]}
