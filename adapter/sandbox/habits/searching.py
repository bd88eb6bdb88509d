"""Habits of searches: what is found, and how late."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Lock

from adapter.sandbox.exchange import Answer, FhirRequest, FhirResponse
from adapter.sandbox.habits.asking import is_search
from adapter.sandbox.habits.habit import Habit, Scene, seconds
from adapter.sandbox.seams import Key


class IndexLag(Habit):
    """Search and read disagree."""

    name = "index-lag"
    does = "searches do not find a resource for SECONDS after a write of it; reading by id does"
    seen = "AWS HealthLake (consistency level eventual); Microsoft FHIR Server issue 2566 (5 to 10 min)"
    takes = "SECONDS"
    default = "5"

    def __init__(self, value: str, scene: Scene) -> None:
        super().__init__(value, scene)
        self._lag = timedelta(seconds=seconds(value))
        self._written: dict[Key, datetime] = {}

    def wrote(self, key: Key) -> None:
        """Remember when."""
        self._written[key] = self.scene.clock()

    def finds(self, key: Key) -> bool:
        """Find what was written long enough ago."""
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


HABITS: tuple[type[Habit], ...] = (SearchCache, IndexLag)
