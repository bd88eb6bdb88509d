"""What a search asks of a resource, as typed values that become SQL conditions with parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

Arguments = list[str | int]


class Match(Protocol):
    """One condition on a resource of a known type."""

    def sql(self, resource_type: str) -> tuple[str, Arguments]:
        """Return a condition on the table `version`, and the values for its parameters."""


@dataclass(frozen=True, slots=True)
class IdMatch:
    """The logical id is one of these."""

    ids: tuple[str, ...]

    def sql(self, _resource_type: str) -> tuple[str, Arguments]:
        """Return the condition."""
        return f"logical_id IN ({_marks(self.ids)})", list(self.ids)


@dataclass(frozen=True, slots=True)
class UpdatedMatch:
    """The last update lies in one of these ranges of microseconds; an end of None is open.

    A range holds its lower end and not its upper one.
    """

    ranges: tuple[tuple[int | None, int | None], ...]

    def sql(self, _resource_type: str) -> tuple[str, Arguments]:
        """Return the condition."""
        alternatives, arguments = [], Arguments()
        for low, high in self.ranges:
            alternatives.append("(last_updated >= ? AND last_updated < ?)")
            arguments += [low if low is not None else -(2**62), high if high is not None else 2**62]
        return "(" + " OR ".join(alternatives) + ")", arguments


@dataclass(frozen=True, slots=True)
class IndexMatch:
    """One indexed value is one of the alternatives.

    `pairs` are (system, value), `values` any system, `systems` any value, `prefixes` what the value
    begins with. Kept apart, so that long lists stay flat: SQLite refuses an OR of a thousand.
    """

    parameter: str
    pairs: tuple[tuple[str, str], ...] = ()
    values: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()

    def sql(self, resource_type: str) -> tuple[str, Arguments]:
        """Return the condition."""
        alternatives, arguments = list[str](), Arguments([resource_type, self.parameter])
        if self.pairs:
            rows = ",".join(["(?,?)"] * len(self.pairs))
            alternatives.append(f"(system, value) IN (VALUES {rows})")
            arguments += [part for pair in self.pairs for part in pair]
        if self.values:
            alternatives.append(f"value IN ({_marks(self.values)})")
            arguments += self.values
        if self.systems:
            alternatives.append(f"system IN ({_marks(self.systems)})")
            arguments += self.systems
        if self.prefixes:
            rows = ",".join(["(?)"] * len(self.prefixes))
            alternatives.append(
                f"EXISTS (SELECT 1 FROM (VALUES {rows}) AS given"  # noqa: S608 - marks only
                " WHERE substr(value, 1, length(given.column1)) = given.column1)"
            )
            arguments += self.prefixes
        either = " OR ".join(alternatives)
        return (
            "logical_id IN (SELECT logical_id FROM indexed"  # noqa: S608 - marks only
            f" WHERE resource_type = ? AND parameter = ? AND ({either}))",
            arguments,
        )


def _marks(values: Sequence[str]) -> str:
    return ",".join("?" * len(values))
