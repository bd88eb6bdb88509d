"""The words of the core: HER2 results as they were stated, the evidence of one sample, and the answer.

Everything here is a frozen value. Nothing is computed, read from a clock or fetched. A test result that is
unknown, contradictory or unreadable is a value with a reason, never an exception.

Source: docs/decision-table.md and the guideline it cites (ASCO/CAP 2018 focused update, affirmed 2023).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Final


class Category(StrEnum):
    """HER2 category of one tumour sample (CodeSystem her2-category)."""

    POSITIVE = "positive"
    LOW = "low"
    ULTRALOW = "ultralow"
    NEGATIVE = "negative"
    NEGATIVE_UNSPECIFIED = "negative-unspecified"
    INDETERMINATE = "indeterminate"
    EQUIVOCAL = "equivocal"
    PENDING_IHC = "pending-ihc"
    PENDING_SECOND_REVIEW = "pending-second-review"
    PENDING_DUAL_PROBE = "pending-dual-probe"
    NEEDS_REVIEW = "needs-review"
    NOT_APPLICABLE = "not-applicable"
    NO_RESULT = "no-result"

    @property
    def is_open(self) -> bool:
        """Whether a further result or a human decision is awaited."""
        return self in OPEN_CATEGORIES

    @property
    def is_written(self) -> bool:
        """Whether a derived Observation stands for it; not-applicable and no-result write nothing."""
        return self not in (Category.NOT_APPLICABLE, Category.NO_RESULT)


OPEN_CATEGORIES = frozenset(
    {
        Category.EQUIVOCAL,
        Category.PENDING_IHC,
        Category.PENDING_SECOND_REVIEW,
        Category.PENDING_DUAL_PROBE,
        Category.NEEDS_REVIEW,
    }
)


class AscoCapStatus(StrEnum):
    """The result category that ASCO/CAP 2018/2023 itself knows; None (no member) while pending or in review."""

    POSITIVE = "positive"
    NEGATIVE = "negative"
    EQUIVOCAL = "equivocal"
    INDETERMINATE = "indeterminate"


class IhcScore(Enum):
    """IHC score of the invasive component, as displayed. ZERO says nothing of faint staining; see Staining."""

    ZERO = "0"
    ZERO_PLUS = "0+"
    ONE_PLUS = "1+"
    TWO_PLUS = "2+"
    THREE_PLUS = "3+"


class ResultWord(StrEnum):
    """A result stated in words, without a score or numbers.

    LOW, ULTRALOW and NEGATIVE_OR_EQUIVOCAL occur as overall results only.
    """

    POSITIVE = "positive"
    NEGATIVE = "negative"
    EQUIVOCAL = "equivocal"
    INDETERMINATE = "indeterminate"
    NOT_DONE = "not-done"
    LOW = "low"
    ULTRALOW = "ultralow"
    NEGATIVE_OR_EQUIVOCAL = "negative-or-equivocal"
    """A register's code that merges two results (NAACCR 3855: 0)."""


class Comparator(StrEnum):
    """How a stated number bounds the measured one (FHIR Quantity.comparator; EXACT when there is none)."""

    EXACT = "="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="


@dataclass(frozen=True)
class Measurement:
    """A number as stated: ratio (1), copies per cell, or percent of tumour cells.

    `value` keeps the digits it came with (2.00 stays 2.00). `upper` is the other end of a stated range
    ("5-10 %"), or None. `text` is how the laboratory wrote it, "" when it came as a bare number.
    """

    value: Decimal
    comparator: Comparator = Comparator.EXACT
    upper: Decimal | None = None
    text: str = ""


class Staining(StrEnum):
    """What is said of the membrane staining's pattern (ASCO/CAP 2018 Fig 1)."""

    NONE = "none"
    FAINT_INCOMPLETE = "faint-incomplete"
    WEAK_TO_MODERATE_COMPLETE = "weak-to-moderate-complete"
    INTENSE_COMPLETE = "intense-complete"


