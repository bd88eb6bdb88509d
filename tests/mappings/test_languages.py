"""Protects the vocabulary in use: reports of seven languages and Chinese are read whole, and each word can be found."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from adapter.fhir.stated import Stated
from adapter.fhir.terms import Terms
from adapter.fhir.text.reader import Reading, read
from adapter.fhir.text.tokens import Lexicon
from adapter.terminology.catalogue import Catalogue
from adapter.terminology.vocabulary import TestRole

IHC_TEXTS = [
    ("en", "HER2: Positive (3+ by IHC)", "3+ positive"),
    ("en", "incomplete faint membrane staining in 5 % of tumor cells (score 0)", "0 faint"),
    ("en", "2+, reflex FISH pending", "2+"),
    ("en", "no membranous staining observed, score 0", "0 none"),
    ("de", "HER2 negativ (Score 0)", "0 negative"),
    ("de", "HER2-Status: negativ (Score 1+)", "1+ negative"),
    ("de", "keine Membranfärbung, Score 0", "0 none"),
    (
        "de",
        "starke, komplette Membranfärbung in 80 % der invasiven Tumorzellen (Score 3+)",
        "3+ intense-complete",
    ),
    (
        "de",
        "2+ (schwache bis mäßige komplette Färbung in 30 % der Zellen), FISH empfohlen",
        "2+ weak-to-moderate-complete",
    ),
    ("de", "2+, FISH wird durchgeführt", "2+"),
    ("fr", "HER2 négatif", "negative"),
    ("fr", "HER2 : score 1+ ; FISH non réalisée", "1+"),
    ("fr", "HER2 score 3 croix", "3+"),
    (
        "fr",
        "Marquage membranaire complet et intense de 90 % des cellules tumorales (score 3+)",
        "3+ intense-complete",
    ),
    ("fr", "2+ (équivoque), FISH à réaliser", "2+ equivocal"),
    ("es", "HER2: NEGATIVO (SCORE 0)", "0 negative"),
    ("es", "HER2: Negativo (score 1+)", "1+ negative"),
    ("es", "equívoco (2+), pendiente de FISH", "2+ equivocal"),
    (
        "es",
        "tinción de membrana completa e intensa en más del 10 % de las células tumorales, 3+",
        "3+ intense-complete",
    ),
    ("pt", "negativo (escore 1+)", "1+ negative"),
    ("pt", "2+, FISH pendente", "2+"),
    (
        "pt",
        "marcação de membrana completa e intensa em mais de 10% das células tumorais, escore 3+",
        "3+ intense-complete",
    ),
    ("it", "HER2 negativo (punteggio 0)", "0 negative"),
    ("it", "2+, FISH in corso", "2+"),
    (
        "it",
        "colorazione di membrana completa e intensa nelle cellule tumorali, score 3+",
        "3+ intense-complete",
    ),
    ("nl", "HER2 negatief (score 1+)", "1+ negative"),
    ("nl", "2+, FISH volgt", "2+"),
    (
        "nl",
        "sterke volledige membraanaankleuring in meer dan 10 % van de tumorcellen, 3+",
        "3+ intense-complete",
    ),
    ("zh", "C-erbB-2(+++)", "3+"),
    ("zh", "HER2(2+)", "2+"),
]

ISH_TEXTS = [
    ("en", "HER2 gene amplification: not detected", "negative"),
    ("en", "negative for amplification", "negative"),
    ("en", "HER2/D17Z1 ratio 2.1", "ratio 2.1"),
    ("de", "Nicht amplifiziert", "negative"),
    ("de", "kein Hinweis auf eine HER2-Amplifikation", "negative"),
    ("de", "ohne Nachweis einer Amplifikation", "negative"),
    ("de", "FISH wurde nicht durchgeführt", "not-done"),
    ("de", "HER2/CEP17-Quotient 1,4; mittlere HER2-Genkopienzahl 3,2", "ratio 1.4 copies 3.2"),
    ("fr", "FISH : absence d'amplification du gène HER2", "negative"),
    ("fr", "gène HER2 non amplifié", "negative"),
    ("fr", "amplifié", "positive"),
    (
        "fr",
        "Rapport HER2/CEP17 : 1,3 ; nombre moyen de copies HER2 par cellule : 2,9",
        "ratio 1.3 copies 2.9",
    ),
    ("es", "No se observa amplificación del gen HER2", "negative"),
    ("es", "no realizado", "not-done"),
    (
        "es",
        "Cociente HER2/CEP17: 1,2; número medio de copias de HER2 por célula: 3,1",
        "ratio 1.2 copies 3.1",
    ),
    ("pt", "Não amplificado", "negative"),
    ("pt", "FISH: ausência de amplificação", "negative"),
    (
        "pt",
        "Razão HER2/CEP17: 1,1; número médio de cópias de HER2 por célula: 2,4",
        "ratio 1.1 copies 2.4",
    ),
    ("it", "assenza di amplificazione del gene HER2", "negative"),
    ("it", "HER2 non amplificato, rapporto HER2/CEP17 1,3", "negative ratio 1.3"),
    ("it", "non eseguito", "not-done"),
    ("nl", "HER2 niet geamplificeerd, HER2/CEP17-ratio 1,2", "negative ratio 1.2"),
    ("nl", "geen amplificatie aangetoond", "negative"),
    ("nl", "niet uitgevoerd", "not-done"),
    ("zh", "HER2 FISH未见基因扩增", "negative"),
    ("zh", "基因扩增阳性", "positive"),
]

UNREAD = [
    pytest.param("弱阳性", id="Chinese: weakly positive holds positive"),
    pytest.param("没有扩增", id="Chinese: a negation that is not listed, before amplified"),
    pytest.param("dreifach positiv", id="German: triple positive, or 3+"),
    pytest.param("MET 3+", id="Dutch met is with; English MET is another gene"),
    pytest.param("HER2 dos", id="Spanish two, Portuguese of the"),
    pytest.param("1+ o 2+", id="Spanish or; Portuguese the"),
    pytest.param("recuento 2", id="Spanish: a plain count is no recount"),
    pytest.param("HER2 bajo", id="Spanish low: HER2-low is written in English"),
    pytest.param("HER2 faible", id="French weak staining, or low"),
    pytest.param("non concluant", id="French inconclusive: equivocal or indeterminate?"),
    pytest.param("inconclusive", id="English inconclusive: equivocal or indeterminate?"),
    pytest.param("FISH wird", id="German future without its verb"),
    pytest.param("keine sichere Amplifikation", id="German: no certain amplification"),
    pytest.param("score un", id="French one, or an article"),
]


def reading(catalogue: Catalogue, text: str, asked: TestRole) -> Reading:
    return read(text, Terms.of(catalogue).lexicon, asked)


def said_of_ihc(stated: Stated) -> Iterator[str]:
    ihc = stated.ihc
    assert ihc is not None
    yield from (score.value for score in ihc.scores)
    yield from (part.value for part in (ihc.word, ihc.staining) if part)


def said_of_ish(stated: Stated) -> Iterator[str]:
    ish = stated.ish
    assert ish is not None
    if ish.word:
        yield ish.word.value
    for name, number in (("ratio", ish.ratio), ("copies", ish.her2_copies)):
        if number:
            yield f"{name} {number.value}"


@pytest.mark.parametrize(("language", "text", "said"), IHC_TEXTS, ids=lambda part: str(part))
def test_a_report_of_ihc_is_read_whole(
    catalogue: Catalogue, language: str, text: str, said: str
) -> None:
    found = reading(catalogue, text, TestRole.IHC)

    assert (found.problem, found.stated.conflicts) == ("", ()), language
    # The pattern "faint-incomplete" is named "faint" in the table, by its first word.
    assert " ".join(said_of_ihc(found.stated)).replace("faint-incomplete", "faint") == said


@pytest.mark.parametrize(("language", "text", "said"), ISH_TEXTS, ids=lambda part: str(part))
def test_a_report_of_ish_is_read_whole(
    catalogue: Catalogue, language: str, text: str, said: str
) -> None:
    found = reading(catalogue, text, TestRole.ISH)

    assert (found.problem, found.stated.conflicts) == ("", ()), language
    assert " ".join(said_of_ish(found.stated)) == said


@pytest.mark.parametrize("asked", [TestRole.IHC, TestRole.ISH, TestRole.OVERALL])
@pytest.mark.parametrize("text", UNREAD)
def test_a_text_that_could_mean_two_things_is_not_read(
    catalogue: Catalogue, text: str, asked: TestRole
) -> None:
    assert reading(catalogue, text, asked).problem


@pytest.mark.parametrize("text", ["négatif", "negatif", "negativo", "negativ", "negatief", "阴性"])
def test_pitfall_17_negative_is_never_a_score(catalogue: Catalogue, text: str) -> None:
    found = reading(catalogue, text, TestRole.IHC).stated

    assert list(said_of_ihc(found)) == ["negative"]


@pytest.mark.parametrize(
    "text", ["amplifié", "amplifie", "amplificado", "amplifiziert", "amplificato", "geamplificeerd"]
)
def test_pitfall_17_amplified_is_never_a_score(catalogue: Catalogue, text: str) -> None:
    found = reading(catalogue, text, TestRole.IHC).stated

    assert found.ihc is None
    assert list(said_of_ish(found)) == ["positive"]


def test_every_word_can_be_found_in_a_text(catalogue: Catalogue) -> None:
    lexicon = Lexicon.of(catalogue.words())
    hidden = []
    for word in catalogue.words():
        tokens = lexicon.tokens(word.phrase)
        found = tokens[0].word if len(tokens) == 1 else None
        if found is None or (found.kind, found.meaning) != (word.kind, word.meaning):
            hidden.append(word.phrase)

    assert hidden == []


@pytest.mark.parametrize("language", ["en", "de", "fr", "es", "pt", "it", "nl"])
@pytest.mark.parametrize(
    "concept",
    [
        "result.positive",
        "result.negative",
        "result.indeterminate",
        "ish-result.positive",
        "ish-result.negative",
        "assay.ihc",
        "assay.ish",
        "not-done",
        "negation",
        "recommendation",
        "staining.none",
        "staining.faint",
        "staining.incomplete",
        "staining.weak",
        "staining.moderate",
        "staining.intense",
        "staining.complete",
        "quantity.ratio",
        "quantity.her2-copies",
        "quantity.cep17-copies",
        "quantity.percent",
        "comparator.<",
        "comparator.<=",
        "comparator.>",
        "comparator.>=",
        "filler",
    ],
)
def test_each_language_has_its_words(catalogue: Catalogue, language: str, concept: str) -> None:
    """Words that two languages share stand once, under the first; so Portuguese may borrow Spanish."""
    shared = {"pt": {"es", "fr"}, "it": {"es", "fr", "en"}, "nl": {"de", "en"}, "fr": {"en"}}
    languages = {language, "*"} | shared.get(language, set())

    assert any(w.row.code == concept and w.language in languages for w in catalogue.words())
