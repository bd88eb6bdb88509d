"""Protects a site's own words: its phrase counts alone, and what is one phrase to the reader is one to the overlay."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.fhir.terms import Terms
from adapter.fhir.text.reader import read
from adapter.fhir.text.tokens import Lexicon, TokenKind
from adapter.her2.model import ResultWord
from adapter.terminology.catalogue import load_catalogue
from adapter.terminology.vocabulary import MapRow, TestRole, Word, WordKind
from adapter.terminology.words import spelling
from tests.unit.fhir.recognising import catalogue
from tests.unit.terminology.mapping_sets import overlay, site_words

_PHRASES = sorted(word.phrase for word in catalogue().words())


def with_site(folder: Path, kind: str, meaning: str, *phrases: str) -> Terms:
    return Terms.of(load_catalogue(overlays=[overlay(folder, site_words(kind, meaning, *phrases))]))


@pytest.mark.parametrize("phrase", ["amplified", "amplif-ied x", "clusters seen"])
def test_a_sites_phrase_is_read_as_the_site_means_it(tmp_path: Path, phrase: str) -> None:
    terms = with_site(tmp_path, "ish-result", "equivocal", phrase)
    found = read(phrase, terms.lexicon, TestRole.ISH)

    assert found.is_whole
    assert found.stated.ish is not None
    assert found.stated.ish.word is ResultWord.EQUIVOCAL


def test_a_sites_phrase_of_another_kind_replaces_the_shipped_one_whole(tmp_path: Path) -> None:
    before = Terms.of(catalogue())
    assert read("not amplified", before.lexicon, TestRole.ISH).is_whole
    terms = with_site(tmp_path, "recommendation", "recommendation", "not amplified")
    (token,) = terms.lexicon.tokens("NOT-amplified")

    assert token.is_word(WordKind.RECOMMENDATION)
    found = read("not amplified", terms.lexicon, TestRole.ISH).stated.ish
    assert found is not None
    assert found.word is ResultWord.NOT_DONE


def word(phrase: str, meaning: str) -> Word:
    row = MapRow("map", "system", "code", meaning)
    return Word(phrase, WordKind.RESULT, meaning, "*", row)


def is_one_phrase(first: str, second: str) -> bool:
    """Ask the reader: of two meanings of one phrase it understands neither."""
    lexicon = Lexicon.of([word(first, "positive"), word(second, "negative")])
    return lexicon.tokens(first)[0].kind is TokenKind.UNKNOWN


@given(st.sampled_from(_PHRASES), st.sampled_from(_PHRASES))
def test_phrases_are_one_to_the_overlay_as_to_the_reader(first: str, second: str) -> None:
    if any(map(str.isalpha, first)) and any(map(str.isalpha, second)):
        assert is_one_phrase(first, second) == (spelling(first) == spelling(second))


def test_neighbours_of_the_vocabulary_are_told_apart_as_the_reader_does() -> None:
    lettered = [phrase for phrase in _PHRASES if any(map(str.isalpha, phrase))]
    by_letters = sorted(lettered, key=lambda text: "".join(filter(str.isalnum, text)))
    for first, second in pairwise(by_letters):
        assert is_one_phrase(first, second) == (spelling(first) == spelling(second)), (
            first,
            second,
        )
