"""Findings into advice: pure, and never from what was not measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Final

from adapter.doctor.findings import REFUSED, Examination, Finding, Standing, Topic
from adapter.sync.measured import MeasuredSource, MeasuredTarget
from adapter.sync.permissions import needed
from adapter.sync.reading.sweep import WITHOUT_PATIENT
from adapter.sync.strategy import WriteStrategy

LEAST_OVERLAP: Final = 600.0
"""Seconds; a quiet server's lag says nothing of a busy day (failure mode A1)."""
LAG_FACTOR: Final = 3.0
_LADDER: Final = (
    (Topic.CLIENT_IDS, WriteStrategy.CLIENT_IDS),
    (Topic.CONDITIONAL_UPDATE, WriteStrategy.CONDITIONAL_UPDATE),
    (Topic.CONDITIONAL_CREATE, WriteStrategy.CONDITIONAL_CREATE),
)
_RACES: Final = {
    WriteStrategy.CONDITIONAL_UPDATE: Topic.UPDATE_RACE,
    WriteStrategy.CONDITIONAL_CREATE: Topic.CREATE_RACE,
}
_BY: Final = {
    WriteStrategy.CLIENT_IDS: (
        "by PUT under ids computed from the case, so that two writers cannot make two of one result"
    ),
    WriteStrategy.CONDITIONAL_UPDATE: "by conditional update on our identifier, the server choosing the id",
    WriteStrategy.CONDITIONAL_CREATE: "by conditional create on our identifier, then updates under the id it got",
}


@dataclass(frozen=True)
class Advice:
    """What the adapter will do.

    `target`, `source`: what is kept for it; None where too little was measured. `sentences`: the same in words.
    `cannot_write`: it was measured that nothing can be written, or not without doubling. `scopes`: those to ask for;
    `missing`: those that the server was seen to withhold.
    """

    target: MeasuredTarget | None
    source: MeasuredSource | None
    sentences: tuple[str, ...]
    cannot_write: bool = False
    scopes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def strategy_of(findings: Mapping[Topic, Finding]) -> WriteStrategy | None:
    """Choose the first rung of the ladder that was seen to hold; None where none was (B1)."""
    return next(
        (rung for topic, rung in _LADDER if (one := findings.get(topic)) is not None and one.works),
        None,
    )


def advise(
    found: Examination, *, writes: bool, page_size: int, entries: int, group: bool = False
) -> Advice:
    """Turn findings into what the adapter does.

    Args:
        found: of one server.
        writes: the adapter is not in observe mode.
        page_size: what is asked for where no lower limit was met.
        entries: so many the adapter would put into one transaction.
        group: a FHIR Group of the source says whom to look at.

    """
    strategy = strategy_of(found.findings)
    target, source = _target(found, strategy), _source(found, page_size)
    no_rung = all(found.was_measured(topic) for topic, _ in _LADDER) and strategy is None
    sentences: list[str] = []
    if found.is_target:
        sentences += _writing(found, target, entries) if not no_rung else [_NO_WAY]
    is_refused = found.fails(Topic.FOREIGN_REFERENCES)
    if is_refused:
        sentences.append(_NO_FOREIGN_REFERENCES)
    if found.is_source:
        sentences += _reading(found, source)
    if found.foreign_links:
        sentences.append(_NO_FURTHER_PAGE)
    creates = strategy not in (None, WriteStrategy.CLIENT_IDS) or no_rung
    return Advice(
        target=target,
        source=source,
        sentences=tuple(sentences),
        cannot_write=found.is_target and (no_rung or is_refused),
        scopes=needed(
            source=found.is_source,
            target=found.is_target,
            observe=not writes,
            creates=creates,
            group=group,
        ),
        missing=tuple(sorted(found.denied)),
    )


