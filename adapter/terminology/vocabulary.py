"""What the mappings can say: roles of test codes, meanings of answers, kinds of words.

Values only; no look-up, no files.

A meaning is always written as the core spells it (IhcScore.value, ResultWord, "group-1" …), so that
a test can hold every target in mappings/ against the core. No code of LOINC, SNOMED CT or another
system stands in Python.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class TestRole(StrEnum):
    """What an Observation (or component) with this code reports."""

    IHC = "ihc"
    IHC_UNIFORM_INTENSE_PERCENT = "ihc-uniform-intense-percent"
    ISH = "ish"
    RATIO = "ratio"
    HER2_COPIES = "her2-copies"
    CEP17_COPIES = "cep17-copies"
    CELLS_COUNTED = "cells-counted"
    OVERALL = "overall"
    PANEL = "panel"
    GENERIC = "generic"
    """A method or study that says nothing of HER2 by itself; never enough alone."""
    EXCLUDED = "excluded"
    """Names HER2, but no IHC or ISH of tissue (serum, immunoassay, mutation, NGS): never a category
    from it.
    """
    OTHER_ANALYTE = "other-analyte"
    """Another marker's test (ER, PR, Ki-67, HER3, EGFR, PD-L1 …)."""
    DOCUMENT = "document"
    """A narrative or container; HER2 may be told inside, and no category is read from it."""
    GENE_STUDIED = "gene-studied"
    """A component that names the gene of a generic study; only Catalogue.is_her2_gene says whether
    it is HER2.
    """

    __test__ = False  # not a test class, whatever pytest thinks of its name


class AnswerKind(StrEnum):
    """Under which test an answer stands; the same code may mean another thing under another."""

    IHC = "ihc"
    ISH = "ish"
    OVERALL = "overall"


class Answer(StrEnum):
    """Meanings of coded answers that are no IhcScore.value, no ResultWord and no group-1 … group-5.

    A range of scores is its two ends joined by RANGE, lower end first: "0..1+", "1+..2+", "2+..3+".
    """

    AMPLIFIED = "amplified"
    """An ISH word under an IHC code; read as ISH positive (rules: Which results count, 8)."""
    NOT_AMPLIFIED = "not-amplified"
    """An ISH word under an IHC code; read as ISH negative."""
    OFF_SCALE = "off-scale"
    """A grade that the 0-3+ scale does not have."""
    UNREADABLE = "unreadable"
    """A known code that means nothing usable here ("Present" under IHC); never a category."""
    OTHER_TUMOUR = "other-tumour"
    """A result about a tumour outside the breast."""


RANGE = ".."
"""Between the two ends of a range of IHC scores."""


