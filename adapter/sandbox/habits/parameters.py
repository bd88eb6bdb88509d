"""Habits with the parameters of a search: dropped, unknown, capped, and what the self link says."""

from __future__ import annotations

from adapter.sandbox.exchange import Answer, FhirRequest, FhirResponse
from adapter.sandbox.habits.asking import (
    edited_page,
    empty_page,
    is_search,
    link_of,
    pairs_of,
    url_of,
    with_link,
    with_pairs,
)
from adapter.sandbox.habits.habit import Habit, Scene, chosen, whole
from adapter.sandbox.habits.statement import with_resources
from adapter.sandbox.json_text import JsonObject
from adapter.sandbox.outcomes import outcome
from adapter.sandbox.replies import plain_response
from adapter.sandbox.search import ARRANGING
from adapter.sandbox.search_parameters import parameters_of


class LyingSelfLinks(Habit):
    """The self link says what was asked, not what was done."""

    name = "lying-self-links"
    does = "the self link of a search repeats what was asked, also what had no effect"
    seen = "HAPI FHIR (an excessive _count); servers that echo the URL of the request"

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Repeat the question."""
        if not is_search(request):
            return answer(request)
        asked = url_of(request)
        return edited_page(answer(request), lambda page: with_link(page, "self", asked))


class DroppedParameters(Habit):
    """Other patients' results."""

    name = "dropped-parameters"
    does = "the search parameters NAMES (comma separated, * for all that filter) have no effect; self shows it"
    seen = "lenient handling, the default of R4 (search.html, Handling Errors); HAPI issue 5599"
    takes = "NAMES"
    default = "code"

    def __init__(self, value: str, scene: Scene) -> None:
        super().__init__(value, scene)
        self._names = frozenset(value.split(","))

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Search without them."""
        if not is_search(request):
            return answer(request)
        kept = [pair for pair in pairs_of(request) if not self._drops(pair[0])]
        return answer(with_pairs(request, kept))

    def _drops(self, name: str) -> bool:
        plain = name.partition(":")[0]
        return plain in self._names or ("*" in self._names and plain not in ARRANGING)


class SilentUnknowns(Habit):
    """What is not understood finds nothing."""

    name = "silent-unknowns"
    does = "unknown search parameters and modifiers give 200 with nothing found, instead of 400"
    seen = "Medplum (parameters, code:text, _has); HAPI FHIR (modifiers)"
    takes = "all|modifiers"
    default = "all"

    def __init__(self, value: str, scene: Scene) -> None:
        super().__init__(value, scene)
        chosen(value, "all", "modifiers")

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Find nothing."""
        found = answer(request)
        if found.status != 400 or not is_search(request):
            return found
        known = parameters_of(request.path.split("/")[0])
        for name, _ in pairs_of(request):
            plain, colon, _modifier = name.partition(":")
            is_known = plain in known or plain in ARRANGING
            if (is_known and colon) or (not is_known and self.value == "all"):
                return plain_response(200, empty_page(url_of(request)))
        return found


class PatientRequired(Habit):
    """Nobody can ask about everybody."""

    name = "patient-required"
    does = (
        "a search of what belongs to a patient (results, specimens, reports, conditions, orders) is refused with 400 "
        "unless it says patient, subject, _id or identifier"
    )
    seen = (
        "Epic (open.epic.com/Clinical/Observation); Oracle Health (docs.oracle.com, Get a list of "
        "observations)"
    )

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Refuse what names nobody."""
        kind = request.path.partition("/")[0]
        if is_search(request) and kind in _OF_PATIENTS:
            names = {name.partition(":")[0] for name, _ in pairs_of(request)}
            if not names & _NAMES_SOMEBODY:
                return plain_response(400, outcome("required", "a patient is required"))
        return answer(request)


class NoLastUpdated(Habit):
    """Nobody can ask what changed."""

    name = "no-last-updated"
    does = "_lastUpdated is no search parameter and no order: refused with 400, or ignored"
    seen = "Epic (smart-fetch, docs/since.md)"
    takes = "refused|ignored"
    default = "refused"

    def __init__(self, value: str, scene: Scene) -> None:
        super().__init__(value, scene)
        chosen(value, "refused", "ignored")

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Refuse or ignore it."""
        if not is_search(request):
            return answer(request)
        pairs = pairs_of(request)
        kept = [(name, value) for name, value in pairs if not _names_time(name, value)]
        if kept != pairs and self.value == "refused":
            return plain_response(400, outcome("not-supported", "_lastUpdated is not supported"))
        return answer(with_pairs(request, kept))

    def statement(self, statement: JsonObject) -> JsonObject:
        """Say so."""

        def without(resource: JsonObject) -> JsonObject:
            kept = [one for one in resource["searchParam"] if one["name"] != "_lastUpdated"]
            return {**resource, "searchParam": kept}

        return with_resources(statement, without)


_OF_PATIENTS = frozenset(
    {"Observation", "Specimen", "DiagnosticReport", "Condition", "ServiceRequest"}
)
_NAMES_SOMEBODY = frozenset({"patient", "subject", "_id", "identifier"})


def _names_time(name: str, value: str) -> bool:
    return name == "_lastUpdated" or (name == "_sort" and "_lastUpdated" in value)


class CappedCount(Habit):
    """Smaller pages than asked for."""

    name = "capped-count"
    does = "a page holds at most NUMBER results, whatever _count says; the self link repeats what was asked"
    seen = "HAPI FHIR (silently); LinuxForHealth FHIR (1,000); Medplum refuses more than 1,000"
    takes = "NUMBER"
    default = "20"

    def __init__(self, value: str, scene: Scene) -> None:
        super().__init__(value, scene)
        self._limit = whole(value)

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Make the pages smaller."""
        if not is_search(request):
            return answer(request)
        asked = dict(pairs_of(request)).get("_count", str(self._limit + 1))
        if not asked.isdecimal() or int(asked) <= self._limit:
            return answer(request)
        others = [pair for pair in pairs_of(request) if pair[0] != "_count"]
        found = answer(with_pairs(request, [*others, ("_count", str(self._limit))]))

        def pretended(page: JsonObject) -> JsonObject:
            said = link_of(page, "self") or ""
            return with_link(page, "self", said.replace(f"_count={self._limit}", f"_count={asked}"))

        return edited_page(found, pretended)


HABITS: tuple[type[Habit], ...] = (
    LyingSelfLinks,
    SilentUnknowns,
    DroppedParameters,
    PatientRequired,
    NoLastUpdated,
    CappedCount,
)
