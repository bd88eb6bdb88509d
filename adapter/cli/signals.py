"""SIGINT and SIGTERM ask a pass to end in good order; a second SIGINT ends at once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from types import FrameType

import typer

from adapter.cli.exit_codes import INTERRUPTED
from adapter.cli.printing import say
from adapter.errors import TemporaryServerError


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
    """Turn the signals into a stop for as long as the block lasts.

    A stop ends the waiting for a server that is away; the block then ends as an interruption, and not with its error.
    """
    stop = Stop()

    def ask(number: int, _frame: FrameType | None) -> None:
        if stop.event.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.signal = number
        stop.event.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    except TemporaryServerError:
        if not stop.is_set():
            raise
        say("Stopped before the server answered; what is due stays for the next pass")
        raise typer.Exit(INTERRUPTED) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
