"""Where the tumour is: breast, elsewhere, both (a contradiction) or not stated.

Looks at the Conditions in focus, then at body site, specimen and report, of a result and of the panels
it is a member of; never at Conditions that nothing points at, and never at the test's code: "in breast
cancer specimen" is in the name of a test that is used for other tumours too. Where a metastasis was
found is no sign by itself.

Source: rules text, Which results count, 7 [P]; the guideline is for invasive breast cancer [G].
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from adapter.fhir.record.sources import RELATED_CONDITION
from adapter.fhir.references import Graph, panels_around, reference_to, with_parents
from adapter.fhir.shapes import child, codings, objects, string, texts
from adapter.fhir.strict_json import JsonObject
from adapter.fhir.terms import Terms, holds, meanings
from adapter.fhir.text.clause import IN_SITU
from adapter.her2.model import SampleKind, TumourSite
from adapter.terminology.vocabulary import MapRow, WordKind

_BREAST: Final = "breast"
_OTHER: Final = "other"
_REFUTED: Final = ("refuted", "entered-in-error")


@dataclass(frozen=True)
class SiteReading:
    """The tumour's site, and the rows of the mappings that say so."""

    site: TumourSite = TumourSite.NOT_STATED
    in_situ: bool = False
    rows: tuple[MapRow, ...] = ()


@dataclass
class _Signs:
    """Signs collected from several places: "breast", "other", "in-situ"."""

    terms: Terms
    found: set[str] = field(default_factory=set)
    rows: list[MapRow] = field(default_factory=list)

    def take(self, concept: object) -> None:
        """Read a CodeableConcept: its codes; its words where no code is known or they disagree."""
        rows = [self._row(coding) for coding in codings(concept)]
        known = [row for row in rows if row is not None]
        self.rows += known
        coded = {row.meaning for row in known}
        self.found |= coded & {_BREAST, _OTHER, IN_SITU}
        worded = self._worded(texts(concept))
        opposite = {_BREAST: {_OTHER}, _OTHER: {_BREAST}}
        if not coded or any(opposite.get(meaning) == worded for meaning in coded):
            self.found |= worded

    def _row(self, coding: JsonObject) -> MapRow | None:
        return self.terms.catalogue.site_row(string(coding, "system"), string(coding, "code"))

    def _worded(self, said: Iterable[str]) -> set[str]:
        """Look for sites in words.

        Two wordings are left to a human, as breast and other: "gastric metastasis" may be of the
        stomach or in it, and "in situ" beside "breast" does not say whether a part is invasive.
        """
        found: set[str] = set()
        for text in said:
            tokens = self.terms.tokens(text)
            if holds(tokens, WordKind.NEGATION):
                continue
            others = meanings(tokens, WordKind.SITE_OTHER)
            is_breast = holds(tokens, WordKind.SITE_BREAST)
            is_metastasis = SampleKind.METASTASIS in meanings(tokens, WordKind.SAMPLE_KIND)
            found |= {_BREAST} if is_breast else set()
            found |= {IN_SITU} & others
            if others - {IN_SITU} or (others and is_breast):
                found.add(_OTHER)
            if others - {IN_SITU} and is_metastasis:
                found.add(_BREAST)
        return found

    def add(self, other: _Signs) -> None:
        """Take over the signs of another place."""
        self.found |= other.found
        self.rows += other.rows

    def reading(self) -> SiteReading:
        """Say what the signs mean together; carcinoma in situ beside breast is breast cancer."""
        rows = tuple(dict.fromkeys(self.rows))
        if {_BREAST, _OTHER} <= self.found:
            return SiteReading(TumourSite.CONTRADICTORY, rows=rows)
        if _BREAST in self.found:
            return SiteReading(TumourSite.BREAST, rows=rows)
        if self.found:
            return SiteReading(TumourSite.OTHER, in_situ=_OTHER not in self.found, rows=rows)
        return SiteReading(rows=rows)


def tumour_site(
    observation: JsonObject, graph: Graph, terms: Terms, *, specimen: JsonObject | None
) -> SiteReading:
    """Read the tumour's site.

    Args:
        observation: a FHIR R4 Observation as parsed JSON, of any shape; not changed.
        graph: the resources its references lead to.
        terms: the vocabulary.
        specimen: its Specimen, where it is at hand.

    Returns:
        The site. Focus decides where it says anything, since it names the disease; elsewhere breast
        and another tumour together are a contradiction, and so is a carcinoma in situ in a report
        beside a breast specimen, which may hold an invasive part.

    """
    with_panels = [observation, *panels_around(observation, graph)]
    named = _named_tumours(
        [
            *(text for one in with_panels for text in texts(one.get("code"))),
            *texts(observation.get("method")),
        ],
        terms,
    )
    own_focus, *their_focus = (_focus_signs(one, graph, terms) for one in with_panels)
    panels_focus = _Signs(terms)
    for signs in their_focus:
        panels_focus.add(signs)
    if own_focus.found or panels_focus.found:
        return _with_named(_together(own_focus.reading(), panels_focus.reading()), named)
    reports = [graph.get(name) or {} for name in graph.reports_of(reference_to(observation))]
    reported = _Signs(terms)
    for report in reports:
        reported.take(report.get("code"))
        for concept in objects(report.get("conclusionCode")):
            reported.take(concept)
    places = _Signs(terms)
    for one in with_panels:
        places.take(one.get("bodySite"))
    if specimen is None:
        places.take({"text": string(observation.get("specimen"), "display")})
    listing = [*with_panels[1:], *reports]
    for taken in [specimen] if specimen else specimens_named_by(listing, graph):
        places.add(_specimen_signs(taken, graph, terms))
    if not places.found:
        for one in with_panels:
            places.take({"text": string(one.get("specimen"), "display")})
    return _with_named(_together(reported.reading(), places.reading()), named)


