"""What a token allows beside what was asked for; pure.

SMART writes a permission as `system/Observation.rs`: a type (or `*`) and letters of `cruds`. Version
1 wrote `.read`, `.write` and `.*`. A server may grant the same in other words, so both sides are
taken apart into one letter on one type. A scope with a query (`system/Observation.rs?category=…`)
allows less than its letters say, so it counts as not granted.

Source: SMART App Launch 2.2, scopes-and-launch-context, "FHIR resource scopes".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_LETTERS = "cruds"
_SCOPE = re.compile(r"system/(\*|[A-Z][A-Za-z]{1,63})\.(read|write|\*|c?r?u?d?s?)(\?.*)?")
_VERSION_1 = {"read": "rs", "write": "cud", "*": _LETTERS}
_ANY = "*"

_Permission = tuple[str, str]
"""A resource type and one letter; a scope that is not of this form stands whole, with no letter."""


@dataclass(frozen=True)
class ScopeReport:
    """What was asked and what was granted, as texts; `granted` is None when the server did not say.

    `missing`: asked, and not granted or only in part. `extra`: granted, and never asked for.
    """

    asked: tuple[str, ...]
    granted: tuple[str, ...] | None
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """One word: "as-asked", "fewer", "more" or "not-told"."""
        if self.granted is None:
            return "not-told"
        if self.missing:
            return "fewer"
        return "more" if self.extra else "as-asked"


def compare(asked: Iterable[str], granted: str | None) -> ScopeReport:
    """Hold the scopes of a token against those asked for.

    `granted`: the text of the token's answer, parted by blanks; None or "" when it has none.
    """
    wanted = tuple(asked)
    if not granted or not granted.split():
        return ScopeReport(wanted, None)
    given = tuple(granted.split())
    allowed, needed = _permissions(given), _permissions(wanted)
    return ScopeReport(
        asked=wanted,
        granted=given,
        missing=_written(one for one in needed if not _covers(allowed, one)),
        extra=_written(one for one in allowed if not _covers(needed, one)),
    )


def _permissions(scopes: Iterable[str]) -> set[_Permission]:
    found: set[_Permission] = set()
    for scope in scopes:
        parts = _SCOPE.fullmatch(scope)
        if parts is None or not parts[2]:
            found.add((scope, ""))
        elif not parts[3]:
            found |= {(parts[1], letter) for letter in _VERSION_1.get(parts[2], parts[2])}
    return found


def _covers(held: set[_Permission], one: _Permission) -> bool:
    return one in held or (one[1] != "" and (_ANY, one[1]) in held)


def _written(permissions: Iterable[_Permission]) -> tuple[str, ...]:
    """Write permissions as scopes again, one for each type, sorted."""
    letters: dict[str, str] = {}
    for name, letter in sorted(permissions, key=lambda one: (one[0], _LETTERS.find(one[1]))):
        letters[name] = letters.get(name, "") + letter
    return tuple(f"system/{name}.{text}" if text else name for name, text in letters.items())
