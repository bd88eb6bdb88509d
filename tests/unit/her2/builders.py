"""Small builders of HER2 results with defaults, so that a test states only what matters."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from adapter.her2.model import (
    Adjudication,
    Assay,
    Case,
    Comparator,
    Evidence,
    IhcResult,
    IhcScore,
    IshResult,
    Measurement,
    OverallResult,
    Probe,
    ResultStatus,
    ResultWord,
    SampleLinks,
    Source,
    Staining,
)

SCORES = {score.value: score for score in IhcScore}
_comparators = ("<=", ">=", "<", ">")


def number(text: str | None) -> Measurement | None:
    """Read "2.0", "<1.8" or ">=6"."""
    if text is None:
        return None
    for sign in _comparators:
        if text.startswith(sign):
            return Measurement(Decimal(text.removeprefix(sign)), Comparator(sign))
    return Measurement(Decimal(text))


def ihc(
    stated: str = "1+",
    *,
    percent: str | None = None,
    staining: Staining | None = None,
    word: str | None = None,
    uniform: str | None = None,
) -> IhcResult:
    """IHC "1+", a range "0..1+", or a word."""
    extra: dict[str, Any] = {
        "percent": number(percent),
        "staining": staining,
        "uniform_intense_percent": number(uniform),
    }
    if ".." in stated:
        low, high = stated.split("..")
        return IhcResult((SCORES[low], SCORES[high]), **extra)
    if stated in SCORES:
        return IhcResult((SCORES[stated],), word=ResultWord(word) if word else None, **extra)
    return IhcResult(word=ResultWord(stated), **extra)


def ish(
    word: str | None = None,
    *,
    ratio: str | None = None,
    copies: str | None = None,
    cep17: str | None = None,
    probe: str | None = None,
) -> IshResult:
    """ISH as a word, as numbers, or both."""
    return IshResult(
        word=ResultWord(word) if word else None,
        probe=Probe(probe) if probe else None,
        ratio=number(ratio),
        her2_copies=number(copies),
        cep17_copies=number(cep17),
    )


G = {
    1: ish(ratio="2.5", copies="6.0", cep17="2.4", probe="dual"),
    2: ish(ratio="2.2", copies="3.3", cep17="1.5", probe="dual"),
    3: ish(ratio="1.6", copies="6.4", cep17="4.0", probe="dual"),
    4: ish(ratio="1.7", copies="5.1", cep17="3.0", probe="dual"),
    5: ish(ratio="1.1", copies="2.2", cep17="2.0", probe="dual"),
}
"""One complete dual-probe count of each group."""


def evidence(
    stated: IhcResult | IshResult | OverallResult | None,
    name: str = "1",
    *,
    status: str = "final",
    specimen: str | None = "S1",
    links: SampleLinks | None = None,
    issued: str | None = None,
    **more: Any,
) -> Evidence:
    """One result of Patient/1, on Specimen/S1 unless told otherwise."""
    source = Source(f"Observation/{name}", "1", ResultStatus(status), issued=issued)
    kinds = {IhcResult: Assay.IHC, IshResult: Assay.ISH, OverallResult: Assay.OVERALL}
    links = links or SampleLinks()
    if specimen:
        links = replace(links, specimen=f"Specimen/{specimen}")
    built: dict[str, Any] = {
        "source": source,
        "subject": "Patient/1",
        "assay": kinds.get(type(stated), Assay.IHC),
        "links": links,
        "ihc": stated if isinstance(stated, IhcResult) else None,
        "ish": stated if isinstance(stated, IshResult) else None,
        "overall": stated if isinstance(stated, OverallResult) else None,
    }
    return Evidence(**{**built, **more})


def overall(word: str, *, adjudicated: bool = False) -> OverallResult:
    """The laboratory's own conclusion."""
    return OverallResult(
        ResultWord(word), Adjudication.ADJUDICATED if adjudicated else Adjudication.NOT_STATED
    )


def case(*results: Evidence | IhcResult | IshResult | OverallResult) -> Case:
    """One sample with these results."""
    return Case(
        "Patient/1",
        "specimen:Specimen/S1",
        tuple(
            r if isinstance(r, Evidence) else evidence(r, str(index))
            for index, r in enumerate(results, 1)
        ),
        "Specimen/S1",
    )
