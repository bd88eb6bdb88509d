"""Protects what a coded answer means under which test: one test per answer of the survey."""

from __future__ import annotations

import pytest

from adapter.terminology.catalogue import Catalogue
from adapter.terminology.vocabulary import AnswerKind
from tests.mappings.systems_of_others import (
    CAP_ECC,
    EVERY_SYSTEM,
    ICHOM,
    INTERPRETATION,
    LOINC,
    LT_FISH,
    LT_SCORE,
    LT_STATUS,
    MII_GUIDELINE,
    MII_OBDS,
    MII_SCORE,
    NAACCR,
    NCIT,
    OMOP,
    SNOMED,
    SNOMED_NZ,
    US_BREAST,
)

EVERYWHERE = [
    (LOINC, "LA6576-8", "positive"),
    (LOINC, "LA6577-6", "negative"),
    (LOINC, "LA11885-3", "equivocal"),
    (LOINC, "LA11884-6", "indeterminate"),
    (LOINC, "LA13538-6", "not-done"),
    (LOINC, "LA11840-8", "unreadable"),
    (SNOMED, "10828004", "positive"),
    (SNOMED, "260385009", "negative"),
    (SNOMED, "427685000", "positive"),
    (SNOMED, "431396003", "negative"),
    (SNOMED, "280414007", "equivocal"),
    (SNOMED, "416237000", "not-done"),
    (SNOMED, "878807001", "other-tumour"),
    (SNOMED_NZ, "395551000210100", "positive"),
    (SNOMED_NZ, "395561000210102", "negative"),
    (SNOMED_NZ, "395571000210108", "equivocal"),
    (INTERPRETATION, "POS", "positive"),
    (INTERPRETATION, "NEG", "negative"),
    (INTERPRETATION, "E", "equivocal"),
    (INTERPRETATION, "IND", "indeterminate"),
    (INTERPRETATION, "RR", "unreadable"),
    (INTERPRETATION, "NR", "unreadable"),
    (NCIT, "C68748", "positive"),
    (NCIT, "C68749", "negative"),
    (NAACCR, "7", "not-done"),
    (NAACCR, "8", "not-done"),
    (NAACCR, "9", "not-done"),
]

