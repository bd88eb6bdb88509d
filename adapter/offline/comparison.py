"""Which known cases two sets of mappings and policies answer differently. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from adapter.fhir.strict_json import JsonObject
from adapter.her2.model import Link, Policy
from adapter.offline.answers import Answer, answer
from adapter.terminology.catalogue import Catalogue


@dataclass(frozen=True)
class Basis:
    """What answers are given with: the vocabulary, the rules, and the samples that a person joined."""

    catalogue: Catalogue
    policy: Policy
    links: tuple[Link, ...] = ()


@dataclass(frozen=True)
class Altered:
    """One tumour sample that is answered differently.

    `subject`: "Patient/<id>". `sample`: its specimen, else what joins its results. `before`,
    `after`: None where its results make no sample, because they are not recognised or belong to
    another one.
    """

    subject: str
    sample: str
    before: Answer | None
    after: Answer | None


@dataclass(frozen=True)
class Comparison:
    """How many samples there are by either basis, and those that differ, in a fixed order."""

    samples: int
    altered: tuple[Altered, ...]


def compare(
    documents: Iterable[JsonObject], before: Basis, after: Basis, *, base_url: str = ""
) -> Comparison:
    """Answer the same documents twice.

    Args:
        documents: FHIR R4 resources and Bundles as parsed by the strict reader; not changed.
        before: what stands.
        after: what is thought of.
        base_url: of the server they come from.

    """
    whole: Sequence[JsonObject] = tuple(documents)
    old, new = (_by_sample(whole, basis, base_url) for basis in (before, after))
    all_samples = {**old, **new}
    altered = tuple(
        Altered(key[0], one.case.specimen or one.case.key, old.get(key), new.get(key))
        for key, one in sorted(all_samples.items(), key=lambda item: item[0])
        if _said(old.get(key)) != _said(new.get(key))
    )
    return Comparison(len(all_samples), altered)


def _by_sample(
    documents: Sequence[JsonObject], basis: Basis, base_url: str
) -> dict[tuple[str, str], Answer]:
    found = answer(documents, basis.catalogue, basis.policy, base_url=base_url, links=basis.links)
    return {(one.case.subject, one.case.key): one for one in found.answers}


def _said(one: Answer | None) -> tuple[object, ...] | None:
    """Give what a reader of the result would see: not the wording of reasons, but their codes."""
    if one is None:
        return None
    found = one.classification
    reasons = sorted({reason.code for reason in (*found.reasons, *found.limits)})
    return found.category, found.asco_cap, found.review, found.rule.id, found.used, tuple(reasons)
