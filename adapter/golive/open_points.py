"""What ought to be settled before somebody signs: named by the report, decided by people. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from adapter.golive.findings import disagreements, is_grave
from adapter.golive.look import Look
from adapter.her2.compared import Comparison
from adapter.ports import WorklistKind
from adapter.sync.options import STALE_INTERVALS
from adapter.sync.report import PassKind

SHORT_DAYS: Final = 14
"""Observed for less, a laboratory's rarer results and its holidays may not have come by; our own measure."""


def open_points(look: Look) -> list[str]:
    """Name what is open, one sentence each; none where nothing is."""
    return [*_of_observation(look), *_of_results(look), *_of_input(look)]


def _of_observation(look: Look) -> Iterator[str]:
    setup, period = look.setup, look.period
    if setup.signature != "current":
        yield f"The decision table is not signed as it is now: {setup.signature_says}."
    if setup.measured_at is None:
        yield "The server was never measured with `her2-adapter doctor`, or answers under another address."
    if setup.mode != "observe":
        yield f"The adapter is set to {setup.mode}: this is no report before its first write."
    if not period.passes:
        yield "No pass was recorded in the period: run `her2-adapter run --observe` first."
        return
    if period.days < SHORT_DAYS:
        yield (
            f"It was observed for {period.days:.1f} days; {SHORT_DAYS} or more show a laboratory's rarer results too."
        )
    if len(look.versions) > 1:
        last = look.versions[-1]
        yield (
            "Rules, vocabulary or software changed within the period, last at "
            f"{last.first_at:%Y-%m-%d %H:%M} UTC: what came before was decided otherwise."
        )
    if period.failed:
        yield f"{period.failed} of {period.passes} passes failed."
    fresh = timedelta(seconds=STALE_INTERVALS * setup.interval_seconds)
    if period.last_good is None or look.made_at - period.last_good > fresh:
        yield "The last recorded pass that ended well is older than three intervals: nothing observes now."


def _of_results(look: Look) -> Iterator[str]:
    if look.report.kind not in (PassKind.SWEEP, PassKind.WALK):
        yield (
            "The pass of this report did not read everything: only patients who wait, or what changed from the day "
            "with which the site began."
        )
    found = disagreements(look.report.compared)
    grave = sum(map(is_grave, found))
    open_ones = sum(one.compared.how is Comparison.UNDECIDED and not is_grave(one) for one in found)
    others = len(found) - grave - open_ones
    if grave:
        yield f"{_number(grave, 'sample')}: positive against negative between the laboratory and its single results."
    if others:
        yield f"{_number(others, 'sample')}: another disagreement with the laboratory's own result."
    if open_ones:
        yield f"{_number(open_ones, 'sample')}: the laboratory has concluded, and the answer is open."
    if look.report.brake.engaged:
        yield "A brake would stop the first pass that writes; see there what it asks for."


def _of_input(look: Look) -> Iterator[str]:
    not_read = [one for one in look.worklist if one.kind is WorklistKind.NOT_READ]
    if not_read:
        count = sum(one.count for one in not_read)
        yield f"{_number(count, 'result')} could not be read, in {_number(len(not_read), 'row')} of the worklist."
    if look.parked:
        yield f"{_number(len(look.parked), 'result')} parked: refused by the server."


def _number(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"
