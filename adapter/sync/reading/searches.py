"""The searches in use: which ones this server is trusted with, and how they are asked.

A search is proved on a resource known to match, because HAPI answers an unknown modifier, and
Medplum an unknown parameter, with an empty 200. One that fails is not used, and `warnings` says so
in words. Nothing here decides what a result means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Final

from adapter.errors import ParameterDropped, PermanentServerError, ServerError, TemporaryServerError
from adapter.fhir.identity import is_own, relative_reference
from adapter.fhir.references import reference_to
from adapter.fhir.shapes import child, string
from adapter.ports import Clock, FhirServer, JsonObject, PatientList, SearchPage, SearchParams
from adapter.sync.options import DiscoverBy, LaboratorySweep, ReadLimits
from adapter.sync.parts import Parts
from adapter.sync.reading.forms import LABORATORY, FormChoice, Forms
from adapter.sync.reading.owners import Owners
from adapter.sync.reading.pool import referenced
from adapter.sync.reading.reads import Reads
from adapter.sync.reading.search_params import Params, at_or_after, last_updated, within_budget
from adapter.sync.reading.slices import FAILED, WholeSearch
from adapter.sync.reading.totals import Totals
from adapter.sync.reading.trial import Trial
from adapter.sync.reading.unread import Unread
from adapter.sync.reading.wanted import Wanted
from adapter.sync.references import patient_of
from adapter.terminology.systems import ADAPTER_SYSTEM, CASE_IDENTIFIER_SYSTEM

EVER: Final = "ge1970-01-01T00:00:00.000Z"
"""A `_lastUpdated` that leaves nothing out."""
MOST_TRIED: Final = 10
"""Of so many patients of a list the results are looked for, to prove the searches on one of them."""
MOST_FAILED_AT: Final = 2
"""At so many of these a server may fail; at more it is the server, which is not asked for the others."""
OTHERS_TRIED: Final = 2
"""So many patients, besides the last one shown, by whom it is seen whether results are given."""
NOBODY: Final = "Patient/zz-no-such-patient"
"""A patient that no server has."""
NO_RESULT: Final = "Observation/zz-no-such-result"
"""A result that no server has."""
FORBIDDEN: Final = 403
OF_ONE: Final = frozenset({400, FORBIDDEN, 404, 410, 422})
"""Statuses by which a server refuses one patient and not who asks: a protected record, an id that it does not know."""
ABOUT_ONE: Final = OF_ONE | {FAILED}
"""Statuses that may be about one patient: refused, or at whose results a server fails."""
_NOT_OFFERED: Final = frozenset({400, FORBIDDEN, 404, 405, 422, 501})
"""How servers say that they do not search a type in this way; scopes may allow reads and no search."""
REPORTS: Final = "DiagnosticReport:result"
INCLUDES: Final[Params] = [
    ("_include", "Observation:specimen"),
    ("_revinclude", REPORTS),
    ("_revinclude", "Observation:has-member"),
]
"""What is asked along with results; what a server does not bring is read by id where it is
named.
"""


def _unwatched(_page: SearchPage) -> None:
    """Take no notice of a page."""


@dataclass
class Searches:
    """How HER2 results and our own derived Observations are found on one pair of servers.

    `patient_param`, `forms` and `own_params` change when a proof fails; None for `patient_param`
    means that results cannot be asked by patient, so that every pass is a sweep. So does `may_poll`
    when it is False, whatever the proofs say. `patients_at_once`: so many one search may name, None for
    any number. `by_patient`: discovery does not ask the source, which may refuse a search of no patient;
    `listed` then tells whom it may be asked for. `heard`: what the servers said beside their results, in a pass;
    `doubts`: why a result may have been passed over in it. `shown`: a patient of whom results were shown last;
    `failing`: whose the server failed to give when last asked.
    `sweep_failed_at`: when the server last failed at a full sweep, until one is read.
    """

    source: FhirServer
    target: FhirServer
    clock: Clock
    wanted: Wanted = field(default_factory=Wanted)
    page_size: int = 500
    laboratory: LaboratorySweep = LaboratorySweep.AUTO
    reads_narratives: bool = False
    may_poll: bool = True
    by_patient: bool = False
    listed: PatientList | None = None
    incremental: bool = True
    own_incremental: bool = True
    own_proved: bool = False
    own_by_source: bool = False
    own_by_source_proved: bool = False
    patient_param: str | None = "patient"
    patients_at_once: int | None = None
    forms: Forms = field(default_factory=Forms)
    own_params: Params = field(
        default_factory=lambda: [("identifier", f"{CASE_IDENTIFIER_SYSTEM}|")]
    )
    includes: Params = field(default_factory=lambda: list(INCLUDES))
    warnings: list[str] = field(default_factory=list)
    heard: dict[str, None] = field(default_factory=dict)
    doubts: dict[str, None] = field(default_factory=dict)
    shown: str | None = None
    failing: set[str] = field(default_factory=set)
    sweep_failed_at: datetime | None = None
    proved: bool = False

    def __post_init__(self) -> None:
        """Read by id from the same source, and keep what searches show of ours."""
        self.reads = Reads(self.source)
        self.owners = Owners(self.source.base_url)
        self._totals = Totals(self.doubts)
        is_one = self.source.base_url == self.target.base_url
        self._totals_of_own = self._totals if is_one else Totals(self.doubts)
        self._unread = Unread(self._gives_somebody, self.doubts)
        of_target = Unread(lambda: any(self.some_owners()), self.doubts)
        self._unread_of_own = self._unread if is_one else of_target

    def begin_pass(self) -> None:
        """Forget what was heard, which searches did not come to rest and what was left out, in the pass before."""
        self.heard.clear()
        self.doubts.clear()
        self._totals.unsettled = self._totals_of_own.unsettled = 0
        self._unread.begin_pass()
        self._unread_of_own.begin_pass()

    @property
    def is_settled(self) -> bool:
        """Whether every search of this pass came to rest, so that no result was passed over as far as can be told."""
        return not (self._totals.unsettled or self._totals_of_own.unsettled or self.changes_unread)

    @property
    def changes_unread(self) -> int:
        """Of how many slices of time the servers failed to give what changed, in this pass."""
        return len(self._unread.in_pass | self._unread_of_own.in_pass)

    @classmethod
    def of(cls, parts: Parts, limits: ReadLimits) -> Searches:
        """Make those of a whole adapter: its vocabulary on its servers."""
        return cls(
            source=parts.source,
            target=parts.target,
            clock=parts.clock,
            wanted=Wanted.of(parts.catalogue),
            page_size=limits.page_size,
            laboratory=limits.laboratory_sweep,
            reads_narratives=limits.narratives,
            may_poll=limits.incremental,
            by_patient=limits.discovery is not DiscoverBy.CHANGES,
            listed=parts.listed,
        )

    def prepare(self, patients: Sequence[str] = ()) -> None:
        """Choose the forms by what the server says it has, then prove them once.

        Nothing can be proved on a server without a HER2 result: it is tried again at the next pass. So is how ours are
        found, for as long as none of them stands.

        Args:
            patients: whom the searches are for, where one that names no patient may be refused: they are proved
                on results of theirs; none for those on the list.

        Raises: ServerError as the port says, ListUnusable.

        """
        if self.proved:
            if not self.own_proved:
                self.prove_own()
            return
        if self.by_patient:
            self._prepare_for(patients or (self.listed.read().patients if self.listed else ()))
            return
        self.warnings.clear()
        self.incremental = self.may_poll
        known = self._ask_capability()
        self.prove_own()
        choice = FormChoice(Trial(self.source), self.wanted, known, self.laboratory, self._warn)
        unproved = choice.find_samples()
        if not choice.samples and Trial(self.source).refuses([("_lastUpdated", EVER)]):
            self._sweep_only("the server does not search by _lastUpdated")
        of_patient = self._prove_results(choice.samples[0]) if choice.samples else []
        if of_patient:
            self._prove_lists(choice.samples, *of_patient[0])
        self.forms = choice.choose(unproved, of_patient)
        self.proved = bool(choice.samples)

    def _prepare_for(self, patients: Sequence[str]) -> None:
        """Prove the searches on a result of one of these patients.

        Where none of the first few has one the searches are used unproved, one patient at a time, and others
        are tried at the next pass.
        """
        self.warnings.clear()
        self.incremental = False
        self.patients_at_once = 1
        known = self._ask_capability()
        self.prove_own()
        tried = (
            (patient, name) for patient in patients[:MOST_TRIED] for name in ("patient", "subject")
        )
        unproved: tuple[FormChoice, Forms] | None = None
        failing: dict[str, ServerError] = {}
        for patient, name in tried:
            trial = Trial(self.source, ((name, patient),))
            choice = FormChoice(trial, self.wanted, known, self.laboratory, self._warn)
            try:
                forms = choice.find_samples()
            except ServerError as error:
                failing.update({patient: error} if error.status == FAILED else {})
                if error.status not in ABOUT_ONE or len(failing) > MOST_FAILED_AT:
                    raise
                continue  # another patient may show it
            unproved = unproved or (choice, forms)
            # A server that leaves the parameter out in silence shows somebody else's result.
            if any(patient_of(one, self.source.base_url) == patient for one in choice.samples):
                self.patient_param = name
                self.forms = choice.choose(forms, [(name, patient)])
                if self._takes_several(choice.samples[0], name, patient, patients):
                    self.patients_at_once = None
                self.proved = True
                return
        if failing and unproved is None:
            # Nobody has shown what the server searches by: results would be missed in silence.
            raise next(iter(failing.values()))
        self.forms = Forms(tokens=self.wanted.tokens)
        if unproved is not None:
            choice, forms = unproved
            self.forms = choice.choose(forms, [])

    def _takes_several(
        self, sample: JsonObject, name: str, patient: str, patients: Sequence[str]
    ) -> bool:
        """Tell whether a search that names two patients finds the results of either, in any order."""
        other = next((one for one in patients if one != patient), None)
        by_id, trial = ("_id", str(sample["id"])), Trial(self.source)
        try:
            return other is not None and all(
                trial.finds([by_id, (name, together)])
                for together in (f"{patient},{other}", f"{other},{patient}")
            )
        except PermanentServerError as error:
            if error.status not in OF_ONE:
                raise
            return False  # the other's record may be protected, or gone

    def see_that_they_answer(self) -> None:
        """Ask both servers for a result of ours, anybody's, where they refuse every patient who was asked for.

        Raises: ServerError as the port says: it is not those patients that are refused, but who asks.
        """
        is_one = self.source.base_url == self.target.base_url
        for server in (self.source,) if is_one else (self.source, self.target):
            Trial(server).first(self.own_params)

    def _prove_lists(self, samples: Sequence[JsonObject], name: str, patient: str) -> None:
        """Prove that a search may name several patients; else each is asked for alone."""
        owners = (patient_of(one, self.source.base_url) for one in samples)
        others = [one for one in owners if one is not None and one != patient]
        if self._takes_several(samples[0], name, patient, others or [NOBODY]):
            self.patients_at_once = None
            return
        self.patients_at_once = 1
        self._warn(
            "the server does not search results of several patients: each is asked for alone"
        )

    def results(
        self,
        restriction: SearchParams = (),
        *,
        alone: bool = False,
        seen: Callable[[SearchPage], None] = _unwatched,
    ) -> Iterator[SearchPage]:
        """Find HER2 results by code, by name and by category, with what is around them unless `alone`.

        Only candidates are given on, and of what a search by code brought also our own results.
        What a search by name or category finds again is not given again.

        Args:
            restriction: parameters that narrow every search.
            alone: without specimens, reports and panels.
            seen: told of every page of a form as the server gave it, with all that is no candidate.

        """
        found: set[str] = set()
        for params in self._by_code(restriction):
            pages = self._plainly(params) if alone else self._with_includes(params)
            for page in pages:
                seen(page)
                kept = tuple(one for one in page.matches if is_own(one) or self._is_wanted(one))
                found.update(map(reference_to, kept))
                yield replace(page, matches=kept, unusable=self._spoiled(page))
        for params in self._by_name_and_category(restriction):
            for page in self._plainly(params):
                seen(page)
                fresh = {
                    reference_to(one): one
                    for one in page.matches
                    if reference_to(one) not in found and self._is_wanted(one)
                }
                found.update(fresh)
                spoiled = self._spoiled(page)
                if fresh or spoiled or page.refused:
                    matches = tuple(fresh.values())
                    yield replace(page, matches=matches, included=(), unusable=spoiled)
                    yield from () if alone else self._around(fresh, restriction)

    def around(
        self, panels: Sequence[JsonObject], restriction: SearchParams = ()
    ) -> Iterator[SearchPage]:
        """Find the reports that list panels, given as what comes along; where they cannot be asked for, warn."""
        if not any(value == REPORTS for _, value in self.includes):
            return
        try:
            for page in self._around({reference_to(one): one for one in panels}, restriction):
                yield replace(page, matches=(), unusable=())
        except PermanentServerError as error:
            if error.status not in _NOT_OFFERED:
                raise
            self._warn("reports that list panels of other tests cannot be asked for")

    def narratives(
        self,
        restriction: SearchParams = (),
        *,
        seen: Callable[[SearchPage], None] = _unwatched,
    ) -> Iterator[SearchPage]:
        """Find reports and narratives whose text names HER2, by their codes; nothing where not asked for.

        `seen` is told of every page as the server gave it.
        """
        kinds = ("DiagnosticReport", "Observation") if self.reads_narratives else ()
        for kind in kinds:
            for tokens in within_budget(self.wanted.documents):
                params = [("code", tokens), *restriction, self._count]
                for page in self._narrative_pages(kind, params):
                    seen(page)
                    told = tuple(filter(self.wanted.tells_of_her2, page.matches))
                    yield replace(page, matches=told)

    def _narrative_pages(self, kind: str, params: Params) -> Iterator[SearchPage]:
        try:
            yield from self._whole(kind, params)
        except PermanentServerError as error:
            if error.status not in (400, 404):
                raise
            self._warn(f"{kind} cannot be searched by code: its narratives are not looked at")

    def own(self, restriction: SearchParams = ()) -> Iterator[SearchPage]:
        """Find derived Observations of this adapter, of any namespace and policy."""
        params = [*self.own_params, *restriction, self._count]
        search = WholeSearch(
            self.target,
            "Observation",
            params,
            self.clock,
            has_times=self.own_incremental,
            totals=self._totals_of_own,
            unread=self._unread_of_own,
        )
        pages = self._listening(search.pages())
        if self.own_by_source:
            return pages
        return self.owners.watching(pages, of_all=not restriction)

    def some_owners(self) -> Iterator[str]:
        """Name patients of whom a result of ours stands; none where the target fails at that too.

        Raises: ServerError as the port says, where it is another failure.
        """
        try:
            page = next(Trial(self.target).some(self.own_params), ())
        except TemporaryServerError as error:
            if error.status != FAILED:
                raise
            return
        owners = (patient_of(one, self.source.base_url) for one in page)
        yield from (owner for owner in owners if owner is not None)

    def others_to_try(self) -> Iterator[str]:
        """Name a few by whom it is seen whether results are given: not those at whose results the server fails."""
        last = self.shown
        if last is not None and last not in self.failing:
            yield last
        owners = dict.fromkeys(self.some_owners())
        yield from islice((one for one in owners if one not in {last, *self.failing}), OTHERS_TRIED)

    def _gives_somebody(self) -> bool:
        """Tell whether the source gives the results of anybody just now, of whom there are some."""
        return any(map(self._gives, self.others_to_try()))

    def _gives(self, patient: str) -> bool:
        try:
            by_patient = [(self.patient_param or "patient", patient)]
            return any(page.matches for page in self.results(by_patient, alone=True))
        except ServerError as error:
            if error.status not in ABOUT_ONE:
                raise
            return False

    def know_owners(self) -> None:
        """Look at all of ours once, where the target cannot be asked by source whose they are.

        From then on every search shows what changes of it. Where discovery is by patient it is known of whom the walk
        has come to. Raises: ServerError as the port says.
        """
        if self.own_by_source and not self.own_by_source_proved:
            self._prove_by_source()
        if not (self.own_by_source or self.owners.is_whole or self.by_patient):
            for _ in self.own():
                pass

    def _prove_by_source(self) -> None:
        """Prove on one of ours that the target finds it by its source, and not by another."""
        trial = Trial(self.target)
        sample = trial.first(self.own_params) or {}
        source = next(referenced(sample, "derivedFrom", self.source.base_url), None)
        if source is None:
            return  # nothing of ours stands, so that nobody has what was another's before
        by_id = ("_id", str(sample["id"]))
        self.own_by_source = trial.finds([by_id, ("derived-from", self.on_target(source))])
        self.own_by_source &= not trial.finds([by_id, ("derived-from", self.on_target(NO_RESULT))])
        self.own_by_source_proved = True

    def on_target(self, reference: str) -> str:
        """Name a resource of the source as the target knows it: absolute where servers differ."""
        if self.target.base_url == self.source.base_url:
            return reference
        return f"{self.source.base_url}/{reference}"

    def changed(self, resource_type: str, window: str) -> Iterator[SearchPage]:
        """Find resources by `_lastUpdated`; where that cannot be asked for, find nothing and warn.

        A refusal after a page has come is none of the question: what is not read stays to be read.
        """
        params = [("_lastUpdated", window), self._count]
        has_answered = False
        try:
            for page in self._whole(resource_type, params):
                has_answered = True
                yield page
        except PermanentServerError as error:
            is_dropped = isinstance(error, ParameterDropped)
            if has_answered or not (is_dropped or error.status in _NOT_OFFERED):
                raise
            self._warn(
                f"changes of {resource_type} cannot be asked for: they are noticed by full sweeps only"
            )

    def _by_code(self, restriction: SearchParams) -> Iterator[Params]:
        for param in self.forms.code_params:
            for tokens in within_budget(self.forms.tokens):
                yield [(param, tokens), *restriction, self._count]

    def _by_name_and_category(self, restriction: SearchParams) -> Iterator[Params]:
        """Give the searches that bring much that is no HER2 result, and much that is found already."""
        for param in self.forms.name_params:
            for names in within_budget(self.wanted.names):
                yield [(param, names), *restriction, self._count]
        if self.forms.laboratory:
            yield [LABORATORY, *restriction, self._count]

    def _around(
        self, fresh: dict[str, JsonObject], restriction: SearchParams
    ) -> Iterator[SearchPage]:
        """Ask for what is around some results; they themselves are at hand already."""
        for ids in within_budget(str(one["id"]) for one in fresh.values()):
            for page in self._with_includes([("_id", ids), *restriction, self._count]):
                yield replace(
                    page, matches=tuple(one for one in page.matches if reference_to(one) in fresh)
                )

    def _spoiled(self, page: SearchPage) -> tuple[JsonObject, ...]:
        return tuple(filter(self._is_wanted, page.unusable))

    def _is_wanted(self, resource: JsonObject) -> bool:
        return self.wanted.is_candidate(resource)

    @property
    def _count(self) -> tuple[str, str]:
        return "_count", str(self.page_size)

    def _ask_capability(self) -> frozenset[str]:
        """Take from the server's own statement what it searches Observations by."""
        known = self.source.capability().search_params
        is_one = self.source.base_url == self.target.base_url
        of_target = known if is_one else self.target.capability().search_params
        self.own_by_source = "derived-from" in of_target.get("Observation", frozenset())
        self.own_by_source_proved = False
        observation = known.get("Observation", frozenset())
        if known and "result" not in known.get("DiagnosticReport", frozenset()):
            self._drop_include(REPORTS)
        if "has-member" not in observation:
            self._drop_include("Observation:has-member")
        return observation

    def _prove_results(self, sample: JsonObject) -> Params:
        """Prove what every search is narrowed by; gives the one that narrows to the patient."""
        by_id = ("_id", str(sample["id"]))
        changed = last_updated(sample)
        if changed is None:
            self._sweep_only("the server does not say when a result was changed")
        elif not Trial(self.source).finds([by_id, ("_lastUpdated", at_or_after(changed))]):
            self._sweep_only("the server does not search by _lastUpdated")
        reference = string(child(sample, "subject"), "reference")
        subject = relative_reference(reference, (self.source.base_url,))
        if subject is None:
            return []
        for name in ("patient", "subject"):
            if Trial(self.source).finds([by_id, (name, subject)]):
                self.patient_param = name
                return [(name, subject)]
        self.patient_param = None
        self._warn("the server does not search results by patient: every pass is a full sweep")
        return []

    def prove_own(self) -> None:
        """Prove how our own results are found, on one of them; else find them by their tag.

        Raises: ServerError as the port says.
        """
        trial = Trial(self.target)
        tag: Params = [("_tag", f"{ADAPTER_SYSTEM}|derived")]
        sample = trial.first(self.own_params) or trial.first(tag)
        if sample is None:
            return
        self.own_proved = True
        by_id = ("_id", str(sample["id"]))
        if not trial.finds([*self.own_params, by_id]):
            self.own_params = tag
            self._warn(
                "the server does not search identifiers by system: our own results are found by tag"
            )
        changed = last_updated(sample)
        self.own_incremental = (
            not self.by_patient
            and changed is not None
            and trial.finds([*self.own_params, by_id, ("_lastUpdated", at_or_after(changed))])
        )

    def _sweep_only(self, why: str) -> None:
        """Claim no incremental reading: only reading everything notices what was changed."""
        self.incremental = False
        self._warn(f"{why}: every pass is a full sweep")

    def _plainly(self, params: Params) -> Iterator[SearchPage]:
        return self._whole("Observation", params)

    def _with_includes(self, params: Params) -> Iterator[SearchPage]:
        while True:
            try:
                yield from self._whole("Observation", [*params, *self.includes])
            except PermanentServerError as error:
                # Pages already given are given again: gathering keeps one version of each resource.
                if error.status != 400 or not self.includes:
                    raise
                self._warn(f"the server refuses {self.includes[-1][1]}: not asked for")
                self.includes = self.includes[:-1]
            else:
                return

    def _whole(self, resource_type: str, params: Params) -> Iterator[SearchPage]:
        has_times = self.proved and self.incremental
        search = WholeSearch(
            self.source,
            resource_type,
            params,
            self.clock,
            has_times,
            self._totals,
            self._unread,
        )
        return self._listening(search.pages())

    def _listening(self, pages: Iterator[SearchPage]) -> Iterator[SearchPage]:
        """Note what the server says beside its results: that they are incomplete, or what of them is no use."""
        for page in pages:
            self.heard.update(dict.fromkeys(page.warnings))
            yield page

    def _drop_include(self, value: str) -> None:
        self.includes = [include for include in self.includes if include[1] != value]

    def _warn(self, words: str) -> None:
        if words not in self.warnings:
            self.warnings.append(words)
