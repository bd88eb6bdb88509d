"""Protects the rules of phrases: tidy, of a known kind, with a meaning that its kind can have, and once."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.terminology.mapping_files import MappingFile
from adapter.terminology.systems import ROW_SOURCE_EXTENSION, WORD_SYSTEM
from adapter.terminology.word_rules import word_defects
from adapter.terminology.words import ANY_LANGUAGE, words


def concept(kind: str, meaning: str, *phrases: str, **changes: Any) -> dict[str, Any]:
    source = [{"url": ROW_SOURCE_EXTENSION, "valueString": "us"}]
    designations = [{"language": "en", "value": p, "extension": source} for p in phrases]
    return {
        "code": f"{kind}.{meaning}",
        "property": [
            {"code": "kind", "valueCode": kind},
            {"code": "meaning", "valueString": meaning},
        ],
        "designation": [{**designation, **changes} for designation in designations],
    }


def file_of(*concepts: dict[str, Any], **changes: Any) -> MappingFile:
    resource = {"resourceType": "CodeSystem", "url": WORD_SYSTEM, "concept": list(concepts)}
    return MappingFile("words.json", {**resource, **changes})


def found(*concepts: dict[str, Any]) -> list[str]:
    return list(word_defects([file_of(*concepts)]))


@pytest.mark.parametrize(
    ("kind", "meaning"),
    [
        ("ihc-score", "0+"),
        ("ihc-score", "1+..2+"),
        ("ihc-score", "off-scale"),
        ("result", "ultralow"),
        ("ish-result", "group-3"),
        ("not-done", "not-done"),
        ("negation", "negation"),
        ("staining", "faint"),
        ("quantity", "cells"),
        ("comparator", "<="),
        ("probe", "dual"),
        ("assay", "ish"),
        ("marker", "recount"),
        ("her2", "her2"),
        ("other-analyte", "ki-67"),
        ("site-breast", "breast"),
        ("site-other", "stomach"),
        ("side", "left"),
        ("sample-kind", "residual"),
        ("filler", "filler"),
    ],
)
def test_a_kind_has_its_meanings(kind: str, meaning: str) -> None:
    assert found(concept(kind, meaning, "a phrase")) == []


@pytest.mark.parametrize(
    ("kind", "meaning"),
    [
        ("ihc-score", "4+"),
        ("ihc-score", "3+..2+"),
        ("result", "not-done"),
        ("result", "amplified"),
        ("ish-result", "low"),
        ("comparator", "="),
        ("assay", "overall"),
        ("marker", "again"),
        ("sample-kind", "not-stated"),
        ("negation", "no"),
        ("site-other", "The Stomach"),
        ("other-analyte", ""),
        ("site-breast", "stomach"),
    ],
)
def test_a_meaning_that_the_kind_cannot_have_is_named(kind: str, meaning: str) -> None:
    assert found(concept(kind, meaning, "a phrase")) == [
        f"words.json: concept[0].designation[0]: meaning {meaning!r} is none that {kind} can have"
    ]


def test_an_unknown_kind_is_named() -> None:
    (defect,) = found(concept("mood", "good", "a phrase"))

    assert "kind 'mood' is none of ihc-score, result" in defect


@pytest.mark.parametrize("phrase", ["", "Positive", "two  blanks", " before", "a\ttab"])
def test_an_untidy_phrase_is_named(phrase: str) -> None:
    (defect,) = found(concept("result", "positive", phrase))

    assert f"phrase {phrase!r} is not in lower case with single blanks" in defect


def test_a_phrase_needs_a_source() -> None:
    (defect,) = found(concept("result", "positive", "a phrase", extension=[]))

    assert (
        defect == "words.json: concept[0].designation[0]: no source: add the extension row-source"
    )


@pytest.mark.parametrize("again", ["over expressed", "over-expressed"])
def test_a_phrase_stands_once_and_a_hyphen_is_a_blank(again: str) -> None:
    (defect,) = found(concept("result", "positive", "over-expressed", again))

    assert f"duplicate phrase {again!r}" in defect
    assert "concept[0].designation[0] already" in defect


@pytest.mark.parametrize(
    "other", [concept("result", "negative", "p"), concept("ish-result", "positive", "p")]
)
def test_a_phrase_with_two_meanings_is_contradictory(other: dict[str, Any]) -> None:
    (defect,) = found(concept("result", "positive", "p"), other)

    assert "contradictory phrase 'p'" in defect


def test_a_phrase_written_with_ss_for_eszett_has_the_same_meaning() -> None:
    (defect,) = found(
        concept("staining", "moderate", "mäßig"), concept("staining", "weak", "mässig")
    )

    assert "contradictory phrase 'mässig'" in defect


@pytest.mark.parametrize("language", ["English", "pt-BR", "EN", ""])
def test_a_language_is_two_letters(language: str) -> None:
    (defect,) = found(concept("result", "positive", "p", language=language))

    assert f"language {language!r} is no two letters" in defect


def test_words_come_longest_first_with_their_row() -> None:
    made = words([file_of(concept("result", "positive", "pos", "positive"))])

    assert [word.phrase for word in made] == ["positive", "pos"]
    assert made[0].row.code == "result.positive"
    assert made[0].language == "en"


def test_a_phrase_without_a_language_is_for_any() -> None:
    bare = concept("ihc-score", "3+", "+++")
    del bare["designation"][0]["language"]

    (word,) = words([file_of(bare)])

    assert word.language == ANY_LANGUAGE == "*"


def test_a_supplement_holds_words_and_wins() -> None:
    site = file_of(
        concept("result", "equivocal", "p"),
        url="http://hospital.test/words",
        supplements=WORD_SYSTEM,
    )

    (word,) = words([file_of(concept("result", "equivocal", "p")), site])

    assert word.row.map == "http://hospital.test/words"


@pytest.mark.parametrize("phrase", ["her2-neu", "her2 neu", "her2neu", "her 2 neu"])
def test_a_later_file_overrides_a_phrase_whole_in_every_spelling(phrase: str) -> None:
    shipped = file_of(concept("her2", "her2", "her2-neu"), concept("result", "positive", "p"))
    site = file_of(concept("filler", "filler", phrase), url="u", supplements=WORD_SYSTEM)

    found = {word.phrase: word.kind.value for word in words([shipped, site])}

    assert found == {phrase: "filler", "p": "result"}


@pytest.mark.parametrize("other", ["her2 new", "her22neu", "her2/neu", "not her2 neu"])
def test_another_phrase_is_left_alone(other: str) -> None:
    shipped = file_of(concept("her2", "her2", "her2-neu"))
    site = file_of(concept("filler", "filler", other), url="u", supplements=WORD_SYSTEM)

    assert {word.phrase for word in words([shipped, site])} == {"her2-neu", other}


def test_a_phrase_in_two_spellings_may_not_have_two_meanings() -> None:
    same = found(concept("her2", "her2", "her2-neu", "her2neu"))
    (defect,) = found(concept("her2", "her2", "her2-neu"), concept("filler", "filler", "her2neu"))

    assert same == []
    assert "contradictory phrase 'her2neu'" in defect


def test_other_code_systems_hold_no_words() -> None:
    other = file_of(concept("result", "positive", "P"), url="http://hospital.test/other")

    assert words([other]) == ()
    assert list(word_defects([other])) == []


def test_a_concept_without_properties_has_no_kind() -> None:
    bare = concept("result", "positive", "p")
    bare["property"] = [{"code": "meaning"}]

    (defect,) = found(bare)

    assert "kind '' is none of" in defect
