"""A contradiction names both of its sides, so that a person sees what to compare.

Protects the sentences of reasons; their codes are held elsewhere.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from adapter.her2.classify import classify
from adapter.her2.model import (
    Assay,
    Case,
    Category,
    Evidence,
    IhcResult,
    IhcScore,
    IshResult,
    Measurement,
    OverallResult,
    ResultWord,
    Source,
    Staining,
)


def _number(text: str) -> Measurement:
    return Measurement(Decimal(text))


def _ihc(name: str, **stated: object) -> Evidence:
    return Evidence(
        Source(f"Observation/{name}"),
        "Patient/1",
        Assay.IHC,
        ihc=IhcResult(**stated),  # type: ignore[arg-type]
    )


def _ish(name: str, **stated: object) -> Evidence:
    return Evidence(
        Source(f"Observation/{name}"),
        "Patient/1",
        Assay.ISH,
        ish=IshResult(**stated),  # type: ignore[arg-type]
    )


ONE, THREE = (IhcScore.ONE_PLUS,), (IhcScore.THREE_PLUS,)
OVERALL = Evidence(
    Source("Observation/o"),
    "Patient/1",
    Assay.OVERALL,
    overall=OverallResult(ResultWord.POSITIVE),
)


@pytest.mark.parametrize(
    ("results", "code", "named"),
    [
        (
            [_ihc("a", scores=THREE), _ihc("b", scores=ONE)],
            "ihc-results-differ",
            ("IHC 1+", "IHC 3+"),
        ),
        (
            [_ish("a", word=ResultWord.POSITIVE), _ish("b", word=ResultWord.NEGATIVE)],
            "ish-results-differ",
            ("ISH positive", "ISH negative"),
        ),
        (
            [_ihc("a", scores=ONE, word=ResultWord.POSITIVE)],
            "ihc-word-against-score",
            ('"positive"', "1+"),
        ),
        (
            [_ihc("a", scores=ONE, staining=Staining.INTENSE_COMPLETE)],
            "staining-against-score",
            ("intense-complete", "1+"),
        ),
        ([_ihc("a", scores=THREE, percent=_number("8"))], "percent-against-score", ("8 %", "3+")),
        (
            [_ihc("a", scores=THREE, uniform_intense_percent=_number("5"))],
            "uniform-intense-percent-against-score",
            ("5 %", "3+"),
        ),
        (
            [
                _ish(
                    "a",
                    word=ResultWord.POSITIVE,
                    ratio=_number("1.1"),
                    her2_copies=_number("2.2"),
                )
            ],
            "ish-word-against-numbers",
            ("ISH positive", "HER2/CEP17 ratio 1.1"),
        ),
        (
            [
                _ish(
                    "a",
                    ratio=_number("2.0"),
                    her2_copies=_number("4.1"),
                    cep17_copies=_number("2.1"),
                )
            ],
            "ratio-against-counts",
            ("HER2/CEP17 ratio 2.0", "HER2 copies per cell 4.1", "CEP17 copies per cell 2.1"),
        ),
        ([_ihc("a", scores=ONE), OVERALL], "overall-against-scores", ('"positive"', "low")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_both_sides_are_named_whatever_came_first(
    results: list[Evidence], code: str, named: tuple[str, ...]
) -> None:
    for order in (results, results[::-1]):
        answer = classify(Case("Patient/1", "specimen:Specimen/1", tuple(order)))
        assert answer.category is Category.NEEDS_REVIEW
        (reason,) = [one for one in answer.reasons if one.code == code]
        assert [side for side in named if side not in reason.sentence] == []
