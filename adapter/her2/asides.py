"""What notes and report conclusions say beside a sample's results: they never give a category, they can contradict one.

A note may say more than its own value ("ratio 2.5" beside "not amplified", "0+" beside 0), or speak of another test
("FISH amplified" under an IHC 1+). It is held against what all results of the sample give, so that the same words
beside the FISH they are taken from contradict nothing.

Source: rules text, Which results count, 10, and The laboratory's overall result [P].
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from adapter.her2 import rules
from adapter.her2.evaluate import IshCounts, evaluate
from adapter.her2.ihc import IhcReading, read_ihc
from adapter.her2.ish import IshReading, has_second_population, narrowed, read_ish
from adapter.her2.model import Category, Evidence, IhcScore, IshResult, Policy, Reason, ResultWord
from adapter.her2.overall import AGREES_WITH, NEGATIVE_KINDS
from adapter.her2.table import POSITIVE_COLUMNS
from adapter.her2.wording import ihc_said, ish_said, sides

NOTE_AGAINST_RESULTS = "note-against-results"
CONCLUSION_AGAINST_RESULTS = "conclusion-against-results"
DEFINITE_WORDS = frozenset(
    {ResultWord.POSITIVE, ResultWord.NEGATIVE, ResultWord.LOW, ResultWord.ULTRALOW}
)


def against(
    category: Category,
    results: Iterable[Evidence],
    *,
    ihc: IhcReading,
    ish: IshCounts,
    policy: Policy,
) -> tuple[Reason, ...]:
    """Name what notes and conclusions of these results say against the category that they give.

    An open category is contradicted by nothing: what it waits for may be just what they speak of.
    """
    if category.is_open or not category.is_written:
        return ()
    results = tuple(results)
    noted = [
        *_ihc_notes_against(category, results, ihc, policy),
        *_ish_notes_against(category, results, ihc, ish, policy),
    ]
    return (*dict.fromkeys(noted), *_conclusions_against(category, results))


def _note(said: str, category: Category, source: Evidence) -> Reason:
    sentence = f"A note of {source.source.reference} says {said}, and the results of this sample give {category.value}."
    return Reason(NOTE_AGAINST_RESULTS, sentence, (source.source.reference,))


def _ihc_notes_against(
    category: Category, results: tuple[Evidence, ...], ihc: IhcReading, policy: Policy
) -> Iterator[Reason]:
    for e in results:
        for noted in e.noted_ihc:
            if _ihc_differs(read_ihc(noted, policy, e.scored_at), ihc, category):
                yield _note(ihc_said(noted), category, e)


def _ihc_differs(noted: IhcReading, used: IhcReading, category: Category) -> bool:
    word = noted.stated.word
    if noted.contradictions:
        return True
    if word in (ResultWord.LOW, ResultWord.ULTRALOW) and not _agrees(word, category):
        return True
    if noted.rows and used.rows:
        is_refined = category is Category.ULTRALOW and noted.rows == (IhcScore.ZERO_PLUS,)
        return set(noted.rows).isdisjoint(used.rows) and not is_refined
    is_positive = noted.is_usable and set(noted.rows) <= {IhcScore.THREE_PLUS}
    return is_positive and category in NEGATIVE_KINDS


def _ish_notes_against(
    category: Category,
    results: tuple[Evidence, ...],
    ihc: IhcReading,
    ish: IshCounts,
    policy: Policy,
) -> Iterator[Reason]:
    for e in results:
        for noted in e.noted_ish:
            reading = read_ish(noted, policy, e.scored_at)
            if _has_population(noted, category) or _ish_differs(reading, ish.first, ihc, category):
                yield _note(ish_said(noted), category, e)


def _has_population(noted: IshResult, category: Category) -> bool:
    """Whether it speaks of cells with more signals than a negative category allows; "not detected" does not."""
    is_denied = noted.word is ResultWord.NEGATIVE
    return has_second_population(noted) and not is_denied and category in NEGATIVE_KINDS


def _ish_differs(noted: IshReading, used: IshReading, ihc: IhcReading, category: Category) -> bool:
    """Whether the ISH of a note is another than the one used, and would end in another category beside this IHC."""
    columns = narrowed(noted)
    if not columns or category not in NEGATIVE_KINDS | {Category.POSITIVE}:
        return False
    if columns & narrowed(used) or (category is Category.POSITIVE and columns & POSITIVE_COLUMNS):
        return False
    verdict = evaluate(ihc, IshCounts(noted))
    is_untold = verdict.rule in (rules.NUMBERS_INCOMPLETE, *_WITHOUT_IHC) and not ihc.is_usable
    both = {verdict.category, category}
    return not (is_untold or len(both) == 1 or both <= NEGATIVE_KINDS)


_WITHOUT_IHC = (rules.GROUP_2_TO_4_WITHOUT_IHC, rules.SINGLE_MIDDLE_WITHOUT_IHC)
"""What an ISH waits for that has no IHC beside it: the laboratory's conclusion may know it."""


def _conclusions_against(category: Category, results: tuple[Evidence, ...]) -> Iterator[Reason]:
    """Hold the reports' conclusions against the category: each, or one at least where a report is of several samples.

    "Equivocal" is what an IHC 2+ is before its ISH, and contradicts no answer that followed.
    """
    told = [e for e in results if e.concluded & DEFINITE_WORDS]
    words = {word for e in told for word in e.concluded & DEFINITE_WORDS}
    differing = {word for word in words if not _agrees(word, category)}
    may_be_of_others = differing < words and any(e.shares_report for e in told)
    if differing and not may_be_of_others:
        said = sides(sorted(word.value for word in differing))
        yield Reason(
            CONCLUSION_AGAINST_RESULTS,
            f"The report's coded conclusion is {said}, and the results of this sample give {category.value}.",
            tuple(sorted(e.source.reference for e in told)),
        )


def _agrees(word: ResultWord, category: Category) -> bool:
    is_kind = word in (ResultWord.LOW, ResultWord.ULTRALOW)
    is_unspecified = is_kind and category is Category.NEGATIVE_UNSPECIFIED
    return is_unspecified or category in AGREES_WITH[word]
