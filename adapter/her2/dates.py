"""Comparing FHIR dates of different precision: later means later for certain.

Source: FHIR R4 dateTime and instant; rules text, Which results count 11.
"""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta

from adapter.her2.model import Source


def is_later(source: Source, than: Source) -> bool:
    """Whether one result was certainly stated after another; False where either is undated or they overlap."""
    one, other = _span(source), _span(than)
    return one is not None and other is not None and one[0] > other[1]


def _span(source: Source) -> tuple[datetime, datetime] | None:
    """Give the first and last instant that a result's date can mean; None without a readable date."""
    for stated in (source.issued, source.effective):
        span = _span_of(stated) if stated else None
        if span is not None:
            return span
    return None


def _span_of(stated: str) -> tuple[datetime, datetime] | None:
    try:
        if len(stated) == 4:
            start = datetime(int(stated), 1, 1, tzinfo=UTC)
            return start, datetime(int(stated), 12, 31, 23, 59, 59, tzinfo=UTC)
        if len(stated) == 7:
            year, month = int(stated[:4]), int(stated[5:])
            last = calendar.monthrange(year, month)[1]
            start = datetime(year, month, 1, tzinfo=UTC)
            return start, datetime(year, month, last, 23, 59, 59, tzinfo=UTC)
        moment = datetime.fromisoformat(stated)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment, moment + timedelta(days=1, seconds=-1)) if len(stated) == 10 else (moment,) * 2
