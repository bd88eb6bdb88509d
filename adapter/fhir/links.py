"""What ties a result to its tumour sample: specimen, report, order, side, day.

Facts only, as the resources state them; which results belong together is decided in the core.

Source: rules text, Which results count, 1 [P].
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

from adapter.fhir.diagnosis import is_of_breast
from adapter.fhir.positions import Position, position_in
from adapter.fhir.references import Graph, panels_around, reference_to, with_parents
from adapter.fhir.sample_words import (
    Named,
    OwnWords,
    display_of_specimen,
    named_in,
    names,
    own_words,
    sides_of_name,
)
from adapter.fhir.shapes import child, codings, identifier, is_filled, objects, string, texts
from adapter.fhir.site import focus_conditions, specimens_named_by
from adapter.fhir.strict_json import JsonObject
from adapter.fhir.terms import Terms
from adapter.her2.model import SampleKind, SampleLinks

_OF_BREAST: Final = ("breast", "in-situ")
_MISSING: Final = (
    "ni na nav nask asku msk oth unk null nil none nonumber unknown missing tbd unassigned "
    "notassigned notavailable notapplicable unbekannt keine inconnu inconnue aucun desconocido "
    "ninguno desconhecido nenhum sconosciuto nessuno onbekend geen nieznany brak 不明 未知 无 無 なし"
)
_NO_NUMBER: Final = frozenset(_MISSING.split())
"""What stands where an identifier has to be filled in and there is none, letters and digits alone.

Source: HL7 v3 NullFlavor, FHIR R4 data-absent-reason, and what laboratory systems write for them.
"""
_OF_A_PERSON: Final = frozenset(
    {
        *("MR", "MRT", "PI", "PT", "PN", "PNT", "PE", "SS", "SB", "NI", "NH", "HC", "JHN"),
        *("MI", "MA", "MC", "MB", "AN", "ANON", "ANC", "ANT", "VN"),
        *("BR", "DL", "PPN", "CZ", "PRC", "TAX"),
    }
)
"""Types of an Identifier that are a patient's, an account's or a visit's number, and no sample's.

Source: HL7 v2 table 0203, as in FHIR R4 v2-0203 (ACSN, FILL, PLAC, RI and others name the thing itself).
"""
_NUMBER_OF_PERSON: Final = frozenset(
    {
        "mrn",
        "medical record number",
        "patient id",
        "patient identifier",
        "patient number",
        "visit number",
    }
)
_PLAN: Final = "CarePlan"
"""What `basedOn` may name that orders many tests, for years."""
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d(?=T|\Z)")
_KINDS: Final = (
    SampleKind.METASTASIS,
    SampleKind.RESIDUAL,
    SampleKind.CORE,
    SampleKind.EXCISION,
    SampleKind.PRIMARY,
)
"""What a sample is called first: a core biopsy of a metastasis is a metastasis."""


def specimen_of(observation: JsonObject, graph: Graph) -> JsonObject | None:
    """Follow an Observation's reference to its Specimen; None where it is not at hand."""
    reference = string(observation.get("specimen"), "reference")
    specimen = graph.resolve(reference, within=observation) if reference else None
    is_specimen = specimen is not None and specimen.get("resourceType") == "Specimen"
    return specimen if is_specimen else None


@dataclass(frozen=True)
class SampleNames:
    """What the places around a result call its sample.

    `sides`: of each place, nearest first. `specimen`: kinds that the nearest specimen names which names any.
    `own`: the result's own words. `panels`: kinds that its panels name.
    """

    sides: tuple[frozenset[str], ...]
    specimen: frozenset[SampleKind]
    own: OwnWords
    panels: frozenset[SampleKind]

    @property
    def side(self) -> str | None:
        """The side by the nearest place that names any; None where that names both."""
        nearest = next(filter(None, self.sides), frozenset())
        return next(iter(nearest)) if len(nearest) == 1 else None

    @property
    def kind(self) -> SampleKind:
        """The kind of sample by specimen and own words, else by the panels."""
        named = self.specimen.union(*(one.kinds for one in self.own.all)) or self.panels
        return next((kind for kind in _KINDS if kind in named), SampleKind.NOT_STATED)


