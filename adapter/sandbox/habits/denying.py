"""Habits of denying: aloud, or as if there were nothing."""

from __future__ import annotations

from adapter.sandbox.exchange import Answer, FhirRequest, FhirResponse
from adapter.sandbox.habits.asking import empty_page, interaction_of, is_write, url_of
from adapter.sandbox.habits.habit import Habit, Scene, chosen
from adapter.sandbox.outcomes import not_found, outcome
from adapter.sandbox.replies import plain_response
from adapter.sandbox.resource_types import RESOURCE_TYPES


class DeniedAsEmpty(Habit):
    """A narrower scope looks as if all patients had gone."""

    name = "denied-as-empty"
    does = "searches of TYPE find nothing and reads of it give 404, as if access were denied without a word"
    seen = "FHIR R4 security.html, Access Denied Response Handling"
    takes = "TYPE"
    default = "Observation"

    def __init__(self, value: str, scene: Scene) -> None:
        super().__init__(value, scene)
        chosen(value, *sorted(RESOURCE_TYPES))

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Show nothing."""
        if request.path.split("/")[0] != self.value:
            return answer(request)
        match interaction_of(request):
            case "search-type":
                return plain_response(200, {**empty_page(url_of(request)), "total": 0})
            case "read" | "vread" | "history-instance":
                return plain_response(404, not_found(request.path).outcome())
            case _:
                return answer(request)


class Forbidden(Habit):
    """A scope that is missing."""

    name = "forbidden"
    does = "everything with TYPE is answered 403; with the value writes, every write is"
    seen = "every server with SMART scopes; scopes granted may be fewer than those asked for"
    takes = "TYPE|writes"
    default = "writes"

    def __init__(self, value: str, scene: Scene) -> None:
        super().__init__(value, scene)
        chosen(value, "writes", *sorted(RESOURCE_TYPES))

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Refuse it."""
        is_refused = (
            is_write(request)
            if self.value == "writes"
            else request.path.split("/")[0] == self.value
        )
        if not is_refused:
            return answer(request)
        return plain_response(403, outcome("forbidden", "the granted scopes do not allow this"))


HABITS: tuple[type[Habit], ...] = (Forbidden, DeniedAsEmpty)
