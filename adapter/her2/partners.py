"""Likely partners: an open case and the one sample that holds just the test it waits for. Shown, never joined.

Time alone joins nothing; a person looks, and may link the two. An open counterpart is read as a sample that lacks the
other test, whatever its category: FISH alone is negative-unspecified or positive in the table, and is still what an IHC
2+ on another specimen waits for. `pending-second-review` and `pending-dual-probe` hold both tests and wait for more of
the same sample; `needs-review` waits for a correction: none of them has a partner of its own.

Source: rules text, Which results count 1 [P].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from adapter.her2.cases import may_be_one_place
from adapter.her2.model import Case, Category, Classification
from adapter.her2.samples import Cluster

WITHIN_DAYS: Final = 90
"""Between the first collections of the two samples; of results without one, the first effective days."""
WAITING: Final = frozenset({Category.EQUIVOCAL, Category.PENDING_IHC})

Sample = tuple[Case, Classification]


@dataclass(frozen=True)
class LikelyPartner:
    """An open case and the only sample of its patient that may complete it."""

    open: Sample
    partner: Sample


def likely_pairs(samples: Sequence[Sample]) -> tuple[LikelyPartner, ...]:
    """Find the likely partners of open cases.

    Args:
        samples: every classified sample of any patients, in any order.

    Returns:
        One for each open case with exactly one counterpart for which no other case waits: two equivocal samples and one
        FISH leave it open whose FISH that is. In the order of the cases' keys.

    """
    found = []
    for one in sorted(samples, key=_name):
        candidates = _counterparts(one, samples) if _waits(one) else []
        if len(candidates) == 1 and sum(map(_waits, _counterparts(candidates[0], samples))) == 1:
            found.append(LikelyPartner(one, candidates[0]))
    return tuple(found)


def _name(sample: Sample) -> tuple[str, str]:
    return sample[0].subject, sample[0].key


def _waits(sample: Sample) -> bool:
    return sample[1].category in WAITING


def _counterparts(one: Sample, samples: Sequence[Sample]) -> list[Sample]:
    return [other for other in samples if _may_complete(one, other)]


def _may_complete(one: Sample, other: Sample) -> bool:
    wanted = {"ihc": "ish", "ish": "ihc"}.get(_only_test(one))
    return (
        wanted is not None
        and wanted == _only_test(other)
        and one[0].subject == other[0].subject
        and may_be_one_place(Cluster(one[0].evidence), Cluster(other[0].evidence))
        and _are_near(one[0], other[0])
    )


def _only_test(sample: Sample) -> str:
    """Name the one test that a sample holds; "" for both, none, or one that the laboratory could not read."""
    answer = sample[1]
    if answer.category is Category.INDETERMINATE:
        return ""
    used = [("ihc", answer.ihc_used), ("ish", answer.ish_used)]
    names = [name for name, result in used if result is not None]
    return names[0] if len(names) == 1 else ""


def _are_near(one: Case, other: Case) -> bool:
    ours, theirs = _first_day(one), _first_day(other)
    return ours is not None and theirs is not None and abs((ours - theirs).days) <= WITHIN_DAYS


def _first_day(case: Case) -> date | None:
    days = [e.links.collected_day for e in Cluster(case.evidence).counting]
    return min((date.fromisoformat(day) for day in days if day), default=None)
