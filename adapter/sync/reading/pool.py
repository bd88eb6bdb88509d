"""What searches have brought: one version of each resource, and who lists whom. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from adapter.fhir.identity import case_identifier, is_own, relative_reference
from adapter.fhir.references import reference_to
from adapter.fhir.shapes import references, string
from adapter.ports import JsonObject, RefusedResource, SearchPage
from adapter.sync.reading.search_params import last_updated
from adapter.sync.references import patient_of, version_of

_HIDDEN: Final = "the server does not show"
_WHAT_TO_DO: Final = (
    "nothing is decided without it: let the account read it, or have it mended at the server"
)


@dataclass(frozen=True)
class Gathered:
    """What is known of some patients now.

    `results`: HER2 candidates, the newest version of each. `related`: specimens, reports, panels,
    conditions and orders around them. `derived`: our own derived Observations, references relative
    to the source. `gone`: sources of derived ones that could not be read twice, far enough apart;
    `unconfirmed`: those that could not be read so far. `own_found`: how many of our own a search
    for results brought. `others`: patients whose derived result names one of these results, because
    it was theirs before. `narratives`: reports whose text names HER2. `unread`: why nothing of these
    patients could be read, else "". `refused`: what of them, or of nobody here, is no strict JSON or not shown.
    """

    patients: frozenset[str]
    results: tuple[JsonObject, ...] = ()
    related: tuple[JsonObject, ...] = ()
    derived: tuple[JsonObject, ...] = ()
    gone: frozenset[str] = frozenset()
    unconfirmed: frozenset[str] = frozenset()
    own_found: int = 0
    narratives: tuple[JsonObject, ...] = ()
    others: frozenset[str] = frozenset()
    unread: str = ""
    refused: tuple[RefusedResource, ...] = ()

    @classmethod
    def spoiled(cls, patients: Iterable[str]) -> Gathered:
        """Say of patients that a result of theirs came in a form that nothing may be decided from."""
        why = "a result came without a valid id, or shortened by the server; nothing is decided without it"
        return cls(frozenset(patients), unread=why)

    @classmethod
    def fails(cls, patient: str, failing: RefusedResource) -> Gathered:
        """Say of a patient that every search for their results fails, while those of others are given."""
        why = f"the server fails at searches for their results ({failing.code}); {_WHAT_TO_DO}"
        return cls(frozenset({patient}), unread=why, refused=(failing,))

    @classmethod
    def held_back(cls, patient: str, refused: Iterable[RefusedResource]) -> Gathered:
        """Say of a patient that something which their results need cannot be had."""
        known = tuple(sorted(refused, key=lambda one: reference_to(one.known)))
        spoilt = ", ".join(_said(one) for one in known if one.status is None)
        hidden = ", ".join(_said(one) for one in known if one.status is not None)
        why = (
            *([f"no strict JSON: {spoilt}; nothing is decided without it"] if spoilt else ()),
            *([f"{_HIDDEN} {hidden}; {_WHAT_TO_DO}"] if hidden else ()),
        )
        return cls(frozenset({patient}), unread="; ".join(why), refused=known)


@dataclass
class Pool:
    """What searches have brought so far: one version of each resource, and who lists whom."""

    results: dict[str, JsonObject] = field(default_factory=dict)
    derived: dict[str, JsonObject] = field(default_factory=dict)
    related: dict[str, JsonObject] = field(default_factory=dict)
    narratives: dict[str, JsonObject] = field(default_factory=dict)
    listed_by: dict[str, set[str]] = field(default_factory=dict)
    own_found: set[str] = field(default_factory=set)
    spoiled: set[str] = field(default_factory=set)
    """Patients of whom a result was shown that cannot be used: nothing may be decided without it."""
    refused: dict[str, RefusedResource] = field(default_factory=dict)
    """What is no strict JSON or not shown, by its reference."""
    waiting: dict[str | None, set[str]] = field(default_factory=dict)
    """Patient → what is refused of theirs; under None what names no patient of this server."""
    mentioned_by: dict[str, set[str]] = field(default_factory=dict)
    """Reference → what was refused and names it: whether it lists, contains or repeats it is not known."""
    looked_around: set[str] = field(default_factory=set)
    """Panels whose reports were asked for."""

    @property
    def undecided(self) -> set[str]:
        """Patients of whom something came that nothing may be decided without."""
        return self.spoiled | {one for one in self.waiting if one is not None}

    def unread(self, patients: Iterable[str]) -> Iterator[Gathered]:
        """Say of each undecided one of these patients why."""
        asked = set(patients)
        if shown := self.spoiled & asked - self.waiting.keys():
            yield Gathered.spoiled(shown)
        for patient in sorted(asked & {one for one in self.waiting if one is not None}):
            yield Gathered.held_back(patient, self.refused_of(patient))

    def refused_of(self, patient: str | None) -> tuple[RefusedResource, ...]:
        """Give what is refused of a patient; of None what names no patient of this server."""
        return tuple(self.refused[one] for one in sorted(self.waiting.get(patient, ())))

    def add_refused(self, page: SearchPage, base_url: str) -> None:
        """Take in what a page showed and the reader refused: whatever it is, its patient waits."""
        for one in page.refused:
            name = reference_to(one.known)
            self.refused[name] = one
            self.waiting.setdefault(patient_of(one.known, base_url), set()).add(name)
            for written in one.mentions:
                mentioned = relative_reference(written, (base_url,))
                if mentioned is not None:
                    self.mentioned_by.setdefault(mentioned, set()).add(name)

    def add_results(self, page: SearchPage, base_url: str) -> None:
        """Take in a page of candidates with what came along."""
        self.add_refused(page, base_url)
        for resource in page.matches:
            self.add_result(resource)
        for resource in page.included:
            self.add_related(resource, base_url)
        patients = (patient_of(resource, base_url) for resource in page.unusable)
        self.spoiled.update(patient for patient in patients if patient is not None)

    def add_result(self, resource: JsonObject) -> None:
        """Take in a candidate; our own output is counted, and never a candidate."""
        if is_own(resource):
            self.own_found.add(reference_to(resource))
        else:
            _keep_newest(self.results, resource)

    def add_narratives(self, page: SearchPage, base_url: str) -> None:
        """Take in reports and narratives that name HER2."""
        self.add_refused(page, base_url)
        for resource in page.matches:
            _keep_newest(self.narratives, resource)

    def add_own(self, page: SearchPage, base_url: str) -> None:
        """Take in derived results; what does not carry our identifier was not asked for.

        One that is refused stands all the same: another in its place would be a second one.
        """
        self.add_refused(page, base_url)
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
        for listed in referenced(resource, element, base_url):
            self.listed_by.setdefault(listed, set()).add(reference_to(resource))


def _said(refused: RefusedResource) -> str:
    return f"{reference_to(refused.known)} ({refused.code})"


def referenced(resource: JsonObject, element: str, base_url: str) -> Iterator[str]:
    """Give the references in an element that may be one, a list, or of any wrong shape."""
    for written in references(resource.get(element)):
        reference = relative_reference(written, (base_url,))
        if reference is not None:
            yield reference


def _keep_newest(into: dict[str, JsonObject], resource: JsonObject) -> None:
    """Keep one version of what pages gave twice: the one changed later, else read later."""
    reference = reference_to(resource)
    known = into.get(reference)
    if known is not None and version_of(known) != version_of(resource):
        before, after = last_updated(known), last_updated(resource)
        if before is not None and after is not None and after < before:
            return
    into[reference] = resource
