"""A narrative gives suggestions: what it says of HER2, where that is understood whole, and never a result.

Protects against reading too much: another marker's value, a denial, a half-understood sentence.
"""

from __future__ import annotations

import pytest

from adapter.fhir.stated import stated_text
from adapter.fhir.terms import Terms
from adapter.fhir.text.narratives import is_known, narratives_of, statements
from tests.unit.fhir.recognising import IHC, ISH, catalogue, evidence, observation, recognised


def _said(text: str) -> list[str]:
    return [stated_text(one.stated) for one in statements(text, Terms.of(catalogue()))]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Invasive ductal carcinoma. HER2: 3+ (positive).", ["IHC 3+ and overall positive"]),
        ("ER: positive, PR: positive, HER2: negative.", ["overall negative"]),
        ("HER2 2+, FISH not amplified, Ki-67 20 %.", ["IHC 2+ and ISH negative"]),
        ("ER 90 %; HER2/neu: 1+ (negative); Ki-67 15 %", ["IHC 1+ and overall negative"]),
        ("HER2 IHC 2+.\nHER2 FISH: not amplified.", ["IHC 2+", "ISH negative"]),
        ("HER2, ER and PR negative.", ["nothing"]),
        ("HER2 status discussed with the patient.", ["nothing"]),
        ("No evidence that HER2 is 3+.", ["nothing"]),
        ("Invasive lobular carcinoma, grade 2.", []),
        ("HER3 2+.", []),
        ("", []),
    ],
)
def test_what_is_understood_whole_is_suggested_and_the_rest_only_named(
    text: str, said: list[str]
) -> None:
    assert _said(text) == said


def test_a_long_narrative_is_looked_through_in_no_time() -> None:
    assert len(_said("HER2 is mentioned, " * 5_000)) > 100


def test_the_texts_are_a_report_s_conclusion_and_a_narrative_s_value() -> None:
    report = {"resourceType": "DiagnosticReport", "id": "r", "conclusion": " HER2 3+ "}
    assert narratives_of(report) == ("HER2 3+",)
    assert narratives_of(observation("22637-3", valueString="HER2 3+")) == ("HER2 3+",)
    assert narratives_of({"resourceType": "Specimen", "id": "s"}) == ()


def test_a_statement_that_results_say_already_need_not_be_looked_at() -> None:
    terms = Terms.of(catalogue())
    (statement,) = statements("HER2 2+, FISH not amplified.", terms)
    ihc = evidence(observation(IHC, valueString="2+"))
    fish = evidence(observation(ISH, valueString="not amplified"))
    assert is_known(statement, [ihc, fish])
    assert not is_known(statement, [ihc])
    assert not is_known(statement, [])
    (other,) = statements("HER2 3+.", terms)
    assert not is_known(other, [ihc, fish])
    (unread,) = statements("HER2 discussed.", terms)
    assert not is_known(unread, [ihc, fish])


def test_a_narrative_is_never_evidence() -> None:
    found = recognised(observation("22637-3", valueString="HER2 3+"))
    assert found.evidence is None
