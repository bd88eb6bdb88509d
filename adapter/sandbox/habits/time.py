"""Habits with time: when a write shows, and with which lastUpdated."""

from __future__ import annotations

from datetime import datetime, timedelta

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


HABITS: tuple[type[Habit], ...] = (LateCommits, SecondPrecision)
