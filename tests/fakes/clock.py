"""FakeClock: time that moves only when a test moves it, or when somebody sleeps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


class FakeClock:
    """A Clock whose sleeps take no time and are remembered."""

    def __init__(self, start: datetime = START) -> None:
        self.instant = start
        self.sleeps: list[float] = []

    def now(self) -> datetime:
        return self.instant

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float = 0, *, hours: float = 0) -> None:
        self.instant += timedelta(seconds=seconds, hours=hours)
