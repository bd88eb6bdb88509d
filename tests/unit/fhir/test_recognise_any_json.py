"""Protects totality: any JSON gives one outcome with a known reason, in bounded time, in any order."""

from __future__ import annotations

import random
import time
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.fhir.reasons import SENTENCES
from adapter.fhir.recognise import Outcome, gather_evidence, outcome_counts, recognise
from adapter.fhir.references import Graph
from tests.unit.fhir.recognising import (
    IHC,
    ISH,
    LOINC,
    OVERALL,
    SCORES,
    catalogue,
    concept,
    observation,
    recognised,
)

_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.decimals(),
    st.floats(),
    st.sampled_from(
        ["3+", "0-1+", "Negative", "not amplified", LOINC, IHC, "#x", "Patient/1", "HER2"]
    ),
    st.text(max_size=12),
)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    "coding",
                    "system",
                    "code",
                    "text",
                    "display",
                    "value",
                    "unit",
                    "reference",
                    "url",
                    "numerator",
                    "denominator",
                    "low",
                    "high",
                    "comparator",
                    "identifier",
                    "x",
                ]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)
_ELEMENTS = [
    "resourceType", "id", "meta", "status", "code", "subject", "category", "component", "note",
    "method", "bodySite", "specimen", "focus", "basedOn", "derivedFrom", "hasMember", "interpretation",
    "dataAbsentReason", "modifierExtension", "extension", "identifier", "contained", "issued",
    "effectiveDateTime", "effectivePeriod", "valueString", "valueCodeableConcept", "valueQuantity",
    "valueRatio", "valueRange", "valueInteger", "valueBoolean", "valuePeriod", "valueSampledData",
]  # fmt: skip


@settings(max_examples=500, deadline=2000)
@given(
    st.dictionaries(st.sampled_from(_ELEMENTS), _JSON, max_size=8),
    st.sampled_from([IHC, ISH, OVERALL, "85328-3", "74860-8"]),
    st.booleans(),
)
def test_any_json_ends_in_one_outcome_with_a_known_reason(
    elements: dict[str, Any], code: str, as_her2: bool
) -> None:
    given_ = observation(code) | elements if as_her2 else dict(elements)
    result = recognised(given_)
    assert result.outcome in set(Outcome)
    assert result.reason.code in SENTENCES
    if result.evidence is not None:
        assert all(reason.code in SENTENCES for reason in result.evidence.contradictions)
    if result.outcome is Outcome.EVIDENCE:
        assert result.evidence is not None
        assert result.evidence.unreadable is None


@settings(max_examples=200, deadline=2000)
@given(_JSON, _JSON)
def test_other_resources_of_any_shape_do_no_harm(specimen: Any, condition: Any) -> None:
    given_ = observation(
        IHC,
        valueString="3+",
        specimen={"reference": "Specimen/1"},
        focus=[{"reference": "Condition/1"}],
    )
    others: list[dict[str, Any]] = [
        {"resourceType": "Specimen", "id": "1", "type": specimen, "collection": specimen,
         "identifier": specimen, "parent": specimen, "accessionIdentifier": condition},
        {"resourceType": "Condition", "id": "1", "code": condition, "bodySite": condition,
         "verificationStatus": specimen},
        {"resourceType": "DiagnosticReport", "id": "1", "result": [{"reference": "Observation/o1"}],
         "conclusionCode": specimen},
    ]  # fmt: skip
    assert recognised(given_, *others).evidence is not None


def test_recognising_changes_nothing_in_the_observation() -> None:
    made = observation(
        IHC, valueCodeableConcept=concept("LA11842-4", text="2+"), note=[{"text": "x"}]
    )
    before = repr(made)
    recognised(made)
    assert repr(made) == before


def test_a_hostile_observation_is_done_in_no_time() -> None:
    notes = [{"text": "repeat not (" * 4000} for _ in range(5)]
    parts = [{"code": concept(IHC), "valueString": "0-" * 140} for _ in range(50)]
    started = time.perf_counter()
    recognised(observation(IHC, valueString="(" * 300, note=notes, component=parts))
    assert time.perf_counter() - started < 5


def gathered(observations: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    found = gather_evidence(observations, Graph.of(observations), catalogue())
    return sorted((r.reference, r.outcome.value, r.reason.code) for r in found)


def version(name: str, score: str, updated: str) -> dict[str, Any]:
    value = concept(SCORES[score])
    return observation(IHC, id=name, valueCodeableConcept=value, meta={"lastUpdated": updated})


def test_one_entry_for_each_delivery_whatever_the_order() -> None:
    observations = [
        version("a", "1+", "2026-01-01T00:00:00Z"),
        version("a", "2+", "2026-01-02T00:00:00Z"),
        version("a", "2+", "2026-01-02T00:00:00Z"),
        version("b", "0", "2026-01-01T00:00:00Z"),
        observation("2345-7", id="c"),
    ]
    expected = [
        ("Observation/a", "evidence", "her2-result"),
        ("Observation/a", "ignored", "delivered-twice"),
        ("Observation/a", "ignored", "older-version"),
        ("Observation/b", "evidence", "her2-result"),
        ("Observation/c", "not-her2", "no-her2-test"),
    ]
    for seed in range(6):
        shuffled = observations[:]
        random.Random(seed).shuffle(shuffled)
        assert gathered(shuffled) == expected
        found = gather_evidence(shuffled, Graph.of(shuffled), catalogue())
        (kept,) = [r for r in found if r.reference == "Observation/a" and r.evidence]
        assert kept.evidence is not None
        assert kept.evidence.ihc is not None
        assert [score.value for score in kept.evidence.ihc.scores] == ["2+"]


def test_two_versions_that_nothing_orders_are_unreadable_not_guessed() -> None:
    two = [version("a", "1+", ""), version("a", "2+", "")]
    expected = [
        ("Observation/a", "ignored", "delivered-twice"),
        ("Observation/a", "unreadable", "versions-not-ordered"),
    ]
    assert gathered(two) == gathered(two[::-1]) == expected


def test_two_versions_of_what_is_not_her2_stay_not_her2() -> None:
    two = [observation("2345-7", id="a", valueString=text) for text in ("x", "y")]
    assert {reason for _, _, reason in gathered(two)} == {"no-her2-test", "delivered-twice"}


def test_the_outcomes_add_up_to_what_was_delivered() -> None:
    observations = [
        version("a", "1+", ""),
        observation(IHC, id="b", valueString="see report"),
        observation("51981-9", id="c"),
        observation("74885-5", id="d", hasMember=[{"reference": "Observation/a"}]),
    ]
    found = gather_evidence(observations, Graph.of(observations), catalogue())
    counts = outcome_counts(found)
    assert sum(counts.values()) == len(observations)
    assert {outcome.value: n for outcome, n in counts.items()} == {
        "evidence": 1,
        "not-her2": 1,
        "not-applicable": 0,
        "unreadable": 1,
        "ignored": 1,
    }


def test_recognise_takes_any_graph() -> None:
    result = recognise(observation(IHC, valueString="1+"), Graph(), catalogue())
    assert result.outcome is Outcome.EVIDENCE
