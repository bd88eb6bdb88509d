"""What one place of an Observation states, and whether two places agree that speak of one thing.

A code, its display, its text, a component and an interpretation are each read by themselves and
then joined here. Where they differ neither side wins: the difference is kept as a conflict, under a
stable reason code with both sides, and makes the case one for review. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from adapter.fhir.text.quantities import CEP17_COPIES, HER2_COPIES, NAMES, RATIO
from adapter.her2.model import (
    IhcResult,
    IhcScore,
    IshResult,
    Measurement,
    ResultWord,
    Staining,
)
from adapter.her2.wording import ihc_said, ish_said, measured, scores_text
from adapter.terminology.vocabulary import MapRow

T = TypeVar("T")

STATED_TWICE: Final = "stated-twice-differently"

_MERGED: Final = ResultWord.NEGATIVE_OR_EQUIVOCAL
_TOGETHER: Final = {
    frozenset({ResultWord.NEGATIVE, ResultWord.LOW}): ResultWord.LOW,
    frozenset({ResultWord.NEGATIVE, ResultWord.ULTRALOW}): ResultWord.ULTRALOW,
    frozenset({_MERGED, ResultWord.NEGATIVE}): _MERGED,
    frozenset({_MERGED, ResultWord.EQUIVOCAL}): _MERGED,
}
"""Low and ultralow are negative: the finer word says more and contradicts nothing. A code that merges two results
still does so under a display that names one of them.
"""
_ZEROES: Final = ((IhcScore.ZERO,), (IhcScore.ZERO_PLUS,))


@dataclass(frozen=True, order=True)
class Conflict:
    """Two things that mean different things: a stable reason code, and both sides in words.

    `sides`: "IHC 1+ against IHC 3+", in the rules' own words and never the laboratory's text; ""
    where the code says it all.
    """

    code: str
    sides: str = ""


@dataclass(frozen=True)
class Stated:
    """What was read: an IHC result, an ISH result, an overall word; any may be absent, or all.

    `other_tumour`: it says that the tumour is one outside the breast. `conflicts`: the
    things that mean different things here, each with its sides. `rows`: the rows of the mappings
    that were used.
    """

    ihc: IhcResult | None = None
    ish: IshResult | None = None
    overall: ResultWord | None = None
    other_tumour: bool = False
    conflicts: tuple[Conflict, ...] = ()
    rows: tuple[MapRow, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether no result at all is stated."""
        return self.ihc is None and self.ish is None and self.overall is None

    def with_conflicts(self, *conflicts: Conflict) -> Stated:
        """Add conflicts, each once, in a fixed order."""
        return replace(self, conflicts=tuple(sorted({*self.conflicts, *conflicts})))

    def with_rows(self, *rows: MapRow) -> Stated:
        """Add rows of the mappings, each once."""
        return replace(self, rows=tuple(dict.fromkeys((*self.rows, *rows))))


NOTHING: Final = Stated()


def join(first: Stated, second: Stated, *, conflict: str = STATED_TWICE) -> Stated:
    """Join what two places state.

    What only one states is taken; what both state must be equal, or one a refinement of the other
    (0 and 0+, negative and low). Anything else adds the reason code `conflict`.
    """
    joint = _Joint()
    joined = Stated(
        ihc=joint.ihc(first.ihc, second.ihc),
        ish=joint.ish(first.ish, second.ish),
        overall=joint.word(first.overall, second.overall),
        other_tumour=first.other_tumour or second.other_tumour,
    )
    said = [Conflict(conflict, ", ".join(joint.differing))] if joint.differing else []
    joined = joined.with_conflicts(*first.conflicts, *second.conflicts, *said)
    return joined.with_rows(*first.rows, *second.rows)


def join_as_one(first: Stated, second: Stated, *, conflict: str) -> Stated:
    """Join two wordings of one concept, which must speak of one test, or say the same of two.

    "Negative" under IHC beside "not amplified" does; beside "amplified", or a score beside it, does not. Where one
    says only that a test was not done, there is nothing to hold against the other.
    """
    joined = join(first, second, conflict=conflict)
    sides = sorted(
        (ihc_said(ihc), ish_said(ish))
        for ihc, ish in ((first.ihc, second.ish), (second.ihc, first.ish))
        if ihc is not None and ish is not None and _are_apart(first, second)
        if ResultWord.NOT_DONE not in (ihc.word, ish.word)
        if ihc.scores or ihc.word is None or ihc.word is not ish.word
    )
    said = [Conflict(conflict, f"{ihc} against {ish}") for ihc, ish in sides]
    return joined.with_conflicts(*said)


