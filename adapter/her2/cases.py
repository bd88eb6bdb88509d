"""The cases of a patient: one per tumour sample, each with a key that stays.

What might belong together but was not joined is named in each case, with review.

Source: rules text, Which results count 1 [P].
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from adapter.her2.joins import join_linked, names_of
from adapter.her2.model import Case, Evidence, Link, Reason, TumourSite
from adapter.her2.samples import (
    Cluster,
    accessions_of,
    clusters_of,
    days_of,
    identifiers_of,
    labels_within,
    reports_of,
)
from adapter.her2.which_count import site_of


def group(evidence: Iterable[Evidence], links: Sequence[Link] = ()) -> tuple[Case, ...]:
    """Group results into cases.

    Args:
        evidence: results of any patients, in any order; never the adapter's own output.
        links: a person's, of any patients; `joins.unused_links` says which of them joined nothing.

    Returns:
        One case per tumour sample, in a fixed order; each result is in exactly one. Results of different subjects are
        never in one case.

    """
    by_subject: dict[str, list[Evidence]] = defaultdict(list)
    for e in evidence:
        by_subject[e.subject].append(e)
    linked = {end for link in links for end in link.ends}
    cases: list[Case] = []
    for subject, theirs in sorted(by_subject.items()):
        is_linked = bool(linked) and not linked.isdisjoint(names_of(theirs))
        cases += _cases_of(subject, theirs, links if is_linked else ())
    return tuple(cases)


def _cases_of(subject: str, evidence: list[Evidence], links: Sequence[Link]) -> list[Case]:
    clusters = clusters_of(evidence)
    # What a person joins goes on under a name that one of its parts has already.
    keys = _keys(clusters)
    samples = join_linked(clusters, links)
    wholes = [sample.whole for sample in samples]
    return [
        Case(
            subject=subject,
            key=keys[sample.root.first],
            evidence=whole.evidence,
            specimen=next(iter(whole.specimens)) if len(whole.specimens) == 1 else None,
            join_reasons=_why_not_joined(whole, wholes),
            joined_by=sample.by,
        )
        for sample, whole in zip(samples, wholes, strict=True)
    ]


def _keys(clusters: list[Cluster]) -> dict[str, str]:
    """Name each cluster by its root; clusters that share a root are named by what is theirs alone."""
    shared = {cluster.first: _shared_keys(cluster) for cluster in clusters}
    owned = {key for cluster in clusters for key in _own_keys(cluster)}
    keys = {}
    for cluster in clusters:
        elsewhere = {
            key for first, theirs in shared.items() if first != cluster.first for key in theirs
        }
        free = [key for key in shared[cluster.first] if key not in elsewhere | owned]
        rooted = [key for key in _own_keys(cluster) if key in shared[cluster.first]]
        keys[cluster.first] = (*rooted, *free, *_own_keys(cluster))[0]
    return keys


def _shared_keys(cluster: Cluster) -> list[str]:
    """Give the containers a cluster could be named by, best first; another cluster may lie in them too."""
    keys = [f"specimen:{parent}" for parent in sorted(cluster.of(_parents_only))]
    if not cluster.names_specimen:
        keys += [f"report:{report}" for report in sorted(cluster.of(reports_of))]
    if len(cluster.specimens) > 1 or not cluster.names_specimen:
        keys += [f"accession:{value}" for value in sorted(cluster.of(accessions_of))]
    if not cluster.names_specimen:
        keys += [f"day:{day}" for day in sorted(cluster.of(days_of))]
    return keys


def _own_keys(cluster: Cluster) -> list[str]:
    """Give the names that no other cluster can have."""
    if cluster.specimens:
        return [f"specimen:{specimen}" for specimen in sorted(cluster.specimens)]
    if named := cluster.of(identifiers_of) or cluster.of(labels_within):
        return [f"specimen:{identifier}" for identifier in sorted(named)]
    return [f"observation:{cluster.first}"]


def _parents_only(evidence: Evidence) -> frozenset[str]:
    return evidence.links.parents


NOT_JOINED = "not-joined"
REPEATED_ELSEWHERE = "repeated-on-another-sample"
NOT_TOLD_APART = "several-results-without-specimen"


def _why_not_joined(cluster: Cluster, clusters: list[Cluster]) -> tuple[Reason, ...]:
    """Name the other samples of this patient whose results might belong to this one [P]."""
    reasons = []
    for other in clusters:
        if other is cluster:
            continue
        repeated = _repeats_of(cluster, other)
        if repeated:
            sentence = (
                "A result of another sample says that it repeats or replaces one of this patient's."
            )
            reasons.append(Reason(REPEATED_ELSEWHERE, sentence, repeated))
        if not may_be_one_place(cluster, other):
            continue
        sources = tuple(sorted(e.source.reference for e in (*cluster.counting, *other.counting)))
        if _complement_each_other(cluster, other):
            sentence = "Another HER2 result of this patient might belong to this sample; nothing joins them."
            reasons.append(Reason(NOT_JOINED, sentence, sources))
        elif _share_a_container(cluster, other):
            sentence = "Several HER2 results without a specimen cannot be told apart."
            reasons.append(Reason(NOT_TOLD_APART, sentence, sources))
    return tuple(reasons)


def _repeats_of(one: Cluster, other: Cluster) -> tuple[str, ...]:
    """Name the results of two samples of which one says that it repeats the other."""
    pairs = [(a, b) for a in one.counting for b in other.counting]
    pairs += [(b, a) for a, b in pairs]
    named = [(a, b) for a, b in pairs if b.source.reference in a.repeat_of]
    return tuple(sorted({e.source.reference for pair in named for e in pair}))


def may_be_one_place(one: Cluster, other: Cluster) -> bool:
    """Whether two samples may be of one tumour: no other tumour, and no two sides or body sites, are named."""
    for cluster in (one, other):
        if not cluster.counting or site_of(cluster.counting) is TumourSite.OTHER:
            return False
    return len(one.sides | other.sides) <= 1 and len(one.body_sites | other.body_sites) <= 1


def _complement_each_other(one: Cluster, other: Cluster) -> bool:
    """Whether one holds just what the other lacks: IHC and ISH, or tests and an overall result.

    An overall result beside each of two tests changes nothing: each may be the conclusion from its own test alone.
    """
    ours, theirs = _kinds(one), _kinds(other)
    if ours - {"overall"} and theirs - {"overall"}:
        return not ours & theirs - {"overall"}
    return bool(ours) and bool(theirs) and not ours & theirs


def _kinds(cluster: Cluster) -> frozenset[str]:
    kinds = set()
    for e in cluster.counting:
        kinds |= {name for name in ("ihc", "ish", "overall") if getattr(e, name) is not None}
    return frozenset(kinds)


def _share_a_container(one: Cluster, other: Cluster) -> bool:
    if one.names_specimen or other.names_specimen:
        return False
    return any(
        one.of(container) & other.of(container)
        for container in (reports_of, accessions_of, days_of)
    )
