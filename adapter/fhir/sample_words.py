"""What a result's own words say of its sample: its tests' names, its method and values, its specimen's display.

A laboratory without Specimens writes "HER2 IHC, left breast" or "2+ (liver metastasis)". A note is no such place: it
speaks of other samples too. Nor is the published name of a test code: "primary malignant neoplasm" stands in the name
of a test that is used for metastases as well.

Source: rules text, Which results count, 1 and 10 [P].
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from adapter.fhir.question import question_of
from adapter.fhir.shapes import child, codings, objects, string, texts
from adapter.fhir.strict_json import JsonObject
from adapter.fhir.terms import Terms, meanings
from adapter.fhir.text.reader import MAX_LENGTH
from adapter.fhir.text.tokens import Token
from adapter.her2.model import SampleKind
from adapter.terminology.vocabulary import WordKind
from adapter.terminology.words import ANY_LANGUAGE

Texts = tuple[str, ...]
_SIDES: Final = ("left", "right")
_BETWEEN: Final = (",", ".", "(", ")", "[", "]")
"""Signs that may stand between the breast and an abbreviated side."""


@dataclass(frozen=True)
class Named:
    """The sides and kinds of sample that one place names."""

    sides: frozenset[str] = frozenset()
    kinds: frozenset[SampleKind] = frozenset()


@dataclass(frozen=True)
class OwnWords:
    """What a result says of its sample, place by place.

    `display`: the name of its specimen. `places`: its tests' names, its method, its value. `components`: each HER2
    component; one of another test may speak of another sample.
    """

    display: Named
    places: tuple[Named, ...]
    components: tuple[Named, ...]

    @property
    def all(self) -> tuple[Named, ...]:
        """Every place, the specimen's name first."""
        return (self.display, *self.places, *self.components)


def own_words(observation: JsonObject, terms: Terms) -> OwnWords:
    """Read a result's own words, once; they are looked at in several ways."""
    value = named_in(_values(observation), terms)
    if len(value.sides) > 1 and string(observation, "valueString"):
        value = Named()  # a written value that names both is not read anyway
    name = named_in(names(observation.get("code"), terms), terms)
    method = named_in(_filled(texts(observation.get("method"))), terms)
    asked = question_of(observation.get("code"), terms)
    whole = asked.role if asked.assay else None
    parts = objects(observation.get("component"))
    her2 = (one for one in parts if question_of(one.get("code"), terms, part_of=whole).assay)
    components = ((*names(one.get("code"), terms), *_values(one)) for one in her2)
    return OwnWords(
        named_by(display_of_specimen(observation), terms),
        (name, method, value),
        tuple(named_in(place, terms) for place in components),
    )


def named_in(said: Texts, terms: Terms) -> Named:
    """Find the sides and kinds of sample that texts name."""
    tokens = [token for text in said for token in terms.tokens(text)]
    kinds = meanings(tokens, WordKind.SAMPLE_KIND)
    return Named(frozenset(meanings(tokens, WordKind.SIDE)), frozenset(map(SampleKind, kinds)))


def named_by(said: Texts, terms: Terms) -> Named:
    """Find what names of a specimen or a site name, sides by their abbreviations too."""
    sides = frozenset(side for text in said for side in sides_of_name(text, terms))
    return Named(sides, named_in(said, terms).kinds)


def sides_of_name(name: str, terms: Terms) -> set[str]:
    """Find the sides in the name of a specimen, a site or a disease: "left breast", "Breast, Lt", "Mamma re.".

    An abbreviation counts only right beside a word for the breast, of the same language.
    """
    if sides := meanings(terms.tokens(name), WordKind.SIDE):
        return sides
    tokens = [token for token in terms.tokens_of_diagnosis(name) if not token.is_sign(*_BETWEEN)]
    folded = name.casefold()
    short = [token for token in tokens if _is_short_side(token) and f"{token.text}-" not in folded]
    pairs = [pair for one, other in pairwise(tokens) for pair in ((one, other), (other, one))]
    is_of_breast = any(
        side in short and site.is_word(WordKind.SITE_BREAST) and _speak_one_language(side, site)
        for side, site in pairs
    )
    return {token.meaning for token in short} if is_of_breast else set()


def _is_short_side(token: Token) -> bool:
    return token.is_word(WordKind.DIAGNOSIS) and token.meaning in _SIDES


def _speak_one_language(one: Token, other: Token) -> bool:
    languages = {token.word.language for token in (one, other) if token.word}
    return len(languages - {ANY_LANGUAGE}) <= 1


def display_of_specimen(observation: JsonObject) -> Texts:
    """Give the name of the specimen, as the reference to it shows it."""
    return _filled([string(observation.get("specimen"), "display")])


def names(code: object, terms: Terms) -> Texts:
    """Give what a laboratory calls a test, without the names that the codes' publishers gave."""
    concepts = objects(code if isinstance(code, list) else [code])
    said = (text for concept in concepts for text in texts(concept))
    known = (
        terms.catalogue.test_code(string(coding, "system"), string(coding, "code"))
        for concept in concepts
        for coding in codings(concept)
    )
    published = {found.row.display.casefold() for found in known if found is not None}
    return _filled(text for text in said if text.casefold() not in published)


def _values(element: JsonObject) -> Texts:
    """Give what a value says in words; a narrative, which is not read, speaks of many samples."""
    said = [string(element, "valueString"), *texts(child(element, "valueCodeableConcept"))]
    return _filled(text for text in said if len(text) <= MAX_LENGTH)


def _filled(said: Iterable[str]) -> Texts:
    return tuple(text for text in said if text)
