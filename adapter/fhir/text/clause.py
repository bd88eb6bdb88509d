"""The grammar of one clause of a HER2 text: scores, numbers and their quantities, words.

A clause is what stands between brackets, commas, semicolons and full stops. What it says is
collected here, not joined and not judged; `text` does that. Every token must have its place: one
without raises UnreadError, and then the whole text counts for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from itertools import pairwise
from typing import Final, TypeVar

from adapter.fhir.meanings import ish_group_of, result_word_of, score_range, scores_of
from adapter.fhir.text.parts import UnreadError, parts_of
from adapter.fhir.text.quantities import CEP17_COPIES, PERCENT, QUOTIENT, RATIO, bind
from adapter.fhir.text.tokens import Token, TokenKind
from adapter.her2.model import (
    Assay,
    Comparator,
    IhcScore,
    IshGroup,
    Measurement,
    Probe,
    RepeatMarker,
    ResultWord,
)
from adapter.terminology.vocabulary import WordKind
from adapter.terminology.words import ANY_LANGUAGE

OTHER_ANALYTE: Final = "other-analyte-in-value"
IN_SITU: Final = "in-situ"
"""A site word's meaning: which part of the tumour is spoken of cannot be told from words alone."""

_NEUTRAL: Final = (
    WordKind.FILLER,
    WordKind.METHOD,
    WordKind.HER2,
    WordKind.SITE_BREAST,
    WordKind.SIDE,
    WordKind.SAMPLE_KIND,
)
_MEANS: Final = (
    *(WordKind.RESULT, WordKind.EXPRESSION, WordKind.ISH_RESULT, WordKind.PRESENCE),
    *(WordKind.NEGATION, WordKind.COPULA),
)
"""What a legend says a grade is."""
_PLACES: Final = (WordKind.SITE_BREAST, WordKind.SIDE, WordKind.SAMPLE_KIND)
_LOW: Final = frozenset({ResultWord.LOW, ResultWord.ULTRALOW})
OF_WHAT: Final = "of-what"
_OVERALL: Final = "overall"
"""Meanings of fillers: behind "for" stands what the word before it speaks of; "overall" says whose a word is."""
_LEFT_ENDS: Final = {
    "0": (IhcScore.ZERO,),
    "1": (IhcScore.ONE_PLUS,),
    "2": (IhcScore.TWO_PLUS,),
}
"""The left end of "0-1+", written without its plus."""

E = TypeVar("E", bound=Enum)


@dataclass
class Clause:
    """What one clause says. `numbers`: (quantity or None, number), in the order written.

    `presence`: detected or not, which only ISH has as a result. `expression`: overexpressed or not, which ISH
    has no word for. `is_called_positive`: a tight "HER2+". `is_elsewhere`: another laboratory's result.
    `extent`: focal or heterogeneous. `is_overall`: the word here is said of both tests together.
    `bracket`: the number of the outermost bracket that it stands in, 0 for none.
    """

    assays: set[Assay] = field(default_factory=set)
    scores: list[tuple[IhcScore, ...]] = field(default_factory=list)
    off_scale: bool = False
    words: list[ResultWord] = field(default_factory=list)
    presence: list[ResultWord] = field(default_factory=list)
    expression: list[ResultWord] = field(default_factory=list)
    is_called_positive: bool = False
    ish_words: list[ResultWord] = field(default_factory=list)
    groups: list[IshGroup] = field(default_factory=list)
    staining: set[str] = field(default_factory=set)
    percents: list[Measurement] = field(default_factory=list)
    numbers: list[tuple[str | None, Measurement]] = field(default_factory=list)
    probes: set[Probe] = field(default_factory=set)
    markers: set[RepeatMarker] = field(default_factory=set)
    not_done: bool = False
    recommendation: bool = False
    adjudicated: bool = False
    is_overall: bool = False
    population: bool = False
    other_tumour: bool = False
    is_elsewhere: bool = False
    bracket: int = 0
    sides: set[str] = field(default_factory=set)
    kinds: set[str] = field(default_factory=set)
    extent: bool = False
    quantity_alone: bool = False

    @property
    def says_ihc(self) -> bool:
        """Whether something stands here that only IHC has."""
        return bool(self.scores or self.off_scale or self.staining)

    @property
    def says_ish(self) -> bool:
        """Whether something stands here that only ISH has."""
        quantities = {quantity for quantity, _ in self.numbers} - {None, QUOTIENT}
        return bool(self.ish_words or self.groups or self.probes or self.population or quantities)

    @property
    def holds_cut_off(self) -> bool:
        """Whether a number with a comparator stands here."""
        numbers = [number for _, number in self.numbers] + self.percents
        return any(number.comparator is not Comparator.EXACT for number in numbers)

    @property
    def holds_grade(self) -> bool:
        """Whether a score, a group or a word of ISH stands here, of which a legend says what it means."""
        return bool(self.scores or self.off_scale or self.groups or self.ish_words)

    @property
    def states_result(self) -> bool:
        """Whether any result stands here, as a score, a word or a number."""
        words = (self.words, self.presence, self.expression, self.ish_words)
        stated = (self.scores, *words, self.groups)
        described = (self.staining, self.percents, self.numbers)
        return self.off_scale or self.is_called_positive or any(stated) or any(described)


