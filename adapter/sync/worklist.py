"""The worklist of results that could not be read, grouped so that a mapping can be written for them. Pure.

What a laboratory wrote is shown as a shape only: words of the vocabulary stand as they are, every other word
becomes "…" and every digit "9". So no name, identifier or result can reach the worklist.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from adapter.fhir.recognise import Outcome, Recognised
from adapter.ports import UnmappedItem
from adapter.terminology.catalogue import Catalogue

LONGEST_PATTERN: Final = 120
"""Characters; a longer shape is cut, because it tells no more."""
_PARTS: Final = re.compile(r"[^\W\d_]+|\d|\s+|[^\w\s]|_")
_SEVERAL_BLANKS: Final = re.compile(" +")
_SEVERAL_MASKED: Final = re.compile("…[… ]*…")
_KEPT_SIGNS: Final = frozenset("+-%<>=.,:;/()[]")


def unmapped_items(
    recognised: Iterable[Recognised], catalogue: Catalogue, now: datetime
) -> list[UnmappedItem]:
    """Make the worklist's entries of results: those that nobody could read, one entry each.

    A result that is not HER2 is listed only where it holds a code that no row knows.
    """
    listed = [one for one in recognised if _is_listed(one)]
    known = known_words(catalogue) if listed else frozenset()
    return [_item(one, known, now) for one in listed]


def _is_listed(one: Recognised) -> bool:
    if one.outcome is Outcome.UNREADABLE:
        return True
    return one.outcome is Outcome.NOT_HER2 and bool(one.unknown)


def _item(one: Recognised, known: frozenset[str], now: datetime) -> UnmappedItem:
    system, code = one.unknown[0] if one.unknown else ("", "")
    return UnmappedItem(
        reason=one.reason.code,
        system=system,
        code=code,
        pattern=" | ".join(shape_of(text, known) for text in one.words)[:LONGEST_PATTERN],
        example=one.reference,
        count=1,
        first_seen=now,
        last_seen=now,
    )


def shape_of(text: str, known: frozenset[str]) -> str:
    """Reduce a text to its shape: known words, signs, and a mask for all the rest."""
    shape: list[str] = []
    for part in _PARTS.findall(text[: 4 * LONGEST_PATTERN]):
        if part.isspace():
            masked = " "
        elif part.isdigit():
            masked = "9"
        elif part.casefold() in known or part in _KEPT_SIGNS:
            masked = part.casefold()
        else:
            masked = "…"
        shape.append(masked)
    return _SEVERAL_MASKED.sub("…", _SEVERAL_BLANKS.sub(" ", "".join(shape))).strip()


def known_words(catalogue: Catalogue) -> frozenset[str]:
    """Give the single words of the vocabulary's phrases."""
    return frozenset(
        part.casefold()
        for word in catalogue.words()
        for part in re.findall(r"[^\W\d_]+", word.phrase)
    )
