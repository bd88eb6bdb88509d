"""One transaction, until it is known what became of it: sent as the same bytes again, or read.

A frozen bundle has three fates: it stands on the server, something else stands there than the plan
saw, or the server refuses it for good. Not knowing is none of them. Nothing here makes a body or
takes one apart.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import structlog

from adapter.errors import (
    AmbiguousMatch,
    PermanentServerError,
    TemporaryServerError,
    UnknownOutcome,
    VersionConflict,
)
from adapter.fhir.identity import fingerprint
from adapter.ports import Clock, EntryOutcome, FhirServer, FrozenBundle, JsonObject
from adapter.sync.options import SendLimits
from adapter.sync.references import version_of

log = structlog.get_logger(__name__)

REFUSED_STATUSES: Final = frozenset({400, 404, 410, 413, 422})
"""Statuses that blame the content. Another permanent one would meet every bundle: it stops the
pass.
"""
MAX_RETRY_AFTER_SECONDS: Final = 900.0


class Stands(StrEnum):
    """What stands on the server, held against a frozen bundle."""

    AS_SENT = "as-sent"
    AS_BEFORE = "as-before"
    MOVED = "moved"


class Fate(StrEnum):
    """What became of a bundle."""

    LANDED = "landed"
    MOVED = "moved"
    REFUSED = "refused"


@dataclass(frozen=True)
class Delivered:
    """The fate of a bundle; `outcomes` where the server answered, `refusal` where it refused."""

    fate: Fate
    outcomes: tuple[EntryOutcome, ...] = ()
    refusal: PermanentServerError | None = None


@dataclass(frozen=True)
class Delivery:
    """Sends frozen bundles to the target.

    `base_urls`: servers whose absolute references are ours. `jitter`: a number from 0 to 1, so that
    two adapters that met do not meet again.
    """

    target: FhirServer
    clock: Clock
    limits: SendLimits
    base_urls: tuple[str, ...] = ()
    jitter: Callable[[], float] = random.SystemRandom().random

    def deliver(self, bundle: FrozenBundle) -> Delivered:
        """Send a bundle and find out what became of it.

        Raises:
            TemporaryServerError: when the attempts are used up; the bundle may have landed or not.
            NotAuthorised, PermanentServerError: for a reason that is not this bundle's content.

        """
        for attempt in range(1, self.limits.attempts + 1):
            try:
                return Delivered(Fate.LANDED, self.target.transact(bundle.body))
            except (UnknownOutcome, VersionConflict, AmbiguousMatch) as error:
                stands = self.look(bundle)
                log.info("bundle_looked_at", cases=len(bundle.expected), outcome=str(stands))
                if stands is Stands.AS_SENT:
                    return Delivered(Fate.LANDED)
                if stands is Stands.MOVED or isinstance(error, AmbiguousMatch):
                    return Delivered(Fate.MOVED)
                if attempt == self.limits.attempts:
                    if isinstance(error, UnknownOutcome):
                        raise
                    return Delivered(Fate.MOVED)
                self._wait(attempt)
            except TemporaryServerError as error:
                if attempt == self.limits.attempts:
                    raise
                self._wait(attempt, error.retry_after_seconds)
            except PermanentServerError as error:
                if error.status not in REFUSED_STATUSES:
                    raise
                return Delivered(Fate.REFUSED, refusal=error)
        raise AssertionError("a bundle is sent at least once")

    def ensure(self, reference: str, body: bytes) -> bool:
        """Write a resource that never changes, unless it stands; tell whether it was written.

        Raises: ServerError as `deliver`.
        """
        for attempt in range(1, self.limits.attempts + 1):
            if self.target.read(reference) is not None:
                return attempt > 1
            try:
                self.target.transact(body)
            except (TemporaryServerError, VersionConflict):
                # Another adapter may be writing the very same thing.
                if attempt == self.limits.attempts:
                    raise
                self._wait(attempt)
            else:
                return True
        raise AssertionError("it is tried at least once")

    def look(self, bundle: FrozenBundle) -> Stands:
        """Read what stands now for every case of a bundle.

        Raises: ServerError as the port says.
        """
        found = self.target.read_all([f"Observation/{key}" for key in bundle.expected])
        now = {key: found.get(f"Observation/{key}") for key in bundle.expected}
        if all(self.says(now[key], said) for key, said in bundle.fingerprints.items()):
            return Stands.AS_SENT
        if all(_version(now[key]) == seen for key, seen in bundle.expected.items()):
            return Stands.AS_BEFORE
        return Stands.MOVED

    def says(self, resource: JsonObject | None, said: str) -> bool:
        """Tell whether a stored derived Observation has the fingerprint that was sent."""
        return resource is not None and fingerprint(resource, base_urls=self.base_urls) == said

    def _wait(self, attempt: int, asked_seconds: float | None = None) -> None:
        longest = min(self.limits.wait_seconds * 2 ** (attempt - 1), self.limits.max_wait_seconds)
        wait = longest * (0.5 + 0.5 * self.jitter())
        self.clock.sleep(max(wait, min(asked_seconds or 0.0, MAX_RETRY_AFTER_SECONDS)))


def _version(resource: JsonObject | None) -> str | None:
    return None if resource is None else version_of(resource)