UNDER_ONE_TEST = [
    ("ihc", INTERPRETATION, "DET", "unreadable"),
    ("ihc", INTERPRETATION, "ND", "unreadable"),
    ("ish", INTERPRETATION, "DET", "positive"),
    ("ish", INTERPRETATION, "ND", "negative"),
    ("overall", INTERPRETATION, "DET", "unreadable"),
    ("overall", INTERPRETATION, "ND", "unreadable"),
    ("ihc", LOINC, "LA6111-4", "0"),
    ("ihc", LOINC, "LA11841-6", "1+"),
    ("ihc", LOINC, "LA11842-4", "2+"),
    ("ihc", LOINC, "LA11843-2", "3+"),
    ("ihc", LOINC, "LA11844-0", "off-scale"),
    ("ihc", LOINC, "LA9633-4", "unreadable"),
    ("ihc", LOINC, "LA9634-2", "unreadable"),
    ("ihc", SNOMED, "2667000", "unreadable"),
    ("ihc", SNOMED, "260347006", "1+"),
    ("ihc", SNOMED, "260348001", "2+"),
    ("ihc", SNOMED, "260349009", "3+"),
    ("ihc", SNOMED, "260350009", "off-scale"),
    ("ihc", SNOMED, "705105000", "not-amplified"),
    ("ihc", SNOMED, "12645001", "amplified"),
    ("ihc", SNOMED, "1381317004", "low"),
    ("ihc", SNOMED, "1381318009", "ultralow"),
    ("ihc", MII_SCORE, "0", "0"),
    ("ihc", MII_SCORE, "1", "1+"),
    ("ihc", MII_SCORE, "2", "2+"),
    ("ihc", MII_SCORE, "3", "3+"),
    ("ihc", LT_SCORE, "0", "0"),
    ("ihc", LT_SCORE, "1", "1+"),
    ("ihc", LT_SCORE, "2", "2+"),
    ("ihc", LT_SCORE, "3", "3+"),
    ("ihc", CAP_ECC, "40505.100004300", "0"),
    ("ish", SNOMED, "2667000", "negative"),
    ("ish", SNOMED, "705105000", "negative"),
    ("ish", SNOMED, "12645001", "positive"),
    ("ish", LT_FISH, "amplified", "group-1"),
    ("ish", LT_FISH, "amplified-clusters", "group-1"),
    ("ish", LT_FISH, "monosomic", "group-2"),
    ("ish", LT_FISH, "co-amplified", "group-3"),
    ("ish", LT_FISH, "borderline", "group-4"),
    ("ish", LT_FISH, "negative", "group-5"),
    ("ish", LT_STATUS, "1", "positive"),
    ("ish", LT_STATUS, "2", "negative"),
    ("overall", LOINC, "LA6111-4", "0"),
    ("overall", LOINC, "LA11841-6", "1+"),
    ("overall", LOINC, "LA11842-4", "2+"),
    ("overall", LOINC, "LA11843-2", "3+"),
    ("overall", SNOMED, "2667000", "negative"),
    ("overall", SNOMED, "705105000", "negative"),
    ("overall", SNOMED, "12645001", "positive"),
    ("overall", SNOMED, "1381317004", "low"),
    ("overall", SNOMED, "1381318009", "ultralow"),
    ("overall", MII_GUIDELINE, "positiv", "positive"),
    ("overall", MII_GUIDELINE, "low", "low"),
    ("overall", MII_GUIDELINE, "ultralow", "ultralow"),
    ("overall", MII_GUIDELINE, "negativ", "0"),
    ("overall", MII_GUIDELINE, "equivocal", "equivocal"),
    ("overall", MII_OBDS, "P", "positive"),
    ("overall", MII_OBDS, "N", "negative"),
    ("overall", LT_STATUS, "1", "positive"),
    ("overall", LT_STATUS, "2", "negative"),
    ("overall", ICHOM, "0", "negative"),
    ("overall", ICHOM, "1", "positive"),
    ("overall", ICHOM, "2", "equivocal"),
    ("overall", ICHOM, "3", "not-done"),
    ("overall", MII_OBDS, "U", "not-done"),
    ("ihc", NAACCR, "0", "0"),
    ("ihc", NAACCR, "1", "1+"),
    ("ihc", NAACCR, "2", "2+"),
    ("ihc", NAACCR, "3", "3+"),
    ("ihc", NAACCR, "4", "negative"),
    ("ish", NAACCR, "0", "negative"),
    ("ish", NAACCR, "2", "equivocal"),
    ("ish", NAACCR, "3", "positive"),
    ("ish", NAACCR, "XX.7", "not-done"),
    ("ish", NAACCR, "XX.8", "not-done"),
    ("ish", NAACCR, "XX.9", "not-done"),
    ("overall", NAACCR, "0", "negative-or-equivocal"),
    ("overall", NAACCR, "1", "positive"),
    ("ihc", US_BREAST, "not_amplified", "0"),
    ("ihc", US_BREAST, "negative", "1+"),
    ("ihc", US_BREAST, "equivocal", "2+"),
    ("ihc", US_BREAST, "positive", "3+"),
    ("overall", US_BREAST, "not_amplified", "0"),
    ("overall", US_BREAST, "negative", "1+"),
    ("overall", US_BREAST, "equivocal", "2+"),
    ("overall", US_BREAST, "positive", "3+"),
]


@pytest.mark.parametrize("kind", list(AnswerKind))
@pytest.mark.parametrize(("system", "code", "meaning"), EVERYWHERE, ids=lambda part: str(part))
def test_a_word_means_the_same_under_every_test(
    catalogue: Catalogue, kind: AnswerKind, system: str, code: str, meaning: str
) -> None:
    row = catalogue.answer(kind, system, code)

    assert row is not None
    assert row.meaning == meaning


@pytest.mark.parametrize(
    ("kind", "system", "code", "meaning"), UNDER_ONE_TEST, ids=lambda part: str(part)
)
def test_an_answer_means_what_its_test_makes_of_it(
    catalogue: Catalogue, kind: str, system: str, code: str, meaning: str
) -> None:
    row = catalogue.answer(AnswerKind(kind), system, code)

    assert row is not None
    assert row.meaning == meaning


