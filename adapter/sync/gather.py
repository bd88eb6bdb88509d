"""Everything the server holds of patients' HER2 results: by patient, or in one sweep.

Both ways end in the same `Gathered`. A source that search does not give is read by id before
anybody believes that it is gone: search may lag, or be narrowed by access rules. Nothing here reads
what a result means.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from adapter.errors import PermanentServerError
from adapter.fhir.identity import case_identifier, is_own, relative_reference
from adapter.fhir.references import reference_to
from adapter.fhir.shapes import objects, references, string
from adapter.ports import Clock, JsonObject, SearchPage, StateStore
from adapter.sync.discover import OWN, RESULTS, WAKING_TYPES, Crawl
from adapter.sync.options import ReadLimits
from adapter.sync.references import patient_of, version_of
from adapter.sync.searches import Searches, last_updated, within_budget

REFUSED_STATUSES: Final = frozenset({400, 404, 410, 422})
"""Statuses by which a server refuses what was asked for, not who asks."""
MAX_ROUNDS: Final = 6
"""How far related resources are followed: specimen, its parent, that one's parent, …"""
_FOLLOWED: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "Observation": (("specimen", "Specimen"), ("focus", "Condition")),
    "Specimen": (("parent", "Specimen"),),
}
"""Resource type → elements whose references are read, and of which type they must be."""


@dataclass(frozen=True)
class Gathered:
    """What is known of some patients now.

    `results`: HER2 candidates, the newest version of each. `related`: specimens, reports, panels,
    conditions and orders around them. `derived`: our own derived Observations, references relative
    to the source. `gone`: sources of derived ones that could not be read twice, far enough apart;
    `unconfirmed`: those that could not be read so far. `own_found`: how many of our own a search
    for results brought.
    """

    patients: frozenset[str]
    results: tuple[JsonObject, ...] = ()
    related: tuple[JsonObject, ...] = ()
    derived: tuple[JsonObject, ...] = ()
    gone: frozenset[str] = frozenset()
    unconfirmed: frozenset[str] = frozenset()
    own_found: int = 0
    unread: str = ""


@dataclass
class Pool:
    """What searches have brought so far: one version of each resource, and who lists whom."""

    results: dict[str, JsonObject] = field(default_factory=dict)
    derived: dict[str, JsonObject] = field(default_factory=dict)
    related: dict[str, JsonObject] = field(default_factory=dict)
    listed_by: dict[str, set[str]] = field(default_factory=dict)
    own_found: set[str] = field(default_factory=set)

    def add_results(self, page: SearchPage, base_url: str) -> None:
        """Take in a page of candidates with what came along."""
        for resource in page.matches:
            if is_own(resource):
                self.own_found.add(reference_to(resource))
            else:
                _keep_newest(self.results, resource)
        for resource in page.included:
            self.add_related(resource, base_url)

    def add_own(self, page: SearchPage) -> None:
        """Take in derived results; what does not carry our identifier was not asked for."""
        for resource in page.matches:
            if case_identifier(resource) is not None:
                _keep_newest(self.derived, resource)

    def add_related(self, resource: JsonObject, base_url: str) -> None:
        """Take in a resource around the results, and note which results it lists."""
        if is_own(resource):
            return
        _keep_newest(self.related, resource)
        kind = string(resource, "resourceType")
        element = "result" if kind == "DiagnosticReport" else "hasMember"
        for listed in _referenced(resource, element, base_url):
            self.listed_by.setdefault(listed, set()).add(reference_to(resource))


