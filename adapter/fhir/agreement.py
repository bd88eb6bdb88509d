"""Whether a note that is understood whole means something else than the value beside it.

A note never gives a category; it can only send one to review (rules: Which results count, 10 [P]).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from adapter.fhir.answer import known_words
from adapter.fhir.meanings import result_word_of, scores_of
from adapter.fhir.stated import Stated, join, stated_text
from adapter.fhir.terms import Terms, meanings
from adapter.fhir.text.parts import BOUNDARIES
from adapter.fhir.text.sums import LOW_WORDS
from adapter.fhir.text.tokens import Token
from adapter.her2.ihc import WORD_AGREES_WITH, read_ihc
from adapter.her2.ish import read_ish
from adapter.her2.model import IhcResult, IhcScore, IshResult, Reason, ResultWord
from adapter.her2.policy import ASCO_CAP_2023
from adapter.her2.table import NEGATIVE_COLUMNS, POSITIVE_COLUMNS
from adapter.terminology.vocabulary import WordKind

_NO_RESULT = (None, ResultWord.NOT_DONE)
_NEGATIVE_KINDS = (ResultWord.NEGATIVE, ResultWord.LOW, ResultWord.ULTRALOW)
_NEGATIVE_SCORES = frozenset({IhcScore.ZERO, IhcScore.ZERO_PLUS, IhcScore.ONE_PLUS})


def note_differs(note: Stated, value: Stated) -> bool:
    """Tell whether a note contradicts the value; what only one of them speaks of cannot."""
    if note.conflicts:
        return True
    if note.ihc is not None and value.ihc is not None and _ihc_differs(note.ihc, value.ihc):
        return True
    if note.ish is not None and value.ish is not None and _ish_differs(note.ish, value.ish):
        return True
    if value.overall is not None and note.ihc is not None:
        return _overall_against_scores(value.overall, note.ihc.scores)
    if note.overall is None or note.overall is ResultWord.NOT_DONE:
        return False
    return _word_differs(note.overall, value)


def with_note(value: Stated, note: Stated) -> Stated:
    """Give what a note says of each test it speaks of, together with what the value states of that test.

    A plain word of the note is about the test that the value reports; "low" and "ultralow" are about IHC anywhere.
    """
    ihc, ish = note.ihc, note.ish
    word = None if note.overall is ResultWord.NOT_DONE else note.overall
    if word in LOW_WORDS or (word is not None and value.ihc is not None):
        ihc = join(Stated(ihc=ihc), Stated(ihc=IhcResult(word=word))).ihc
    elif word is not None and value.ish is not None:
        ish = join(Stated(ish=ish), Stated(ish=IshResult(word=word))).ish
    return Stated(
        ihc=ihc and join(Stated(ihc=value.ihc), Stated(ihc=ihc)).ihc,
        ish=ish and join(Stated(ish=value.ish), Stated(ish=ish)).ish,
    )


def unclear_against(texts: Iterable[str], value: Stated, terms: Terms) -> str:
    """Say both sides where a text that is not understood whole holds a score or word against a value.

    "" where it holds none. Such a text gives no result: "Positive, see comment" beside 1+, "not
    positive" beside 3+, "detected" beside 0.
    """
    read = [terms.tokens(text) for text in texts]
    said = {word for tokens in read for word in known_words(tokens)}
    denied = {word for tokens in read for word in _denied(tokens)}
    for presence in {word for tokens in read for word in meanings(tokens, WordKind.PRESENCE)}:
        (denied if presence == ResultWord.POSITIVE else said).add(ResultWord.NEGATIVE.value)
    against = [word for word in sorted(said) if _differs(word, value)]
    against += [f"not {word}" for word in sorted(denied) if _agrees(word, value)]
    return f"{' and '.join(against)} against {stated_text(value)}" if against else ""


def _denied(tokens: tuple[Token, ...]) -> Iterator[str]:
    """Name the scores and words that stand behind a negation within their clause."""
    is_denied = False
    clause: list[Token] = []
    for token in tokens:
        if token.is_sign(*BOUNDARIES):
            yield from known_words(tuple(clause))
            is_denied, clause = False, []
        elif is_denied:
            clause.append(token)
        is_denied |= token.is_word(WordKind.NEGATION)
    yield from known_words(tuple(clause))


def _differs(word: str, value: Stated) -> bool:
    meant = _meant_by(word)
    return meant is not None and note_differs(meant, value)


def _agrees(word: str, value: Stated) -> bool:
    """Whether a value states what a word says, so that its denial contradicts the value."""
    meant = _meant_by(word)
    if meant is None or value.is_empty or (meant.ihc and value.ihc is None):
        return False
    return not note_differs(meant, value)


def _meant_by(word: str) -> Stated | None:
    """Give a score or a result word as a statement; None for what is neither."""
    scores, result = scores_of(word), result_word_of(word)
    if scores is not None:
        return Stated(ihc=IhcResult(scores=scores))
    return Stated(overall=result) if result is not None else None


def _ihc_differs(note: IhcResult, value: IhcResult) -> bool:
    joined = join(Stated(ihc=note), Stated(ihc=value))
    scores = set(note.scores or value.scores)
    words = [result.word for result in (note, value) if result.word is not None]
    misfits = [word for word in words if not scores & WORD_AGREES_WITH.get(word, frozenset())]
    against_itself = set(_contradictions(joined.ihc)) - set(_contradictions(value))
    return bool(joined.conflicts or (scores and misfits) or against_itself)


def _contradictions(ihc: IhcResult | None) -> tuple[Reason, ...]:
    """Name what a score's own percentage, staining and word say against it."""
    return read_ihc(ihc, ASCO_CAP_2023).contradictions if ihc is not None else ()


def _ish_differs(note: IshResult, value: IshResult) -> bool:
    if note.word is ResultWord.NOT_DONE:
        return False
    joined = join(Stated(ish=note), Stated(ish=value))
    return bool(joined.conflicts) or _word_against_numbers(note.word, value)


def _word_against_numbers(word: ResultWord | None, value: IshResult) -> bool:
    columns = read_ish(value, ASCO_CAP_2023).columns
    if not columns:
        return False
    if word is ResultWord.POSITIVE:
        return columns <= NEGATIVE_COLUMNS
    return word in _NEGATIVE_KINDS and columns <= POSITIVE_COLUMNS


def _word_differs(word: ResultWord, value: Stated) -> bool:
    """Hold a plain word of a note against whatever the value states."""
    ihc, ish, overall = value.ihc, value.ish, value.overall
    if overall not in _NO_RESULT:
        joined = join(Stated(overall=word), Stated(overall=overall))
        return bool(joined.conflicts)
    if ihc is not None:
        return _ihc_differs(IhcResult(word=word), ihc)
    return ish is not None and _ish_differs(IshResult(word=word), ish)


def _overall_against_scores(overall: ResultWord, scores: tuple[IhcScore, ...]) -> bool:
    """Tell whether no ISH result could bring this score to this conclusion without a discordance."""
    if not scores:
        return False
    if overall in (ResultWord.LOW, ResultWord.ULTRALOW):
        return WORD_AGREES_WITH[overall].isdisjoint(scores)
    if overall is ResultWord.POSITIVE:
        return set(scores) <= _NEGATIVE_SCORES
    return overall is ResultWord.NEGATIVE and set(scores) == {IhcScore.THREE_PLUS}
