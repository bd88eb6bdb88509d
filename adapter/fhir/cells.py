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
from adapter.fhir.text.quantities import FEWEST_COUNTED, PERCENT
from adapter.fhir.text.sums import PATTERNS
from adapter.her2.intervals import Interval
from adapter.her2.model import IhcResult, Staining
from adapter.terminology.vocabulary import TestRole, WordKind

_ANY: Final[tuple[frozenset[str], ...]] = (frozenset(), frozenset({"complete"}))
"""Words of a name that say of no one pattern that a share is of it."""


def is_count_of_cells(element: JsonObject, terms: Terms) -> bool:
    """Tell whether a value can be the number of cells counted, under a name that speaks of cells."""
    number = _bare_number(element, terms)
    return number is not None and number >= FEWEST_COUNTED and number == int(number)


def is_number(element: JsonObject, terms: Terms) -> bool:
    """Tell whether a value is a number and nothing else; a share in percent says what it is."""
    return _bare_number(element, terms) is not None


def answer_of_cells(element: JsonObject, asked: TestRole, terms: Terms) -> Answer:
    """Read a value under a name of cells: a share of them in IHC, else a word; a bare number is no result.

    A bare name of CEP17 may count its signals in one cell, or in all that were counted.
    """
    is_no_copies = asked is not TestRole.CEP17_COPIES or is_count_of_cells(element, terms)
    if is_no_copies and is_number(element, terms):
        return Answer(problem="number-without-meaning")
    share = share_of_cells(element, terms) if asked is TestRole.IHC else None
    return share if share and not share.problem else answer_of(element, asked, terms)


def share_of_cells(
    element: JsonObject, terms: Terms, pattern: frozenset[str] = frozenset()
) -> Answer:
    """Read a value as the share of cells that stain, in the pattern that the test's name says.

    It supports or contradicts a score. A score, a word or a pattern in its place is not read. That no
    cell stains in one pattern says nothing of the others; "complete" is said of two of them.
    """
    answer = answer_of(element, TestRole.IHC_UNIFORM_INTENSE_PERCENT, terms)
    ihc = answer.stated.ihc
    if answer.problem or answer.stated.conflicts or ihc is None:
        return answer
    percent = ihc.uniform_intense_percent
    is_plain = ihc == IhcResult(uniform_intense_percent=percent, text=ihc.text)
    says_pattern = any(holds(terms.tokens(text), WordKind.STAINING) for text in answer.words)
    staining = PATTERNS.get(pattern)
    is_named = staining not in (None, Staining.NONE) or pattern in _ANY
    if percent is None or says_pattern or not is_plain or not is_named:
        return replace(answer, stated=NOTHING, problem="share-of-cells-not-understood")
    if pattern and Interval.of(percent).high == 0:
        return replace(answer, stated=NOTHING)
    share = IhcResult(percent=percent, staining=staining, text=ihc.text)
    stated = ihc if staining is Staining.INTENSE_COMPLETE else share
    return replace(answer, stated=Stated(ihc=stated).with_rows(*answer.stated.rows))


def _bare_number(element: JsonObject, terms: Terms) -> Decimal | None:
    quantity = child(element, "valueQuantity")
    if any(_says_percent(string(quantity, name), terms) for name in ("unit", "code")):
        return None
    given = element.get("valueInteger", quantity.get("value"))
    if isinstance(given, int | Decimal) and not isinstance(given, bool):
        return Decimal(given)
    text = string(element, "valueString")
    return Decimal(text) if text.isascii() and text.isdigit() else None


def _says_percent(unit: str, terms: Terms) -> bool:
    tokens = terms.tokens(unit)
    return any(token.is_sign("%") or token.meaning == PERCENT for token in tokens)
