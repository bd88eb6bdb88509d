"""In which state that which woke a patient was decided on, so that no change is taken for dealt with unseen.

A search by patient can lag behind the one that told of a change, with all that comes along: specimens, reports, our own
results. Such a change is not dealt with: it wakes its patient again for as long as the overlap shows it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain

from adapter.fhir.references import reference_to
from adapter.sync.reading.discover import Marks
from adapter.sync.reading.pool import Gathered
from adapter.sync.references import mark_of


@dataclass
class Seen:
    """What woke whom, and what was then read; `marks`: patient → the states that discovery saw.

    In a sweep nobody was woken, and nothing is noted. `listed`: report → the results that it lists, as discovery saw
    it. `behind`: how many states were read older than they were told of.
    """

    marks: Mapping[str, Marks]
    listed: Mapping[str, Collection[str]] = field(default_factory=dict)
    behind: int = 0
    _woke: frozenset[str] = frozenset()
    _read: dict[str, str] = field(default_factory=dict)
    _results: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Collect what woke anybody."""
        self._woke = frozenset(chain.from_iterable(self.marks.values()))

    def note(self, gathered: Gathered) -> None:
        """Note in which state it was read."""
        if not self._woke:
            return
        around = (gathered.related, gathered.narratives, gathered.derived)
        self._read.update(
            (name, mark_of(one))
            for one in chain(gathered.results, *around)
            if (name := reference_to(one)) in self._woke
        )
        self._results.update(map(reference_to, gathered.results))

    def dealt_with(self, patients: Iterable[str]) -> Marks:
        """Give the states that woke these patients, but for those that were not among what was read of them."""
        told = {
            reference: mark
            for patient in patients
            for reference, mark in self.marks.get(patient, {}).items()
        }
        behind = {reference for reference, mark in told.items() if self._is_behind(reference, mark)}
        self.behind += len(behind)
        return {reference: mark for reference, mark in told.items() if reference not in behind}

    def _is_behind(self, reference: str, mark: str) -> bool:
        read = self._read.get(reference)
        if read is not None:
            return read != mark
        # A specimen that no result names says nothing of any, and so does a report that lists none of those read.
        is_result = reference.startswith("Observation/")
        return is_result or not self._results.isdisjoint(self.listed.get(reference, ()))
