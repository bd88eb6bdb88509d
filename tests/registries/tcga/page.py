"""`docs/tcga-brca.md`: what the adapter makes of TCGA-BRCA, as counts and kinds. No row, no barcode."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from tests.registries.tcga.contradictions import DEFINITE, KINDS
from tests.registries.tcga.run import Ended, Run

_OPENING = """\
# TCGA-BRCA through the adapter

Written by `make tcga`; a test holds it to what a run gives, where the file is at hand.

The HER2 fields of {patients} patients of TCGA-BRCA, as their hospitals filled them in, turned into FHIR as a registry
would send them: {samples} tumour samples, since {later} patients had a new tumour event tested as well. Data: The
Cancer Genome Atlas (TCGA), open-access clinical data from the NCI Genomic Data Commons (GDC). The file is not part of
this repository; this page holds counts and kinds only.

**These are no diagnoses.** No pathologist has verified them; the laboratory's report is the result of record. Most
scores were read under ASCO/CAP 2007, and the forms were filled in by hand.

Four ways to send the same fields:

- **coded**: LOINC's codes, one Observation of IHC (score, share of cells), one of the word on IHC, one of FISH (word,
  numbers); methods as `method`, other scales as `note`;
- **text**: each field an Observation of its own, named in words alone; methods and other scales as `note`;
- **columns**: a plain dump: each column an Observation under the column's name, methods and other scales among them;
- **overall**: as coded, but the word on IHC is sent as the overall HER2 status.

The coded way also runs end to end on HAPI FHIR, with the same answers."""

_LOW = """\
Low among HER2-negative, as a check of plausibility (published shares: 43 % to 84 %, by laboratory). Negative without
a score cannot be told apart, and few of these hospitals scored 0.
"""

_READING_AID = """\
The fields contradict each other; the rules are read over the raw fields by code that shares nothing with the adapter.
How many samples it holds for, and how they ended (with `*`: review). A definite category appears only where the rule
named gives one."""

_BEYOND = """\
What the oracle above does not call a contradiction and the adapter still leaves to a human, by its reasons. IHC
"negative" in less than 10 % of cells stands for 0, 0+ and 1+, and 1+ is none in so few cells (N6); a class of 10-19 %
begins at the cut-off; a note that holds `3+ Positive` beside another score is a contradiction by Which results count
10, though here it says what counts as positive."""


def page(runs: Sequence[Run]) -> str:
    """Write the page from one run of each encoding."""
    samples = len(runs[0].ended)
    later = sum(one.sample.is_later for one in runs[0].ended)
    parts = [
        _OPENING.format(patients=f"{samples - later:,}", samples=f"{samples:,}", later=later),
        "## Categories",
        _table("category", runs, [Counter(one.category for one in run.ended) for run in runs]),
        "`none`: no field says anything of HER2, so nothing was sent. With review: "
        + _each(runs, lambda run: sum(one.review for one in run.ended)),
        _shares(runs),
        "## Reasons",
        "Samples by reason; one may have several.",
        _table("reason", runs, [_reasons(run) for run in runs]),
        "## Limits",
        _table("limit", runs, [_limits(run) for run in runs]),
        "## What became of each Observation",
        _table("outcome", runs, [Counter(run.answers.outcomes) for run in runs]),
        "Set aside, and why:",
        _table("outcome, reason", runs, [_set_aside(run) for run in runs]),
        "## Contradictions",
        _READING_AID,
        "\n".join(_contradictions(runs)),
        "## Sent to review, and no two fields contradict each other",
        _BEYOND,
        _table("reasons", runs, [_beyond(run) for run in runs]),
    ]
    return "\n\n".join(parts) + "\n"


def _table(title: str, runs: Sequence[Run], counts: Sequence[Mapping[str, int]]) -> str:
    names = sorted(
        {name for one in counts for name in one}, key=lambda name: (-counts[0].get(name, 0), name)
    )
    heads = [title, *(run.encoding for run in runs)]
    lines = [_line(heads), _line(["---", *("---:" for _ in runs)])]
    lines += [_line([name, *(f"{one.get(name, 0):,}" for one in counts)]) for name in names]
    lines.append(_line(["**sum**", *(f"{sum(one.values()):,}" for one in counts)]))
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _each(runs: Sequence[Run], count: Callable[[Run], int]) -> str:
    return ", ".join(f"{run.encoding} {count(run):,}" for run in runs) + "."


def _shares(runs: Sequence[Run]) -> str:
    said = []
    for run in runs:
        counts = Counter(one.category for one in run.ended)
        told_apart = counts["low"] + counts["ultralow"] + counts["negative"]
        every = told_apart + counts["negative-unspecified"]
        said.append(
            f"- {run.encoding}: {_percent(counts['low'], told_apart)} of those whose kind is known, "
            f"{_percent(counts['low'], every)} with negative-unspecified."
        )
    return "\n".join([_LOW, *said])


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "none"


def _reasons(run: Run) -> Counter[str]:
    return Counter(
        code
        for one in run.ended
        if one.classification is not None
        for code in {reason.code for reason in one.classification.reasons}
    )


def _limits(run: Run) -> Counter[str]:
    return Counter(
        reason.code
        for one in run.ended
        if one.classification is not None
        for reason in one.classification.limits
    )


def _set_aside(run: Run) -> Counter[str]:
    return Counter(f"{fate.outcome}, {fate.reason}" for fate in run.answers.set_aside)


def _contradictions(runs: Sequence[Run]) -> Iterator[str]:
    yield _line(["contradiction", "rule", "samples", *(run.encoding for run in runs)])
    yield _line(["---", "---", "---:", *("---" for _ in runs)])
    for kind in KINDS:
        of_runs = [[one for one in run.ended if kind in one.contradictions] for run in runs]
        found = max(map(len, of_runs))
        if found:
            yield _line([kind.name, kind.rule, str(found), *(_ends(one) for one in of_runs)])
    any_of = [[one for one in run.ended if one.contradictions] for run in runs]
    yield _line(["**any of them**", "", "", *(_ends(one) for one in any_of)])


def _beyond(run: Run) -> Counter[str]:
    return Counter(
        ", ".join(sorted({reason.code for reason in one.classification.reasons}))
        for one in run.ended
        if one.classification and one.category == "needs-review" and not one.contradictions
    )


def _ends(samples: Sequence[Ended]) -> str:
    counts = Counter(f"{one.category}{'*' if one.review else ''}" for one in samples)
    ordered = sorted(counts, key=lambda name: (name.rstrip("*") in DEFINITE, -counts[name], name))
    return ", ".join(f"{name} {counts[name]}" for name in ordered) or "none here"
