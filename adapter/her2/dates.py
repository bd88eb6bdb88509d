"""Comparing FHIR dates of different precision and zone: later means later for certain.

A date without a time has no zone, and a day begins 26 hours earlier in one place of the world than in another. Two of
them are compared day by day, as the laboratory wrote them; one of them beside an instant is given its whole width.

Source: FHIR R4 dateTime and instant; rules text, Which results count 11.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from adapter.her2.model import Source

EAST_OF_UTC = timedelta(hours=14)
WEST_OF_UTC = timedelta(hours=12)
"""How far the zones of the world reach: a day begins up to 14 hours before UTC's, and ends up to 12 after."""


@dataclass(frozen=True)
class _Span:
    """The first and last instant that a date can mean, as if a date without a zone were of UTC."""

    first: datetime
    last: datetime
    has_zone: bool

    def anywhere(self) -> _Span:
        """Widen a date without a zone to what it can mean anywhere."""
        if self.has_zone:
            return self
        return replace(self, first=self.first - EAST_OF_UTC, last=self.last + WEST_OF_UTC)


def is_later(source: Source, than: Source) -> bool:
    """Whether one result was certainly stated after another; False where either is undated or they overlap."""
    one, other = _span(source), _span(than)
    if one is None or other is None:
        return False
    if one.has_zone is not other.has_zone:
        one, other = one.anywhere(), other.anywhere()
    return one.first > other.last


def _span(source: Source) -> _Span | None:
    """Give what a result's date can mean; None without a readable date."""
    for stated in (source.issued, source.effective):
        span = _span_of(stated) if stated else None
        if span is not None:
            return span
    return None


def _span_of(stated: str) -> _Span | None:
    try:
        if len(stated) == 4:
            return _days(
                datetime(int(stated), 1, 1, tzinfo=UTC), datetime(int(stated), 12, 31, tzinfo=UTC)
            )
        if len(stated) == 7:
            year, month = int(stated[:4]), int(stated[5:])
            start = datetime(year, month, 1, tzinfo=UTC)
            return _days(start, start.replace(day=calendar.monthrange(year, month)[1]))
        moment = datetime.fromisoformat(stated)
    except ValueError:
        return None
    if moment.tzinfo is not None:
        return _Span(moment, moment, has_zone=True)
    moment = moment.replace(tzinfo=UTC)
    return _days(moment, moment) if len(stated) == 10 else _Span(moment, moment, has_zone=False)


def _days(first: datetime, last: datetime) -> _Span:
    """Give whole days, from the beginning of one to the end of another."""
    return _Span(first, last + timedelta(days=1, seconds=-1), has_zone=False)
