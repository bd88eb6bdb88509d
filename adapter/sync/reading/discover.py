"""Which patients may have changed since the last pass; a sweep needs no discovery.

The cursor is only an optimisation: every discovery starts an overlap before the watermark, always
`ge`, and sweeps heal what it misses. What was discovered says nothing but whom to look at; nothing
here reads a result's meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from adapter.fhir.identity import case_identifier, is_own
from adapter.fhir.references import reference_to
from adapter.ports import Clock, JsonObject, RefusedResource, SearchPage, StateStore
from adapter.sync.reading.landmarks import Landmark
from adapter.sync.reading.pool import referenced
from adapter.sync.reading.search_params import at_or_after
from adapter.sync.reading.searches import Searches
from adapter.sync.references import mark_of, patient_of, version_of

RESULTS: Final = "Observation"
OWN: Final = "derived"
NARRATIVES: Final = "narrative"
WAKING_TYPES: Final = ("DiagnosticReport", "Specimen", "Patient")
"""A change of one of these can change which results belong together, or whose they are."""

MOST_BEHIND: Final = timedelta(days=1)
"""So far behind the start of a crawl its watermark stands where the server showed nothing newer.

A clock that is ahead by less, ours or that of a proxy which dates the answers, hides nothing.
"""

Marks = Mapping[str, str]
"""Reference → what `mark_of` gives of the resource; of what we wrote ourselves, its versionId."""


@dataclass
class Recent:
    """States of results that are dealt with, so that the overlap wakes nobody twice.

    Lives in the process only: it is empty at start, dropped on any error, and a full sweep never
    asks it. `listed`: whom the list of patients named last; `walked_at`: when everybody on it was read.
    """

    dealt_with: dict[str, str] = field(default_factory=dict)
    listed: frozenset[str] = frozenset()
    walked_at: datetime | None = None

    def knows(self, resource: JsonObject) -> bool:
        """Whether this very state was dealt with: its version and its content, so that neither is relied on alone."""
        known = self.dealt_with.get(reference_to(resource))
        return known is not None and known in (version_of(resource), mark_of(resource))

    def remember(self, marks: Marks) -> None:
        """Note states as dealt with; only after what they ask for is confirmed on the server."""
        self.dealt_with.update(marks)

    def keep_only(self, references: Iterable[str]) -> None:
        """Forget what the present overlap no longer shows."""
        wanted = set(references)
        self.dealt_with = {key: value for key, value in self.dealt_with.items() if key in wanted}


@dataclass
class Discovered:
    """What a discovery found.

    `patients`: to be looked at. `marks`: patient → the states that woke it, to be remembered
    once it is dealt with. `without_patient`: results that name no patient of this server; `refused`:
    such as are no strict JSON. `listed`: report that woke → the results it lists.
    `watermarks`: where each discovery may move to, once everything found is queued. `landmarks`:
    the newest result, and the newest of ours, that it saw.
    """

    patients: set[str] = field(default_factory=set)
    marks: dict[str, dict[str, str]] = field(default_factory=dict)
    without_patient: dict[str, JsonObject] = field(default_factory=dict)
    refused: dict[str, RefusedResource] = field(default_factory=dict)
    listed: dict[str, frozenset[str]] = field(default_factory=dict)
    watermarks: dict[str, datetime] = field(default_factory=dict)
    landmarks: dict[str, Landmark] = field(default_factory=dict)

    def wake(self, patient: str, resource: JsonObject) -> None:
        """Note that a resource says this patient may have changed."""
        self.patients.add(patient)
        self.marks.setdefault(patient, {})[reference_to(resource)] = mark_of(resource)


@dataclass
class Crawl:
    """When one discovery began, by the answer's Date or else by our clock, and the newest change it saw.

    Neither clock is the one that `_lastUpdated` is set by: only what was shown says how far the server itself has come.
    `lasted`: how long it took, by our clock.
    """

    began: datetime | None = None
    newest: Landmark | None = None
    lasted: timedelta = timedelta(0)
    _first: datetime | None = None

    def note(self, page: SearchPage, now: datetime) -> None:
        """Take in a page; `now` stands in for a server that sends no Date."""
        if self._first is None:
            self._first, self.began = now, page.server_time or now
        self.lasted = max(self.lasted, now - self._first)
        self.newest = Landmark.of(page.matches, self.newest)

    def noting(self, clock: Clock) -> Callable[[SearchPage], None]:
        """Give what takes in pages as they come."""
        return lambda page: self.note(page, clock.now())

    def watermark(self, before: datetime | None) -> datetime | None:
        """Give where the watermark may stand: past neither the crawl's start nor what the newest change says of it.

        Where nothing was seen it stays, and without an earlier one it stands `MOST_BEHIND` the crawl's start.
        """
        if self.began is None or (self.newest is None and before is not None):
            return before
        reached = self._shown(self.began)
        return max(reached, before) if before else reached

    def watermark_of_others(self) -> datetime | None:
        """Give where the watermark of another type may stand, of which the same crawl saw what leads to it.

        Never more than `MOST_BEHIND` the crawl's start: all that changed since then is read once more.
        """
        if self.began is None:
            return None
        return max(self._shown(self.began), self.began - MOST_BEHIND)

    def _shown(self, began: datetime) -> datetime:
        """Give when the crawl began by the server's clock, or what came before, as the newest change tells.

        That change may have come while it was crawled, after others on pages that were read before it.
        """
        return min(began, self.newest.changed - self.lasted) if self.newest else began - MOST_BEHIND


@dataclass(frozen=True)
class Discovery:
    """Finds the patients to look at between two sweeps."""

    searches: Searches
    store: StateStore
    clock: Clock
    recent: Recent
    overlap_seconds: float

    def changed(self, since: datetime | None = None) -> Discovered:
        """Ask what changed after the watermarks, less the overlap, or after `since`.

        Raises: ServerError as the port says; nothing is stored here, so a failed discovery is
        simply asked again.
        """
        found = Discovered()
        seen: set[str] = set()
        self._results(found, seen, since)
        self._own(found, seen, since)
        self._narratives(found, seen, since)
        for resource_type in WAKING_TYPES:
            self._waking(resource_type, found, seen, since)
        self.recent.keep_only(seen)
        return found

    def _results(self, found: Discovered, seen: set[str], since: datetime | None) -> None:
        crawl = Crawl()
        window = [self._window(RESULTS, since)]
        for page in self.searches.results(window, alone=True, seen=crawl.noting(self.clock)):
            for resource in page.matches:
                self._wake_by(resource, found, seen)
            patients = (patient_of(one, self.searches.source.base_url) for one in page.unusable)
            found.patients.update(patient for patient in patients if patient is not None)
            self._wake_by_refused(page, found)
        self._move(RESULTS, crawl, found, since)

    def _own(self, found: Discovered, seen: set[str], since: datetime | None) -> None:
        """Our own derived results: how a foreign edit of them is noticed."""
        if not self.searches.own_incremental:
            return
        crawl = Crawl()
        for page in self.searches.own([self._window(OWN, since)]):
            crawl.note(page, self.clock.now())
            for resource in page.matches:
                if case_identifier(resource) is not None:
                    self._wake_by(resource, found, seen)
            self._wake_by_refused(page, found)
        self._move(OWN, crawl, found, since)

    def _narratives(self, found: Discovered, seen: set[str], since: datetime | None) -> None:
        """Wake the patients of reports that tell of HER2, where the site wants suggestions."""
        crawl = Crawl()
        window = [self._window(NARRATIVES, since)]
        for page in self.searches.narratives(window, seen=crawl.noting(self.clock)):
            for resource in page.matches:
                seen.add(reference_to(resource))
                patient = patient_of(resource, self.searches.source.base_url)
                if patient is not None and not self.recent.knows(resource):
                    found.wake(patient, resource)
            self._wake_by_refused(page, found)
        self._move(NARRATIVES, crawl, found, since)

    def _wake_by_refused(self, page: SearchPage, found: Discovered) -> None:
        """Wake whoever is to be held back, as long as it is so: of a refused version nothing is remembered."""
        for one in page.refused:
            patient = patient_of(one.known, self.searches.source.base_url)
            if patient is None:
                found.refused[reference_to(one.known)] = one
            else:
                found.patients.add(patient)

    def _wake_by(self, resource: JsonObject, found: Discovered, seen: set[str]) -> None:
        seen.add(reference_to(resource))
        if self.recent.knows(resource):
            return
        patient = patient_of(resource, self.searches.source.base_url)
        if patient is None and not is_own(resource):
            found.without_patient[reference_to(resource)] = resource
        elif patient is not None:
            found.wake(patient, resource)

    def _waking(
        self, resource_type: str, found: Discovered, seen: set[str], since: datetime | None
    ) -> None:
        """Specimens, reports and patients wake only whom we know to have HER2 results."""
        crawl = Crawl()
        by_patient: dict[str, list[JsonObject]] = {}
        _, window = self._window(resource_type, since)
        for page in self.searches.changed(resource_type, window):
            crawl.note(page, self.clock.now())
            for resource in page.matches:
                seen.add(reference_to(resource))
                patient = patient_of(resource, self.searches.source.base_url)
                if patient is not None and not self.recent.knows(resource):
                    by_patient.setdefault(patient, []).append(resource)
            refused = (patient_of(one.known, self.searches.source.base_url) for one in page.refused)
            by_patient.update({one: by_patient.get(one, []) for one in refused if one is not None})
        for patient in self.store.known_patients(by_patient):
            found.patients.add(patient)
            for resource in by_patient[patient]:
                found.wake(patient, resource)
                listed = referenced(resource, "result", self.searches.source.base_url)
                found.listed[reference_to(resource)] = frozenset(listed)
        self._move(resource_type, crawl, found, since)

    def _window(self, name: str, since: datetime | None) -> tuple[str, str]:
        """Restrict to what changed after `since` or the watermark, less the overlap."""
        start = since or self.store.watermark(name) or self.clock.now() - MOST_BEHIND
        return "_lastUpdated", at_or_after(start - timedelta(seconds=self.overlap_seconds))

    def _move(self, name: str, crawl: Crawl, found: Discovered, since: datetime | None) -> None:
        before = self.store.watermark(name)
        reached = crawl.watermark(before)
        # A look back from a given day says nothing about the time before that day.
        if reached is not None and (since is None or before is None or since <= before):
            found.watermarks[name] = reached
        if crawl.newest is not None and name in (RESULTS, OWN):
            found.landmarks[name] = crawl.newest
