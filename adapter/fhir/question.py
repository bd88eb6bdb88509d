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
from enum import Enum
from functools import lru_cache
from itertools import chain
from typing import Final

from adapter.fhir.meanings import ASSAY_OF_ROLE
from adapter.fhir.shapes import codings, objects, string, texts
from adapter.fhir.stated import Conflict
from adapter.fhir.terms import MAX_KEPT, Terms, holds, meanings
from adapter.fhir.text.quantities import CEP17_COPIES, PERCENT
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
_SHARE_OF_STAINED: Final = ("percent", "staining")
"""What a name may ask for in words that no text is read with: a share of the cells, that stained."""
_CELLS: Final = "cells"
_Pairs = tuple[tuple[str, str], ...]
"""(system, code) of codings."""


class Asks(Enum):
    """What a test's name asks for: its result, or a part of it that is no result by itself.

    SHARE: the share of cells that stain. CELLS: a number of cells. CONCLUSION: the result once more,
    as "Interpretation" beside a score. ASPECT: something of the test that a result may stand under
    and should not, such as where or how strongly it stains.
    """

    RESULT = "result"
    SHARE = "share"
    CELLS = "cells"
    CONCLUSION = "conclusion"
    ASPECT = "aspect"


def named_tests(assays: Iterable[Assay]) -> list[str]:
    """Name tests as a pathologist does, in a fixed order: IHC, ISH."""
    return sorted(assay.name for assay in assays)


@dataclass(frozen=True)
class Question:
    """What was tested.

    `role`: None when no HER2 test is named. `problem`: reason code when it is a HER2 test that could
    not be understood, or none at all; "" when all is well. `conflicts`: with both sides. `unknown`:
    (system, code) of codings that no row knows. `assays`: every one that the words and method codes
    beside the test code name. `asks`: what of the test; `pattern`: of a share, the words for the staining it is of.
    `names_other`: another marker is named. `is_unnamed`: a component's, that names no test itself.
    """

    role: TestRole | None
    problem: str = ""
    conflicts: tuple[Conflict, ...] = ()
    rows: tuple[MapRow, ...] = ()
    unknown: tuple[tuple[str, str], ...] = ()
    assays: frozenset[Assay] = frozenset()
    asks: Asks = Asks.RESULT
    pattern: frozenset[str] = frozenset()
    names_other: bool = False
    is_unnamed: bool = False

    @property
    def assay(self) -> Assay | None:
        """The assay asked for; None where it is no HER2 test of tissue."""
        return ASSAY_OF_ROLE.get(self.role) if self.role else None


def question_of(code: object, terms: Terms, *, part_of: TestRole | None = None) -> Question:
    """Find out which test a code element names.

    Kept from call to call where it is short, since a laboratory has few tests; no name of one is a patient's.

    Args:
        code: Observation.code or component.code, of any shape.
        terms: the vocabulary.
        part_of: the HER2 test that a component belongs to by its Observation: "IHC score" and
            "Interpretation" need not say HER2 there again.

    """
    if isinstance(code, list):  # DSTU2 leftovers in public data write a list of concepts
        merged = {"coding": [c for concept in objects(code) for c in codings(concept)]}
        question = question_of(merged, terms, part_of=part_of)
        return Question(question.role, "test-not-r4", rows=question.rows)
    pairs = tuple([(string(one, "system"), string(one, "code")) for one in codings(code)])
    said = tuple(texts(code))
    is_short = sum(map(len, said)) + sum(map(len, chain(*pairs))) <= MAX_KEPT
    judge = _question if is_short else _question.__wrapped__
    return judge(pairs, said, terms, part_of)


@lru_cache(maxsize=1024)
def _question(
    pairs: _Pairs, said: tuple[str, ...], terms: Terms, part_of: TestRole | None
) -> Question:
    """Judge the (system, code) of its codings, its text and their displays."""
    known, unknown = _look_up(pairs, terms)
    names = _Names(said, _methods(pairs, terms), terms, is_part=part_of is not None)
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
        problem = "" if is_named else "other-analyte"
        return Question(role, problem, conflict, rows, names_other=not is_named)
    for role in SUPPORTING:
        if role in roles:
            return Question(role, role.value, rows=rows)
    if part_of is not None and names.names_a_part:
        unnamed = Question(None, rows=rows, unknown=unknown, is_unnamed=True)
        return _part(names, part_of, unnamed)
    return _named(names, Question(None, rows=rows, unknown=unknown), TestRole.GENERIC in roles)


def _look_up(pairs: _Pairs, terms: Terms) -> tuple[list[TestCode], _Pairs]:
    found = [(pair, terms.catalogue.test_code(*pair)) for pair in pairs]
    known = [test for _, test in found if test is not None]
    return known, tuple([pair for pair, test in found if test is None and pair[1]])


def _methods(pairs: _Pairs, terms: Terms) -> set[Assay]:
    """Find the assays of method codes that stand beside a test code."""
    methods = (terms.catalogue.method(*pair) for pair in pairs)
    return {ASSAY_OF_ROLE[role] for role in methods if role is not None}


