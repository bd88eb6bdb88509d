"""Later means later for certain, whatever the precision and the zone (H17)."""

from __future__ import annotations

from itertools import product

import pytest

from adapter.her2.dates import is_later
from adapter.her2.model import Source

# What was written, and the first and last second it can mean anywhere in the world, as hours from
# 2026-03-10T00:00Z. A date has no zone: it begins 14 hours before UTC's at the earliest, and ends 12 after.
DAY = 24
WRITTEN = {
    "2025": ("date", -(31 + 28 + 9 + 365) * DAY, -(31 + 28 + 9) * DAY),
    "2026": ("date", -(31 + 28 + 9) * DAY, (365 - 31 - 28 - 9) * DAY),
    "2026-02": ("date", -(28 + 9) * DAY, -9 * DAY),
    "2026-03": ("date", -9 * DAY, 22 * DAY),
    "2026-04": ("date", 22 * DAY, 52 * DAY),
    "2026-03-09": ("date", -DAY, 0),
    "2026-03-10": ("date", 0, DAY),
    "2026-03-11": ("date", DAY, 2 * DAY),
    "2026-03-10T00:30:00Z": ("instant", 0.5, 0.5),
    "2026-03-10T00:30:00+14:00": ("instant", -13.5, -13.5),
    "2026-03-10T00:30:00-12:00": ("instant", 12.5, 12.5),
    "2026-03-10T12:00:00.250+05:45": ("instant", 6.25, 6.25),
    "2026-03-09T23:59:59-11:00": ("instant", 11, 11),
    "2026-03-12T13:00:00Z": ("instant", 61, 61),
    "2026-03-08T09:00:00Z": ("instant", -39, -39),
}


def certainly_later(one: str, other: str) -> bool:
    (kind, first, _), (other_kind, _, last) = WRITTEN[one], WRITTEN[other]
    if kind != other_kind:
        first -= 14 if kind == "date" else 0
        last += 12 if other_kind == "date" else 0
    is_point = other_kind == "instant"
    return first > last if is_point else first >= last


@pytest.mark.parametrize(("one", "other"), list(product(WRITTEN, WRITTEN)))
def test_one_is_later_only_where_no_zone_and_no_precision_can_turn_it(one: str, other: str) -> None:
    later = is_later(
        Source("Observation/1", issued=one), than=Source("Observation/2", issued=other)
    )

    assert later is certainly_later(one, other)


def test_two_are_never_each_later_than_the_other() -> None:
    for one, other in product(WRITTEN, WRITTEN):
        first, second = Source("Observation/1", issued=one), Source("Observation/2", issued=other)
        assert not (is_later(first, than=second) and is_later(second, than=first))


def test_a_day_and_an_instant_within_the_zones_of_that_day_are_not_ordered() -> None:
    day = Source("Observation/1", issued="2026-03-10")
    next_morning = Source("Observation/2", issued="2026-03-11T08:00:00+00:00")

    assert not is_later(next_morning, than=day)
    assert not is_later(day, than=next_morning)


@pytest.mark.parametrize("stated", [None, "", "2026-13", "yesterday", "2026-02-30", "26"])
def test_what_is_no_date_orders_nothing(stated: str | None) -> None:
    unread, dated = Source("Observation/1", issued=stated), Source("Observation/2", issued="2026")

    assert not is_later(unread, than=dated)
    assert not is_later(dated, than=unread)
