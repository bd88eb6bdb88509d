"""Whose derived results are made from which sources, as searches have shown them; for a server that cannot be asked.

A result can be moved to another patient. What was derived from it before stands with the first one, who is to be looked
at too. Lives in the process only: what is lost with it is shown again by one look at all of ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from adapter.fhir.identity import case_identifier
from adapter.fhir.references import reference_to
from adapter.ports import JsonObject, SearchPage
from adapter.sync.reading.pool import referenced
from adapter.sync.references import patient_of


@dataclass
class Owners:
    """Patients by source; `base_url` of the source. `is_whole`: all of ours were shown once."""

    base_url: str
    is_whole: bool = False
    _made_from: dict[str, frozenset[str]] = field(default_factory=dict)
    _patients: dict[str, dict[str, str]] = field(default_factory=dict)

    def of(self, sources: Iterable[str]) -> frozenset[str]:
        """Give the patients who have a derived result from one of these."""
        return frozenset(
            patient for one in sources for patient in self._patients.get(one, {}).values()
        )

    def watching(self, pages: Iterable[SearchPage], *, of_all: bool) -> Iterator[SearchPage]:
        """Give pages of derived results on, noting them; `of_all`: they are all that there are."""
        shown: set[str] = set()
        for page in pages:
            for one in page.matches:
                self._note(one)
            shown.update(map(reference_to, page.matches))
            yield page
        if of_all:
            for derived in self._made_from.keys() - shown:
                self._forget(derived)
            self.is_whole = True

    def _note(self, derived: JsonObject) -> None:
        name, patient = reference_to(derived), patient_of(derived, self.base_url)
        self._forget(name)
        if case_identifier(derived) is None or patient is None:
            return
        if derived.get("status") == "entered-in-error":
            return
        sources = frozenset(referenced(derived, "derivedFrom", self.base_url))
        self._made_from[name] = sources
        for source in sources:
            self._patients.setdefault(source, {})[name] = patient

    def _forget(self, derived: str) -> None:
        for source in self._made_from.pop(derived, frozenset()):
            patients = self._patients.get(source, {})
            patients.pop(derived, None)
            if not patients:
                self._patients.pop(source, None)