def _are_apart(first: Stated, second: Stated) -> bool:
    """Whether two wordings have no test in common; an overall result is of both."""
    if first.overall is not None or second.overall is not None:
        return False
    is_common = (first.ihc and second.ihc) or (first.ish and second.ish)
    return not is_common


def stated_text(stated: Stated) -> str:
    """Say all that is stated, in the rules' own words: "IHC 2+ and ISH negative"."""
    parts = [
        ihc_said(stated.ihc) if stated.ihc else "",
        ish_said(stated.ish) if stated.ish else "",
        f"overall {stated.overall.value}" if stated.overall else "",
    ]
    return " and ".join(part for part in parts if part) or "nothing"


def one_word(words: list[ResultWord]) -> tuple[ResultWord | None, list[str]]:
    """Find the one word that several say, and where they differ; negative and low is low."""
    joint = _Joint()
    found: ResultWord | None = None
    for word in words:
        found = joint.word(found, word)
    return found, joint.differing


def refined(ihc: IhcResult) -> IhcResult:
    """Take "ultralow" beside a plain 0 for what it says: faint staining was seen.

    Source: FDA label / DESTINY-Breast06, HER2-ultralow is IHC 0 with faint membrane staining.
    """
    is_ultralow = ihc.word is ResultWord.ULTRALOW and ihc.scores in _ZEROES
    if is_ultralow and ihc.staining is None:
        return replace(ihc, staining=Staining.FAINT_INCOMPLETE)
    return ihc


class _Joint:
    """Joins part by part and remembers each two that differed, in words."""

    def __init__(self) -> None:
        self.differing: list[str] = []

    def _differ(self, first: str, second: str) -> None:
        self.differing.append(f"{first} against {second}")

    def same(self, first: T | None, second: T | None, said: Callable[[T], str]) -> T | None:
        if first is None or second is None:
            return second if first is None else first
        if first != second:
            self._differ(said(first), said(second))
        return first

    def word(self, first: ResultWord | None, second: ResultWord | None) -> ResultWord | None:
        if first and second and (joined := _TOGETHER.get(frozenset({first, second}))):
            return joined
        return self.same(first, second, str)

    def number(
        self, label: str, first: Measurement | None, second: Measurement | None
    ) -> Measurement | None:
        if first is None or second is None:
            return second if first is None else first
        if replace(first, text="") != replace(second, text=""):
            self._differ(f"{label} {measured(first)}", measured(second))
        return first

    def scores(
        self, first: tuple[IhcScore, ...], second: tuple[IhcScore, ...]
    ) -> tuple[IhcScore, ...]:
        if {first, second} == set(_ZEROES):
            return (IhcScore.ZERO_PLUS,)
        joined = self.same(first or None, second or None, lambda one: f"IHC {scores_text(one)}")
        return joined or ()

    def ihc(self, first: IhcResult | None, second: IhcResult | None) -> IhcResult | None:
        if first is None or second is None:
            return second if first is None else first
        if (first.off_scale and second.scores) or (second.off_scale and first.scores):
            self._differ(ihc_said(first), ihc_said(second))
        joined = IhcResult(
            scores=self.scores(first.scores, second.scores),
            word=self.word(first.word, second.word),
            percent=self.number("percent of cells", first.percent, second.percent),
            staining=self.same(first.staining, second.staining, str),
            uniform_intense_percent=self.number(
                "percent of cells, uniform intense",
                first.uniform_intense_percent,
                second.uniform_intense_percent,
            ),
            off_scale=first.off_scale or second.off_scale,
            text=_both(first.text, second.text),
        )
        return refined(joined)

    def ish(self, first: IshResult | None, second: IshResult | None) -> IshResult | None:
        if first is None or second is None:
            return second if first is None else first
        return IshResult(
            word=self.word(first.word, second.word),
            stated_group=self.same(
                first.stated_group, second.stated_group, lambda group: f"group {group.value}"
            ),
            probe=self.same(first.probe, second.probe, lambda probe: f"{probe.value} probe"),
            ratio=self.number(NAMES[RATIO], first.ratio, second.ratio),
            her2_copies=self.number(NAMES[HER2_COPIES], first.her2_copies, second.her2_copies),
            cep17_copies=self.number(NAMES[CEP17_COPIES], first.cep17_copies, second.cep17_copies),
            second_population=first.second_population or second.second_population,
            population_percent=self.number(
                "percent of cells in the population",
                first.population_percent,
                second.population_percent,
            ),
            text=_both(first.text, second.text),
        )


def _both(first: str, second: str) -> str:
    """Keep both texts, each once: what the laboratory wrote stays beside what was read."""
    return "; ".join(dict.fromkeys(text for text in (first, second) if text))
