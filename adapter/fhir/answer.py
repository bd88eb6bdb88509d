"""The value of an Observation or a component: coded, written or counted, and whether all of it agrees.

A coded answer is looked up under the test that was asked, since "Positive" and "+" mean different
things under different tests. Its display and the text beside it must mean the same; one that is not
understood whole must hold nothing that could mean something else. Nothing raises out of here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from adapter.fhir import numbers
from adapter.fhir.meanings import ASSAY_OF_ROLE, ish_group_of, result_word_of, scores_of
from adapter.fhir.shapes import codings, is_filled, string, texts
from adapter.fhir.stated import NOTHING, Conflict, Stated, join_as_one
from adapter.fhir.strict_json import JsonObject
from adapter.fhir.terms import Terms
from adapter.fhir.text.clause import OTHER_ANALYTE
from adapter.fhir.text.parts import UnreadError
from adapter.fhir.text.reader import Reading, marker_of, read
from adapter.fhir.text.tokens import Token, TokenKind
from adapter.her2.model import Assay, IhcResult, IshResult, RepeatMarker, ResultWord
from adapter.terminology.vocabulary import Answer as Meaning
from adapter.terminology.vocabulary import AnswerKind, MapRow, TestRole, WordKind

CODE_AGAINST_TEXT: Final = "code-against-text"

_KINDS: Final = {
    Assay.IHC: AnswerKind.IHC,
    Assay.ISH: AnswerKind.ISH,
    Assay.OVERALL: AnswerKind.OVERALL,
}
_ABSENT_AS_NOT_DONE: Final = ("not-performed", "not-applicable", "temp-unknown")
"""Codes of FHIR's data-absent-reason that say there is no such result, or not yet."""
_TURNS_MEANING: Final = (
    WordKind.NEGATION,
    WordKind.UNSETTLING,
    WordKind.NOT_DONE,
    WordKind.PRESENCE,
    WordKind.LABORATORY,
    WordKind.EXTENT,
    WordKind.RECOMMENDATION,
    WordKind.STAINING,
    WordKind.COMPARATOR,
    WordKind.SITE_OTHER,
    WordKind.POPULATION,
    WordKind.DOUBT,
)


@dataclass(frozen=True)
class Answer:
    """What a value says. `problem`: reason code when it could not be read; "" otherwise.

    `words`: what it was read from. `unknown`: (system, code) of answers that no row knows.
    `is_absent`: there is no value at all.
    """

    stated: Stated = NOTHING
    problem: str = ""
    words: tuple[str, ...] = ()
    unknown: tuple[tuple[str, str], ...] = ()
    marker: RepeatMarker | None = None
    adjudicated: bool = False
    is_absent: bool = False


def answer_of(element: JsonObject, asked: TestRole, terms: Terms) -> Answer:
    """Read the value[x] of an Observation or a component.

    Args:
        element: the Observation or component, of any shape; not changed.
        asked: which test it answers.
        terms: the vocabulary.

    """
    names = [name for name in element if name.startswith("value") and is_filled(element[name])]
    absent = element.get("dataAbsentReason")
    if not names:
        return _absent(absent, asked, terms)
    if len(names) > 1 or is_filled(absent):
        if len(names) > 1:
            conflict = Conflict("several-values", " against ".join(sorted(names)))
        else:
            conflict = Conflict("value-and-absent-reason")
        return Answer(Stated(conflicts=(conflict,)))
    answer = _value(names[0], element[names[0]], asked, terms)
    return _count_alone(answer) if asked is TestRole.CEP17_COPIES else answer


def _count_alone(answer: Answer) -> Answer:
    """Take nothing but a number from a count of CEP17: "negative" there is no polysomy, or nobody knows what."""
    stated, ish = answer.stated, answer.stated.ish
    says_more = stated.ihc or stated.overall or (ish and (ish.stated_group or ish.word))
    if not says_more or (ish and ish.word is ResultWord.NOT_DONE):
        return answer
    return replace(answer, stated=NOTHING, problem="answer-says-nothing")


