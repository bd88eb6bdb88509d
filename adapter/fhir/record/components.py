"""The components of the derived Observation: what the answer was made from, in our own codes.

Never LOINC's test codes: a search for a laboratory's results by combo-code would find ours
(docs/output.md). A component without a value is left out; numbers keep the digits they came with.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from adapter.fhir.record.narrative import all_reasons
from adapter.her2.model import Case, Classification, Comparator, Measurement
from adapter.her2.wording import ihc_text, ish_text
from adapter.terminology.output import OutputCodes
from adapter.terminology.vocabulary import Coding

JsonObject = dict[str, Any]


def components(case: Case, classification: Classification, output: OutputCodes) -> list[JsonObject]:
    """Make all components, in the order of the code system."""
    return [
        {"code": {"coding": [coding(output.component_code(name))]}, **value}
        for name, value in (
            *_results_used(classification, output),
            *_numbers_used(classification, output),
            *_answer(case, classification, output),
        )
    ]


def coding(code: Coding) -> JsonObject:
    """Write a Coding; an empty display is left out."""
    written = {"system": code.system, "code": code.code, "display": code.display}
    return {key: text for key, text in written.items() if text}


def _results_used(
    classification: Classification, output: OutputCodes
) -> Iterator[tuple[str, JsonObject]]:
    ihc, ish = classification.ihc_used, classification.ish_used
    ihc_said = ihc_text(ihc)
    if ihc is not None and ihc_said is not None:
        answers = [score.value for score in ihc.scores] or [ihc.word.value if ihc.word else ""]
        yield "ihc-score-used", _answered(answers, ihc_said, output)
    ish_said = ish_text(ish)
    if ish is not None and ish.word is not None and ish_said is not None:
        yield "ish-result-used", _answered([ish.word.value], ish_said, output)
    if classification.ish_group is not None:
        number = classification.ish_group.value
        yield "ish-group", _answered([f"group-{number}"], f"group {number}", output)


def _answered(answers: list[str], text: str, output: OutputCodes) -> JsonObject:
    """Write an answer; a range of scores has no code of its own, so it is text alone."""
    codes = [coding(output.answer_code(answers[0]))] if len(answers) == 1 else []
    concept: JsonObject = {"coding": codes} if codes else {}
    return {"valueCodeableConcept": {**concept, "text": text}}


def _numbers_used(
    classification: Classification, output: OutputCodes
) -> Iterator[tuple[str, JsonObject]]:
    ish = classification.ish_used
    if ish is None:
        return
    for name, number in (
        ("ratio-used", ish.ratio),
        ("her2-copies-used", ish.her2_copies),
        ("cep17-copies-used", ish.cep17_copies),
    ):
        if number is not None:
            yield name, _measured(number, name, output)


def _measured(number: Measurement, name: str, output: OutputCodes) -> JsonObject:
    unit = output.unit(name)
    written: JsonObject = (
        {"unit": unit.text, "system": unit.system, "code": unit.code} if unit else {}
    )
    if number.upper is not None:
        low, high = {"value": number.value, **written}, {"value": number.upper, **written}
        return {"valueRange": {"low": low, "high": high}}
    quantity: JsonObject = {"value": number.value}
    if number.comparator is not Comparator.EXACT:
        quantity["comparator"] = number.comparator.value
    return {"valueQuantity": quantity | written}


def _answer(
    case: Case, classification: Classification, output: OutputCodes
) -> Iterator[tuple[str, JsonObject]]:
    if classification.asco_cap is not None:
        code = output.asco_cap_code(classification.asco_cap)
        yield (
            "asco-cap-status",
            {"valueCodeableConcept": {"coding": [coding(code)], "text": code.display}},
        )
    yield "rule", {"valueString": classification.rule.id}
    yield "review", {"valueBoolean": classification.review}
    if classification.review:
        for code_ in dict.fromkeys(reason.code for reason in all_reasons(case, classification)):
            yield "review-reason", {"valueString": code_}
    for code_ in dict.fromkeys(reason.code for reason in classification.limits):
        yield "limits", {"valueString": code_}
