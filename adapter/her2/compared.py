"""How an answer stands to the laboratory's own overall result: for reports to people, never for a decision.

Nothing here gives or alters a category. The site of truth is `overall`: what the laboratory's words are, and which
categories they agree with.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from adapter.her2.asides import CONCLUSION_AGAINST_RESULTS, DEFINITE_WORDS
from adapter.her2.classify import DECIDED_BY_OVERALL, classify
from adapter.her2.model import Case, Category, Classification, Evidence, Policy, ResultWord
from adapter.her2.overall import AGREES_WITH, NEGATIVE_KINDS, combine_overall, conclusions_of
from adapter.her2.which_count import sort_out


class Comparison(StrEnum):
    """How the derived category stands to what the laboratory itself concluded."""

    AGAINST = "against"
    """The single results alone give a definite category, and the laboratory concluded another one."""
    LABORATORY_DIFFERS = "laboratory-differs"
    """Several overall results of the laboratory differ, and none is a later adjudication."""
    UNDECIDED = "undecided"
    """The laboratory concluded something, and the answer is open or indeterminate."""
    TAKEN = "taken"
    """The category rests on the laboratory's overall result itself: nothing was compared."""
    FINER = "finer"
    """The laboratory says negative, and the scores say which kind: low or ultralow."""
    AGREES = "agrees"


_DEFINITE = NEGATIVE_KINDS | {Category.POSITIVE}


@dataclass(frozen=True)
class Compared:
    """One comparison.

    `laboratory`: the word of the overall result, or each of several that differ; of the report's coded conclusion where
    there is no overall result or the conclusion is what contradicts. `by_tests`: what the sample's single results give
    with both left out.
    """

    how: Comparison
    laboratory: tuple[ResultWord, ...]
    by_tests: Category


def compared(case: Case, answer: Classification, policy: Policy) -> Compared | None:
    """Hold an answer against the laboratory's own conclusion.

    Args:
        case: the sample, whole.
        answer: what `classify` gave for it.
        policy: the one it was classified under.

    Returns:
        None where the laboratory concluded nothing that counts, and where nothing is written.

    """
    if not answer.category.is_written:
        return None
    results = sort_out(case).results
    overall = combine_overall(results)
    stated = frozenset(word for e in overall.results for word in conclusions_of(e))
    words = frozenset({overall.word}) if overall.word is not None else stated
    concluded = frozenset(word for e in results for word in e.concluded) & DEFINITE_WORDS
    is_contradicted = any(one.code == CONCLUSION_AGAINST_RESULTS for one in answer.reasons)
    if is_contradicted or not words:
        words |= concluded
    if not words:
        return None
    by_tests = classify(_tests_alone(case), policy).category
    how = Comparison.LABORATORY_DIFFERS
    if not overall.contradictions:
        how = Comparison.AGAINST if is_contradicted else _how(words, answer, by_tests)
    return Compared(how, tuple(sorted(words)), by_tests)


def _tests_alone(case: Case) -> Case:
    """Leave out of a sample what its laboratory concluded; what says where the tumour is stays."""
    return replace(case, evidence=tuple(map(_without_conclusion, case.evidence)))


def _without_conclusion(evidence: Evidence) -> Evidence:
    left = replace(evidence, overall=None, concluded=frozenset())
    if conclusions_of(left):  # "low" under an IHC code, which is no score
        left = replace(left, ihc=None)
    is_test = left.ihc is not None or left.ish is not None or left.unreadable is not None
    return left if is_test else replace(left, contradictions=(), noted_ihc=(), noted_ish=())


def _how(words: frozenset[ResultWord], answer: Classification, by_tests: Category) -> Comparison:
    """Compare where the laboratory does not contradict itself."""
    agrees = frozenset(category for word in words for category in AGREES_WITH[word])
    if answer.rule in DECIDED_BY_OVERALL:
        return Comparison.TAKEN
    if by_tests in _DEFINITE - agrees:
        return Comparison.AGAINST
    if answer.category not in agrees:
        return Comparison.UNDECIDED
    is_kind = answer.category in (Category.LOW, Category.ULTRALOW)
    return Comparison.FINER if is_kind and words == {ResultWord.NEGATIVE} else Comparison.AGREES