def concept_answer(concept: JsonObject, asked: TestRole, terms: Terms) -> Answer:
    """Read a CodeableConcept as an answer: its codes, their displays and its text."""
    coded, unknown = _coded(concept, asked, terms)
    said = texts(concept)
    # A code's own published display says nothing beyond the code, and may use a word in its own sense.
    published = {row.display.casefold() for row in coded.rows}
    beside = [text for text in said if text.casefold() not in published]
    readings = [read(text, terms.lexicon, asked) for text in beside]
    whole = [reading for reading in readings if reading.is_whole]
    base = coded
    for reading in whole:
        conflict = CODE_AGAINST_TEXT if coded.rows else "stated-twice-differently"
        base = join_as_one(base, reading.stated, conflict=conflict)
    problem = _problem(base, coded, readings)
    if not problem:
        unclear = [reading for reading in readings if not reading.is_whole]
        if any(map(_may_turn_meaning, unclear)):
            problem = "text-beside-code-not-understood"
        base = base.with_conflicts(*_against(unclear, base))
    return Answer(
        NOTHING if problem else base,
        problem,
        tuple(said) or tuple(row.display for row in coded.rows),
        unknown,
        marker=marker_of(reading.marker for reading in whole if reading.marker),
        adjudicated=any(reading.adjudicated for reading in whole),
    )


def _absent(reason: object, asked: TestRole, terms: Terms) -> Answer:
    """Read why there is no value."""
    if not is_filled(reason):
        return Answer(problem="no-value", is_absent=True)
    codes = [string(coding, "code") for coding in codings(reason)]
    if any(code in _ABSENT_AS_NOT_DONE for code in codes):
        return Answer(_word(ResultWord.NOT_DONE, ASSAY_OF_ROLE.get(asked, Assay.OVERALL)))
    if isinstance(reason, dict) and string(reason, "text"):
        reading = read(string(reason, "text"), terms.lexicon, asked)
        results = (reading.stated.ihc, reading.stated.ish)
        if reading.is_whole and any(r and r.word is ResultWord.NOT_DONE for r in results):
            return Answer(reading.stated, words=(string(reason, "text"),))
    return Answer(problem="data-absent", is_absent=True)


def _value(name: str, value: object, asked: TestRole, terms: Terms) -> Answer:
    if name == "valueString" and isinstance(value, str):
        return _text_answer(value, asked, terms)
    if name == "valueCodeableConcept" and isinstance(value, dict):
        return concept_answer(value, asked, terms)
    try:
        if name == "valueInteger":
            return Answer(numbers.integer_of(value, asked))
        if name in _OBJECTS and isinstance(value, dict):
            return Answer(_OBJECTS[name](value, asked, terms), words=_written(value))
    except UnreadError as unread:
        return Answer(problem=unread.problem)
    is_known = name in ("valueString", "valueCodeableConcept", *_OBJECTS)
    return Answer(problem="value-not-r4" if is_known else "value-type-not-read")


_OBJECTS: Final = {
    "valueQuantity": numbers.quantity_of,
    "valueRatio": numbers.ratio_of,
    "valueRange": numbers.range_of,
}


def _written(value: JsonObject) -> tuple[str, ...]:
    unit = string(value, "unit") or string(value, "code")
    return (unit,) if unit else ()


def _text_answer(text: str, asked: TestRole, terms: Terms) -> Answer:
    reading = read(text, terms.lexicon, asked)
    stated = reading.stated if reading.is_whole else NOTHING
    return Answer(
        stated,
        reading.problem,
        (text.strip(),),
        marker=reading.marker,
        adjudicated=reading.adjudicated,
    )


def _coded(
    concept: JsonObject, asked: TestRole, terms: Terms
) -> tuple[Stated, tuple[tuple[str, str], ...]]:
    """Join what the known codes mean; list the others."""
    assay = ASSAY_OF_ROLE.get(asked, Assay.OVERALL)
    stated = NOTHING
    unknown: list[tuple[str, str]] = []
    for coding in codings(concept):
        pair = (string(coding, "system"), string(coding, "code"))
        row = terms.catalogue.answer(_KINDS[assay], *pair) or _score_row(pair, terms)
        if row is not None:
            stated = join_as_one(stated, stated_by(row, assay), conflict="answer-codes-differ")
        elif pair[1]:
            unknown.append(pair)
    return stated, tuple(unknown)


