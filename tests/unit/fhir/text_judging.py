"""The two answers to one text: the product's, over the real path, and the second readers'."""

from __future__ import annotations

from typing import Any

from adapter.fhir.recognise import recognise
from adapter.fhir.references import Graph
from adapter.her2 import ASCO_CAP_2023, Assay, Case, Evidence, Source, classify
from tests.unit.fhir.recognising import IHC, ISH, OVERALL, catalogue, observation
from tests.unit.fhir.second_text_reader import readings
from tests.unit.fhir.text_forms import DEFINITE, UNDECIDED
from tests.unit.her2.second_reader import second_reading
from tests.unit.her2.second_reader_values import Unsaid

CODES = {Assay.IHC: IHC, Assay.ISH: ISH, Assay.OVERALL: OVERALL}
NO_GRAPH = Graph()


def _definite(category: str) -> str:
    return category if category in DEFINITE else UNDECIDED


def observed(text: str, asked: Assay) -> dict[str, Any]:
    """The Observation that a laboratory sends this text in."""
    return observation(CODES[asked], valueString=text)


def by_product(text: str, asked: Assay) -> str:
    """The product's category of this text alone; "undecided" when it is none of the definite ones."""
    found = recognise(observed(text, asked), NO_GRAPH, catalogue())
    return UNDECIDED if found.evidence is None else _definite(_classified(found.evidence))


def agrees(product: str, second: frozenset[str]) -> bool:
    """Whether the second reader gives the product's category, or a finer one: unspecified may be any negative."""
    finer = {"low", "ultralow", "negative"} if product == "negative-unspecified" else set()
    return product == UNDECIDED or bool(second & {product, *finer})


def by_second_reader(text: str, asked: Assay) -> frozenset[str]:
    """Every definite category that the second readers of texts and of rules accept."""
    found = set()
    for reading in readings(text, asked):
        evidence = Evidence(
            Source("Observation/o1"),
            "Patient/p1",
            asked,
            ihc=reading.ihc,
            ish=reading.ish,
            overall=reading.overall,
        )
        found.add(_definite(_second_category(evidence)))
    return frozenset(found - {UNDECIDED})


def _second_category(evidence: Evidence) -> str:
    try:
        return second_reading(_case(evidence)).category
    except Unsaid:  # where the rules' text leaves it open, the core's choice is as good as any
        return _classified(evidence)


def _classified(evidence: Evidence) -> str:
    return classify(_case(evidence), ASCO_CAP_2023).category.value


def _case(evidence: Evidence) -> Case:
    return Case(evidence.subject, "observation:Observation/o1", (evidence,))