@dataclass(frozen=True)
class IhcResult:
    """One IHC result as stated.

    `scores`: one score, or each score of a stated range in ascending order, or empty when only `word` is given.
    `word`: positive, negative, equivocal, indeterminate or not done beside or instead of a score.
    `percent`: share of tumour cells that `staining` speaks of; `staining`: the pattern, None when not said.
    `uniform_intense_percent`: LOINC 85328-3, percent of cells with uniform intense complete staining.
    `off_scale`: a score was stated that is not on the 0-3+ scale.
    """

    scores: tuple[IhcScore, ...] = ()
    word: ResultWord | None = None
    percent: Measurement | None = None
    staining: Staining | None = None
    uniform_intense_percent: Measurement | None = None
    off_scale: bool = False
    text: str = ""


class Probe(StrEnum):
    """ISH assay design; None (no member) when not stated."""

    DUAL = "dual"
    SINGLE = "single"


class IshGroup(Enum):
    """Dual-probe ISH groups 1-5 (ASCO/CAP 2018 Fig 3)."""

    G1 = 1
    G2 = 2
    G3 = 3
    G4 = 4
    G5 = 5


@dataclass(frozen=True)
class IshResult:
    """One ISH result (FISH, CISH, SISH, DISH) as stated.

    `word`: amplified reads as positive, not amplified as negative. `stated_group`: the laboratory named the group.
    `ratio`: HER2/CEP17 ratio; `her2_copies`, `cep17_copies`: average signals per cell.
    `second_population`: a second cell population was reported separately, with its share in percent of cells.
    """

    word: ResultWord | None = None
    stated_group: IshGroup | None = None
    probe: Probe | None = None
    ratio: Measurement | None = None
    her2_copies: Measurement | None = None
    cep17_copies: Measurement | None = None
    second_population: bool = False
    population_percent: Measurement | None = None
    text: str = ""


class Adjudication(StrEnum):
    """How an overall result came to be, where the laboratory says so."""

    NOT_STATED = "not-stated"
    ADJUDICATED = "adjudicated"


@dataclass(frozen=True)
class OverallResult:
    """The laboratory's own conclusion over all tests of a sample (rules: The laboratory's overall result)."""

    word: ResultWord
    adjudication: Adjudication = Adjudication.NOT_STATED
    text: str = ""


class ResultStatus(StrEnum):
    """FHIR R4 ObservationStatus; MISSING when the element is absent.

    REPORT_WITHDRAWN: whatever its own status, every report that lists it was withdrawn or cancelled.
    """

    REGISTERED = "registered"
    PRELIMINARY = "preliminary"
    FINAL = "final"
    AMENDED = "amended"
    CORRECTED = "corrected"
    CANCELLED = "cancelled"
    ENTERED_IN_ERROR = "entered-in-error"
    UNKNOWN = "unknown"
    MISSING = "missing"
    REPORT_WITHDRAWN = "report-withdrawn"


class RepeatMarker(StrEnum):
    """What says that a second result of the same test is meant to be one (rules: Which results count, 4)."""

    RECOUNT = "recount"
    REPEAT = "repeat"


class TumourSite(StrEnum):
    """What the result, its focus, specimen and report say of the tumour (rules: Which results count, 7)."""

    BREAST = "breast"
    OTHER = "other"
    CONTRADICTORY = "contradictory"
    UNCLEAR = "unclear"
    """A diagnosis or an organ is stated, and it may be of the breast or not."""
    NOT_STATED = "not-stated"


class SampleKind(StrEnum):
    """What kind of sample it is, where it or the result says so: a metastasis is not joined with another."""

    CORE = "core"
    EXCISION = "excision"
    PRIMARY = "primary"
    METASTASIS = "metastasis"
    RESIDUAL = "residual"
    NOT_STATED = "not-stated"


