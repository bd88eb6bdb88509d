"""What stands around a result and may take its meaning away: another patient, side, test or conclusion.

The resources that a result leans on are held against it. A contradiction is named with both sides and
makes the case one for review; none of it gives a category.

Source: rules text, Which results count, 7, 8 and 11 [P]; FHIR R4 extensibility.html (modifierExtension),
safety.html items 2, 3 and 11 (modifiers, implicitRules, focus); specimen-definitions.html (status).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from adapter.fhir.answer import concept_answer
from adapter.fhir.contents import IN_DOUBT
from adapter.fhir.links import SampleNames
from adapter.fhir.meanings import ASSAY_OF_ROLE
from adapter.fhir.other_tumour import is_of_another_tumour
from adapter.fhir.question import question_of
from adapter.fhir.references import Graph, panels_around, reference_to, with_parents
from adapter.fhir.sample_words import display_of_specimen
from adapter.fhir.shapes import child, is_filled, objects, string, texts
from adapter.fhir.site import focus_conditions, names_other_tumour
from adapter.fhir.stated import Conflict
from adapter.fhir.strict_json import JsonObject
from adapter.fhir.terms import Terms, holds, meanings
from adapter.fhir.text.remarks import remarks_in
from adapter.her2.model import ResultWord, SampleKind
from adapter.terminology.vocabulary import TestRole, WordKind

_SOMEONE_ELSE: Final = frozenset(
    {
        *("Patient", "RelatedPerson", "Person", "Group", "Practitioner", "PractitionerRole"),
        *("Device", "Location", "Organization", "Substance", "Medication"),
    }
)
"""What a focus may name instead of the patient: a fetus, a donor, a control slide."""
_VOID_SPECIMENS: Final = ("entered-in-error", "unsatisfactory")
_WHOLE_TESTS: Final = (TestRole.IHC, TestRole.ISH, TestRole.OVERALL)
_NO_TEST: Final = "treatment"
_IN_BLOOD: Final = frozenset({"serum-test", "sequencing-copy-number"})
"""Words for another test that name a sample without tumour cells: serum, plasma, cell-free DNA."""


def conflicts_around(
    observation: JsonObject,
    *,
    graph: Graph,
    terms: Terms,
    specimen: JsonObject | None,
    named: SampleNames,
) -> tuple[Conflict, ...]:
    """Find what around a result contradicts it.

    Args:
        observation: a HER2 result as parsed JSON, of any shape; not changed.
        graph: the resources its references lead to, its reports and panels among them.
        terms: the vocabulary.
        specimen: its Specimen, where it is at hand.
        named: what the result and these call its sample.

    """
    own = reference_to(observation)
    conditions = focus_conditions(observation, graph)
    reports = [graph.get(name) or {} for name in graph.reports_of(own)]
    panels = panels_around(observation, graph)
    taken = with_parents(specimen, graph)
    found = [
        *_modified(observation, [*taken, *conditions, *reports, *panels], terms),
        *_about_someone_else(observation, graph),
        *_of_another_patient(observation, [*taken, *conditions, *reports], graph),
        *_of_another_side(named),
        *_of_another_sample(named),
        *_of_another_test(observation, taken, terms),
        *_in_doubt(taken, terms),
        *_of_a_control(observation, taken, terms),
    ]
    return tuple(dict.fromkeys(found))


def _modified(
    observation: JsonObject, around: list[JsonObject], terms: Terms
) -> Iterator[Conflict]:
    """Name a modifier extension of what a result leans on, the gene it studied among it."""
    genes = (
        part
        for part in objects(observation.get("component"))
        if question_of(part.get("code"), terms).role is TestRole.GENE_STUDIED
    )
    if any(is_filled(one.get("modifierExtension")) for one in (*around, *genes)):
        yield Conflict("modifier-extension")
    if any(is_filled(one.get("implicitRules")) for one in (observation, *around)):
        yield Conflict("implicit-rules")


def _about_someone_else(observation: JsonObject, graph: Graph) -> Iterator[Conflict]:
    """Name a focus that is no part or disease of the patient, but another person or a thing."""
    subject = graph.normal(string(child(observation, "subject"), "reference"), within=observation)
    for pointer in objects(observation.get("focus")):
        reference = string(pointer, "reference")
        found = graph.resolve(reference, within=observation) if reference else None
        name = graph.normal(reference, within=observation) if reference else None
        kind = string(found, "resourceType") or string(pointer, "type")
        kind = kind or (name or "").rpartition("/")[0].rpartition("/")[2]
        if name != subject and kind in _SOMEONE_ELSE:
            yield Conflict("focus-on-someone-else")


def _of_another_patient(
    observation: JsonObject, around: list[JsonObject], graph: Graph
) -> Iterator[Conflict]:
    """Name a specimen, disease or report whose subject is another Patient than the result's."""
    subject = graph.normal(string(child(observation, "subject"), "reference"), within=observation)
    for one in around:
        other = graph.normal(string(child(one, "subject"), "reference"), within=one)
        both = (subject or "", other or "")
        if both[0] != both[1] and all(name.startswith("Patient/") for name in both):
            yield Conflict("subjects-differ")


