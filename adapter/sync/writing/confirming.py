"""What was stored is held against what was sent: content, version, and that it stands once. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from adapter.fhir.record.edits import edits_of
from adapter.fhir.references import reference_to
from adapter.ports import EntryOutcome, JsonObject
from adapter.sync.planning.plan import Action, Planned
from adapter.sync.references import version_of
from adapter.sync.strategy import WriteStrategy
from adapter.sync.writing.delivery import Delivered, Delivery
from adapter.terminology.output import OutputCodes

IF_MATCH_IGNORED: Final = "if-match-ignored"
"""Signal: the server wrote over another version than the one that the write was held to."""
DUPLICATE_MADE: Final = "duplicate-made"
"""Signal: a conditional write of ours made a second resource; the next look repairs it."""
UNEXPECTED_UPDATE: Final = "unexpected-update"
"""Somebody else has created it meanwhile."""
NOT_WRITTEN: Final = "conditional-create-met"
"""A conditional create met what another writer has made, and has written nothing; its Provenance tells of nothing."""


@dataclass(frozen=True)
class Landed:
    """A derived Observation as it stands: "Observation/<id>", and its versionId, "" where the server names none."""

    reference: str
    version: str


@dataclass(frozen=True)
class Confirmed:
    """What a look at one case gave.

    `landed`: None where something else was stored. `again`: why it is to be looked at again, else "".
    """

    landed: Landed | None
    again: str = ""


@dataclass(frozen=True)
class Confirming:
    """Confirms what was delivered; `strategy`: how new results get their ids. `output`: our codings."""

    delivery: Delivery
    strategy: WriteStrategy
    output: OutputCodes

    def of(self, batch: Sequence[Planned], delivered: Delivered) -> list[Confirmed]:
        """Look at every case of a bundle that landed.

        Raises: ServerError as the port says.
        """
        outcomes = delivered.outcomes
        answers = outcomes[::2] if len(outcomes) == 2 * len(batch) else ()
        returned = [answers[at].resource if answers else None for at in range(len(batch))]
        given = [one for one in batch if self._is_given(one)]
        read = self.delivery.lookup.by_id(
            [
                one.key
                for one, stored in zip(batch, returned, strict=True)
                if stored is None and one not in given
            ]
        )
        copies = self.delivery.lookup.by_identifier([one.key for one in given]) if given else {}
        found = []
        for at, planned in enumerate(batch):
            several = copies.get(planned.key, [])
            stored = returned[at] or read.get(planned.key) or next(iter(several), None)
            found.append(self._one(planned, stored, several, answers[at] if answers else None))
        return found

    def _is_given(self, planned: Planned) -> bool:
        """Whether the server has given the id."""
        return planned.action is Action.CREATE and not self.strategy.chooses_ids

    def _creates_if_none(self, planned: Planned) -> bool:
        return planned.action is Action.CREATE and self.strategy is WriteStrategy.CONDITIONAL_CREATE

    def _is_as_sent(self, stored: JsonObject, planned: Planned) -> bool:
        """Tell whether it says what was sent, and nothing beside that; a server that adds such is not fought."""
        is_result = planned.action in (Action.CREATE, Action.UPDATE) and planned.body is not None
        if is_result and edits_of(stored, planned.body or {}, self.output):
            return False
        return self.delivery.says(stored, planned.fingerprint)

    def _one(
        self,
        planned: Planned,
        stored: JsonObject | None,
        copies: Sequence[JsonObject],
        answer: EntryOutcome | None,
    ) -> Confirmed:
        if stored is None or not self._is_as_sent(stored, planned):
            is_met = self._creates_if_none(planned) and answer is not None and answer.status == 200
            return Confirmed(None, again=NOT_WRITTEN if is_met else "")
        landed = Landed(reference_to(stored), version_of(stored) or "")
        if len(copies) > 1:
            return Confirmed(landed, again=DUPLICATE_MADE)
        if _is_not_next(planned.replaced, landed.version):
            return Confirmed(landed, again=IF_MATCH_IGNORED)
        is_met = planned.action is Action.CREATE and answer is not None and answer.status == 200
        return Confirmed(landed, again=UNEXPECTED_UPDATE if is_met else "")


def _is_not_next(replaced: str | None, version: str) -> bool:
    """Tell whether another version came in between, where versions are counted."""
    if replaced is None or not (replaced.isdecimal() and version.isdecimal()):
        return False
    return int(version) > int(replaced) + 1
