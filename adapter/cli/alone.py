"""Writing beside a service: only the holder of the lease writes, so a command holds it for as long as it writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

from adapter.cli.exit_codes import INTERRUPTED
from adapter.cli.printing import say
from adapter.errors import StoreError

if TYPE_CHECKING:
    from adapter.cli.signals import Stop
    from adapter.ports import Clock, StateStore
    from adapter.sync.lease import WriterLease
    from adapter.sync.parts import Interrupts, Parts

WAIT_SECONDS: Final = 330.0
"""A little longer than a killed service still holds the lease."""
LEASE_SECONDS: Final = 60.0
"""So long the next one waits for a command that was killed; each answer of the server renews it."""
Wait = Annotated[
    float,
    typer.Option(
        "--wait",
        metavar="S",
        min=0,
        help="So long it waits for a running adapter to end its pass and step aside.",
    ),
]
STEPS_ASIDE: Final = (
    "Run this again later or with a longer --wait, where its pass takes long; or stop it first."
)


@contextmanager
def writing(parts: Parts, stop: Stop, command: str, wait_seconds: float) -> Iterator[Interrupts]:
    """Hold the lease for as long as the block lasts; a service that has it is asked to step aside.

    It does so between two of its passes, and goes on by itself afterwards.

    Args:
        parts: whose state it is.
        stop: ends the wait; the command then ends as an interruption.
        command: names who holds it.
        wait_seconds: how long it may take.

    Raises:
        StoreError: it is not let go.

    """
    from adapter.bootstrap import holder_of
    from adapter.sync.lease import WriterLease
    from adapter.sync.parts import Interrupts

    lease = WriterLease(parts.store, parts.clock, holder_of(command), LEASE_SECONDS)
    if not lease.take():
        _wait(lease, parts.store, stop, wait_seconds)
    try:
        yield Interrupts.of(lease, stop.is_set)
    finally:
        lease.give_back()


@contextmanager
def writing_at_once(
    store: StateStore,
    clock: Clock,
    command: str,
    because: str,
    *,
    lease_seconds: float,
) -> Iterator[WriterLease]:
    """Hold the lease for as long as the block lasts; nobody is asked to step aside.

    For what a running adapter would undo. Raises: StoreError with `because` where another one holds it.
    """
    from adapter.bootstrap import holder_of
    from adapter.sync.lease import WriterLease

    lease = WriterLease(store, clock, holder_of(command), lease_seconds)
    if not lease.take():
        raise StoreError(f"{_who_writes(store)}. {because}")
    try:
        yield lease
    finally:
        lease.give_back()


def _wait(lease: WriterLease, store: StateStore, stop: Stop, seconds: float) -> None:
    if seconds:
        say(f"{_who_writes(store)}: waiting up to {seconds:.0f} s until it has stepped aside")
    if lease.borrow(seconds, stopped=stop.is_set):
        return
    if stop.is_set():
        say("Stopped before the other adapter stepped aside: nothing was written")
        raise typer.Exit(INTERRUPTED)
    raise StoreError(
        f"{_who_writes(store)}. It did not step aside within {seconds:.0f} s, and nothing was written. {STEPS_ASIDE}"
    )


def _who_writes(store: StateStore) -> str:
    held = store.held_lease()
    if held is None:
        return "Another adapter writes on this state"
    until = f"{held.until:%H:%M:%S} UTC"
    return f"Another adapter writes on this state ({held.holder}; until {until}, and longer while it lives)"