def _of_another_side(named: SampleNames) -> Iterator[Conflict]:
    """Name two sides that a result, its specimen, its panel and its disease are said to be of."""
    known = [sides for sides in named.sides if len(sides) == 1]
    says_both = any(len(one.sides) > 1 for one in (*named.own.places, *named.own.components))
    if says_both or len(set().union(*known)) > 1:
        yield Conflict("sides-differ", "left against right")


def _of_another_sample(named: SampleNames) -> Iterator[Conflict]:
    """Name a metastasis beside the tumour it came from, or two components of which one is of a metastasis.

    A core biopsy beside a metastasis is one only of two components: it may be the metastasis that was biopsied.
    """
    both = {SampleKind.PRIMARY, SampleKind.METASTASIS}
    ends = {kinds & both for kinds in (named.specimen, *(one.kinds for one in named.own.all))}
    parts = (one.kinds for one in named.own.components if one.kinds)
    if {frozenset({kind}) for kind in both} <= ends:
        yield Conflict("samples-differ", "primary against metastasis")
    elif len({SampleKind.METASTASIS in kinds for kinds in parts}) > 1:
        yield Conflict("samples-differ", "metastasis against another sample")


def _of_another_test(
    observation: JsonObject, taken: list[JsonObject], terms: Terms
) -> Iterator[Conflict]:
    """Name a method, a sample or a component that belongs to another test or another tumour."""
    methods = {name for text in texts(observation.get("method")) for name in _tests_in(text, terms)}
    if methods - {_NO_TEST}:
        said = " and ".join(sorted(methods - {_NO_TEST})).replace("-", " ")
        yield Conflict("test-code-against-method", f"IHC or ISH against {said}")
    samples = (text for one in taken for text in texts(one.get("type")))
    if any(_IN_BLOOD & _tests_in(text, terms) for text in samples):
        yield Conflict("specimen-not-of-tissue")
    for part in objects(observation.get("component")):
        asked = question_of(part.get("code"), terms, part_of=TestRole.OVERALL)
        if asked.assay and names_other_tumour(texts(part.get("code")), terms):
            yield Conflict("component-of-another-tumour")


def _of_a_control(
    observation: JsonObject, taken: list[JsonObject], terms: Terms
) -> Iterator[Conflict]:
    """Name a sample that is called a control, a cell line or a xenograft: it holds no tumour of the patient's."""
    said = [text for one in taken for text in texts(one.get("type"))]
    said += display_of_specimen(observation)
    named = (terms.tokens_of_sample(text) for text in said)
    if any("control" in meanings(tokens, WordKind.CONTROL) for tokens in named):
        yield Conflict("specimen-is-a-control")


def _in_doubt(taken: list[JsonObject], terms: Terms) -> Iterator[Conflict]:
    """Name a specimen that is said to be another's, not to be used, or of another tumour."""
    for one in taken:
        said = [string(note, "text") for note in objects(one.get("note"))]
        said += [text for condition in objects(one.get("condition")) for text in texts(condition)]
        is_void = string(one, "status") in _VOID_SPECIMENS
        if is_void or remarks_in(said, terms).doubts(None) or is_of_another_tumour(said, terms):
            yield Conflict(IN_DOUBT)


def _tests_in(text: str, terms: Terms) -> set[str]:
    tokens = terms.tokens(text)
    return set() if holds(tokens, WordKind.NEGATION) else meanings(tokens, WordKind.OTHER_TEST)


def concluded(observation: JsonObject, graph: Graph, terms: Terms) -> frozenset[ResultWord]:
    """Name the coded HER2 conclusions of the reports that list a result; none of an adjudicated report.

    An adjudication settles what differs; it is for the laboratory's final overall result to state it.
    """
    reports = (graph.get(name) or {} for name in graph.reports_of(reference_to(observation)))
    concepts = [concept for report in reports for concept in objects(report.get("conclusionCode"))]
    if remarks_in((text for concept in concepts for text in texts(concept)), terms).adjudicated:
        return frozenset()
    answers = [concept_answer(concept, TestRole.OVERALL, terms).stated for concept in concepts]
    words = {answer.overall or (answer.ish and answer.ish.word) for answer in answers}
    return frozenset(word for word in words if word and word is not ResultWord.NOT_DONE)


def shares_report(observation: JsonObject, graph: Graph, terms: Terms) -> bool:
    """Tell whether a report of a result is of several samples: two specimens, or one test twice."""
    reports = (graph.get(name) or {} for name in graph.reports_of(reference_to(observation)))
    return any(_is_of_several(report, graph, terms) for report in reports)


def _is_of_several(report: JsonObject, graph: Graph, terms: Terms) -> bool:
    listed = graph.resolve_all(report.get("result"), within=report)
    members = (graph.resolve_all(one.get("hasMember"), within=one) for one in listed)
    every = {
        reference_to(one): one for one in (*listed, *(m for several in members for m in several))
    }
    standing = [one for one in every.values() if string(one, "status") != "entered-in-error"]
    asked = [(one, question_of(one.get("code"), terms).role) for one in standing]
    tests = [role for _, role in asked if role in _WHOLE_TESTS]
    specimens = set(graph.normals(report.get("specimen"), within=report))
    specimens |= {
        name
        for one, role in asked
        if role in ASSAY_OF_ROLE
        for name in graph.normals(one.get("specimen"), within=one)
    }
    return len(specimens) > 1 or len(set(tests)) < len(tests)
