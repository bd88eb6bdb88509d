"""How long what was written stays unseen: index lag, search cache, paging while others write, deletion."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from adapter.doctor.bench import Bench, is_refusal
from adapter.doctor.findings import Finding, Standing, Topic, measured, not_measured
from adapter.doctor.traces import Traces
from adapter.errors import NotAuthorised, SearchExpired, ServerError
from adapter.fhir.references import reference_to
from adapter.ports import JsonObject, SearchParams

PAGED: Final = 5
_CACHE_SECONDS: Final = 1.0
_SLOW_SECONDS: Final = 10.0
_FORBIDDEN: Final = 403


@dataclass
class Watch:
    """Two searches for one probe: one that was asked before the probe was written, and one that never was."""

    bench: Bench
    resource_type: str
    identifier: JsonObject
    marks: dict[str, float] = field(default_factory=dict)

    def forms(self) -> dict[str, list[tuple[str, str]]]:
        """Give the two searches by name."""
        by = ("identifier", f"{self.identifier['system']}|{self.identifier['value']}")
        return {"fresh": [by, ("_count", "7")], "asked-before": [by]}

    def prime(self) -> None:
        """Ask the one search, so that a cache can have kept its answer."""
        self.bench.first(self.resource_type, self.forms()["asked-before"])

    def wait_for(self, number: int | None) -> dict[str, float | None]:
        """Wait until both searches show the probe with this `valueInteger`; seconds, None where one never did."""
        began, self.marks = self.bench.clock.now(), {}

        def both_see() -> bool:
            for name, search in self.forms().items():
                if name not in self.marks:
                    found = self.bench.first(self.resource_type, search)
                    if found is not None and found.get("valueInteger") == number:
                        self.marks[name] = (self.bench.clock.now() - began).total_seconds()
            return len(self.marks) == len(self.forms())

        self.bench.seconds_until(both_see)
        return {name: self.marks.get(name) for name in self.forms()}


def index_lag(bench: Bench, traces: Traces) -> Iterator[Finding]:
    """Write a probe and change it; find it by search each time. Yields the findings on lag and cache."""
    probe = traces.probe("seen")
    watch = Watch(bench, "Observation", traces.identifier("seen"))
    watch.prime()
    probe = traces.create(probe)
    is_read_at_once = bench.read(reference_to(probe)) is not None
    times = [watch.wait_for(None)]
    if times[0]["fresh"] is not None:
        bench.put({**probe, "valueInteger": 1})
        times.append(watch.wait_for(1))
    lags = [one["fresh"] for one in times]
    bench.is_slow = any(lag is None or lag > _SLOW_SECONDS for lag in lags)
    yield _lag(bench, lags, is_read_at_once=is_read_at_once)
    yield _cache(bench, times)


def _lag(bench: Bench, seconds: Sequence[float | None], *, is_read_at_once: bool) -> Finding:
    read = "a read gives it at once" if is_read_at_once else "not even a read gives it at once"
    if None in seconds:
        what = "a new resource" if seconds[0] is None else "a change"
        says = f"{what} was not found within {bench.patience_seconds:g} s; {read}"
        return Finding(Topic.INDEX_LAG, Standing.MEASURED, says, works=False)
    longest = max(one for one in seconds if one is not None)
    says = f"after {_seconds(longest)}, both new and changed; {read}"
    return measured(Topic.INDEX_LAG, says, works=is_read_at_once, value=longest)


def _cache(bench: Bench, times: Sequence[dict[str, float | None]]) -> Finding:
    topic = Topic.SEARCH_CACHE
    if any(one["fresh"] is None for one in times):
        return not_measured(topic, "nothing was found to tell a cache by")
    if any(one["asked-before"] is None for one in times):
        says = (
            f"is not honoured: a repeated search stayed as it was for {bench.patience_seconds:g} s"
        )
        return measured(topic, says, works=False)
    stale = max((one["asked-before"] or 0.0) - (one["fresh"] or 0.0) for one in times)
    if stale > _CACHE_SECONDS:
        return measured(
            topic,
            f"is not honoured: a repeated search was stale for {_seconds(stale)}",
            works=False,
        )
    return measured(topic, "is honoured: a repeated search shows what is new", works=True)


def paging(bench: Bench, traces: Traces) -> Finding:
    """Read probes in pages of two, and change one and add one between the first page and the second."""
    if traces.deletes is False:
        return not_measured(Topic.PAGING, "its probes could not be deleted again")
    if bench.is_slow:
        return not_measured(Topic.PAGING, "search is so late that it takes too long")
    names = [f"page-{number}" for number in range(PAGED)]
    probes = [traces.create(traces.probe(name)) for name in names]
    late = traces.probe("page-late")
    values = [*map(traces.identifier, names), *late["identifier"]]
    search = [
        ("identifier", ",".join(f"{one['system']}|{one['value']}" for one in values)),
        ("_count", "2"),
    ]
    wanted = {str(one["id"]) for one in probes}

    def between() -> None:
        bench.put({**probes[0], "valueInteger": 1})
        traces.create(late)

    try:
        if bench.seconds_until(lambda: wanted <= set(_paged(bench, search)[0])) is None:
            return not_measured(Topic.PAGING, "its probes were not found")
        seen, pages = _paged(bench, search, between)
    except SearchExpired:
        says = "a search expired between two pages: it is begun again, then cut in time"
        return measured(Topic.PAGING, says, works=False)
    if pages == 1:
        return not_measured(Topic.PAGING, "two were asked for, and all came on one page")
    if missing := wanted - set(seen):
        says = f"{len(missing)} of {PAGED} resources fell between two pages"
        return measured(Topic.PAGING, says, works=False)
    twice = len(seen) - len(set(seen))
    doubled = f", {twice} of them twice (taken once)" if twice else ""
    return measured(Topic.PAGING, f"all {PAGED} came{doubled}", works=True)


def _paged(
    bench: Bench, search: SearchParams, between: Callable[[], None] = lambda: None
) -> tuple[list[str], int]:
    """Read a search to its end, doing something after its first page; gives the ids as they came, and the pages."""
    seen: list[str] = []
    number = 0
    for number, page in enumerate(bench.search("Observation", search), start=1):
        seen += [str(one["id"]) for one in page.matches]
        if number == 1:
            between()
    return seen, number


def deletion(bench: Bench, traces: Traces) -> Finding:
    """Delete a probe, read it, and search for it until it is gone."""
    topic, identifier = Topic.DELETE, traces.identifier("gone")
    probe = traces.create(traces.probe("gone"))
    search = [("identifier", f"{identifier['system']}|{identifier['value']}")]
    if not bench.is_slow:
        bench.seconds_until(lambda: bench.first("Observation", search) is not None)
    try:
        bench.delete(reference_to(probe))
    except ServerError as error:
        is_denied = isinstance(error, NotAuthorised) and error.status == _FORBIDDEN
        if not (is_denied or is_refusal(error)):
            raise
        traces.deletes = False
        why = "is denied" if is_denied else f"is refused ({error.status})"
        says = f"{why}; the adapter never deletes, so that only the doctor's probes stay"
        return measured(topic, says, works=None, value=False)
    traces.deletes = bench.read(reference_to(probe)) is None
    if not traces.deletes:
        return measured(
            topic, "answers well, and the resource still stands", works=None, value=False
        )
    traces.forget(reference_to(probe))
    if bench.is_slow:
        return measured(
            topic, "read shows it at once; search is too late to wait for", works=None, value=True
        )
    gone = bench.seconds_until(lambda: bench.first("Observation", search) is None)
    if gone is None:
        says = f"read shows it at once, search not within {bench.patience_seconds:g} s"
    else:
        says = f"read shows it at once, search after {_seconds(gone)}"
    return measured(topic, says, works=None, value=True)


def _seconds(seconds: float) -> str:
    return "less than 1 s" if seconds < 1 else f"{seconds:.0f} s"