def _coded(
    own: Sequence[TestRole], roles: set[TestRole], names: _Names, question: Question
) -> Question:
    """Judge a HER2 code by what stands beside it."""
    if TestRole.OTHER_ANALYTE in roles or (names.others and not names.her2_named):
        problem = "other-analyte-named"
        return Question(TestRole.OTHER_ANALYTE, problem, rows=question.rows, names_other=True)
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
        question = Question(None, "no-her2-test", rows=rows, unknown=unknown)
        return replace(question, names_other=names.others)
    if names.other_test:
        return Question(TestRole.EXCLUDED, names.other_test, rows=rows)
    problem = "" if names.understood else "test-not-understood"
    if names.method:
        problem = "method-named"
    if names.others:
        problem = "several-analytes-named"
    return names.of_cells(replace(question, role=names.role or TestRole.OVERALL, problem=problem))


def _part(names: _Names, whole: TestRole, question: Question) -> Question:
    """Judge a component that names no test but is made of a test's words: it is about its Observation's."""
    assay = ASSAY_OF_ROLE.get(whole, Assay.OVERALL)
    is_ihc = assay is not Assay.ISH
    role = ROLE_OF_ASSAY.get(assay, TestRole.OVERALL)
    if names.cep17 and assay is not Assay.IHC:
        return replace(question, role=TestRole.CEP17_COPIES, asks=Asks.CELLS)
    if names.share and is_ihc:
        return names.of_cells(replace(question, role=TestRole.IHC))
    if names.cells:
        counted = replace(question, role=TestRole.CELLS_COUNTED, problem="cells-counted")
        stained = replace(question, role=TestRole.IHC, asks=Asks.CELLS)
        return stained if names.stains and is_ihc else counted
    return replace(question, role=role, asks=Asks.CONCLUSION if names.concludes else Asks.ASPECT)


class _Names:
    """What the text and the displays of a code name."""

    def __init__(
        self, said: Sequence[str], methods: set[Assay], terms: Terms, *, is_part: bool
    ) -> None:
        names = [terms.test_name(text) for text in said]
        every = [token for tokens, _ in names for token in tokens]
        her2 = [tokens for tokens, is_her2 in names if is_her2]
        self.others = holds(every, WordKind.OTHER_ANALYTE)
        self.other_test = min(meanings(every, WordKind.OTHER_TEST), default="")
        self.assays = methods | {Assay(meaning) for meaning in meanings(every, WordKind.ASSAY)}
        quantities = meanings(every, WordKind.QUANTITY) & set(_ROLE_OF_QUANTITY)
        self.assays |= {Assay.ISH} if quantities else set()
        self.assays |= {Assay.ISH} if her2 and holds(every, WordKind.PROBE) else set()
        implied = is_part and bool(self.assays) and not self.others
        self.her2_named = bool(her2) or implied
        named = [tokens for tokens, _ in names] if implied else her2
        of_cells = meanings(every, WordKind.QUANTITY)
        asked = meanings(every, WordKind.ASKED) | meanings(every, WordKind.FILLER)
        is_share = PERCENT in of_cells | asked or _has_percent_sign(every)
        self.share = is_share and not quantities
        self.cells = of_cells == {_CELLS}
        is_stained = "staining" in asked or holds(every, WordKind.STAINING)
        self.stains = is_stained or (self.cells and _is_positive(every))
        self.concludes = not asked.isdisjoint(("result", "overall"))
        self.cep17 = CEP17_COPIES in asked
        self.staining = meanings(every, WordKind.STAINING)
        of_stained = self.share or self.cells
        if her2 and not self.assays and self.stains and of_stained:
            self.assays = {Assay.IHC}
        self.understood = all(_is_name(tokens, of_share=of_stained) for tokens in named)
        self.method = any(map(_ends_with_method, named))
        self.names_a_part = (
            not (self.her2_named or self.others or self.other_test)
            and (self.share or holds(every, *_IN_NAMES, WordKind.ASKED))
            and not holds(every, WordKind.METHOD)
            and _is_name(every, of_share=of_stained, of_part=True)
        )
        self.role = self._role(quantities)

    def of_cells(self, question: Question) -> Question:
        """Say of a test what its name asks of cells; a share is one of IHC, a count of stained cells none."""
        if self.share and question.role is TestRole.IHC:
            return replace(question, asks=Asks.SHARE, pattern=frozenset(self.staining))
        if self.share and question.assay is Assay.ISH:
            return replace(question, problem=question.problem or "test-not-understood")
        may_count = question.role in (TestRole.IHC, TestRole.ISH, TestRole.OVERALL)
        return replace(question, asks=Asks.CELLS) if self.cells and may_count else question

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


def _is_name(tokens: Iterable[Token], *, of_share: bool, of_part: bool = False) -> bool:
    """Tell whether every word can stand in a test's name; a share is one of "positive" cells."""
    return all(
        token.kind is TokenKind.SIGN
        or token.is_word(*_IN_NAMES)
        or (token.is_word(WordKind.ASKED) and (of_part or token.meaning in _SHARE_OF_STAINED))
        or (of_share and token.meaning == ResultWord.POSITIVE)
        for token in tokens
    )


def _is_positive(tokens: Iterable[Token]) -> bool:
    return any(token.meaning == ResultWord.POSITIVE for token in tokens)


def _ends_with_method(tokens: tuple[Token, ...]) -> bool:
    """Tell whether a name asks how it was tested: "HER2 FISH method" is answered by a kit or a cut-off."""
    words = [token for token in tokens if token.kind is not TokenKind.SIGN]
    return bool(words) and words[-1].is_word(WordKind.METHOD)


def _has_percent_sign(tokens: Iterable[Token]) -> bool:
    return any(token.is_sign("%") for token in tokens)
