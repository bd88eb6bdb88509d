"""Which test an Observation or a component reports: its code, held against what it is called.

The deny list comes first: a serum or sequencing test is never IHC or ISH, whatever stands beside its
code. A display that names another marker vetoes a HER2 code, because 85319-2 and its like are reused
for Ki-67, PD-L1 and others (the codes themselves stand in mappings/). Text alone is enough where it
is understood whole; a name that only begins with HER2 ("Her2neuXyz") is named and not understood.

Source: rules text, Which results count, 8 [P].
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from adapter.fhir.meanings import ASSAY_OF_ROLE
from adapter.fhir.shapes import codings, objects, string, texts
from adapter.fhir.stated import Conflict
from adapter.fhir.terms import Terms, holds, meanings
from adapter.fhir.text.tokens import Token, TokenKind
from adapter.her2.model import Assay, ResultWord
from adapter.terminology.vocabulary import MapRow, TestCode, TestRole, WordKind

CODE_AGAINST_DISPLAY: Final = "test-code-against-display"
SUPPORTING: Final = (TestRole.GENE_STUDIED, TestRole.CELLS_COUNTED, TestRole.DOCUMENT)
_MOST_SPECIFIC: Final = (
    TestRole.IHC_UNIFORM_INTENSE_PERCENT,
    TestRole.RATIO,
    TestRole.HER2_COPIES,
    TestRole.CEP17_COPIES,
    TestRole.IHC,
    TestRole.ISH,
    TestRole.OVERALL,
    TestRole.PANEL,
)
ROLE_OF_ASSAY: Final = {Assay.IHC: TestRole.IHC, Assay.ISH: TestRole.ISH}
_ROLE_OF_QUANTITY: Final = {
    "ratio": TestRole.RATIO,
    "her2-copies": TestRole.HER2_COPIES,
    "cep17-copies": TestRole.CEP17_COPIES,
}
_IN_NAMES: Final = (
    WordKind.HER2,
    WordKind.FILLER,
    WordKind.METHOD,
    WordKind.ASSAY,
    WordKind.QUANTITY,
    WordKind.PROBE,
    WordKind.SITE_BREAST,
    WordKind.SIDE,
    WordKind.SAMPLE_KIND,
    WordKind.MARKER,
    WordKind.ADJUDICATED,
    WordKind.STAINING,
)
"""Kinds of words that the name of a HER2 test is made of."""


def named_tests(assays: Iterable[Assay]) -> list[str]:
    """Name tests as a pathologist does, in a fixed order: IHC, ISH."""
    return sorted(assay.name for assay in assays)


@dataclass(frozen=True)
class Question:
    """What was tested.

    `role`: None when no HER2 test is named. `problem`: reason code when it is a HER2 test that could
    not be understood, or none at all; "" when all is well. `conflicts`: with both sides. `unknown`:
    (system, code) of codings that no row knows. `assays`: every one that the words and method codes
    beside the test code name. `names_cells`: the name speaks of cells and of no other quantity, so a
    number may count them. `names_share`: it asks which share of the cells stains, not for the result.
    """

    role: TestRole | None
    problem: str = ""
    conflicts: tuple[Conflict, ...] = ()
    rows: tuple[MapRow, ...] = ()
    unknown: tuple[tuple[str, str], ...] = ()
    assays: frozenset[Assay] = frozenset()
    names_cells: bool = False
    names_share: bool = False

    @property
    def assay(self) -> Assay | None:
        """The assay asked for; None where it is no HER2 test of tissue."""
        return ASSAY_OF_ROLE.get(self.role) if self.role else None


def question_of(code: object, terms: Terms, *, her2_implied: bool = False) -> Question:
    """Find out which test a code element names.

    Args:
        code: Observation.code or component.code, of any shape.
        terms: the vocabulary.
        her2_implied: in a component of a HER2 Observation, "IHC score" need not say HER2 again.

    """
    if isinstance(code, list):  # DSTU2 leftovers in public data write a list of concepts
        merged = {"coding": [c for concept in objects(code) for c in codings(concept)]}
        question = question_of(merged, terms, her2_implied=her2_implied)
        return Question(question.role, "test-not-r4", rows=question.rows)
    known, unknown = _look_up(code, terms)
    names = _Names(texts(code), _methods(code, terms), terms, her2_implied=her2_implied)
    rows = tuple(found.row for found in known)
    roles = {found.role for found in known}
    own = [role for role in _MOST_SPECIFIC if role in roles]
    if TestRole.EXCLUDED in roles:
        excluded = next(found for found in known if found.role is TestRole.EXCLUDED)
        problem = excluded.reason or "excluded-test"
        return Question(TestRole.EXCLUDED, problem, rows=rows)
    if own:
        return _coded(own, roles, names, Question(None, rows=rows, unknown=unknown))
    if TestRole.OTHER_ANALYTE in roles:
        is_named = names.her2_named and not names.others
        conflict = (
            (Conflict(CODE_AGAINST_DISPLAY, "another marker against HER2"),) if is_named else ()
        )
        role = TestRole.OVERALL if is_named else TestRole.OTHER_ANALYTE
        return Question(role, "" if is_named else "other-analyte", conflict, rows)
    for role in SUPPORTING:
        if role in roles:
            return Question(role, role.value, rows=rows)
    return _named(names, Question(None, rows=rows, unknown=unknown), TestRole.GENERIC in roles)


def _look_up(code: object, terms: Terms) -> tuple[list[TestCode], tuple[tuple[str, str], ...]]:
    known: list[TestCode] = []
    unknown: list[tuple[str, str]] = []
    for coding in codings(code):
        pair = (string(coding, "system"), string(coding, "code"))
        found = terms.catalogue.test_code(*pair)
        if found is not None:
            known.append(found)
        elif pair[1]:
            unknown.append(pair)
    return known, tuple(unknown)


def _methods(code: object, terms: Terms) -> set[Assay]:
    """Find the assays of method codes that stand beside a test code."""
    methods = (
        terms.catalogue.method(string(coding, "system"), string(coding, "code"))
        for coding in codings(code)
    )
    return {ASSAY_OF_ROLE[role] for role in methods if role is not None}


def _coded(
    own: Sequence[TestRole], roles: set[TestRole], names: _Names, question: Question
) -> Question:
    """Judge a HER2 code by what stands beside it."""
    if TestRole.OTHER_ANALYTE in roles or (names.others and not names.her2_named):
        return Question(TestRole.OTHER_ANALYTE, "other-analyte-named", rows=question.rows)
    conflicts = {Conflict("several-analytes-named")} if names.others else set()
    role = own[0]
    if names.other_test:
        other = names.other_test.replace("-", " ")
        conflicts.add(Conflict(CODE_AGAINST_DISPLAY, f"{ASSAY_OF_ROLE[role].name} against {other}"))
    assays = {ASSAY_OF_ROLE[other] for other in own if other is not TestRole.OVERALL}
    if len(assays) > 1:
        conflicts.add(Conflict("test-codes-differ", " against ".join(named_tests(assays))))
    if role is TestRole.OVERALL:
        role = names.role or role
    elif names.assays and ASSAY_OF_ROLE[role] not in names.assays:
        named = " and ".join(named_tests(names.assays))
        conflicts.add(Conflict(CODE_AGAINST_DISPLAY, f"{ASSAY_OF_ROLE[role].name} against {named}"))
    question = replace(question, role=role, conflicts=tuple(sorted(conflicts)))
    return names.of_cells(question)


def _named(names: _Names, question: Question, is_generic: bool) -> Question:
    """Judge a test that no HER2 code names by its words alone."""
    rows, unknown = question.rows, question.unknown
    if not names.her2_named:
        if is_generic:
            generic = Question(TestRole.GENERIC, "generic-test", rows=rows, unknown=unknown)
            return replace(generic, assays=frozenset(names.assays))
        return Question(None, "no-her2-test", rows=rows, unknown=unknown)
    if names.other_test:
        return Question(TestRole.EXCLUDED, names.other_test, rows=rows)
    problem = "" if names.understood else "test-not-understood"
    if names.method:
        problem = "method-named"
    if names.others:
        problem = "several-analytes-named"
    return names.of_cells(replace(question, role=names.role or TestRole.OVERALL, problem=problem))


class _Names:
    """What the text and the displays of a code name."""

    def __init__(
        self, said: list[str], methods: set[Assay], terms: Terms, *, her2_implied: bool
    ) -> None:
        names = [terms.test_name(text) for text in said]
        every = [token for tokens, _ in names for token in tokens]
        her2 = [tokens for tokens, is_her2 in names if is_her2]
        self.others = holds(every, WordKind.OTHER_ANALYTE)
        self.other_test = min(meanings(every, WordKind.OTHER_TEST), default="")
        self.assays = methods | {Assay(meaning) for meaning in meanings(every, WordKind.ASSAY)}
        quantities = meanings(every, WordKind.QUANTITY) & set(_ROLE_OF_QUANTITY)
        self.assays |= {Assay.ISH} if quantities else set()
        implied = her2_implied and bool(self.assays) and not self.others
        self.her2_named = bool(her2) or implied
        named = [tokens for tokens, _ in names] if implied else her2
        of_cells = meanings(every, WordKind.QUANTITY)
        self.cells = of_cells == {"cells"}
        self.share = not quantities and ("percent" in of_cells or _has_percent_sign(every))
        self.understood = all(_is_name(tokens, of_share=self.share) for tokens in named)
        self.method = any(map(_ends_with_method, named))
        self.role = self._role(quantities)

    def of_cells(self, question: Question) -> Question:
        """Say of a test what its name says of cells; a share is one of IHC, a count one of ISH."""
        may_count = question.role in (TestRole.ISH, TestRole.OVERALL)
        return replace(
            question,
            names_cells=self.cells and may_count,
            names_share=self.share and question.role is TestRole.IHC,
        )

    def _role(self, quantities: set[str]) -> TestRole | None:
        """Give the one test that is named; IHC and ISH together name none."""
        if len(self.assays) != 1:
            return None
        (assay,) = self.assays
        if len(quantities) == 1:
            return _ROLE_OF_QUANTITY[next(iter(quantities))]
        if {"her2-copies", "cep17-copies"} == quantities:
            return TestRole.RATIO  # "gene copy number / chromosome 17 copy number"
        return TestRole.RATIO if "ratio" in quantities else ROLE_OF_ASSAY[assay]


def _is_name(tokens: tuple[Token, ...], *, of_share: bool) -> bool:
    """Tell whether every word can stand in a test's name; a share is one of "positive" cells."""
    return all(
        token.kind is TokenKind.SIGN
        or token.is_word(*_IN_NAMES)
        or (of_share and token.meaning == ResultWord.POSITIVE)
        for token in tokens
    )


def _ends_with_method(tokens: tuple[Token, ...]) -> bool:
    """Tell whether a name asks how it was tested: "HER2 FISH method" is answered by a kit or a cut-off."""
    words = [token for token in tokens if token.kind is not TokenKind.SIGN]
    return bool(words) and words[-1].is_word(WordKind.METHOD)


def _has_percent_sign(tokens: Iterable[Token]) -> bool:
    return any(token.is_sign("%") for token in tokens)