@dataclass(frozen=True)
class Source:
    """Where a result came from: one FHIR Observation.

    `reference` is "Observation/<id>", relative to the reading server; `version` its opaque meta.versionId.
    `effective`, `issued`: FHIR dateTimes as written, with their precision; None when absent.
    """

    reference: str
    version: str | None = None
    status: ResultStatus = ResultStatus.FINAL
    effective: str | None = None
    issued: str | None = None


@dataclass(frozen=True)
class SampleLinks:
    """What ties a result to a sample (rules: Which results count, 1). References are relative, sets may be empty.

    `specimen_identifiers`: "system|value" of Specimen.identifier. `specimen_name`: what a reference without a Specimen
    shows, in lower case. `parents`: Specimen.parent references.
    `accessions`: "system|value" of Specimen.accessionIdentifier. `reports`: DiagnosticReports that list the result.
    `reported_specimens`: every specimen that one of those reports is based on, whatever was tested on it.
    `orders`: accession without a specimen: basedOn references, Observation.identifier, panel parents.
    `in_breast`: whether its sample was taken from the breast or from another organ, where that is named.
    `hours`, `quadrants`: where in the breast it was taken, by the clock ("2:00") and by quadrant ("upper-outer").
    `side`: "left" or "right"; `body_site`: normalised site code or text; `collected_day`: YYYY-MM-DD of collection,
    else of effective; issued is no day of collection.
    """

    specimen: str | None = None
    specimen_identifiers: frozenset[str] = frozenset()
    parents: frozenset[str] = frozenset()
    accessions: frozenset[str] = frozenset()
    reports: frozenset[str] = frozenset()
    reported_specimens: frozenset[str] = frozenset()
    orders: frozenset[str] = frozenset()
    side: str | None = None
    body_site: str | None = None
    in_breast: bool | None = None
    collected_day: str | None = None
    kind: SampleKind = SampleKind.NOT_STATED
    specimen_name: str | None = None
    hours: frozenset[str] = frozenset()
    quadrants: frozenset[str] = frozenset()


LINK_END: Final = re.compile(r"(?:Observation|Specimen)/[A-Za-z0-9.\-]{1,64}")
"""What a link may name, in full: the logical id of a result or of a specimen on the reading server."""


@dataclass(frozen=True)
class Link:
    """A person's word that two results, or the results of two specimens, are of one tumour sample.

    `first`, `second`: "Observation/<id>" or "Specimen/<id>". `by`: who says so, `on`: the day, `because`: why.
    """

    first: str
    second: str
    by: str
    on: date
    because: str

    @property
    def ends(self) -> tuple[str, str]:
        """The two ids, in an order that does not depend on how they were written."""
        return (self.first, self.second) if self.first < self.second else (self.second, self.first)

    @property
    def sentence(self) -> str:
        """Who joined what, when and why, for the record."""
        first, second = self.ends
        return f"{first} and {second}, by {self.by} on {self.on.isoformat()}: {self.because}"


@dataclass(frozen=True)
class Reason:
    """Why an answer is as it is: a stable code, a sentence a pathologist would accept, and whose results it is about.

    `code` is kebab-case and never changes its meaning. `sources` are references such as "Observation/1".
    """

    code: str
    sentence: str
    sources: tuple[str, ...] = ()


class Assay(StrEnum):
    """Which kind of test an Observation reports."""

    IHC = "ihc"
    ISH = "ish"
    OVERALL = "overall"


