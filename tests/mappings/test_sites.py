"""Protects the tumour site: another primary is never read as breast, a metastasis says nothing."""

from __future__ import annotations

import pytest

from adapter.her2.model import TumourSite
from adapter.terminology.catalogue import Catalogue
from tests.mappings.systems_of_others import (
    ICD_10,
    ICD_10_CM,
    ICD_10_GM,
    ICD_O_3,
    LOINC,
    SNOMED,
)

ICD_CASES = [
    ("C50", "breast"),
    ("C50.9", "breast"),
    ("C50.911", "breast"),
    ("C509", "breast"),
    ("C50.-", "breast"),
    ("D05", "in-situ"),
    ("D05.1", "in-situ"),
    ("C00", "other"),
    ("C16.0", "other"),
    ("C16.9", "other"),
    ("c16.9", "other"),
    ("c50.9", "breast"),
    (" c169 ", "other"),
    ("C18.9", "other"),
    ("C20", "other"),
    ("C34.9", "other"),
    ("C49.9", "other"),
    ("C51.9", "other"),
    ("C54.1", "other"),
    ("C76.0", "other"),
    ("C77.3", "secondary"),
    ("C78.7", "secondary"),
    ("C79.5", "secondary"),
    ("C80.0", "other"),
    ("C81.9", "other"),
    ("C96", "other"),
    ("C97", None),
    ("D04", None),
    ("D06", None),
    ("D24", None),
    ("Z85.3", None),
    ("C", None),
    ("C5", None),
    ("C50-C50", None),
    ("breast", None),
    ("", None),
]


@pytest.mark.parametrize("system", [ICD_10, ICD_10_CM, ICD_10_GM])
@pytest.mark.parametrize(("code", "meaning"), ICD_CASES, ids=lambda part: str(part))
def test_an_icd_10_code_says_where_the_tumour_is(
    catalogue: Catalogue, system: str, code: str, meaning: str | None
) -> None:
    row = catalogue.site_row(system, code)

    assert (row.meaning if row else None) == meaning


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        ("C50.9", "breast"),
        ("C50.4", "breast"),
        ("C16.0", "other"),
        ("C18.7", "other"),
        ("C20.9", "other"),
        ("C54.1", "other"),
        ("C54.9", "organ"),
        ("C56.9", "organ"),
        ("C25.9", "organ"),
        ("C67.9", "organ"),
        ("C22.0", "secondary"),
        ("C34.1", "secondary"),
        ("C77.3", "secondary"),
        ("C71.9", "secondary"),
        ("C80.9", None),
        ("C76.7", None),
        ("8500/3", None),
        ("8500/2", None),
    ],
)
@pytest.mark.parametrize("system", [ICD_O_3, "urn:oid:2.16.840.1.113883.6.43.1"])
def test_an_icd_o_3_topography_says_what_the_organ_says(
    catalogue: Catalogue, system: str, code: str, meaning: str | None
) -> None:
    row = catalogue.site_row(system, code)

    assert (row.meaning if row else None) == meaning


@pytest.mark.parametrize(
    ("code", "meaning"),
    [("C7A.8", "other"), ("C7B.0", "secondary")],
)
def test_the_clinical_modification_has_neuroendocrine_categories(
    catalogue: Catalogue, code: str, meaning: str
) -> None:
    row = catalogue.site_row(ICD_10_CM, code)

    assert row is not None
    assert row.meaning == meaning
    assert catalogue.site_row(ICD_10, code) is None


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        ("254837009", "breast"),
        ("372137005", "breast"),
        ("254838004", "breast"),
        ("408643008", "breast"),
        ("278054005", "breast"),
        ("427685000", "breast"),
        ("431396003", "breast"),
        ("76752008", "breast"),
        ("80248007", "breast"),
        ("73056007", "breast"),
        ("109889007", "in-situ"),
        ("189336000", "in-situ"),
        ("363349007", "other"),
        ("372014001", "other"),
        ("878807001", "other"),
        ("363406005", "other"),
        ("93761005", "other"),
        ("363351006", "other"),
        ("254878006", "other"),
        ("93781006", "other"),
        ("363358000", "other"),
        ("93880001", "other"),
        ("254637007", "other"),
        *((code, "other") for code in ("363443007", "399326009", "363418001")),
        *((code, "other") for code in ("399068003", "363354003", "93934004")),
        *((code, "other") for code in ("60184004", "32713005", "14742008")),
        *((code, "organ") for code in ("15497006", "35039007", "89837001", "15776009")),
        ("94381002", "secondary"),
        ("109888004", "in-situ"),
        ("63762007", "breast"),
        *((code, "breast") for code in ("122737001", "76365002", "353431000119107", "713609000")),
    ],
)
def test_a_snomed_code_says_where_the_tumour_is(
    catalogue: Catalogue, code: str, meaning: str
) -> None:
    row = catalogue.site_row(SNOMED, code)

    assert row is not None
    assert row.meaning == meaning


@pytest.mark.parametrize(
    "system",
    [
        *("http://hl7.org/fhir/sid/icd-10-gm", "http://hl7.org/fhir/sid/icd-10-de", "ICD-10-GM"),
        *("http://hl7.org/fhir/sid/icd-10-us", "http://hl7.org/fhir/sid/icd-10-nl"),
        *("https://hl7.org/fhir/sid/icd-10", "https://hl7.org/fhir/sid/icd-10-cm"),
    ],
)
@pytest.mark.parametrize(
    ("code", "meaning"), [("C16.9", "other"), ("C50.9", "breast"), ("C78.7", "secondary")]
)
def test_icd_10_is_known_by_the_names_that_servers_give_it(
    catalogue: Catalogue, system: str, code: str, meaning: str
) -> None:
    row = catalogue.site_row(system, code)

    assert row is not None
    assert row.meaning == meaning


def test_a_block_of_icd_10_does_not_hold_codes_of_other_systems(catalogue: Catalogue) -> None:
    assert catalogue.site_row(LOINC, "C16.9") is None
    assert catalogue.site_row("", "C16.9") is None


@pytest.mark.parametrize(
    ("code", "site"),
    [
        ("C50.9", TumourSite.BREAST),
        ("C16.9", TumourSite.OTHER),
        ("D05.1", TumourSite.OTHER),
        ("C77.3", None),
        ("J18.9", None),
    ],
)
def test_a_site_is_breast_or_other_or_not_told(
    catalogue: Catalogue, code: str, site: TumourSite | None
) -> None:
    assert catalogue.tumour_site(ICD_10, code) is site


@pytest.mark.parametrize(
    ("code", "side"),
    [
        ("7771000", "left"),
        ("80248007", "left"),
        ("24028007", "right"),
        ("73056007", "right"),
        ("76752008", None),
    ],
)
def test_a_side_is_found_where_one_is_named(
    catalogue: Catalogue, code: str, side: str | None
) -> None:
    assert catalogue.side(SNOMED, code) == side