def _score_row(pair: tuple[str, str], terms: Terms) -> MapRow | None:
    """Find an IHC score's code under another test: it says what it says, and belongs to no ISH."""
    row = terms.catalogue.answer(AnswerKind.IHC, *pair)
    return row if row is not None and scores_of(row.meaning) is not None else None


def stated_by(row: MapRow, assay: Assay) -> Stated:
    """Give what a row of the mappings means under a test; nothing for a code without a usable meaning."""
    meaning = row.meaning
    scores, group, word = scores_of(meaning), ish_group_of(meaning), result_word_of(meaning)
    stated = NOTHING
    if scores is not None:
        stated = Stated(ihc=IhcResult(scores=scores))
    elif group is not None:
        stated = Stated(ish=IshResult(stated_group=group))
    elif meaning in (Meaning.AMPLIFIED, Meaning.NOT_AMPLIFIED):
        stated = Stated(ish=IshResult(word=word))
    elif word is not None:
        stated = _word(word, assay)
    elif meaning == Meaning.OFF_SCALE:
        stated = Stated(ihc=IhcResult(off_scale=True))
    elif meaning == Meaning.OTHER_TUMOUR:
        stated = Stated(other_tumour=True)
    return stated.with_rows(row)


def _word(word: ResultWord, assay: Assay) -> Stated:
    if assay is Assay.IHC:
        return Stated(ihc=IhcResult(word=word))
    return Stated(ish=IshResult(word=word)) if assay is Assay.ISH else Stated(overall=word)


def _problem(base: Stated, coded: Stated, readings: list[Reading]) -> str:
    """Say why a concept cannot be read at all; "" when it states something."""
    names_other = any(reading.problem == OTHER_ANALYTE for reading in readings)
    if names_other:
        return OTHER_ANALYTE
    says_nothing = any(row.meaning == Meaning.UNREADABLE for row in coded.rows)
    if says_nothing:
        return "answer-says-nothing"
    if not base.is_empty or base.other_tumour or base.conflicts:
        return ""
    return readings[0].problem if readings else "answer-not-known"


def _may_turn_meaning(reading: Reading) -> bool:
    """Whether a text that is not understood whole holds what may turn the meaning of the code beside it."""
    return not reading.tokens or "?" in known_words(reading.tokens)


def _against(unclear: list[Reading], base: Stated) -> list[Conflict]:
    """Name what texts that are not understood whole say beside what is stated.

    Harmless is a text whose known words say nothing, or just what the code says.
    """
    stated = _sayings(base)
    against = sorted({word for one in unclear for word in known_words(one.tokens)} - stated - {"?"})
    if not against:
        return []
    said = " and ".join(sorted(stated)) or "nothing"
    return [Conflict(CODE_AGAINST_TEXT, f"{said} against {' and '.join(against)}")]


def known_words(tokens: tuple[Token, ...]) -> Iterator[str]:
    """Name the scores and result words in a text, "?" for what may turn their meaning."""
    for index, token in enumerate(tokens):
        following = tokens[index + 1] if index + 1 < len(tokens) else None
        is_lone_plus = index == 0 and token.is_sign("+")  # positive, or 1+
        if token.kind is TokenKind.NUMBER:
            is_score = following is not None and following.is_sign("+")
            yield f"{token.text}+" if is_score else "?"
        elif (
            is_lone_plus
            or token.is_sign("%", "<", ">", "<=", ">=")
            or token.is_word(*_TURNS_MEANING)
        ):
            yield "?"
        elif token.is_word(WordKind.RESULT, WordKind.EXPRESSION, WordKind.ISH_RESULT):
            word = result_word_of(token.meaning)
            yield word.value if word else token.meaning
        elif token.is_word(WordKind.IHC_SCORE):
            yield token.meaning


def _sayings(stated: Stated) -> set[str]:
    """Name the scores and words that say the same as what is stated."""
    ihc, ish = stated.ihc, stated.ish
    said: set[str] = {stated.overall.value} if stated.overall else set()
    if ihc is not None:
        said |= {score.value for score in ihc.scores} if len(ihc.scores) == 1 else set()
        said |= {ihc.word.value} if ihc.word else set()
    if ish is not None:
        said |= {ish.word.value} if ish.word else set()
        said |= {f"group-{ish.stated_group.value}"} if ish.stated_group else set()
    return said
