"""Protects the numbers of weeks: every pass counts once, and the longest gap is the worst that anybody waited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from adapter.audit import AuditRow
from adapter.golive.look import versions_in
from adapter.golive.period import Period, percentile, period_of
from adapter.ports import PassRecord

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def a_pass(
    minute: float,
    *,
    seconds: float = 2.0,
    kind: str = "sweep",
    outcome: str = "observed",
    counts: Mapping[str, int] | None = None,
) -> PassRecord:
    started = NOON + timedelta(minutes=minute)
    return PassRecord(started, started + timedelta(seconds=seconds), kind, outcome, counts or {})


def test_no_pass_is_an_empty_period() -> None:
    period = period_of([])
    assert period == Period()
    assert (period.passes, period.failed, period.days, period.asked.total) == (0, 0, 0.0, 0)


def test_the_longest_gap_is_from_one_good_end_to_the_next() -> None:
    period = period_of(
        [
            a_pass(0),
            a_pass(1, outcome="failed", kind="incremental", counts={"error.NotAuthorised": 1}),
            a_pass(2, outcome="braked"),
            a_pass(3, kind="patients"),
            a_pass(4, kind="withdrawal", outcome="done"),
            a_pass(5, outcome="stopped"),
            a_pass(10, seconds=60),
            a_pass(12),
        ]
    )
    gap = period.longest_gap
    assert gap is not None
    assert (gap.seconds, gap.begun) == (658.0, NOON + timedelta(seconds=2))
    assert period.last_good == NOON + timedelta(minutes=12, seconds=2)


def test_with_a_list_only_a_look_at_everybody_ends_the_gap() -> None:
    polls = [a_pass(minute, kind="incremental") for minute in range(1, 10)]
    walks = [
        a_pass(0, kind="walk"),
        *polls,
        a_pass(10, kind="walk"),
        a_pass(11, kind="incremental"),
    ]
    period = period_of(walks, asks_what_changed=False)
    assert period.longest_gap is not None
    assert period.longest_gap.seconds == 600.0
    assert period.last_good == NOON + timedelta(minutes=11, seconds=2)
    assert period_of(polls, asks_what_changed=False).longest_gap is None


def test_one_good_pass_has_no_gap() -> None:
    assert period_of([a_pass(0), a_pass(1, outcome="failed")]).longest_gap is None


def test_failures_are_told_by_class_and_are_no_durations() -> None:
    error = {"error.TemporaryServerError": 1, "requests.source.search.server-error": 5}
    period = period_of(
        [
            a_pass(0, seconds=900, outcome="failed", kind="incremental", counts=error),
            a_pass(20, seconds=900, outcome="failed", kind="incremental", counts=error),
            a_pass(40, kind="incremental", outcome="done", counts={"writes": 3}),
        ]
    )
    assert (period.passes, period.failed, period.writes) == (3, 2, 3)
    assert period.failures == {"TemporaryServerError": 2}
    (kind,) = period.kinds
    assert (kind.passes, kind.seconds_longest) == (1, 2.0)
    assert period.asked.requests == {("source", "search", "server-error"): 10}


def test_requests_bytes_and_time_are_added_up_by_server() -> None:
    one = {
        "patients": 40,
        "requests.source.search.ok": 8,
        "requests.source.read.not-found": 2,
        "requests.target.read.ok": 1,
        "bytes-received.source": 1000,
        "bytes-sent.source": 10,
        "request-ms.source": 1500,
        "action.create": 7,
    }
    period = period_of([a_pass(0, counts=one), a_pass(1, seconds=10, counts=one), a_pass(2)])
    asked = period.asked
    assert asked.counted == 2
    assert asked.total == 22
    assert asked.requests["source", "search", "ok"] == 16
    assert (asked.received_bytes, asked.sent_bytes) == ({"source": 2000}, {"source": 20})
    assert asked.server_seconds == {"source": 3.0}
    assert asked.busiest is not None
    assert (asked.busiest.started_at, asked.busiest.per_second) == (NOON, 5.5)
    (kind,) = period.kinds
    assert (kind.passes, kind.patients, kind.requests) == (3, 80, 22)


def test_a_short_burst_is_no_high_rate() -> None:
    period = period_of([a_pass(0, seconds=0.01, counts={"requests.source.read.ok": 3})])
    assert period.asked.busiest is not None
    assert period.asked.busiest.per_second == 3.0


def test_a_clock_that_was_set_back_makes_no_negative_duration() -> None:
    (kind,) = period_of([a_pass(0, seconds=-5)]).kinds
    assert kind.seconds_longest == 0.0


@pytest.mark.parametrize(
    ("percent", "expected"), [(0, 1.0), (50, 5.0), (95, 10.0), (90, 9.0), (100, 10.0)]
)
def test_a_percentile_is_one_of_the_values(percent: int, expected: float) -> None:
    assert percentile([float(one) for one in range(1, 11)], percent) == expected


def _row(action: str, hours: int, **facts: str | int) -> AuditRow:
    at = (NOON + timedelta(hours=hours)).isoformat(timespec="seconds")
    return AuditRow(hours, at, "her2@host", action, "done", "", facts, None, "")


def test_versions_are_told_from_when_on_and_how_often_they_began() -> None:
    old = {"software": "0.1", "policy": "p|1", "mappings": "m1"}
    rows = [
        _row("service-started", 1, **old),
        _row("service-stopped", 2, **old),
        _row("service-started", 3, **old),
        _row("doctor-run", 4, **{**old, "software": "0.3"}),
        _row("mappings-refused", 4, **{**old, "mappings": "m0"}),
        _row("mappings-reloaded", 5, **{**old, "mappings": "m2"}),
    ]
    found = versions_in(rows, None)
    assert [(one.mappings, one.starts, one.first_at.hour) for one in found] == [
        ("m1", 2, 13),
        ("m2", 1, 17),
    ]


@pytest.mark.parametrize(
    ("since_hour", "expected"),
    [
        (0, [("m1", 2, 13), ("m2", 2, 17)]),
        (2, [("m1", 1, 13), ("m2", 2, 17)]),
        (4, [("m1", 0, 13), ("m2", 2, 17)]),
        (6, [("m2", 1, 17)]),
        (8, [("m2", 1, 21)]),
    ],
    ids=["all", "began-before", "and-another-stopped-before", "changed-before", "stopped-before"],
)
def test_what_was_in_force_when_the_period_began_is_carried_into_it(
    since_hour: int, expected: list[tuple[str, int, int]]
) -> None:
    old = {"software": "0.1", "policy": "p|1", "mappings": "m1"}
    rows = [
        _row("service-started", 1, **old),
        replace(_row("service-started", 2, **old), actor="her2@standby"),
        replace(_row("service-stopped", 3, **old), actor="her2@standby"),
        _row("mappings-reloaded", 5, **{**old, "mappings": "m2"}),
        _row("service-stopped", 7, **{**old, "mappings": "m2"}),
        _row("service-started", 9, **{**old, "mappings": "m2"}),
    ]
    found = versions_in(rows, NOON + timedelta(hours=since_hour))
    assert [(one.mappings, one.starts, one.first_at.hour) for one in found] == expected
