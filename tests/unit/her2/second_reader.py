"""A second, slow reading of the clinical rules, written from the rules' text alone and sharing no code with the core.

It protects against the core and its tests being wrong together: tables are literal, ranges of numbers are tried out
point by point, and everything is a plain string. `Unsaid` is raised where the rules leave the answer itself open;
`review` is None where they leave only the flag open.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from adapter.her2.model import (
    Adjudication,
    Case,
    Evidence,
    IhcResult,
    IshResult,
    OverallResult,
    Probe,
    RepeatMarker,
    ResultStatus,
    ResultWord,
    TumourSite,
)
from tests.unit.her2.second_reader_values import Conflict, Count, Unsaid, count_of, ihc_rows, points


@dataclass(frozen=True)
class Reading:
    """A category and whether a human has to look; review None: the rules leave the flag open."""

    category: str
    review: bool | None = False


REVIEW = Reading("needs-review", True)

_COLUMNS = (
    "none",
    "G1",
    "G2",
    "G3",
    "G4",
    "G5",
    "indeterminate",
    "single>=6",
    "single4-6",
    "single<4",
)
# The decision table, one line per IHC row, in the order of the columns above; * is a review flag.
_TABLE = """
none|no-result|positive|pending-ihc|pending-ihc|pending-ihc|negative-unspecified|indeterminate*|positive*|pending-ihc|negative-unspecified
0|negative|positive*|negative|negative|negative|negative|negative|positive*|negative|negative
0+|ultralow|positive*|ultralow|ultralow|ultralow|ultralow|ultralow|positive*|ultralow|ultralow
1+|low|positive*|low|low|low|low|low|positive*|low|low
2+|equivocal|positive|pending-second-review*|pending-second-review*|pending-second-review*|low|indeterminate*|positive|pending-dual-probe|low
3+|positive|positive|positive|positive|positive|positive*|positive|positive|positive|positive*
indeterminate|indeterminate*|positive|pending-ihc|pending-ihc|pending-ihc|negative-unspecified|indeterminate*|positive*|pending-ihc|negative-unspecified
"positive"|positive|positive|needs-review*|needs-review*|needs-review*|needs-review*|positive|positive|needs-review*|needs-review*
"""
TABLE = {
    (line.split("|")[0], column): Reading(cell.rstrip("*"), cell.endswith("*"))
    for line in _TABLE.strip().splitlines()
    for column, cell in zip(_COLUMNS, line.split("|")[1:], strict=True)
}
# 2+ counted twice in the same group of 2 to 4.
RECOUNTED = {"G2": Reading("low", True), "G3": Reading("positive"), "G4": Reading("low")}

BELOW_POSITIVE = ("negative", "ultralow", "low", "negative-unspecified")
PENDING = ("pending-ihc", "pending-second-review", "pending-dual-probe")
OPEN = ("equivocal", *PENDING, "needs-review")
ASCO_CAP = {
    "positive": "positive",
    **dict.fromkeys(BELOW_POSITIVE, "negative"),
    "equivocal": "equivocal",
    "indeterminate": "indeterminate",
}
AGREES = {
    "positive": ("positive",),
    "negative": BELOW_POSITIVE,
    "equivocal": ("equivocal", *PENDING),
    "low": ("low",),
    "ultralow": ("ultralow",),
    "indeterminate": ("indeterminate",),
    "negative-or-equivocal": (*BELOW_POSITIVE, "equivocal", *PENDING),
}
ALONE = {word: word for word in AGREES} | {
    "negative": "negative-unspecified",
    "negative-or-equivocal": "needs-review",
}
# --- The table, N6 and partial numbers -------------------------------------------------------------------------------


def one_row(row: str, count: Count) -> Reading:
    """One IHC row with one ISH count: each column the word leaves, all of one category or needs-review."""
    left = [c for c in sorted(count.columns) if _word_fits(count.word, row, c)]
    if row == '"positive"' and count.word == "positive" and len(count.columns) > len(left):
        raise Unsaid("IHC positive without a score, ISH positive with incomplete numbers")
    found = [TABLE[row, column] for column in left]
    if not found or len({one.category for one in found}) > 1:
        return REVIEW
    return Reading(found[0].category, count.review or all(one.review for one in found))


def _word_fits(word: str | None, row: str, column: str) -> bool:
    if word is None:
        return True
    if column in ("G1", "single>=6"):
        return word == "positive"
    if column in ("G5", "single<4"):
        return word == "negative"
    if word == "equivocal":
        return True
    return TABLE[row, column].category in AGREES[word]


def n6(each: Iterable[Reading]) -> Reading:
    """The rows of a range, or of "negative" without a score, become one answer."""
    found = list(each)
    if len(found) == 1:
        return found[0]
    categories = {one.category for one in found}
    flags = any(one.review for one in found)
    if len(categories) == 1:
        return Reading(found[0].category, flags)
    for undecided in ("needs-review", *(c for c in OPEN if c != "needs-review")):
        if undecided in categories:
            flag = next(one.review for one in found if one.category == undecided)
            return Reading(undecided, flag or "positive" in categories)
    if "indeterminate" in categories:  # the printed grid: 1+–2+ and 2+–3+ with ISH indeterminate
        return Reading("indeterminate", True)
    if "positive" in categories:
        return REVIEW
    return Reading("negative-unspecified", flags)


# --- One sample ------------------------------------------------------------------------------------------------------


def second_reading(case: Case) -> Reading:
    """The answer for one sample under the default policy, for results without a date."""
    there = [e for e in case.evidence if e.source.status is not ResultStatus.ENTERED_IN_ERROR]
    early = (ResultStatus.REGISTERED, ResultStatus.PRELIMINARY)
    called_off = (ResultStatus.CANCELLED, ResultStatus.REPORT_WITHDRAWN)
    counting = [e for e in there if e.source.status not in (*early, *called_off)]
    unclear = [
        e
        for e in counting
        if e.contradictions or e.source.status in (ResultStatus.UNKNOWN, ResultStatus.MISSING)
    ]
    if any(
        e.unreadable and (e in unclear or e.site is not TumourSite.NOT_STATED) for e in counting
    ):
        raise Unsaid("an unreadable result that says something else as well")
    sites = {e.site for e in counting} - {TumourSite.NOT_STATED}
    if sites != {TumourSite.UNCLEAR}:  # one that is clear says which of the two it is
        sites -= {TumourSite.UNCLEAR}
    signs = {e.site for e in case.evidence} - {TumourSite.NOT_STATED, TumourSite.BREAST}
    if signs != {TumourSite.UNCLEAR} or TumourSite.BREAST in sites:
        signs -= {TumourSite.UNCLEAR}
    if not signs <= sites:
        raise Unsaid("the tumour site of a result that does not count")
    if TumourSite.OTHER in sites:
        if len(sites) > 1 or unclear:
            raise Unsaid("another tumour's result beside a breast's, or of unclear status")
        return Reading("not-applicable", None)
    if unclear or sites & {TumourSite.CONTRADICTORY, TumourSite.UNCLEAR}:
        return REVIEW
    unreadable = [e for e in counting if e.unreadable]
    answer = _of_results([e for e in counting if not e.unreadable])
    if answer.category == "no-result":
        if unreadable:
            raise Unsaid("nothing but an unreadable result")
        waiting = [
            e.source.status for e in there if e.assay.value == "ihc" and e.source.status in early
        ]
        if ResultStatus.PRELIMINARY in waiting:
            answer = Reading("pending-ihc")
        elif waiting:
            raise Unsaid("a registered IHC and nothing else")
    elif answer.category == "indeterminate" and any(
        e.source.status in early and e.assay.value == "ihc" for e in there
    ):
        raise Unsaid("an indeterminate test beside an IHC that is not final")
    if any(e.assay.value == "ihc" for e in unreadable) and answer.category in (
        "negative",
        "ultralow",
        "low",
    ):
        raise Unsaid("not negative, ultralow or low: but what")
    if answer.category == "no-result":
        return answer
    looked = bool(unreadable) or bool(case.join_reasons)
    looked |= any(e.source.status in called_off for e in there)
    return replace(answer, review=True) if looked else answer


def _of_results(counting: list[Evidence]) -> Reading:
    overall = _one_overall([(e, e.overall) for e in counting if e.overall])
    try:
        rows, ihc_replaced = _one_ihc([(e, e.ihc) for e in counting if e.ihc])
        first, second, ish_replaced = _one_or_two([(e, e.ish) for e in counting if e.ish], rows)
    except Conflict:
        return _unless_adjudicated(overall, counting)
    if rows == ("none",) and first.columns == {"none"}:
        return Reading(ALONE[overall.word.value], None) if overall else Reading("no-result", None)
    if overall and len(rows) > 1:
        answer = _range_beside_overall(rows, (first, second), overall, counting)
    else:
        answer = n6(_row_with_overall(r, first, second, overall, counting) for r in rows)
    if ihc_replaced or ish_replaced:
        return replace(answer, review=True)
    unsure = (ihc_replaced is None or ish_replaced is None) and not answer.review
    return replace(answer, review=None) if unsure else answer


def _unless_adjudicated(overall: OverallResult | None, counting: list[Evidence]) -> Reading:
    """Which results count 11 (b): later than the conflicting ones, and marked as adjudicated."""
    if overall and overall.adjudication is Adjudication.ADJUDICATED:
        said = {bool(e.overall): e.source.issued or e.source.effective for e in counting}
        if said.get(True) and said.get(False):
            raise Unsaid("a contradiction that the laboratory adjudicated: which category")
    return REVIEW


def _staining_open(counting: list[Evidence]) -> bool:
    """IHC 0 without a staining statement: nothing said, or only something like "<10 %"."""
    stated = {replace(e.ihc, text="") for e in counting if e.ihc}
    if len(stated) > 1:
        raise Unsaid("the staining of a score that was repeated")
    return all(
        e.ihc.staining is None and (e.ihc.percent is None or len(points(e.ihc.percent)) > 1)
        for e in counting
        if e.ihc
    )


def _row_with_overall(
    row: str,
    first: Count,
    second: Count | None,
    overall: OverallResult | None,
    counting: list[Evidence],
) -> Reading:
    answer = _row(row, first, second)
    if overall is None:
        return answer
    word = overall.word.value
    if answer.category == "needs-review" and second and word in ("positive", "negative"):
        raise Unsaid("a recount in another group, then an overall result")
    if answer.category == "needs-review":
        return _unless_adjudicated(overall, counting)
    if (
        row == "2+"
        and second is None
        and answer.category == "pending-second-review"
        and word in ("positive", "negative")
    ):
        return Reading({"positive": "positive", "negative": "low"}[word], True)
    if answer.category == "pending-second-review" and word == "low" and second is None:
        raise Unsaid("an overall low over 2+ with group 2 to 4")
    if answer.category in AGREES[word]:
        return replace(answer, review=None if second and not answer.review else answer.review)
    if answer.category == "negative-unspecified" and word in ("low", "ultralow"):
        return replace(answer, category=word)
    if (
        row == "0"
        and answer.category == "negative"
        and word == "ultralow"
        and _staining_open(counting)
    ):
        return replace(answer, category="ultralow")
    return _unless_adjudicated(overall, counting)


def _range_beside_overall(
    rows: tuple[str, ...],
    counts: tuple[Count, Count | None],
    overall: OverallResult,
    counting: list[Evidence],
) -> Reading:
    """What a range gives as a whole, against the laboratory's own word."""
    whole = n6(_row(row, *counts) for row in rows)
    word = overall.word.value
    if whole.category == "pending-second-review" and word in ("positive", "negative"):
        raise Unsaid("a range of scores with group 2 to 4, adjudicated")
    if whole.category in AGREES[word]:
        return whole
    fits = {"low": "1+", "ultralow": "0+"}.get(word)
    if whole.category == "negative-unspecified" and fits:
        if fits not in rows:
            raise Unsaid("an overall result that no score of the range can have")
        return replace(whole, category=word)
    return _unless_adjudicated(overall, counting)


