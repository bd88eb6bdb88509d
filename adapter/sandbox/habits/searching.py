"""Habits of searches: what is found, and how late."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Lock, local

from adapter.sandbox.exchange import Answer, FhirRequest, FhirResponse
from adapter.sandbox.habits.asking import is_search, pairs_of, resource_in, with_pairs
from adapter.sandbox.habits.habit import Habit, Scene, seconds, whole
from adapter.sandbox.outcomes import outcome
from adapter.sandbox.replies import plain_response
from adapter.sandbox.seams import Key

STRONG = "x-amz-fhir-history-consistency-level"
"""The header by which a client of HealthLake waits for the index."""


class IndexLag(Habit):
    """Search and read disagree."""

    name = "index-lag"
    does = (
        "searches do not find a resource for SECONDS after a write of it, unless they say "
        "x-amz-fhir-history-consistency-level: strong; reading by id does"
    )
    seen = "AWS HealthLake (consistency level eventual); Microsoft FHIR Server issue 2566 (5 to 10 min)"
    takes = "SECONDS"
    default = "5"

    def __init__(self, value: str, scene: Scene) -> None:
        super().__init__(value, scene)
        self._lag = timedelta(seconds=seconds(value))
        self._written: dict[Key, datetime] = {}
        self._asked = local()

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Remember whether this request, in this thread, wants to see everything."""
        self._asked.strongly = request.headers.get(STRONG) == "strong"
        return answer(request)

    def wrote(self, key: Key) -> None:
        """Remember when."""
        self._written[key] = self.scene.clock()

    def finds(self, key: Key) -> bool:
        """Find what was written long enough ago."""
        if getattr(self._asked, "strongly", False):
            return True
        written = self._written.get(key)
        return written is None or self.scene.clock() - written >= self._lag


class SearchCache(Habit):
    """An equal search gets an equal answer."""

    name = "search-cache"
    does = (
        "an equal search is answered as before for SECONDS, unless it says Cache-Control: no-cache"
    )
    seen = "HAPI FHIR, 60 s by default (Search Result Caching); HAPI issue 4345"
    takes = "SECONDS"
    default = "60"

    def __init__(self, value: str, scene: Scene) -> None:
        super().__init__(value, scene)
        self._age = timedelta(seconds=seconds(value))
        self._lock = Lock()
        self._kept: dict[object, tuple[datetime, FhirResponse]] = {}

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Answer from the cache where there is something young enough."""
        cached = "no-cache" in request.headers.get("cache-control", "").lower()
        if not is_search(request):
            return answer(request)
        key = (request.method, request.path, request.query, request.body)
        now = self.scene.clock()
        with self._lock:
            kept = self._kept.get(key)
        if not cached and kept is not None and now - kept[0] < self._age:
            return kept[1]
        fresh = answer(request)
        if fresh.status == 200:
            with self._lock:
                self._kept[key] = (now, fresh)
        return fresh


class WindowLimit(Habit):
    """Too much at once."""

    name = "window-limit"
    does = "a search that finds more than NUMBER resources is answered 500, whatever its page size"
    seen = "Microsoft FHIR Server issue 2265; Medplum pull request 5298 (_offset up to 10,000)"
    takes = "NUMBER"
    default = "1000"

    def __init__(self, value: str, scene: Scene) -> None:
        super().__init__(value, scene)
        self._limit = whole(value)

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Count first, and give up when it is too much."""
        if is_search(request):
            kept = [pair for pair in pairs_of(request) if pair[0] not in ("_summary", "_total")]
            counted = resource_in(answer(with_pairs(request, [*kept, ("_summary", "count")])))
            if counted is not None and counted.get("total", 0) > self._limit:
                return plain_response(500, outcome("exception", "the query ran out of time"))
        return answer(request)


HABITS: tuple[type[Habit], ...] = (SearchCache, WindowLimit, IndexLag)
