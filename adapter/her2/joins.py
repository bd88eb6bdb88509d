"""A person's links: samples that the laboratory does not join, joined in the site's overlay.

A link joins the samples of two results over different specimens; the rules then apply as to one sample. It never joins
results of different patients, of different sides, or anything to another tumour: then it is not used, and said.

Source: rules text, Which results count 1 and 11 (c) [P].
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from adapter.her2.model import Case, Evidence, Link, Reason, TumourSite
from adapter.her2.samples import Cluster, in_fixed_order
from adapter.her2.which_count import PRESENT, site_of

ACROSS_PATIENTS = "link-across-patients"
ACROSS_TUMOURS = "link-across-tumours"
ALREADY_ONE_SAMPLE = "link-not-needed"
ONE_END_ONLY = "link-end-not-found"
_SENTENCES = {
    ACROSS_PATIENTS: "The two are results of different patients.",
    ACROSS_TUMOURS: "The two, or others linked with them, are of different sides or of a tumour outside the breast.",
    ALREADY_ONE_SAMPLE: "The laboratory's own data join the two already.",
    ONE_END_ONLY: "Only one of the two is a HER2 result, or the specimen of one, of this patient.",
}


@dataclass(frozen=True)
class Joined:
    """One sample: the laboratory's own samples it consists of, and the links that joined them."""

    parts: tuple[Cluster, ...]
    by: tuple[Link, ...] = ()

    @property
    def whole(self) -> Cluster:
        """All results of the sample."""
        return Cluster(in_fixed_order(e for part in self.parts for e in part.evidence))

    @property
    def root(self) -> Cluster:
        """The part that the sample is named by: the one with the IHC, which the other test completes."""
        return min(self.parts, key=lambda part: (not any(e.ihc for e in part.counting), part.first))


@dataclass(frozen=True)
class UnusedLink:
    """A link that joined nothing, though results of one of its ends are at hand, and why."""

    link: Link
    reason: Reason

    @property
    def sentence(self) -> str:
        """Say it to the operator, by the ids alone."""
        first, second = self.link.ends
        return f"link of {first} and {second} not used: {self.reason.sentence}"


def join_linked(clusters: Sequence[Cluster], links: Iterable[Link]) -> list[Joined]:
    """Join the samples of one patient that a person linked.

    Args:
        clusters: the samples as the laboratory's data join them.
        links: of any patients; those that lead elsewhere change nothing.

    Returns:
        Samples in a fixed order; each cluster is in exactly one. Links that lead to two sides or to another tumour
        join nothing, and no link beside them does.

    """
    known = [
        (link, ends) for link in sorted(set(links), key=_order) if (ends := _ends(clusters, link))
    ]
    group = {index: {index} for index in range(len(clusters))}
    for _, (first, second) in known:
        together = group[first] | group[second]
        group |= dict.fromkeys(together, together)
    made = []
    for members in sorted({tuple(sorted(one)) for one in group.values()}):
        parts = tuple(clusters[index] for index in members)
        by = tuple(link for link, (first, _) in known if first in members)
        made += (
            [Joined(parts, by)] if _is_one_tumour(parts) else [Joined((part,)) for part in parts]
        )
    return sorted(made, key=lambda one: one.whole.first)


def unused_links(cases: Iterable[Case], links: Iterable[Link]) -> tuple[UnusedLink, ...]:
    """Say which links joined nothing; one that leads to none of these cases is not named.

    Args:
        cases: of any patients, as `group` made them with these links.
        links: the links given to it.

    """
    ordered = sorted(set(links), key=_order)
    if not ordered:
        return ()
    holders: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        for name in names_of(case.evidence):
            holders[name].append(case)
    found = []
    for link in ordered:
        first, second = (holders.get(end, []) for end in link.ends)
        if (first or second) and not any(link in case.joined_by for case in first):
            found.append(UnusedLink(link, _why_unused(first, second)))
    return tuple(found)


def names_of(evidence: Iterable[Evidence]) -> frozenset[str]:
    """Give what a link may call these results by: their own references, and those of their specimens."""
    names = ((e.source.reference, e.links.specimen) for e in evidence)
    return frozenset(name for pair in names for name in pair if name)


def _why_unused(first: list[Case], second: list[Case]) -> Reason:
    if not first or not second:
        code = ONE_END_ONLY
    elif not {case.subject for case in first} & {case.subject for case in second}:
        code = ACROSS_PATIENTS
    elif any(case in second for case in first):
        code = ALREADY_ONE_SAMPLE
    else:
        code = ACROSS_TUMOURS
    return Reason(code, _SENTENCES[code])


def _order(link: Link) -> tuple[str, ...]:
    return (*link.ends, link.first, link.on.isoformat(), link.by, link.because)


def _ends(clusters: Sequence[Cluster], link: Link) -> tuple[int, int] | None:
    """Find the two samples that a link names; None where it names none of these, or the same one."""
    first, second = (
        next((n for n, one in enumerate(clusters) if end in names_of(one.evidence)), None)
        for end in link.ends
    )
    return None if first is None or second is None or first == second else (first, second)


def _is_one_tumour(parts: Sequence[Cluster]) -> bool:
    if len(parts) == 1:
        return True
    sides = frozenset().union(*(part.sides for part in parts))
    sites = {
        site_of(tuple(e for e in part.evidence if e.source.status in PRESENT)) for part in parts
    }
    return len(sides) <= 1 and TumourSite.OTHER not in sites