@pytest.mark.parametrize(
    ("kind", "system", "code"),
    [
        pytest.param("ish", LOINC, "LA11843-2", id="a score under ISH"),
        pytest.param("ish", SNOMED, "260349009", id="a grade under ISH"),
        pytest.param("ish", SNOMED, "1381317004", id="low under ISH"),
        pytest.param("overall", SNOMED, "260349009", id="a grade under an overall status"),
        pytest.param("ihc", LOINC, "LA26333-6", id="an answer whose list is unknown"),
        pytest.param("overall", SNOMED, "1162602001", id="a code without a verified name"),
        pytest.param("overall", SNOMED, "432881000", id="a wrong code for positive"),
        pytest.param("ihc", SNOMED, "10828001", id="positive with a wrong digit"),
        pytest.param("overall", SNOMED, "416053008", id="estrogen receptor positive tumour"),
        pytest.param("ihc", LT_STATUS, "1", id="a status of Lithuania under IHC, where 1 is no 1+"),
        pytest.param("overall", LT_SCORE, "1", id="a score of Lithuania under an overall status"),
        pytest.param("ihc", "", "3", id="a bare digit"),
        pytest.param("ihc", "http://example.org/codes", "3", id="a digit of an unknown system"),
        pytest.param("ihc", SNOMED, "LA11843-2", id="a LOINC answer in SNOMED"),
        pytest.param("ihc", LOINC, "10828004", id="a SNOMED answer in LOINC"),
        pytest.param("ihc", INTERPRETATION, "pos", id="a code in the wrong case"),
        pytest.param("ihc", LOINC, "3+", id="a display instead of a code"),
        pytest.param("ish", NAACCR, "1", id="NAACCR 3854, which has no 1"),
        pytest.param("ihc", NAACCR, "010", id="an older registry answer: 1+ or positive"),
        pytest.param("ish", NAACCR, "XX.1", id="NAACCR: 100 copies or more, no number"),
        pytest.param("ish", NAACCR, "XX.2", id="NAACCR: a ratio below 2.0, no number"),
        pytest.param("ish", NAACCR, "XX.3", id="NAACCR: a ratio from 2.0, no number"),
        pytest.param("ihc", NAACCR, "XX.9", id="a number's code under IHC"),
        pytest.param("ish", US_BREAST, "not_amplified", id="an IHC score called not amplified"),
        pytest.param("ihc", "http://example.org/codes", "73134", id="a placeholder's answer"),
        pytest.param("ihc", LOINC, "N1", id="NHS/COSD's negative (0), whose system is not known"),
        pytest.param("overall", OMOP, "44790895", id="an OMOP number not held against Athena"),
        pytest.param("ish", OMOP, "44790896", id="another OMOP number not held against Athena"),
    ],
)
def test_what_no_row_holds_means_nothing(
    catalogue: Catalogue, kind: str, system: str, code: str
) -> None:
    assert catalogue.answer(AnswerKind(kind), system, code) is None


@pytest.mark.parametrize("code", [f"C{number}" for number in range(173786, 173807)])
def test_an_invented_code_of_the_nci_thesaurus_means_nothing(
    catalogue: Catalogue, code: str
) -> None:
    assert [kind for kind in AnswerKind if catalogue.answer(kind, NCIT, code)] == []
    assert catalogue.test_code(NCIT, code) is None


SHARED = {"0", "1", "2", "3", "N", "P", "positive", "negative", "equivocal", "low", "ultralow"}
"""Codes that several systems have, each with its own meaning: they have rows above."""
EVERY_ROW = [(kind.value, *row) for kind in AnswerKind for row in EVERYWHERE] + UNDER_ONE_TEST


@pytest.mark.parametrize(
    ("kind", "system", "code", "meaning"),
    [row for row in EVERY_ROW if row[2] not in SHARED],
    ids=lambda part: str(part),
)
def test_an_answer_counts_in_its_own_system_only(
    catalogue: Catalogue, kind: str, system: str, code: str, meaning: str
) -> None:
    own = catalogue.canonical_system(system)

    assert [
        other
        for other in EVERY_SYSTEM
        if catalogue.canonical_system(other) != own
        and catalogue.answer(AnswerKind(kind), other, code)
    ] == [], meaning


@pytest.mark.parametrize("code", sorted(SHARED))
@pytest.mark.parametrize("system", [LOINC, SNOMED, CAP_ECC, NCIT, OMOP, "", "urn:oid:2.25.1"])
def test_a_code_that_several_systems_share_means_nothing_in_another(
    catalogue: Catalogue, system: str, code: str
) -> None:
    assert [kind for kind in AnswerKind if catalogue.answer(kind, system, code)] == []


@pytest.mark.parametrize("system", [US_BREAST, MII_GUIDELINE, LT_STATUS, ICHOM])
def test_http_and_https_name_one_system(catalogue: Catalogue, system: str) -> None:
    swapped = system.replace("https:", "http:")
    swapped = swapped if swapped != system else system.replace("http:", "https:")
    known = [row for row in UNDER_ONE_TEST if row[0] == "overall" and row[1] == system]

    found = [catalogue.answer(AnswerKind.OVERALL, swapped, code) for _, _, code, _ in known]

    assert [row.meaning if row else None for row in found] == [row[3] for row in known]


def test_snomed_low_and_ultralow_are_never_positive(catalogue: Catalogue) -> None:
    for kind in AnswerKind:
        for code in ("1381317004", "1381318009"):
            row = catalogue.answer(kind, SNOMED, code)
            assert row is None or row.meaning in {"low", "ultralow"}


def test_a_row_names_the_map_that_holds_it(catalogue: Catalogue) -> None:
    row = catalogue.answer(AnswerKind.IHC, "LOINC", "LA11842-4")

    assert row is not None
    assert row.map.endswith("/ConceptMap/answers-ihc")
    assert (row.system, row.code, row.display) == (LOINC, "LA11842-4", "2+")
