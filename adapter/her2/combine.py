"""Several results of the same test on one sample: what adds up, repeats or contradicts; never "the latest wins".

Source: rules text, Which results count 3 and 4 [P]; second population ASCO/CAP 2013 [G].
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from adapter.her2.criteria import STAINED_CELLS_ABOVE_PERCENT
from adapter.her2.dates import is_later
from adapter.her2.evaluate import NO_IHC, NO_ISH, IshCounts
from adapter.her2.ihc import WORD_AGREES_WITH, IhcReading, read_ihc
from adapter.her2.intervals import Interval
from adapter.her2.ish import WORD_COLUMNS, IshReading, has_second_population, read_ish
from adapter.her2.model import (
    Evidence,
    IhcResult,
    IhcScore,
    IshResult,
    Policy,
    Probe,
    Reason,
    RepeatMarker,
    ResultWord,
    Staining,
)
from adapter.her2.repeats import Kept, replace_repeated
from adapter.her2.wording import ihc_said, ish_said, sides


@dataclass(frozen=True)
class CombinedIhc:
    """One IHC reading for the sample, and what was set aside for it."""

    reading: IhcReading = NO_IHC
    kept: Kept = field(default_factory=Kept)


@dataclass(frozen=True)
class CombinedIsh:
    """The ISH counts of the sample, and what was set aside for them."""

    counts: IshCounts = field(default_factory=IshCounts)
    kept: Kept = field(default_factory=Kept)


def combine_ihc(results: Iterable[Evidence], policy: Policy) -> CombinedIhc:
    """Combine every IHC statement of one sample into one reading.

    Equal statements are fine, a word may stand beside the score it means, and percentages add to it. Scores that differ
    without a marker contradict each other.
    """
    stated = [e for e in results if e.ihc is not None and _is_of_the_test(e.ihc)]
    kept = replace_repeated(stated, markers=(RepeatMarker.REPEAT, RepeatMarker.RECOUNT))
    supporting = [e.ihc for e in kept.results if e.ihc is not None and _is_supporting(e.ihc)]
    supported = _supported_by(kept.results)
    readings = [
        read_ihc(_with_support(e.ihc, supporting if supported(e.ihc) else []), policy, e.scored_at)
        for e in kept.results
        if e.ihc is not None and not _is_supporting(e.ihc)
    ]
    reading = _one_ihc(readings)
    if not readings and any(_shows_overexpression(ihc) for ihc in supporting):
        reading = IhcReading(contradictions=(STAINING_WITHOUT_SCORE,))
    return CombinedIhc(reading, kept)


def _is_of_the_test(ihc: IhcResult) -> bool:
    """Whether it speaks of the staining; "low" without a score is the laboratory's conclusion (`overall`)."""
    return (
        bool(ihc.scores) or ihc.off_scale or ihc.word not in (ResultWord.NOT_DONE, ResultWord.LOW)
    )


def _is_not_done(ish: IshResult) -> bool:
    """Whether it says just that no ISH was done (N2); beside numbers the word contradicts them."""
    return ish == IshResult(word=ResultWord.NOT_DONE, probe=ish.probe, text=ish.text)


def _is_supporting(ihc: IhcResult) -> bool:
    return not ihc.scores and ihc.word is None and not ihc.off_scale


def _supported_by(results: Iterable[Evidence]) -> Callable[[IhcResult], bool]:
    """Choose what a percentage of its own belongs to: the score, and a mere word only where there is none."""
    has_score = any(e.ihc is not None and e.ihc.scores for e in results)
    return lambda ihc: bool(ihc.scores) or not has_score


def _shows_overexpression(ihc: IhcResult) -> bool:
    """Whether more than 10 % of cells may stain intensely and completely, as in 3+."""
    percents = [ihc.uniform_intense_percent]
    if ihc.staining is Staining.INTENSE_COMPLETE:
        percents.append(ihc.percent)
    return any(p and Interval.of(p).may_exceed(STAINED_CELLS_ABOVE_PERCENT) for p in percents)


