"""What a method or a note says beside the result: probe, assay, a recount, an adjudication.

Remarks are looked at word by word, sentence by sentence. A sentence that denies, recommends or
awaits says nothing here: "no recount", "repeat recommended". A remark never gives a category; a
score or a word in it, understood whole, can only contradict one (rules: Which results count, 10).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import Final

from adapter.fhir.stated import Stated
from adapter.fhir.terms import Terms, holds, meanings
from adapter.fhir.text.clause import OF_WHAT
from adapter.fhir.text.reader import Reading, marker_of, read
from adapter.fhir.text.tokens import Token, TokenKind
from adapter.her2.model import Assay, Measurement, Probe, RepeatMarker, ResultWord
from adapter.terminology.vocabulary import TestRole, WordKind

SENTENCE_END: Final = re.compile(r"[;\n]|\.(?=\s|\Z)")
_CLAUSE_ENDS: Final = (",", ":", "(", "[")
_DENIES: Final = (WordKind.NEGATION, WordKind.NOT_DONE, WordKind.RECOMMENDATION)
_VOID: Final = "void"
_IN_VOID: Final = (WordKind.FILLER, WordKind.COPULA, WordKind.HER2, WordKind.ASSAY)


@dataclass(frozen=True)
class Remarks:
    """What was said. `probes`, `assays`: every one that is named; two of a kind tell nothing.

    `in_doubt`: the result is of another patient or specimen, or not to be used. `voids`: the tests that each
    sentence names which calls a result invalid, none where it names none; `markers` so too. `population_percent`:
    share of cells of a cell population that is spoken of.
    """

    markers: frozenset[tuple[RepeatMarker, frozenset[Assay]]] = frozenset()
    adjudicated: bool = False
    probes: frozenset[Probe] = frozenset()
    assays: frozenset[Assay] = frozenset()
    in_doubt: bool = False
    voids: frozenset[frozenset[Assay]] = frozenset()
    population: bool = False
    population_percent: Measurement | None = None

    def marker(self, assay: Assay | None) -> RepeatMarker | None:
        """Give the marker that may be meant for a test: "IHC repeated" under FISH marks no FISH."""
        return marker_of(m for m, named in self.markers if _may_be_of(assay, named))

    def doubts(self, assay: Assay | None) -> bool:
        """Tell whether a result of this test is not to be used: "IHC invalid" under FISH voids no FISH."""
        return self.in_doubt or any(_may_be_of(assay, named) for named in self.voids)


def _may_be_of(assay: Assay | None, named: frozenset[Assay]) -> bool:
    return assay in (None, Assay.OVERALL) or not named or assay in named


def remarks_in(texts: Iterable[str], terms: Terms) -> Remarks:
    """Look through methods and notes; never raises."""
    said = [tokens for tokens in _sentences(texts, terms) if not holds(tokens, *_DENIES)]
    every = [token for tokens in said for token in tokens]
    populations = [tokens for tokens in said if _speaks_of_population(tokens, terms)]
    return Remarks(
        markers=frozenset(marker for tokens in said for marker in _markers(tokens)),
        adjudicated=holds(every, WordKind.ADJUDICATED),
        probes=frozenset(Probe(meaning) for meaning in meanings(every, WordKind.PROBE)),
        assays=frozenset(Assay(meaning) for meaning in meanings(every, WordKind.ASSAY)),
        in_doubt=holds(every, WordKind.DOUBT),
        voids=frozenset(_assays(tokens) for tokens in said if _is_void(tokens)),
        population=bool(populations),
        population_percent=next(filter(None, map(_percent, populations)), None),
    )


def understood_whole(texts: Iterable[str], terms: Terms, asked: TestRole) -> list[Stated]:
    """Read each note, else each sentence of it, that is understood whole as a HER2 result."""
    found: list[Stated] = []
    for text in texts:
        whole = read(text, terms.lexicon, asked)
        parts = [whole] if whole.is_whole else _read_sentences(text, terms, asked)
        found += [reading.stated for reading in parts]
    return found


def _read_sentences(text: str, terms: Terms, asked: TestRole) -> list[Reading]:
    sentences = (read(part, terms.lexicon, asked) for part in SENTENCE_END.split(text))
    return [reading for reading in sentences if reading.is_whole]


def _sentences(texts: Iterable[str], terms: Terms) -> Iterator[tuple[Token, ...]]:
    for text in texts:
        for sentence in SENTENCE_END.split(text):
            yield terms.tokens(sentence)


def _speaks_of_population(tokens: tuple[Token, ...], terms: Terms) -> bool:
    """Whether a cell population is spoken of, and not as one that was not found: "genetic heterogeneity: absent"."""
    if not holds(tokens, WordKind.POPULATION):
        return False
    is_absent = ResultWord.NEGATIVE.value in meanings(tokens, WordKind.PRESENCE)
    words = terms.tokens_of_diagnosis(" ".join(token.text for token in tokens))
    return not is_absent and "denial" not in meanings(words, WordKind.DIAGNOSIS)


def _markers(tokens: tuple[Token, ...]) -> Iterator[tuple[RepeatMarker, frozenset[Assay]]]:
    """Find the markers of a sentence; one on other markers alone ("ER/PR repeated") holds none of HER2."""
    if holds(tokens, WordKind.OTHER_ANALYTE) and not holds(tokens, WordKind.HER2):
        return
    for place, token in enumerate(tokens):
        if token.is_word(WordKind.MARKER):
            marker = RepeatMarker(token.meaning)
            if marker is RepeatMarker.RECOUNT or _is_of_this_test(tokens[:place]):
                yield marker, _assays(tokens)


def _assays(tokens: tuple[Token, ...]) -> frozenset[Assay]:
    return frozenset(Assay(meaning) for meaning in meanings(tokens, WordKind.ASSAY))


def _is_void(tokens: tuple[Token, ...]) -> bool:
    """Whether a sentence says that a result is invalid and nothing else: "HER2 result invalid", not "control"."""
    return any(token.meaning == _VOID for token in tokens) and all(
        token.meaning == _VOID
        or token.kind is TokenKind.SIGN
        or (token.is_word(*_IN_VOID) and token.meaning != OF_WHAT)
        for token in tokens
    )


def _is_of_this_test(before: tuple[Token, ...]) -> bool:
    """Whether what stands before "repeated" is understood.

    It says who repeats, or what: "the control was repeated", "patient to repeat".
    """
    subject = takewhile(lambda token: not token.is_sign(*_CLAUSE_ENDS), reversed(before))
    return not any(
        token.kind is TokenKind.UNKNOWN or token.is_word(WordKind.UNSETTLING) for token in subject
    )


def _percent(tokens: tuple[Token, ...]) -> Measurement | None:
    """Find the one percentage of a sentence about a cell population."""
    found = [
        token.value
        for token, following in pairwise(tokens)
        if token.kind is TokenKind.NUMBER and following.is_sign("%")
    ]
    return Measurement(found[0]) if len(found) == 1 and found[0] is not None else None
