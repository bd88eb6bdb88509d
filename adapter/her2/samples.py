"""Which results were taken from one tumour sample: clusters of results, joined only where the laboratory says so.

Never by time alone, never over two tumours: an accession, a report or a mastectomy may hold more than one, and then
nothing is joined by it. Source: rules text, Which results count 1 [P].
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from adapter.her2.model import Assay, Evidence, IhcResult, IshResult, SampleKind, TumourSite
from adapter.her2.which_count import COUNTING, UNCLEAR, site_of

_SHORT: Final = re.compile(r".*\|[^|]{1,3}")
"""An identifier of at most three characters: a block letter or a line number, "A" or "12"."""
_FEW_DIGITS: Final = re.compile(r"\|\D*(?:\d\D*){0,2}")
"""An identifier without system that holds fewer than three digits: "Block A", "Part 12"."""


@dataclass(frozen=True)
class Cluster:
    """Results that certainly come from one sample, in a fixed order."""

    evidence: tuple[Evidence, ...]

    @property
    def first(self) -> str:
        """The smallest reference in it; tells clusters of one patient apart."""
        return min(e.source.reference for e in self.evidence)

    @property
    def specimens(self) -> frozenset[str]:
        """Every specimen its results name; empty where none does."""
        return frozenset(e.links.specimen for e in self.evidence if e.links.specimen)

    @property
    def names_specimen(self) -> bool:
        """Whether a specimen is named, if only by an identifier."""
        return any(e.links.specimen or e.links.specimen_identifiers for e in self.evidence)

    @property
    def counting(self) -> tuple[Evidence, ...]:
        """The results that count by their status."""
        return tuple(e for e in self.evidence if e.source.status in COUNTING | UNCLEAR)

    @property
    def sides(self) -> frozenset[str]:
        """The sides its results name."""
        return frozenset(e.links.side for e in self.evidence if e.links.side)

    @property
    def body_sites(self) -> frozenset[str]:
        """The body sites its results name."""
        return frozenset(e.links.body_site for e in self.evidence if e.links.body_site)

    @property
    def organs(self) -> frozenset[bool]:
        """Whether its samples were taken from the breast, as far as that is stated."""
        return frozenset(e.links.in_breast for e in self.evidence if e.links.in_breast is not None)

    def of(self, container: Callable[[Evidence], Iterable[str]]) -> frozenset[str]:
        """Give the containers of one kind (parents, reports, …) its results lie in."""
        return frozenset(value for e in self.evidence for value in container(e))


def identifiers_of(evidence: Evidence) -> frozenset[str]:
    """Give the identifiers of a result's specimen that identify it by themselves.

    A short one with a system does where no accession is stated that it is a label within.
    """
    named = evidence.links.specimen_identifiers
    is_within = bool(evidence.links.accessions)
    return frozenset(
        name
        for name in named
        if not (_is_bare_label(name) or (is_within and _SHORT.fullmatch(name)))
    )


def _is_bare_label(identifier: str) -> bool:
    """Whether an identifier has no system and is too short, or holds too few digits, to be a number of its own."""
    is_bare = identifier.startswith("|")
    return is_bare and bool(_SHORT.fullmatch(identifier) or _FEW_DIGITS.fullmatch(identifier))


def labels_within(evidence: Evidence) -> frozenset[str]:
    """Give the labels of a result's specimen, each within a parent, accession, order or report."""
    labels = evidence.links.specimen_identifiers - identifiers_of(evidence)
    inside = evidence.links.parents | accessions_of(evidence) | reports_of(evidence)
    return frozenset(f"{label} in {container}" for label in labels for container in inside)


def parents_of(evidence: Evidence) -> frozenset[str]:
    """Give the specimens a result was taken from: its parents, and itself as the parent of a later block."""
    own = frozenset({evidence.links.specimen} if evidence.links.specimen else ())
    return evidence.links.parents | own


def reports_of(evidence: Evidence) -> frozenset[str]:
    """Give the DiagnosticReports that list a result."""
    return evidence.links.reports


def accessions_of(evidence: Evidence) -> frozenset[str]:
    """Give the accessions and orders of a result; a line number is none."""
    named = evidence.links.accessions | evidence.links.orders
    return frozenset(name for name in named if not _is_bare_label(name))


