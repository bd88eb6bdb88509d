"""One laboratory Observation, read by the few words and codes that the tests' laboratories use.

Whatever else it holds raises NotCovered, so that an answer of the oracle is never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

Json = Mapping[str, Any]

BASE: Final = "https://w3id.org/her2-adapter"
LOINC: Final = "http://loinc.org"
UCUM: Final = "http://unitsofmeasure.org"

TESTS: Final = {
    "85319-2": "ihc",
    "18474-7": "ihc",
    "85318-4": "ish",
    "31150-6": "ish",
    "96893-3": "ish",
    "48676-1": "overall",
}
NUMBERS: Final = {"49683-6": "ratio", "74860-8": "copies", "74861-6": "cep17"}
UNRELATED: Final = frozenset({"718-7", "2951-2", "8302-2", "29463-7"})
"""Tests that have nothing to do with HER2: haemoglobin, sodium, height, weight."""

IHC_ANSWERS: Final = {
    "LA6111-4": "0",
    "LA11841-6": "1+",
    "LA11842-4": "2+",
    "LA11843-2": "3+",
    "LA6576-8": "positive",
    "LA6577-6": "negative",
    "LA11885-3": "equivocal",
    "LA11884-6": "indeterminate",
    "LA11840-8": "unreadable",
}
WORD_ANSWERS: Final = {
    code: word for code, word in IHC_ANSWERS.items() if not word.endswith("+") and word != "0"
}
TEXTS: Final = {
    "ihc": {
        "0": "0",
        "0 (no membrane staining)": "0",
        "0 (faint incomplete membrane staining in 5 % of tumor cells)": "0+",
        "1+": "1+",
        "2+": "2+",
        "3+": "3+",
        "Positive": "positive",
        "Negative": "negative",
        "Equivocal": "equivocal",
        "Indeterminate": "indeterminate",
    },
    "ish": {
        "Positive": "positive",
        "Amplified": "positive",
        "Negative": "negative",
        "Not amplified": "negative",
        "Equivocal": "equivocal",
        "Indeterminate": "indeterminate",
    },
    "overall": {"Positive": "positive", "Negative": "negative", "Equivocal": "equivocal"},
}
DISPLAYS: Final = frozenset(
    {
        "HER2 [Presence] in Breast cancer specimen by Immune stain",
        "HER2 Ag [Presence] in Tissue by Immune stain",
        "ERBB2 gene duplication [Presence] in Breast cancer specimen by FISH",
        "ERBB2 gene duplication [Presence] in Tissue by FISH",
        "ERBB2 gene copy number/Chromosome 17 copy number in Tissue by FISH",
        "ERBB2 gene copy number/nucleus in Tissue by FISH",
        "Chromosome 17 copy number/nucleus in Tissue by FISH",
        "HER2 [Interpretation] in Tissue",
        *("0", "1+", "2+", "3+", "Positive", "Negative", "Equivocal", "Indeterminate", "Mixed"),
    }
)
"""Names that say nothing else than their codes."""
REPEAT_NOTE: Final = "Repeat test on another block."
STATUSES_THAT_COUNT: Final = frozenset({"final", "amended", "corrected"})
_KNOWN_STATUSES: Final = STATUSES_THAT_COUNT | {
    *("registered", "preliminary", "cancelled", "entered-in-error", "unknown"),
}
_ELEMENTS: Final = {
    *("resourceType", "id", "meta", "text", "status", "category", "code", "subject", "specimen"),
    *("focus", "effectiveDateTime", "issued", "performer", "valueCodeableConcept", "method"),
    *("note", "component"),
}
_NAMED: Final = re.compile(r"Patient/[A-Za-z0-9.-]{1,64} Observation/[A-Za-z0-9.-]{1,64}")
_SPECIMEN: Final = re.compile(r"Specimen/[A-Za-z0-9.-]{1,64}")
_UNITS: Final = ("ratio", "copies/cell", None)
_METHODS: Final = frozenset({"FISH, dual probe", "immunohistochemistry"})


class NotCovered(Exception):
    """The oracle does not know this content; teach it, or do not send it."""


@dataclass(frozen=True)
class Result:
    """One HER2 result. `word`: a row of IHC, a column of ISH or a conclusion; None where only numbers stand.

    `specimen`: "" where none is named. `numbers`: name → value, of an ISH. `date`: of issue, else of the result, for
    what is later than what.
    """

    reference: str
    subject: str
    specimen: str
    test: str
    status: str
    word: str | None
    numbers: Mapping[str, Decimal]
    focus: tuple[str, ...] = ()
    is_repeat: bool = False
    date: str = ""

    @property
    def counts(self) -> bool:
        """Whether it is there by its status; "unknown" and a missing one are, for a human."""
        return self.status in STATUSES_THAT_COUNT or self.is_unclear

    @property
    def is_unclear(self) -> bool:
        """Whether nobody can say by its status that it is final."""
        return self.status in ("unknown", "")

    @property
    def is_unreadable(self) -> bool:
        """Whether its answer says nothing that a rule knows."""
        return self.word == "unreadable"


def is_own(resource: Json) -> bool:
    """Tell whether an Observation is the adapter's own: by its identifier, its tag or its code."""
    tags = resource.get("meta", {}).get("tag", [])
    identifiers = resource.get("identifier", [])
    codings = resource.get("code", {}).get("coding", [])
    named = [*tags, *identifiers, *codings]
    return any(str(one.get("system", "")).startswith(BASE) for one in named)


