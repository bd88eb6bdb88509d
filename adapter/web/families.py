"""Metric families of one moment, made of values that are at hand: names, units and labels stand here.

Every label value comes from a closed set: what is not in it is called "other", so that nothing a server, a caller or a
laboratory wrote can become a label (S12, hazard H15).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from adapter.her2.model import Category
from adapter.sync.planning.plan import Action
from adapter.sync.pulse import Beat
from adapter.sync.report import PassKind, PassOutcome
from adapter.sync.tally import OUTCOMES
from adapter.traffic import MILLISECONDS, RECEIVED, REQUESTS, SENT, Fate

OTHER: Final = "other"
SERVERS: Final = ("source", "target")
INTERACTIONS: Final = (
    "batch",
    "capabilities",
    "create",
    "delete",
    "page",
    "read",
    "search",
    "status",
    "transaction",
    "update",
)
SIGNALS: Final = (
    "absence-unconfirmed",
    "changes-unread",
    "conditional-create-met",
    "duplicate-made",
    "foreign-edit",
    "hidden-from-search",
    "if-match-ignored",
    "not-shown",
    "orphan-provenance",
    "outbox",
    "outbox-waits",
    "read-behind",
    "refused",
    "replanned",
    "reworded",
    "sees-less",
    "sweep-fails",
    "unaccounted",
    "unexpected-update",
)
PASS_KINDS: Final = (*(kind.value for kind in PassKind), "any")
PASS_OUTCOMES: Final = (*(outcome.value for outcome in PassOutcome), "failed")
NOTIFICATIONS: Final = ("taken", "merged", "refused")


def known(value: str, closed: Collection[str]) -> str:
    """Give a value that may be a label: itself when the closed set has it."""
    return value if value in closed else OTHER


def gauge(name: str, says: str, value: float) -> GaugeMetricFamily:
    """Give one number."""
    return GaugeMetricFamily(name, says, value=value)


def counter(
    name: str,
    says: str,
    label: str,
    counted: Mapping[str, float],
    closed: Collection[str],
) -> CounterMetricFamily:
    """Give counts under one label, with a zero for each member of the closed set: an increase from nothing is none."""
    summed: defaultdict[str, float] = defaultdict(float)
    for value, number in counted.items():
        summed[known(value, closed)] += number
    family = CounterMetricFamily(name, says, labels=[label])
    for value in dict.fromkeys((*closed, *summed)):
        family.add_metric([value], summed[value])
    return family


def of_build(build: Mapping[str, str]) -> Metric:
    """Say which software decides by which rules."""
    family = GaugeMetricFamily(
        "her2_build_info", "Software, policy and mappings in force.", labels=list(build)
    )
    family.add_metric(list(build.values()), 1)
    return family


def of_beat(beat: Beat, now: datetime) -> Iterator[Metric]:
    """Say what the loop last did."""
    yield gauge(
        "her2_start_time_seconds",
        "When this process began, Unix time.",
        beat.started_at.timestamp(),
    )
    under_way = (now - beat.busy_since).total_seconds() if beat.busy_since else 0.0
    yield gauge(
        "her2_pass_under_way_seconds", "How long the pass under way takes; 0: none.", under_way
    )
    yield gauge("her2_failures_in_a_row", "Passes that failed since a good one.", beat.failures)
    yield gauge(
        "her2_lease_held",
        "1: this process writes; 0: it stands by.",
        float(beat.holds_lease is True),
    )
    braked = beat.last is not None and beat.last.needs_operator
    yield gauge("her2_brake_engaged", "1: a brake holds writing back.", float(braked))
    passes: Counter[tuple[str, ...]] = Counter()
    for (kind, outcome), number in beat.passes.items():
        passes[known(kind, PASS_KINDS), known(outcome, PASS_OUTCOMES)] += number
    yield _counter("her2_passes", "Passes by how they ended.", ("kind", "outcome"), passes)
    yield from _of_totals(beat.totals)


def _of_totals(totals: Mapping[str, int]) -> Iterator[Metric]:
    yield counter(
        "her2_results_read",
        "HER2 candidates read, by what became of them; each look counts.",
        "outcome",
        _group(totals, "outcome"),
        OUTCOMES,
    )
    yield counter(
        "her2_decisions",
        "Samples decided, by category; each look counts.",
        "category",
        _group(totals, "category"),
        tuple(Category),
    )
    yield counter(
        "her2_actions",
        "Decisions by what is done about the derived Observation.",
        "action",
        _group(totals, "action"),
        tuple(Action),
    )
    yield counter(
        "her2_signals",
        "What passes noticed beside their results; docs/operate.md names each.",
        "signal",
        _group(totals, "signal"),
        SIGNALS,
    )
    yield CounterMetricFamily(
        "her2_versions_written",
        "Versions of resources that the target made.",
        value=totals.get("writes", 0),
    )


def of_traffic(counts: Mapping[str, int]) -> Iterator[Metric]:
    """Say what was asked of the FHIR servers; `counts` as `Traffic.counts`."""
    requests: Counter[tuple[str, ...]] = Counter()
    for name, number in counts.items():
        kind, *rest = name.split(".")
        if kind == REQUESTS and len(rest) == 3:
            server, interaction, fate = rest
            key = (
                known(server, SERVERS),
                known(interaction, INTERACTIONS),
                known(fate, tuple(Fate)),
            )
            requests[key] += number
    said = "Requests to the FHIR servers, every attempt and page, by how they ended."
    labels = ("server", "interaction", "outcome")
    yield _counter("her2_fhir_requests", said, labels, requests)
    seconds = {name: number / 1000 for name, number in _group(counts, MILLISECONDS).items()}
    yield counter("her2_fhir_request_seconds", "Time spent in these.", "server", seconds, SERVERS)
    for name, group in (("sent", SENT), ("received", RECEIVED)):
        said = f"Bytes of bodies {name}, as they went over the wire."
        yield counter(f"her2_fhir_{name}_bytes", said, "server", _group(counts, group), SERVERS)


def of_tokens(seconds: Mapping[str, float]) -> Metric:
    """Say how long the access tokens hold; `seconds`: server's role → seconds left."""
    family = GaugeMetricFamily(
        "her2_access_token_seconds",
        "Seconds that the access token still holds; absent without one.",
        labels=["server"],
    )
    for server in SERVERS:
        if server in seconds:
            family.add_metric([server], seconds[server])
    return family


def _counter(
    name: str, says: str, labels: tuple[str, ...], counted: Mapping[tuple[str, ...], int]
) -> CounterMetricFamily:
    family = CounterMetricFamily(name, says, labels=labels)
    for values, number in sorted(counted.items()):
        family.add_metric(values, number)
    return family


def _group(counts: Mapping[str, int], group: str) -> dict[str, float]:
    return {
        name.removeprefix(f"{group}."): number
        for name, number in counts.items()
        if name.startswith(f"{group}.")
    }