def _with_support(ihc: IhcResult, supporting: list[IhcResult]) -> IhcResult:
    """Add a percentage that was sent as a result of its own (LOINC 85328-3 and the like)."""
    for other in supporting:
        if ihc.uniform_intense_percent is None:
            ihc = replace(ihc, uniform_intense_percent=other.uniform_intense_percent)
        if ihc.percent is None and ihc.staining is None:
            ihc = replace(ihc, percent=other.percent, staining=other.staining)
    return ihc


STAINING_WITHOUT_SCORE = Reason(
    "staining-without-score", "Intense staining is stated as in 3+, and no IHC score."
)
SECOND_POPULATION = "second-cell-population"
IHC_DIFFER = "ihc-results-differ"
ISH_DIFFER = "ish-results-differ"


def _ihc_differ(readings: Iterable[IhcReading]) -> Reason:
    said = sides(ihc_said(reading.stated) for reading in readings)
    sentence = f"IHC results of this sample differ, and none replaces another: {said}."
    return Reason(IHC_DIFFER, sentence)


def _ish_differ(readings: Iterable[IshReading]) -> Reason:
    said = sides(ish_said(reading.stated) for reading in readings)
    sentence = f"ISH results of this sample differ, and none replaces another: {said}."
    return Reason(ISH_DIFFER, sentence)


def _one_ihc(readings: list[IhcReading]) -> IhcReading:
    if len(readings) <= 1:
        return readings[0] if readings else NO_IHC
    contradictions = tuple(dict.fromkeys(c for r in readings for c in r.contradictions))
    if contradictions:
        return replace(readings[0], contradictions=contradictions)
    scored = [r for r in readings if r.stated.scores]
    plain = [r for r in scored if r.staining_stated] or scored
    words = [r for r in readings if not r.stated.scores]
    same_score = len({r.stated.scores for r in scored}) <= 1
    if scored and same_score and len({r.rows for r in plain}) == 1:
        chosen = plain[0]
        if all(_word_fits(word, chosen) for word in words):
            return chosen
    elif not scored and len({(r.rows, r.word) for r in words}) == 1:
        return words[0]
    return replace(readings[0], contradictions=(_ihc_differ(readings),))


def _word_fits(word: IhcReading, scored: IhcReading) -> bool:
    if word.stated.word is None:
        return False
    return set(scored.rows) <= WORD_AGREES_WITH.get(word.stated.word, frozenset[IhcScore]())


def combine_ish(results: Iterable[Evidence], policy: Policy) -> CombinedIsh:
    """Combine every ISH statement of one sample into a first count and, where there is one, a recount.

    Word, ratio and copies sent as results of their own add up to one count. Dual probe outranks single probe.
    """
    stated = [e for e in results if e.ish is not None and not _is_not_done(e.ish)]
    kept = _without_single_probe(replace_repeated(stated, markers=(RepeatMarker.REPEAT,)))
    population = _second_population(kept)
    firsts, recounted = _counts(kept.results)
    first, recount = _one_ish(firsts, policy), _one_ish(recounted, policy)
    if population:
        first = replace(first, contradictions=(*first.contradictions, *population))
    if not recounted:
        return CombinedIsh(IshCounts(first), kept)
    if first.is_absent:
        return CombinedIsh(IshCounts(recount), kept)
    if not first.columns and not first.contradictions:
        return CombinedIsh(IshCounts(_first_count_after_word(first, recounted, policy)), kept)
    return CombinedIsh(IshCounts(first, recount), kept)


def _counts(results: Sequence[Evidence]) -> tuple[list[Evidence], list[Evidence]]:
    """Part first counts from recounts; what was certainly stated before every first count recounts none of them."""
    firsts = [e for e in results if e.marker is not RepeatMarker.RECOUNT]
    recounts = [
        e for e in results if e.marker is RepeatMarker.RECOUNT and not _is_before(firsts, e)
    ]
    return [e for e in results if e not in recounts], recounts


def _is_before(firsts: Sequence[Evidence], recount: Evidence) -> bool:
    later = [is_later(first.source, than=recount.source) for first in firsts]
    return bool(later) and all(later)


