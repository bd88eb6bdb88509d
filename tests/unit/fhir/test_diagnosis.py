"""Protects the reading of a diagnosis in words: what is denied, what is doubted, and what a qualifier leaves alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.fhir.diagnosis import BREAST, INVASIVE, ORGAN, OTHER, TumourWords, tumour_words
from adapter.fhir.terms import Terms
from adapter.fhir.text.clause import IN_SITU
from adapter.terminology.vocabulary import WordKind
from tests.unit.fhir.recognising import catalogue

_ASKED = (
    *(WordKind.SITE_OTHER, WordKind.SITE_BREAST, WordKind.NEGATION, WordKind.DIAGNOSIS),
    WordKind.UNSETTLING,
)
_PHRASES = sorted(word.phrase for word in catalogue().words() if word.kind in _ASKED)
TO_A_HUMAN = {BREAST, OTHER}


def read(text: str) -> TumourWords:
    return tumour_words(Terms.of(catalogue()).tokens_of_diagnosis(text))


@pytest.mark.parametrize(
    "text",
    [
        "Gastric adenocarcinoma, not otherwise specified",
        "Gastric adenocarcinoma not otherwise specified",
        "Adenocarcinoma of stomach, no special type",
        "Gastric carcinoma, non-cardia",
        "Gastric adenocarcinoma without metastasis",
        "Gastric adenocarcinoma, no lymph node metastasis",
        "Gastric adenocarcinoma, no liver involvement",
        "Colon adenocarcinoma, not otherwise specified",
        "Non-small cell lung cancer",
        "Non-squamous non-small cell lung cancer",
        "Magenkarzinom, nicht näher bezeichnet",
        "Bösartige Neubildung des Magens, nicht näher bezeichnet",
        "Kolonkarzinom ohne nähere Angabe",
        "Cancer gastrique sans précision",
        "Cancer gastrique, sans autre indication",
        "Adenocarcinoma gástrico, no especificado",
        "Adenocarcinoma gástrico, sin otra especificación",
        "Carcinoma gastrico non altrimenti specificato",
        "Maagcarcinoom, niet nader omschreven",
    ],
)
def test_a_qualifier_or_a_denial_of_something_else_takes_no_site_away(text: str) -> None:
    found = read(text)
    assert OTHER in found.found
    assert BREAST not in found.found


@pytest.mark.parametrize(
    "text",
    [
        "Breast carcinoma, not otherwise specified",
        "Invasive breast carcinoma of no special type (NST)",
        "Invasive breast carcinoma, no special type",
        "Invasives Mammakarzinom, NST, G2, pT2 pN0",
        "Mammakarzinom, nicht näher bezeichnet",
        "Cancer du sein sans autre indication",
        "Breast carcinoma without lymph node metastasis",
        "Invasive breast carcinoma without DCIS component",
        "Breast, not gastric",
        "Breast core biopsy, no calcification",
        "Breast core biopsy without calcifications",
        "Carcinoma mammae",
        "Left breast, 10 o'clock, core needle biopsy",
        "Invasive breast carcinoma with DCIS",
    ],
)
def test_a_breast_cancer_stays_one(text: str) -> None:
    assert read(text).found - {INVASIVE} == {BREAST}


@pytest.mark.parametrize(
    "text",
    [
        "no DCIS",
        "without DCIS component",
        "no DCIS or LCIS",
        "not gastric",
        "No gastric carcinoma",
        "no evidence of gastric primary",
        "kein Magenkarzinom",
        "kein Hinweis auf Magenkarzinom",
        "pas de cancer gastrique",
        "sin carcinoma in situ",
    ],
)
def test_what_is_denied_is_no_sign(text: str) -> None:
    assert read(text).found == set()
    assert read(f"Invasive carcinoma, {text}").found == {INVASIVE}


@pytest.mark.parametrize(
    "text",
    [
        "exclude gastric primary",
        "gastric primary ruled out",
        "non-breast primary excluded",
        "? gastric",
        "Verdacht auf Magenkarzinom",
        "history of gastric carcinoma",
        "Gastric carcinoma not identified",
        "Gastric carcinoma: not seen",
        "Magenkarzinom, nicht klassifizierbar",
        "not only DCIS",
        "not of the stomach",
        "not breast",
        "No invasive carcinoma",
        "DCIS; invasive carcinoma not identified",
        "DCIS. Invasive component: not identified",
        "DCIS. Invasive carcinoma: absent",
        "DCIS, invasion suspected",
        "DCIS, cannot exclude invasion",
        "gastric metastasis",
        "DCIS in breast resection",
        "breast carcinoma with DCIS",
    ],
)
def test_what_may_be_denied_or_is_only_thought_of_is_left_to_a_human(text: str) -> None:
    assert read(text).found >= TO_A_HUMAN


@pytest.mark.parametrize(
    "text",
    [
        "DCIS",
        "DCIS, no invasive component",
        "DCIS only; no invasive carcinoma",
        "Ductal carcinoma in situ without invasion",
        "DCIS, no evidence of invasion",
        "DCIS of breast, no invasive component",
        "Breast carcinoma in situ",
        "Reines DCIS ohne invasiven Anteil",
        "Carcinome canalaire in situ sans composante invasive",
    ],
)
def test_carcinoma_in_situ_alone_is_one(text: str) -> None:
    assert read(text).found == {IN_SITU}


@pytest.mark.parametrize(
    "text",
    [
        "Invasive ductal carcinoma with associated DCIS",
        "Invasives Karzinom mit DCIS-Anteil",
        "Carcinome infiltrant avec composante in situ",
        "Carcinoma ductal infiltrante con componente in situ",
        "DCIS with microinvasion",
        "Infiltrating ductal carcinoma; DCIS",
        "Invasive ductal carcinoma, DCIS possible",
    ],
)
def test_an_invasive_carcinoma_with_a_part_in_situ_is_invasive(text: str) -> None:
    assert read(text).found == {INVASIVE}


@pytest.mark.parametrize(
    "text",
    [
        *("GE junction", "EG junction", "EGJ", "OGJ", "cardia", "antrum", "sigmoid", "cecum"),
        *("Kardia", "AEG", "Magenkorpus", "jonction œsogastrique", "unión esofagogástrica"),
        *("Blasenkarzinom", "câncer de ovário", "Carcinosarcoma of uterus"),
        *("hepatocellular carcinoma", "Zervixkarzinom", "carcinoma dell'ovaio", "Ovariumcarcinoom"),
    ],
)
def test_other_primaries_are_known_in_the_words_of_many(text: str) -> None:
    assert read(text).found == {OTHER}
    assert read(text).is_understood


@pytest.mark.parametrize(
    ("text", "organ"), [("Ovary", True), ("not the ovary", True), ("Liver", False), ("Lung", False)]
)
def test_an_organ_and_a_place_of_metastases_are_two_things(text: str, organ: bool) -> None:
    assert read(text).found == ({ORGAN} if organ else set())


@pytest.mark.parametrize(
    ("text", "is_understood"),
    [
        ("Invasive ductal carcinoma, grade 2, pT2 pN1", True),
        ("No gastric carcinoma", True),
        ("Qwertz", False),
        ("Carcinoma, not qwertz", False),
        ("Carcinoma suspected", False),
        ("", True),
    ],
)
def test_a_diagnosis_is_understood_whole_or_not(text: str, is_understood: bool) -> None:
    assert read(text).is_understood == is_understood


@pytest.mark.parametrize(
    "text",
    [
        *("In-situ-Hybridisierung", "Fluoreszenz-in-situ-Hybridisierung", "hybridation in situ"),
        *("HER2 in situ hyb", "FISH in situ"),
    ],
)
def test_hybridisation_in_situ_is_no_carcinoma_in_situ(text: str) -> None:
    assert read(text).found == set()


@given(st.lists(st.sampled_from([*_PHRASES, ",", ";", "of", "qwertz"]), max_size=7))
def test_whatever_is_said_a_named_tumour_is_denied_by_a_denial_only(words: list[str]) -> None:
    """Of another tumour's name nothing is left only where a word denies it."""
    tokens = Terms.of(catalogue()).tokens_of_diagnosis(" ".join(words))
    found = tumour_words(tokens).found
    names = [t for t in tokens if t.is_word(WordKind.SITE_OTHER) and t.meaning != IN_SITU]
    denials = [
        t
        for t in tokens
        if t.is_word(WordKind.NEGATION) or (t.is_word(WordKind.DIAGNOSIS) and t.meaning == "denial")
    ]
    if names and not denials:
        assert OTHER in found
    if not names and IN_SITU not in {t.meaning for t in tokens} and not denials:
        assert OTHER not in found
