"""What a result's own words say of its sample: its tests' names, its method and values, its specimen's display.

A laboratory without Specimens writes "HER2 IHC, left breast" or "2+ (liver metastasis)". A note is no such place: it
speaks of other samples too. Nor is the published name of a test code: "primary malignant neoplasm" stands in the name
of a test that is used for metastases as well.

Source: rules text, Which results count, 1 and 10 [P].
"""

from __future__ import annotations

from collections.abc import Iterable

from adapter.fhir.question import question_of
from adapter.fhir.shapes import child, codings, objects, string, texts
from adapter.fhir.strict_json import JsonObject
from adapter.fhir.terms import Terms, meanings
from adapter.fhir.text.reader import MAX_LENGTH
from adapter.her2.model import SampleKind
from adapter.terminology.vocabulary import TestRole, WordKind

Place = tuple[str, ...]
"""The texts of one place, which speak of one sample."""


def display_of_specimen(observation: JsonObject) -> Place:
    """Give the name of the specimen, as the reference to it shows it."""
    return _filled([string(observation.get("specimen"), "display")])


def own_places(observation: JsonObject, terms: Terms) -> list[Place]:
    """Give the places where a result, or one of its HER2 components, may name its sample."""
    own = (
        names(observation.get("code"), terms),
        _filled(texts(observation.get("method"))),
        _values(observation),
        *component_places(observation, terms),
    )
    return [place for place in own if place]


def component_places(observation: JsonObject, terms: Terms) -> list[Place]:
    """Give name and value of each HER2 component; one of another test may speak of another sample."""
    parts = objects(observation.get("component"))
    her2 = (one for one in parts if question_of(one.get("code"), terms, part_of=TestRole.OVERALL).assay)
    return [(*names(one.get("code"), terms), *_values(one)) for one in her2]


def names(code: object, terms: Terms) -> Place:
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


def sides_in(place: Place, terms: Terms) -> set[str]:
    """Find the sides that a place names."""
    return {side for text in place for side in meanings(terms.tokens(text), WordKind.SIDE)}


def kinds_in(place: Place, terms: Terms) -> set[SampleKind]:
    """Find the kinds of sample that a place names."""
    found = (meanings(terms.tokens(text), WordKind.SAMPLE_KIND) for text in place)
    return {SampleKind(kind) for kinds in found for kind in kinds}


def _values(element: JsonObject) -> Place:
    """Give what a value says in words; a narrative, which is not read, speaks of many samples."""
    said = [string(element, "valueString"), *texts(child(element, "valueCodeableConcept"))]
    return _filled(text for text in said if len(text) <= MAX_LENGTH)


def _filled(said: Iterable[str]) -> Place:
    return tuple(text for text in said if text)
