"""Reads by id, so that one resource which a server does not show stops nobody who does not need it.

An error is of one resource only where another one of its type is answered just then. Else it is of the server, or of
what the account may read, and is raised as any error of the server: nobody may be decided on what is left.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from adapter.errors import PermanentServerError, ServerError, TemporaryServerError
from adapter.fhir.references import reference_to
from adapter.ports import FhirServer, Read, RefusedResource

NOT_SHOWN: Final = "not-shown"
"""Reason code of what the server does not show, before the status it answers."""
_OF_EVERYBODY: Final = frozenset({401, 408, 425, 429})
"""Statuses of a token that has ended and of a server that asks for time; no status is a connection that was lost."""
_OTHERS: Final = 3
"""So many others are tried of each origin, in case that one person's are all protected; one where it takes long."""
_LOOKED_AMONG: Final = "20"


@dataclass
class Reads:
    """Reads one server; `answered`: of each type the resource that was read last.

    `shown`: what was there once of that which results lead to; kept in the process only.
    """

    server: FhirServer
    answered: dict[str, str] = field(default_factory=dict)
    shown: set[str] = field(default_factory=set)

    def read_all(self, references: Sequence[str], at_hand: Iterable[str] = ()) -> dict[str, Read]:
        """Read many, as the port does; what the server answers with an error is given as refused.

        Args:
            references: what to read.
            at_hand: what a search has shown, to see by it whether others are answered.

        Raises: ServerError as the port says, where it is not of one resource.

        """
        try:
            found = self.server.read_all(references)
        except ServerError as error:
            if _is_of_everybody(error):
                raise
            return self._one_by_one(references, [*at_hand, *references])
        self._note(found)
        return found

    def _one_by_one(self, references: Sequence[str], at_hand: Collection[str]) -> dict[str, Read]:
        found: dict[str, Read] = {}
        alive: set[str] = set()
        for reference in references:
            kind, read = _kind_of(reference), self._one(reference)
            if not isinstance(read, ServerError):
                found[reference] = read
                self._note({reference: read})
                alive.add(kind)
                continue
            found[reference] = _not_shown(reference, read)
            # After each failure anew: the server may go away while it is read.
            if kind not in alive:
                denied = {one for one, seen in found.items() if _is_not_shown(seen)}
                most = 1 if isinstance(read, TemporaryServerError) else _OTHERS
                if not self._answers_another(kind, denied, at_hand, most):
                    raise read
            alive.discard(kind)
        return found

    def _answers_another(
        self, kind: str, but: Collection[str], at_hand: Iterable[str], most: int
    ) -> bool:
        """Tell whether one of those at hand is read, or of those that a search of the type shows."""
        last = self.answered.get(kind)
        known = dict.fromkeys([*([last] if last else ()), *sorted(at_hand)])
        near = [one for one in known if _kind_of(one) == kind and one not in but][:most]
        if any(map(self._is_answered, near)):
            return True
        far = (one for one in self._shown(kind) if one not in but and one not in near)
        return any(map(self._is_answered, islice(far, most)))

    def _is_answered(self, reference: str) -> bool:
        return not isinstance(self._one(reference), ServerError)

    def _shown(self, kind: str) -> Iterator[str]:
        """Find some of a type; none where that cannot be asked."""
        try:
            page = next(iter(self.server.search(kind, [("_count", _LOOKED_AMONG)])), None)
        except PermanentServerError as error:
            if _is_of_everybody(error):
                raise
            return
        yield from map(reference_to, page.matches if page is not None else ())

    def _one(self, reference: str) -> Read | ServerError:
        try:
            return self.server.read_all([reference])[reference]
        except ServerError as error:
            if _is_of_everybody(error):
                raise
            return error

    def _note(self, found: dict[str, Read]) -> None:
        self.answered.update(
            (_kind_of(reference), reference)
            for reference, read in found.items()
            if isinstance(read, dict)
        )


def hidden(reference: str, code: str, status: int | None) -> RefusedResource:
    """Say of a resource that it may be there and is not shown."""
    kind, _, logical_id = reference.partition("/")
    known = {"resourceType": kind, "id": logical_id}
    return RefusedResource(known, code or f"{NOT_SHOWN}-{status}", status=status)


def _not_shown(reference: str, error: ServerError) -> RefusedResource:
    return hidden(reference, error.code, error.status)


def _is_not_shown(read: Read) -> bool:
    return isinstance(read, RefusedResource) and read.status is not None


def _is_of_everybody(error: ServerError) -> bool:
    return error.status is None or error.status in _OF_EVERYBODY


def _kind_of(reference: str) -> str:
    return reference.partition("/")[0]
