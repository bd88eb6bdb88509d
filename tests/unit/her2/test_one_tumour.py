"""Protects what is never one tumour: breast and another, a primary and its metastasis, left and right."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapter.her2.cases import group
from adapter.her2.classify import classify
from adapter.her2.model import Evidence, SampleKind, SampleLinks, TumourSite
from tests.unit.her2.builders import evidence, ihc, ish

IN_A1 = SampleLinks(accessions=frozenset({"lab|A1"}))


def pair(first: SampleLinks, second: SampleLinks) -> list[Evidence]:
    return [
        evidence(ihc("2+"), "1", specimen="S1", links=first),
        evidence(ish("negative"), "2", specimen="S2", links=second),
    ]


def categories(results: list[Evidence]) -> list[str]:
    return sorted(classify(case).category for case in group(results))


def test_breast_and_stomach_in_one_accession_are_two_samples() -> None:
    stomach, breast = pair(IN_A1, IN_A1)
    results = [replace(stomach, site=TumourSite.OTHER), replace(breast, site=TumourSite.BREAST)]
    assert categories(results) == ["negative-unspecified", "not-applicable"]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (SampleKind.EXCISION, ["equivocal", "negative-unspecified"]),
        (SampleKind.PRIMARY, ["equivocal", "negative-unspecified"]),
        (SampleKind.METASTASIS, ["low"]),
        (SampleKind.NOT_STATED, ["low"]),
    ],
)
def test_a_metastasis_is_no_block_of_the_primary_in_its_accession(
    kind: SampleKind, expected: list[str]
) -> None:
    metastasis = replace(IN_A1, kind=SampleKind.METASTASIS)
    assert categories(pair(replace(IN_A1, kind=kind), metastasis)) == expected


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (True, False, ["equivocal", "negative-unspecified"]),
        (True, True, ["low"]),
        (False, False, ["low"]),
        (True, None, ["low"]),
        (None, False, ["low"]),
    ],
)
def test_the_breast_and_another_organ_in_one_accession_are_two_samples(
    first: bool | None, second: bool | None, expected: list[str]
) -> None:
    results = pair(replace(IN_A1, in_breast=first), replace(IN_A1, in_breast=second))
    assert categories(results) == expected
    assert {classify(case).review for case in group(results)} == {len(expected) > 1}


def test_core_and_excision_of_one_accession_are_still_one_sample() -> None:
    core, excision = (replace(IN_A1, kind=k) for k in (SampleKind.CORE, SampleKind.EXCISION))
    assert categories(pair(core, excision)) == ["low"]


def test_one_specimen_of_the_left_and_of_the_right_needs_review() -> None:
    left, right = SampleLinks(side="left"), SampleLinks(side="right")
    results = [
        evidence(ihc("2+"), "1", links=left),
        evidence(ish("negative"), "2", links=right),
    ]
    (case,) = group(results)
    got = classify(case)
    assert got.category == "needs-review"
    assert [reason.code for reason in got.reasons] == ["sample-of-two-sides"]
    assert categories([results[0], evidence(ish("negative"), "2", links=left)]) == ["low"]


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        (SampleKind.PRIMARY, ["sample-of-two-tumours"]),
        (SampleKind.CORE, []),
        (SampleKind.EXCISION, []),
        (SampleKind.NOT_STATED, []),
    ],
)
def test_one_specimen_of_the_primary_and_of_a_metastasis_needs_review(
    kind: SampleKind, codes: list[str]
) -> None:
    other, metastasis = SampleLinks(kind=kind), SampleLinks(kind=SampleKind.METASTASIS)
    results = [
        evidence(ihc("2+"), "1", links=other),
        evidence(ish("negative"), "2", links=metastasis),
    ]
    (case,) = group(results)
    got = classify(case)
    assert [reason.code for reason in got.reasons] == codes
    assert got.category == ("needs-review" if codes else "low")
