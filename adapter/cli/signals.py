"""SIGINT and SIGTERM ask a pass to end in good order; a second SIGINT ends at once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from types import FrameType


@dataclass
class Stop:
    """Whether a stop was asked for, and by which signal."""

    event: Event = field(default_factory=Event)
    signal: int | None = None

    def is_set(self) -> bool:
        """Say whether a stop was asked for."""
        return self.event.is_set()

    @property
    def was_interrupted(self) -> bool:
        """Whether a person stopped it (SIGINT), and not the service manager (SIGTERM)."""
        return self.signal == signal.SIGINT


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Turn the signals into a stop for as long as the block lasts."""
    stop = Stop()

    def ask(number: int, _frame: FrameType | None) -> None:
        if stop.event.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.signal = number
        stop.event.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
