"""Marked repeats of a test on one sample: they replace what they repeat, with review. Never "the latest wins".

Source: rules text, Which results count 4 [P].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from adapter.her2.dates import is_later
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
    repeats = [e for e in results if e.marker in markers and _tells(e) and not _is_indeterminate(e)]
    earlier = [e for e in _repeated(results, repeats, markers) if _can_precede(e, repeats)]
    left = tuple(e for e in results if e not in earlier)
    unchanged = len({_meaning(e) for e in (*earlier, *repeats)}) == 1
    if not repeats or not earlier or unchanged:
        return Kept(tuple(results))
    reason = Reason(
        "replaced-by-repeat",
        "A result marked as a repeat replaces the earlier one.",
        tuple(sorted(e.source.reference for e in (*earlier, *repeats))),
    )
    return Kept(left, tuple((e.source.reference, reason) for e in earlier), (reason,))


def _repeated(
    results: Sequence[Evidence], repeats: Sequence[Evidence], markers: tuple[RepeatMarker, ...]
) -> list[Evidence]:
    """Give what repeats name, else all that is not marked; two that name each other replace nothing."""
    by_name = {e.source.reference: e for e in results}
    named = {name for e in repeats for name in e.repeat_of if name in by_name}
    if not named:
        return [e for e in results if e.marker not in markers]
    return [by_name[name] for name in sorted(named) if not _names_itself(by_name[name], by_name)]


def _names_itself(start: Evidence, by_name: Mapping[str, Evidence]) -> bool:
    """Whether what a result repeats, and what that repeats, leads back to it."""
    seen: set[str] = set()
    edge = {name for name in start.repeat_of if name in by_name}
    while edge:
        seen |= edge
        edge = {name for one in edge for name in by_name[one].repeat_of if name in by_name} - seen
    return start.source.reference in seen


def _can_precede(evidence: Evidence, repeats: Sequence[Evidence]) -> bool:
    """Whether some repeat may be of it; a marker on the earlier of two ("see repeat") marks no repeat."""
    return any(not is_later(evidence.source, than=repeat.source) for repeat in repeats)


def _tells(evidence: Evidence) -> bool:
    """Whether it states a result of its own; a percentage or a CEP17 count alone replaces none."""
    ihc, ish = evidence.ihc, evidence.ish
    tells_ihc = ihc is not None and (bool(ihc.scores) or ihc.off_scale or ihc.word is not None)
    parts = (ish.word, ish.stated_group, ish.ratio, ish.her2_copies) if ish is not None else ()
    return tells_ihc or any(part is not None for part in parts)


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
