"""The policy `basic`: just the five lines, for a first look and for those who want nothing more.

IHC 0, 1+ and 3+ decide alone, 2+ by the ISH word; whatever goes beyond is needs-review.
"""

from __future__ import annotations

from dataclasses import replace

from adapter.her2 import rules
from adapter.her2.evaluate import IshCounts
from adapter.her2.ihc import IhcReading
from adapter.her2.ish import IshReading
from adapter.her2.model import IhcScore, Reason, ResultWord
from adapter.her2.table import IshColumn, Verdict, decide, needs_review

BEYOND = Reason("beyond-basic", "These results go beyond the five lines of the policy basic.")


def evaluate_basic(ihc: IhcReading, counts: IshCounts) -> Verdict:
    """Evaluate one sample by the five lines.

    Args:
        ihc: the IHC reading.
        counts: the ISH readings; numbers and recounts go beyond this policy.

    Returns:
        negative, low, positive, equivocal, or needs-review; NO_RESULT where nothing usable is stated.

    """
    ish = counts.first
    contradictions = (*ihc.contradictions, *ish.contradictions)
    if contradictions:
        return needs_review(rules.CONTRADICTION, *contradictions)
    if not ihc.is_usable and ihc.word is None and ish.is_absent:
        return decide(None, IshColumn.NONE)
    score = ihc.rows[0] if len(ihc.rows) == 1 and ihc.stated.scores == ihc.rows else None
    if score is None or counts.recount is not None or ish.columns:
        return needs_review(rules.BEYOND_BASIC, BEYOND)
    verdict = _five_lines(score, ish)
    return replace(verdict, reasons=verdict.reasons + ihc.reasons, group=None)


def _five_lines(score: IhcScore, ish: IshReading) -> Verdict:
    match score, ish.word:
        case IhcScore.ZERO | IhcScore.ONE_PLUS, None | ResultWord.NEGATIVE:
            return decide(score, IshColumn.NONE)
        case IhcScore.TWO_PLUS, None:
            return decide(score, IshColumn.NONE)
        case IhcScore.TWO_PLUS | IhcScore.THREE_PLUS, ResultWord.NEGATIVE:
            return decide(score, IshColumn.G5)
        case IhcScore.TWO_PLUS | IhcScore.THREE_PLUS, ResultWord.POSITIVE:
            return decide(score, IshColumn.G1)
        case IhcScore.THREE_PLUS, None:
            return decide(score, IshColumn.NONE)
        case _:
            return needs_review(rules.BEYOND_BASIC, BEYOND)
