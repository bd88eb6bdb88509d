"""HER2 statements in narratives: suggestions for a person, never evidence and never a category.

A narrative is cut into sentences and each sentence at its commas; what follows the name of HER2 up to the
next marker's name is read as any other text. What is not understood whole is only said to be there. Off
unless the site asks for it (setting `narratives`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from adapter.fhir.shapes import string
from adapter.fhir.stated import NOTHING, Stated
from adapter.fhir.strict_json import JsonObject
from adapter.fhir.terms import Terms, holds
from adapter.fhir.text.reader import read
from adapter.fhir.text.remarks import SENTENCE_END
from adapter.her2.model import Evidence
from adapter.terminology.vocabulary import TestRole, WordKind

LONGEST: Final = 50_000
"""Characters of a narrative that are looked through; a longer one is no conclusion."""
_NOT_TRUSTED: Final = ("entered-in-error", "cancelled")
_COMMA: Final = re.compile(r"[,;](?=\s)")


@dataclass(frozen=True)
class Statement:
    """One place that speaks of HER2.

    `text`: the laboratory's words (patient data: never for logs or the worklist). `stated`: what they
    say where they are understood whole, else NOTHING.
    """

    text: str
    stated: Stated = NOTHING


def narratives_of(resource: JsonObject) -> tuple[str, ...]:
    """Give the free texts of a DiagnosticReport (conclusion) or of a narrative Observation (valueString)."""
    names = {"DiagnosticReport": "conclusion", "Observation": "valueString"}
    text = string(resource, names.get(string(resource, "resourceType"), ""))
    return (text[:LONGEST],) if text else ()


def statements(text: str, terms: Terms) -> list[Statement]:
    """Find what a narrative says of HER2; [] where it does not name it."""
    return [
        statement
        for sentence in SENTENCE_END.split(text[:LONGEST])
        for statement in _statements_of(sentence, terms)
    ]


def tells_of_her2(resource: JsonObject, terms: Terms) -> bool:
    """Tell whether a report or narrative that counts names HER2 in its text."""
    if string(resource, "status") in _NOT_TRUSTED:
        return False
    return any(terms.names_her2(text) for text in narratives_of(resource))


def is_known(statement: Statement, evidence: Iterable[Evidence]) -> bool:
    """Tell whether results at hand say just this already, so that nobody need look at the narrative."""
    stated, results = statement.stated, list(evidence)
    if stated.is_empty or stated.conflicts:
        return False
    scores = {(e.ihc.scores, e.ihc.word) for e in results if e.ihc}
    words = {e.ish.word for e in results if e.ish}
    overall = {e.overall.word for e in results if e.overall}
    return (
        (stated.ihc is None or (stated.ihc.scores, stated.ihc.word) in scores)
        and (stated.ish is None or stated.ish.word in words)
        and (stated.overall is None or stated.overall in overall)
    )


def _statements_of(sentence: str, terms: Terms) -> Iterator[Statement]:
    """Give each stretch of a sentence from a piece that names HER2 to the next marker's."""
    stretch: list[str] = []
    for piece in _COMMA.split(sentence):
        if terms.names_her2(piece):
            if stretch:
                yield _statement(stretch, terms)
            stretch = [piece]
        elif stretch and holds(terms.tokens(piece), WordKind.OTHER_ANALYTE):
            yield _statement(stretch, terms)
            stretch = []
        elif stretch:
            stretch.append(piece)
    if stretch:
        yield _statement(stretch, terms)


def _statement(stretch: list[str], terms: Terms) -> Statement:
    """Read a stretch as the laboratory's overall words, where a bare number says nothing."""
    text = ",".join(stretch).strip()
    reading = read(text, terms.lexicon, TestRole.OVERALL)
    return Statement(text, reading.stated if reading.is_whole else NOTHING)
