"""What one pass found, put in the order in which a change board reads it: the gravest first. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from adapter.her2.classify import SCOPE
from adapter.her2.compared import Comparison
from adapter.her2.model import OPEN_CATEGORIES, Category, ResultWord
from adapter.her2.overall import NEGATIVE_KINDS
from adapter.ports import ListedEntry, WorklistEntry
from adapter.sync.planning.plan import Action
from adapter.sync.planning.worklist import WorklistGroup, grouped
from adapter.sync.report import CaseRow, ComparedRow, SetAside

ONE_BY_ONE: Final = (Comparison.AGAINST, Comparison.LABORATORY_DIFFERS, Comparison.UNDECIDED)
"""Comparisons of which each sample is shown, the gravest kind first."""
WRITES: Final = (Action.CREATE, Action.UPDATE, Action.RETRACT, Action.REPAIR, Action.COMPLETE)
_NEGATIVE_WORDS: Final = frozenset({ResultWord.NEGATIVE, ResultWord.LOW, ResultWord.ULTRALOW})
_ORDER: Final = tuple(Category)


@dataclass(frozen=True)
class WhyGroup:
    """Samples with one category for one reason. `reasons`: codes, without the scope that holds for every answer."""

    category: str
    rule: str
    reasons: tuple[str, ...]
    samples: int


def by_category(rows: Iterable[CaseRow]) -> list[tuple[str, Counter[str]]]:
    """Count samples by category and, within it, by what would be done."""
    counts: dict[str, Counter[str]] = {}
    for row in rows:
        counts.setdefault(row.category, Counter())[row.action.value] += 1
    known = [category.value for category in _ORDER if category.value in counts]
    return [(name, counts[name]) for name in (*known, *sorted(counts.keys() - set(known)))]


def undecided(rows: Iterable[CaseRow]) -> list[WhyGroup]:
    """Group the samples that get no definite category, most frequent first."""
    return _why(row for row in rows if row.category in OPEN_CATEGORIES)


def for_review(rows: Iterable[CaseRow]) -> list[WhyGroup]:
    """Group the samples that get a definite category together with a call for a human look."""
    return _why(row for row in rows if row.review and row.category not in OPEN_CATEGORIES)


def _why(rows: Iterable[CaseRow]) -> list[WhyGroup]:
    counts = Counter(
        (row.category, row.rule, tuple(code for code in row.reasons if code != SCOPE.code))
        for row in rows
        if row.action is not Action.RETRACT
    )
    groups = [WhyGroup(*key, samples=number) for key, number in counts.items()]
    return sorted(groups, key=lambda one: (-one.samples, one.category, one.rule, one.reasons))


def disagreements(compared: Iterable[ComparedRow]) -> list[ComparedRow]:
    """Give each sample that does not agree with its laboratory's own conclusion; positive against negative first."""
    shown = [one for one in compared if one.compared.how in ONE_BY_ONE]
    return sorted(shown, key=lambda one: (_gravity(one), one.row.patient, one.row.derived))


def is_grave(one: ComparedRow) -> bool:
    """Whether positive stands against negative, in either direction."""
    words, by_tests = set(one.compared.laboratory), one.compared.by_tests
    if ResultWord.POSITIVE in words and (by_tests in NEGATIVE_KINDS or words & _NEGATIVE_WORDS):
        return True
    return by_tests is Category.POSITIVE and bool(words & _NEGATIVE_WORDS)


def _gravity(one: ComparedRow) -> tuple[bool, int]:
    return not is_grave(one), ONE_BY_ONE.index(one.compared.how)


def by_comparison(compared: Iterable[ComparedRow]) -> Counter[Comparison]:
    """Count samples by how they stand to their laboratory's conclusion."""
    return Counter(one.compared.how for one in compared)


def cross_table(compared: Iterable[ComparedRow]) -> list[tuple[str, Counter[str]]]:
    """Count samples by what the laboratory concluded and, within it, by derived category."""
    counts: dict[str, Counter[str]] = {}
    for one in compared:
        counts.setdefault(said_by(one), Counter())[one.row.category] += 1
    return sorted(counts.items())


def said_by(one: ComparedRow) -> str:
    """Name the laboratory's conclusion, or the several that differ."""
    return " / ".join(word.value for word in one.compared.laboratory)


def finer(compared: Iterable[ComparedRow]) -> list[tuple[tuple[str, str], int]]:
    """Count what the laboratory called negative and the scores say the kind of, by category and rule."""
    counts = Counter(
        (one.row.category, one.row.rule) for one in compared if one.compared.how is Comparison.FINER
    )
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))


def aside_by_reason(set_aside: Iterable[SetAside]) -> list[tuple[tuple[str, str], int]]:
    """Count the results that gave no category by outcome and reason, most frequent first."""
    counts = Counter((one.outcome, one.reason) for one in set_aside)
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))


def worklist_groups(
    entries: Iterable[WorklistEntry], known: Sequence[ListedEntry], at: datetime
) -> list[WorklistGroup]:
    """Group a pass's worklist; an entry that was listed before keeps the day on which it first was.

    Args:
        entries: of the pass.
        known: the worklist as observing passes kept it.
        at: when the pass was.

    """
    first_seen = {(one.entry.kind, one.entry.reference): one.first_seen for one in known}
    return grouped(
        ListedEntry(one, first_seen.get((one.kind, one.reference), at), at) for one in entries
    )
