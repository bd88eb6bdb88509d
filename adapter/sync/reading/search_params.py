"""How values of search parameters are written: escaped, joined within a URL, and times to ask from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

from adapter.fhir.shapes import child, codings, string
from adapter.ports import JsonObject

Params = list[tuple[str, str]]

VALUE_BUDGET: Final = 3000
"""Characters of one parameter's value: two of them stay below the 8 KB at which HAPI refuses a
URL.
"""


def within_budget(values: Iterable[str], limit: int | None = None) -> Iterator[str]:
    """Join values by commas into parameter values that fit a URL, at most `limit` each."""
    part: list[str] = []
    length = 0
    for value in values:
        # Escaped, a separator takes three characters; a token holds at most half a dozen of them.
        cost = 3 * len(value) - 2 * sum(map(str.isalnum, value)) + 3
        if part and (length + cost > VALUE_BUDGET or (limit is not None and len(part) >= limit)):
            yield ",".join(part)
            part, length = [], 0
        part.append(value)
        length += cost
    if part:
        yield ",".join(part)


def escaped(text: str) -> str:
    """Write a text as one value: what parts values and tokens loses its meaning.

    Source: FHIR R4, search.html#escaping.
    """
    return re.sub(r"([\\,|$])", r"\\\1", text)


def token(system: str, code: str) -> str:
    """Write a token; without a system it is the code alone, under any system."""
    return f"{escaped(system)}|{escaped(code)}" if system else escaped(code)


def token_of(concept: object) -> str | None:
    """Give the token of a concept's first coding that has a system; None without one."""
    for coding in codings(concept):
        if string(coding, "system") and string(coding, "code"):
            return token(string(coding, "system"), string(coding, "code"))
    return None


def last_updated(resource: JsonObject) -> datetime | None:
    """Read meta.lastUpdated as an aware UTC instant; None when it is absent or no instant."""
    try:
        instant = datetime.fromisoformat(string(child(resource, "meta"), "lastUpdated"))
        return instant.astimezone(UTC) if instant.tzinfo else None
    except (ValueError, OverflowError):
        return None


def at_or_after(instant: datetime) -> str:
    """Write the value of `_lastUpdated` that includes ties: `ge`, milliseconds cut, UTC."""
    return f"ge{_to_the_millisecond(instant)}"


def before(instant: datetime) -> str:
    """Write the value of `_lastUpdated` that leaves out what `at_or_after` finds."""
    return f"lt{_to_the_millisecond(instant)}"


def begins_at(params: Iterable[tuple[str, str]]) -> datetime | None:
    """Read from when on a search asks for what changed, as `at_or_after` writes it; None where it asks for all."""
    values = (value for name, value in params if name == "_lastUpdated" and value.startswith("ge"))
    return max((datetime.fromisoformat(value[2:]) for value in values), default=None)


def names_some(params: Iterable[tuple[str, str]]) -> bool:
    """Tell whether a search is for some results: those of some patients, by id, or what was made from some."""
    return any(name in ("patient", "subject", "derived-from", "_id") for name, _ in params)


def _to_the_millisecond(instant: datetime) -> str:
    in_utc = instant.astimezone(UTC)
    return f"{in_utc.strftime('%Y-%m-%dT%H:%M:%S')}.{in_utc.microsecond // 1000:03d}Z"