@dataclass(frozen=True)
class Gatherer:
    """Reads from the servers; `store` remembers what could not be read."""

    searches: Searches
    store: StateStore
    clock: Clock
    limits: ReadLimits

    def patients(self, patients: Iterable[str]) -> Iterator[Gathered]:
        """Gather these patients, in lists of at most `patients_at_once`.

        Raises: ServerError as the port says.
        """
        wanted = sorted(set(patients))
        for together in within_budget(wanted, self.limits.patients_at_once):
            yield from self._together(together.split(","))

    def _together(self, patients: list[str]) -> Iterator[Gathered]:
        """Gather some patients at once; where the server refuses that, find the one it refuses."""
        try:
            gathered = self._at_once(patients)
        except PermanentServerError as error:
            if error.status not in REFUSED_STATUSES:
                raise
            if len(patients) == 1:
                yield Gathered(frozenset(patients), unread=str(error))
                return
            middle = len(patients) // 2
            yield from self._together(patients[:middle])
            yield from self._together(patients[middle:])
        else:
            yield gathered

    def _at_once(self, patients: list[str]) -> Gathered:
        pool, together = Pool(), ",".join(patients)
        for page in self.searches.results([(self.searches.patient_param or "patient", together)]):
            pool.add_results(page, self._base_url)
        for page in self.searches.own([self._own_patients(together)]):
            pool.add_own(page)
        asked = frozenset(patients)
        return self.assembled(asked, self._only(asked, pool), pool)

    def sweep(self) -> Sweep:
        """Read every HER2 result and every derived one; see `Sweep`.

        Raises: ServerError as the port says.
        """
        pool, results, own = Pool(), Crawl(), Crawl()
        for page in self.searches.results():
            results.note(page, self.clock.now())
            pool.add_results(page, self._base_url)
        for page in self.searches.own():
            own.note(page, self.clock.now())
            pool.add_own(page)
        return Sweep(self, pool, results, own)

    def without_patient(self, results: Iterable[JsonObject], own_found: int = 0) -> Gathered:
        """Wrap results that name no patient of this server: they are counted and named too."""
        kept = tuple(result for result in results if not is_own(result))
        return Gathered(frozenset(), kept, own_found=own_found)

    @property
    def _base_url(self) -> str:
        return self.searches.source.base_url

    def _own_patients(self, together: str) -> tuple[str, str]:
        """Name the patients as the target knows them: by absolute URL where servers differ."""
        if self.searches.target.base_url == self._base_url:
            return self.searches.patient_param or "patient", together
        return "subject", ",".join(f"{self._base_url}/{patient}" for patient in together.split(","))

    def _only(self, patients: frozenset[str], pool: Pool) -> Pool:
        """Keep what is about these patients: a server may return more than was asked for."""

        def kept(resources: dict[str, JsonObject]) -> dict[str, JsonObject]:
            return {
                reference: resource
                for reference, resource in resources.items()
                if patient_of(resource, self._base_url) in patients
            }

        return Pool(kept(pool.results), kept(pool.derived), own_found=pool.own_found)

    def assembled(self, patients: frozenset[str], part: Pool, whole: Pool) -> Gathered:
        """Complete a part of a pool: missing sources first, then what is around the results.

        Raises: ServerError as the port says.
        """
        gone, unconfirmed = self._read_missing_sources(part, patients)
        related = self._related_to(part, whole)
        return Gathered(
            patients=patients,
            results=_in_order(part.results),
            related=_in_order(related),
            derived=_in_order(part.derived),
            gone=gone,
            unconfirmed=unconfirmed,
            own_found=len(part.own_found),
        )

    def _read_missing_sources(
        self, part: Pool, patients: frozenset[str]
    ) -> tuple[frozenset[str], frozenset[str]]:
        named = {
            source
            for derived in part.derived.values()
            if derived.get("status") != "entered-in-error"
            for source in _referenced(derived, "derivedFrom", self._base_url)
        }
        missing = sorted(named - part.results.keys())
        if not missing:
            return frozenset(), frozenset()
        gone: set[str] = set()
        unconfirmed: set[str] = set()
        present: set[str] = set()
        now = self.clock.now()
        for reference, resource in self.searches.source.read_all(missing).items():
            if resource is None:
                sure = self._is_confirmed(self.store.note_absent(reference, now), now)
                (gone if sure else unconfirmed).add(reference)
            else:
                present.add(reference)
                if patient_of(resource, self._base_url) in patients and not is_own(resource):
                    part.results[reference] = resource
        if present:
            self.store.note_present(sorted(present))
        return frozenset(gone), frozenset(unconfirmed)

    def _is_confirmed(self, first: datetime, now: datetime) -> bool:
        return first < now and (now - first).total_seconds() >= self.limits.absence_confirm_seconds

    def _related_to(self, part: Pool, whole: Pool) -> dict[str, JsonObject]:
        """Follow references from the results outwards, first in what is held, then by reading."""
        related: dict[str, JsonObject] = {}
        asked: set[str] = set()
        edge = list(part.results.values())
        for resource in edge:
            for lister in sorted(whole.listed_by.get(reference_to(resource), ())):
                related[lister] = whole.related[lister]
        edge.extend(related.values())
        for _ in range(MAX_ROUNDS):
            wanted = {ref for resource in edge for ref in self._followed(resource)}
            wanted -= related.keys() | part.results.keys() | asked
            if not wanted:
                break
            asked |= wanted
            edge = self._held_or_read(sorted(wanted), whole)
            related.update((reference_to(resource), resource) for resource in edge)
        return related

    def _held_or_read(self, wanted: list[str], whole: Pool) -> list[JsonObject]:
        held = [whole.related[reference] for reference in wanted if reference in whole.related]
        unheld = [reference for reference in wanted if reference not in whole.related]
        if not unheld:
            return held
        read = [found for found in self.searches.source.read_all(unheld).values() if found]
        for resource in read:
            whole.add_related(resource, self._base_url)
        return [*held, *(resource for resource in read if not is_own(resource))]

    def _followed(self, resource: JsonObject) -> Iterator[str]:
        for element, wanted_type in _FOLLOWED.get(string(resource, "resourceType"), ()):
            for reference in _referenced(resource, element, self._base_url):
                if reference.startswith(f"{wanted_type}/"):
                    yield reference
        for extension in objects(resource.get("extension")):
            # mCODE's related condition: the diagnosis a test is about, said beside focus.
            for reference in _referenced(extension, "valueReference", self._base_url):
                if reference.startswith("Condition/"):
                    yield reference


