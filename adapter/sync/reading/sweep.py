"""A full sweep: every HER2 result and every derived one, read in big pages and grouped here.

The healer of whatever discovery missed, and the first pass of a site. It gathers nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from adapter.errors import PermanentServerError
from adapter.ports import JsonObject, SearchPage
from adapter.sync.reading.discover import NARRATIVES, OWN, RESULTS, WAKING_TYPES, Crawl
from adapter.sync.reading.gather import Gatherer
from adapter.sync.reading.landmarks import Landmark
from adapter.sync.reading.pool import Gathered, Pool
from adapter.sync.reading.searches import Searches
from adapter.sync.references import patient_of

_REFUSALS: Final = frozenset({400, 405, 422, 501})
"""How servers refuse a search that names no patient."""
WITHOUT_PATIENT: Final = (
    "it refuses searches that name no patient, and passes by what changed need them: "
    "set poll.discovery to patients or requests (docs/integrate.md)"
)


def results_of_everybody(
    searches: Searches, *, alone: bool = False, seen: Callable[[SearchPage], None] = lambda _: None
) -> Iterator[SearchPage]:
    """Find the HER2 results of everybody; arguments as `Searches.results`.

    Raises: ServerError as the port says; where the first search is refused it says what to set.
    """
    has_answered = False
    try:
        for page in searches.results(alone=alone, seen=seen):
            has_answered = True
            yield page
    except PermanentServerError as error:
        if has_answered or error.status not in _REFUSALS:
            raise
        raise PermanentServerError(
            f"{error}; {WITHOUT_PATIENT}", status=error.status, code=error.code
        ) from error


def read_everything(gatherer: Gatherer) -> Sweep:
    """Read every HER2 result and every derived one.

    Raises: ServerError as the port says.
    """
    searches = gatherer.searches
    pool, results, own = Pool(), Crawl(), Crawl()
    for page in results_of_everybody(searches, seen=results.noting(gatherer.clock)):
        pool.add_results(page, searches.source.base_url)
    for page in searches.own():
        own.note(page, gatherer.clock.now())
        pool.add_own(page, searches.source.base_url)
    for page in searches.narratives():
        pool.add_narratives(page, searches.source.base_url)
    return Sweep(gatherer, pool, results, own)


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
        for reference, resource in self.pool.narratives.items():
            patient = patient_of(resource, base_url)
            if patient is not None:
                by_patient.setdefault(patient, Pool()).narratives[reference] = resource
        nobodys = self.pool.refused_of(None)
        yield self.gatherer.without_patient(without, len(self.pool.own_found), nobodys)
        undecided = self.pool.undecided
        yield from self.pool.unread(undecided)
        patients = sorted(by_patient.keys() - undecided)
        size = self.gatherer.limits.patients_at_once
        for start in range(0, len(patients), size):
            together = patients[start : start + size]
            part = Pool()
            for patient in together:
                part.results.update(by_patient[patient].results)
                part.derived.update(by_patient[patient].derived)
                part.narratives.update(by_patient[patient].narratives)
            yield from self.gatherer.completed(frozenset(together), part, self.pool)

    def watermarks(self) -> dict[str, datetime]:
        """Where every discovery may begin from, once what the sweep asks for is done or queued."""
        others = self.results_crawl.watermark_of_others()
        found = {RESULTS: self.results_crawl.watermark(None), OWN: self.own_crawl.watermark(None)}
        found.update(dict.fromkeys((*WAKING_TYPES, NARRATIVES), others))
        return {name: instant for name, instant in found.items() if instant is not None}

    def landmarks(self) -> dict[str, Landmark]:
        """Give the newest result, and the newest of ours, that it saw."""
        found = {RESULTS: self.results_crawl.newest, OWN: self.own_crawl.newest}
        return {name: landmark for name, landmark in found.items() if landmark is not None}
