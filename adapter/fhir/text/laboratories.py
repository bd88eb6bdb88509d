"""Texts that quote several laboratories: "1+ (outside 3+)" is two results, and they must say the same."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from adapter.fhir.stated import Conflict, Stated, join
from adapter.fhir.text.clause import Clause
from adapter.fhir.text.parts import UnreadError
from adapter.fhir.text.sums import CONTRADICTS_ITSELF, LOW_WORDS, Sum
from adapter.her2.model import Assay, ResultWord, SampleKind
from adapter.her2.wording import ihc_said, ish_said
from adapter.terminology.vocabulary import TestRole

LABORATORIES_DIFFER: Final = "laboratories-differ"


def of_all_laboratories(clauses: list[Clause], asked: TestRole, text: str) -> Stated:
    """Read "1+ (outside 3+)" as two laboratories' results, which must say the same. Raises UnreadError."""
    if len(set().union(*(clause.sides for clause in clauses))) > 1:
        raise UnreadError("two-sides-in-one-text")
    if _says_two_samples(clauses):
        raise UnreadError("samples-differ")
    there = [clause for clause in clauses if clause.is_elsewhere and clause.states_result]
    here = [clause for clause in clauses if clause not in there]
    if not there or not any(clause.states_result for clause in here):
        stated = Sum(asked, text).of(clauses)
        if any(clause.is_elsewhere for clause in here) and _says_several(stated):
            raise UnreadError("laboratories-mixed")
        return stated
    ours, theirs = Sum(asked, text).of(here), Sum(asked, text).of(there)
    if _tests(ours) != _tests(theirs):
        raise UnreadError("laboratories-mixed")
    joined = join(ours, theirs, conflict=LABORATORIES_DIFFER)
    differs = any(conflict.code == LABORATORIES_DIFFER for conflict in joined.conflicts)
    scored = [one.ihc for one in (ours, theirs) if one.ihc is not None and one.ihc.scores]
    if len({ihc.scores for ihc in scored}) > 1 and not differs:
        # Of one laboratory 0+ says more than 0; of two it is another score.
        said = " against ".join(ihc_said(ihc) for ihc in scored)
        return joined.with_conflicts(Conflict(LABORATORIES_DIFFER, said))
    if ours.ish is not None and theirs.ish is not None and ours.ish != theirs.ish and not differs:
        # A ratio of one laboratory and copies of another are no one count.
        said = f"{ish_said(ours.ish)} against {ish_said(theirs.ish)}"
        return joined.with_conflicts(Conflict(LABORATORIES_DIFFER, said))
    return joined


def _says_two_samples(clauses: list[Clause]) -> bool:
    """Whether results of a metastasis and of another sample follow each other: "primary 2+; metastasis 1+".

    "Core biopsy, liver metastasis: 2+" is one sample: no result stands between its two names.
    """
    if any({SampleKind.METASTASIS, SampleKind.PRIMARY} <= clause.kinds for clause in clauses):
        return True
    results = [place for place, clause in enumerate(clauses) if clause.states_result]
    named = [place for place, clause in enumerate(clauses) if clause.kinds]
    return len(results) > 1 and any(
        (SampleKind.METASTASIS in clauses[one].kinds)
        is not (SampleKind.METASTASIS in clauses[other].kinds)
        and any(one <= place < other for place in results)
        for one, other in pairwise(named)
    )


def weighed(stated: Stated) -> Stated:
    """Hold "2+, low" against "amplified": a low tumour is not amplified, whoever said which."""
    word = stated.ihc.word if stated.ihc is not None else None
    if word in LOW_WORDS and stated.ish is not None and stated.ish.word is ResultWord.POSITIVE:
        said = f"{word} against {ish_said(stated.ish)}"
        return stated.with_conflicts(Conflict(CONTRADICTS_ITSELF, said))
    return stated


def _tests(stated: Stated) -> set[Assay]:
    tests = {Assay.IHC: stated.ihc, Assay.ISH: stated.ish}
    return {assay for assay, result in tests.items() if result is not None}


def _says_several(stated: Stated) -> bool:
    """Whether more than one thing is stated, of which another laboratory may have said but one."""
    ish = stated.ish
    numbers = [ish.ratio, ish.her2_copies, ish.cep17_copies] if ish is not None else []
    return len(_tests(stated)) > 1 or sum(number is not None for number in numbers) > 1