def sample_links(
    observation: JsonObject,
    graph: Graph,
    terms: Terms,
    *,
    specimen: JsonObject | None,
    named: SampleNames,
) -> SampleLinks:
    """Collect what ties an Observation to a sample.

    Args:
        observation: a FHIR R4 Observation as parsed JSON, of any shape; not changed.
        graph: the resources its references lead to, its reports and panels among them.
        terms: the vocabulary.
        specimen: its Specimen, where it is at hand.
        named: what `sample_names` gives for it.

    """
    reference = string(observation.get("specimen"), "reference")
    own = reference_to(observation)
    taken = specimen or {}
    position = _position(observation, graph, terms, specimen=specimen)
    return SampleLinks(
        specimen=graph.normal(reference, within=observation) if reference else None,
        specimen_identifiers=_identifiers(
            taken.get("identifier"), child(observation.get("specimen"), "identifier")
        ),
        parents=frozenset(graph.normals(taken.get("parent"), within=taken)),
        accessions=_identifiers(child(taken, "accessionIdentifier")),
        reports=frozenset(graph.reports_of(own)),
        reported_specimens=_reported_specimens(own, graph),
        orders=_orders(observation, graph),
        side=named.side,
        body_site=_body_site(observation, terms, taken),
        in_breast=_in_breast(observation, _taken_from(observation, graph, specimen), terms),
        collected_day=day_of(collected(taken)) or day_of(effective(observation)),
        kind=named.kind,
        specimen_name=None if reference else _specimen_name(observation),
        hours=position.hours,
        quadrants=position.quadrants,
    )


def _position(
    observation: JsonObject, graph: Graph, terms: Terms, *, specimen: JsonObject | None
) -> Position:
    """Read where in the breast the sample was taken, by the nearest place that says it.

    The places: its specimens, the result's own words, those of its panels.
    """
    specimens = _taken_from(observation, graph, specimen)
    said = [
        (*texts(one.get("type")), *texts(child(one, "collection").get("bodySite")))
        for one in specimens
    ]
    said += [
        (*texts(one.get("bodySite")), *display_of_specimen(one), *names(one.get("code"), terms))
        for one in (observation, *panels_around(observation, graph))
    ]
    stated = (position_in(place, terms) for place in said)
    return next((position for position in stated if position.is_stated), Position())


def collected(specimen: JsonObject) -> str:
    """Take when a specimen was collected, or the collection began; "" when not stated."""
    collection = child(specimen, "collection")
    period = child(collection, "collectedPeriod")
    return string(collection, "collectedDateTime") or string(period, "start")


def effective(observation: JsonObject) -> str:
    """Take the time a result is of, or its period's start; "" when not stated."""
    return (
        string(observation, "effectiveDateTime")
        or string(observation, "effectiveInstant")
        or string(child(observation, "effectivePeriod"), "start")
    )


def day_of(date_time: str) -> str | None:
    """Cut a FHIR dateTime to its day, as written where it was taken; None for a mere month."""
    found = _DAY.match(date_time)
    if found is None:
        return None
    try:
        return date.fromisoformat(found[0]).isoformat()
    except ValueError:
        return None


def _identifiers(*values: object) -> frozenset[str]:
    listed = [item for value in values for item in (value if isinstance(value, list) else [value])]
    return frozenset(filter(None, (identifier(one) for one in objects(listed) if _is_number(one))))


def _is_number(value: JsonObject) -> bool:
    """Whether an Identifier's value tells one thing from another: "N/A", "unknown" and "000" do not."""
    said = "".join(sign for sign in string(value, "value").casefold() if sign.isalnum())
    return bool(said.strip("0")) and said not in _NO_NUMBER and not _is_of_a_person(value)


def _is_of_a_person(value: JsonObject) -> bool:
    """Whether an Identifier is typed as a patient's, an account's or a visit's number: all samples of one share it."""
    kind = value.get("type")
    coded = {string(coding, "code").upper() for coding in codings(kind)}
    worded = {" ".join(text.casefold().split()) for text in texts(kind)}
    return bool(coded & _OF_A_PERSON or worded & _NUMBER_OF_PERSON)


def _specimen_name(observation: JsonObject) -> str | None:
    return " ".join(" ".join(display_of_specimen(observation)).casefold().split()) or None


def _reported_specimens(own: str, graph: Graph) -> frozenset[str]:
    """Name the specimens that the reports of a result are based on."""
    reports = map(graph.get, graph.reports_of(own))
    return frozenset(
        specimen
        for report in reports
        if report is not None
        for specimen in graph.normals(report.get("specimen"), within=report)
    )


def _orders(observation: JsonObject, graph: Graph) -> frozenset[str]:
    """Name an accession without a specimen: orders, own identifiers, the panel it is in, or is."""
    own = reference_to(observation)
    ordered = graph.normals(observation.get("basedOn"), within=observation)
    return frozenset(
        {
            *({own} if is_filled(observation.get("hasMember")) else ()),
            *(name for name in ordered if _type_of(name) != _PLAN),
            *_identifiers(observation.get("identifier")),
            *graph.panels_of(own),
        }
    )


def _type_of(reference: str) -> str:
    return reference.rpartition("/")[0].rpartition("/")[2]


