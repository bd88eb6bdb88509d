"""Where the tumour is: breast, elsewhere, both (a contradiction), stated and not to be told, or not stated.

Looks at the Conditions in focus, then at body site, specimen and report, of a result and of the panels
it is a member of; never at Conditions that nothing points at, and never at the test's code: "in breast
cancer specimen" is in the name of a test that is used for other tumours too. Where a metastasis was
found is no sign by itself. A diagnosis in focus that is not understood, and an organ such as the ovary, in
which another primary is as likely as a metastasis, are no "not stated": nothing else saying where the
tumour is, a person decides.

Source: rules text, Which results count, 7 [P]; the guideline is for invasive breast cancer [G].
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from adapter.fhir.diagnosis import BREAST, INVASIVE, ORGAN, OTHER, TumourWords, tumour_words
from adapter.fhir.record.sources import RELATED_CONDITION
from adapter.fhir.references import Graph, panels_around, reference_to, with_parents
from adapter.fhir.shapes import child, codings, objects, string, texts
from adapter.fhir.strict_json import JsonObject
from adapter.fhir.terms import Terms
from adapter.fhir.text.clause import IN_SITU
from adapter.her2.model import TumourSite
from adapter.terminology.vocabulary import MapRow

_SECONDARY: Final = "secondary"
_AGAINST: Final = {
    BREAST: ({OTHER}, {IN_SITU}),
    OTHER: ({BREAST}, {BREAST, INVASIVE}),
    IN_SITU: ({INVASIVE}, {BREAST, INVASIVE}),
}
"""What words say that a code beside them does not: the two are left to a human."""
_NO_ANSWER: Final = (TumourSite.NOT_STATED, TumourSite.UNCLEAR)
_REFUTED: Final = ("refuted", "entered-in-error")


@dataclass(frozen=True)
class SiteReading:
    """The tumour's site, and the rows of the mappings that say so."""

    site: TumourSite = TumourSite.NOT_STATED
    in_situ: bool = False
    rows: tuple[MapRow, ...] = ()


@dataclass
class _Signs:
    """Signs collected from several places. `is_unread`: a diagnosis is stated there and was not understood."""

    terms: Terms
    found: set[str] = field(default_factory=set)
    rows: list[MapRow] = field(default_factory=list)
    is_unread: bool = False

    def take(self, concept: object) -> None:
        """Read a CodeableConcept: its codes; its words where no code is known or they disagree.

        A code for a metastasis' place, or an organ that leaves it open, says nothing of the primary, so that its
        words are read as well.
        """
        rows = [self._row(coding) for coding in codings(concept)]
        known = [row for row in rows if row is not None]
        self.rows += known
        coded = {row.meaning for row in known}
        self.found |= coded - {_SECONDARY}
        said = [tumour_words(self.terms.tokens_of_diagnosis(text)) for text in texts(concept)]
        worded = {sign for one in said for sign in one.found}
        if coded <= {_SECONDARY, ORGAN}:
            self.found |= worded
            self.is_unread |= not coded and not worded and _is_unread(concept, said)
        elif any(worded in _AGAINST.get(meaning, ()) for meaning in coded):
            self.found |= {BREAST, OTHER}

    def _row(self, coding: JsonObject) -> MapRow | None:
        return self.terms.catalogue.site_row(string(coding, "system"), string(coding, "code"))

    def add(self, other: _Signs) -> None:
        """Take over the signs of another place."""
        self.found |= other.found
        self.rows += other.rows
        self.is_unread |= other.is_unread

    @property
    def says_site(self) -> bool:
        """Whether they say where the tumour is, or that it is in an organ that leaves it open."""
        return self.reading().site is not TumourSite.NOT_STATED

    def reading(self) -> SiteReading:
        """Say what the signs mean together; carcinoma in situ beside invasive cancer changes nothing."""
        rows = tuple(dict.fromkeys(self.rows))
        is_in_situ = IN_SITU in self.found and INVASIVE not in self.found
        if {BREAST, OTHER} <= self.found:
            return SiteReading(TumourSite.CONTRADICTORY, rows=rows)
        if BREAST in self.found:
            return SiteReading(TumourSite.BREAST, rows=rows)
        if OTHER in self.found or is_in_situ:
            return SiteReading(TumourSite.OTHER, in_situ=OTHER not in self.found, rows=rows)
        return SiteReading(
            TumourSite.UNCLEAR if ORGAN in self.found else TumourSite.NOT_STATED, rows=rows
        )


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
        The site. Focus decides where it says breast or another tumour, since it names the disease; elsewhere
        breast and another tumour together are a contradiction, and so is a carcinoma in situ in a report
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
    diseases = _together(own_focus.reading(), panels_focus.reading())
    if diseases.site not in _NO_ANSWER:
        return _with_named(diseases, named)
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
    if not places.says_site:
        for one in with_panels:
            places.take({"text": string(one.get("specimen"), "display")})
    reading = _together(reported.reading(), places.reading())
    if own_focus.is_unread or panels_focus.is_unread:
        diseases = SiteReading(TumourSite.UNCLEAR, rows=diseases.rows)
    return _with_named(_together(diseases, reading), named)


