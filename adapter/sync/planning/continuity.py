"""A result keeps its identity when what joins its sample changes. Pure.

The key of a sample is the root of what is joined, so a later block, or a parent that the laboratory names late, can
change the key of a sample whose derived result already stands. Its readers hold the old id: the case goes on under it.
A result that was moved to another specimen or patient is no such case: there the old one is withdrawn.

Source: rules text, Which results count 1: a later block must not change the identity of a right result [P].
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Traces:
    """What tells a sample again: its patient, its laboratory results, and the specimens that are named for it."""

    subject: str
    results: frozenset[str]
    specimens: frozenset[str] = frozenset()


def kept_identities(
    homeless: Mapping[str, Traces], orphans: Mapping[str, Traces]
) -> dict[str, str]:
    """Match cases without a derived result to derived results without a case.

    Args:
        homeless: identity by its key → traces of a case for which nothing stands.
        orphans: identity that stands, not withdrawn → traces of what it was derived from; no case has its key.

    Returns:
        Identity by its key → identity to go on under; most shared results first, then by name, each used once. The
        same for any order of the arguments.

    """
    kept: dict[str, str] = {}
    for _, orphan, identity in sorted(_pairs(homeless, orphans)):
        if identity not in kept and orphan not in kept.values():
            kept[identity] = orphan
    return kept


def _pairs(
    homeless: Mapping[str, Traces], orphans: Mapping[str, Traces]
) -> Iterable[tuple[int, str, str]]:
    for identity, case in homeless.items():
        for orphan, stands in orphans.items():
            shared = len(case.results & stands.results)
            if shared and case.subject == stands.subject and stands.specimens <= case.specimens:
                yield -shared, orphan, identity