@dataclass(frozen=True)
class Sweep:
    """Everything the server held while a sweep read it."""

    gatherer: Gatherer
    pool: Pool
    results_crawl: Crawl
    own_crawl: Crawl

    def own(self) -> Iterator[JsonObject]:
        """Give every derived Observation it found, of any namespace and policy."""
        return iter(self.pool.derived.values())

    def chunks(self) -> Iterator[Gathered]:
        """Give the sweep in parts of some patients each; first what names no patient."""
        base_url = self.gatherer.searches.source.base_url
        by_patient: dict[str, Pool] = {}
        without: list[JsonObject] = []
        for reference, resource in self.pool.results.items():
            patient = patient_of(resource, base_url)
            if patient is None:
                without.append(resource)
            else:
                by_patient.setdefault(patient, Pool()).results[reference] = resource
        for reference, resource in self.pool.derived.items():
            patient = patient_of(resource, base_url)
            if patient is not None:
                by_patient.setdefault(patient, Pool()).derived[reference] = resource
        yield self.gatherer.without_patient(without, len(self.pool.own_found))
        patients = sorted(by_patient)
        size = self.gatherer.limits.patients_at_once
        for start in range(0, len(patients), size):
            together = patients[start : start + size]
            part = Pool()
            for patient in together:
                part.results.update(by_patient[patient].results)
                part.derived.update(by_patient[patient].derived)
            yield self.gatherer.assembled(frozenset(together), part, self.pool)

    def watermarks(self) -> dict[str, datetime]:
        """Where every discovery may begin from, once what the sweep asks for is done or queued."""
        began = self.results_crawl.began
        found = {RESULTS: self.results_crawl.watermark(None), OWN: self.own_crawl.watermark(None)}
        found.update(dict.fromkeys(WAKING_TYPES, began))
        return {name: instant for name, instant in found.items() if instant is not None}


def _keep_newest(into: dict[str, JsonObject], resource: JsonObject) -> None:
    """Keep one version of what pages gave twice: the one changed later, else read later."""
    reference = reference_to(resource)
    known = into.get(reference)
    if known is not None and version_of(known) != version_of(resource):
        before, after = last_updated(known), last_updated(resource)
        if before is not None and after is not None and after < before:
            return
    into[reference] = resource


def _in_order(resources: dict[str, JsonObject]) -> tuple[JsonObject, ...]:
    return tuple(resources[reference] for reference in sorted(resources))


def _referenced(resource: JsonObject, element: str, base_url: str) -> Iterator[str]:
    """Give the references in an element that may be one, a list, or of any wrong shape."""
    for written in references(resource.get(element)):
        reference = relative_reference(written, (base_url,))
        if reference is not None:
            yield reference
