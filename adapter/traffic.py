"""What was asked of the servers, counted: requests by interaction and outcome, bytes and time.

Counted where requests leave the process, so that every attempt and every page is one. Nothing of a request but its
kind, its size and its fate is kept: no address, no header, no body.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

REQUESTS: Final = "requests"
SENT: Final = "bytes-sent"
RECEIVED: Final = "bytes-received"
MILLISECONDS: Final = "request-ms"
"""How the flat names of counts begin; the server's role follows, for requests also the interaction and the fate."""


class Fate(StrEnum):
    """How a request ended."""

    OK = "ok"
    NOT_FOUND = "not-found"
    """404 or 410: what is asked for by id is often not there yet."""
    DENIED = "denied"
    CONFLICT = "conflict"
    TOO_MANY = "too-many"
    REFUSED = "refused"
    """Another 4xx, or a redirect, which is never followed."""
    SERVER_ERROR = "server-error"
    NO_ANSWER = "no-answer"
    """No connection, or no whole answer."""


_FATES: Final = {
    401: Fate.DENIED,
    403: Fate.DENIED,
    404: Fate.NOT_FOUND,
    409: Fate.CONFLICT,
    410: Fate.NOT_FOUND,
    412: Fate.CONFLICT,
    429: Fate.TOO_MANY,
}


def fate_of(status: int) -> Fate:
    """Name how a request ended that was answered with this HTTP status."""
    if status < 300:
        return Fate.OK
    if status >= 500:
        return Fate.SERVER_ERROR
    return _FATES.get(status, Fate.REFUSED)


@dataclass(frozen=True)
class Exchange:
    """One request and its fate.

    `interaction`: "capabilities", "read", "search", "page" (a further one of a search), "batch" (of reads),
    "transaction", "create", "update", "delete" or "status" (of what is done later). Bytes are those of bodies, as
    they went over the wire.
    """

    interaction: str
    fate: Fate
    sent_bytes: int = 0
    received_bytes: int = 0
    seconds: float = 0.0


Meter = Callable[[Exchange], None]
"""Is told of every request; called from several threads."""


class Traffic:
    """Adds up what was asked since the process began; safe to use from several threads."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def meter(self, role: str) -> Meter:
        """Give what counts the requests to one server; `role`: "source" or "target"."""

        def count(one: Exchange) -> None:
            with self._lock:
                self._counts[f"{REQUESTS}.{role}.{one.interaction}.{one.fate.value}"] += 1
                self._counts[f"{SENT}.{role}"] += one.sent_bytes
                self._counts[f"{RECEIVED}.{role}"] += one.received_bytes
                self._counts[f"{MILLISECONDS}.{role}"] += round(1000 * one.seconds)

        return count

    def counts(self) -> dict[str, int]:
        """Give all counts under flat names, such as "requests.source.search.ok" and "bytes-received.source"."""
        with self._lock:
            return dict(self._counts)

    def since(self, before: Mapping[str, int]) -> dict[str, int]:
        """Give what was added since `before`, as `counts` gave it then; what did not grow is left out."""
        now = self.counts()
        grown = {name: number - before.get(name, 0) for name, number in now.items()}
        return {name: number for name, number in sorted(grown.items()) if number}


def requests_in(counts: Mapping[str, int]) -> int:
    """Add up the requests among the counts of a pass; 0 where none were counted."""
    return sum(number for name, number in counts.items() if name.startswith(f"{REQUESTS}."))
