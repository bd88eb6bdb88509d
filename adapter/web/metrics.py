"""/metrics: what an operator's alerts go by, in Prometheus' text format or OpenMetrics.

What stands is read when it is asked for; what happens is counted as it is told. The registry is this service's own:
the library's global one belongs to whoever else lives in the process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    exposition,
)
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from adapter.errors import StoreError
from adapter.ports import Clock, StateStore
from adapter.sync.inbox import Inbox
from adapter.sync.pulse import Pulse
from adapter.sync.report import PassReport
from adapter.web.access import Role
from adapter.web.answers import HEADERS
from adapter.web.families import (
    NOTIFICATIONS,
    counter,
    gauge,
    known,
    of_beat,
    of_build,
    of_tokens,
    of_traffic,
)
from adapter.web.health import unseen_seconds
from adapter.web.media_types import prefers
from adapter.web.routes import Route

SECONDS_OF_A_PASS: Final = (1, 5, 15, 60, 300, 900, 3600, 14400)
"""Upper bounds of the histogram: from a poll that finds nothing to a sweep of a large server."""

LATE_INTERVALS: Final = 2
LATE_SECONDS: Final = 120.0
"""What a good pass may be old by: where polls are frequent a pass itself takes longer than the rest between two."""

_OPENMETRICS: Final = "application/openmetrics-text"


@dataclass(frozen=True)
class Sources:
    """What a scrape reads.

    `traffic`: as `Traffic.counts`. `mappings_refused`: whether the overlay on the disk is one. `build`: label → version
    of what decides. `token_seconds`: server's role → seconds that its access token holds, where one is known.
    `notifications`: as `Webhook.counts`, empty where there is no webhook. `reasons`: the codes with which results may
    be set aside; any other is counted as "other".
    """

    pulse: Pulse
    store: StateStore
    clock: Clock
    inbox: Inbox
    interval_seconds: float
    traffic: Callable[[], Mapping[str, int]]
    mappings_refused: Callable[[], bool]
    build: Callable[[], Mapping[str, str]]
    token_seconds: Callable[[], Mapping[str, float]] = dict
    notifications: Callable[[], Mapping[str, int]] = dict
    reasons: frozenset[str] = frozenset()


class Metrics(Collector):
    """The metrics of one service. `tell` is to be given every report, `watch` every HTTP answer."""

    def __init__(self, sources: Sources) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for each counter, which nobody asked for
        self._sources = sources
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)
        self._duration = Histogram(
            "her2_pass_duration_seconds",
            "How long passes took that ended with a report.",
            ["kind"],
            registry=self._registry,
            buckets=SECONDS_OF_A_PASS,
        )
        self._set_aside = Counter(
            "her2_set_aside",
            "Results that gave no category, by reason; each look counts.",
            ["reason"],
            registry=self._registry,
        )
        self._answers = Counter(
            "her2_http_answers",
            "HTTP answers by route; none: nothing is there.",
            ["route", "status"],
            registry=self._registry,
        )

    def routes(self) -> tuple[Route, ...]:
        """Give the rows of this room."""
        summary = "What an operator watches, for Prometheus."
        content = {"text/plain": {"schema": {"type": "string"}}}
        described = {"responses": {"200": {"description": "Metrics.", "content": content}}}
        row = Route(
            "/metrics", ("GET",), Role.WATCH, self.answer, summary, at_once=4, operation=described
        )
        return (row,)

    def tell(self, report: PassReport) -> None:
        """Count a pass that ended with a report."""
        seconds = (report.ended_at - report.started_at).total_seconds()
        self._duration.labels(report.kind.value).observe(seconds)
        for one in report.set_aside:
            self._set_aside.labels(known(one.reason, self._sources.reasons)).inc()

    def watch(self, path: str, status: int) -> None:
        """Count an answer; `path`: of the route's row, "" where there is none."""
        self._answers.labels(path or "none", str(status)).inc()

    def expect(self, paths: tuple[str, ...]) -> None:
        """Begin at zero with the answers that alerts go by: an increase from nothing is none."""
        for path in paths:
            for status in ("401", "429", "500"):
                self._answers.labels(path, status)

    async def answer(self, request: Request) -> Response:
        """Answer a scrape."""
        accept = ",".join(request.headers.getlist("accept"))
        as_openmetrics = prefers(accept, _OPENMETRICS, "text/plain")
        content = await run_in_threadpool(self.text, as_openmetrics=as_openmetrics)
        kind = (
            openmetrics.CONTENT_TYPE_LATEST
            if as_openmetrics
            else exposition.CONTENT_TYPE_PLAIN_0_0_4
        )
        return Response(content, headers=HEADERS, media_type=kind)

    def text(self, *, as_openmetrics: bool = False) -> bytes:
        """Write the moment; reads the state store, so not for the event loop's thread."""
        if as_openmetrics:
            text: bytes = openmetrics.generate_latest(self._registry)  # type: ignore[no-untyped-call]
            return text
        return exposition.generate_latest(self._registry)

    def describe(self) -> Iterator[Metric]:
        """Give nothing: what there is is known when it is read."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Read what stands now."""
        sources = self._sources
        beat, now = sources.pulse.beat, sources.clock.now()
        yield of_build(sources.build())
        yield gauge("her2_clock_seconds", "This machine's clock, Unix time.", now.timestamp())
        yield gauge(
            "her2_poll_interval_seconds",
            "From the end of a pass to the next.",
            sources.interval_seconds,
        )
        yield gauge(
            "her2_unseen_change_age_seconds",
            "How old a change may be that no pass of this process has taken in.",
            unseen_seconds(beat, now),
        )
        yield gauge(
            "her2_good_pass_age_seconds",
            "Since the last pass began that did all that was due.",
            max(0.0, (now - (beat.good_since or beat.started_at)).total_seconds()),
        )
        yield gauge(
            "her2_good_pass_limit_seconds",
            "From this age on it is too old: two intervals, and two minutes at least.",
            max(LATE_INTERVALS * sources.interval_seconds, LATE_SECONDS),
        )
        yield from of_beat(beat, now)
        yield gauge(
            "her2_mappings_refused",
            "1: the overlay on the disk is invalid, an older one decides.",
            float(sources.mappings_refused()),
        )
        yield from self._stored()
        yield from of_traffic(sources.traffic())
        yield of_tokens(sources.token_seconds())
        yield gauge("her2_sync_requests_waiting", "POST /sync that wait.", sources.inbox.waiting)
        yield CounterMetricFamily(
            "her2_wakes",
            "Wake-ups of the poller, before they are put together.",
            value=sources.inbox.wakes,
        )
        yield counter(
            "her2_notifications",
            "Notifications at /webhook, by what became of them.",
            "outcome",
            sources.notifications(),
            NOTIFICATIONS,
        )

    def _stored(self) -> Iterator[Metric]:
        store = self._sources.store
        try:
            found = [
                gauge("her2_queued_patients", "Patients that wait.", store.queue_length()),
                gauge("her2_parked_results", "Results that are refused.", len(store.parked())),
            ]
        except StoreError:
            found = []
        yield gauge("her2_state_readable", "0: the state store fails.", float(bool(found)))
        yield from found
