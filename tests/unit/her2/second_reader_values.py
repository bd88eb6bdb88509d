"""The second reader's reading of one IHC result and of one ISH result: rows and columns of the decision table.

Ranges and bounds are tried out point by point instead of being reasoned about; no code is shared with the core.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import product

from adapter.her2.model import (
    Comparator,
    IhcResult,
    IshResult,
    Measurement,
    Probe,
    Staining,
)

D = Decimal


class Unsaid(Exception):
    """The rules do not say what this input means."""


class Conflict(Exception):
    """A result contradicts itself or another one."""


IHC_WORD_FITS = {"positive": ("3+",), "negative": ("0", "0+", "1+"), "equivocal": ("2+",)}


# --- Numbers, tried out point by point -------------------------------------------------------------------------------

_STEP = D("0.0001")
_MARKS = [D(x) for x in ("0", "1", "1.8", "2", "2.2", "4", "6", "10", "12", "50", "100")]


def points(number: Measurement) -> list[Decimal]:
    """Enough single values of a stated number to meet every cut-off from both sides."""
    marks = {*_MARKS, number.value, *([number.upper] if number.upper is not None else [])}
    tried = {mark + shift for mark in marks for shift in (-_STEP, D(0), _STEP)}
    if number.upper is not None:
        return sorted(x for x in tried if number.value <= x <= number.upper)
    allowed: dict[Comparator, Callable[[Decimal], bool]] = {
        Comparator.EXACT: lambda x: x == number.value,
        Comparator.LESS: lambda x: x < number.value,
        Comparator.LESS_OR_EQUAL: lambda x: x <= number.value,
        Comparator.GREATER: lambda x: x > number.value,
        Comparator.GREATER_OR_EQUAL: lambda x: x >= number.value,
    }
    return sorted(x for x in tried if allowed[number.comparator](x))


def _impossible(number: Measurement, most: Decimal | None) -> bool:
    ends = [number.value] if number.upper is None else [number.value, number.upper]
    return any(end <= 0 or (most is not None and end > most) for end in ends)


# --- One IHC result --------------------------------------------------------------------------------------------------


def ihc_rows(ihc: IhcResult) -> tuple[str, ...]:
    """The rows of the table an IHC result stands for."""
    if ihc.off_scale:
        raise Conflict
    word = ihc.word.value if ihc.word else None
    if not ihc.scores:
        if ihc.percent or ihc.staining or ihc.uniform_intense_percent or word is None:
            raise Unsaid("a staining statement without a score")
        return {
            "positive": ('"positive"',),
            "negative": ("0", "0+", "1+"),
            "equivocal": ("2+",),
            "indeterminate": ("indeterminate",),
            "not-done": ("none",),
        }[word]
    rows = [score.value for score in ihc.scores]
    if len(rows) > 1 and (word or ihc.percent or ihc.staining or ihc.uniform_intense_percent):
        raise Unsaid("more said beside a range of scores")
    if word and any(row not in IHC_WORD_FITS.get(word, ()) for row in rows):
        raise Conflict
    return (_with_staining(rows[0], ihc),) if len(rows) == 1 else tuple(rows)


def _with_staining(score: str, ihc: IhcResult) -> str:
    """The score with what is said of the staining: "0" may become "0+"."""
    statements = [(ihc.staining, ihc.percent)]
    if ihc.uniform_intense_percent:
        statements.append((Staining.INTENSE_COMPLETE, ihc.uniform_intense_percent))
    for staining, percent in statements:
        if percent and (percent.value < 0 or max(percent.value, percent.upper or D(0)) > 100):
            raise Conflict
        shares: list[Decimal | None] = [None]
        if percent:
            shares = [x for x in points(percent) if 0 <= x <= 100]
        if shares == [D(0)] and staining is ihc.staining is Staining.INTENSE_COMPLETE:
            raise Unsaid("intense staining, in no cell")
        if staining is not Staining.INTENSE_COMPLETE and len(shares) > 1:
            shares = [x for x in shares if x != 0]
        met = {_possible(score, staining, x) for x in shares}
        if True not in met:
            raise Conflict
        if False in met:
            raise Unsaid("a share of cells on both sides of a cut-off")
    if score == "0" and ihc.staining is Staining.FAINT_INCOMPLETE:
        return "0+"
    if score == "0" and ihc.staining is None and ihc.percent:
        seen = [x for x in points(ihc.percent) if 0 <= x <= 10]
        return "0+" if seen and min(seen) > 0 else "0"
    return score


def _possible(score: str, staining: Staining | None, share: Decimal | None) -> bool:
    """Whether a score can be given to this share of cells stained like this (ASCO/CAP Fig 1 and its note)."""
    many = None if share is None else share > 10
    if staining is Staining.INTENSE_COMPLETE:
        if share == 0:
            return score != "3+"  # nothing intense in any cell: the other scores need none
        return {"3+": many is not False, "2+": many is not True}.get(score, False)
    if staining is Staining.WEAK_TO_MODERATE_COMPLETE:
        return score == "2+" and many is not False
    if staining is Staining.FAINT_INCOMPLETE:
        if share == 0:
            return False
        return {
            "1+": many is not False,
            "0": many is not True,
            "0+": many is not True,
        }.get(score, False)
    if staining is Staining.NONE:
        if share not in (None, D(0)) and score == "0":
            raise Unsaid("no staining, and a share of cells above 0 %")
        return score == "0"
    if many is None:
        return True
    if score == "2+" and not many:
        raise Unsaid("2+ in ten percent or fewer, pattern not said")
    return {
        "0": not many,
        "0+": not many and share != 0,
        "1+": many,
        "2+": many,
        "3+": many,
    }[score]


# --- One ISH result --------------------------------------------------------------------------------------------------


def dual(ratio: Decimal, copies: Decimal) -> str:
    """ASCO/CAP Fig 3."""
    if ratio >= 2:
        return "G1" if copies >= 4 else "G2"
    return "G3" if copies >= 6 else "G4" if copies >= 4 else "G5"


def single(copies: Decimal) -> str:
    """ASCO/CAP Fig 2."""
    return "single>=6" if copies >= 6 else "single4-6" if copies >= 4 else "single<4"


@dataclass(frozen=True)
class Count:
    """Which columns of the table one ISH result may stand for; `old`: the 2007 cut-off ">2.2" alone."""

    columns: frozenset[str]
    word: str | None = None
    numbers: bool = False
    review: bool = False


def count_of(ish: IshResult) -> Count:
    """Read one ISH result without any IHC."""
    word = ish.word.value if ish.word else None
    stated = {"ratio": ish.ratio, "copies": ish.her2_copies, "cep17": ish.cep17_copies}
    given = {name: number for name, number in stated.items() if number}
    if ish.second_population and (
        ish.population_percent is None
        or any(share > 10 for share in points(ish.population_percent))
    ):
        raise Conflict
    if len(given) == 1 and not word and not ish.stated_group and not ish.second_population:
        (only,) = given.values()
        if only.value == 0 and only.comparator is Comparator.EXACT and only.upper is None:
            return Count(frozenset({"none"}))
    if any(_impossible(n, None if name == "ratio" else D(50)) for name, n in given.items()):
        raise Conflict
    group = f"G{ish.stated_group.value}" if ish.stated_group else None
    if not given:
        return _in_words(ish, word, group)
    if list(given) == ["cep17"] and not group:
        raise Unsaid("CEP17 copies alone")
    if word in ("indeterminate", "not-done"):
        raise Conflict
    if ish.probe is Probe.SINGLE and (ish.ratio or ish.cep17_copies or group):
        raise Unsaid("a single probe with a ratio or a group")
    if (
        list(given) == ["ratio"]
        and not group
        and ish.ratio
        and (ish.ratio.comparator.value + str(ish.ratio.value)) in ("<1.8", ">2.2")
    ):
        if word:
            raise Unsaid("an old cut-off beside a word")
        old = "G5" if ish.ratio.value == D("1.8") else "G1"
        return Count(frozenset({old}), review=old == "G1")
    columns = frozenset(_worlds(ish))
    if group:
        columns &= {group}
    if not columns:
        raise Conflict
    return Count(columns, word, numbers=True, review=_differs(ish))


def _in_words(ish: IshResult, word: str | None, group: str | None) -> Count:
    """N1 and N2, and a group that the laboratory names."""
    if group:
        if ish.probe is Probe.SINGLE:
            raise Unsaid("a single probe with a group")
        if word in ("indeterminate", "not-done"):
            raise Conflict
        return Count(frozenset({group}), word, numbers=True)
    if word is None:
        raise Unsaid("an ISH result that states nothing")
    if ish.probe is Probe.SINGLE and word in ("positive", "negative", "equivocal"):
        raise Unsaid("a single probe in words")
    column = {
        "positive": "G1",
        "negative": "G5",
        "equivocal": "G4",
        "not-done": "none",
        "indeterminate": "indeterminate",
    }[word]
    return Count(frozenset({column}))


def _worlds(ish: IshResult) -> Iterator[str]:
    """Every column that some values of the stated numbers give; a missing number may be anything."""
    anything = [D(x) for x in ("0.5", "1.9999", "2", "3.9999", "4", "5.9999", "6", "7")]
    ratios = points(ish.ratio) if ish.ratio else anything
    copies = points(ish.her2_copies) if ish.her2_copies else anything
    ratios, copies = [x for x in ratios if x > 0], [x for x in copies if 0 < x <= 50]
    if ish.probe is not Probe.DUAL and not ish.ratio and not ish.cep17_copies:
        yield from (single(c) for c in copies)
    if ish.probe is Probe.SINGLE:
        return
    if ish.her2_copies and ish.cep17_copies:
        cep17 = [x for x in points(ish.cep17_copies) if 0 < x <= 50]
        if not ish.ratio and max(len(copies), len(cep17)) > 1:
            raise Unsaid("a ratio from counts that are not exact")
        counted = {(c, z): dual(c / z, c) for c, z in product(copies, cep17)}
        if not ish.ratio:
            yield from counted.values()
            return
        if min(map(len, (ratios, copies, cep17))) > 1 or len(counted) > 1 or len(ratios) > 1:
            raise Unsaid("a ratio and both counts, not all of them exact")
        ((pair, group),) = counted.items()
        if dual(ratios[0], pair[0]) == group:
            yield group
        return
    yield from (dual(r, c) for r, c in product(ratios, copies))


def _differs(ish: IshResult) -> bool:
    """Same group, but off by more than 0.1 and more than 5 %."""
    if not (ish.ratio and ish.her2_copies and ish.cep17_copies):
        return False
    counted = ish.her2_copies.value / ish.cep17_copies.value
    off = abs(ish.ratio.value - counted)
    relative = {off > D("0.05") * base for base in (counted, ish.ratio.value)}
    if off > D("0.1") and len(relative) > 1:
        raise Unsaid("5 % of which of the two")
    return off > D("0.1") and relative == {True}
