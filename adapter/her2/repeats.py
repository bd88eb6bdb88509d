"""Marked repeats of a test on one sample: they replace what they repeat, with review. Never "the latest wins".

Source: rules text, Which results count 4 [P].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from adapter.her2.model import Evidence, Reason, RepeatMarker, ResultWord

SetAside = tuple[tuple[str, Reason], ...]


@dataclass(frozen=True)
class Kept:
    """The results of one test that are left after repeats, and why others are not."""

    results: tuple[Evidence, ...] = ()
    set_aside: SetAside = ()
    concerns: tuple[Reason, ...] = ()


def replace_repeated(results: Sequence[Evidence], *, markers: tuple[RepeatMarker, ...]) -> Kept:
    """Let marked repeats replace what they repeat, with review where they differ from it."""
    repeats = [e for e in results if e.marker in markers and not _is_indeterminate(e)]
    present = {e.source.reference for e in results}
    named = {reference for e in repeats for reference in e.repeat_of} & present
    earlier = [
        e for e in results if (e.source.reference in named if named else e.marker not in markers)
    ]
    unchanged = len({_meaning(e) for e in (*earlier, *repeats)}) == 1
    if not repeats or not earlier or unchanged:
        return Kept(tuple(results))
    reason = Reason(
        "replaced-by-repeat",
        "A result marked as a repeat replaces the earlier one.",
        tuple(sorted(e.source.reference for e in (*earlier, *repeats))),
    )
    return Kept(
        tuple(e for e in results if e not in earlier),
        tuple((e.source.reference, reason) for e in earlier),
        (reason,),
    )


def _is_indeterminate(evidence: Evidence) -> bool:
    """Whether it could not be read by the laboratory: it counts as no test (N2, N4), and replaces none."""
    ihc, ish = evidence.ihc, evidence.ish
    mere_ihc = ihc is not None and not ihc.scores and ihc.word is ResultWord.INDETERMINATE
    mere_ish = ish is not None and ish.word is ResultWord.INDETERMINATE
    return mere_ihc or mere_ish


def _meaning(evidence: Evidence) -> object:
    """Give what a result says, without where it stands and how it was written."""
    ihc = evidence.ihc and replace(evidence.ihc, text="")
    ish = evidence.ish and replace(evidence.ish, text="")
    return ihc, ish
