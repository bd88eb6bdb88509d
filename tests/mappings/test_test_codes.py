"""Protects which test codes count as HER2 results: one test per code of the survey, and none by guess."""

from __future__ import annotations

import pytest

from adapter.terminology.catalogue import Catalogue
from adapter.terminology.vocabulary import TestRole
from tests.mappings.systems_of_others import (
    CAP_ECC,
    CPT,
    EVERY_SYSTEM,
    HGNC,
    LOINC,
    NAACCR,
    OMOP,
    SNOMED,
    SNOMED_NZ,
    TAIWAN_NHI,
)

ROLES = [
    (LOINC, "85319-2", "ihc"),
    (LOINC, "18474-7", "ihc"),
    (LOINC, "85328-3", "ihc-uniform-intense-percent"),
    (LOINC, "85318-4", "ish"),
    (LOINC, "31150-6", "ish"),
    (LOINC, "96893-3", "ish"),
    (LOINC, "49683-6", "ratio"),
    (LOINC, "74860-8", "her2-copies"),
    (LOINC, "74861-6", "cep17-copies"),
    (LOINC, "62361-1", "cells-counted"),
    (LOINC, "74885-5", "panel"),
    (LOINC, "48676-1", "overall"),
    (LOINC, "55229-9", "generic"),
    (LOINC, "48018-6", "gene-studied"),
    (LOINC, "22637-3", "document"),
    (LOINC, "60568-3", "document"),
    (LOINC, "22638-1", "document"),
    (LOINC, "11529-5", "document"),
    (LOINC, "60567-5", "document"),
    (SNOMED, "3550001000004108", "ihc"),
    (SNOMED, "1363314005", "ish"),
    (SNOMED, "1365744007", "ratio"),
    (SNOMED, "1365742006", "ratio"),
    (SNOMED, "1365743001", "her2-copies"),
    (SNOMED, "1234806008", "generic"),
    (SNOMED, "51864006", "generic"),
    (SNOMED, "433114000", "generic"),
    (SNOMED, "434363004", "generic"),
    (SNOMED_NZ, "476171000210109", "overall"),
    (CAP_ECC, "52399.100004300", "ihc"),
    (CAP_ECC, "36944.100004300", "ihc"),
    (CAP_ECC, "79483", "ihc"),
    (CAP_ECC, "43789.100004300", "document"),
    (NAACCR, "3850", "ihc"),
    (NAACCR, "3851", "her2-copies"),
    (NAACCR, "3852", "ratio"),
    (NAACCR, "3853", "her2-copies"),
    (NAACCR, "3854", "ish"),
    (NAACCR, "3855", "overall"),
    (NAACCR, "2862", "generic"),
    (NAACCR, "2863", "generic"),
    (NAACCR, "2865", "generic"),
    (NAACCR, "2867", "generic"),
    (NAACCR, "2868", "generic"),
    (NAACCR, "2869", "generic"),
    (CPT, "88360", "generic"),
    (CPT, "88377", "generic"),
    (TAIWAN_NHI, "12195B", "ish"),
]

DENIED = [
    ("10861-3", "other-analyte", "progesterone-receptor"),
    ("31207-4", "other-analyte", "progesterone-receptor"),
    ("85331-7", "other-analyte", "progesterone-receptor"),
    ("14130-9", "other-analyte", "estrogen-receptor"),
    ("85310-1", "other-analyte", "estrogen-receptor"),
    ("83053-9", "other-analyte", "pd-l1"),
    ("83054-7", "other-analyte", "pd-l1"),
    ("83055-4", "other-analyte", "pd-l1"),
    ("83056-2", "other-analyte", "pd-l1"),
    ("83057-0", "other-analyte", "pd-l1"),
    ("85147-7", "other-analyte", "pd-l1"),
    ("85148-5", "other-analyte", "pd-l1"),
    ("85149-3", "other-analyte", "pd-l1"),
    ("72383-3", "excluded", "tissue-immunoassay"),
    ("72382-5", "excluded", "tissue-immunoassay"),
    ("32996-1", "excluded", "serum-test"),
    ("42914-2", "excluded", "serum-test"),
    ("51981-9", "excluded", "serum-test"),
    ("42783-1", "excluded", "mutation-test"),
    ("69548-6", "excluded", "sequencing-copy-number"),
    ("41103-3", "excluded", "sequencing-copy-number"),
    ("82155-3", "excluded", "sequencing-copy-number"),
    ("85325-9", "other-analyte", "progesterone-receptor"),
    ("14230-7", "other-analyte", "progesterone-receptor"),
    ("40557-1", "other-analyte", "progesterone-receptor"),
    ("85339-0", "other-analyte", "progesterone-receptor"),
    ("16113-3", "other-analyte", "progesterone-receptor"),
    ("85337-4", "other-analyte", "estrogen-receptor"),
    ("16112-5", "other-analyte", "estrogen-receptor"),
    ("40556-3", "other-analyte", "estrogen-receptor"),
    ("85329-1", "other-analyte", "estrogen-receptor"),
    ("14228-1", "other-analyte", "estrogen-receptor"),
    ("85330-9", "other-analyte", "ki-67"),
    ("29593-1", "other-analyte", "ki-67"),
    ("42786-4", "other-analyte", "her3"),
    ("32581-1", "other-analyte", "egfr"),
    ("39004-7", "other-analyte", "egfr"),
    ("83052-1", "other-analyte", "pd-l1"),
]


