"""Habits with time: when a write shows, and with which lastUpdated."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import format_datetime

from adapter.sandbox.exchange import Answer, FhirRequest, FhirResponse
from adapter.sandbox.habits.habit import Habit, Scene, seconds


class LateCommits(Habit):
    """The row shows now, with the time at which its transaction began."""

    name = "late-commits"
    does = (
        "a write shows up with a lastUpdated of up to SECONDS ago, earlier ones having been served"
    )
    seen = "IBM/LinuxForHealth FHIR pull request 2030 (up to 120 s and longer); HAPI issue 6841"
    takes = "SECONDS"
    default = "120"

    def __init__(self, value: str, scene: Scene) -> None:
        super().__init__(value, scene)
        self._seconds = seconds(value)

    def moment(self, now: datetime) -> datetime:
        """Go back by a random part of the time."""
        return now - timedelta(seconds=self.scene.random.uniform(0, self._seconds))


class SecondPrecision(Habit):
    """Many ties."""

    name = "second-precision"
    does = "lastUpdated is cut to whole seconds, so that many resources share one"
    seen = (
        "servers on databases without fractions; Microsoft FHIR Server pull request 524 cuts to ms"
    )

    def moment(self, now: datetime) -> datetime:
        """Cut the fraction off."""
        return now.replace(microsecond=0)


class ClockAhead(Habit):
    """A server whose clock is wrong."""

    name = "clock-ahead"
    does = "the server's clock, in lastUpdated and in the Date header, is SECONDS ahead (negative: behind)"
    seen = "clusters whose nodes disagree: IBM/LinuxForHealth FHIR pull request 2030"
    takes = "SECONDS"
    default = "7200"

    def __init__(self, value: str, scene: Scene) -> None:
        super().__init__(value, scene)
        self._ahead = timedelta(seconds=seconds(value.removeprefix("-")))
        if value.startswith("-"):
            self._ahead = -self._ahead

    def moment(self, now: datetime) -> datetime:
        """Read the wrong clock."""
        return now + self._ahead

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Tell the wrong time."""
        found = answer(request)
        date = format_datetime(self.scene.clock() + self._ahead, usegmt=True)
        return replace(found, headers={**found.headers, "Date": date})


HABITS: tuple[type[Habit], ...] = (ClockAhead, LateCommits, SecondPrecision)