def _row(row: str, first: Count, second: Count | None) -> Reading:
    """One IHC row with one count, or with a count and a marked recount."""
    if second is None:
        return one_row(row, first)
    if row != "2+":
        both = one_row(row, first), one_row(row, second)
        if both[0].category != both[1].category:
            return REVIEW
        flags = {one.review for one in both}
        return Reading(both[0].category, flags.pop() if len(flags) == 1 else None)
    if len(first.columns) > 1 or len(second.columns) > 1:
        return REVIEW
    (one,), (other,) = first.columns, second.columns
    if one != other:
        return REVIEW
    if one not in RECOUNTED:
        same = one_row(row, first) == one_row(row, second)
        return one_row(row, first) if same else REVIEW
    words = {first.word, second.word} - {None, "equivocal"}
    if any(RECOUNTED[one].category not in AGREES[word] for word in words if word):
        return REVIEW
    return RECOUNTED[one]


# --- The same test twice ---------------------------------------------------------------------------------------------


def _one_ihc(results: list[tuple[Evidence, IhcResult]]) -> tuple[tuple[str, ...], bool | None]:
    """The rows of the IHC that counts, and whether it replaced another one."""
    done = [(e, r) for e, r in results if r != IhcResult(word=ResultWord.NOT_DONE)]
    if not done:
        return ("none",), False
    if len({replace(r, text="") for _, r in done}) == 1:
        return ihc_rows(done[0][1]), None if any(e.marker for e, _ in done) else False
    marked = [(e, r) for e, r in done if e.marker]
    if not marked:
        if any(not r.scores for _, r in done):
            raise Unsaid("one test told in parts by two results")
        if len({r.scores for _, r in done}) == 1:
            raise Unsaid("one test told in parts by two results")
        raise Conflict
    if len(done) > 2 or len(marked) > 1:
        raise Unsaid("more than two results of one test")
    ((latest, result),) = marked
    if latest.marker is RepeatMarker.RECOUNT:
        raise Unsaid("a second observer's IHC score: a repeat or not")
    if ihc_rows(result) == ("indeterminate",):
        raise Unsaid("a repeat that could not be read")
    return ihc_rows(result), True


