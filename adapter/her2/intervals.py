"""What a stated number says of the measured one: an interval. Comparators are never rounded away.

Source: FHIR R4 Quantity.comparator; rules text, Numbers [P].
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from adapter.her2.model import Comparator, Measurement

INFINITY = Decimal("Infinity")


@dataclass(frozen=True)
class Interval:
    """Numbers between `low` and `high`; each end belongs to it unless it is open."""

    low: Decimal
    high: Decimal
    low_open: bool = False
    high_open: bool = False

    @classmethod
    def of(cls, stated: Measurement) -> Interval:
        """Give the numbers that a stated measurement allows; none of ours is below 0."""
        if stated.upper is not None:
            return cls(min(stated.value, stated.upper), max(stated.value, stated.upper))
        match stated.comparator:
            case Comparator.LESS:
                return cls(Decimal(0), stated.value, high_open=True)
            case Comparator.LESS_OR_EQUAL:
                return cls(Decimal(0), stated.value)
            case Comparator.GREATER:
                return cls(stated.value, INFINITY, low_open=True)
            case Comparator.GREATER_OR_EQUAL:
                return cls(stated.value, INFINITY)
            case Comparator.EXACT:
                return cls(stated.value, stated.value)

    @property
    def is_exact(self) -> bool:
        """Whether it is one number."""
        return self.low == self.high

    def may_be_below(self, cut_off: Decimal) -> bool:
        """Whether some number of it is < cut_off."""
        return self.low < cut_off

    def may_reach(self, cut_off: Decimal) -> bool:
        """Whether some number of it is >= cut_off."""
        return self.high > cut_off or (self.high == cut_off and not self.high_open)

    def may_exceed(self, cut_off: Decimal) -> bool:
        """Whether some number of it is > cut_off."""
        return self.high > cut_off

    def may_be_at_most(self, cut_off: Decimal) -> bool:
        """Whether some number of it is <= cut_off."""
        return self.low < cut_off or (self.low == cut_off and not self.low_open)

    def divided_by(self, other: Interval) -> Interval | None:
        """Give the quotients of two positive intervals, or None where the divisor may be 0."""
        if other.low <= 0:
            return None
        low = Decimal(0) if other.high == INFINITY else self.low / other.high
        high = INFINITY if self.high == INFINITY else self.high / other.low
        return Interval(
            low, high, self.low_open or other.high_open, self.high_open or other.low_open
        )