class WordKind(StrEnum):
    """What a phrase does in a text."""

    IHC_SCORE = "ihc-score"
    RESULT = "result"
    """positive, negative, equivocal, indeterminate, low, ultralow."""
    EXPRESSION = "expression"
    """overexpressed → positive, not overexpressed → negative: of the protein, and no word of ISH."""
    ISH_RESULT = "ish-result"
    """amplified → positive, not amplified → negative: an ISH word wherever it stands."""
    PRESENCE = "presence"
    """detected → positive, not detected → negative: a result of ISH, and of no other test."""
    NOT_DONE = "not-done"
    UNSETTLING = "unsettling"
    """Never read; beside a code it keeps the code from standing alone. meaning: void ("invalid"; alone in a note it
    puts the result in doubt), doubtful (also of a diagnosis), number (in words).
    """
    NEGATION = "negation"
    STAINING = "staining"
    """meaning: none, faint, incomplete, weak, moderate, intense, complete."""
    QUANTITY = "quantity"
    """meaning: ratio, her2-copies, cep17-copies, cells, percent."""
    COMPARATOR = "comparator"
    """meaning: <, <=, >, >=."""
    COPULA = "copula"
    """"is": after a cut-off ("ratio >= 2.0 is amplified") it makes the text a criterion, no result."""
    EXTENT = "extent"
    """focal, heterogeneous: the score may hold in few of the cells."""
    LABORATORY = "laboratory"
    """Another laboratory's result is spoken of ("outside")."""
    PROBE = "probe"
    """meaning: single, dual."""
    ASSAY = "assay"
    """meaning: ihc, ish."""
    MARKER = "marker"
    """meaning: recount, repeat."""
    ADJUDICATED = "adjudicated"
    RECOMMENDATION = "recommendation"
    """A test is recommended, pending or awaited: no result."""
    POPULATION = "population"
    """A second cell population is spoken of."""
    HER2 = "her2"
    """A name of the marker, gene, antibody or kit."""
    OTHER_ANALYTE = "other-analyte"
    OTHER_TEST = "other-test"
    """A test of HER2 that is no IHC or ISH, or no test (serum, mutation, treatment); meaning: why."""
    SITE_BREAST = "site-breast"
    """meaning: breast; invasive where the phrase says so as well."""
    SITE_OTHER = "site-other"
    """A primary tumour outside the breast, by name; in-situ: a carcinoma in situ."""
    SIDE = "side"
    """meaning: left, right."""
    SAMPLE_KIND = "sample-kind"
    """meaning: core, excision, primary, metastasis, residual."""
    DOUBT = "doubt"
    """The result is said to be of another patient or specimen, or not to be used."""
    METHOD = "method"
    """A method or a kit. It changes nothing in a text; a test whose name ends with it is asked how, not what."""
    FILLER = "filler"
    """Words that change nothing ("in", "of tumor cells", "status"). meaning: filler; invasive where they say that the
    tumour is; what a name that is made of it asks for: result ("status"), percent ("percentage of cells"), staining;
    or what a word beside it is said of: of-what ("for": what follows), overall ("final": both tests; in a name it
    asks for the result)."""
    ASKED = "asked"
    """What the name of a test or of a part of it asks for; no text is read with it. meaning: percent, staining,
    cep17-copies, aspect ("intensity")."""
    DIAGNOSIS = "diagnosis"
    """A word of a diagnosis or a sample's name, looked for where the tumour's site is asked, and in notes on which
    tumour was scored; no result is read with it.

    meaning: organ (of another primary or of a metastasis), place (of metastases), feature ("necrosis"), in-situ,
    invasive, qualifier ("not otherwise specified"), attribute (between a denial and what it denies), denial, doubt,
    alternative ("or"), only, scored-on, left and right (abbreviations, beside a word for the breast).
    """
    POSITION = "position"
    """Where in the breast a sample was taken, looked for in its name alone; nothing else is read with it.

    meaning: upper-outer, upper-inner, lower-outer, lower-inner, inner (upper or lower), hour (behind an hour:
    "o'clock"), at-hour (before one: "ore").
    """
    CONTROL = "control"
    """A control, a cell line or a xenograft, looked for in the name of a sample alone; nothing else is read with it.

    meaning: control, beside (one that lies beside the patient's sample: "with positive control").
    """


@dataclass(frozen=True)
class MapRow:
    """One row of the mappings that was used.

    `map` is the canonical url of its file, `meaning` as the core spells it.
    """

    map: str
    system: str
    code: str
    meaning: str
    display: str = ""


@dataclass(frozen=True)
class TestCode:
    """A recognised test code and its role; `reason` says why it is EXCLUDED or OTHER_ANALYTE."""

    role: TestRole
    row: MapRow
    reason: str = ""

    __test__ = False  # not a test class, whatever pytest thinks of its name


@dataclass(frozen=True)
class Word:
    """A phrase of the vocabulary, lower case, single blanks.

    `language`: "en", "de", …; "*" for any.
    """

    phrase: str
    kind: WordKind
    meaning: str
    language: str
    row: MapRow


@dataclass(frozen=True)
class Coding:
    """A coding to write: as FHIR's Coding."""

    system: str
    code: str
    display: str
