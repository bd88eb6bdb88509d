"""Everything the server holds of patients' HER2 results, gathered by patient.

A source that search does not give is read by id before anybody believes that it is gone: search may
lag, or be narrowed by access rules. Nothing here reads what a result means.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import Final

from adapter.errors import ServerError
from adapter.fhir.identity import is_own
from adapter.fhir.references import reference_to
from adapter.fhir.shapes import objects, string
from adapter.ports import Clock, JsonObject, RefusedResource, StateStore
from adapter.sync.options import ReadLimits
from adapter.sync.reading.pool import Gathered, Pool, referenced
from adapter.sync.reading.proving import Proving
from adapter.sync.reading.reads import hidden
from adapter.sync.reading.search_params import within_budget
from adapter.sync.reading.searches import ABOUT_ONE, Searches
from adapter.sync.reading.slices import FAILED
from adapter.sync.references import patient_of

MAX_ROUNDS: Final = 6
"""How far related resources are followed: specimen, its parent, that one's parent, …"""
NOT_FOUND: Final = 404
MOST_FAILING: Final = 50
"""Of so many patients at most a server may fail to give the results; of more it is broken, and no pass goes on."""
_FOLLOWED: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "Observation": (("specimen", "Specimen"), ("focus", "Condition"), ("focus", "Specimen")),
    "Specimen": (("parent", "Specimen"),),
    "DiagnosticReport": (("specimen", "Specimen"),),
}
"""Resource type → elements whose references are read, and of which type they must be."""


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
        wanted, seen = set(patients), set(patients)
        if wanted:
            Proving(self.searches).know_owners()
        while wanted:
            others: set[str] = set()
            for together in self._lists(wanted):
                for gathered in self._together(together):
                    yield gathered
                    others |= gathered.others
            wanted = others - seen
            seen |= wanted

    def _lists(self, wanted: set[str]) -> Iterator[list[str]]:
        """Part them; whom the server failed at before is asked for alone, so that nobody is searched for in vain.

        Once as many fail as may, these come first: who is answered again makes room for another one.
        """
        failing = wanted & self.searches.failing
        alone = [[one] for one in sorted(failing)]
        others = within_budget(sorted(wanted - failing), self._at_most)
        together = (one.split(",") for one in others)
        is_full = len(self.searches.failing) >= MOST_FAILING
        yield from chain(alone, together) if is_full else chain(together, alone)

    def asked_for(self, patients: Iterable[str]) -> Iterator[Gathered]:
        """Gather patients whom somebody named; that all of them are refused fails only where nobody is answered.

        Raises: ServerError as the port says.
        """
        refused = was_read = False
        for gathered in self.patients(patients):
            refused = refused or bool(gathered.unread)
            was_read = was_read or not gathered.unread
            yield gathered
        if refused and not was_read:
            self.searches.see_that_they_answer()

    @property
    def _at_most(self) -> int:
        """How many patients one search names."""
        limit = self.searches.patients_at_once
        wanted = self.limits.patients_at_once
        return wanted if limit is None else min(wanted, limit)

    def _together(self, patients: list[str]) -> Iterator[Gathered]:
        """Gather some patients at once; where the server refuses that or fails at it, find whom it is about."""
        try:
            pool, others = self._searched(patients)
        except ServerError as error:
            if error.status not in ABOUT_ONE:
                raise
            if len(patients) == 1:
                yield self._without(patients[0], error)
                return
            middle = len(patients) // 2
            yield from self._together(patients[:middle])
            yield from self._together(patients[middle:])
        else:
            self._note_answered(patients, pool)
            asked = frozenset(patients) - pool.undecided
            first, *rest = self.completed(asked, self._only(asked, pool), pool)
            yield replace(first, others=others)
            yield from rest
            yield from pool.unread(frozenset(patients) - asked)

    def _without(self, patient: str, error: ServerError) -> Gathered:
        """Leave out a patient whom the server refuses, or at whose results it fails while it gives those of others.

        Raises: the error where nobody else's results are given, or too many are not.
        """
        if error.status != FAILED:
            return Gathered(frozenset({patient}), unread=str(error))
        self.searches.failing.add(patient)
        if len(self.searches.failing) > MOST_FAILING or not self._gives_others():
            self.searches.failing.discard(patient)
            raise error
        return Gathered.fails(patient, hidden(patient, "", error.status))

    def _note_answered(self, patients: Collection[str], pool: Pool) -> None:
        self.searches.failing.difference_update(patients)
        owners = (patient_of(one, self._base_url) for one in pool.results.values())
        shown = next((one for one in owners if one in patients), None)
        self.searches.shown = shown or self.searches.shown

    def _gives_others(self) -> bool:
        """Tell whether the server gives results of somebody else just now, of whom there are some.

        Asked after each failure anew: the server may go away at any time.
        """
        return any(map(self._gives, self.searches.others_to_try()))

    def _gives(self, patient: str) -> bool:
        try:
            pool, _ = self._searched([patient])
        except ServerError as error:
            if error.status not in ABOUT_ONE:
                raise
            return False
        return bool(pool.results)

    def _searched(self, patients: list[str]) -> tuple[Pool, frozenset[str]]:
        """Search for all of some patients; gives who else has a derived result from one of theirs, too."""
        pool, together = Pool(), ",".join(patients)
        of_patients = (self.searches.patient_param or "patient", together)
        for page in self.searches.results([of_patients]):
            pool.add_results(page, self._base_url)
        for page in self.searches.narratives([of_patients]):
            pool.add_narratives(page, self._base_url)
        for page in self.searches.own([self._own_patients(together)]):
            pool.add_own(page, self._base_url)
        decided = frozenset(patients) - pool.undecided
        return pool, self._other_owners(self._only(decided, pool)) - set(patients)

    def _other_owners(self, part: Pool) -> frozenset[str]:
        """Name patients who have a derived result from one of these results.

        A result can be moved to another patient. What was derived from it before would stand with
        the wrong one until the next sweep. The target is asked only about results that nothing of
        their own patient names yet.
        """
        if not self.searches.own_by_source:
            return self.searches.owners.of(part.results)
        named = self._sources(part)
        found: set[str] = set()
        for sources in within_budget(
            map(self.searches.on_target, sorted(part.results.keys() - named))
        ):
            for page in self.searches.own([("derived-from", sources)]):
                shown = (*page.matches, *(one.known for one in page.refused))
                standing = (one for one in shown if one.get("status") != "entered-in-error")
                owners = (patient_of(one, self._base_url) for one in standing)
                found.update(owner for owner in owners if owner is not None)
        return frozenset(found)

    def without_patient(
        self,
        results: Iterable[JsonObject],
        own_found: int = 0,
        refused: Iterable[RefusedResource] = (),
    ) -> Gathered:
        """Wrap results that name no patient of this server: they are counted and named too."""
        kept = tuple(result for result in results if not is_own(result))
        return Gathered(frozenset(), kept, own_found=own_found, refused=tuple(refused))

    @property
    def _base_url(self) -> str:
        return self.searches.source.base_url

    def _own_patients(self, together: str) -> tuple[str, str]:
        """Name the patients as the target knows them: by absolute URL where servers differ."""
        if self.searches.target.base_url == self._base_url:
            return self.searches.patient_param or "patient", together
        return "subject", ",".join(map(self.searches.on_target, together.split(",")))

    def _only(self, patients: frozenset[str], pool: Pool) -> Pool:
        """Keep what is about these patients: a server may return more than was asked for."""

        def kept(resources: dict[str, JsonObject]) -> dict[str, JsonObject]:
            return {
                reference: resource
                for reference, resource in resources.items()
                if patient_of(resource, self._base_url) in patients
            }

        return Pool(
            kept(pool.results),
            kept(pool.derived),
            narratives=kept(pool.narratives),
            own_found=pool.own_found,
        )

    def completed(self, patients: frozenset[str], part: Pool, whole: Pool) -> Iterator[Gathered]:
        """Complete a part of a pool: missing sources first, then what is around the results.

        Where that comes upon what cannot be had, the patients are taken apart until it is known who
        cannot be decided without it. The first of what is given has what the part found of ours.

        Raises: ServerError as the port says.
        """
        found = self._assembled(patients, part, whole)
        if not found.refused:
            yield found
        elif len(patients) == 1:
            yield Gathered.held_back(next(iter(patients)), found.refused)
        else:
            ordered = sorted(patients)
            middle = len(ordered) // 2
            half, other = frozenset(ordered[:middle]), frozenset(ordered[middle:])
            yield from self.completed(half, self._only(half, part), whole)
            rest = replace(self._only(other, part), own_found=set())
            yield from self.completed(other, rest, whole)

    def _assembled(self, patients: frozenset[str], part: Pool, whole: Pool) -> Gathered:
        gone, unconfirmed = self._read_missing_sources(part, patients, whole)
        related = self._related_to(part, whole, patients)
        return Gathered(
            patients=patients,
            results=_in_order(part.results),
            related=_in_order(related),
            derived=_in_order(part.derived),
            gone=gone,
            unconfirmed=unconfirmed,
            own_found=len(part.own_found),
            narratives=_in_order(part.narratives),
            refused=self._needed_of_refused(part, related, whole, patients)
            if whole.refused
            else (),
        )

    def _needed_of_refused(
        self, part: Pool, related: dict[str, JsonObject], whole: Pool, patients: frozenset[str]
    ) -> tuple[RefusedResource, ...]:
        """Give what cannot be had and these results lead to, or leads to them or their panels."""
        around = (*part.results.values(), *related.values())
        needed = self._sources(part).union(*map(self._followed, around))
        met = needed & whole.refused.keys()
        listed = (*part.results, *filter(_is_observation, related))
        met.update(whole.refused.keys() & related.keys())
        met.update(*(whole.mentioned_by.get(one, ()) for one in listed))
        met.update(*(whole.waiting.get(one, ()) for one in patients))
        return tuple(whole.refused[name] for name in sorted(met))

    def _sources(self, part: Pool) -> set[str]:
        """Name what the derived results that stand were made from."""
        return {
            source
            for derived in part.derived.values()
            if derived.get("status") != "entered-in-error"
            for source in referenced(derived, "derivedFrom", self._base_url)
        }

    def _read_missing_sources(
        self, part: Pool, patients: frozenset[str], whole: Pool
    ) -> tuple[frozenset[str], frozenset[str]]:
        named = self._sources(part)
        missing = sorted(named - part.results.keys() - whole.refused.keys())
        present = named & part.results.keys()
        gone: set[str] = set()
        unconfirmed: set[str] = set()
        now = self.clock.now()
        at_hand = [*whole.results, *part.results]
        found = self.searches.reads.read_all(missing, at_hand) if missing else {}
        for reference, resource in found.items():
            if resource is None:
                sure = self._is_confirmed(self.store.note_absent(reference, now), now)
                (gone if sure else unconfirmed).add(reference)
            elif isinstance(resource, RefusedResource):
                present.add(reference)
                whole.refused[reference] = resource
            else:
                present.add(reference)
                if patient_of(resource, self._base_url) in patients and not is_own(resource):
                    part.results[reference] = resource
        if present:
            # Also those that search gave: an absence before counts no more.
            self.store.note_present(sorted(present))
        return frozenset(gone), frozenset(unconfirmed)

    def _is_confirmed(self, first: datetime, now: datetime) -> bool:
        return first < now and (now - first).total_seconds() >= self.limits.absence_confirm_seconds

    def _related_to(
        self, part: Pool, whole: Pool, patients: frozenset[str]
    ) -> dict[str, JsonObject]:
        """Follow references from the results outwards, first in what is held, then by reading."""
        related = dict(_listing(part.results, whole))
        panels = [name for name in related if _is_observation(name) and name not in part.results]
        self._search_around(panels, whole, patients)
        related.update(_listing(panels, whole))
        asked: set[str] = set()
        edge = [*part.results.values(), *related.values()]
        for _ in range(MAX_ROUNDS):
            wanted = {ref for resource in edge for ref in self._followed(resource)}
            wanted -= related.keys() | part.results.keys() | whole.refused.keys() | asked
            if not wanted:
                break
            asked |= wanted
            edge = self._held_or_read(sorted(wanted), whole)
            related.update((reference_to(resource), resource) for resource in edge)
        self._note_shown(asked & related.keys())
        return related

    def _search_around(self, panels: list[str], whole: Pool, patients: frozenset[str]) -> None:
        """Find the reports of panels that are no HER2 results, so that no search has brought what lists them."""
        fresh = [whole.related[name] for name in panels if name not in whole.looked_around]
        whole.looked_around.update(panels)
        of_patients = (self.searches.patient_param or "patient", ",".join(sorted(patients)))
        restriction = [of_patients] if self.searches.by_patient else []
        self.searches.failing.difference_update(map(reference_to, fresh))

        def hide(panel: str, error: ServerError) -> None:
            """Take a panel of which it is not known what lists it for one that is not shown."""
            self.searches.failing.add(panel)
            if len(self.searches.failing) > MOST_FAILING:
                raise error
            whole.refused[panel] = hidden(panel, "", error.status)

        for page in self.searches.around(fresh, restriction, failed=hide):
            whole.add_results(page, self._base_url)

    def _held_or_read(self, wanted: list[str], whole: Pool) -> list[JsonObject]:
        held = [whole.related[reference] for reference in wanted if reference in whole.related]
        unheld = [reference for reference in wanted if reference not in whole.related]
        if not unheld:
            return held
        found = self.searches.reads.read_all(unheld, whole.related)
        refused = {ref: one for ref, one in found.items() if isinstance(one, RefusedResource)}
        whole.refused.update(refused)
        whole.refused.update(self._missed(ref for ref, one in found.items() if one is None))
        read = [one for one in found.values() if isinstance(one, dict)]
        for resource in read:
            whole.add_related(resource, self._base_url)
        return [*held, *(resource for resource in read if not is_own(resource))]

    def _missed(self, references: Iterable[str]) -> Iterator[tuple[str, RefusedResource]]:
        """Give those that were there before and are not known to be gone; a specimen may say which tumour it is of."""
        now = self.clock.now()
        for reference in references:
            if reference not in self.searches.reads.shown:
                continue
            if not self._is_confirmed(self.store.note_absent(reference, now), now):
                yield reference, hidden(reference, "", NOT_FOUND)

    def _note_shown(self, references: Iterable[str]) -> None:
        """Note that these are there: an absence before counts no more."""
        shown = sorted(references)
        self.store.note_present(shown)
        self.searches.reads.shown.update(shown)

    def _followed(self, resource: JsonObject) -> Iterator[str]:
        for element, wanted_type in _FOLLOWED.get(string(resource, "resourceType"), ()):
            for reference in referenced(resource, element, self._base_url):
                if reference.startswith(f"{wanted_type}/"):
                    yield reference
        for extension in objects(resource.get("extension")):
            # mCODE's related condition: the diagnosis a test is about, said beside focus.
            for reference in referenced(extension, "valueReference", self._base_url):
                if reference.startswith("Condition/"):
                    yield reference


def _is_observation(reference: str) -> bool:
    return reference.startswith("Observation/")


def _listing(references: Iterable[str], pool: Pool) -> Iterator[tuple[str, JsonObject]]:
    """Give the reports and panels at hand that list one of these, each with its name."""
    for reference in references:
        for lister in sorted(pool.listed_by.get(reference, ())):
            yield lister, pool.related[lister]


def _in_order(resources: dict[str, JsonObject]) -> tuple[JsonObject, ...]:
    return tuple(resources[reference] for reference in sorted(resources))
