"""Protects the example overlay: without a defect, and a site that copies it gets what its description says."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapter.terminology.catalogue import Catalogue, load_catalogue
from adapter.terminology.check import check_mappings
from adapter.terminology.vocabulary import AnswerKind
from tests.mappings.conftest import MAPPINGS
from tests.mappings.systems_of_others import OMOP

EXAMPLE = MAPPINGS / "sites" / "example-hospital"
SITE = "https://hospital.example/fhir/CodeSystem"


@pytest.fixture(scope="module")
def with_example() -> Catalogue:
    return load_catalogue(MAPPINGS, overlays=[EXAMPLE])


def test_the_example_has_no_defect() -> None:
    assert check_mappings(MAPPINGS, overlays=[EXAMPLE]) == ()


@pytest.mark.parametrize(
    ("system", "code", "role"),
    [
        ("lis-tests", "HER2IHC", "ihc"),
        ("lis-tests", "HER2FISH", "ish"),
        ("lis-tests", "HER2RATIO", "ratio"),
        ("lis-tests", "HER2COPY", "her2-copies"),
        ("lis-tests", "CEP17COPY", "cep17-copies"),
        ("lis-tests", "HER2FINAL", "overall"),
        ("cosd-items", "pBR4280", "ihc"),
        ("cosd-items", "pBR4310", "ish"),
        ("registry-breast-factors", "ssf8", "ihc"),
        ("registry-breast-factors", "ssf9", "ihc"),
        ("registry-breast-factors", "ssf11", "ish"),
        ("registry-breast-factors", "ssf13", "ish"),
        ("registry-breast-factors", "ssf15", "overall"),
        ("", "3048223", "overall"),
        ("", "3019066", "ihc"),
    ],
    ids=lambda part: str(part),
)
def test_a_local_test_has_its_role(
    with_example: Catalogue, catalogue: Catalogue, system: str, code: str, role: str
) -> None:
    url = f"{SITE}/{system}" if system else OMOP
    found = with_example.test_code(url, code)

    assert found is not None
    assert found.role == role
    assert catalogue.test_code(url, code) is None


@pytest.mark.parametrize(
    ("kind", "system", "code", "meaning"),
    [
        ("ihc", "cosd-her2-ihc-score", "N1", "0"),
        ("ihc", "cosd-her2-ihc-score", "N2", "1+"),
        ("ihc", "cosd-her2-ihc-score", "B", "2+"),
        ("ihc", "cosd-her2-ihc-score", "P", "3+"),
        ("ish", "cosd-her2-ish-status", "P", "positive"),
        ("ish", "cosd-her2-ish-status", "N", "negative"),
        ("ihc", "registry-breast-factors-ssf8", "000", "0"),
        ("ihc", "registry-breast-factors-ssf8", "001", "1+"),
        ("ihc", "registry-breast-factors-ssf8", "002", "2+"),
        ("ihc", "registry-breast-factors-ssf8", "003", "3+"),
        ("ihc", "registry-breast-factors-ssf8", "010", "1+"),
        ("ihc", "registry-breast-factors-ssf8", "020", "2+"),
        ("ihc", "registry-breast-factors-ssf8", "030", "3+"),
        ("ihc", "registry-breast-factors-ssf8", "988", "not-done"),
        ("ihc", "registry-breast-factors-ssf8", "997", "not-done"),
        ("ihc", "registry-breast-factors-ssf8", "998", "not-done"),
        ("ihc", "registry-breast-factors-ssf8", "999", "not-done"),
        ("ihc", "registry-breast-factors-ssf9", "010", "positive"),
        ("ihc", "registry-breast-factors-ssf9", "020", "negative"),
        ("ihc", "registry-breast-factors-ssf9", "030", "unreadable"),
        ("ish", "registry-breast-factors-ssf11", "010", "positive"),
        ("overall", "registry-breast-factors-ssf15", "020", "negative"),
        ("ihc", "lis-answers", "NE", "0..1+"),
        ("ihc", "lis-answers", "U", "0+"),
        ("overall", "lis-answers", "ULOW", "ultralow"),
    ],
    ids=lambda part: str(part),
)
def test_a_local_answer_has_its_meaning(
    with_example: Catalogue, kind: str, system: str, code: str, meaning: str
) -> None:
    row = with_example.answer(AnswerKind(kind), f"{SITE}/{system}", code)

    assert row is not None
    assert row.meaning == meaning


@pytest.mark.parametrize("kind", list(AnswerKind))
@pytest.mark.parametrize(("code", "meaning"), [("44790895", "positive"), ("44790896", "negative")])
def test_an_omop_number_means_the_same_under_every_test(
    with_example: Catalogue, kind: AnswerKind, code: str, meaning: str
) -> None:
    row = with_example.answer(kind, "OMOP", code)

    assert row is not None
    assert row.meaning == meaning


def test_a_local_name_of_a_local_system_is_known(with_example: Catalogue) -> None:
    for name in ("LIS-TESTS", "urn:oid:2.25.301472638519064127775823640198273645098"):
        found = with_example.test_code(name, "HER2IHC")
        assert found is not None


def test_local_words_join_the_shipped_ones(with_example: Catalogue, catalogue: Catalogue) -> None:
    added = {w.phrase for w in with_example.words()} - {w.phrase for w in catalogue.words()}

    assert added == {"score nil", "as per our sop", "her2-niedrig exprimierend"}


@pytest.mark.parametrize("path", sorted(EXAMPLE.glob("*.json")), ids=lambda path: path.name)
def test_an_example_says_that_it_is_one(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert "An example to copy" in text
    assert "https://hospital.example/" in text
    assert "example.org" not in text