def sample_names(
    observation: JsonObject, graph: Graph, terms: Terms, *, specimen: JsonObject | None
) -> SampleNames:
    """Read what a result, its specimens, its panels and the diseases in focus call its sample."""
    own = own_words(observation, terms)
    specimens = _taken_from(observation, graph, specimen)
    panels = panels_around(observation, graph)
    called = [_called(one, terms) for one in panels]
    diseases = [
        disease for one in (observation, *panels) for disease in focus_conditions(one, graph)
    ]
    named_by_diseases = (
        concept for one in diseases for concept in (one.get("code"), *objects(one.get("bodySite")))
    )
    sides = (
        *(
            _sides_of_all([child(one, "collection").get("bodySite"), one.get("type")], terms)
            for one in specimens
        ),
        _sides_of(observation.get("bodySite"), terms),
        *(one.sides for one in own.all),
        *(
            _sides_of(one.get("bodySite"), terms) | name.sides
            for one, name in zip(panels, called, strict=True)
        ),
        _sides_of_all(named_by_diseases, terms),
    )
    of_panels = frozenset(kind for one in called for kind in one.kinds)
    return SampleNames(tuple(map(frozenset, sides)), _kinds_of(specimens, terms), own, of_panels)


def _taken_from(
    observation: JsonObject, graph: Graph, specimen: JsonObject | None
) -> list[JsonObject]:
    """Give a result's specimen and its parents; for one that names none, the one of its panel or report."""
    if specimen is None and not is_filled(observation.get("specimen")):
        reports = map(graph.get, graph.reports_of(reference_to(observation)))
        listing = [*panels_around(observation, graph), *filter(None, reports)]
        named = {reference_to(one): one for one in specimens_named_by(listing, graph)}
        specimen = next(iter(named.values())) if len(named) == 1 else None
    return with_parents(specimen, graph)


def _called(panel: JsonObject, terms: Terms) -> Named:
    """Read what a panel and its specimen are called."""
    return named_in((*names(panel.get("code"), terms), *display_of_specimen(panel)), terms)


def _sides_of_all(concepts: Iterable[object], terms: Terms) -> set[str]:
    return {side for concept in concepts for side in _sides_of(concept, terms)}


def _sides_of(concept: object, terms: Terms) -> set[str]:
    """Read a site's codes and words, and those of its laterality, which is an extension (mCODE)."""
    qualified = child({"concept": concept}, "concept").get("extension")
    qualifiers = [child(one, "valueCodeableConcept") for one in objects(qualified)]
    return _own_sides(concept, terms).union(*(_own_sides(one, terms) for one in qualifiers))


def _own_sides(concept: object, terms: Terms) -> set[str]:
    coded = {
        terms.catalogue.side(string(coding, "system"), string(coding, "code"))
        for coding in codings(concept)
    }
    worded = (sides_of_name(text, terms) for text in texts(concept))
    return {*(side for side in coded if side), *(side for sides in worded for side in sides)}


def _body_site(observation: JsonObject, terms: Terms, specimen: JsonObject) -> str | None:
    """Name the site as "system|code", else by its words in lower case."""
    for concept in (child(specimen, "collection").get("bodySite"), observation.get("bodySite")):
        for coding in codings(concept):
            if code := string(coding, "code"):
                system = terms.catalogue.canonical_system(string(coding, "system"))
                return f"{system}|{code}"
        if said := texts(concept):
            return " ".join(said[0].casefold().split())
    return None


def _in_breast(observation: JsonObject, specimens: list[JsonObject], terms: Terms) -> bool | None:
    """Tell whether the sample is of the breast or of another organ, by the nearest place that names any.

    The places: its specimens, the result's body site, the name of its specimen. One that names both tells nothing.
    """
    places: list[list[object]] = [
        [one.get("type"), child(one, "collection").get("bodySite")] for one in specimens
    ]
    places += [[observation.get("bodySite")]]
    places += [[{"text": text}] for text in display_of_specimen(observation)]
    for place in places:
        named = {one for concept in place for one in _organs_of(concept, terms)}
        if named:
            return named.pop() if len(named) == 1 else None
    return None


def _organs_of(concept: object, terms: Terms) -> set[bool]:
    rows = (
        terms.catalogue.site_row(string(coding, "system"), string(coding, "code"))
        for coding in codings(concept)
    )
    coded = {row.meaning in _OF_BREAST for row in rows if row is not None}
    worded = {is_of_breast(terms.tokens_of_diagnosis(text)) for text in texts(concept)}
    return coded | {one for one in worded if one is not None}


def _kinds_of(specimens: list[JsonObject], terms: Terms) -> frozenset[SampleKind]:
    """Find the kinds of sample that the nearest specimen names which names any."""
    for specimen in specimens:
        collection = child(specimen, "collection")
        concepts = (specimen.get("type"), collection.get("method"), collection.get("bodySite"))
        named = named_in(tuple(text for one in concepts for text in texts(one)), terms)
        if named.kinds:
            return named.kinds
    return frozenset()
