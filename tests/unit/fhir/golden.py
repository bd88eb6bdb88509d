"""The golden records: each kind of answer, written out whole in fixtures/golden/record/.

`python -m tests.unit.fhir.golden` writes them anew; the difference is to be read before it is
committed, because it is what hospitals will find in their records.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

from adapter.fhir.record.derive import sources_used, withdraw
from adapter.fhir.record.provenance import device, provenance
from adapter.her2.classify import JOINED_BY_LINK
from adapter.her2.model import Category, Reason, ResultStatus
from tests.unit.fhir.record_builders import (
    ANSWERS,
    IHC,
    ISH,
    LATER,
    LINK,
    SCOPE,
    Json,
    answer,
    as_stored,
    case,
    context,
    facts,
    ihc_only,
    observation,
    record,
    sources_of,
)

FOLDER = Path(__file__).parents[3] / "fixtures" / "golden" / "record"


def golden_records() -> dict[str, list[Json]]:
    """Name → the resources of one transaction: Observation, then Provenance."""
    made = {}
    for name, classification in ANSWERS.items():
        of = case(*classification.used)
        sources = sources_of(classification)
        written = record(classification, of=of, sources=sources)
        made[name] = [
            written,
            provenance(written, replaced=None, sources=list(sources.values()), context=context()),
        ]
    made |= _later_versions()
    made["low-everything"] = _with_every_element()
    made["low-joined-by-link"] = _joined_by_a_person()
    made["device"] = [device("1.0.0")]
    return made


def _later_versions() -> dict[str, list[Json]]:
    """What becomes of a record: open, settled, amended, corrected, withdrawn, usable again."""
    later = context(now=LATER)
    open_ = as_stored(record(ihc_only(Category.EQUIVOCAL, "2+")), "1")
    settled = record(answer(), existing=open_, now=LATER)
    stored = as_stored(settled, "2")
    corrected_case = case(status=ResultStatus.CORRECTED)
    versions = {
        "later-settled": (settled, "1"),
        "later-amended": (record(ANSWERS["positive"], existing=stored, now=LATER), "2"),
        "later-corrected": (record(of=corrected_case, existing=stored, now=LATER), "2"),
    }
    reason = Reason("no-usable-result", "No usable result is left.")
    withdrawn = withdraw(stored, reason=reason, context=later, gone={"Observation/ish-1"})
    versions["later-withdrawn"] = (withdrawn, "2")
    again = record(answer(), existing=as_stored(withdrawn, "3"), now=LATER)
    versions["later-usable-again"] = (again, "3")
    return {
        name: [
            resource,
            provenance(
                resource,
                replaced=replaced,
                sources=[
                    source
                    for source in facts().values()
                    if {"reference": source.reference} in resource["derivedFrom"]
                ],
                context=later,
            ),
        ]
        for name, (resource, replaced) in versions.items()
    }


def _with_every_element() -> list[Json]:
    """Focus, mCODE's related condition, a period, a profile, SNOMED CT and a site's overlay."""
    url = "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-related-condition"
    parts: dict[str, Any] = {
        "focus": [{"reference": "Condition/c1"}],
        "extension": [{"url": url, "valueReference": {"reference": "Condition/c1"}}],
        "meta": {"versionId": "0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"},
    }
    collection = {"collectedPeriod": {"start": "2026-01-05", "end": "2026-01-06"}}
    specimen = {"resourceType": "Specimen", "id": "s1", "collection": collection}
    sources = facts(
        observation("Observation/ihc-1", **parts),
        observation("Observation/ish-1", **parts),
        specimen=specimen,
    )
    settings: dict[str, Any] = {
        "profiles": ("http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-tumor-marker-test",),
        "snomed": True,
        "overlay_versions": ("2026.1+0a1b2c3d",),
    }
    written = record(answer(), sources=sources, **settings)
    used = [sources[reference] for reference in sources_used(case(), answer())]
    return [
        written,
        provenance(written, replaced=None, sources=used, context=context(**settings)),
    ]


def _joined_by_a_person() -> list[Json]:
    """IHC and FISH of two specimens, joined by a person's link."""
    specimen = {"specimen": {"reference": "Specimen/s2"}}
    sources = facts(observation(IHC), observation(ISH, **specimen))
    of = case(specimen=None, joined_by=(LINK,))
    linked = answer(limits=(SCOPE, JOINED_BY_LINK))
    written = record(linked, of=of, sources=sources)
    used = [sources[reference] for reference in sources_used(of, linked)]
    made = provenance(
        written, replaced=None, sources=used, context=context(), joined_by=of.joined_by
    )
    return [written, made]


def _pretty(resources: list[Json]) -> str:
    """Indent for reading; decimals keep their digits, which json.dumps alone cannot do."""
    marked = json.dumps(resources, indent=2, ensure_ascii=False, default=_marked)
    return re.sub(r'"decimal:([^"]*)"', r"\1", marked) + "\n"


def _marked(value: object) -> str:
    assert isinstance(value, Decimal)
    return f"decimal:{value}"


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("*.json"):
        old.unlink()
    for name, resources in golden_records().items():
        (FOLDER / f"{name}.json").write_text(_pretty(resources), encoding="utf-8")
