"""Builders of cases, answers and source Observations with defaults: a test states what matters."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from adapter.fhir.record.derive import DeriveContext, derive
from adapter.fhir.record.sources import SourceFacts, source_facts
from adapter.her2 import rules
from adapter.her2.model import (
    AscoCapStatus,
    Assay,
    Case,
    Category,
    Classification,
    Comparator,
    Evidence,
    IhcResult,
    IhcScore,
    IshGroup,
    IshResult,
    Link,
    Measurement,
    OverallResult,
    Reason,
    ResultStatus,
    ResultWord,
    Source,
)
from adapter.her2.policy import ASCO_CAP_2023
from adapter.terminology.catalogue import Catalogue, load_catalogue

Json = dict[str, Any]

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
LATER = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
IHC, ISH = "Observation/ihc-1", "Observation/ish-1"
LINK = Link(
    "Specimen/s1",
    "Specimen/s2",
    "Dr A. Example",
    date(2026, 2, 20),
    "FISH was done on the excision",
)
SCOPE = Reason("invasive-breast-carcinoma-only", "Invasive breast carcinoma only; no image read.")


@functools.cache
def catalogue() -> Catalogue:
    """The shipped vocabulary, read once."""
    return load_catalogue()


def context(**changes: Any) -> DeriveContext:
    """The context of a pass with a configured Organization; versions are fixed, so records are."""
    made = DeriveContext(
        now=NOW,
        policy=ASCO_CAP_2023,
        output=catalogue().output,
        software_version="1.0.0",
        mappings_version="1.0.0",
        organization="Organization/lab",
        base_urls=("http://fhir.local/r4",),
    )
    return replace(made, **changes)


def case(*references: str, status: ResultStatus = ResultStatus.FINAL, **changes: Any) -> Case:
    """A case whose evidence are these sources (IHC and ISH when none is named)."""
    evidence = tuple(
        Evidence(
            Source(reference, version="1", status=status),
            "Patient/1",
            Assay.ISH if "ish" in reference else Assay.IHC,
        )
        for reference in references or (IHC, ISH)
    )
    made = Case("Patient/1", "specimen:Specimen/s1", evidence, specimen="Specimen/s1")
    return replace(made, **changes)


def number(text: str, comparator: str = "=", upper: str | None = None) -> Measurement:
    """A measurement with the digits of this text."""
    above = None if upper is None else Decimal(upper)
    return Measurement(Decimal(text), Comparator(comparator), above)


def answer(category: Category = Category.LOW, **changes: Any) -> Classification:
    """IHC 2+ with negative ISH in both words and numbers, unless changed."""
    made = Classification(
        category=category,
        rule=rules.IHC_2_PLUS_ISH_NEGATIVE,
        policy=ASCO_CAP_2023.name,
        policy_version=ASCO_CAP_2023.version,
        asco_cap=AscoCapStatus.NEGATIVE,
        ish_group=IshGroup.G5,
        limits=(SCOPE,),
        ihc_used=IhcResult((IhcScore.TWO_PLUS,)),
        ish_used=IshResult(
            ResultWord.NEGATIVE,
            ratio=number("1.40"),
            her2_copies=number("3.10"),
            cep17_copies=number("2.2"),
        ),
        used=(IHC, ISH),
    )
    return replace(made, **changes)


def ihc_only(category: Category, score: str, **changes: Any) -> Classification:
    """An answer made from one IHC score alone."""
    defaults = {
        "ihc_used": IhcResult((IhcScore(score),)),
        "ish_used": None,
        "ish_group": None,
        "used": (IHC,),
    }
    return answer(category, **(defaults | changes))


def observation(reference: str = IHC, **changes: Any) -> Json:
    """A laboratory's Observation as a server returns it."""
    made: Json = {
        "resourceType": "Observation",
        "id": reference.removeprefix("Observation/"),
        "meta": {"versionId": "1", "lastUpdated": "2026-02-01T00:00:00Z"},
        "status": "final",
        "code": {"text": "HER2"},
        "subject": {"reference": "Patient/1"},
        "specimen": {"reference": "Specimen/s1"},
        "effectiveDateTime": "2026-01-20" if "ish" in reference else "2026-01-10",
        "valueString": "2+",
    }
    return {key: value for key, value in (made | changes).items() if value is not None}


SPECIMEN: Json = {
    "resourceType": "Specimen",
    "id": "s1",
    "collection": {"collectedDateTime": "2026-01-05T10:00:00+01:00"},
}


def facts(*observations: Json, specimen: Json | None = SPECIMEN) -> dict[str, SourceFacts]:
    """Facts of these Observations (IHC and ISH when none is given) of one specimen."""
    read = observations or (observation(IHC), observation(ISH))
    known = (source_facts(one, specimen) for one in read)
    return {one.reference: one for one in known}


