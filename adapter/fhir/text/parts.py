"""Cutting a HER2 text into its clauses, and refusing one that was itself cut off or run together.

A clause is what stands between brackets, commas, semicolons, full stops and dashes with blanks
around them. Nothing is interpreted here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from adapter.fhir.text.tokens import Token, TokenKind
from adapter.terminology.vocabulary import WordKind

NOT_UNDERSTOOD: Final = "text-not-understood"

BOUNDARIES: Final = (";", ",", ".", "(", ")", "[", "]", "\n")
_CLOSING: Final = {"(": ")", "[": "]"}
_POINTS: Final = (".", ",")


class UnreadError(Exception):
    """The text is not understood; `problem` is a stable reason code. Never leaves the readers."""

    def __init__(self, problem: str = NOT_UNDERSTOOD) -> None:
        self.problem = problem
        super().__init__(problem)


class Part(NamedTuple):
    """The tokens of one clause, and the number of the outermost bracket it stands in, 0 for none."""

    tokens: Sequence[Token]
    bracket: int


def parts_of(tokens: Sequence[Token]) -> list[Part]:
    """Cut a text into clauses. Raises UnreadError when brackets or numbers show that it is damaged."""
    _refuse_run_together(tokens)
    brackets = _brackets(tokens)
    return [Part(part, brackets[place]) for place, part in _clauses(tokens)]


def _refuse_run_together(tokens: Sequence[Token]) -> None:
    """Refuse a number without its beginning (".3"), or run together with what is beside it ("3+3", "1FISH")."""
    for place, token in enumerate(tokens):
        is_first = (
            place == 0 or not token.glued or (token.text == "." and tokens[place - 1].is_sign("+"))
        )
        if is_first and token.is_sign(*_POINTS) and _is_glued_number(tokens, place + 1):
            raise UnreadError
    for one, other in pairwise(tokens):
        if other.glued and (_continues(one, other) or _is_no_unit(one, other)):
            raise UnreadError


def _continues(one: Token, other: Token) -> bool:
    is_letter = other.word is not None and len(other.text) == 1  # "90%e": e is "and" in Italian
    ends = one.is_sign("+", "%") or (one.is_word(WordKind.IHC_SCORE) and one.text.endswith("+"))
    return ends and (is_letter or other.kind is TokenKind.NUMBER)


def _is_no_unit(one: Token, other: Token) -> bool:
    is_word = other.word is not None and not other.is_word(WordKind.QUANTITY)
    return one.kind is TokenKind.NUMBER and is_word


def _is_glued_number(tokens: Sequence[Token], place: int) -> bool:
    here = tokens[place : place + 1]
    return bool(here) and here[0].kind is TokenKind.NUMBER and here[0].glued


def _brackets(tokens: Sequence[Token]) -> list[int]:
    """Give for each token the number of its outermost bracket. A text that was cut leaves one open."""
    numbers: list[int] = []
    awaited: list[str] = []
    count = 0
    for token in tokens:
        if token.is_sign(*_CLOSING):
            count += not awaited
            awaited.append(_CLOSING[token.text])
        elif token.is_sign(*_CLOSING.values()) and (not awaited or awaited.pop() != token.text):
            raise UnreadError
        numbers.append(count if awaited else 0)
    if awaited:
        raise UnreadError
    return numbers


def _clauses(tokens: Sequence[Token]) -> Iterator[tuple[int, list[Token]]]:
    """Cut into clauses, each with the place of its first token."""
    part: list[Token] = []
    for index, token in enumerate(tokens):
        if not token.is_sign(*BOUNDARIES) and not _parts_by_dash(tokens, index):
            part.append(token)
        elif part:
            yield index - len(part), part
            part = []
    if part:
        yield len(tokens) - len(part), part


def _parts_by_dash(tokens: Sequence[Token], index: int) -> bool:
    """Whether a dash with blanks around it parts clauses; between two numbers it is a range."""
    if not tokens[index].is_sign("-") or tokens[index].glued:
        return False
    if not 0 < index < len(tokens) - 1 or tokens[index + 1].glued:
        return False
    before, after = tokens[index - 1], tokens[index + 1]
    ends_number = before.kind is TokenKind.NUMBER or before.is_sign("+", "%")
    ends_number = ends_number or before.is_word(WordKind.IHC_SCORE)
    begins_number = after.kind is TokenKind.NUMBER or after.is_word(WordKind.IHC_SCORE)
    return not (ends_number and begins_number)