def _accessions_alone(evidence: Evidence) -> frozenset[str]:
    return accessions_of(evidence) & evidence.links.accessions


def days_of(evidence: Evidence) -> tuple[str, ...]:
    """Give the collection day with its side; an unknown side joins only an unknown side."""
    day = evidence.links.collected_day
    return (f"{day}:{evidence.links.side or 'unknown'}",) if day else ()


def in_fixed_order(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """Put results into an order that does not depend on their arrival."""
    listed = sorted(evidence, key=lambda e: e.source.reference)
    if len({e.source.reference for e in listed}) == len(listed):
        return tuple(listed)
    # Nothing but what it says tells two of one reference apart.
    return tuple(sorted(listed, key=lambda e: (e.source.reference, repr(e))))


def clusters_of(evidence: Iterable[Evidence]) -> list[Cluster]:
    """Join the results of one patient into samples.

    Args:
        evidence: every result of one patient, in any order.

    Returns:
        Clusters in a fixed order; each result is in exactly one.

    """
    by_specimen: dict[str, list[Evidence]] = {}
    clusters = []
    for e in in_fixed_order(evidence):
        if e.links.specimen:
            by_specimen.setdefault(e.links.specimen, []).append(e)
        else:
            clusters.append(Cluster((e,)))
    clusters += [Cluster(tuple(results)) for results in by_specimen.values()]
    clusters = _join(clusters, identifiers_of, _always)
    clusters = _join(clusters, labels_within, _always)
    clusters = _join(clusters, parents_of, _one_tumour_of_specimens)
    clusters = _join(clusters, _accessions_alone, _one_tumour_of_specimens)
    for container in (reports_of, accessions_of):
        clusters = _join(clusters, container, _one_tumour_or_one_specimen)
    return _join(clusters, days_of, _one_tumour_of_a_day)


Proviso = Callable[[list[Cluster]], bool]


def _join(
    clusters: list[Cluster], container: Callable[[Evidence], Iterable[str]], allowed: Proviso
) -> list[Cluster]:
    """Join the clusters that lie in one container, wherever the proviso allows it."""
    inside: dict[str, list[int]] = defaultdict(list)
    for index, cluster in enumerate(clusters):
        for value in cluster.of(container):
            inside[value].append(index)
    joined = {index: {index} for index in range(len(clusters))}
    for value in sorted(inside):
        if any(_is_crossed(inside[value], other, clusters, allowed) for other in inside.values()):
            continue
        members = sorted({i for index in inside[value] for i in joined[index]})
        if len(members) > 1 and allowed([clusters[i] for i in members]):
            together = set(members)
            for i in members:
                joined[i] = together
    groups = {id(group): sorted(group) for group in joined.values()}
    return sorted(
        (_together([clusters[i] for i in group]) for group in groups.values()),
        key=lambda cluster: cluster.first,
    )


def _is_crossed(
    ours: list[int], theirs: list[int], clusters: list[Cluster], allowed: Proviso
) -> bool:
    """Whether a result without specimen lies in another container too, which would join it otherwise.

    A container within the other is the closer one, and crosses nothing.
    """
    one, other = set(ours), set(theirs)
    shared = [index for index in one & other if not clusters[index].names_specimen]
    if not shared or one <= other or other <= one:
        return False
    return not allowed([clusters[index] for index in sorted(one | other)])


def _together(clusters: list[Cluster]) -> Cluster:
    return Cluster(in_fixed_order(e for cluster in clusters for e in cluster.evidence))


def _always(clusters: list[Cluster]) -> bool:
    return len({e.subject for cluster in clusters for e in cluster.evidence}) == 1


def _one_tumour_of_specimens(clusters: list[Cluster]) -> bool:
    """(c): IHC of one specimen only, ISH of one specimen only, and side, body site and position do not differ."""
    if not all(cluster.specimens for cluster in clusters):
        return False
    with_ihc = sum(any(_is_of(Assay.IHC, e) for e in cluster.counting) for cluster in clusters)
    with_ish = sum(any(_is_of(Assay.ISH, e) for e in cluster.counting) for cluster in clusters)
    return with_ihc <= 1 and with_ish <= 1 and _same_place(clusters)


def _is_of(assay: Assay, evidence: Evidence) -> bool:
    """Whether a result is one of this test; what could not be read is of the test it was sent as."""
    if evidence.unreadable is not None:
        return evidence.assay is assay
    return (evidence.ihc if assay is Assay.IHC else evidence.ish) is not None


def _one_tumour_or_one_specimen(clusters: list[Cluster]) -> bool:
    """Let a result without Specimen join the one specimen of its report, or its like under (c)."""
    with_specimen = [cluster for cluster in clusters if cluster.names_specimen]
    if len(with_specimen) == 1:
        return _same_place(clusters) and _reports_name_no_other(clusters, with_specimen[0])
    return not with_specimen and _one_tumour_without_specimen(clusters)


def _reports_name_no_other(clusters: list[Cluster], one: Cluster) -> bool:
    """Whether the reports are based on this specimen alone: another one may hold another tumour."""
    reported = {name for cluster in clusters for name in cluster.of(_reported)}
    return reported <= one.of(parents_of)


def _reported(evidence: Evidence) -> frozenset[str]:
    return evidence.links.reported_specimens


def _one_tumour_without_specimen(clusters: list[Cluster]) -> bool:
    if any(cluster.names_specimen for cluster in clusters) or not _same_place(clusters):
        return False
    results = [e for cluster in clusters for e in cluster.counting if e.marker is None]
    ihc = [e.ihc for e in results if e.ihc is not None]
    ish = [e.ish for e in results if e.ish is not None]
    return _tests_of_ihc(ihc) <= 1 and _tests_of_ish(ish) <= 1


def _one_tumour_of_a_day(clusters: list[Cluster]) -> bool:
    """Let a day join what names no two specimens: neither by their names alone, nor by reports based on them."""
    named = {e.links.specimen_name for cluster in clusters for e in cluster.evidence} - {None}
    reported = [specimens for cluster in clusters if (specimens := cluster.of(_reported))]
    is_of_two = len(named) > 1 or (reported and not frozenset.intersection(*reported))
    return not is_of_two and _one_tumour_without_specimen(clusters)


def _tests_of_ihc(results: list[IhcResult]) -> int:
    """Count IHC tests: score, word and percentage sent apart are one."""
    scores = sum(bool(r.scores) or r.off_scale for r in results)
    return max(scores, sum(r.word is not None and not r.scores for r in results))


def _tests_of_ish(results: list[IshResult]) -> int:
    """Count ISH tests: word, ratio and copies sent apart are one."""
    parts = (
        [r.word for r in results],
        [r.stated_group for r in results],
        [r.ratio for r in results],
        [r.her2_copies for r in results],
        [r.cep17_copies for r in results],
    )
    return max(sum(value is not None for value in part) for part in parts)


def _same_place(clusters: list[Cluster]) -> bool:
    sides = frozenset().union(*(cluster.sides for cluster in clusters))
    body_sites = frozenset().union(*(cluster.body_sites for cluster in clusters))
    organs = frozenset().union(*(cluster.organs for cluster in clusters))
    is_one_place = max(len(sides), len(body_sites), len(organs)) <= 1
    return is_one_place and _same_position(clusters) and _may_be_one_tumour(clusters)


def _same_position(clusters: list[Cluster]) -> bool:
    """Whether those that say where in the breast they were taken, on one scale, have a position in common."""
    scales = ([cluster.of(scale) for cluster in clusters] for scale in (_hours, _quadrants))
    stated = ([named for named in scale if named] for scale in scales)
    return all(frozenset.intersection(*scale) for scale in stated if scale)


def _hours(evidence: Evidence) -> frozenset[str]:
    return evidence.links.hours


def _quadrants(evidence: Evidence) -> frozenset[str]:
    return evidence.links.quadrants


def _may_be_one_tumour(clusters: list[Cluster]) -> bool:
    """Whether no breast stands beside another tumour, and no metastasis beside the tumour it came from."""
    sites = {site_of(cluster.counting) for cluster in clusters}
    kinds = {e.links.kind for cluster in clusters for e in cluster.evidence}
    beside = kinds - {SampleKind.METASTASIS, SampleKind.NOT_STATED}
    is_spread = SampleKind.METASTASIS in kinds and bool(beside)
    return not sites >= {TumourSite.BREAST, TumourSite.OTHER} and not is_spread
