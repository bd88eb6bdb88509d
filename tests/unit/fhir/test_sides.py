"""A contradiction inside one Observation names both of its sides, in the rules' words.

Protects what a pathologist reads when a case needs review; the laboratory's own text is never quoted in it.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.fhir.recognising import (
    IHC,
    ISH,
    OVERALL,
    SCORES,
    component,
    concept,
    evidence,
    observation,
    quantity,
)

NEGATIVE, POSITIVE = "LA6577-6", "LA6576-8"
FISH_METHOD = "1303773004"


@pytest.mark.parametrize(
    ("resource", "code", "sides"),
    [
        (
            observation(IHC, valueCodeableConcept=concept(SCORES["1+"], text="Positive (3+)")),
            "code-against-text",
            "IHC 1+ against IHC 3+",
        ),
        (
            observation(IHC, valueCodeableConcept=concept(NEGATIVE, text="positive by Dr. Quaxel")),
            "code-against-text",
            "negative against positive",
        ),
        (
            observation(IHC, valueCodeableConcept=concept(SCORES["1+"], SCORES["2+"])),
            "answer-codes-differ",
            "IHC 1+ against IHC 2+",
        ),
        (
            observation(
                ISH,
                valueCodeableConcept=concept(POSITIVE),
                interpretation=[concept("260385009")],
            ),
            "interpretation-against-value",
            "positive against negative",
        ),
        (
            observation(IHC, valueString="2+", valueCodeableConcept=concept(SCORES["3+"])),
            "several-values",
            "valueCodeableConcept against valueString",
        ),
        (
            observation(ISH, valueString="ratio 1.2, ratio 2.4"),
            "text-contradicts-itself",
            "HER2/CEP17 ratio 1.2 against 2.4",
        ),
        (
            observation(IHC, valueString="2+", note=[{"text": "HER2 3+"}]),
            "note-against-value",
            "IHC 3+ against IHC 2+",
        ),
        (
            observation(
                ISH, valueCodeableConcept=concept(POSITIVE), method={"text": "immunohistochemistry"}
            ),
            "test-code-against-method",
            "ISH against IHC",
        ),
        (
            observation({"coding": [*concept(ISH)["coding"]], "text": "HER2 by IHC"}),
            "test-code-against-display",
            "ISH against IHC",
        ),
        (
            observation(concept(IHC, ISH), valueString="negative"),
            "test-codes-differ",
            "IHC against ISH",
        ),
        (observation(ISH, valueString="3+"), "ihc-score-under-ish-test", "IHC 3+"),
        (
            observation(
                OVERALL,
                valueCodeableConcept=concept(NEGATIVE),
                component=[
                    component("49683-6", valueQuantity=quantity(2.4)),
                    component("49683-6", valueQuantity=quantity(1.1)),
                ],
            ),
            "stated-twice-differently",
            "HER2/CEP17 ratio 2.4 against 1.1",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_both_sides_are_named(resource: dict[str, Any], code: str, sides: str) -> None:
    (reason,) = [one for one in evidence(resource).contradictions if one.code == code]
    assert reason.sentence.endswith(f": {sides}.")
    assert "Quaxel" not in reason.sentence
