"""Counts what clients asked for, so that a test and the demo can say "0 writes" and mean it.

A write is counted when it is asked for, before it is known whether it is accepted or changes
anything: a PUT of identical content is a write here, though it makes no version.
"""

from __future__ import annotations

import threading
from collections import Counter

WRITING = frozenset({"create", "update", "delete"})


class Counts:
    """Thread-safe counters; the interactions carry the names of R4's restful-interaction codes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests = 0
        self._versions = 0
        self._interactions: Counter[str] = Counter()

    def request(self) -> None:
        """Count one HTTP request below the FHIR base."""
        with self._lock:
            self._requests += 1

    def interaction(self, name: str) -> None:
        """Count one interaction, alone or as an entry of a bundle."""
        with self._lock:
            self._interactions[name] += 1

    def versions_made(self, number: int) -> None:
        """Count new versions that were really stored."""
        with self._lock:
            self._versions += number

    @property
    def requests(self) -> int:
        """HTTP requests below the FHIR base so far, refused ones included."""
        with self._lock:
            return self._requests

    @property
    def writes(self) -> int:
        """Creates, updates and deletes asked for so far, those inside bundles included."""
        with self._lock:
            return sum(self._interactions[name] for name in WRITING)

    @property
    def versions(self) -> int:
        """Versions stored so far, deletions included."""
        with self._lock:
            return self._versions

    def as_json(self) -> dict[str, object]:
        """Return all counts at one moment, as `GET /_sandbox/counts` shows them."""
        with self._lock:
            return {
                "requests": self._requests,
                "writes": sum(self._interactions[name] for name in WRITING),
                "versions": self._versions,
                "interactions": dict(sorted(self._interactions.items())),
            }
