"""What must hold of the text vocabulary before a text is read with it.

Each phrase stands once, is tidy and of a known kind, and has a meaning that its kind can have.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Final

from adapter.her2.model import Comparator, IhcScore, Probe, RepeatMarker, ResultWord, SampleKind
from adapter.terminology.mapping_files import MappingFile
from adapter.terminology.vocabulary import RANGE, Answer, AnswerKind, WordKind
from adapter.terminology.words import Phrase, is_word_file, phrases, spelling

SCORE_RANGES: Final = frozenset(
    f"{low}{RANGE}{high}" for low, high in (("0", "1+"), ("1+", "2+"), ("2+", "3+"))
)
ISH_GROUPS: Final = frozenset(f"group-{number}" for number in range(1, 6))


def _values(members: Iterable[Enum], *without: Enum) -> frozenset[str]:
    return frozenset(str(member.value) for member in members if member not in without)


MEANINGS: Final[Mapping[WordKind, frozenset[str]]] = {
    WordKind.IHC_SCORE: _values(IhcScore) | SCORE_RANGES | {Answer.OFF_SCALE.value},
    WordKind.RESULT: _values(ResultWord, ResultWord.NOT_DONE, ResultWord.NEGATIVE_OR_EQUIVOCAL),
    WordKind.EXPRESSION: frozenset({"positive", "negative"}),
    WordKind.ISH_RESULT: frozenset({"positive", "negative", "equivocal"}) | ISH_GROUPS,
    WordKind.PRESENCE: frozenset({"positive", "negative"}),
    WordKind.NOT_DONE: frozenset({ResultWord.NOT_DONE.value}),
    WordKind.UNSETTLING: frozenset({"void", "doubtful", "number"}),
    WordKind.STAINING: frozenset(
        {"none", "faint", "incomplete", "weak", "moderate", "intense", "complete"}
    ),
    WordKind.QUANTITY: frozenset({"ratio", "her2-copies", "cep17-copies", "cells", "percent"}),
    WordKind.COMPARATOR: _values(Comparator, Comparator.EXACT),
    WordKind.PROBE: _values(Probe),
    WordKind.ASSAY: _values(AnswerKind, AnswerKind.OVERALL),
    WordKind.MARKER: _values(RepeatMarker),
    WordKind.SIDE: frozenset({"left", "right"}),
    WordKind.SAMPLE_KIND: _values(SampleKind, SampleKind.NOT_STATED),
    WordKind.SITE_BREAST: frozenset({"breast", "invasive"}),
    WordKind.FILLER: frozenset(
        {"filler", "invasive", "result", "percent", "staining", "of-what", "overall"}
    ),
    WordKind.ASKED: frozenset({"percent", "staining", "cep17-copies", "aspect"}),
    WordKind.DIAGNOSIS: frozenset(
        {
            *("organ", "place", "feature", "in-situ", "invasive"),
            *("qualifier", "attribute", "denial", "doubt", "alternative", "only", "scored-on"),
            *("left", "right"),
        }
    ),
    WordKind.POSITION: frozenset(
        {
            *("upper-outer", "upper-inner", "lower-outer", "lower-inner", "inner"),
            *("hour", "at-hour"),
        }
    ),
    WordKind.CONTROL: frozenset({"control", "beside"}),
}
"""What each kind of word can mean. A kind that is not here means itself ("negation"), or, for
another analyte, test or site, names which one in kebab-case.
"""

_KINDS = frozenset(WordKind)
_NAMES_ONE = frozenset({WordKind.OTHER_ANALYTE, WordKind.OTHER_TEST, WordKind.SITE_OTHER})
_LANGUAGE = re.compile(r"[a-z]{2}|\*")
_KEBAB = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def word_defects(layer: Sequence[MappingFile]) -> Iterator[str]:
    """List every defect of the phrases in one layer of the mappings."""
    first: dict[tuple[str, ...], tuple[Phrase, str]] = {}
    for file in layer:
        for phrase in phrases(file) if is_word_file(file) else ():
            at = f"{file.name}: {phrase.path}"
            for problem in _problems(phrase):
                yield f"{at}: {problem}"
            earlier, where = first.setdefault(spelling(phrase.text), (phrase, at))
            if where == at:
                continue
            same = (earlier.kind, earlier.meaning) == (phrase.kind, phrase.meaning)
            # A hyphen is a blank to everybody; "her2neu" is worth a line beside "her2-neu".
            if same and _without_hyphens(earlier.text) != _without_hyphens(phrase.text):
                continue
            said = "duplicate" if same else "contradictory"
            yield f"{at}: {said} phrase {phrase.text!r}: {earlier.text!r} is at {where} already"


def _without_hyphens(text: str) -> str:
    return text.replace("-", " ")


def _problems(phrase: Phrase) -> Iterator[str]:
    """Check one phrase by itself."""
    if not phrase.text or phrase.text != " ".join(phrase.text.lower().split()):
        yield f"phrase {phrase.text!r} is not in lower case with single blanks"
    if not _LANGUAGE.fullmatch(phrase.language):
        yield f"language {phrase.language!r} is no two letters; leave it out for any language"
    if not phrase.source.strip():
        yield "no source: add the extension row-source"
    if phrase.kind not in _KINDS:
        yield f"kind {phrase.kind!r} is none of {', '.join(WordKind)}"
    elif not _fits(WordKind(phrase.kind), phrase.meaning):
        yield f"meaning {phrase.meaning!r} is none that {phrase.kind} can have"


def _fits(kind: WordKind, meaning: str) -> bool:
    if kind in MEANINGS:
        return meaning in MEANINGS[kind]
    return bool(_KEBAB.fullmatch(meaning)) if kind in _NAMES_ONE else meaning == kind.value
