"""The one place that reads text: what a laboratory wrote, as a HER2 result.

A text counts only when every word, number and sign of it is understood and they fit together. A
text that is understood in part is not read at all: "HER2/neu amplification: NOT detected" contains
"detected". Time is linear in the length, and a text longer than MAX_LENGTH is a narrative, which
gives no result. To read a new way of writing, add its words to mappings/ (CodeSystem her2-word):
the grammar knows kinds of words, no words.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from adapter.fhir.stated import NOTHING, Stated
from adapter.fhir.text.clause import clauses_of
from adapter.fhir.text.laboratories import of_all_laboratories, weighed
from adapter.fhir.text.parts import UnreadError
from adapter.fhir.text.tokens import Lexicon, Token
from adapter.her2.model import RepeatMarker
from adapter.terminology.vocabulary import TestRole, WordKind

MAX_LENGTH: Final = 300
"""Characters; a result with its staining, percentages and ISH numbers stays well below."""


@dataclass(frozen=True)
class Reading:
    """A text, read. `problem`: "" when every part was understood, else a stable reason code.

    `stated` counts only without a problem. `marker`, `adjudicated`: said in the text itself.
    `tokens`: what the text was cut into, understood or not.
    """

    stated: Stated
    problem: str = ""
    marker: RepeatMarker | None = None
    adjudicated: bool = False
    tokens: tuple[Token, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether every part of the text was understood."""
        return not self.problem


def read(text: str, lexicon: Lexicon, asked: TestRole) -> Reading:
    """Read a text as the answer to a test; never raises.

    Args:
        text: as the laboratory wrote it.
        lexicon: the vocabulary.
        asked: what the text answers. A bare "2.2" is a ratio under ISH and copies per cell under a
            copy number; a bare "2" is a score under IHC.

    Returns:
        The reading. Its problem is text-too-long, text-empty, text-not-understood,
        other-analyte-in-value, several-scores, several-percentages, staining-not-understood,
        two-tests-in-one-clause, laboratories-mixed, number-without-meaning, unit-against-test,
        no-score, low-by-ish, result-missing, criterion-not-result, presence-is-no-result,
        plus-alone, share-of-cells-not-understood or nothing-stated.

    """
    if len(text) > MAX_LENGTH:
        return Reading(NOTHING, problem="text-too-long")
    tokens = lexicon.tokens(text)
    if not tokens:
        return Reading(NOTHING, problem="text-empty")
    try:
        clauses = clauses_of(tokens)
        stated = weighed(of_all_laboratories(clauses, asked, text.strip()))
    except UnreadError as unread:
        return Reading(NOTHING, problem=unread.problem, tokens=tokens)
    results = [clause for clause in clauses if not clause.recommendation]
    neutral = (WordKind.FILLER, WordKind.METHOD, WordKind.HER2)
    return Reading(
        stated.with_rows(*(t.word.row for t in tokens if t.word and not t.is_word(*neutral))),
        marker=marker_of(marker for clause in results for marker in clause.markers),
        adjudicated=any(clause.adjudicated for clause in results),
        tokens=tokens,
    )


def marker_of(markers: Iterable[RepeatMarker]) -> RepeatMarker | None:
    """Choose one of several markers: a recount is a repeat too, and says more."""
    found = set(markers)
    ranked = (RepeatMarker.RECOUNT, RepeatMarker.REPEAT)
    return next((marker for marker in ranked if marker in found), None)
