"""All rows through the adapter's pure parts, and what came of every sample and every Observation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from adapter.fhir.strict_json import read_any, write_json
from adapter.her2.model import Classification
from adapter.her2.policy import ASCO_CAP_2023
from adapter.offline.answers import Answers, answer
from adapter.terminology.catalogue import Catalogue
from tests.registries.tcga.as_fhir import ENCODINGS, resources, specimen_of
from tests.registries.tcga.contradictions import Kind, found_in, is_allowed
from tests.registries.tcga.fields import Sample

__all__ = ["ENCODINGS", "Ended", "Run", "against_their_fields", "as_received", "run"]

OVERALL: Final = "overall"
"""The encoding that makes the word on IHC the laboratory's conclusion."""
COLUMNS: Final = "columns"
"""The encoding in which `cent17_copy_number` names no HER2: it may be of any test, and is not HER2's."""


@dataclass(frozen=True)
class Ended:
    """How one sample ended: its classification, None where nothing was sent for it that says HER2.

    `sample`: the fields that the encoding lets anyone take for HER2's.
    """

    sample: Sample
    classification: Classification | None
    contradictions: tuple[Kind, ...]

    @property
    def category(self) -> str:
        """The category, "none" where no result was sent."""
        return self.classification.category.value if self.classification else "none"

    @property
    def review(self) -> bool:
        """Whether a human has to look."""
        return self.classification is not None and self.classification.review


@dataclass(frozen=True)
class Run:
    """One encoding of the whole file, answered."""

    encoding: str
    sent: int
    answers: Answers
    ended: tuple[Ended, ...]

    @property
    def as_overall(self) -> bool:
        """Whether the word on IHC was sent as the overall HER2 status."""
        return self.encoding == OVERALL


def run(samples: Iterable[Sample], encoding: str, catalogue: Catalogue) -> Run:
    """Send samples in one encoding to the recogniser and the core.

    Raises:
        AssertionError: when a sample gives more than one case, or a case belongs to no sample.

    """
    samples = tuple(samples)
    documents = [as_received(one) for one in resources(samples, encoding)]
    answers = answer(documents, catalogue, ASCO_CAP_2023)
    by_specimen: dict[str, Classification] = {}
    for one in answers.answers:
        assert one.case.specimen, "every result names its specimen"
        assert one.case.specimen not in by_specimen, "one sample gives one case"
        by_specimen[one.case.specimen] = one.classification
    as_overall = encoding == OVERALL
    ended = tuple(
        Ended(
            seen,
            by_specimen.pop(specimen_of(seen), None),
            tuple(found_in(seen, as_overall=as_overall)),
        )
        for seen in (replace(one, cep17="") if encoding == COLUMNS else one for one in samples)
    )
    assert not by_specimen, "every case is of one of the samples"
    sent = sum(one["resourceType"] == "Observation" for one in documents)
    return Run(encoding, sent, answers, ended)


def against_their_fields(run: Run) -> Iterator[str]:
    """Name every sample that ends definite where its fields contradict each other: by kind, not by row."""
    for one in run.ended:
        for kind in one.contradictions:
            if not is_allowed(
                one.category, review=one.review, kind=kind, as_overall=run.as_overall
            ):
                flag = " with review" if one.review else ""
                yield f"{run.encoding}: {kind.name}: {one.category}{flag}"


def as_received(resource: dict[str, Any]) -> dict[str, Any]:
    """Give a resource as a server returns it: with a version, its numbers as Decimals."""
    (received,) = read_any(write_json({**resource, "meta": {"versionId": "1"}}))
    return received