@pytest.mark.parametrize(("system", "code", "role"), ROLES, ids=lambda part: str(part))
def test_a_test_code_has_its_role(catalogue: Catalogue, system: str, code: str, role: str) -> None:
    found = catalogue.test_code(system, code)

    assert found is not None
    assert found.role == role
    assert found.reason == ""


@pytest.mark.parametrize(
    ("system", "code"),
    [(system, code) for system, code, _ in ROLES] + [(LOINC, code) for code, _, _ in DENIED],
    ids=lambda part: str(part),
)
def test_a_test_code_counts_in_its_own_system_only(
    catalogue: Catalogue, system: str, code: str
) -> None:
    own = catalogue.canonical_system(system)

    assert [
        other
        for other in EVERY_SYSTEM
        if catalogue.canonical_system(other) != own and catalogue.test_code(other, code)
    ] == []


@pytest.mark.parametrize("code", ["2864", "2866"])
def test_a_registry_number_without_its_decimal_point_is_denied(
    catalogue: Catalogue, code: str
) -> None:
    found = catalogue.test_code(NAACCR, code)

    assert found is not None
    assert (found.role, found.reason) == ("excluded", "number-without-decimal-point")


@pytest.mark.parametrize(("code", "role", "reason"), DENIED, ids=lambda part: str(part))
def test_a_lookalike_is_denied_with_its_reason(
    catalogue: Catalogue, code: str, role: str, reason: str
) -> None:
    found = catalogue.test_code(LOINC, code)

    assert found is not None
    assert (found.role, found.reason) == (role, reason)


@pytest.mark.parametrize(
    ("system", "code"),
    [
        pytest.param(LOINC, "85319-0", id="a wrong check digit"),
        pytest.param(LOINC, "34566", id="a dead code"),
        pytest.param(LOINC, "48675-3", id="a code seen without a name"),
        pytest.param(LOINC, "104279-5", id="another code seen without a name"),
        pytest.param(LOINC, "433114000", id="a SNOMED code in LOINC"),
        pytest.param(SNOMED, "85319-2", id="a LOINC code in SNOMED"),
        pytest.param(SNOMED, "423740007", id="another question's code in an older commit"),
        pytest.param(SNOMED, "108283007", id="a made-up use of a SNOMED code"),
        pytest.param("http://example.org/codes", "85319-2", id="a right code in an unknown system"),
        pytest.param("http://example.org/codes", "12511", id="a placeholder's code"),
        pytest.param(OMOP, "3048223", id="an OMOP number that was not held against Athena"),
        pytest.param(OMOP, "3019066", id="another OMOP number that was not held against Athena"),
        pytest.param(NAACCR, "pBR4280", id="an item of NHS/COSD, whose system is not known"),
        pytest.param(NAACCR, "3863", id="NAACCR's item for Ki-67"),
        pytest.param(CPT, "88342", id="an order code of single stains"),
        pytest.param("", "85319-2", id="a code without a system"),
        pytest.param(LOINC, "", id="a system without a code"),
        pytest.param(LOINC, "85319", id="the beginning of a code"),
        pytest.param(LOINC, "LA6576-8", id="an answer"),
    ],
)
def test_what_no_row_holds_is_not_a_test(catalogue: Catalogue, system: str, code: str) -> None:
    assert catalogue.test_code(system, code) is None


