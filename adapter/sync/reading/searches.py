"""The searches in use: which ones this server is trusted with (`proving`), and how they are asked.

Nothing here decides what a result means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Final

from adapter.errors import ParameterDropped, PermanentServerError, ServerError, TemporaryServerError
from adapter.fhir.identity import is_own
from adapter.fhir.references import reference_to
from adapter.ports import Clock, FhirServer, JsonObject, PatientList, SearchPage, SearchParams
from adapter.sync.options import DiscoverBy, LaboratorySweep, ReadLimits
from adapter.sync.parts import Parts
from adapter.sync.reading.forms import LABORATORY, Forms
from adapter.sync.reading.owners import Owners
from adapter.sync.reading.reads import Reads
from adapter.sync.reading.search_params import Params, names_some, within_budget
from adapter.sync.reading.slices import FAILED, WholeSearch
from adapter.sync.reading.totals import Totals
from adapter.sync.reading.trial import Trial
from adapter.sync.reading.unread import Unread
from adapter.sync.reading.wanted import Wanted
from adapter.sync.references import patient_of
from adapter.terminology.systems import CASE_IDENTIFIER_SYSTEM

OTHERS_TRIED: Final = 2
"""So many patients, besides the last one shown, by whom it is seen whether results are given."""
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


def _raised(_reference: str, error: ServerError) -> None:
    raise error


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

    def see_that_they_answer(self) -> None:
        """Ask both servers for a result of ours, anybody's, where they refuse every patient who was asked for.

        Raises: ServerError as the port says: it is not those patients that are refused, but who asks.
        """
        is_one = self.source.base_url == self.target.base_url
        for server in (self.source,) if is_one else (self.source, self.target):
            Trial(server, clock=self.clock).a_page(self.own_params)

    def trial_of_target(self) -> Trial:
        """Try searches on the target."""
        return Trial(self.target, clock=self.clock)

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
        self,
        panels: Sequence[JsonObject],
        restriction: SearchParams = (),
        *,
        failed: Callable[[str, ServerError], None],
    ) -> Iterator[SearchPage]:
        """Find the reports that list panels, given as what comes along; where they cannot be asked for, warn.

        `failed`: told of each panel whose reports the server fails (500) to give.
        """
        if not any(value == REPORTS for _, value in self.includes):
            return
        try:
            fresh = {reference_to(one): one for one in panels}
            for page in self._around(fresh, restriction, failed):
                yield replace(page, matches=(), unusable=())
        except PermanentServerError as error:
            if error.status not in _NOT_OFFERED:
                raise
            self.warn("reports that list panels of other tests cannot be asked for")

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
            self.warn(f"{kind} cannot be searched by code: its narratives are not looked at")

    def own(self, restriction: SearchParams = (), *, is_all: bool = False) -> Iterator[SearchPage]:
        """Find derived Observations of this adapter, of any namespace and policy.

        `is_all`: the restriction leaves none out that the target can give.
        """
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
        return self.owners.watching(pages, of_all=is_all or not restriction)

    def some_owners(self) -> Iterator[str]:
        """Name patients of whom a result of ours stands; none where the target fails at that too.

        Raises: ServerError as the port says, where it is another failure.
        """
        try:
            page = self.trial_of_target().a_page(self.own_params)
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
            self.warn(
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
        self,
        fresh: dict[str, JsonObject],
        restriction: SearchParams,
        failed: Callable[[str, ServerError], None] = _raised,
    ) -> Iterator[SearchPage]:
        """Ask for what is around some results; they themselves are at hand already."""
        for ids in within_budget(str(one["id"]) for one in fresh.values()):
            for page in self._around_these(ids.split(","), restriction, failed):
                yield replace(
                    page, matches=tuple(one for one in page.matches if reference_to(one) in fresh)
                )

    def _around_these(
        self, ids: list[str], restriction: SearchParams, failed: Callable[[str, ServerError], None]
    ) -> Iterator[SearchPage]:
        """Ask for what is around these; where the server fails at that, for half of them, down to one.

        Where they are those of some patients, these are asked for in halves (gather.py).
        """
        try:
            yield from self._with_includes([("_id", ",".join(ids)), *restriction, self._count])
        except TemporaryServerError as error:
            if error.status != FAILED or (failed is _raised and names_some(restriction)):
                raise
            if len(ids) == 1:
                failed(f"Observation/{ids[0]}", error)
                return
            middle = len(ids) // 2
            yield from self._around_these(ids[:middle], restriction, failed)
            yield from self._around_these(ids[middle:], restriction, failed)

    def _spoiled(self, page: SearchPage) -> tuple[JsonObject, ...]:
        return tuple(filter(self._is_wanted, page.unusable))

    def _is_wanted(self, resource: JsonObject) -> bool:
        return self.wanted.is_candidate(resource)

    @property
    def _count(self) -> tuple[str, str]:
        return "_count", str(self.page_size)

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
                self.warn(f"the server refuses {self.includes[-1][1]}: not asked for")
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

    def warn(self, words: str) -> None:
        """Say in words what these searches do not do, once."""
        if words not in self.warnings:
            self.warnings.append(words)
