"""Whether it lives, and whether it does its work: /healthz and /readyz, which say why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from adapter.errors import StoreError
from adapter.ports import Clock, StateStore
from adapter.sync.options import STALE_INTERVALS
from adapter.sync.pulse import Beat, Pulse
from adapter.web.access import Role
from adapter.web.answers import json_answer
from adapter.web.routes import Route

STUCK_SECONDS: Final = 7200.0
"""A pass in which no request has ended for so long does not go on: longer than a server may ask us to wait."""


@dataclass
class Health:
    """What readiness is judged by.

    `interval_seconds`: between two passes. `stopping`: whether a stop was asked for. `attention`: codes and sentences
    of what a person has to look at while the service goes on. `traffic`: requests to the FHIR servers that have ended.
    """

    pulse: Pulse
    store: StateStore
    clock: Clock
    interval_seconds: float
    stopping: Callable[[], bool]
    attention: Callable[[], dict[str, str]] = dict
    traffic: Callable[[], Mapping[str, int]] = dict
    _ended: Mapping[str, int] = field(default_factory=dict)
    _moved_at: datetime | None = None

    def routes(self) -> tuple[Route, ...]:
        """Give the rows of this room."""
        return (
            Route("/healthz", ("GET",), Role.OPEN, self.healthz, "Whether the process lives."),
            Route(
                "/readyz",
                ("GET",),
                Role.WATCH,
                self.readyz,
                "Whether it does its work, and if not, why; 503 when it does not.",
                operation={"responses": {"200": _READY, "503": _READY}},
            ),
        )

    async def healthz(self, _: Request) -> Response:
        """Tell that the process answers; nothing that helps a stranger."""
        return json_answer({"status": "stopping" if self.stopping() else "alive"})

    async def readyz(self, _: Request) -> Response:
        """Tell whether results are derived as they come in."""
        content = await run_in_threadpool(self.judge)
        return json_answer(content, status=200 if content["ready"] else 503)

    def judge(self) -> dict[str, Any]:
        """Judge the moment; codes in `because` make it not ready, those in `attention` want a person."""
        now, beat = self.clock.now(), self.pulse.beat
        stored, trouble = self._stored()
        because = dict(self._because(beat, now)) | trouble
        return {
            "ready": not because,
            "because": because,
            "attention": dict(self._attention(beat, stored)) | self.attention(),
            "writes": beat.holds_lease is not False,
            "seen_everything_since": _iso(beat.seen_since),
            "unseen_for_seconds": unseen_seconds(beat, now),
            "pass_under_way_since": _iso(beat.busy_since),
            "last_pass": None if beat.last is None else beat.last.outcome.value,
            "last_error": beat.last_error or None,
            "last_error_event": beat.error_id or None,
            "failures_in_a_row": beat.failures,
            **stored,
        }

    def _because(self, beat: Beat, now: datetime) -> Iterator[tuple[str, str]]:
        if self.stopping():
            yield "stopping", "A stop was asked for."
        if beat.holds_lease is False:
            return  # it stands by: another process sees to everything
        if beat.failures == 0 and beat.last is None:
            yield "starting", "The first pass has not ended yet."
        elif self._is_stale(beat, now):
            yield (
                "stale",
                f"No pass has taken in everything within {STALE_INTERVALS} intervals"
                f"{f'; the last one failed ({beat.last_error})' if beat.failures else ''}.",
            )
        if self._is_stuck(beat, now):
            yield (
                "stuck",
                f"A pass is under way, and no request of it has ended for {STUCK_SECONDS:.0f} s.",
            )

    def _is_stale(self, beat: Beat, now: datetime) -> bool:
        # A pass that runs long is no trouble while it runs: what it began with is fresh when it ends.
        since = beat.busy_since if beat.busy_since and not beat.failures else now
        good = beat.good_since or beat.started_at
        return since - good > timedelta(seconds=STALE_INTERVALS * self.interval_seconds)

    def _is_stuck(self, beat: Beat, now: datetime) -> bool:
        ended = dict(self.traffic())
        began = beat.busy_since
        if (
            began is None
            or self._moved_at is None
            or self._moved_at < began
            or ended != self._ended
        ):
            self._ended, self._moved_at = ended, now
        return now - self._moved_at > timedelta(seconds=STUCK_SECONDS)

    def _attention(self, beat: Beat, stored: dict[str, int]) -> Iterator[tuple[str, str]]:
        if beat.holds_lease is False:
            yield "stands-by", "Another process writes; this one takes over when that one is gone."
        if beat.last is not None and beat.last.needs_operator:
            yield "brake", "A brake is engaged: look at `her2-adapter brake show`."
        if stored.get("parked"):
            yield "parked", "The server refuses some results: `her2-adapter parked list`."

    def _stored(self) -> tuple[dict[str, int], dict[str, str]]:
        try:
            found = {"queue": self.store.queue_length(), "parked": len(self.store.parked())}
        except StoreError:
            return {}, {"state-store": "The state store cannot be read."}
        return found, {}


def unseen_seconds(beat: Beat, now: datetime) -> float:
    """How old a change may be that no pass has taken in, in seconds: the freshness that an operator watches.

    It grows from the moment the last good pass began, so that an adapter that sees nothing is not called fresh.
    """
    return max(0.0, (now - (beat.seen_since or beat.started_at)).total_seconds())


def _iso(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant else None


_READY: Final = {
    "description": "Readiness, with reasons by code, and facts.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["ready", "because", "attention"],
                "properties": {
                    "ready": {"type": "boolean"},
                    "because": {"type": "object", "additionalProperties": {"type": "string"}},
                    "attention": {"type": "object", "additionalProperties": {"type": "string"}},
                },
            }
        }
    },
}