def record(
    classification: Classification | None = None,
    *,
    of: Case | None = None,
    sources: Mapping[str, SourceFacts] | None = None,
    existing: Json | None = None,
    **context_changes: Any,
) -> Json:
    """Derive the Observation of the default case."""
    return derive(
        of or case(),
        classification or answer(),
        facts=sources or facts(),
        existing=existing,
        context=context(**context_changes),
    )


def component(resource: Json, name: str) -> list[Json]:
    """The components with this code, in order."""
    return [part for part in resource["component"] if part["code"]["coding"][0]["code"] == name]


def as_stored(resource: Json, version: str = "1") -> Json:
    """The resource as a server returns it: with a version, a time, and nothing else changed."""
    meta = {**resource["meta"], "versionId": version, "lastUpdated": "2026-03-01T09:30:01Z"}
    return {**resource, "meta": meta}


POSITIVE = {"asco_cap": AscoCapStatus.POSITIVE}
OPEN: Json = {"asco_cap": None}
DISCORDANT = Reason("ihc-ish-discordant", "IHC and ISH do not agree <here>.", (IHC, ISH))

ANSWERS: dict[str, Classification] = {
    "positive": ihc_only(Category.POSITIVE, "3+", rule=rules.IHC_3_PLUS, **POSITIVE),
    "positive-discordant": answer(
        Category.POSITIVE,
        rule=rules.ISH_POSITIVE_IHC_NEGATIVE,
        ihc_used=IhcResult((IhcScore.ZERO, IhcScore.ZERO_PLUS, IhcScore.ONE_PLUS)),
        ish_used=IshResult(
            ratio=number("2.00"),
            her2_copies=number("6.0", ">"),
            cep17_copies=number("2", upper="3"),
        ),
        ish_group=IshGroup.G1,
        review=True,
        reasons=(DISCORDANT,),
        **POSITIVE,
    ),
    "low": answer(),
    "ultralow": ihc_only(Category.ULTRALOW, "0+", rule=rules.IHC_0_PLUS),
    "negative": ihc_only(Category.NEGATIVE, "0", rule=rules.IHC_0),
    "negative-unspecified": answer(
        Category.NEGATIVE_UNSPECIFIED,
        rule=rules.OVERALL_ALONE,
        ihc_used=None,
        ish_used=None,
        ish_group=None,
        overall_used=OverallResult(ResultWord.NEGATIVE),
        used=("Observation/overall-1",),
    ),
    "indeterminate": answer(
        Category.INDETERMINATE,
        rule=rules.INDETERMINATE,
        asco_cap=AscoCapStatus.INDETERMINATE,
        ish_used=IshResult(ResultWord.INDETERMINATE),
        ish_group=None,
        review=True,
        reasons=(Reason("ish-indeterminate", "ISH could not be read by the laboratory."),),
    ),
    "equivocal": ihc_only(
        Category.EQUIVOCAL, "2+", rule=rules.IHC_2_PLUS, asco_cap=AscoCapStatus.EQUIVOCAL
    ),
    "pending-ihc": answer(
        Category.PENDING_IHC,
        rule=rules.GROUP_2_TO_4_WITHOUT_IHC,
        ihc_used=None,
        ish_used=IshResult(ratio=number("1.8"), her2_copies=number("4.5")),
        ish_group=IshGroup.G4,
        used=(ISH,),
        **OPEN,
    ),
    "pending-second-review": answer(
        Category.PENDING_SECOND_REVIEW,
        rule=rules.SECOND_REVIEW_DUE,
        ish_group=IshGroup.G2,
        comments=(rules.GROUP_COMMENTS[IshGroup.G2],),
        review=True,
        reasons=(Reason("second-review-due", "A blinded recount is due."),),
        **OPEN,
    ),
    "pending-dual-probe": answer(
        Category.PENDING_DUAL_PROBE,
        rule=rules.SINGLE_MIDDLE_IHC_2,
        ish_group=None,
        ish_used=IshResult(her2_copies=number("4.6")),
        **OPEN,
    ),
    "needs-review": answer(
        Category.NEEDS_REVIEW,
        rule=rules.CONTRADICTION,
        ish_group=None,
        review=True,
        reasons=(DISCORDANT,),
        set_aside=(("Observation/x", Reason("unreadable", "The value was not understood.")),),
        **OPEN,
    ),
}
"""One answer for each category that is written, and one with ranges and a comparator."""


def sources_of(classification: Classification) -> dict[str, SourceFacts]:
    """Facts of every source that an answer used."""
    return facts(*(observation(reference) for reference in classification.used))
