"""What passes are put together from: the ports, the rules' vocabulary, and how a pass is held up from outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from adapter.fhir.record.derive import DeriveContext
from adapter.her2.model import Link
from adapter.her2.policy import choices
from adapter.ports import Clock, FhirServer, PatientList, StateStore
from adapter.sync.lease import SignOfLife, WriterLease
from adapter.terminology.catalogue import Catalogue
from adapter.traffic import Traffic


@dataclass(frozen=True)
class Parts:
    """What passes work with. `context.now` and `base_urls` are replaced by those of each pass.

    `links`: samples that a person joined, from the site's overlay. `actor`: who the audit trail says did it, the
    account and host of this process. `traffic`: what was asked of the servers so far. `listed`: the list of
    patients, where discovery goes by one.
    """

    source: FhirServer
    target: FhirServer
    store: StateStore
    clock: Clock
    catalogue: Catalogue
    context: DeriveContext
    links: tuple[Link, ...] = ()
    actor: str = "adapter"
    traffic: Traffic = field(default_factory=Traffic)
    listed: PatientList | None = None

    @property
    def basis(self) -> str:
        """What an answer depends on beside the results: policy, choices, vocabulary, software."""
        context, policy = self.context, self.context.policy
        said = [f"{policy.name}|{policy.version}"]
        said += [f"{name}={value}" for name, value in choices(policy).items()]
        said += [context.mappings_version, *context.overlay_versions]
        return " ".join([*said, context.software_version])


@dataclass(frozen=True)
class Interrupts:
    """How a pass is held up from outside.

    `guard` raises LeaseLost when another adapter has taken over; it is asked before every bundle.
    `stopped` asks for an early end: what is not written then stays in the queue. `answered` is told of
    every answer that was read: a sign of life.
    """

    guard: Callable[[], None] = lambda: None
    stopped: Callable[[], bool] = lambda: False
    answered: Callable[[], None] = lambda: None

    @classmethod
    def of(cls, lease: WriterLease, stopped: Callable[[], bool]) -> Interrupts:
        """Give those of a process that writes under a lease."""
        return cls(guard=lease.keep, stopped=stopped, answered=lease.lives)

    def watching(self, parts: Parts) -> Parts:
        """Give parts whose servers tell of every answer."""
        source = target = SignOfLife(parts.source, self.answered)
        if parts.target is not parts.source:  # what reads one server at once goes by that
            target = SignOfLife(parts.target, self.answered)
        return replace(parts, source=source, target=target)
