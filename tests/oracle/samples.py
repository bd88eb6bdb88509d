"""Which results are one tumour sample, and by which names its derived Observation may stand.

Source: the rules text, Which results count 1: the same Specimen; or Specimens of one parent, which holds IHC of one
of them and ISH of one of them only. Never by time. The name is the root: parent, else specimen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.oracle.reading import NotCovered, Result

Json = Mapping[str, Any]
_SPECIMEN = {
    "resourceType",
    "id",
    "meta",
    "text",
    "status",
    "type",
    "subject",
    "parent",
    "collection",
}
SITES_OF_TYPES = {"core needle biopsy of breast": "breast", "gastric biopsy": "other"}


@dataclass(frozen=True)
class Sample:
    """One tumour sample of one patient.

    `root`: its key. `names`: every key that it may have had before its sample was joined otherwise.
    """

    subject: str
    results: tuple[Result, ...]
    root: str
    names: frozenset[str]

    @property
    def specimens(self) -> frozenset[str]:
        """The specimens that its results name."""
        return frozenset(one.specimen for one in self.results)


def samples_of(results: Iterable[Result], resources: Mapping[str, Json]) -> list[Sample]:
    """Group the results of any patients into samples.

    Args:
        results: HER2 results, whatever their status.
        resources: reference → resource, the specimens among them; one that is not there has no parent.

    Raises: NotCovered.

    """
    by_subject: dict[str, dict[str, list[Result]]] = defaultdict(lambda: defaultdict(list))
    for one in results:
        by_subject[one.subject][one.specimen].append(one)
    samples = []
    for subject, by_specimen in by_subject.items():
        samples += _without_specimen(subject, by_specimen.pop("", []))
        samples += _of_patient(subject, by_specimen, resources)
    return samples


def _without_specimen(subject: str, results: list[Result]) -> list[Sample]:
    """Name a result without specimen by its day; two of one patient may belong together."""
    if len(results) > 1:
        raise NotCovered("several results without a specimen")
    return [
        Sample(subject, (one,), name, frozenset({name}))
        for one in results
        for name in [f"day:{one.date[:10]}:unknown" if one.date else f"observation:{one.reference}"]
    ]


def _of_patient(
    subject: str, by_specimen: Mapping[str, list[Result]], resources: Mapping[str, Json]
) -> list[Sample]:
    parents = {name: parent_of(name, resources) for name in by_specimen}
    groups = [{name} for name in by_specimen]
    for parent in sorted({parent for parent in parents.values() if parent}):
        inside = [g for g in groups if any(parent in (name, parents[name]) for name in g)]
        if len(inside) > 1 and all(_of_one(test, inside, by_specimen) for test in ("ihc", "ish")):
            groups = [g for g in groups if g not in inside] + [set().union(*inside)]
    return [
        Sample(
            subject,
            tuple(one for name in sorted(group) for one in by_specimen[name]),
            _root(group, groups, parents),
            _names(group, parents),
        )
        for group in groups
    ]


def _names(group: set[str], parents: Mapping[str, str | None]) -> frozenset[str]:
    named = {*group, *(parents[name] for name in group)} - {None}
    return frozenset(f"specimen:{name}" for name in named)


def _of_one(test: str, groups: list[set[str]], by_specimen: Mapping[str, list[Result]]) -> bool:
    """Whether results of this test that count come from one of these groups at most."""
    holding = [
        group
        for group in groups
        if any(one.test == test and one.counts for name in group for one in by_specimen[name])
    ]
    return len(holding) <= 1


def _root(group: set[str], groups: list[set[str]], parents: Mapping[str, str | None]) -> str:
    """Name a sample by its parent where that is its alone, else by its first specimen."""
    own = {parent for name in group if (parent := parents[name])}
    elsewhere = {
        name
        for other in groups
        if other is not group
        for specimen in other
        for name in (specimen, parents[specimen])
    }
    inner = sorted(own & group)
    free = sorted(own - elsewhere - {name for g in groups for name in g})
    return f"specimen:{(inner or free or sorted(group))[0]}"


def parent_of(name: str, resources: Mapping[str, Json]) -> str | None:
    """Give the one specimen that a specimen was taken from.

    Raises: NotCovered, also where it was taken from one itself.
    """
    specimen = resources.get(name)
    if specimen is None:
        return None
    strange = sorted(set(specimen) - _SPECIMEN)
    parents = [str(one["reference"]) for one in specimen.get("parent", [])]
    if strange or len(parents) > 1:
        raise NotCovered(f"specimen with {', '.join(strange) or 'two parents'}")
    if parents and resources.get(parents[0], {}).get("parent"):
        raise NotCovered("a specimen of a specimen of a specimen")
    return parents[0] if parents else None


def site_of(specimen: Json | None) -> str | None:
    """Read the tumour's site from the type of a specimen.

    Raises: NotCovered.
    """
    text = (specimen or {}).get("type", {}).get("text")
    if text is None:
        return None
    if text not in SITES_OF_TYPES:
        raise NotCovered("a type of specimen")
    return SITES_OF_TYPES[text]