def _is_unread(concept: object, said: Iterable[TumourWords]) -> bool:
    """Whether a concept says something, and it is not understood whole."""
    words = list(said)
    is_stated = bool(words) or any(string(coding, "code") for coding in codings(concept))
    return is_stated and not (words and all(one.is_understood for one in words))


def _named_tumours(names: list[str], terms: Terms) -> set[str]:
    """Find the tumours that the name of a test or a method is for, other than invasive breast cancer.

    "HER2 gastric", "HER2 (DCIS)"; a test for breast and stomach is for either, and tells nothing. ORGAN: another
    tumour is named, and whether the test is for it cannot be told.
    """
    found: set[str] = set()
    for name in names:
        words = tumour_words(terms.tokens(name))
        if words.is_open:
            found.add(ORGAN)
        else:
            found |= words.found & ({IN_SITU} if BREAST in words.found else {IN_SITU, OTHER})
    return found


def names_other_tumour(names: list[str], terms: Terms) -> bool:
    """Tell whether the name of a test is for a tumour that is no invasive breast cancer."""
    return bool(_named_tumours(names, terms))


def _with_named(reading: SiteReading, named: set[str]) -> SiteReading:
    """Hold what a test is named for against the site: it is no sign of breast, and one against it."""
    if not named or reading.site is TumourSite.OTHER:
        return reading
    if named == {ORGAN}:
        is_open = reading.site is TumourSite.NOT_STATED
        return SiteReading(TumourSite.UNCLEAR, rows=reading.rows) if is_open else reading
    if reading.site in _NO_ANSWER:
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
                signs.add(_place_signs((found or {}).get("location"), terms))
            case "Specimen":
                signs.add(_specimen_signs(found or {}, graph, terms))
            case "":
                signs.add(_named_signs(pointer, terms))
    return signs


def _named_signs(pointer: JsonObject, terms: Terms) -> _Signs:
    """Read the name of what is in focus and not at hand; it is a diagnosis unless it names another type.

    A body structure states where the tumour is, also where only its reference says that it does.
    """
    signs = _Signs(terms)
    signs.take({"text": string(pointer, "display")})
    kind = string(pointer, "type") or string(pointer, "reference")
    signs.is_unread &= not kind or "Condition" in kind
    signs.is_unread |= "BodyStructure" in kind and not signs.found
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
        if signs.says_site:
            break
    signs.is_unread = False
    return signs


def _place_signs(place: object, terms: Terms) -> _Signs:
    signs = _Signs(terms)
    signs.take(place)
    signs.is_unread = False
    return signs


def _condition_signs(condition: JsonObject, terms: Terms) -> _Signs:
    """Read the diagnosis, and its site only where the diagnosis names none."""
    signs = _Signs(terms)
    signs.take(condition.get("code"))
    if not signs.says_site:
        is_unread = signs.is_unread
        for site in objects(condition.get("bodySite")):
            signs.take(site)
        signs.is_unread = is_unread
    return signs


def _together(first: SiteReading, second: SiteReading) -> SiteReading:
    rows = tuple(dict.fromkeys((*first.rows, *second.rows)))
    stated = {first.site, second.site} - {TumourSite.NOT_STATED}
    sites = stated - {TumourSite.UNCLEAR} or stated
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