@pytest.mark.parametrize(
    ("system", "code"),
    [
        pytest.param("LOINC", "85319-2", id="a bare name"),
        pytest.param("loinc", "85319-2", id="a bare name in lower case"),
        pytest.param("https://loinc.org", "85319-2", id="https"),
        pytest.param("urn:oid:2.16.840.1.113883.6.1", "85319-2", id="an OID as urn"),
        pytest.param("2.16.840.1.113883.6.1", "85319-2", id="a bare OID"),
        pytest.param(" http://loinc.org ", " 85319-2 ", id="outer blanks"),
        pytest.param("https://cap.org/eCC", "79483", id="https of CAP eCC"),
    ],
)
def test_another_name_of_a_system_finds_the_code(
    catalogue: Catalogue, system: str, code: str
) -> None:
    found = catalogue.test_code(system, code)

    assert found is not None
    assert found.role is TestRole.IHC


@pytest.mark.parametrize(
    "system",
    [
        SNOMED,
        SNOMED_NZ,
        "http://snomed.info/sct/900000000000207008/version/20260101",
        "urn:oid:2.16.840.1.113883.6.96",
        "SNOMED CT",
    ],
)
def test_every_edition_of_snomed_ct_is_one_system(catalogue: Catalogue, system: str) -> None:
    assert catalogue.canonical_system(system) == SNOMED


@pytest.mark.parametrize(
    ("code", "role"),
    [
        ("117617002", "ihc"),
        ("1234806008", "ihc"),
        ("433114000", "ihc"),
        ("1303773004", "ish"),
        ("787997001", "ish"),
        ("787998006", "ish"),
        ("1363313004", "ish"),
        ("51864006", "ish"),
        ("434363004", "ish"),
    ],
)
def test_a_method_tells_ihc_from_ish(catalogue: Catalogue, code: str, role: str) -> None:
    assert catalogue.method(SNOMED, code) == role


def test_a_method_is_no_result_by_itself(catalogue: Catalogue) -> None:
    assert catalogue.test_code(SNOMED, "1303773004") is None


@pytest.mark.parametrize(
    ("system", "code", "role"),
    [
        pytest.param("NAACCR", "3850", "ihc", id="NAACCR by its name"),
        pytest.param("urn:oid:2.16.840.1.113883.6.7", "3854", "ish", id="NAACCR by its OID"),
        pytest.param("CPT", "88360", "generic", id="CPT by its name"),
        pytest.param("https://www.ama-assn.org/go/cpt", "88377", "generic", id="https of CPT"),
        pytest.param(TAIWAN_NHI.replace("https", "http"), "12195B", "ish", id="http of Taiwan"),
    ],
)
def test_another_name_of_a_registry_or_order_system_finds_the_code(
    catalogue: Catalogue, system: str, code: str, role: str
) -> None:
    found = catalogue.test_code(system, code)

    assert found is not None
    assert found.role == role


@pytest.mark.parametrize(
    "system",
    [
        HGNC,
        "http://www.genenames.org",
        "https://www.genenames.org/",
        "https://www.genenames.org/geneId",
        "urn:oid:2.16.840.1.113883.6.281",
        "HGNC",
    ],
)
def test_the_gene_is_found_by_its_hgnc_number(catalogue: Catalogue, system: str) -> None:
    assert catalogue.is_her2_gene(system, "HGNC:3430")


def test_another_gene_is_not_her2(catalogue: Catalogue) -> None:
    assert not catalogue.is_her2_gene(HGNC, "HGNC:2064")


def test_a_server_is_searched_for_her2_results_only(catalogue: Catalogue) -> None:
    searched = set(catalogue.search_codes())

    assert {
        (LOINC, "85319-2"),
        (LOINC, "85318-4"),
        (LOINC, "48676-1"),
        (LOINC, "85328-3"),
    } <= searched
    assert (SNOMED, "476171000210109") in searched
    assert {(NAACCR, str(item)) for item in range(3850, 3856)} <= searched
    assert not searched & {(NAACCR, "2862"), (NAACCR, "2864"), (CPT, "88360")}
    generic = {(LOINC, code) for code in ("55229-9", "62361-1", "22637-3", "48018-6")}
    assert not searched & generic
    assert not searched & {(LOINC, code) for code, _, _ in DENIED}
