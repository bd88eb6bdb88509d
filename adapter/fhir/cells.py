"""Numbers of cells: how many were counted for ISH, and the share that stained in IHC.

Neither gives a category. A count must never be read as a ratio, and a share never as a score; so what
a test's name says of cells decides how a bare number under it is taken.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Final

from adapter.fhir.answer import Answer, answer_of
from adapter.fhir.shapes import child, string
from adapter.fhir.stated import NOTHING, Stated
from adapter.fhir.strict_json import JsonObject
from adapter.fhir.terms import Terms, holds
from adapter.her2.model import IhcResult
from adapter.terminology.vocabulary import TestRole, WordKind

FEWEST_COUNTED: Final = 20
"""Cells that an ISH count needs at least [G Fig 2-6]; no smaller number is taken for one."""


def is_count_of_cells(element: JsonObject) -> bool:
    """Tell whether a value can be the number of cells counted, under a name that speaks of cells."""
    number = _bare_number(element)
    return number is not None and number >= FEWEST_COUNTED and number == int(number)


def is_number(element: JsonObject) -> bool:
    """Tell whether a value is a number and nothing else."""
    return _bare_number(element) is not None


def share_of_cells(element: JsonObject, terms: Terms) -> Answer:
    """Read a value as the share of cells that stain, whose pattern is not said.

    It supports or contradicts a score. A score, a word or a pattern in its place is not read.
    """
    answer = answer_of(element, TestRole.IHC_UNIFORM_INTENSE_PERCENT, terms)
    ihc = answer.stated.ihc
    if answer.problem or answer.stated.conflicts or ihc is None:
        return answer
    percent = ihc.uniform_intense_percent
    is_plain = ihc == IhcResult(uniform_intense_percent=percent, text=ihc.text)
    says_pattern = any(holds(terms.tokens(text), WordKind.STAINING) for text in answer.words)
    if percent is None or says_pattern or not is_plain:
        return replace(answer, stated=NOTHING, problem="share-of-cells-not-understood")
    share = IhcResult(percent=percent, text=ihc.text)
    return replace(answer, stated=Stated(ihc=share).with_rows(*answer.stated.rows))


def _bare_number(element: JsonObject) -> Decimal | None:
    given = element.get("valueInteger", child(element, "valueQuantity").get("value"))
    if isinstance(given, int | Decimal) and not isinstance(given, bool):
        return Decimal(given)
    text = string(element, "valueString")
    return Decimal(text) if text.isascii() and text.isdigit() else None
