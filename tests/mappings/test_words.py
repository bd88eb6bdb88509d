"""Protects the text vocabulary: the words of the survey are there, mean what they say, and hide no number."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from adapter.terminology import systems
from adapter.terminology.catalogue import Catalogue
from adapter.terminology.vocabulary import WordKind

WORDS = [
    ("positive", "result", "positive"),
    ("negative", "result", "negative"),
    ("neg", "result", "negative"),
    ("equivocal", "result", "equivocal"),
    ("indeterminate", "result", "indeterminate"),
    ("test failure", "result", "indeterminate"),
    ("low", "result", "low"),
    ("ultralow", "result", "ultralow"),
    ("negativ", "result", "negative"),
    ("positiv", "result", "positive"),
    ("negatif", "result", "negative"),
    ("négatif", "result", "negative"),
    ("équivoque", "result", "equivocal"),
    ("negativo", "result", "negative"),
    ("阴性", "result", "negative"),
    ("overexpressed", "expression", "positive"),
    ("keine überexpression", "expression", "negative"),
    ("for", "filler", "of-what"),
    ("final result", "filler", "overall"),
    ("amplified", "ish-result", "positive"),
    ("not amplified", "ish-result", "negative"),
    ("non-amplified", "ish-result", "negative"),
    ("amplification: not detected", "ish-result", "negative"),
    ("amplification: detected", "ish-result", "positive"),
    ("amplifiziert", "ish-result", "positive"),
    ("nicht amplifiziert", "ish-result", "negative"),
    ("amplifie", "ish-result", "positive"),
    ("amplifiée", "ish-result", "positive"),
    ("non amplifie", "ish-result", "negative"),
    ("non amplifiée", "ish-result", "negative"),
    ("no amplificado", "ish-result", "negative"),
    ("未见基因扩增", "ish-result", "negative"),
    ("not done", "not-done", "not-done"),
    ("not performed", "not-done", "not-done"),
    ("unk/nd", "not-done", "not-done"),
    ("not available", "not-done", "not-done"),
    ("nicht durchgeführt", "not-done", "not-done"),
    ("+++", "ihc-score", "3+"),
    ("++", "ihc-score", "2+"),
    ("null", "staining", "none"),
    ("no membrane staining", "staining", "none"),
    ("faint", "staining", "faint"),
    ("incomplete", "staining", "incomplete"),
    ("cn", "quantity", "her2-copies"),
    ("her2/cep17 ratio", "quantity", "ratio"),
    ("anzahl her2-signale/zelle", "quantity", "her2-copies"),
    ("greater than", "comparator", ">"),
    ("less than", "comparator", "<"),
    ("dual probe", "probe", "dual"),
    ("single probe", "probe", "single"),
    ("by a second observer", "marker", "recount"),
    ("repeat", "marker", "repeat"),
    ("recommended", "recommendation", "recommendation"),
    ("pending", "recommendation", "recommendation"),
    ("awaiting", "recommendation", "recommendation"),
    ("her2", "her2", "her2"),
    ("her2/neu", "her2", "her2"),
    ("c-erbb-2", "her2", "her2"),
    ("cerbb2", "her2", "her2"),
    ("herceptest", "her2", "her2"),
    ("hecep test", "her2", "her2"),
    ("4b5", "her2", "her2"),
    ("ki-67", "other-analyte", "ki-67"),
    ("interpretation", "filler", "result"),
    ("percentage of tumor cells", "filler", "percent"),
    ("membranfärbung", "filler", "staining"),
    ("percentage", "asked", "percent"),
    ("cen17", "asked", "cep17-copies"),
    ("intensity", "asked", "aspect"),
    ("reactive", "presence", "positive"),
    ("non-reactive", "presence", "negative"),
    ("pd-l1", "other-analyte", "pd-l1"),
    ("her3", "other-analyte", "her3"),
    ("estrogen receptor", "other-analyte", "estrogen-receptor"),
    ("blood culture", "other-analyte", "other-marker"),
    ("li-rads", "other-analyte", "other-marker"),
    ("irs", "other-analyte", "other-marker"),
    ("mammakarzinom", "site-breast", "breast"),
    ("gastric", "site-other", "stomach"),
    ("left", "side", "left"),
    ("droite", "side", "right"),
    ("core needle biopsy", "sample-kind", "core"),
    ("metastasis", "sample-kind", "metastasis"),
]


@pytest.mark.parametrize(("phrase", "kind", "meaning"), WORDS, ids=lambda part: str(part))
def test_a_word_means_what_it_says(
    catalogue: Catalogue, phrase: str, kind: str, meaning: str
) -> None:
    found = [word for word in catalogue.words() if word.phrase == phrase]

    assert [(word.kind.value, word.meaning) for word in found] == [(kind, meaning)]


def test_the_longest_phrase_comes_first(catalogue: Catalogue) -> None:
    lengths = [len(word.phrase) for word in catalogue.words()]

    assert lengths == sorted(lengths, reverse=True)


def test_every_kind_has_words(catalogue: Catalogue) -> None:
    for kind in WordKind:
        assert catalogue.words_of(kind), kind
        assert {word.kind for word in catalogue.words_of(kind)} == {kind}


def test_a_phrase_stands_once_whatever_its_hyphens(catalogue: Catalogue) -> None:
    counts = Counter(word.phrase.replace("-", " ") for word in catalogue.words())

    assert [phrase for phrase, count in counts.items() if count > 1] == []


def test_languages_are_named_and_english_german_french_and_spanish_are_there(
    catalogue: Catalogue,
) -> None:
    languages = {word.language for word in catalogue.words()}

    assert {"*", "en", "de", "fr", "es"} <= languages
    assert all(language == "*" or re.fullmatch(r"[a-z]{2}", language) for language in languages)


def test_a_phrase_names_the_concept_that_holds_it(catalogue: Catalogue) -> None:
    (word,) = (word for word in catalogue.words() if word.phrase == "nicht amplifiziert")

    assert word.language == "de"
    assert (word.row.map, word.row.code) == (systems.WORD_SYSTEM, "ish-result.negative")


@pytest.mark.parametrize(
    "kind", [WordKind.FILLER, WordKind.HER2, WordKind.NEGATION, WordKind.ASSAY]
)
@pytest.mark.parametrize("sign", ["<", ">", "=", "%", "+"])
def test_no_word_that_changes_nothing_hides_a_sign(
    catalogue: Catalogue, kind: WordKind, sign: str
) -> None:
    assert [word.phrase for word in catalogue.words_of(kind) if sign in word.phrase] == []


def test_no_word_that_changes_nothing_hides_a_number(catalogue: Catalogue) -> None:
    hiding = [w.phrase for w in catalogue.words_of(WordKind.FILLER) if re.search(r"\d", w.phrase)]

    assert hiding == []


@pytest.mark.parametrize(
    "phrase",
    [
        pytest.param("0", id="a bare score: the grammar reads numbers"),
        pytest.param("+", id="a lone plus: it belongs to the number before it"),
        pytest.param("neu", id="German for new, and a neutrophil count's short name"),
        pytest.param("present", id="presence of the protein is no score"),
        pytest.param("sample", id="a number behind it counts samples"),
        pytest.param("specimen", id="a number behind it counts specimens"),
        pytest.param("block", id="a number behind it counts blocks"),
        pytest.param("signals", id="a number behind it is no ratio"),
        pytest.param("average", id="a number behind it is no ratio"),
        pytest.param("intensity", id="an intensity of 3+ is no score of 3+"),
        pytest.param("approximately", id="near a cut-off it decides"),
        pytest.param("or", id="one of two is neither"),
        pytest.param("report", id="a number behind it counts reports"),
        pytest.param("tumor", id="a number behind it counts tumours"),
        pytest.param("pattern", id="a number behind it is no score"),
        pytest.param("value", id="a number behind it may be anything"),
        pytest.param("recuento", id="Spanish for any count"),
        pytest.param("met", id="Dutch for with; a gene"),
        pytest.param("dos", id="Portuguese for of the; Spanish for two"),
        pytest.param("os", id="Portuguese article; bone in French and Latin"),
        pytest.param("era", id="Italian was; the oestrogen receptor alpha"),
        pytest.param("o", id="an article, or the word or"),
        pytest.param("his", id="French for ISH; an English pronoun"),
        pytest.param("rapport", id="French for ratio and for report"),
        pytest.param("rapporto", id="Italian for ratio and for report"),
        pytest.param("relación", id="Spanish for ratio and for any relation"),
        pytest.param("unknown", id="it says nothing of a test that was not done"),
        pytest.param("inconclusive", id="equivocal or indeterminate"),
        pytest.param("nicht vorhanden", id="absent, or not at hand"),
        pytest.param("dreifach positiv", id="3+, or three markers"),
        pytest.param("检测", id="Chinese for test: amplification test is no result"),
        pytest.param("lung", id="where metastases are found is no sign of the primary"),
        pytest.param("lymph node", id="where metastases are found is no sign of the primary"),
    ],
)
def test_a_word_that_could_mislead_is_left_out(catalogue: Catalogue, phrase: str) -> None:
    apart = (WordKind.ASKED, WordKind.DIAGNOSIS)

    assert phrase not in {word.phrase for word in catalogue.words() if word.kind not in apart}


def test_a_public_translation_that_is_wrong_is_not_copied(catalogue: Catalogue) -> None:
    scores = {word.phrase for word in catalogue.words_of(WordKind.IHC_SCORE)}

    assert not scores & {"negatif", "négatif", "amplifie", "amplifié", "negative", "equivocal"}
