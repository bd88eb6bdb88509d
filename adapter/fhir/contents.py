"""Everything one HER2 Observation states: value, components, interpretation, method and notes, joined.

Each place is read by itself; where two disagree, that is a contradiction with a reason, and where the
value cannot be read nothing else of it counts. Nothing raises out of here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from adapter.fhir.agreement import note_differs, unclear_against
from adapter.fhir.answer import Answer, answer_of, concept_answer
from adapter.fhir.cells import answer_of_cells, is_count_of_cells, is_number, share_of_cells
from adapter.fhir.meanings import ASSAY_OF_ROLE
from adapter.fhir.other_tumour import is_of_another_tumour
from adapter.fhir.question import ROLE_OF_ASSAY, Asks, Question, question_of
from adapter.fhir.references import Graph, reference_to
from adapter.fhir.shapes import codings, is_filled, objects, string, texts
from adapter.fhir.stated import NOTHING, STATED_TWICE, Conflict, Stated, join, stated_text
from adapter.fhir.strict_json import JsonObject
from adapter.fhir.terms import Terms, holds
from adapter.fhir.text.clause import OTHER_ANALYTE
from adapter.fhir.text.reader import MAX_LENGTH, marker_of
from adapter.fhir.text.remarks import remarks_in, understood_whole
from adapter.her2.model import Assay, IshResult, RepeatMarker, ResultWord
from adapter.her2.wording import ihc_said
from adapter.terminology.vocabulary import TestRole, WordKind

_MEASURED: Final = (TestRole.RATIO, TestRole.HER2_COPIES, TestRole.CEP17_COPIES)
_CONTAINERS: Final = (None, TestRole.GENERIC, TestRole.DOCUMENT)
"""What may hold HER2 tests as components, and is none itself: a synoptic report, a marker panel."""
_EARLIER_NOTES: Final = ("comment", "comments")
"""What `note` was called in STU3 and DSTU2."""
_BESIDE_THE_RESULT: Final = (Asks.CONCLUSION, Asks.ASPECT)
IN_DOUBT: Final = "result-in-doubt"
_INTERPRETATION: Final = "interpretation-against-value"
_GENE_AS_TEXT: Final = ("valueString", "valueCode")
"""Where a gene's symbol stands when it is not coded; `valueCode` in drafts of genomics reporting."""
_REPLACES: Final = "-replaces"
"""End of the url of FHIR's extensions by which a result names the one that it replaces."""


@dataclass(frozen=True)
class Contents:
    """What an Observation states. `problem`: reason code when it could not be read, else "".

    `question`: the test, as components and method made it clearer. `repeat_of`: earlier results of
    the same test that it says it repeats. `is_bare_panel`: it only holds other results.
    `noted`: what notes that are understood whole say.
    """

    question: Question
    assay: Assay = Assay.OVERALL
    stated: Stated = NOTHING
    problem: str = ""
    words: tuple[str, ...] = ()
    unknown: tuple[tuple[str, str], ...] = ()
    marker: RepeatMarker | None = None
    repeat_of: tuple[str, ...] = ()
    adjudicated: bool = False
    is_bare_panel: bool = False
    noted: tuple[Stated, ...] = ()


def contents_of(
    observation: JsonObject, question: Question, graph: Graph, terms: Terms
) -> Contents:
    """Read all that an Observation states, as answers to the test it names."""
    reader = _Reader(observation, terms)
    question = reader.without_count(reader.clearer(question))
    if question.assay is None or question.role is None:
        return Contents(question)
    reader.read(question)
    stated = reader.stated.with_conflicts(*question.conflicts)
    problem = question.problem or reader.problem
    remarks = reader.remarks
    return Contents(
        question=question,
        assay=Assay.IHC if problem and reader.ihc_unread else _assay_of(question.assay, stated),
        stated=Stated(conflicts=stated.conflicts, rows=stated.rows) if problem else stated,
        problem=problem,
        words=tuple(dict.fromkeys(reader.words)),
        unknown=tuple(reader.unknown),
        marker=marker_of(filter(None, (remarks.marker(question.assay), reader.marker))),
        repeat_of=_repeat_of(observation, question, graph, terms),
        adjudicated=remarks.adjudicated
        or reader.adjudicated
        or _is_adjudicated(observation, graph, terms),
        is_bare_panel=problem == "no-value" and reader.only_holds_results(question, graph),
        noted=tuple(reader.noted),
    )


