"""Stated results in a pathologist's words: for reasons that name both sides, and for whatever shows a result.

Only what was stated is said, in the vocabulary of the rules; never the text a laboratory wrote.
"""

from __future__ import annotations

from collections.abc import Iterable

from adapter.her2.model import IhcResult, IhcScore, IshResult, Measurement, ResultWord


def measured(number: Measurement) -> str:
    """Write a number as stated: "2.00", ">6.0", "5 to 10"."""
    text = f"{number.value:f}" if number.upper is None else f"{number.value:f} to {number.upper:f}"
    return text if number.comparator.value == "=" else f"{number.comparator.value}{text}"


def scores_text(scores: tuple[IhcScore, ...]) -> str:
    """Name a score, or the ends of a range: "2+", "1+ to 2+"."""
    return " to ".join(dict.fromkeys((scores[0].value, scores[-1].value)))


def ihc_text(result: IhcResult | None) -> str | None:
    """Name an IHC result in short: "2+", "1+ to 2+", "negative"; None where it states nothing."""
    if result is None:
        return None
    return scores_text(result.scores) if result.scores else word_text(result.word)


def ish_text(result: IshResult | None) -> str | None:
    """Name the word of an ISH result: "positive"; None where it gives numbers only."""
    return None if result is None else word_text(result.word)


def word_text(word: ResultWord | None) -> str | None:
    """Write a word as it is spoken: "not done"."""
    return None if word is None else word.value.replace("-", " ")


def ihc_said(result: IhcResult) -> str:
    """Say all that an IHC result states: "IHC 3+, positive, 80 % of tumour cells"."""
    score = "off the 0-3+ scale" if result.off_scale else ihc_text(result)
    parts = [f"IHC {score or 'without a score'}"]
    if result.word is not None and result.scores:
        parts.append(result.word.value)
    if result.staining is not None:
        parts.append(f"staining {result.staining.value}")
    if result.percent is not None:
        parts.append(f"{measured(result.percent)} % of tumour cells")
    if result.uniform_intense_percent is not None:
        parts.append(f"uniform intense in {measured(result.uniform_intense_percent)} %")
    return ", ".join(parts)


def ish_said(result: IshResult) -> str:
    """Say all that an ISH result states: "ISH positive, dual probe, HER2/CEP17 ratio 2.4"."""
    parts = [f"ISH {ish_text(result) or 'in numbers'}"]
    if result.stated_group is not None:
        parts.append(f"group {result.stated_group.value} as stated")
    if result.probe is not None:
        parts.append(f"{result.probe.value} probe")
    parts += [f"{label} {measured(number)}" for label, number in ish_numbers(result)]
    if result.second_population:
        parts.append("a second cell population")
    return ", ".join(parts)


def ish_numbers(result: IshResult) -> list[tuple[str, Measurement]]:
    """Give the numbers of an ISH result, each with its name."""
    named = (
        ("HER2/CEP17 ratio", result.ratio),
        ("HER2 copies per cell", result.her2_copies),
        ("CEP17 copies per cell", result.cep17_copies),
    )
    return [(label, number) for label, number in named if number is not None]


def sides(said: Iterable[str]) -> str:
    """Join what differs, each side once and in a fixed order, whatever came first: "IHC 1+; IHC 3+"."""
    return "; ".join(sorted(set(said)))