def _first_count_after_word(
    first: IshReading, recounted: list[Evidence], policy: Policy
) -> IshReading:
    """Take a recount after a mere word for the first count; the word must still agree with it."""
    counted = _one_ish(recounted, policy)
    if counted.is_absent or counted.is_indeterminate:
        return first
    if first.word in (ResultWord.EQUIVOCAL, ResultWord.INDETERMINATE):
        concern = Reason(
            "definite-after-equivocal", "ISH was first equivocal or not readable, then counted."
        )
        return replace(counted, concerns=(*counted.concerns, concern))
    if counted.word is None:
        return replace(counted, word=first.word)
    if counted.word is first.word:
        return counted
    return replace(counted, contradictions=(_ish_differ((first, counted)),))


def _one_ish(results: list[Evidence], policy: Policy) -> IshReading:
    stated = [(e.ish, e.scored_at) for e in results if e.ish is not None]
    if not stated:
        return NO_ISH
    scored_at = min((at for _, at in stated if at is not None), default=None)
    added = _add_up([ish for ish, _ in stated])
    if added is not None:
        return read_ish(added, policy, scored_at)
    readings = [read_ish(ish, policy, at) for ish, at in stated]
    first = readings[0]
    alike = all(
        r.candidates == first.candidates and len(r.candidates) == 1 and r.word is first.word
        for r in readings
    )
    contradictions = tuple(dict.fromkeys(c for r in readings for c in r.contradictions))
    if alike and not contradictions:
        return first
    return replace(first, contradictions=contradictions or (_ish_differ(readings),))


Part = TypeVar("Part")


def _add_up(results: list[IshResult]) -> IshResult | None:
    """Join the parts of one count; None where two of them state the same part differently."""

    def part(read: Callable[[IshResult], Part | None], key: Callable[[Part], object]) -> list[Part]:
        given = [value for value in map(read, results) if value is not None]
        return list({key(value): value for value in reversed(given)}.values())

    words = part(lambda r: r.word, str)
    groups = part(lambda r: r.stated_group, lambda g: g.value)
    probes = part(lambda r: r.probe, str)
    numbers = [
        part(read, lambda m: (m.value, m.comparator, m.upper))
        for read in (
            lambda r: r.ratio,
            lambda r: r.her2_copies,
            lambda r: r.cep17_copies,
        )
    ]
    stated: tuple[Sequence[object], ...] = (words, groups, probes, *numbers)
    if any(len(values) > 1 for values in stated):
        return None
    ratio, her2_copies, cep17_copies = (next(iter(values), None) for values in numbers)
    return IshResult(
        word=next(iter(words), None),
        stated_group=next(iter(groups), None),
        probe=next(iter(probes), None),
        ratio=ratio,
        her2_copies=her2_copies,
        cep17_copies=cep17_copies,
        text="; ".join(dict.fromkeys(result.text for result in results if result.text)),
    )


def _without_single_probe(kept: Kept) -> Kept:
    duals = [e for e in kept.results if e.ish is not None and _is_telling_dual(e.ish)]
    singles = [e for e in kept.results if e.ish is not None and e.ish.probe is Probe.SINGLE]
    if not duals or not singles:
        return kept
    reason = Reason(
        "dual-probe-outranks-single", "A dual-probe result outranks a single-probe one."
    )
    return replace(
        kept,
        results=tuple(e for e in kept.results if e not in singles),
        set_aside=(*kept.set_aside, *((e.source.reference, reason) for e in singles)),
    )


def _is_telling_dual(ish: IshResult) -> bool:
    """Whether it is a dual-probe result that tells a group or says how it ended; CEP17 alone tells nothing."""
    numbers = (ish.ratio, ish.stated_group, ish.her2_copies)
    tells = any(part is not None for part in numbers) or ish.word in WORD_COLUMNS
    counted = ish.ratio is not None or ish.cep17_copies is not None or ish.stated_group is not None
    return tells and (ish.probe is Probe.DUAL or (ish.probe is None and counted))


def _second_population(kept: Kept) -> tuple[Reason, ...]:
    """Leave a second cell population above 10 % to a human [G 2013]; a smaller one changes nothing."""
    populations = [e for e in kept.results if e.ish is not None and has_second_population(e.ish)]
    if not populations:
        return ()
    sources = tuple(sorted(e.source.reference for e in populations))
    sentence = "A second cell population is reported separately; a human decides."
    return (Reason(SECOND_POPULATION, sentence, sources),)
