"""The results of one tumour sample in, one category out; and which of them it rests on.

Source: the rules text, Which results count 2 to 4, 7 to 9, and The laboratory's overall result.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from tests.oracle.reading import NotCovered, Result, is_later
from tests.oracle.table import NEGATIVE_KINDS, OPEN, category, counted, group_of

REVIEW: Final = "needs-review"
_SCORES_OF_WORD: Final = {"positive": {"3+"}, "negative": {"0", "0+", "1+"}, "equivocal": {"2+"}}


@dataclass(frozen=True)
class Answer:
    """What must stand for a sample: its category and the results it names; category None for nothing."""

    category: str | None = None
    sources: frozenset[str] = frozenset()


def answer(
    results: Sequence[Result], sites: Sequence[str], *, contradicted: Collection[str] = ()
) -> Answer:
    """Answer for one sample.

    Args:
        results: of this sample, those entered in error among them.
        sites: "breast" or "other" for every sign of the tumour's site around results that are there.
        contradicted: references of results whose specimen or disease names another patient.

    Raises: NotCovered.

    """
    there = [one for one in results if one.status not in ("entered-in-error", "cancelled")]
    if set(sites) == {"other"}:
        return Answer()
    counting = [one for one in there if one.counts]
    unsound = {one.reference for one in counting if one.is_unclear or one.reference in contradicted}
    used = [one for one in counting if not one.is_unreadable or one.reference in unsound]
    used = _without_repeated(used)
    found = _category(used)
    if unsound or len(set(sites)) > 1:
        found = REVIEW
    if found is None:
        # What is awaited is this very result.
        awaited = [one for one in there if (one.test, one.status) == ("ihc", "preliminary")]
        used, found = awaited, "pending-ihc" if awaited else None
    if found in ("negative", "ultralow", "low") and any(_is_unreadable_ihc(o) for o in counting):
        found = REVIEW
    if found is None:
        return Answer()
    standing = [one for one in results if one.status != "entered-in-error"]
    return Answer(found, frozenset(one.reference for one in used or standing))


def _is_unreadable_ihc(result: Result) -> bool:
    return result.test == "ihc" and result.is_unreadable


def _without_repeated(results: list[Result]) -> list[Result]:
    """Leave out what a marked repeat of the same test replaces; an equal repeat replaces nothing."""
    left = list(results)
    for test in ("ihc", "ish"):
        same = [one for one in results if one.test == test and not one.is_unreadable]
        repeats = [one for one in same if one.is_repeat and one.word != "indeterminate"]
        earlier = [
            one
            for one in same
            if not one.is_repeat and any(not is_later(one, repeat) for repeat in repeats)
        ]
        if len({_meaning(one) for one in (*earlier, *repeats)}) > 1:
            left = [one for one in left if one not in earlier]
    return left


def _meaning(result: Result) -> object:
    return result.word, tuple(sorted(result.numbers.items()))


def _category(used: list[Result]) -> str | None:
    """Give the category of what counts, or None where there is nothing to give one from."""
    tests = [one for one in used if not one.is_unreadable]
    rows = _ihc_row([one for one in tests if one.test == "ihc"])
    overall = {one.word for one in tests if one.test == "overall"}
    if rows is None or len(overall) > 1:
        return REVIEW
    found = _beside_ish(rows, [one for one in tests if one.test == "ish"])
    if not overall:
        return None if found == "no-result" else found
    return _with_overall(found, str(overall.pop()), rows, tests)


def _ihc_row(results: list[Result]) -> str | None:
    """Give the row of the table that the IHC results stand for together; None for a contradiction."""
    words = {str(one.word) for one in results}
    if not words:
        return "none"
    if len(words) == 1:
        return words.pop()
    if words >= {"0", "0+"} or "indeterminate" in words:
        raise NotCovered("two IHC results whose sum is a question of its own")
    scores = {word for word in words if word not in _SCORES_OF_WORD}
    fits = all(scores <= _SCORES_OF_WORD[word] for word in words - scores)
    return next(iter(scores)) if len(scores) == 1 and fits else None


def _beside_ish(row: str, results: list[Result]) -> str:
    if not results:
        return category(row, "none")
    words = {one.word for one in results if one.word}
    numbers = {pair for one in results for pair in one.numbers.items()}
    names = [name for name, _ in numbers]
    if len(words) > 1 or len(names) != len(set(names)):
        return _several_counts(row, results)
    word = words.pop() if words else None
    if not numbers:
        return category(row, str(word))
    groups = _groups(dict(numbers))
    if word == "indeterminate" or not groups:
        return REVIEW
    return counted(row, groups, word)


def _several_counts(row: str, results: list[Result]) -> str:
    """Two counts that state the same part otherwise: fine where both say one group and one word, else a human's."""
    said = {(one.word, *_groups(dict(one.numbers))) for one in results}
    if len(said) > 1 or not all(one.numbers for one in results):
        return REVIEW
    word, *groups = said.pop()
    return counted(row, [str(group) for group in groups], word) if len(groups) == 1 else REVIEW


def _groups(numbers: dict[str, Decimal]) -> list[str]:
    """Give every ISH group that the numbers allow; none where the stated ratio is against the counts."""
    ratio, copies, cep17 = (numbers.get(name) for name in ("ratio", "copies", "cep17"))
    if copies is not None and cep17 is not None:
        own = group_of(copies / cep17, copies)
        return [own] if ratio is None or group_of(ratio, copies) == own else []
    if ratio is None:
        return []
    if copies is not None:
        return [group_of(ratio, copies)]
    if cep17 is not None:
        raise NotCovered("a ratio beside CEP17 copies alone")
    return ["G1", "G2"] if ratio >= 2 else ["G3", "G4", "G5"]


def _with_overall(found: str, overall: str, row: str, tests: list[Result]) -> str:
    """Hold the laboratory's overall result against what the tests gave."""
    if found == "no-result":
        return {"negative": "negative-unspecified"}.get(overall, overall)
    if found == REVIEW:
        return REVIEW
    if found == "pending-second-review" and row in ("2+", "equivocal"):
        final = [one for one in tests if one.test == "overall"]
        others = [one for one in tests if one.test != "overall"]
        is_earlier = any(all(is_later(other, own) for own in final) for other in others)
        if overall in ("positive", "negative") and not is_earlier:
            return {"positive": "positive", "negative": "low"}[overall]
    agrees = {
        "positive": found == "positive",
        "negative": found in NEGATIVE_KINDS,
        "equivocal": found in OPEN,
    }
    return found if agrees[overall] else REVIEW