def _one_overall(results: list[tuple[Evidence, OverallResult]]) -> OverallResult | None:
    """The overall result that counts."""
    done = [(e, r) for e, r in results if r.word is not ResultWord.NOT_DONE]
    if len({r.word for _, r in done}) > 1 or len({r.adjudication for _, r in done}) > 1:
        raise Unsaid("which of two overall results is the last word")
    return done[0][1] if done else None


def _one_or_two(
    results: list[tuple[Evidence, IshResult]], rows: tuple[str, ...]
) -> tuple[Count, Count | None, bool | None]:
    """First count, recount, and the flag for a repeat that replaced the first."""
    done = [(e, r) for e, r in results if not _says_nothing(r)]
    if not done:
        return Count(frozenset({"none"})), None, False
    if len(done) == 1 and any(r.word is None for _, r in results if _says_nothing(r)):
        raise Unsaid("a lone 0 beside another result")
    if len(done) == 1:
        return count_of(done[0][1]), None, False
    same = len({replace(r, text="") for _, r in done}) == 1
    marked = [one for one in done if one[0].marker]
    if same and not marked:
        return count_of(done[0][1]), None, False
    if len(done) > 2 or len(marked) > 1:
        raise Unsaid("more than two results of one test")
    designs = [_design(r) for _, r in done]
    if {*designs} == {Probe.DUAL, Probe.SINGLE}:
        if marked:
            raise Unsaid("dual over single probe, and a marker")
        try:
            counts = {_design(r): count_of(r) for _, r in done}
        except Conflict:
            raise Unsaid("a contradictory result beside the one that outranks it") from None
        if counts[Probe.DUAL].columns == {"indeterminate"}:
            raise Unsaid("a dual probe that could not be read, over a single probe")
        return counts[Probe.DUAL], None, None
    if not marked:
        one, other = done[0][1], done[1][1]
        if all(getattr(one, x) == getattr(other, x) for x in _stated(one) & _stated(other)):
            raise Unsaid("one test told in parts by two results")
        if count_of(one).columns == count_of(other).columns:
            raise Unsaid("two counts that differ within one group")
        raise Conflict
    second = marked[0]
    first = next(one for one in done if one is not second)
    if second[0].marker is RepeatMarker.REPEAT:
        if count_of(second[1]).columns == {"indeterminate"}:
            raise Unsaid("a repeat that could not be read")
        return count_of(second[1]), None, None if same else True
    return _recounted(count_of(first[1]), count_of(second[1]), rows)


def _recounted(
    first: Count, second: Count, rows: tuple[str, ...]
) -> tuple[Count, Count | None, bool | None]:
    if len(rows) > 1:
        raise Unsaid("a recount beside a range of scores")
    if not second.numbers:
        raise Unsaid("a recount without numbers")
    if first.numbers:
        return first, second, False
    if first.columns != {"G4"}:
        raise Unsaid("a recount after a word other than equivocal")
    return second, None, None


def _design(ish: IshResult) -> Probe | None:
    if ish.probe is None and (ish.ratio or ish.cep17_copies or ish.stated_group):
        return Probe.DUAL
    return ish.probe


def _says_nothing(ish: IshResult) -> bool:
    try:
        return count_of(ish).columns == {"none"}
    except Conflict:
        return False


def _stated(ish: IshResult) -> set[str]:
    names = ("word", "stated_group", "ratio", "her2_copies", "cep17_copies")
    return {name for name in names if getattr(ish, name) is not None}