def _named_tumours(names: list[str], terms: Terms) -> set[str]:
    """Find the tumours that the name of a test or a method is for, other than invasive breast cancer.

    "HER2 gastric", "HER2 (DCIS)"; a test for breast and stomach is for either, and tells nothing.
    """
    found: set[str] = set()
    for name in names:
        tokens = terms.tokens(name)
        others = meanings(tokens, WordKind.SITE_OTHER)
        is_either = holds(tokens, WordKind.SITE_BREAST, WordKind.NEGATION)
        found |= {IN_SITU} & others if is_either else others
    return found


def names_other_tumour(names: list[str], terms: Terms) -> bool:
    """Tell whether the name of a test is for a tumour that is no invasive breast cancer."""
    return bool(_named_tumours(names, terms))


def _with_named(reading: SiteReading, named: set[str]) -> SiteReading:
    """Hold what a test is named for against the site: it is no sign of breast, and one against it."""
    if not named or reading.site is TumourSite.OTHER:
        return reading
    if reading.site is TumourSite.NOT_STATED:
        return SiteReading(TumourSite.OTHER, in_situ=named == {IN_SITU}, rows=reading.rows)
    return SiteReading(TumourSite.CONTRADICTORY, rows=reading.rows)


def _focus_signs(observation: JsonObject, graph: Graph, terms: Terms) -> _Signs:
    """Read the diseases in focus, body structures and specimens there, and the names of what is not at hand."""
    signs = _Signs(terms)
    for condition in focus_conditions(observation, graph):
        signs.add(_condition_signs(condition, terms))
    for pointer in _focus_pointers(observation):
        reference = string(pointer, "reference")
        found = graph.resolve(reference, within=observation) if reference else None
        match string(found, "resourceType"):
            case "BodyStructure":
                signs.take((found or {}).get("location"))
            case "Specimen":
                signs.add(_specimen_signs(found or {}, graph, terms))
            case "":
                signs.take({"text": string(pointer, "display")})
    return signs


def _focus_pointers(observation: JsonObject) -> list[JsonObject]:
    related = [
        extension.get("valueReference")
        for extension in objects(observation.get("extension"))
        if extension.get("url") == RELATED_CONDITION
    ]
    return [*objects(observation.get("focus")), *objects(related)]


def specimens_named_by(listing: list[JsonObject], graph: Graph) -> list[JsonObject]:
    """Give the specimens that reports or panels name, for a result that names none itself."""
    named = (graph.resolve_all(one.get("specimen"), within=one) for one in listing)
    return [specimen for several in named for specimen in several]


def _specimen_signs(specimen: JsonObject, graph: Graph, terms: Terms) -> _Signs:
    """Read a specimen's type and site; where they say nothing, those of what it was taken from."""
    signs = _Signs(terms)
    for one in with_parents(specimen, graph):
        signs.take(one.get("type"))
        signs.take(child(one, "collection").get("bodySite"))
        if signs.found:
            break
    return signs


def _condition_signs(condition: JsonObject, terms: Terms) -> _Signs:
    """Read the diagnosis, and its site only where the diagnosis names none."""
    signs = _Signs(terms)
    signs.take(condition.get("code"))
    if not signs.found:
        for site in objects(condition.get("bodySite")):
            signs.take(site)
    return signs


def _together(first: SiteReading, second: SiteReading) -> SiteReading:
    rows = tuple(dict.fromkeys((*first.rows, *second.rows)))
    sites = {first.site, second.site} - {TumourSite.NOT_STATED}
    if len(sites) > 1:
        return SiteReading(TumourSite.CONTRADICTORY, rows=rows)
    site = sites.pop() if sites else TumourSite.NOT_STATED
    return SiteReading(site, in_situ=first.in_situ or second.in_situ, rows=rows)


def focus_conditions(observation: JsonObject, graph: Graph) -> list[JsonObject]:
    """Follow focus, and mCODE's related condition, to Conditions that are not refuted."""
    pointed = graph.resolve_all(_focus_pointers(observation), within=observation)
    return [r for r in pointed if r.get("resourceType") == "Condition" and not _is_refuted(r)]


def _is_refuted(condition: JsonObject) -> bool:
    """Read verificationStatus; DSTU2 and STU3 wrote it as a plain code."""
    status = condition.get("verificationStatus")
    codes = [string(coding, "code") for coding in codings(status)]
    return status in _REFUTED or any(code in _REFUTED for code in codes)