@dataclass(frozen=True)
class Evidence:
    """One HER2 Observation, read: what it states, of which sample, and what is wrong with it.

    `assay` is the test it was sent as. Usually exactly one of `ihc`, `ish`, `overall` is given; an ISH word under an
    IHC code gives `ish`, and one text may state several. None of them is given when the Observation could not be read
    (`unreadable` then says why).
    `contradictions`: things within this Observation, or between it and its notes, that mean different things;
    any of them makes the case needs-review.
    `scored_at`: FHIR date of the test for the question of the guideline's edition (effective, else specimen), or None.
    `repeat_of`: references this result says it repeats or replaces.
    `noted_ihc`, `noted_ish`: what each of its notes says of a test, together with what it reports of that test.
    `concluded`: the coded HER2 conclusions of its reports. None of them gives a category; they can only contradict one.
    `shares_report`: a report of it holds results of other samples too, and may conclude on those.
    """

    source: Source
    subject: str
    assay: Assay
    ihc: IhcResult | None = None
    ish: IshResult | None = None
    overall: OverallResult | None = None
    links: SampleLinks = field(default_factory=SampleLinks)
    site: TumourSite = TumourSite.NOT_STATED
    marker: RepeatMarker | None = None
    repeat_of: tuple[str, ...] = ()
    contradictions: tuple[Reason, ...] = ()
    unreadable: Reason | None = None
    scored_at: str | None = None
    noted_ihc: tuple[IhcResult, ...] = ()
    noted_ish: tuple[IshResult, ...] = ()
    concluded: frozenset[ResultWord] = frozenset()
    shares_report: bool = False


class Basis(StrEnum):
    """Who says so: the guideline, or this product's own policy because no guideline says it."""

    GUIDELINE = "G"
    POLICY = "P"


@dataclass(frozen=True)
class Rule:
    """The rule that decided: a stable id, who says so and where, and its sentence."""

    id: str
    basis: Basis
    citation: str
    sentence: str


@dataclass(frozen=True)
class Classification:
    """The answer for one sample under one policy.

    `asco_cap` is None while pending or in review. `ish_group` is the group that the numbers or the laboratory
    gave, None for a mere word. `comments`: group comments that belong to the result; `limits`: what is not covered.
    `ihc_used`, `ish_used`, `overall_used`: the results that decided, after repeats and recounts were resolved.
    `used`: references of the Observations the answer was made from; `set_aside`: those not used, each with a reason.
    """

    category: Category
    rule: Rule
    policy: str
    policy_version: str
    asco_cap: AscoCapStatus | None = None
    ish_group: IshGroup | None = None
    review: bool = False
    reasons: tuple[Reason, ...] = ()
    comments: tuple[Reason, ...] = ()
    limits: tuple[Reason, ...] = ()
    ihc_used: IhcResult | None = None
    ish_used: IshResult | None = None
    overall_used: OverallResult | None = None
    used: tuple[str, ...] = ()
    set_aside: tuple[tuple[str, Reason], ...] = ()


@dataclass(frozen=True)
class Case:
    """One tumour sample of one patient: what joined its results, and the results.

    `key` is the root of what is joined: "specimen:<reference>" (the common parent where there is one),
    "report:<reference>", "accession:<system|value>", "day:<day>:<side>" or "observation:<reference>"; never the
    specimen that happens to carry the deciding IHC. `specimen` is the one specimen that all results agree on, or None.
    `join_reasons` say why results that might belong together were not joined; any of them sets review.
    `joined_by`: a person's links that joined what the laboratory's data do not; empty where they do it all.
    """

    subject: str
    key: str
    evidence: tuple[Evidence, ...]
    specimen: str | None = None
    join_reasons: tuple[Reason, ...] = ()
    joined_by: tuple[Link, ...] = ()


@dataclass(frozen=True)
class Policy:
    """A named, versioned way to decide, with a site's choices.

    `family` is part of a derived result's identity and survives new versions. `earlier_editions`: "limit" or "strict".
    `zero_plus`: what "0+" means here: "dated" (ultralow from 2024 on or undated, plain 0 before), "ultralow" or "zero".
    `tumour_site`: "optional", or "required" (not stated then means needs-review).
    """

    name: str
    family: str
    version: str
    guideline: str
    earlier_editions: str = "limit"
    zero_plus: str = "dated"
    tumour_site: str = "optional"