def test_of(observation: JsonObject, terms: Terms) -> Question:
    """Tell which test an Observation reports, by its code, components and method; reads no answer."""
    return _Reader(observation, terms).clearer(question_of(observation.get("code"), terms))


def _assay_of(asked: Assay, stated: Stated) -> Assay:
    """Call an overall code that carries a bare IHC or ISH result by what it carries."""
    if asked is not Assay.OVERALL or stated.overall is not None:
        return asked
    if stated.ihc is not None and stated.ish is None:
        return Assay.IHC
    if stated.ish is not None and stated.ihc is None:
        return Assay.ISH
    return asked


class _Reader:
    """Reads the places of one Observation one after the other.

    A container's own value, interpretation and notes are not HER2's; only its components are read.
    """

    def __init__(self, observation: JsonObject, terms: Terms) -> None:
        self.observation = observation
        self.terms = terms
        self.components = objects(observation.get("component"))
        self.methods = texts(observation.get("method"))
        self.notes = [string(note, "text") for note in objects(observation.get("note"))]
        self.notes += [string(observation, name) for name in _EARLIER_NOTES]
        self.remarks = remarks_in([*self.methods, *self.notes], terms)
        self.is_container = False
        self.stated = NOTHING
        self.problem = ""
        self.ihc_unread = False
        self.words: list[str] = []
        self.unknown: list[tuple[str, str]] = []
        self.marker: RepeatMarker | None = None
        self.adjudicated = False
        self.noted: list[Stated] = []

    def clearer(self, question: Question) -> Question:
        """Let the gene studied and the method say more of the test than its code does."""
        genes = self._genes()
        if question.role is TestRole.GENERIC and genes == {True}:
            assays = self._method_assays() | question.assays
            role = ROLE_OF_ASSAY.get(next(iter(assays))) if len(assays) == 1 else None
            problem = "" if role else "test-not-understood"
            return replace(question, role=role or TestRole.OVERALL, problem=problem)
        if question.role in _CONTAINERS and self._holds_her2():
            self.is_container = True
            return replace(question, role=TestRole.OVERALL, problem="")
        if question.assay is None:
            return question
        if False in genes:
            problem = "several-analytes-named" if True in genes else "other-gene"
            role = question.role if True in genes else TestRole.OTHER_ANALYTE
            return replace(question, role=role, problem=problem)
        assays = self._method_assays()
        if len(assays) != 1:
            return question
        (assay,) = assays
        if question.role is TestRole.OVERALL:
            return replace(question, role=ROLE_OF_ASSAY[assay])
        if assay is not question.assay:
            said = f"{question.assay.name} against {assay.name}"
            conflicts = (*question.conflicts, Conflict("test-code-against-method", said))
            return replace(question, conflicts=conflicts)
        return question

    def _holds_her2(self) -> bool:
        """Whether a component is a HER2 test by its own code or name."""
        questions = (question_of(part.get("code"), self.terms) for part in self.components)
        return any(question.assay is not None for question in questions)

    def _method_assays(self) -> set[Assay]:
        method = self.observation.get("method")
        roles = (
            self.terms.catalogue.method(string(coding, "system"), string(coding, "code"))
            for coding in codings(method)
        )
        coded = {ASSAY_OF_ROLE[role] for role in roles if role is not None}
        said = remarks_in(self.methods, self.terms)
        return coded | said.assays | ({Assay.ISH} if said.probes else set())

    def _genes(self) -> set[bool]:
        """Whether the genes named in components are HER2: {True}, {False}, both, or none named."""
        found: set[bool] = set()
        for component in self.components:
            if question_of(component.get("code"), self.terms).role is TestRole.GENE_STUDIED:
                value = component.get("valueCodeableConcept")
                codes = ((string(c, "system"), string(c, "code")) for c in codings(value))
                coded = [self.terms.catalogue.is_her2_gene(*code) for code in codes]
                written = [string(component, name) for name in _GENE_AS_TEXT]
                said = [self.terms.tokens(text) for text in (*texts(value), *written) if text]
                is_her2 = any(coded) or any(holds(tokens, WordKind.HER2) for tokens in said)
                if coded or said:
                    found.add(is_her2)
        return found

    def without_count(self, question: Question) -> Question:
        """Set a count of cells aside, which a name of cells makes of a number; it is no ratio."""
        if question.asks is not Asks.CELLS or not is_number(self.observation, self.terms):
            return question
        if self._is_count(self.observation, question) and not self._holds_her2():
            return replace(question, role=TestRole.CELLS_COUNTED, problem="cells-counted")
        return replace(question, problem="number-without-meaning")

    def _is_count(self, element: JsonObject, question: Question) -> bool:
        """Whether a number of cells may be those counted; of IHC it is the cells that stain."""
        is_asked = question.asks is Asks.CELLS and question.role in (TestRole.ISH, TestRole.OVERALL)
        return is_asked and is_count_of_cells(element, self.terms)

    def read(self, question: Question) -> None:
        """Read every place under the test that was asked."""
        role = question.role or TestRole.OVERALL
        value = Answer(problem="no-value", is_absent=True)
        if not self.is_container:
            value = self._answer(self.observation, question)
            self._take(value)
        parts = self._parts(role)
        for component, asked in parts:
            if asked.asks not in _BESIDE_THE_RESULT:
                self._component(component, asked)
        for component, asked in parts:
            if asked.asks in _BESIDE_THE_RESULT:
                self._beside(component, asked)
        if self.problem and not value.problem:
            # A status beside a score that cannot be read is a contradiction, not half a result.
            self.problem = ""
            self._conflict("component-not-read")
        if not self.is_container:
            self._interpretation(self.observation, role, self.stated)
        is_elsewhere = value.is_absent and not (self._states_nothing(value) and not self.problem)
        if value.problem and not is_elsewhere:
            self.problem = value.problem
        if is_filled(self.observation.get("modifierExtension")):
            self._conflict("modifier-extension")
        ihc = self.stated.ihc
        if ASSAY_OF_ROLE[role] is Assay.ISH and ihc and ihc.word is not ResultWord.NOT_DONE:
            self._conflict("ihc-score-under-ish-test", ihc_said(ihc))
        if self.remarks.doubts(ASSAY_OF_ROLE[role]) or is_of_another_tumour(self.notes, self.terms):
            self._conflict(IN_DOUBT)
        self._add_remarks()
        if not self.is_container:
            self._compare_notes()

    def _states_nothing(self, value: Answer) -> bool:
        """Whether no result is stated.

        A share of cells is none, but in a container, and where it is said that there is no score: then it is held
        against the other results of the sample.
        """
        stated = self.stated
        is_said = value.problem == "data-absent"
        if stated.ihc is None or stated.ish or stated.overall or self.is_container or is_said:
            return stated.is_empty
        return not (stated.ihc.scores or stated.ihc.word or stated.ihc.off_scale)

    def only_holds_results(self, question: Question, graph: Graph) -> bool:
        """Tell whether what has no value is a panel: one by its code, or one that holds HER2 tests.

        A test whose members are no HER2 tests that are known would otherwise be missed in silence,
        such as a question with its answer in a member.
        """
        if question_of(self.observation.get("code"), self.terms).role is TestRole.PANEL:
            return True
        members = self.observation.get("hasMember")
        at_hand = graph.resolve_all(members, within=self.observation)
        if not at_hand:
            return is_filled(members) and question.role is TestRole.OVERALL
        return any(question_of(one.get("code"), self.terms).assay for one in at_hand)

    def _conflict(self, code: str, said: str = "") -> None:
        self.stated = self.stated.with_conflicts(Conflict(code, said))

    def _take(self, answer: Answer, conflict: str = STATED_TWICE) -> None:
        self.stated = join(self.stated, answer.stated, conflict=conflict)
        self.words += answer.words
        self.unknown += answer.unknown
        self.marker = marker_of(filter(None, (self.marker, answer.marker)))
        self.adjudicated |= answer.adjudicated

    def _parts(self, role: TestRole) -> list[tuple[JsonObject, Question]]:
        """Find the components that are about HER2, with what each asks for.

        In a container, and beside a component of another marker, one without a name of its own may be
        about anything: it belongs to nobody.
        """
        own = [question_of(part.get("code"), self.terms) for part in self.components]
        whole = None if self.is_container else role
        implied = (
            question_of(part.get("code"), self.terms, part_of=whole) for part in self.components
        )
        is_shared = any(question.names_other for question in own)
        return [
            (part, question)
            for part, question in zip(self.components, implied, strict=True)
            if question.assay is not None and not (is_shared and question.is_unnamed)
        ]

    def _beside(self, component: JsonObject, question: Question) -> None:
        """Read what stands beside the result: its conclusion, as an interpretation is read, or an aspect.

        An aspect, such as how strongly it stains, gives no result; it may hold one against the value.
        """
        answer = self._answer(component, question)
        if is_filled(component.get("dataAbsentReason")) and not answer.stated.conflicts:
            return
        is_bare = is_number(component, self.terms)
        is_readable = not answer.problem and not (is_bare and question.assay is Assay.ISH)
        if question.asks is Asks.CONCLUSION:
            self._conclusion(component, question.role or TestRole.OVERALL, answer)
        elif is_readable and note_differs(answer.stated, self.stated):
            said = f"{stated_text(answer.stated)} against {stated_text(self.stated)}"
            self._conflict(STATED_TWICE, said)
        if answer.problem and answer.problem != OTHER_ANALYTE:
            self.words += answer.words if self.stated.is_empty else ()
            self._hold_against(_said(answer))

    def _conclusion(self, component: JsonObject, role: TestRole, answer: Answer) -> None:
        self._weigh_modifier(component)
        if _is_not_done(answer.stated) and not self.stated.is_empty:
            return  # beside a result "not applicable" is a field that nobody filled in
        if not answer.problem:
            self._take(answer, _INTERPRETATION)
        elif is_number(component, self.terms):
            self.problem = answer.problem
        self._interpretation(component, role, answer.stated)

    def _weigh_modifier(self, component: JsonObject) -> None:
        if is_filled(component.get("modifierExtension")):
            self._conflict("modifier-extension")

    def _hold_against(self, said: list[str]) -> None:
        """Hold what is not understood whole against what is stated; a narrative as a note is."""
        self.notes += [text for text in said if len(text) > MAX_LENGTH]
        unclear = [text for text in said if len(text) <= MAX_LENGTH]
        if against := unclear_against(unclear, self.stated, self.terms):
            self._conflict(_INTERPRETATION, against)

    def _component(self, component: JsonObject, question: Question) -> None:
        self._weigh_modifier(component)
        if self._is_count(component, question):
            return
        self.stated = self.stated.with_conflicts(*question.conflicts)
        answer = self._answer(component, question)
        self._take(answer)
        self._interpretation(component, question.role or TestRole.OVERALL, answer.stated)
        is_missing = answer.problem == "data-absent"
        is_missing |= answer.problem == "no-value" and question.role in _MEASURED
        if question.problem or (answer.problem and not is_missing):
            absent = "component-without-value"
            own = absent if answer.problem == "no-value" else answer.problem
            self.problem = question.problem or own
            self.ihc_unread |= question.assay is Assay.IHC

    def _answer(self, element: JsonObject, question: Question) -> Answer:
        """Read a value as what its test's name makes of it: a share of cells, a count, or a result."""
        role = question.role or TestRole.OVERALL
        if question.asks is Asks.SHARE:
            return share_of_cells(element, self.terms, question.pattern)
        if question.asks is Asks.CELLS:
            return answer_of_cells(element, role, self.terms)
        return answer_of(element, role, self.terms)

    def _interpretation(self, element: JsonObject, role: TestRole, beside: Stated) -> None:
        """Read an interpretation as a word on what is stated; a code such as "abnormal" says nothing.

        What is not understood whole gives no result, and may still hold a word against the value.
        """
        if role is TestRole.CEP17_COPIES:
            return  # a count of CEP17 is normal or not, and HER2 neither
        given = element.get("interpretation")
        if beside.ihc is None and beside.ish is not None and role is TestRole.IHC:
            role = TestRole.ISH
        concepts = objects(given if isinstance(given, list) else [given])
        answers = [concept_answer(concept, role, self.terms) for concept in concepts]
        for answer in answers:
            if not answer.problem:
                self._take(replace(answer, unknown=()), _INTERPRETATION)
                beside = join(beside, answer.stated)
        unclear = [text for answer in answers if answer.problem for text in _said(answer)]
        if said := unclear_against(unclear, beside, self.terms):
            self._conflict(_INTERPRETATION, said)

    def _add_remarks(self) -> None:
        """Add the probe and the cell population that method and notes speak of to the ISH result.

        A cell population beside another test is but noted.
        """
        remarks = self.remarks
        population = IshResult(
            second_population=remarks.population, population_percent=remarks.population_percent
        )
        if self.stated.ish is not None:
            probe = next(iter(remarks.probes)) if len(remarks.probes) == 1 else None
            self.stated = join(self.stated, Stated(ish=replace(population, probe=probe)))
        elif remarks.population:
            self.noted.append(Stated(ish=population))

    def _compare_notes(self) -> None:
        """Hold notes against the value; read as overall results, where a bare number says nothing."""
        notes = understood_whole(self.notes, self.terms, TestRole.OVERALL)
        self.noted += notes
        for note in notes:
            if note_differs(note, self.stated):
                self._conflict(
                    "note-against-value", f"{stated_text(note)} against {stated_text(self.stated)}"
                )


