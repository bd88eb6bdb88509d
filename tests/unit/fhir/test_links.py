"""Protects what ties a result to its sample, and the following of references to it."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.fhir.links import day_of, sample_links, sample_names, specimen_of
from adapter.fhir.references import Graph
from adapter.fhir.terms import Terms
from adapter.her2.model import SampleKind, SampleLinks
from tests.unit.fhir.recognising import IHC, OVERALL, SNOMED, catalogue, concept, observation

S1 = {"reference": "Specimen/s1"}


def links(*others: dict[str, Any], **elements: Any) -> SampleLinks:
    given = observation(**elements)
    graph = Graph.of([given, *others])
    terms = Terms.of(catalogue())
    taken = specimen_of(given, graph)
    named = sample_names(given, graph, terms, specimen=taken)
    return sample_links(given, graph, terms, specimen=taken, named=named)


def specimen(**elements: Any) -> dict[str, Any]:
    return {"resourceType": "Specimen", "id": "s1"} | elements


def report(*results: str, name: str = "r1", **elements: Any) -> dict[str, Any]:
    listed = [{"reference": result} for result in results]
    return {"resourceType": "DiagnosticReport", "id": name, "result": listed} | elements


def test_a_specimen_gives_its_reference_identifiers_parents_and_accession() -> None:
    block = specimen(
        identifier=[{"system": "urn:lab", "value": "B1"}, {"value": "B2"}, {"system": "urn:lab"}],
        parent=[{"reference": "Specimen/s0"}, {"reference": "Specimen/s00/_history/3"}],
        accessionIdentifier={"system": "urn:acc", "value": "A1"},
    )
    found = links(block, specimen=S1)
    assert found.specimen == "Specimen/s1"
    assert found.specimen_identifiers == {"urn:lab|B1", "|B2"}
    assert found.parents == {"Specimen/s0", "Specimen/s00"}
    assert found.accessions == {"urn:acc|A1"}


def test_a_specimen_that_is_not_at_hand_still_ties_by_its_reference() -> None:
    found = links(specimen=S1)
    assert found.specimen == "Specimen/s1"
    assert not found.specimen_identifiers


def test_a_specimen_named_only_by_its_identifier_ties_by_that() -> None:
    found = links(specimen={"identifier": {"system": "urn:lab", "value": "B1"}})
    assert found.specimen is None
    assert found.specimen_identifiers == {"urn:lab|B1"}


def test_a_contained_specimen_is_this_result_s_own() -> None:
    inside = specimen(id="s", accessionIdentifier={"value": "A1"})
    found = links(contained=[inside], specimen={"reference": "#s"})
    assert found.specimen == "Observation/o1#s"
    assert found.accessions == {"|A1"}


NOTHING_NAMED = [
    "N/A",
    "n.a.",
    "NA",
    "unknown",
    "Unk",
    "none",
    "NULL",
    "not available",
    "unbekannt",
    "不明",
]
NOTHING_NAMED += ["0", "000-000", "-", "?", "..."]


@pytest.mark.parametrize("value", NOTHING_NAMED)
def test_what_stands_for_a_missing_number_identifies_nothing(value: str) -> None:
    """Two specimens of unknown accession, years apart, are not one by it."""
    number = {"system": "urn:lab", "value": value}
    found = links(
        specimen(identifier=[number], accessionIdentifier=number), specimen=S1, identifier=[number]
    )
    assert not found.specimen_identifiers | found.accessions | found.orders


@pytest.mark.parametrize("value", ["A", "10", "S26-0", "UNKN-1", "NA-17", "0A"])
def test_a_number_that_only_resembles_a_missing_one_identifies(value: str) -> None:
    number = {"system": "urn:lab", "value": value}
    found = links(
        specimen(identifier=[number], accessionIdentifier=number), specimen=S1, identifier=[number]
    )
    named = {f"urn:lab|{value}"}
    assert [found.specimen_identifiers, found.accessions, found.orders] == [named] * 3


V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"


def _typed(kind: dict[str, Any]) -> SampleLinks:
    number = {"system": "urn:lab", "value": "4711-26", "type": kind}
    taken = specimen(identifier=[number], accessionIdentifier=number)
    return links(taken, specimen=S1, identifier=[number])


@pytest.mark.parametrize(
    "kind",
    [
        *(concept((V2_0203, code)) for code in ("MR", "PI", "PT", "PN", "SS", "VN", "AN")),
        concept(("http://hl7.org/fhir/v2/0203", "MR")),
        {"text": "MRN"},
        {"text": "Medical Record Number"},
    ],
    ids=str,
)
def test_a_number_of_the_patient_or_the_visit_identifies_no_sample(kind: dict[str, Any]) -> None:
    """All samples of a patient bear it, whichever tumour they are of."""
    found = _typed(kind)
    assert not found.specimen_identifiers | found.accessions | found.orders


@pytest.mark.parametrize(
    "kind",
    [
        *(concept((V2_0203, code)) for code in ("ACSN", "FILL", "PLAC", "RI")),
        {"text": "Accession number"},
        {},
    ],
    ids=str,
)
def test_a_number_of_the_sample_or_the_order_identifies(kind: dict[str, Any]) -> None:
    found = _typed(kind)
    named = {"urn:lab|4711-26"}
    assert [found.specimen_identifiers, found.accessions, found.orders] == [named] * 3


@pytest.mark.parametrize("plan", ["CarePlan/1", "https://other.example/fhir/CarePlan/1"])
def test_a_care_plan_is_no_order_for_a_test(plan: str) -> None:
    based = [{"reference": plan}, {"reference": "ServiceRequest/q1"}]
    assert links(basedOn=based).orders == {"ServiceRequest/q1"}


def test_reports_that_list_the_result_or_its_panel_are_named() -> None:
    panel = observation("74885-5", id="p", hasMember=[{"reference": "Observation/o1"}])
    found = links(
        panel,
        report("Observation/o1"),
        report("Observation/p", name="r2"),
        report("Observation/other", name="r3"),
        report("Observation/o1", name="r4", status="entered-in-error"),
    )
    assert found.reports == {"DiagnosticReport/r1", "DiagnosticReport/r2"}


def test_the_specimens_that_its_reports_are_based_on_are_named_whatever_was_tested_on_them() -> (
    None
):
    based = [{"reference": "Specimen/s1"}, {"reference": "Specimen/s2/_history/4"}]
    found = links(
        report("Observation/o1", specimen=based),
        report("Observation/other", name="r2", specimen=[{"reference": "Specimen/s3"}]),
        specimen=S1,
    )
    assert found.reported_specimens == {"Specimen/s1", "Specimen/s2"}


def test_orders_identifiers_and_panels_are_the_accession_without_a_specimen() -> None:
    panel = observation("74885-5", id="p", hasMember=[{"reference": "Observation/o1"}])
    found = links(
        panel,
        basedOn=[{"reference": "ServiceRequest/q1"}],
        identifier=[{"system": "urn:acc", "value": "A1"}],
    )
    assert found.orders == {"ServiceRequest/q1", "urn:acc|A1", "Observation/p"}


@pytest.mark.parametrize(
    ("site", "side"),
    [
        ({"text": "left breast"}, "left"),
        ({"text": "Mamma rechts"}, "right"),
        (concept((SNOMED, "80248007")), "left"),
        (concept((SNOMED, "73056007")), "right"),
        ({"text": "breast"}, None),
        ({"text": "left and right breast"}, None),
    ],
    ids=str,
)
def test_the_side_comes_from_the_specimen_s_site(site: dict[str, Any], side: str | None) -> None:
    assert links(specimen(collection={"bodySite": site}), specimen=S1).side == side


SHORT = [
    ("Breast, Lt", "left"),
    ("Breast, Rt.", "right"),
    ("Breast (L)", "left"),
    ("R breast core biopsy", "right"),
    ("LT BREAST", "left"),
    ("Mamma re.", "right"),
    ("Mamma li. oben außen", "left"),
    ("Mammastanze re", "right"),
    ("Mama izq.", "left"),
    ("Mammella dx", "right"),
    ("Breast L/R", None),
    ("Breast, left, R margin", "left"),
    ("Breast re-excision", None),
    ("Mamma Re-Exzision", None),
    ("Mamma Re-Operation", None),
    ("Breast, dx: carcinoma", None),
    ("Breast core L3", None),
    ("Breast, block R2", None),
    ("Vitamin L", None),
    ("Axilla R", None),
    ("Breast", None),
]


@pytest.mark.parametrize(("text", "side"), SHORT)
def test_an_abbreviated_side_counts_beside_the_breast(text: str, side: str | None) -> None:
    s1 = {"specimen": {"reference": "Specimen/s1"}}
    assert links(specimen(type={"text": text}), **s1).side == side
    assert links(specimen(collection={"bodySite": {"text": text}}), **s1).side == side
    assert links(bodySite={"text": text}).side == side
    assert links(specimen={"display": text}).side == side


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Breast core biopsy", True),
        ("Mamma re., Stanze", True),
        ("Axillary lymph node", False),
        ("Liver biopsy", False),
        ("Ovar", False),
        ("Stomach", False),
        ("Breast and axillary lymph node", None),
        ("Core biopsy", None),
        ("Calcifications", None),
        ("Tissue block", None),
        ("DCIS", None),
    ],
)
def test_the_sample_is_of_the_breast_or_of_another_organ_by_its_name(
    text: str, expected: bool | None
) -> None:
    s1 = {"specimen": S1}
    assert links(specimen(type={"text": text}), **s1).in_breast is expected
    assert links(specimen(collection={"bodySite": {"text": text}}), **s1).in_breast is expected
    assert links(bodySite={"text": text}).in_breast is expected
    assert links(specimen={"display": text}).in_breast is expected


def test_a_block_is_of_the_organ_that_it_names_itself() -> None:
    mastectomy = specimen(id="s0", type={"text": "Breast, mastectomy"})
    parent = {"parent": [{"reference": "Specimen/s0"}]}
    node = specimen(type={"text": "Lymph node"}, **parent)
    assert links(node, mastectomy, specimen=S1).in_breast is False
    assert links(specimen(type={"text": "Block A"}, **parent), mastectomy, specimen=S1).in_breast


def test_a_code_says_of_which_organ_a_sample_is() -> None:
    breast, ovary = (concept((SNOMED, code)) for code in ("76752008", "15497006"))
    assert links(bodySite=breast).in_breast is True
    assert links(bodySite=ovary).in_breast is False


def test_an_abbreviation_in_the_name_of_a_test_is_no_side() -> None:
    assert links(code={"text": "HER2 IHC breast L"}).side is None


@pytest.mark.parametrize(
    ("code", "side"), [("L", "left"), ("R", "right"), ("B", None), ("l", None)]
)
@pytest.mark.parametrize(
    "system",
    [
        "https://www.medizininformatik-initiative.de/fhir/ext/modul-onko/CodeSystem/mii-cs-onko-seitenlokalisation",
        "http://dktk.dkfz.de/fhir/onco/core/CodeSystem/SeitenlokalisationCS",
    ],
)
def test_a_german_registry_s_code_of_the_side_is_read(
    system: str, code: str, side: str | None
) -> None:
    assert links(bodySite={"coding": [{"system": system, "code": code}]}).side == side


def test_the_side_comes_from_the_result_or_the_disease_where_the_specimen_says_none() -> None:
    assert links(bodySite={"text": "right breast"}).side == "right"
    disease = {"resourceType": "Condition", "id": "c", "code": {"text": "Cancer of left breast"}}
    assert links(disease, focus=[{"reference": "Condition/c"}]).side == "left"


def test_the_specimen_s_side_outranks_the_disease_s() -> None:
    disease = {"resourceType": "Condition", "id": "c", "code": {"text": "Cancer of left breast"}}
    taken = specimen(collection={"bodySite": {"text": "right breast"}})
    assert links(disease, taken, focus=[{"reference": "Condition/c"}], specimen=S1).side == "right"


def test_the_body_site_is_a_code_else_words_in_one_spelling() -> None:
    coded = specimen(collection={"bodySite": concept((SNOMED, "80248007"))})
    assert links(coded, specimen=S1).body_site == f"{SNOMED}|80248007"
    uncoded = specimen(collection={"bodySite": {"coding": [{"display": "Left Breast"}]}})
    assert links(uncoded, specimen=S1).body_site == "left breast"
    worded = specimen(collection={"bodySite": {"text": " Left   Breast "}})
    assert links(worded, specimen=S1).body_site == "left breast"


@pytest.mark.parametrize(
    ("collection", "elements", "day"),
    [
        ({"collectedDateTime": "2026-01-05T23:30:00-05:00"}, {}, "2026-01-05"),
        ({"collectedPeriod": {"start": "2026-01-05"}}, {}, "2026-01-05"),
        ({}, {"effectiveDateTime": "2026-01-07"}, "2026-01-07"),
        ({}, {"effectivePeriod": {"start": "2026-01-08T10:00:00Z"}}, "2026-01-08"),
        ({"collectedDateTime": "2026-01"}, {"effectiveDateTime": "2026-01-07"}, "2026-01-07"),
        ({}, {"issued": "2026-01-09T08:00:00Z"}, None),
        ({}, {"effectiveDateTime": "2026-02-31"}, None),
    ],
    ids=["collected", "period", "effective", "effective period", "month", "issued", "no such day"],
)
def test_the_day_is_that_of_collection_else_of_the_result_and_never_of_issue(
    collection: dict[str, Any], elements: dict[str, Any], day: str | None
) -> None:
    assert links(specimen(collection=collection), specimen=S1, **elements).collected_day == day


def test_a_day_is_cut_as_written_where_it_was_taken() -> None:
    assert day_of("2026-01-01T00:30:00+09:00") == "2026-01-01"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("core needle biopsy of breast", SampleKind.CORE),
        ("breast excision", SampleKind.EXCISION),
        ("primary breast tumour", SampleKind.PRIMARY),
        ("metastasis of breast carcinoma", SampleKind.METASTASIS),
        ("residual breast tumour after neoadjuvant therapy", SampleKind.RESIDUAL),
        ("core biopsy of a metastasis", SampleKind.METASTASIS),
        ("tissue", SampleKind.NOT_STATED),
    ],
)
def test_the_kind_of_sample_is_read_from_the_specimen(text: str, kind: SampleKind) -> None:
    assert links(specimen(type={"text": text}), specimen=S1).kind is kind


def test_nothing_stated_ties_nothing() -> None:
    assert links() == SampleLinks()


@pytest.mark.parametrize("value", [None, 7, "x", [], [7], {"reference": 7}, {"reference": "# #"}])
def test_elements_of_any_shape_tie_nothing_and_do_no_harm(value: Any) -> None:
    elements = {"specimen": value, "basedOn": value, "identifier": value, "bodySite": value}
    found = links(**elements)
    assert found.specimen is None
    assert not found.orders


def test_a_block_has_the_side_and_kind_of_what_it_was_cut_from() -> None:
    block = {"resourceType": "Specimen", "id": "s1", "parent": [{"reference": "Specimen/whole"}]}
    whole = {
        "resourceType": "Specimen",
        "id": "whole",
        "type": {"text": "mastectomy"},
        "collection": {"bodySite": {"text": "left breast"}},
    }
    found = links(block, whole, specimen=S1)
    assert (found.side, found.kind) == ("left", SampleKind.EXCISION)


def test_the_side_may_be_a_laterality_beside_the_site() -> None:
    laterality = {
        "url": "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-laterality-qualifier",
        "valueCodeableConcept": concept("24028007"),
    }
    site = {**concept("76752008", text="Breast structure"), "extension": [laterality]}
    taken = {"resourceType": "Specimen", "id": "s1", "collection": {"bodySite": site}}
    assert links(taken, specimen=S1).side == "right"


def test_a_panel_that_states_a_result_itself_is_joined_to_its_members() -> None:
    panel = observation(OVERALL, valueString="Positive", hasMember=[{"reference": "Observation/m"}])
    member = observation(IHC, id="m", valueString="1+")
    graph = Graph.of([panel, member])
    terms = Terms.of(catalogue())
    both = [
        sample_links(
            one,
            graph,
            terms,
            specimen=None,
            named=sample_names(one, graph, terms, specimen=None),
        ).orders
        for one in (panel, member)
    ]
    assert both == [frozenset({"Observation/o1"})] * 2
