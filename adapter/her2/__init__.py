"""The functional core: HER2 evidence in, one classification out. Standard library only, no I/O, no clock.

>>> from adapter.her2 import Assay, Case, Evidence, IhcResult, IhcScore, Source, classify
>>> ihc = IhcResult((IhcScore.ONE_PLUS,))
>>> result = Evidence(Source("Observation/1"), "Patient/1", Assay.IHC, ihc=ihc)
>>> answer = classify(Case("Patient/1", "specimen:Specimen/1", (result,)))
>>> str(answer.category), answer.rule.id, answer.rule.basis.value
('low', 'ihc-1-plus', 'G')
"""

from adapter.her2.classify import classify
from adapter.her2.model import (
    Assay,
    Case,
    Category,
    Classification,
    Evidence,
    IhcResult,
    IhcScore,
    IshResult,
    Measurement,
    OverallResult,
    Policy,
    Probe,
    ResultWord,
    Source,
)
from adapter.her2.policy import ASCO_CAP_2023, BASIC, POLICIES

__all__ = [
    "ASCO_CAP_2023",
    "BASIC",
    "POLICIES",
    "Assay",
    "Case",
    "Category",
    "Classification",
    "Evidence",
    "IhcResult",
    "IhcScore",
    "IshResult",
    "Measurement",
    "OverallResult",
    "Policy",
    "Probe",
    "ResultWord",
    "Source",
    "classify",
]
