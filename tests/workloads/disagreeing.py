"""A hospital whose laboratory concludes on each sample itself, in every way that can fit or not fit its single results.

Everything here is invented. The names of the patients say what is expected of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from tests.workloads.content import LOINC, Json, patient, result, specimen

EXPECTED: Final = {
    "agrees-positive": ("3+", None, "Positive", "agrees"),
    "agrees-negative": ("0", None, "Negative", "agrees"),
    "finer-low": ("1+", None, "Negative", "finer"),
    "finer-low-by-fish": ("2+", "Not amplified", "Negative", "finer"),
    "grave-negative": ("3+", None, "Negative", "against"),
    "grave-positive": ("1+", None, "Positive", "against"),
    "grave-by-fish": ("2+", "Amplified", "Negative", "against"),
    "against-equivocal": ("2+", "Not amplified", "Equivocal", "against"),
    "undecided": ("2+", None, "Positive", "undecided"),
    "taken": (None, None, "Negative", "taken"),
    "nothing-said": ("1+", None, None, ""),
}
"""Patient → IHC, FISH and overall result of the laboratory, and how the answer stands to the last."""
GRAVE: Final = tuple(name for name in EXPECTED if name.startswith("grave"))


def hospital() -> Iterator[Json]:
    """Give all resources, in an order in which each names only what came before."""
    for name, (ihc, fish, overall, _) in EXPECTED.items():
        yield from _sample(name, {"ihc": ihc, "ish": fish, "overall": overall})
    yield from _sample("two-words", {"ihc": "1+", "overall": "Negative"})
    yield {
        **result("overall", "Positive", of="two-words", sample="two-words-s"),
        "id": "two-words-second",
    }
    yield from _not_understood()
    yield from _of_the_stomach()


def _sample(name: str, stated: dict[str, str | None]) -> Iterator[Json]:
    yield patient(name)
    yield specimen(f"{name}-s", name)
    for slot, answer in stated.items():
        if answer is not None:
            yield result(slot, answer, of=name, sample=f"{name}-s")


def _not_understood() -> Iterator[Json]:
    """Three results under a local code, and one text that no rule reads."""
    for number in range(3):
        yield from _sample(name := f"local-{number}", {})
        yield {**_text(name, "HER2 zwei plus"), "id": f"{name}-ihc"}


def _text(name: str, said: str) -> Json:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": "85319-2"}]},
        "subject": {"reference": f"Patient/{name}"},
        "specimen": {"reference": f"Specimen/{name}-s"},
        "effectiveDateTime": "2026-01-10",
        "valueString": said,
    }


def _of_the_stomach() -> Iterator[Json]:
    yield patient("stomach")
    made: dict[str, Any] = specimen("stomach-s", "stomach")
    yield {**made, "type": {"text": "gastric biopsy"}}
    yield result("ihc", "3+", of="stomach", sample="stomach-s")
