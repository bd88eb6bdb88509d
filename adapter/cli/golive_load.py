"""The load put on the servers, and the work that the first writing pass would be."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from adapter.cli.documents import Part
from adapter.cli.golive_words import facts, minute, span
from adapter.cli.printing import Block
from adapter.golive.findings import WRITES
from adapter.golive.period import asked_in
from adapter.sync.report import PassKind, PassOutcome

if TYPE_CHECKING:
    from adapter.golive.look import Look
    from adapter.golive.period import Asked

MEBIBYTE: Final = 1024 * 1024
SHORTEST_DAYS: Final = 1 / 24
"""What was observed for less than an hour is not projected to a day."""
ENTRIES_OF_A_RESULT: Final = 2
"""A derived Observation and its Provenance."""


def of_work(look: Look) -> Block:
    """Tell what the first writing pass would be: how much, in how many bundles, how long, and if a brake stops it."""
    report, send, brakes = look.report, look.setup.options.send, look.setup.options.brakes
    load = report.brake.load
    number = sum(row.action in WRITES for row in report.rows)
    told_of: dict[str, Any] = {
        "derived results to be written": number,
        "each with its Provenance": f"{ENTRIES_OF_A_RESULT * number} resources",
        "transactions": f"{math.ceil(number / send.batch_cases)} of up to {send.batch_cases} results",
        "expected duration": _duration(number, send.cases_per_minute),
        "derived results that stand already": load.existing,
        "a first pass may create": brakes.first_pass,
        "withdrawals for absence": f"{load.withdrawals}; the brake stops more than "
        f"max({brakes.withdraw_floor}, {brakes.withdraw_percent:g} %)",
        "changed categories": f"{load.changes}; the brake stops more than "
        f"max({brakes.change_floor}, {brakes.change_percent:g} %)",
        "a brake would stop it": "yes" if report.brake.engaged else "no",
    }
    return facts("would-write", told_of, "The first pass that writes")


def _duration(number: int, cases_per_minute: float | None) -> str:
    if cases_per_minute is None:
        return "as fast as the server takes them; target.cases_per_minute slows it down"
    return (
        f"at least {span(60 * number / cases_per_minute)}, at {cases_per_minute:g} results a minute"
    )


def of_load(look: Look) -> Part:
    """Tell what the servers were asked in the period, by what and with which outcome, and what a day costs."""
    period, asked = look.period, look.period.asked
    kinds = [
        {
            "kind": "passes",
            "pass": one.kind,
            "passes": one.passes,
            "patients": one.patients,
            "seconds_p50": round(one.seconds_p50, 1),
            "seconds_p95": round(one.seconds_p95, 1),
            "seconds_longest": round(one.seconds_longest, 1),
            "requests": one.requests,
            "per_pass": round(one.requests / one.passes, 1),
            "per_patient": round(one.requests / one.patients, 2) if one.patients else None,
        }
        for one in period.kinds
    ]
    columns = {"pass": "Kind", "passes": "Passes", "patients": "Patients looked at"}
    columns |= {
        "seconds_p50": "Seconds, median",
        "seconds_p95": "95 %",
        "seconds_longest": "Longest",
    }
    columns |= {"requests": "Requests", "per_pass": "A pass", "per_patient": "A patient"}
    of_now = asked_in(look.report.traffic)
    return Part(
        "5. Load on the server",
        tuple(_said(look)),
        (
            Block("Passes that did not fail", columns, kinds),
            _costs(look),
            _requests("Requests of the period", "requests", asked),
            _requests("Requests of the pass that this report made", "requests-now", of_now),
        ),
    )


def _said(look: Look) -> Iterator[str]:
    period, read = look.period, look.setup.options.read
    uncounted = period.passes - period.asked.counted
    if uncounted:
        yield f"{uncounted} of {period.passes} passes counted no requests: they are not in these numbers."
    observes = look.setup.mode == "observe" or PassOutcome.OBSERVED.value in period.outcomes
    if observes and look.report.kind is PassKind.SWEEP:
        yield (
            "A pass that only observes reads everything each time. Once it writes, a pass reads what changed since "
            f"the last one, and everything every {read.sweep_hours:g} hours: a day then costs less."
        )


def _costs(look: Look) -> Block:
    period, asked = look.period, look.period.asked
    told_of: dict[str, Any] = {
        "requests": asked.total,
        "received": _bytes(sum(asked.received_bytes.values())),
        "sent": _bytes(sum(asked.sent_bytes.values())),
        "time that servers took to answer": span(sum(asked.server_seconds.values())),
    }
    if period.days >= SHORTEST_DAYS:
        told_of["a day: requests"] = round(asked.total / period.days)
        told_of["a day: received"] = _bytes(sum(asked.received_bytes.values()) / period.days)
        told_of["a day: time to answer"] = span(sum(asked.server_seconds.values()) / period.days)
    else:
        told_of["a day"] = "observed for less than an hour: nothing is projected"
    if asked.busiest is not None:
        one = asked.busiest
        told_of["busiest pass"] = (
            f"{one.per_second:.1f} requests a second ({one.requests}, {minute(one.started_at)})"
        )
    return facts("load", told_of, "What it cost")


def _bytes(number: float) -> str:
    return f"{number / MEBIBYTE:.1f} MiB" if number >= MEBIBYTE / 10 else f"{number / 1024:.1f} KiB"


def _requests(title: str, kind: str, asked: Asked) -> Block:
    rows = [
        {"kind": kind, "server": server, "asked": interaction, "fate": fate, "number": number}
        for (server, interaction, fate), number in asked.requests.items()
    ]
    columns = {"server": "Server", "asked": "Asked", "fate": "Answered", "number": "Requests"}
    return Block(title, columns, rows)