def clauses_of(tokens: Sequence[Token]) -> list[Clause]:
    """Read every clause of a text. Raises UnreadError."""
    parts = parts_of(tokens)
    clauses = [_ClauseReader(part.tokens).read() for part in parts]
    pairs = list(zip(parts, clauses, strict=True))
    for (_, one), (part, other) in pairwise(pairs):
        is_explained = one.holds_cut_off or one.holds_grade
        if is_explained and _begins_with_copula(part.tokens) and other.states_result:
            raise UnreadError("criterion-not-result")
    elsewhere = {part.bracket for part, clause in pairs if part.bracket and clause.is_elsewhere}
    for part, clause in pairs:
        clause.bracket = part.bracket
        clause.is_elsewhere |= part.bracket in elsewhere
    return clauses


def _begins_with_copula(tokens: Sequence[Token]) -> bool:
    rest = (token for token in tokens if token.kind is not TokenKind.SIGN)
    first = next((token for token in rest if not token.is_word(*_NEUTRAL)), None)
    return first is not None and first.is_word(WordKind.COPULA)


class _ClauseReader:
    """Reads one clause from left to right, without going back."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens
        self.clause = Clause()
        self.sequence: list[str | Measurement] = []  # quantities and numbers, as they follow
        self.is_negative_for = False
        self.is_either = False

    def read(self) -> Clause:
        self._refuse_zero_or_ultralow()
        position = 0
        while position < len(self.tokens):
            position = self._step(position)
        self._bind()
        if self.is_negative_for and self._holds_grade():
            raise UnreadError  # "negative for HER2-low" is no HER2-low, "negative for 1+" no 1+
        return self.clause

    def _refuse_zero_or_ultralow(self) -> None:
        """Refuse "0/ultralow" and "negative (0) / low", which leave open whether any cell is stained."""
        telling = [token for token in self.tokens if not token.is_word(*_NEUTRAL)]
        for one, sign, other in zip(telling, telling[1:], telling[2:], strict=False):
            ends = {token.meaning or token.text for token in (one, other)}
            if sign.is_sign("/") and ends == {"0", ResultWord.ULTRALOW.value}:
                raise UnreadError
        first = [token.meaning or token.text for token in telling[:2]]
        if first[:1] == ["/"] and not _LOW.isdisjoint(first):
            raise UnreadError

    def _holds_grade(self) -> bool:
        is_bare = any(quantity is None for quantity, _ in self.clause.numbers)
        is_low = not _LOW.isdisjoint(self.clause.words)
        return bool(self.clause.scores or self.clause.off_scale or is_bare or is_low)

    def _bind(self) -> None:
        """Give each number its quantity; beside a quotient only the word "ratio" may stand."""
        if self.clause.numbers:
            if set(self.sequence) - {RATIO}:
                raise UnreadError
            return
        bound = bind(self.sequence)
        if bound is None or (bound.unused and CEP17_COPIES in self.sequence):
            raise UnreadError  # a count of CEP17 has no result but its number
        if self._asks_a_share() and (
            bound.unused or any(name is None for name, _ in bound.numbers)
        ):
            raise UnreadError("share-of-cells-not-understood")
        self.clause.quantity_alone = bound.unused
        self.clause.numbers.extend(bound.numbers)
        self.clause.percents.extend(bound.percents)

    def _asks_a_share(self) -> bool:
        """Whether a share of the cells is spoken of: a bare number is no score then, nor ratio."""
        words = (WordKind.QUANTITY, WordKind.FILLER)
        return any(token.is_word(*words) and token.meaning == PERCENT for token in self.tokens)

    def _at(self, position: int) -> Token | None:
        return self.tokens[position] if position < len(self.tokens) else None

    def _is_sign(self, position: int, *signs: str) -> bool:
        token = self._at(position)
        return token is not None and token.is_sign(*signs)

    def _step(self, position: int) -> int:
        token = self.tokens[position]
        if (end := self._scores(position)) is not None:
            return end
        if token.is_sign("<", ">", "<=", ">="):
            return self._number(position + 1, Comparator(token.text))
        if token.kind is TokenKind.NUMBER:
            return self._number(position, Comparator.EXACT)
        if token.word is not None:
            return self._word(position, token)
        if token.is_sign(":", "=", "/"):
            return position + 1
        raise UnreadError

    # Scores

    def _scores(self, position: int) -> int | None:
        """Read the score or the range of scores that begins here; None where none does."""
        scores, end = self._score_at(position)
        if scores is None and self.tokens[position].text in _LEFT_ENDS:
            end = position + 1  # the left end of "0-1+"
        elif scores is None:
            return None
        separator = self._at(end)
        right, right_end = self._score_at(end + 1)
        if separator is not None and right is not None and _joins_ends(separator):
            left = scores if scores is not None else _LEFT_ENDS[self.tokens[position].text]
            self.clause.scores.append(_range(left, right, by_slash=separator.is_sign("/")))
            return self._after_score(right_end)
        if scores is None:
            return None
        if scores:
            self.clause.scores.append(scores)
        else:
            self.clause.off_scale = True
        return self._after_score(end)

    def _after_score(self, end: int) -> int:
        """Refuse what a score or number cannot be followed by: "3+ %", "2++"."""
        following = self._at(end)
        if following is not None and (
            following.is_sign("+", "%")
            or (following.glued and following.is_word(WordKind.IHC_SCORE))
        ):
            raise UnreadError
        return end

    def _score_at(self, position: int) -> tuple[tuple[IhcScore, ...] | None, int]:
        """Find a score here and where it ends: None where there is none, () when off the scale."""
        token = self._at(position)
        if token is not None and token.is_word(WordKind.IHC_SCORE):
            return scores_of(token.meaning) or (), position + 1
        if (
            token is not None
            and token.kind is TokenKind.NUMBER
            and self._is_sign(position + 1, "+")
        ):
            return scores_of(f"{token.text}+") or (), position + 2
        return None, position

    # Numbers

    def _number(self, position: int, comparator: Comparator) -> int:
        value, end = self._plain(position), position + 1
        if self._is_quotient(end):
            self.clause.numbers.append((QUOTIENT, Measurement(value, comparator)))
            return end + 2
        upper = None
        if (dash := self._at(end)) is not None and _joins_ends(dash) and not dash.is_sign("/"):
            upper, end = self._plain(end + 1), end + 2
            if upper <= value or comparator is not Comparator.EXACT:
                raise UnreadError
        measured = Measurement(value, comparator, upper)
        if comparator is Comparator.EXACT and self._names_a_sample(position, end):
            raise UnreadError
        if self._is_sign(end, "/") and self._plain_or_none(end + 1) is not None:
            raise UnreadError  # "3/3 cells" counts cells, "8/8" is another scale
        if self._is_sign(end, "%"):
            self.clause.percents.append(measured)
            return end + 1
        self.sequence.append(measured)
        return self._after_score(end)

    def _plain_or_none(self, position: int) -> Decimal | None:
        token = self._at(position)
        return None if token is None else token.value

    def _names_a_sample(self, position: int, end: int) -> bool:
        """Whether a bare number counts samples: "biopsy 1: negative", "left 2 negative"."""
        before = self._at(position - 1) if position else None
        after_a_place = before is not None and before.is_word(*_PLACES)
        return after_a_place or self._is_sign(end, ":")

    def _is_quotient(self, position: int) -> bool:
        """Whether ": 1" or "/ 1" follows; any other divisor is not taken for a ratio."""
        divisor = self._at(position + 1)
        if not self._is_sign(position, ":", "/") or divisor is None:
            return False
        return divisor.value == 1 and not self._is_sign(position + 2, "+", "%", "/", ":")

    def _plain(self, position: int) -> Decimal:
        token = self._at(position)
        if token is None or token.value is None:
            raise UnreadError
        return token.value

    # Words

    def _word(self, position: int, token: Token) -> int:
        clause, meaning = self.clause, token.meaning
        if token.is_word(WordKind.HER2) and self._is_tight_sign(position + 1):
            if self.sequence and isinstance(self.sequence[-1], str):
                raise UnreadError  # "copies/cell HER2-": the quantity awaits its number
            return self._called(position + 1)
        if token.is_word(WordKind.SIDE):
            clause.sides.add(meaning)
        if token.is_word(WordKind.SAMPLE_KIND):
            clause.kinds.add(meaning)
        if token.is_word(*_NEUTRAL):
            clause.is_overall |= meaning == _OVERALL
            self.is_negative_for |= meaning == OF_WHAT and ResultWord.NEGATIVE in clause.words
            return position + 1
        match token.word.kind if token.word else None:
            case WordKind.RESULT | WordKind.ISH_RESULT:
                self._result(position, token)
            case WordKind.EXPRESSION:
                clause.expression.append(_member(ResultWord, meaning))
            case WordKind.PRESENCE:
                clause.presence.append(_member(ResultWord, meaning))
            case WordKind.NEGATION:
                return self._negated(position)
            case WordKind.COMPARATOR:
                return self._number(position + 1, _member(Comparator, meaning))
            case WordKind.QUANTITY:
                self.sequence.append(meaning)
            case WordKind.STAINING:
                clause.staining.add(meaning)
            case WordKind.ASSAY:
                clause.assays.add(_member(Assay, meaning))
            case WordKind.PROBE:
                clause.probes.add(_member(Probe, meaning))
            case WordKind.MARKER:
                clause.markers.add(_member(RepeatMarker, meaning))
            case _:
                self._flag(position, token)
        return position + 1

    def _flag(self, position: int, token: Token) -> None:
        clause = self.clause
        match token.word.kind if token.word else None:
            case WordKind.NOT_DONE:
                clause.not_done = True
            case WordKind.RECOMMENDATION:
                clause.recommendation = True
            case WordKind.ADJUDICATED:
                clause.adjudicated = True
            case WordKind.POPULATION:
                clause.population = True
            case WordKind.LABORATORY:
                clause.is_elsewhere = True
            case WordKind.EXTENT:
                clause.extent = True
            case WordKind.COPULA if self._explains(position):
                raise UnreadError("criterion-not-result")
            case WordKind.COPULA:
                return
            case WordKind.SITE_OTHER if token.meaning != IN_SITU:
                clause.other_tumour = True
            case WordKind.OTHER_ANALYTE:
                raise UnreadError(OTHER_ANALYTE)
            case _:
                raise UnreadError

    def _is_tight_sign(self, position: int) -> bool:
        """Whether a sign stands tight behind the marker and nothing tight behind it: "HER2-", "HER2+"."""
        sign, following = self._at(position), self._at(position + 1)
        is_tight = sign is not None and sign.glued and sign.is_sign("+", "-")
        return is_tight and (following is None or not following.glued)

    def _called(self, position: int) -> int:
        """Read "HER2-" as negative; "HER2+" as positive or as 1+, which only the rest can tell."""
        if self._is_sign(position, "-"):
            self.clause.words.append(ResultWord.NEGATIVE)
        else:
            self.clause.is_called_positive = True
        return position + 1

    def _explains(self, position: int) -> bool:
        """Whether the copula here says what a cut-off or a grade means: "3+ is positive", not "score is 3+"."""
        rest = (token for token in self.tokens[position + 1 :] if not token.is_word(*_NEUTRAL))
        following = next(rest, None)
        is_word = following is not None and following.is_word(*_MEANS)
        is_bare = [isinstance(one, Measurement) for one in self.sequence] == [
            True
        ]  # "0 is negative"
        return self._holds_cut_off() or (is_word and (is_bare or self.clause.holds_grade))

    def _holds_cut_off(self) -> bool:
        numbers = [one for _, one in self.clause.numbers] + self.clause.percents
        numbers += [one for one in self.sequence if isinstance(one, Measurement)]
        return any(one.comparator is not Comparator.EXACT for one in numbers)

    def _result(self, position: int, token: Token) -> None:
        group, word = ish_group_of(token.meaning), result_word_of(token.meaning)
        if group is not None:
            self.clause.groups.append(group)
        elif word is None:
            raise UnreadError
        elif token.is_word(WordKind.ISH_RESULT):
            self.clause.ish_words.append(word)
        else:
            self._plain_word(position, word)

    def _plain_word(self, position: int, word: ResultWord) -> None:
        """Read "negative/low" as negative, which takes in both; "HER2-low: negative" is no HER2-low."""
        words = [*self.clause.words, word]
        if self.is_either:
            raise UnreadError
        if ResultWord.NEGATIVE in words and not _LOW.isdisjoint(words):
            self.is_either = self._follows_slash(position, WordKind.HER2)
            if self.is_either:
                words = [one for one in words if one not in _LOW]
            elif word is ResultWord.NEGATIVE or self._follows_slash(position, *_NEUTRAL):
                raise UnreadError
        self.clause.words = words

    def _follows_slash(self, position: int, *between: WordKind) -> bool:
        before = (
            token for token in reversed(self.tokens[:position]) if not token.is_word(*between)
        )
        nearest = next(before, None)
        return nearest is not None and nearest.is_sign("/")

    def _negated(self, position: int) -> int:
        """Read what the negation here denies: an "amplified" of its own language, with at most HER2 between.

        Only "amplified" has a plain opposite; of a "not" further off, or of another language, nobody
        knows what it belongs to.
        """
        negation, end = self.tokens[position], position + 1
        while (token := self._at(end)) is not None and token.is_word(WordKind.HER2):
            end += 1
        if token is None or not token.is_word(WordKind.ISH_RESULT):
            raise UnreadError
        is_positive = result_word_of(token.meaning) is ResultWord.POSITIVE
        if not (is_positive and _speaks_one_language(negation, token)):
            raise UnreadError
        self.clause.ish_words.append(ResultWord.NEGATIVE)
        return end + 1


def _speaks_one_language(one: Token, other: Token) -> bool:
    languages = {token.word.language for token in (one, other) if token.word}
    return len(languages - {ANY_LANGUAGE}) <= 1


def _range(
    left: tuple[IhcScore, ...], right: tuple[IhcScore, ...], *, by_slash: bool
) -> tuple[IhcScore, ...]:
    """Make a range of its ends; "1+/3+" is no range but two readings."""
    scores = score_range(left[0], right[0]) if len(left) == len(right) == 1 else None
    if scores is None or (by_slash and len(scores) > 2):
        raise UnreadError
    return scores


def _joins_ends(token: Token) -> bool:
    return token.is_sign("-", "/")


def _member(members: type[E], meaning: str) -> E:
    try:
        return members(meaning)
    except ValueError:
        raise UnreadError from None
