"""Protects the tumour's site: no breast category for another tumour, none lost to a metastasis' place."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.fhir.links import specimen_of
from adapter.fhir.references import Graph
from adapter.fhir.site import tumour_site
from adapter.fhir.terms import Terms
from adapter.her2.model import TumourSite
from tests.unit.fhir.recognising import SNOMED, catalogue, concept, observation

ICD_10 = "http://hl7.org/fhir/sid/icd-10"
BREAST, OTHER = TumourSite.BREAST, TumourSite.OTHER
CONTRADICTORY, NOT_STATED = TumourSite.CONTRADICTORY, TumourSite.NOT_STATED
UNCLEAR = TumourSite.UNCLEAR


def site_of(*others: dict[str, Any], **elements: Any) -> TumourSite:
    given = observation(**elements)
    graph = Graph.of([given, *others])
    terms = Terms.of(catalogue())
    return tumour_site(given, graph, terms, specimen=specimen_of(given, graph)).site


def condition(code: dict[str, Any], name: str = "c1", **elements: Any) -> dict[str, Any]:
    return {"resourceType": "Condition", "id": name, "code": code} | elements


def icd(code: str) -> dict[str, Any]:
    return concept((ICD_10, code))


def focused(*conditions: dict[str, Any], **elements: Any) -> TumourSite:
    focus = [{"reference": f"Condition/{c['id']}"} for c in conditions]
    return site_of(*conditions, focus=focus, **elements)


def specimen(**elements: Any) -> dict[str, Any]:
    return {"resourceType": "Specimen", "id": "s1"} | elements


def taken_from(**elements: Any) -> TumourSite:
    return site_of(specimen(**elements), specimen={"reference": "Specimen/s1"})


@pytest.mark.parametrize(
    ("code", "site"),
    [
        (icd("C50.9"), BREAST),
        (icd("C50"), BREAST),
        (icd("C16.9"), OTHER),
        (icd("C18.9"), OTHER),
        (icd("C54.1"), OTHER),
        (icd("C34.1"), OTHER),
        (icd("D05.1"), OTHER),
        (icd("C77.3"), NOT_STATED),
        (icd("C78.0"), NOT_STATED),
        (icd("C79.5"), NOT_STATED),
        (icd("Z15.01"), UNCLEAR),
        (concept((SNOMED, "254837009")), BREAST),
        (concept((SNOMED, "363349007")), OTHER),
        (concept(text="Invasive carcinoma of the breast"), BREAST),
        (concept(text="Gastric adenocarcinoma"), OTHER),
        (concept(text="Non-small cell lung cancer"), OTHER),
        (concept(text="Ductal carcinoma in situ"), OTHER),
        (concept(text="Diabetes"), UNCLEAR),
        (concept(), NOT_STATED),
    ],
    ids=str,
)
def test_a_condition_in_focus_says_where_the_tumour_is(
    code: dict[str, Any], site: TumourSite
) -> None:
    assert focused(condition(code)) is site


def test_breast_in_focus_outranks_the_place_of_the_specimen() -> None:
    stomach = specimen(type={"text": "gastric biopsy"})
    breast = condition(icd("C50.9"))
    found = site_of(
        breast,
        stomach,
        focus=[{"reference": "Condition/c1"}],
        specimen={"reference": "Specimen/s1"},
    )
    assert found is BREAST


def test_breast_and_another_tumour_both_in_focus_contradict_each_other() -> None:
    assert focused(condition(icd("C50.9")), condition(icd("C16.9"), "c2")) is CONTRADICTORY


def test_in_situ_beside_invasive_breast_cancer_is_breast_and_alone_it_is_other() -> None:
    assert focused(condition(icd("C50.9")), condition(icd("D05.1"), "c2")) is BREAST
    assert focused(condition(icd("D05.1"))) is OTHER


@pytest.mark.parametrize("status", ["refuted", "entered-in-error"])
@pytest.mark.parametrize("as_code", [True, False], ids=["plain code", "concept"])
def test_a_refuted_condition_is_ignored(status: str, as_code: bool) -> None:
    said: Any = status if as_code else concept(("http://x", status))
    assert focused(condition(icd("C16.9"), verificationStatus=said)) is NOT_STATED


def test_a_condition_that_nothing_points_at_is_not_used() -> None:
    assert site_of(condition(icd("C16.9"))) is NOT_STATED


def test_mcode_s_related_condition_is_as_good_as_focus() -> None:
    url = "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-related-condition"
    pointer = [{"url": url, "valueReference": {"reference": "Condition/c1"}}]
    assert site_of(condition(icd("C16.9")), extension=pointer) is OTHER


def test_the_condition_s_body_site_is_asked_where_its_code_names_none() -> None:
    vague = condition(concept(text="Malignant neoplasm"), bodySite=[concept((SNOMED, "76752008"))])
    assert focused(vague) is BREAST


@pytest.mark.parametrize(
    ("text", "site"),
    [
        ("core needle biopsy of breast", BREAST),
        ("metastasis of breast carcinoma", BREAST),
        ("gastric biopsy", OTHER),
        ("lymph node", NOT_STATED),
        ("liver biopsy", NOT_STATED),
        ("lung", NOT_STATED),
        ("bone marrow", NOT_STATED),
        ("pleural fluid", NOT_STATED),
        ("ascites", NOT_STATED),
        ("gastric metastasis", CONTRADICTORY),
        ("breast, ductal carcinoma in situ", CONTRADICTORY),
    ],
)
@pytest.mark.parametrize("place", ["type", "collection site"])
def test_the_specimen_says_it_where_focus_does_not(text: str, site: TumourSite, place: str) -> None:
    said = {"type": {"text": text}}
    if place != "type":
        said = {"collection": {"bodySite": {"text": text}}}
    assert taken_from(**said) is site


def test_the_observation_s_own_body_site_counts() -> None:
    assert site_of(bodySite=concept((SNOMED, "76752008"))) is BREAST


def test_a_contained_specimen_is_looked_at_as_well() -> None:
    inside = {"resourceType": "Specimen", "id": "s", "type": {"text": "breast excision"}}
    assert site_of(contained=[inside], specimen={"reference": "#s"}) is BREAST


def panel(**elements: Any) -> dict[str, Any]:
    """A grouper that holds the result."""
    listed = [{"reference": "Observation/o1"}]
    return observation(concept(text="Biomarkers"), id="p1", hasMember=listed) | elements


STOMACH = specimen(type={"text": "stomach biopsy"})
BREAST_CORE = specimen(type={"text": "breast core biopsy"})
ON_S1 = {"specimen": {"reference": "Specimen/s1"}}
IN_FOCUS = {"focus": [{"reference": "Condition/c1"}]}


@pytest.mark.parametrize(
    ("elements", "others", "site"),
    [
        (ON_S1, [STOMACH], OTHER),
        (ON_S1, [BREAST_CORE], BREAST),
        ({"specimen": {"display": "stomach biopsy"}}, [], OTHER),
        ({"bodySite": {"text": "stomach"}}, [], OTHER),
        ({"bodySite": {"text": "left breast"}}, [], BREAST),
        ({"code": {"text": "Gastric cancer biomarkers"}}, [], OTHER),
        ({"code": {"text": "DCIS biomarkers"}}, [], OTHER),
        ({"code": {"text": "Breast biomarkers"}}, [], NOT_STATED),
        ({"code": {"text": "HER2 panel, breast and stomach"}}, [], NOT_STATED),
        ({"code": {"text": "HER2 in situ hybridization panel"}}, [], NOT_STATED),
        (IN_FOCUS, [condition(icd("C16.9"))], OTHER),
        (IN_FOCUS, [condition(icd("C50.9"))], BREAST),
    ],
    ids=str,
)
def test_a_panel_says_which_tumour_its_members_are_of(
    elements: dict[str, Any], others: list[dict[str, Any]], site: TumourSite
) -> None:
    assert site_of(panel(**elements), *others) is site


def test_a_result_of_the_breast_in_a_panel_of_another_tumour_is_left_to_a_human() -> None:
    breast = {"bodySite": {"text": "breast"}}
    gastric = {"code": {"text": "Gastric cancer biomarkers"}}
    assert site_of(panel(**gastric), **breast) is CONTRADICTORY
    assert site_of(panel(bodySite={"text": "stomach"}), **breast) is CONTRADICTORY
    assert site_of(panel(**gastric), BREAST_CORE, **ON_S1) is CONTRADICTORY
    focused_on_breast = (condition(icd("C50.9")), condition(icd("C16.9"), "c2"))
    other = panel(focus=[{"reference": "Condition/c2"}])
    assert site_of(other, *focused_on_breast, **IN_FOCUS) is CONTRADICTORY
    in_situ = (condition(icd("D05.1")), condition(icd("C50.9"), "c2"))
    assert site_of(other, *in_situ, **IN_FOCUS) is CONTRADICTORY


def test_a_result_s_own_specimen_outranks_that_of_its_panel() -> None:
    stomach = specimen(type={"text": "stomach biopsy"}) | {"id": "s2"}
    other = panel(specimen={"reference": "Specimen/s2"})
    assert site_of(other, stomach, BREAST_CORE, **ON_S1) is BREAST


def test_the_name_of_its_own_specimen_is_not_passed_over_for_that_of_its_panel() -> None:
    shown = {"specimen": {"display": "breast core biopsy"}}
    assert site_of(panel(**ON_S1), STOMACH, **shown) is CONTRADICTORY
    assert site_of(panel(), **shown) is BREAST


def test_a_panel_that_was_withdrawn_says_nothing() -> None:
    gastric = {"code": {"text": "Gastric cancer biomarkers"}, "status": "entered-in-error"}
    assert site_of(panel(**gastric)) is NOT_STATED


@pytest.mark.parametrize(
    ("codes", "site"),
    [
        ([icd("C50.9")], BREAST),
        ([icd("C16.9")], OTHER),
        ([icd("D05.1")], OTHER),
        ([icd("C50.9"), icd("D05.1")], BREAST),
    ],
    ids=["breast", "stomach", "in situ", "both"],
)
def test_a_report_s_conclusion_codes_are_read(codes: list[Any], site: TumourSite) -> None:
    report = {
        "resourceType": "DiagnosticReport",
        "id": "r1",
        "result": [{"reference": "Observation/o1"}],
        "conclusionCode": codes,
    }
    assert site_of(report) is site


def test_an_in_situ_conclusion_beside_a_breast_specimen_is_left_to_a_human() -> None:
    report = {
        "resourceType": "DiagnosticReport",
        "id": "r1",
        "result": [{"reference": "Observation/o1"}],
        "conclusionCode": [icd("D05.1")],
    }
    breast = specimen(type={"text": "breast excision"})
    assert site_of(report, breast, specimen={"reference": "Specimen/s1"}) is CONTRADICTORY


def test_the_test_s_own_name_says_nothing_of_the_site() -> None:
    name = {"coding": [], "text": "HER2 [Presence] in Breast cancer specimen by Immune stain"}
    assert site_of(code=name) is NOT_STATED


def test_a_code_and_words_for_different_organs_contradict_each_other() -> None:
    code = {"coding": [{"system": ICD_10, "code": "C50.9"}], "text": "Gastric carcinoma"}
    assert focused(condition(code)) is CONTRADICTORY


def test_what_a_text_denies_is_no_sign() -> None:
    assert focused(condition(concept(text="No gastric carcinoma"))) is NOT_STATED


@pytest.mark.parametrize(
    "focus", [None, 7, "x", [], [None], [{"reference": 3}], {"reference": "#"}]
)
def test_a_focus_of_any_shape_does_no_harm(focus: Any) -> None:
    assert site_of(focus=focus) is NOT_STATED


def test_a_block_that_says_nothing_is_of_the_tumour_it_was_cut_from() -> None:
    block = specimen(type={"text": "block"}, parent=[{"reference": "Specimen/part"}])
    part = {"resourceType": "Specimen", "id": "part", "parent": [{"reference": "Specimen/whole"}]}
    whole = {"resourceType": "Specimen", "id": "whole", "type": {"text": "gastric resection"}}
    reference = {"reference": "Specimen/s1"}
    assert site_of(block, part, whole, specimen=reference) is OTHER
    breast = {**whole, "type": {"text": "mastectomy, left breast"}}
    assert site_of(block, part, breast, specimen=reference) is BREAST


def test_what_a_block_says_itself_outranks_what_it_was_cut_from() -> None:
    block = specimen(type={"text": "breast tumour"}, parent=[{"reference": "Specimen/whole"}])
    whole = {"resourceType": "Specimen", "id": "whole", "type": {"text": "gastric resection"}}
    assert site_of(block, whole, specimen={"reference": "Specimen/s1"}) is BREAST


def test_specimens_that_are_each_other_s_parents_do_no_harm() -> None:
    first = specimen(parent=[{"reference": "Specimen/s2"}])
    second = {"resourceType": "Specimen", "id": "s2", "parent": [{"reference": "Specimen/s1"}]}
    assert site_of(first, second, specimen={"reference": "Specimen/s1"}) is NOT_STATED


def test_the_report_s_specimens_and_name_speak_for_a_result_that_names_no_specimen() -> None:
    report = {
        "resourceType": "DiagnosticReport",
        "id": "r",
        "result": [{"reference": "Observation/o1"}],
        "specimen": [{"reference": "Specimen/s1"}],
    }
    assert site_of(report, specimen(type={"text": "gastric biopsy"})) is OTHER
    both = [{"reference": "Specimen/s1"}, {"reference": "Specimen/s2"}]
    breast = {"resourceType": "Specimen", "id": "s2", "type": {"text": "breast core biopsy"}}
    two = report | {"specimen": both}
    assert site_of(two, specimen(type={"text": "gastric biopsy"}), breast) is CONTRADICTORY
    named = report | {"specimen": [], "code": {"text": "Breast pathology report"}}
    assert site_of(named) is BREAST


@pytest.mark.parametrize(
    ("text", "site"),
    [("Gastric adenocarcinoma", OTHER), ("Breast cancer", BREAST), ("", NOT_STATED)],
)
@pytest.mark.parametrize("reference", [{}, {"reference": "Condition/elsewhere"}])
def test_a_disease_in_focus_that_is_not_at_hand_is_known_by_its_name(
    text: str, site: TumourSite, reference: dict[str, str]
) -> None:
    assert site_of(focus=[reference | {"display": text}]) is site


def test_a_name_in_focus_counts_beside_a_disease_at_hand() -> None:
    breast = condition(icd("C50.9"))
    focus = [{"reference": "Condition/c1"}, {"display": "Gastric cancer"}]
    assert site_of(breast, focus=focus) is CONTRADICTORY


def test_a_body_structure_or_specimen_in_focus_says_where_the_tumour_is() -> None:
    structure = {"resourceType": "BodyStructure", "id": "b", "location": {"text": "Stomach"}}
    assert site_of(structure, focus=[{"reference": "BodyStructure/b"}]) is OTHER
    taken = specimen(type={"text": "Gastric biopsy"})
    assert site_of(taken, focus=[{"reference": "Specimen/s1"}]) is OTHER


@pytest.mark.parametrize(
    ("display", "site"),
    [("", UNCLEAR), ("Structure 3", UNCLEAR), ("Stomach", OTHER), ("Left breast", BREAST)],
)
@pytest.mark.parametrize(
    "pointer",
    [
        {"reference": "BodyStructure/b"},
        {"reference": "https://other.example/fhir/BodyStructure/b"},
        {"type": "BodyStructure", "identifier": {"value": "77"}},
    ],
)
def test_a_body_structure_in_focus_that_is_not_at_hand_leaves_the_site_open(
    pointer: dict[str, Any], display: str, site: TumourSite
) -> None:
    """It says where the tumour is; that it cannot be read is no "not stated"."""
    assert site_of(focus=[pointer | ({"display": display} if display else {})]) is site


def test_a_breast_specimen_says_what_a_body_structure_that_is_not_at_hand_does_not() -> None:
    taken = specimen(type={"text": "Breast core biopsy"})
    focus = [{"reference": "BodyStructure/b"}]
    assert site_of(taken, focus=focus, specimen={"reference": "Specimen/s1"}) is BREAST


def test_a_specimen_that_says_nothing_is_known_by_its_name() -> None:
    named = {"reference": "Specimen/s1", "display": "Stomach biopsy"}
    assert site_of(specimen=named) is OTHER
    assert site_of(specimen(), specimen=named) is OTHER
    assert site_of(specimen(type={"text": "Breast biopsy"}), specimen=named) is BREAST


@pytest.mark.parametrize("place", ["code", "method"])
@pytest.mark.parametrize(
    ("text", "alone", "beside_breast"),
    [
        ("HER2 IHC gastric", OTHER, CONTRADICTORY),
        ("HER2 IHC, DCIS component", OTHER, CONTRADICTORY),
        ("HER2 IHC, breast and gastric", NOT_STATED, BREAST),
        ("HER2 IHC, breast", NOT_STATED, BREAST),
    ],
)
def test_a_test_for_another_tumour_is_no_breast_result(
    place: str, text: str, alone: TumourSite, beside_breast: TumourSite
) -> None:
    assert site_of(**{place: {"text": text}}) is alone
    focus = [{"reference": "Condition/c1"}]
    assert site_of(condition(icd("C50.9")), focus=focus, **{place: {"text": text}}) is beside_breast


@pytest.mark.parametrize(
    "text",
    [
        "Adenocarcinoma of lung",
        "Adenokarzinom der Lunge",
        "Adénocarcinome pulmonaire",
        "Pancreatic adenocarcinoma",
        "Ovarialkarzinom",
        "cancer de la vessie",
    ],
)
def test_primaries_outside_the_breast_are_known_by_name(text: str) -> None:
    assert focused(condition(concept(text=text))) is OTHER


@pytest.mark.parametrize(
    "text",
    [
        *("胃生検", "大腸", "結腸 生検", "直腸癌", "食道", "子宮内膜", "肺癌", "卵巣癌", "膵癌"),
        *(
            "胃腺癌",
            "结肠",
            "直肠癌",
            "结直肠腺癌",
            "食管癌",
            "子宫内膜",
            "肺腺癌",
            "膀胱癌",
            "胰腺癌",
        ),
        *(
            "Esophagectomy",
            "Oesophagectomy specimen",
            "Barrett mucosa",
            "Biopsia del retto",
            "Reto",
        ),
    ],
)
def test_other_primaries_are_known_by_name_in_chinese_and_japanese_too(text: str) -> None:
    assert taken_from(type={"text": text}) is OTHER


@pytest.mark.parametrize("text", ["乳房 生検", "乳癌", "乳腺癌", "乳腺穿刺"])
def test_the_breast_is_known_by_name_in_chinese_and_japanese_too(text: str) -> None:
    assert taken_from(type={"text": text}) is BREAST


@pytest.mark.parametrize("code", ["69695003", "32849002", "71854001", "34402009", "2739003"])
def test_a_specimen_of_stomach_bowel_or_endometrium_by_code_alone_is_of_another_tumour(
    code: str,
) -> None:
    assert taken_from(collection={"bodySite": concept(code)}) is OTHER


@pytest.mark.parametrize("text", ["Gastrectomy", "Hemikolektomie", "Colectomie"])
def test_a_resection_of_another_organ_is_of_another_tumour(text: str) -> None:
    assert taken_from(type={"text": text}) is OTHER


@pytest.mark.parametrize(
    "text",
    [
        "Gastric adenocarcinoma, not otherwise specified",
        "Magenkarzinom, nicht näher bezeichnet",
        "DCIS only; no invasive carcinoma",
    ],
)
def test_another_tumour_is_seen_wherever_it_is_named_and_whatever_is_denied_beside_it(
    text: str,
) -> None:
    said = {"text": text}
    report = {
        "resourceType": "DiagnosticReport",
        "id": "r1",
        "result": [{"reference": "Observation/o1"}],
        "conclusionCode": [said],
    }
    assert focused(condition(said)) is OTHER
    assert taken_from(type=said) is OTHER
    assert site_of(report) is OTHER


@pytest.mark.parametrize(
    "code",
    [
        concept(text="Adenosquamous lesion with qwertz"),
        concept((ICD_10, "Z99.9")),
        concept((SNOMED, "44054006")),
        concept((SNOMED, "44054006"), text="Qwertz"),
    ],
    ids=str,
)
def test_a_diagnosis_in_focus_that_is_not_understood_is_left_to_a_human_where_nothing_else_tells(
    code: dict[str, Any],
) -> None:
    unknown = condition(code)
    focus = [{"reference": "Condition/c1"}]
    assert focused(unknown) is UNCLEAR
    assert focused(unknown, condition(icd("C50.9"), "c2")) is BREAST
    assert focused(condition(code, bodySite=[concept((SNOMED, "76752008"))])) is BREAST
    taken = {"focus": focus, "specimen": {"reference": "Specimen/s1"}}
    assert site_of(unknown, specimen(type={"text": "Breast core biopsy"}), **taken) is BREAST
    assert site_of(unknown, specimen(type={"text": "Gastric biopsy"}), **taken) is OTHER
    assert site_of(unknown, specimen(type={"text": "Ovary"}), **taken) is UNCLEAR


@pytest.mark.parametrize(
    ("pointer", "site"),
    [
        ({"display": "Qwertz"}, UNCLEAR),
        ({"reference": "Condition/away", "display": "Qwertz"}, UNCLEAR),
        ({"type": "Condition", "display": "Qwertz"}, UNCLEAR),
        ({"reference": "Procedure/away", "display": "Qwertz"}, NOT_STATED),
        ({"type": "Procedure", "display": "Qwertz"}, NOT_STATED),
        ({"reference": "Condition/away"}, NOT_STATED),
    ],
)
def test_a_name_in_focus_is_a_diagnosis_unless_it_says_otherwise(
    pointer: dict[str, str], site: TumourSite
) -> None:
    assert site_of(focus=[pointer]) is site


@pytest.mark.parametrize(
    "text",
    [
        "Invasive ductal carcinoma",
        "Invasive carcinoma of no special type (NST), G2, pT1c pN0",
        "Carcinome infiltrant de type non spécifique",
        "Malignant neoplasm",
        "Secondary malignant neoplasm of liver",
        "Lymph node metastasis",
    ],
)
def test_a_diagnosis_that_is_understood_and_names_no_site_is_no_site_stated(text: str) -> None:
    assert focused(condition(concept(text=text))) is NOT_STATED


@pytest.mark.parametrize(
    ("said", "site"),
    [
        (concept((ICD_10, "C50.9"), text="DCIS"), CONTRADICTORY),
        (concept((ICD_10, "C50.9"), text="Invasive ductal carcinoma with DCIS"), BREAST),
        (concept((ICD_10, "C50.9"), text="Breast carcinoma with DCIS"), BREAST),
        (concept((ICD_10, "D05.1"), text="DCIS"), OTHER),
        (concept((ICD_10, "D05.1"), text="Ductal carcinoma in situ of breast"), OTHER),
        (concept((ICD_10, "D05.1"), text="Invasive ductal carcinoma with DCIS"), CONTRADICTORY),
        (concept((ICD_10, "C16.9"), text="Invasive breast carcinoma"), CONTRADICTORY),
        (concept((ICD_10, "C78.7"), text="Gastric carcinoma"), OTHER),
        (concept((ICD_10, "C78.7"), text="Breast carcinoma"), BREAST),
        (concept((ICD_10, "C78.7"), text="Qwertz"), NOT_STATED),
        (concept((SNOMED, "15497006"), text="Breast carcinoma"), BREAST),
        (concept((SNOMED, "15497006"), text="Qwertz"), UNCLEAR),
    ],
    ids=str,
)
def test_a_code_stands_beside_words_that_say_no_other_thing(
    said: dict[str, Any], site: TumourSite
) -> None:
    assert focused(condition(said)) is site


def test_carcinoma_in_situ_beside_an_invasive_one_is_no_carcinoma_in_situ_alone() -> None:
    invasive = condition(concept(text="Invasive ductal carcinoma"))
    assert focused(invasive, condition(icd("D05.1"), "c2")) is NOT_STATED
    stomach = specimen(type={"text": "Gastric biopsy"})
    found = site_of(
        invasive,
        condition(icd("D05.1"), "c2"),
        stomach,
        focus=[{"reference": "Condition/c1"}, {"reference": "Condition/c2"}],
        specimen={"reference": "Specimen/s1"},
    )
    assert found is OTHER


@pytest.mark.parametrize(
    "said",
    [
        {"text": "Ovary"},
        {"text": "Hysterectomy"},
        {"text": "Harnblase"},
        {"text": "Próstata"},
        concept((SNOMED, "15497006")),
        concept((SNOMED, "15776009")),
    ],
    ids=str,
)
def test_an_organ_where_another_primary_is_as_likely_is_left_to_a_human(
    said: dict[str, Any],
) -> None:
    assert taken_from(type=said) is UNCLEAR
    assert site_of(bodySite=said) is UNCLEAR
    breast = condition(icd("C50.9"))
    found = site_of(
        breast,
        specimen(type=said),
        focus=[{"reference": "Condition/c1"}],
        specimen={"reference": "Specimen/s1"},
    )
    assert found is BREAST


@pytest.mark.parametrize(
    ("text", "site"),
    [
        ("Ovarian metastasis", NOT_STATED),
        ("Metastasis of breast carcinoma in the ovary", BREAST),
        ("Ovarian carcinoma", OTHER),
    ],
)
def test_an_organ_called_a_metastasis_or_a_carcinoma_is_no_longer_open(
    text: str, site: TumourSite
) -> None:
    assert taken_from(type={"text": text}) is site


def test_a_block_that_is_called_invasive_is_still_asked_by_its_parents() -> None:
    block = specimen(type={"text": "Invasive carcinoma"}, parent=[{"reference": "Specimen/w"}])
    whole = {"resourceType": "Specimen", "id": "w", "type": {"text": "Gastrectomy"}}
    assert site_of(block, whole, specimen={"reference": "Specimen/s1"}) is OTHER


@pytest.mark.parametrize(
    ("text", "alone", "beside_breast"),
    [
        ("HER2 IHC (not gastric)", NOT_STATED, BREAST),
        ("HER2 IHC, invasive carcinoma with DCIS", NOT_STATED, BREAST),
        ("HER2 IHC, gastric qwertz not", UNCLEAR, BREAST),
        ("HER2 dual in situ hyb", NOT_STATED, BREAST),
    ],
)
def test_a_denial_in_the_name_of_a_test(
    text: str, alone: TumourSite, beside_breast: TumourSite
) -> None:
    assert site_of(code={"text": text}) is alone
    focus = [{"reference": "Condition/c1"}]
    assert site_of(condition(icd("C50.9")), focus=focus, code={"text": text}) is beside_breast
