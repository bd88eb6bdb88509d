"""One line per patient, to show and never to write.

Source: rules text, Which results count 5 [P].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adapter.her2.model import Case, Category, Classification, SampleKind

BELOW_POSITIVE = (Category.NEGATIVE, Category.ULTRALOW, Category.LOW)
"""The kinds of HER2-negative that can be told apart, lowest first."""


@dataclass(frozen=True)
class RollUp:
    """What a patient's samples say together; `category` None means side by side, no roll-up."""

    category: Category | None
    review: bool = False


def roll_up(samples: Sequence[tuple[Case, Classification]]) -> RollUp:
    """Roll a patient's samples up into one line.

    Args:
        samples: every classified sample of one patient; those without a category are passed over.

    Returns:
        The common category; positive with review where any is; the higher of core and excision below positive, with
        review; no category where the samples are of different tumours or times; else needs-review.

    """
    written = [(case, answer) for case, answer in samples if answer.category.is_written]
    categories = {answer.category for _, answer in written}
    if len(categories) <= 1:
        review = any(answer.review for _, answer in written)
        return RollUp(next(iter(categories), None), review)
    kinds = {e.links.kind for case, _ in written for e in case.evidence}
    sides = {e.links.side for case, _ in written for e in case.evidence if e.links.side}
    different_times = kinds & {SampleKind.METASTASIS, SampleKind.RESIDUAL}
    if len(sides) > 1 or different_times:
        return RollUp(None)
    if Category.POSITIVE in categories:
        return RollUp(Category.POSITIVE, review=True)
    core_and_excision = {SampleKind.CORE, SampleKind.EXCISION} <= kinds
    if core_and_excision and categories <= set(BELOW_POSITIVE):
        return RollUp(max(categories, key=BELOW_POSITIVE.index), review=True)
    return RollUp(Category.NEEDS_REVIEW, review=True)