def result_of(observation: Json) -> Result | None:
    """Read a laboratory's Observation; None where it is no HER2 result, or nobody's.

    Raises: NotCovered.
    """
    code = _one(observation.get("code", {}), "the code")
    if code in UNRELATED:
        return None
    if code not in TESTS:
        raise NotCovered(f"test {code}")
    strange = sorted(set(observation) - _ELEMENTS)
    if strange or observation.get("meta", {}).get("tag"):
        raise NotCovered(f"element {', '.join(strange) or 'meta.tag'}")
    subject = observation.get("subject", {}).get("reference")
    if subject is None:
        return None
    name = observation["id"] if isinstance(observation["id"], str) else ""
    if not _NAMED.fullmatch(f"{subject} Observation/{name}"):
        raise NotCovered("a subject that is no patient of this server, or an id that is none")
    specimen = observation["specimen"]["reference"] if "specimen" in observation else ""
    if specimen and not _SPECIMEN.fullmatch(str(specimen)):
        raise NotCovered("a specimen that is not of this server")
    status = str(observation.get("status", ""))
    if status and status not in _KNOWN_STATUSES:
        raise NotCovered(f"status {status}")
    test = TESTS[code]
    numbers = _numbers(observation.get("component", []))
    if numbers and test != "ish":
        raise NotCovered("numbers beside another test than ISH")
    return Result(
        reference=f"Observation/{observation['id']}",
        subject=str(subject),
        specimen=str(specimen),
        test=test,
        status=status,
        word=_answer(test, observation, may_lack=bool(numbers)),
        numbers=numbers,
        focus=tuple(str(one["reference"]) for one in observation.get("focus", [])),
        is_repeat=_is_repeat(observation),
        date=_date(observation),
    )


def _one(concept: Json, what: str) -> str:
    codings = concept.get("coding", [])
    if len(codings) != 1 or codings[0].get("system") != LOINC or "text" in concept:
        raise NotCovered(f"{what} is not one LOINC code")
    if set(codings[0]) - {"system", "code", "display"} or codings[0].get("display") not in {
        *DISPLAYS,
        None,
    }:
        raise NotCovered(f"{what} has a name of its own")
    return str(codings[0]["code"])


def _answer(test: str, observation: Json, *, may_lack: bool) -> str | None:
    concept = observation.get("valueCodeableConcept")
    if concept is None:
        if may_lack:
            return None
        raise NotCovered("a result without a value")
    answers = IHC_ANSWERS if test == "ihc" else WORD_ANSWERS
    said = {answers.get(_one({"coding": [one]}, "the answer")) for one in concept.get("coding", [])}
    text = concept.get("text")
    if text is not None:
        read = TEXTS[test].get(text)
        said = {read} if (read, said) == ("0+", {"0"}) else said | {read}
    if len(said) != 1 or None in said:
        raise NotCovered("an answer that this vocabulary does not hold")
    return said.pop()


def _numbers(components: Collection[Json]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for part in components:
        name = NUMBERS.get(_one(part.get("code", {}), "a component's code"))
        quantity = part.get("valueQuantity", {})
        if name is None or name in found or set(part) != {"code", "valueQuantity"}:
            raise NotCovered("a component")
        if set(quantity) - {"value", "unit", "system", "code"}:
            raise NotCovered("a quantity with a comparator")
        value, unit = quantity["value"], (quantity.get("system"), quantity.get("code"))
        if (
            unit != (UCUM, "1")
            or quantity.get("unit") not in _UNITS
            or isinstance(value, bool | str)
        ):
            raise NotCovered("a unit")
        found[name] = Decimal(str(value))
    if any(not 0 < value <= 50 for value in found.values()):
        raise NotCovered("a number that no count can have")
    if found and "ratio" not in found and set(found) != {"copies", "cep17"}:
        raise NotCovered("a single count")
    return found


def _is_repeat(observation: Json) -> bool:
    method = observation.get("method", {})
    if method and (set(method) != {"text"} or method["text"] not in _METHODS):
        raise NotCovered("a method")
    notes = [note.get("text") for note in observation.get("note", [])]
    if any(note != REPEAT_NOTE for note in notes):
        raise NotCovered("a note")
    return bool(notes)


def _date(observation: Json) -> str:
    date = str(observation.get("issued") or observation.get("effectiveDateTime") or "")
    if date and (len(date) < 10 or date < "2024"):
        raise NotCovered("a date without a day, or of an earlier edition")
    return date


def is_later(one: Result, than: Result) -> bool:
    """Tell whether a result is of a later day; two times of one day are not compared here."""
    mine, other = one.date[:10], than.date[:10]
    if mine and mine == other and max(len(one.date), len(than.date)) > 10:
        raise NotCovered("two times of one day")
    return bool(other) and mine > other