def _is_not_done(stated: Stated) -> bool:
    words = {one.word for one in (stated.ihc, stated.ish) if one is not None} | {stated.overall}
    return words - {None} == {ResultWord.NOT_DONE}


def _said(answer: Answer) -> list[str]:
    """Give what an answer that was not read is written with; a code that no row knows is but a text."""
    return [*answer.words, *(code for _, code in answer.unknown)]


def _repeat_of(
    observation: JsonObject, question: Question, graph: Graph, terms: Terms
) -> tuple[str, ...]:
    """Name the earlier results of the same test that this one says it replaces or is derived from."""
    replaced = [
        extension.get("valueReference")
        for extension in objects(observation.get("extension"))
        if string(extension, "url").endswith(_REPLACES)
    ]
    found = set(graph.normals(replaced, within=observation))
    for name in graph.normals(observation.get("derivedFrom"), within=observation):
        earlier = graph.get(name)
        if earlier is not None and question.role in (TestRole.IHC, TestRole.ISH):
            role = question_of(earlier.get("code"), terms).role
            found |= {name} if role is question.role else set()
    own = reference_to(observation)
    return tuple(sorted(name for name in found if name.startswith("Observation/") and name != own))


def _is_adjudicated(observation: JsonObject, graph: Graph, terms: Terms) -> bool:
    """Tell whether a report's conclusion code says that the laboratory settled the case."""
    said = [
        text
        for name in graph.reports_of(reference_to(observation))
        for concept in objects((graph.get(name) or {}).get("conclusionCode"))
        for text in texts(concept)
    ]
    return remarks_in(said, terms).adjudicated
