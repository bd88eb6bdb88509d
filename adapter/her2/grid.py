"""The whole grid, 13 kinds of IHC against 13 of ISH, computed by the core: what a pathologist reads and signs.

Source: rules text, the printed grid; `her2-adapter table` shows it and docs/decision-table.md is made from it.
"""

from __future__ import annotations

from decimal import Decimal

from adapter.her2.classify import verdict_of_tests
from adapter.her2.evaluate import IshCounts
from adapter.her2.ihc import read_ihc
from adapter.her2.ish import read_ish
from adapter.her2.model import (
    IhcResult,
    IhcScore,
    IshGroup,
    IshResult,
    Measurement,
    Policy,
    Probe,
    ResultWord,
)
from adapter.her2.table import Verdict


def _copies(number: str) -> Measurement:
    return Measurement(Decimal(number))


IHC_KINDS: dict[str, IhcResult] = {
    "none": IhcResult(),
    **{score.value: IhcResult((score,)) for score in IhcScore},
    "indeterminate": IhcResult(word=ResultWord.INDETERMINATE),
    '"negative"': IhcResult(word=ResultWord.NEGATIVE),
    '"positive"': IhcResult(word=ResultWord.POSITIVE),
    '"equivocal"': IhcResult(word=ResultWord.EQUIVOCAL),
    "0–1+": IhcResult((IhcScore.ZERO, IhcScore.ONE_PLUS)),
    "1+–2+": IhcResult((IhcScore.ONE_PLUS, IhcScore.TWO_PLUS)),
    "2+–3+": IhcResult((IhcScore.TWO_PLUS, IhcScore.THREE_PLUS)),
}
"""The rows, as they are printed."""

ISH_KINDS: dict[str, IshResult] = {
    "none": IshResult(),
    **{group.name: IshResult(stated_group=group, probe=Probe.DUAL) for group in IshGroup},
    "positive": IshResult(ResultWord.POSITIVE),
    "negative": IshResult(ResultWord.NEGATIVE),
    "equivocal": IshResult(ResultWord.EQUIVOCAL),
    "indeterm.": IshResult(ResultWord.INDETERMINATE),
    "single ≥6": IshResult(probe=Probe.SINGLE, her2_copies=_copies("6.0")),
    "single 4–5.9": IshResult(probe=Probe.SINGLE, her2_copies=_copies("4.0")),
    "single <4": IshResult(probe=Probe.SINGLE, her2_copies=_copies("3.9")),
}
"""The columns, as they are printed; no recount was done."""


def grid(policy: Policy) -> dict[tuple[str, str], Verdict]:
    """Evaluate every cell: (row, column) as printed → verdict."""
    return {
        (row, column): verdict_of_tests(
            read_ihc(ihc, policy), IshCounts(read_ish(ish, policy)), policy
        )
        for row, ihc in IHC_KINDS.items()
        for column, ish in ISH_KINDS.items()
    }


def cell_text(verdict: Verdict) -> str:
    """Print a cell: the category, with * for review."""
    return f"{verdict.category}{'*' if verdict.review else ''}"
