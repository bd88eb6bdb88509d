"""One frozen bundle, until it is known what became of it: sent as the same bytes again, or read.

A frozen bundle has three fates: it stands on the server, something else stands there than the plan
saw, or the server refuses it for good. Not knowing is none of them. Nothing here makes a body or
takes one apart.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import structlog

from adapter.errors import (
    AmbiguousMatch,
    PartlyCarriedOut,
    PermanentServerError,
    TemporaryServerError,
    UnknownOutcome,
    VersionConflict,
)
from adapter.fhir.identity import fingerprint
from adapter.ports import Clock, EntryOutcome, FhirServer, FrozenBundle, JsonObject
from adapter.sync.options import SendLimits
from adapter.sync.references import version_of
from adapter.sync.writing.lookup import Lookup
from adapter.sync.writing.sent import SentCase, cases_in

log = structlog.get_logger(__name__)

CREDENTIALS: Final = frozenset({401, 407})
"""Statuses that never blame the content: they would meet every bundle, and stop the pass."""
NO_TRANSACTIONS: Final = frozenset({405, 501})
"""Statuses that blame the transaction itself."""
MAX_RETRY_AFTER_SECONDS: Final = 900.0


def may_blame_content(error: PermanentServerError) -> bool:
    """Tell whether a refusal can be about what was sent; whether it is, another write tells (`doubts`)."""
    status = error.status
    return status is not None and 400 <= status < 500 and status not in CREDENTIALS


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
    UNPROVED = "unproved"
    """The Observation stands, and its Provenance is refused for good; outside a transaction only."""
    NOT_ATOMIC = "not-atomic"
    """The server has no transactions, or carried this one out as a batch: each case is to be sent alone."""


@dataclass(frozen=True)
class Delivered:
    """The fate of a bundle; `outcomes` where the server answered, `refusal` where it refused.

    `failed`: keys of cases whose Observation was refused in a transaction that was carried out in part.
    `orphaned`: a Provenance was left of a version that never came to stand, and could not be taken back.
    """

    fate: Fate
    outcomes: tuple[EntryOutcome, ...] = ()
    refusal: PermanentServerError | None = None
    failed: frozenset[str] = frozenset()
    orphaned: bool = False


@dataclass(frozen=True)
class Attempts:
    """Tries again what may pass, at most `attempts` times, waiting longer each time.

    `jitter`: a number from 0 to 1, so that two adapters that met do not meet again.
    """

    clock: Clock
    limits: SendLimits
    jitter: Callable[[], float] = random.SystemRandom().random

    def until_known(
        self,
        send: Callable[[], tuple[EntryOutcome, ...]],
        look: Callable[[], Stands],
    ) -> Delivered:
        """Send until it is known what became of it.

        Raises:
            TemporaryServerError: when the attempts are used up; it may have landed or not.
            NotAuthorised, PermanentServerError: for a reason that cannot be this content.

        """
        for attempt in range(1, self.limits.attempts + 1):
            try:
                return Delivered(Fate.LANDED, send())
            except PartlyCarriedOut:
                raise
            except (UnknownOutcome, VersionConflict, AmbiguousMatch) as error:
                stands = look()
                if stands is Stands.AS_SENT:
                    return Delivered(Fate.LANDED)
                if stands is Stands.MOVED or isinstance(error, AmbiguousMatch):
                    return Delivered(Fate.MOVED)
                if self.is_last(attempt):
                    if isinstance(error, UnknownOutcome):
                        raise
                    return Delivered(Fate.MOVED)
                self.wait(attempt)
            except TemporaryServerError as error:
                if self.is_last(attempt):
                    raise
                self.wait(attempt, error.retry_after_seconds)
            except PermanentServerError as error:
                if not (may_blame_content(error) or error.status in NO_TRANSACTIONS):
                    raise
                return Delivered(Fate.REFUSED, refusal=error)
        raise AssertionError("it is sent at least once")

    def is_last(self, attempt: int) -> bool:
        """Whether no other attempt may follow this one."""
        return attempt >= self.limits.attempts

    def wait(self, attempt: int, asked_seconds: float | None = None) -> None:
        """Wait after an attempt, longer where the server asks for it."""
        longest = min(self.limits.wait_seconds * 2 ** (attempt - 1), self.limits.max_wait_seconds)
        wait = longest * (0.5 + 0.5 * self.jitter())
        self.clock.sleep(max(wait, min(asked_seconds or 0.0, MAX_RETRY_AFTER_SECONDS)))


@dataclass(frozen=True)
class Delivery:
    """Sends frozen bundles to the target as transactions.

    `base_urls`: servers whose absolute references are ours.
    """

    target: FhirServer
    attempts: Attempts
    base_urls: tuple[str, ...] = ()

    @property
    def limits(self) -> SendLimits:
        """How the target is written to."""
        return self.attempts.limits

    @property
    def lookup(self) -> Lookup:
        """How what stands on the target is found."""
        return Lookup(self.target)

    def deliver(self, bundle: FrozenBundle, *, looks_first: bool = False) -> Delivered:
        """Send a bundle and find out what became of it.

        `looks_first`: the server does not hold a write to a version, so that it is done here, as well as it can be.

        Raises: as `Attempts.until_known`.
        """
        if looks_first and self.look(bundle) is Stands.MOVED:
            return Delivered(Fate.MOVED)
        try:
            delivered = self.attempts.until_known(
                lambda: self.target.transact(bundle.body), lambda: self.look(bundle)
            )
        except PartlyCarriedOut as error:
            return Delivered(Fate.NOT_ATOMIC, failed=_failed(bundle, error.statuses))
        refusal = delivered.refusal
        if refusal is not None and refusal.status in NO_TRANSACTIONS:
            return Delivered(Fate.NOT_ATOMIC, refusal=refusal)
        return delivered

    def look(self, bundle: FrozenBundle) -> Stands:
        """Read what stands now for every case of a bundle.

        Raises: ServerError as the port says.
        """
        stands = self.look_at(bundle, cases_in(bundle.body))
        log.info("bundle_looked_at", cases=len(bundle.expected), outcome=str(stands))
        return stands

    def look_at(self, bundle: FrozenBundle, cases: Sequence[SentCase]) -> Stands:
        """Read what stands now for some cases of a bundle."""
        now = self.lookup.of_cases(cases)
        if all(
            any(self.says(one, bundle.fingerprints[case.key]) for one in now[case.key])
            for case in cases
        ):
            return Stands.AS_SENT
        if all(_version(now[case.key]) == bundle.expected[case.key] for case in cases):
            return Stands.AS_BEFORE
        return Stands.MOVED

    def says(self, resource: JsonObject | None, said: str) -> bool:
        """Tell whether a stored derived Observation has the fingerprint that was sent."""
        return resource is not None and fingerprint(resource, base_urls=self.base_urls) == said


def _version(copies: Sequence[JsonObject]) -> str | None:
    return version_of(copies[0]) if copies else None


def _failed(bundle: FrozenBundle, statuses: Sequence[int | None]) -> frozenset[str]:
    """Name the cases whose Observation the server refused while it carried out others."""
    cases = cases_in(bundle.body)
    if len(statuses) != 2 * len(cases):
        return frozenset()
    pairs = zip(cases, statuses[::2], strict=True)
    return frozenset(case.key for case, status in pairs if status is not None and status >= 400)