_NO_FOREIGN_REFERENCES: Final = (
    "It cannot write here what is read elsewhere: references to the source are refused or altered, so that each "
    "result would be parked. Have them allowed"
)
_NO_FURTHER_PAGE: Final = (
    "It reads no further than the first page of a search, until the links it gives are right"
)
_NO_WAY: Final = (
    "It cannot write here: ids cannot be chosen, and no conditional write finds what stands. Name another server as "
    "target, or have one of the three made possible"
)


def _target(found: Examination, strategy: WriteStrategy | None) -> MeasuredTarget | None:
    """Nothing is kept unless both the rung and the transactions were seen."""
    if not found.is_target or strategy is None or not found.was_measured(Topic.TRANSACTION):
        return None
    limit = found.value(Topic.ENTRIES)
    is_met = found.was_measured(Topic.ENTRIES) and not found.works(Topic.ENTRIES)
    return MeasuredTarget(
        strategy=strategy,
        atomic=found.works(Topic.ATOMIC),
        max_entries=int(limit) if is_met and limit is not None else None,
    )


def _source(found: Examination, page_size: int) -> MeasuredSource | None:
    if not found.is_source or not found.was_measured(Topic.LAST_UPDATED):
        return None
    lag, most = found.value(Topic.INDEX_LAG), found.value(Topic.PAGE_SIZE)
    is_endless = found.was_measured(Topic.INDEX_LAG) and lag is None
    return MeasuredSource(
        page_size=min(page_size, int(most)) if most else page_size,
        overlap_seconds=max(LEAST_OVERLAP, 60.0 * ceil(LAG_FACTOR * float(lag or 0) / 60)),
        incremental=found.works(Topic.LAST_UPDATED) and not is_endless,
    )


def _writing(found: Examination, target: MeasuredTarget | None, entries: int) -> list[str]:
    if target is None:
        return ["How it writes is not decided: not measured. It goes on as before"]
    said = [f"It writes {_BY[target.strategy]} ({target.strategy.value})"]
    race = _RACES.get(target.strategy)
    if race is not None:
        is_seen = found.was_measured(race) and not found.works(race)
        how = "make" if is_seen else "may make, though it was not seen,"
        said.append(
            f"Writers at the same time {how} two of one result: it looks after each write, and repairs"
        )
    if not target.atomic:
        why = (
            "transactions do not work here"
            if not found.works(Topic.TRANSACTION)
            else "a transaction was not seen to land whole or not at all"
        )
        said.append(
            f"It writes one resource at a time, because {why}; a pair that is torn is mended"
        )
    elif target.max_entries is not None:
        said.append(
            f"It puts at most {target.max_entries} entries into one transaction, instead of {entries}"
        )
    else:
        said.append("It writes each result and its Provenance in one transaction")
    if found.findings[Topic.IF_MATCH].works is False:
        said.append(
            "It cannot keep a late writer from overwriting: it reads again after each write"
        )
    return said


def _reading(found: Examination, source: MeasuredSource | None) -> list[str]:
    if found.value(Topic.FORMS) == REFUSED:
        return [f"No pass can run here as it is set: {WITHOUT_PATIENT}"]
    if source is None:
        return [
            "How it reads is not decided: not measured. It tries each search at its start, as always"
        ]
    said = [f"It reads in pages of {source.page_size}"]
    if not source.incremental:
        why = (
            "what changed cannot be asked for"
            if not found.works(Topic.LAST_UPDATED)
            else "how late what changed is found could not be measured"
        )
        return [
            *said,
            f"Every pass reads everything, because {why}: noticed within one pass, at its cost",
        ]
    lag = found.findings.get(Topic.INDEX_LAG)
    is_known = lag is not None and lag.standing is Standing.MEASURED
    because = (
        "three times the lag" if source.overlap_seconds > LEAST_OVERLAP else "the least there is"
    )
    because += "" if is_known else "; the lag was not measured"
    said.append(
        f"Every poll looks back {source.overlap_seconds:.0f} s ({because}); a full sweep heals what that misses"
    )
    return said
