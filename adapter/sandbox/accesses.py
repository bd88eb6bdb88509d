"""What was asked for, in order: kinds of requests, never an id or a value.

So that a test can say "it asked for no patient twice" of a server that holds real-looking data, and
print the log when it fails.
"""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass
from threading import Lock

from adapter.sandbox.exchange import FhirRequest, FhirResponse
from adapter.sandbox.habits.asking import interaction_of, pairs_of
from adapter.sandbox.resource_types import RESOURCE_TYPES

KEPT = 10_000
"""Requests that are remembered; the oldest are forgotten first."""


@dataclass(frozen=True, slots=True)
class Access:
    """One request: `interaction` as in R4's restful-interaction codes, empty where it was refused.

    `parameters` are names alone; `resource_type` is empty for the server as a whole; `status` what
    the server meant to answer, also when the answer was lost.
    """

    method: str
    interaction: str
    resource_type: str
    parameters: tuple[str, ...]
    no_cache: bool
    status: int


class AccessLog:
    """The last requests; thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._accesses: deque[Access] = deque(maxlen=KEPT)

    def add(self, request: FhirRequest, answer: FhirResponse) -> None:
        """Remember one exchange."""
        interaction = interaction_of(request)
        first = request.path.split("/")[0]
        access = Access(
            request.method,
            interaction,
            first if first in RESOURCE_TYPES else "",
            tuple(name for name, _ in pairs_of(request)) if interaction == "search-type" else (),
            "no-cache" in request.headers.get("cache-control", "").lower(),
            answer.status,
        )
        with self._lock:
            self._accesses.append(access)

    def forget(self) -> None:
        """Begin anew."""
        with self._lock:
            self._accesses.clear()

    @property
    def all(self) -> tuple[Access, ...]:
        """Every request that is remembered, the oldest first."""
        with self._lock:
            return tuple(self._accesses)

    def as_json(self) -> list[dict[str, object]]:
        """Return the log as `GET /_sandbox/accesses` shows it."""
        return [asdict(access) for access in self.all]
