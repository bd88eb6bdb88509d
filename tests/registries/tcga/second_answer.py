"""The category that a row's fields give, by the second reader of the rules and without the adapter's reading.

The fields become values of the core by the few lines here; `tests.unit.her2.second_reader`, which shares
no code with the core, then reads the rules.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from adapter.her2.model import (
    Assay,
    Case,
    Comparator,
    Evidence,
    IhcResult,
    IhcScore,
    IshResult,
    Measurement,
    OverallResult,
    ResultWord,
    Source,
    TumourSite,
)
from tests.registries.tcga.fields import Sample
from tests.unit.her2.second_reader import Reading, second_reading
from tests.unit.her2.second_reader_values import Unsaid

_CLASS: Final = re.compile(r"(\d+)-(\d+)%")
_SUBJECT: Final = "Patient/one"


def second_answer(sample: Sample, *, as_overall: bool = False) -> Reading:
    """Read a sample's fields by the rules.

    Args:
        sample: the fields.
        as_overall: whether the word on IHC is the overall HER2 status.

    Raises:
        Unsaid: where the rules leave the answer open.

    """
    stated = [_ihc(sample, as_overall=as_overall), _ish(sample)]
    evidence = [_evidence(one) for one in stated if one is not None]
    if as_overall and sample.status:
        evidence.append(_evidence(OverallResult(_word(sample.status))))
    return second_reading(Case(_SUBJECT, "specimen:Specimen/one", tuple(evidence)))


def _ihc(sample: Sample, *, as_overall: bool) -> IhcResult | None:
    word = "" if as_overall else sample.status
    if not (sample.score or word):
        return None  # a share of cells alone is no result
    return IhcResult(
        scores=(IhcScore(sample.score),) if sample.score else (),
        word=_word(word) if word else None,
        percent=_share(sample.percent) if sample.percent else None,
    )


def _ish(sample: Sample) -> IshResult | None:
    if not sample.states_ish:
        return None
    word = _word(sample.fish) if sample.fish else None
    copies: Measurement | None = None
    if sample.copies == "not amplified":
        if word not in (None, ResultWord.NEGATIVE):
            return IshResult(word=ResultWord.NOT_DONE, ratio=Measurement(Decimal(1)))  # a conflict
        word = ResultWord.NEGATIVE
    elif sample.copies:
        copies = _number(sample.copies)
    if sample.cep17 and not sample.cep17[0].isdigit():
        raise Unsaid("a word where CEP17 copies belong")
    return IshResult(
        word=word,
        ratio=_number(sample.ratio) if sample.ratio else None,
        her2_copies=copies,
        cep17_copies=_number(sample.cep17) if sample.cep17 else None,
    )


def _evidence(stated: IhcResult | IshResult | OverallResult) -> Evidence:
    name = {IhcResult: "ihc", IshResult: "ish", OverallResult: "overall"}[type(stated)]
    return Evidence(
        Source(f"Observation/{name}"),
        _SUBJECT,
        Assay(name),
        ihc=stated if isinstance(stated, IhcResult) else None,
        ish=stated if isinstance(stated, IshResult) else None,
        overall=stated if isinstance(stated, OverallResult) else None,
        site=TumourSite.BREAST,
    )


def _word(word: str) -> ResultWord:
    return ResultWord(word.lower())


def _share(text: str) -> Measurement:
    if found := _CLASS.fullmatch(text):
        return Measurement(Decimal(found[1]), upper=Decimal(found[2]))
    return _number(text.removesuffix("%"))


def _number(text: str) -> Measurement:
    if text[0] in "<>":
        return Measurement(Decimal(text[1:]), Comparator(text[0]))
    return Measurement(Decimal(text))
