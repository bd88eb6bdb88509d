"""FHIR's ways to write a number (Quantity, Ratio, Range, integer), as a Measurement of the core.

Units are read by the vocabulary, as any other text. A bare number under an ISH test is a ratio unless
its code, unit or words say copies [P]; under an IHC test it is a score.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from adapter.fhir.meanings import scores_of_number
from adapter.fhir.shapes import child, string
from adapter.fhir.stated import Stated
from adapter.fhir.strict_json import JsonObject
from adapter.fhir.terms import Terms
from adapter.fhir.text.parts import UnreadError
from adapter.fhir.text.quantities import CEP17_COPIES, HER2_COPIES, HIGHEST_RATIO, PERCENT, RATIO
from adapter.her2.model import Assay, Comparator, IhcResult, IshResult, Measurement
from adapter.terminology.vocabulary import TestRole, WordKind

_COMPARATORS: Final[Mapping[str, Comparator]] = MappingProxyType(
    {"": Comparator.EXACT} | {c.value: c for c in Comparator if c is not Comparator.EXACT}
)
_SCORE: Final = "score"
"""The unit "{score}", which is a score's under IHC and says of any other number that it is none."""
_BRACES: Final = str.maketrans("{}", "  ")
_COPIES: Final = {HER2_COPIES, CEP17_COPIES}
_UNITS_OF_ROLE: Final = {
    TestRole.RATIO: ({RATIO}, RATIO),
    TestRole.HER2_COPIES: ({HER2_COPIES}, HER2_COPIES),
    TestRole.CEP17_COPIES: (_COPIES, CEP17_COPIES),  # "copies/cell" is said of both
    TestRole.ISH: ({RATIO, *_COPIES}, RATIO),
    TestRole.PANEL: ({RATIO, *_COPIES}, RATIO),
    TestRole.IHC_UNIFORM_INTENSE_PERCENT: ({PERCENT}, PERCENT),
}
"""Which units a test's number may have, and what it is without one."""


def quantity_of(value: JsonObject, asked: TestRole, terms: Terms) -> Stated:
    """Read a Quantity. Raises UnreadError."""
    name = string(value, "comparator")
    if name not in _COMPARATORS or _is_filled_otherwise(value, "comparator"):
        raise UnreadError("comparator-not-known")
    number, comparator = number_of(value.get("value")), _COMPARATORS[name]
    unit = _unit(value, terms)
    if asked is TestRole.CEP17_COPIES and terms.names_her2(string(value, "unit")):
        raise UnreadError("unit-against-test")
    return _stated(Measurement(number, comparator), unit, asked)


def ratio_of(value: JsonObject, asked: TestRole, terms: Terms) -> Stated:
    """Read a Ratio by dividing it, unrounded; only where a ratio is asked for. Raises UnreadError."""
    if asked not in (TestRole.RATIO, TestRole.ISH, TestRole.PANEL):
        raise UnreadError("value-type-not-read")
    above, below = child(value, "numerator"), child(value, "denominator")
    if string(below, "comparator") or number_of(below.get("value", 1)) <= 0:
        raise UnreadError("ratio-without-denominator")
    if _unit(below, terms) is not None or _unit(above, terms) not in (None, RATIO):
        raise UnreadError("unit-against-test")
    dividend = number_of(above.get("value"))
    divisor = number_of(below.get("value", 1))
    quotient = dividend if divisor == 1 else dividend / divisor
    return quantity_of({**above, "value": quotient, "unit": "", "code": ""}, TestRole.RATIO, terms)


def range_of(value: JsonObject, asked: TestRole, terms: Terms) -> Stated:
    """Read a Range with both ends. Raises UnreadError."""
    low, high = child(value, "low"), child(value, "high")
    units = {_unit(low, terms), _unit(high, terms)} - {None}
    if string(low, "comparator") or string(high, "comparator") or len(units) > 1:
        raise UnreadError("number-not-readable")
    first, last = number_of(low.get("value")), number_of(high.get("value"))
    if last <= first:
        raise UnreadError("number-not-readable")
    return _stated(Measurement(first, upper=last), next(iter(units), None), asked)


def integer_of(value: object, asked: TestRole) -> Stated:
    """Read an integer. Raises UnreadError."""
    return _stated(Measurement(number_of(value)), None, asked)


def number_of(value: object) -> Decimal:
    """Read a JSON number with the digits it came with. Raises UnreadError."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise UnreadError("number-not-readable")
    number = Decimal(str(value)) if isinstance(value, float) else Decimal(value)
    if not number.is_finite() or abs(number) > 1_000_000:
        raise UnreadError("number-not-readable")
    return number


def _is_filled_otherwise(value: JsonObject, name: str) -> bool:
    """Whether an element is there and is no string: it was not read, and may matter."""
    return value.get(name) is not None and not isinstance(value[name], str)


def _unit(value: JsonObject, terms: Terms) -> str | None:
    """Read the unit and its code, which must mean the same; None where they name none."""
    found: set[str] = set()
    for name in ("unit", "code"):
        text = string(value, name).translate(_BRACES).strip()
        if _is_filled_otherwise(value, name):
            raise UnreadError("unit-not-understood")
        if text and text != "1":
            found |= _unit_meanings(text, terms)
    if len(found) > 1:
        raise UnreadError("unit-not-understood")
    return next(iter(found), None)


def _unit_meanings(text: str, terms: Terms) -> set[str]:
    found: set[str] = set()
    for token in terms.tokens(text):
        if token.is_word(WordKind.QUANTITY):
            found.add(token.meaning)
        elif token.is_sign("%"):
            found.add(PERCENT)
        elif token.is_word(WordKind.ASSAY) and token.meaning == Assay.IHC:
            found.add(_SCORE)
        elif not token.is_word(WordKind.FILLER, WordKind.HER2):
            raise UnreadError("unit-not-understood")
    return found


def _stated(number: Measurement, unit: str | None, asked: TestRole) -> Stated:
    """Give a number its place by unit and test. Raises UnreadError."""
    if asked is TestRole.IHC:
        if unit not in (None, _SCORE):
            raise UnreadError("percent-without-score" if unit == PERCENT else "unit-against-test")
        scored = scores_of_number(number)
        if scored is None:
            raise UnreadError("number-without-meaning")
        return Stated(ihc=IhcResult(scores=scored, off_scale=not scored))
    if asked is TestRole.OVERALL and unit not in (RATIO, HER2_COPIES):
        raise UnreadError("number-without-meaning")
    allowed, bare = _UNITS_OF_ROLE.get(asked, ({RATIO, HER2_COPIES}, RATIO))
    if unit is not None and unit not in allowed:
        raise UnreadError("unit-against-test")
    # "copies/cell" under CEP17 counts CEP17
    return _placed(number, bare if unit is None or asked is TestRole.CEP17_COPIES else unit)


def _placed(number: Measurement, quantity: str) -> Stated:
    """Put a number where its quantity belongs. Raises UnreadError."""
    if quantity == PERCENT:
        return Stated(ihc=IhcResult(uniform_intense_percent=number))
    if quantity == HER2_COPIES:
        return Stated(ish=IshResult(her2_copies=number))
    if quantity == CEP17_COPIES:
        return Stated(ish=IshResult(cep17_copies=number))
    if number.value > HIGHEST_RATIO:
        raise UnreadError("number-without-meaning")
    return Stated(ish=IshResult(ratio=number))
