"""What passes are put together from: the ports, the rules' vocabulary, and how a pass is held up from outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from adapter.fhir.derive import DeriveContext
from adapter.her2.model import Link
from adapter.ports import Clock, FhirServer, StateStore
from adapter.terminology.catalogue import Catalogue


@dataclass(frozen=True)
class Parts:
    """What passes work with. `context.now` and `base_urls` are replaced by those of each pass.

    `links`: samples that a person joined, from the site's overlay.
    """

    source: FhirServer
    target: FhirServer
    store: StateStore
    clock: Clock
    catalogue: Catalogue
    context: DeriveContext
    links: tuple[Link, ...] = ()


@dataclass(frozen=True)
class Interrupts:
    """How a pass is held up from outside.

    `guard` raises LeaseLost when another adapter has taken over; it is asked before every bundle.
    `stopped` asks for an early end: what is not written then stays in the queue.
    """

    guard: Callable[[], None] = lambda: None
    stopped: Callable[[], bool] = lambda: False
