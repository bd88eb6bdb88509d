"""Protects the oracle that TCGA-BRCA is held against; needs no file."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.registries.tcga import contradictions, second_answer
from tests.registries.tcga.contradictions import KINDS, found_in, is_allowed
from tests.registries.tcga.fields import FileMissingError, Sample, file

CASES: list[tuple[str, dict[str, Any], list[str]]] = [
    ("Positive called 1+", {"status": "Positive", "score": "1+"}, ["Positive, score 0 or 1+"]),
    (
        "Positive called 2+, FISH negative",
        {"status": "Positive", "score": "2+", "fish": "Negative"},
        ["Positive, score 2+, FISH not positive"],
    ),
    (
        "Positive called 2+, FISH positive",
        {"status": "Positive", "score": "2+", "fish": "Positive"},
        ["Positive, score 2+, FISH positive"],
    ),
    ("Negative called 3+", {"status": "Negative", "score": "3+"}, ["Negative, score 3+"]),
    ("Negative called 2+", {"status": "Negative", "score": "2+"}, ["Negative, score 2+"]),
    ("Equivocal called 1+", {"status": "Equivocal", "score": "1+"}, ["Equivocal, score"]),
    ("Indeterminate called 2+", {"status": "Indeterminate", "score": "2+"}, ["Indeterminate"]),
    (
        "Positive, FISH negative",
        {"status": "Positive", "fish": "Negative"},
        ["without a score, FISH"],
    ),
    (
        "1+ and FISH positive",
        {"status": "Negative", "score": "1+", "fish": "Positive"},
        ["Negative, FISH positive", "Score 0 or 1+, FISH positive"],
    ),
    ("3+ and FISH negative", {"score": "3+", "fish": "Negative"}, ["Score 3+, FISH negative"]),
    ("1+ in few cells", {"score": "1+", "percent": "<10%"}, ["Score 1+ or 3+, in less"]),
    (
        "Positive in few cells",
        {"status": "Positive", "percent": "<10%"},
        ["Positive without a score, in less"],
    ),
    ("a total", {"fish": "Positive", "copies": "816", "cep17": "51"}, ["More than 50"]),
    ("a total of CEP17", {"fish": "Negative", "copies": "47", "cep17": "63"}, ["More than 50"]),
    (
        "positive and not amplified",
        {"fish": "Positive", "copies": "not amplified"},
        ["called not amplified"],
    ),
    ("negative at 2.2", {"fish": "Negative", "ratio": "2.2", "copies": "5"}, ["FISH word against"]),
    (
        "negative in group 4 beside 2+",
        {"score": "2+", "fish": "Negative", "ratio": "1.2", "copies": "4.6"},
        ["FISH word against"],
    ),
    (
        "ratio in another group",
        {"fish": "Negative", "copies": "3.2", "cep17": "2.7", "ratio": "2.2"},
        ["FISH word against", "Reported ratio in another"],
    ),
    (
        "ratio off in its group",
        {"fish": "Negative", "copies": "3.43", "cep17": "2.98", "ratio": "1.5"},
        ["Reported ratio off"],
    ),
]
NO_CONTRADICTION: list[tuple[str, dict[str, Any]]] = [
    ("Negative called 1+", {"status": "Negative", "score": "1+"}),
    ("2+ and FISH negative", {"status": "Equivocal", "score": "2+", "fish": "Negative"}),
    ("2+ and FISH positive", {"status": "Equivocal", "score": "2+", "fish": "Positive"}),
    ("0 in few cells", {"status": "Negative", "score": "0", "percent": "<10%"}),
    ("2+ in few cells, pattern not said", {"score": "2+", "percent": "<10%"}),
    ("a ratio alone", {"fish": "Negative", "ratio": "1.1"}),
    (
        "negative in group 4 beside 1+",
        {"score": "1+", "fish": "Negative", "ratio": "1.2", "copies": "5"},
    ),
    ("equivocal in group 2", {"fish": "Equivocal", "ratio": "2.2", "copies": "3.3"}),
    ("an open bound", {"fish": "Positive", "copies": ">6.0", "ratio": "2.2"}),
    ("cut-offs as a method", {"fish": "Negative", "ratio": "1.4", "fish_method": ">2.2 Positive"}),
    ("a scale as a method", {"score": "0", "ihc_method": "3+ Positive"}),
]


@pytest.mark.parametrize(("fields", "parts"), [one[1:] for one in CASES], ids=[c[0] for c in CASES])
def test_a_contradiction_between_fields_is_found(fields: dict[str, Any], parts: list[str]) -> None:
    names = [kind.name for kind in found_in(Sample(1, **fields))]
    assert len(names) == len(parts)
    assert all(part in name for part, name in zip(parts, names, strict=True)), names


@pytest.mark.parametrize(
    "fields", [one[1] for one in NO_CONTRADICTION], ids=[one[0] for one in NO_CONTRADICTION]
)
def test_fields_that_agree_are_no_contradiction(fields: dict[str, Any]) -> None:
    assert [kind.name for kind in found_in(Sample(1, **fields))] == []


def test_every_kind_has_a_case_here() -> None:
    samples = [Sample(1, **fields) for _, fields, _ in CASES]
    as_overall = Sample(1, status="Equivocal", score="2+", fish="Negative")
    found = {kind.name for one in samples for kind in found_in(one)}
    found |= {kind.name for kind in found_in(as_overall, as_overall=True)}
    assert found == {kind.name for kind in KINDS}


def test_a_definite_category_is_allowed_only_as_the_rule_says() -> None:
    (discordant,) = found_in(Sample(1, score="3+", fish="Negative"))
    assert is_allowed("positive", review=True, kind=discordant, as_overall=False)
    assert not is_allowed("positive", review=False, kind=discordant, as_overall=False)
    assert not is_allowed("low", review=True, kind=discordant, as_overall=False)
    assert is_allowed("needs-review", review=True, kind=discordant, as_overall=False)
    (called,) = found_in(Sample(1, status="Positive", score="2+", fish="Positive"))
    assert not is_allowed("positive", review=True, kind=called, as_overall=False)
    assert is_allowed("positive", review=False, kind=called, as_overall=True)


@pytest.mark.parametrize(
    ("fields", "groups"),
    [
        ({"ratio": "2.0", "copies": "4.0"}, {1}),
        ({"ratio": "1.99", "copies": "6.0"}, {3}),
        ({"copies": "5.0", "cep17": "3.0"}, {4}),
        ({"ratio": "1.1"}, {3, 4, 5}),
        ({"ratio": "2.2"}, {1, 2}),
        ({"ratio": "1.8", "copies": "<4.0"}, {5}),
        ({"copies": ">6.0"}, {1, 3}),
    ],
)
def test_the_groups_that_numbers_allow(fields: dict[str, Any], groups: set[int]) -> None:
    assert contradictions.groups(Sample(1, **fields)) == groups


def test_the_second_answer_reads_fields_and_not_fhir() -> None:
    low = Sample(1, status="Equivocal", score="2+", fish="Negative", copies="2.5", cep17="1.8")
    assert second_answer.second_answer(low).category == "low"
    against = Sample(1, status="Equivocal", score="2+", fish="Positive", copies="not amplified")
    assert second_answer.second_answer(against).category == "needs-review"
    assert contradictions.bounds("<4.0") == (Decimal("0.001"), Decimal("3.999"))


def test_a_missing_file_says_so_and_that_it_fails_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TCGA_BRCA_FILE", "no/such/file.tsv")
    with pytest.raises(FileMissingError, match=r"no/such/file\.tsv.*skipped in continuous"):
        file()
