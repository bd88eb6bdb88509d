"""All clauses of a text added up to one result; what does not fit together is a conflict, or not read.

Each clause says what it says (`clause`); here the words of clauses that name no test find theirs, numbers their
quantity, and staining its pattern.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from adapter.fhir.meanings import ASSAY_OF_ROLE, scores_of_number
from adapter.fhir.stated import Conflict, Stated, one_word, refined
from adapter.fhir.text.clause import Clause
from adapter.fhir.text.parts import UnreadError
from adapter.fhir.text.quantities import (
    CEP17_COPIES,
    HER2_COPIES,
    HIGHEST_RATIO,
    NAMES,
    QUOTIENT,
    RATIO,
)
from adapter.her2.model import (
    Assay,
    IhcResult,
    IhcScore,
    IshGroup,
    IshResult,
    Measurement,
    Probe,
    ResultWord,
    Staining,
)
from adapter.her2.wording import ihc_said, ish_said, measured
from adapter.terminology.vocabulary import TestRole

CONTRADICTS_ITSELF: Final = "text-contradicts-itself"
LOW_WORDS: Final = frozenset({ResultWord.LOW, ResultWord.ULTRALOW})
"""What IHC alone can say; no ISH result is called so."""

_FAINT_OR_UNSAID: Final = (None, Staining.FAINT_INCOMPLETE)

_BARE_NUMBER: Final = {TestRole.HER2_COPIES: HER2_COPIES, TestRole.CEP17_COPIES: CEP17_COPIES}
"""What a number without a quantity is, by what was asked; all else of ISH: the ratio [P]."""

PATTERNS: Final = {
    frozenset({"none"}): Staining.NONE,
    frozenset({"faint"}): Staining.FAINT_INCOMPLETE,
    frozenset({"faint", "incomplete"}): Staining.FAINT_INCOMPLETE,
    frozenset({"weak", "complete"}): Staining.WEAK_TO_MODERATE_COMPLETE,
    frozenset({"moderate", "complete"}): Staining.WEAK_TO_MODERATE_COMPLETE,
    frozenset({"weak", "moderate", "complete"}): Staining.WEAK_TO_MODERATE_COMPLETE,
    frozenset({"intense"}): Staining.INTENSE_COMPLETE,
    frozenset({"intense", "complete"}): Staining.INTENSE_COMPLETE,
}
"""Staining words that make one pattern of ASCO/CAP 2018 Fig 1; no other mixture is understood."""


class _Bare(NamedTuple):
    """A word of a clause that names no test. `beside`: the test whose bracket it heads, else the last one before it."""

    word: ResultWord
    beside: Assay | None
    is_of_expression: bool = False


@dataclass
class Sum:
    """What all clauses of a text say together. `spoken_of`: the test that the last clause which named one named."""

    asked: TestRole
    text: str
    words: dict[Assay, list[ResultWord]] = field(default_factory=dict)
    bare: list[_Bare] = field(default_factory=list)
    spoken_of: Assay | None = None
    scores: set[tuple[IhcScore, ...]] = field(default_factory=set)
    off_scale: bool = False
    staining: set[str] = field(default_factory=set)
    percents: list[Measurement] = field(default_factory=list)
    numbers: dict[str, Measurement] = field(default_factory=dict)
    groups: set[IshGroup] = field(default_factory=set)
    probes: set[Probe] = field(default_factory=set)
    not_done: set[Assay] = field(default_factory=set)
    is_called_positive: bool = False
    extent: bool = False
    population: bool = False
    population_percents: list[Measurement] = field(default_factory=list)
    other_tumour: bool = False
    differing: list[str] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)

    @property
    def default(self) -> Assay:
        """The test that was asked for; what a clause speaks of that names none."""
        return ASSAY_OF_ROLE.get(self.asked, Assay.OVERALL)

    def of(self, clauses: list[Clause]) -> Stated:
        """Add up the clauses. Raises UnreadError."""
        for place, clause in enumerate(clauses):
            if clause.recommendation:
                self._recommended(clause)
            else:
                self._take(clause, clauses[place + 1 :])
        self._assign_words()
        self._weigh_extent()
        ihc, ish, overall = self._ihc(), self._ish(), self._word(Assay.OVERALL)
        if ihc is None and ish is None and overall is None and not self.other_tumour:
            return self._nothing_but_not_done()
        self._refuse_missing_result(clauses)
        said_by = (
            (Assay.IHC, ihc and ihc_said(ihc)),
            (Assay.ISH, ish and ish_said(ish)),
            (Assay.OVERALL, overall or (ihc and ihc_said(ihc)) or (ish and ish_said(ish))),
        )
        for assay, said in said_by:
            if said and assay in self.not_done:
                self.differing.append(f"{said} against not done")
        stated = Stated(ihc, ish, overall, other_tumour=self.other_tumour)
        if self.differing:
            differing = ", ".join(dict.fromkeys(self.differing))
            stated = stated.with_conflicts(Conflict(CONTRADICTS_ITSELF, differing))
        return stated.with_conflicts(*self.conflicts)

    def _recommended(self, clause: Clause) -> None:
        """Take "reflex FISH pending" for what it is: no result of the test it names."""
        if clause.states_result or clause.not_done:
            raise UnreadError
        self.not_done |= (clause.assays or {self.default}) - self.not_done

    def _take(self, clause: Clause, following: list[Clause]) -> None:
        assay = self._assay(clause)
        if clause.not_done:
            if clause.states_result:
                raise UnreadError
            self.not_done.add(assay or self.default)
        elif clause.quantity_alone and (clause.scores or not (clause.ish_words or clause.words)):
            raise UnreadError
        self._present(clause, assay)
        self._take_words(clause, assay, following)
        self.words.setdefault(Assay.ISH, []).extend(clause.ish_words)
        self.scores.update(clause.scores)
        self.off_scale |= clause.off_scale
        self.staining |= clause.staining
        self.groups.update(clause.groups)
        self.probes |= clause.probes
        self.is_called_positive |= clause.is_called_positive
        self.extent |= clause.extent
        self.population |= clause.population
        self.other_tumour |= clause.other_tumour
        (self.population_percents if assay is Assay.ISH else self.percents).extend(clause.percents)
        for quantity, number in clause.numbers:
            self._number(quantity, number, assay or self.default)

    def _take_words(self, clause: Clause, assay: Assay | None, following: list[Clause]) -> None:
        """Take the words that may be of either test, each with the test that it stands beside."""
        if clause.adjudicated or clause.is_overall:
            self.spoken_of = None
        beside = self._headed(following) if not clause.bracket else self.spoken_of
        if assay is not None:
            self.words.setdefault(assay, []).extend((*clause.words, *clause.expression))
        else:
            self.bare += [_Bare(word, beside) for word in clause.words]
            self.bare += [_Bare(word, beside, is_of_expression=True) for word in clause.expression]
        if clause.is_called_positive:
            self.bare.append(_Bare(ResultWord.POSITIVE, beside))
        if assay is not None and not clause.not_done:
            self.spoken_of = assay

    def _headed(self, following: list[Clause]) -> Assay | None:
        """Find the one test of the bracket that a clause heads, or the last one before; None for both tests."""
        bracket = following[0].bracket if following else 0
        inside = [one for one in following if bracket and one.bracket == bracket]
        if any(one.adjudicated or one.is_overall for one in inside):
            return None
        tests = {self._assay(one) for one in inside if not one.recommendation} - {None}
        if not tests:
            return self.spoken_of
        return tests.pop() if len(tests) == 1 else None

    def _present(self, clause: Clause, assay: Assay | None) -> None:
        """Read "detected" as a result of ISH; presence of the protein is no IHC result.

        In "no amplification of HER2 detected" it only ends the sentence.
        """
        if not clause.presence or (clause.ish_words and ResultWord.NEGATIVE not in clause.presence):
            return
        is_asked = assay is None and self.asked in (TestRole.ISH, TestRole.PANEL)
        if assay is not Assay.ISH and not is_asked:
            raise UnreadError("presence-is-no-result")
        self.words.setdefault(Assay.ISH, []).extend(clause.presence)

    def _weigh_extent(self) -> None:
        """Leave a focal or heterogeneous score to a person, unless the share of cells is stated."""
        if not self.extent:
            return
        if not (self.scores or self.words.get(Assay.IHC)):
            raise UnreadError
        if not self.percents:
            self.conflicts.append(Conflict("extent-not-stated"))

    def _assay(self, clause: Clause) -> Assay | None:
        """Find the one test that a clause speaks of; None where it names none."""
        named = set(clause.assays)
        is_bare = self.default is Assay.IHC and any(name is None for name, _ in clause.numbers)
        is_bare = is_bare and not (named or clause.says_ish)  # "negative, 2": a score under IHC
        named |= {Assay.IHC} if clause.says_ihc or is_bare else set()
        named |= {Assay.ISH} if clause.says_ish or clause.quantity_alone else set()
        if len(named) > 1 or (clause.expression and named == {Assay.ISH}):
            raise UnreadError("two-tests-in-one-clause")
        return named.pop() if named else None

    def _number(self, quantity: str | None, number: Measurement, assay: Assay) -> None:
        number = replace(number, text=self.text)
        if self.asked is TestRole.IHC_UNIFORM_INTENSE_PERCENT and quantity is None:
            self.percents.append(number)
            return
        if quantity is None and assay is Assay.IHC:
            self._bare_score(number)
            return
        if quantity in (None, QUOTIENT):
            if assay is not Assay.ISH:
                raise UnreadError("number-without-meaning")
            quantity = _BARE_NUMBER.get(self.asked, RATIO) if quantity is None else RATIO
        if quantity == RATIO and number.value > HIGHEST_RATIO:
            raise UnreadError("number-without-meaning")
        if self.asked is TestRole.CEP17_COPIES and quantity == HER2_COPIES:
            raise UnreadError("unit-against-test")  # "copies" of what?
        name = quantity or RATIO
        first = self.numbers.setdefault(name, number)
        if first != number:
            self.differing.append(f"{NAMES[name]} {measured(first)} against {measured(number)}")

    def _bare_score(self, number: Measurement) -> None:
        scores = scores_of_number(number)
        if scores is None:
            raise UnreadError("number-without-meaning")
        self.off_scale |= not scores
        self.scores |= {scores} if scores else set()

    @property
    def _says_ihc(self) -> bool:
        return bool(self.scores or self.off_scale or self.words.get(Assay.IHC))

    def _assign_words(self) -> None:
        """Give the words of clauses that name no test to the test that they speak of."""
        says_ihc = self._says_ihc
        says_ish = bool(self.numbers or self.groups or self.words.get(Assay.ISH))
        if self.is_called_positive and not (says_ihc or says_ish):
            raise UnreadError("plus-alone")  # positive, or one plus of "+ ++ +++"
        for bare in self.bare:
            for test in self._tests_of(bare, says_ihc=says_ihc, says_ish=says_ish):
                self.words.setdefault(test, []).append(bare.word)
        if LOW_WORDS & set(self.words.get(Assay.ISH, [])):
            raise UnreadError("low-by-ish")  # ISH alone cannot say so; it may mean few copies

    def _tests_of(self, bare: _Bare, *, says_ihc: bool, says_ish: bool) -> set[Assay]:
        """Find what a bare word is said of.

        Beside both tests it is the overall result, and where it stands beside one of them it must be true of
        that one too: "2+, FISH: ratio 1.7, copies 5.1, negative" adjudicates nothing.
        """
        is_overall = self.default is Assay.OVERALL and bare.beside is Assay.ISH
        if says_ish and (says_ihc or is_overall):
            tests = {Assay.OVERALL, bare.beside or Assay.OVERALL}
            if bare.word in LOW_WORDS:
                return {Assay.OVERALL}
            if bare.word is ResultWord.EQUIVOCAL and bare.beside is Assay.IHC:
                return {Assay.IHC}  # the word for 2+, and what ISH then settles
        else:
            tests = {Assay.ISH if says_ish and self.default is Assay.IHC else self.default}
            if bare.word in LOW_WORDS and tests != {self.default}:
                return {Assay.OVERALL}  # "HER2-low (FISH not amplified)" under IHC
        if bare.is_of_expression and Assay.ISH in tests:
            return tests - {Assay.ISH} | {Assay.IHC}
        return tests

    def _word(self, assay: Assay) -> ResultWord | None:
        word, differing = one_word(self.words.get(assay, []))
        self.differing += differing
        return word

    def _refuse_missing_result(self, clauses: list[Clause]) -> None:
        """Refuse "1+, amplification" and, under ISH, "positive; IHC": a test is named and its result not said.

        Beside a 2+, ISH may be named as the test that is due.
        """
        named = {
            assay for c in clauses if not c.recommendation for assay in c.assays
        } - self.not_done
        if self.default is Assay.ISH and Assay.IHC in named and not self._says_ihc:
            raise UnreadError("result-missing")
        if self._lacks_score([clause for clause in clauses if not clause.not_done]):
            raise UnreadError("result-missing")
        said = self.words.get(Assay.ISH) or self.numbers or self.groups or self.population
        if Assay.ISH not in named or said:
            return
        is_low = any(LOW_WORDS & set(words) for words in self.words.values())
        if is_low or any(IhcScore.TWO_PLUS not in scores for scores in self.scores):
            raise UnreadError("result-missing")

    def _lacks_score(self, clauses: list[Clause]) -> bool:
        """Whether "low, score" was cut off before the score that would show it."""
        is_low = any(LOW_WORDS & set(words) for words in self.words.values())
        names_ihc = any(c.assays == {Assay.IHC} and not c.states_result for c in clauses)
        return is_low and names_ihc and not self.scores

    def _ihc(self) -> IhcResult | None:
        percent, staining, word = self._percent(), self._staining(), self._word(Assay.IHC)
        if self.asked is TestRole.IHC_UNIFORM_INTENSE_PERCENT and percent and not self.scores:
            if staining not in (None, Staining.INTENSE_COMPLETE):
                raise UnreadError("staining-not-understood")  # another pattern than was asked for
            return IhcResult(word=word, uniform_intense_percent=percent, text=self.text)
        if len(self.scores) > 1 or (self.scores and self.off_scale):
            raise UnreadError("several-scores")
        scores = next(iter(self.scores), ())
        if not scores and not self.off_scale:
            is_described = percent is not None or staining is not None
            if is_described and word in (None, ResultWord.POSITIVE, ResultWord.EQUIVOCAL):
                raise UnreadError("no-score")  # "faintly positive" is not 3+
            if word is ResultWord.LOW and (percent or staining not in _FAINT_OR_UNSAID):
                raise UnreadError(
                    "no-score"
                )  # "low, strong": the core has no score to hold it against
            if word is None:
                return None
        result = IhcResult(scores, word, percent, staining, None, self.off_scale, self.text)
        return refined(result)

    def _percent(self) -> Measurement | None:
        if len(self.percents) > 1:
            raise UnreadError("several-percentages")
        return replace(self.percents[0], text=self.text) if self.percents else None

    def _staining(self) -> Staining | None:
        pattern = PATTERNS.get(frozenset(self.staining))
        if self.staining and pattern is None:
            raise UnreadError("staining-not-understood")
        return pattern

    def _ish(self) -> IshResult | None:
        word = self._word(Assay.ISH)
        if len(self.groups) > 1 or len(self.probes) > 1 or len(self.population_percents) > 1:
            raise UnreadError
        if self.population_percents and not self.population:
            raise UnreadError
        if word is None and not self.groups and not self.numbers and not self.population:
            return None
        percent = next(iter(self.population_percents), None)
        return IshResult(
            word=word,
            stated_group=next(iter(self.groups), None),
            probe=next(iter(self.probes), None),
            ratio=self.numbers.get(RATIO),
            her2_copies=self.numbers.get(HER2_COPIES),
            cep17_copies=self.numbers.get(CEP17_COPIES),
            second_population=self.population,
            population_percent=percent,
            text=self.text,
        )

    def _nothing_but_not_done(self) -> Stated:
        """Read "not performed" or "pending" alone: the test that was asked for gives no result."""
        said = ResultWord.NOT_DONE
        if self.default is Assay.IHC and Assay.IHC in self.not_done:
            return Stated(ihc=IhcResult(word=said, text=self.text))
        if self.default is not Assay.IHC and Assay.ISH in self.not_done:
            return Stated(ish=IshResult(word=said, text=self.text))
        if self.default is Assay.OVERALL and Assay.OVERALL in self.not_done:
            return Stated(overall=said)
        raise UnreadError("nothing-stated")
