"""What a report shows of a pass beyond its rows: how answers stand to the laboratory's own, and the worklist as it is.

Collected only where somebody asks for it, because each comparison classifies a sample once more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from adapter.her2.compared import compared
from adapter.her2.model import Policy
from adapter.ports import WorklistEntry
from adapter.sync.deciding import Decided
from adapter.sync.planning.plan import Action, Planned
from adapter.sync.planning.worklist import worklist_entries
from adapter.sync.report import ComparedRow
from adapter.sync.tally import row_of
from adapter.terminology.catalogue import Catalogue


@dataclass
class Details:
    """Grows with each patient that a pass looks at."""

    catalogue: Catalogue
    policy: Policy
    compared: list[ComparedRow] = field(default_factory=list)
    worklist: list[WorklistEntry] = field(default_factory=list)

    def look_at(self, decided: Decided) -> None:
        """Take in what was decided for some patients."""
        self.compared.extend(self._compared(decided.planned))
        self.worklist.extend(worklist_entries(decided.reconciled, self.catalogue))

    def _compared(self, planned: Sequence[Planned]) -> Iterator[ComparedRow]:
        for one in planned:
            if one.desired is None or one.action is Action.RETRACT:
                continue
            case, answer = one.desired.case, one.desired.classification
            found = compared(case, answer, self.policy)
            row = row_of(one, answer)
            if found is not None and row is not None:
                yield ComparedRow(row, found)
