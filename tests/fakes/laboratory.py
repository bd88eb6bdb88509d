"""A laboratory that reports HER2 results to a fake server: states only what a test is about."""

from __future__ import annotations

from typing import Any

from adapter.ports import JsonObject

from .server import FakeFhirServer

LOINC = "http://loinc.org"
IHC, FISH, OVERALL = "85319-2", "85318-4", "48676-1"
DISPLAYS = {
    IHC: "HER2 [Presence] in Breast cancer specimen by Immune stain",
    FISH: "ERBB2 gene duplication [Presence] in Breast cancer specimen by FISH",
    OVERALL: "HER2 [Interpretation] in Tissue",
}


class Laboratory:
    """Sends results of samples; a sample is named by its patient and, where there are two, a letter."""

    def __init__(self, server: FakeFhirServer) -> None:
        self.server = server

    def patient(self, patient: str) -> str:
        """Register a patient once."""
        if self.server.get(f"Patient/{patient}") is None:
            self.server.put({"resourceType": "Patient", "id": patient})
        return f"Patient/{patient}"

    def specimen(self, patient: str, name: str = "a") -> str:
        """Register a specimen once; returns its reference."""
        reference = f"Specimen/s-{patient}-{name}"
        if self.server.get(reference) is None:
            self.server.put(
                {
                    "resourceType": "Specimen",
                    "id": reference.removeprefix("Specimen/"),
                    "subject": {"reference": self.patient(patient)},
                }
            )
        return reference

    def ihc(self, patient: str, score: str, **elements: Any) -> str:
        """Report an IHC score; returns "Observation/<id>"."""
        return self.server.put(self.result(patient, IHC, score, **elements))

    def fish(self, patient: str, word: str, **elements: Any) -> str:
        """Report a FISH word; returns "Observation/<id>"."""
        return self.server.put(self.result(patient, FISH, word, **elements))

    def amend(self, reference: str, text: str, status: str = "corrected") -> None:
        """Report another value for a result."""
        self.server.change(reference, status=status, valueCodeableConcept={"text": text})

    def take_back(self, reference: str) -> None:
        """Enter a result in error."""
        self.server.change(reference, status="entered-in-error")

    def result(
        self, patient: str, code: str, text: str, *, sample: str = "a", **elements: Any
    ) -> JsonObject:
        """Make a final result of a sample, without sending it."""
        name = {IHC: "ihc", FISH: "fish", OVERALL: "overall"}.get(code, code)
        return {
            "resourceType": "Observation",
            "id": f"{name}-{patient}-{sample}",
            "status": "final",
            "code": {"coding": [_coding(code)]},
            "subject": {"reference": self.patient(patient)},
            "specimen": {"reference": self.specimen(patient, sample)},
            "effectiveDateTime": "2026-01-10",
            "valueCodeableConcept": {"text": text},
            **elements,
        }


def _coding(code: str) -> JsonObject:
    coding = {"system": LOINC, "code": code}
    return {**coding, "display": DISPLAYS[code]} if code in DISPLAYS else coding
