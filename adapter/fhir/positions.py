"""Where in the breast a sample was taken, as names of specimens and sites say it: by the clock, and by quadrant.

"Left breast, 2 o'clock", "2:00", "3 Uhr", "ore 2", "UOQ". A range names both of its ends. The two scales are kept
apart: the same place has a name on each.

Source: rules text, Which results count, 1 (c) [P]; BI-RADS, description of a lesion's location.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from adapter.fhir.terms import Terms
from adapter.fhir.text.tokens import Token
from adapter.terminology.vocabulary import WordKind

_BEHIND_THE_HOUR: Final = "hour"
_BEFORE_THE_HOUR: Final = "at-hour"
_HOUR: Final = re.compile(r"0?([1-9]|1[0-2])(?:[.,](00|30))?")
_HALVES: Final = ("00", "30")
_TIME_OF_DAY: Final = ("am", "pm", "a", "p", ":")
"""What stands behind the minutes of a time at which something was done."""
_RANGE: Final = ("-", "/")


@dataclass(frozen=True)
class Position:
    """`hours`: "2:00" and so on; `quadrants`: "upper-outer" and so on. Both are empty where nothing is said."""

    hours: frozenset[str] = frozenset()
    quadrants: frozenset[str] = frozenset()

    @property
    def is_stated(self) -> bool:
        """Whether anything is said."""
        return bool(self.hours or self.quadrants)


def position_in(said: Iterable[str], terms: Terms) -> Position:
    """Find the positions that names of one sample state."""
    hours: set[str] = set()
    quadrants: set[str] = set()
    for text in said:
        tokens = terms.tokens_of_sample(text)
        hours |= {hour for place in range(len(tokens)) for hour in _hours_at(tokens, place)}
        quadrants |= {token.meaning for token in tokens if token.is_word(WordKind.POSITION)}
    return Position(frozenset(hours), frozenset(quadrants - {_BEHIND_THE_HOUR, _BEFORE_THE_HOUR}))


def _hours_at(tokens: Sequence[Token], place: int) -> set[str]:
    """Read the hour that a word at this place belongs to, or that stands here with its minutes."""
    token = tokens[place]
    if token.meaning == _BEHIND_THE_HOUR:
        return _hours_before(tokens, place)
    if token.meaning == _BEFORE_THE_HOUR:
        behind = tokens[place + 1 : place + 2]
        return {hour for one in behind if (hour := _hour(one.text))}
    return _hour_with_minutes(tokens, place)


def _hours_before(tokens: Sequence[Token], end: int) -> set[str]:
    """Read the number before this place, and the one that it makes a range with."""
    last = tokens[end - 1] if end else None
    hour = _hour(last.text) if last else None
    if hour is None:
        return set()
    is_range = end > 2 and tokens[end - 2].is_sign(*_RANGE)
    first = _hour(tokens[end - 3].text) if is_range else None
    return {one for one in (first, hour) if one}


def _hour_with_minutes(tokens: Sequence[Token], place: int) -> set[str]:
    """Read "2:00" and "9:30", where they are no time of the day, nor part of one."""
    written = tokens[place : place + 3]
    before = tokens[place - 1].text if place else ""
    behind = tokens[place + 3].text if place + 3 < len(tokens) else ""
    is_alone = not before[-1:].isdigit() and not (written[0].glued and before[-1:].isalpha())
    is_alone &= behind not in _TIME_OF_DAY
    if len(written) < 3 or not written[1].is_sign(":") or not is_alone:
        return set()
    is_tight = written[1].glued and written[2].glued and written[2].text in _HALVES
    hour = _hour(written[0].text) if is_tight else None
    return {hour.replace(":00", f":{written[2].text}")} if hour else set()


def _hour(text: str) -> str | None:
    found = _HOUR.fullmatch(text)
    return f"{found[1]}:{found[2] or '00'}" if found else None
