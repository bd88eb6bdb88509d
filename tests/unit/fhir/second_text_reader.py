"""A second reading of HER2 result texts, written from the terminology and the rules alone, with words of its own.

It protects against the product's reader and its tests being wrong together. One scanner of whole phrases takes the
text from left to right; what no phrase takes makes the text unreadable. What it took is then put together: scores must
agree, a bare word belongs to the test named in its own piece of the text, and two laboratories are never mixed.
The answer is a set: each reading that a careful pathologist would accept; an empty set is "unreadable".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import TypeVar

from adapter.her2.model import (
    Assay,
    Comparator,
    IhcResult,
    IhcScore,
    IshGroup,
    IshResult,
    Measurement,
    OverallResult,
    Probe,
    ResultWord,
    Staining,
)
from tests.unit.fhir.second_text_scan import Piece, Unread, plain, scan

T = TypeVar("T")

SCORES = {"0": IhcScore.ZERO, "0+": IhcScore.ZERO_PLUS}
SCORES |= {"1+": IhcScore.ONE_PLUS, "2+": IhcScore.TWO_PLUS, "3+": IhcScore.THREE_PLUS}
SAYS_SCORE = ("score", "range", "barerange", "plusses", "turned")
SAYS_IHC = ("ihc", "label", "percent", "stainword", *SAYS_SCORE)
SAYS_NUMBER = ("ratio", "ratio2", "copies", "copies2", "cep17")
SAYS_ISH = ("ish", "denied", "rationame", "copiesname", "group", "probe", "gene", *SAYS_NUMBER)
HAS_NO_RESULT = ("word_not_done", "remark", "advice")
LAST = ("present", "number", "barerange")
SAYS_NOTHING = ("remark", "advice", "side", "cells", "ihc", "ish", "whole", "about")
PATTERN_WORDS = {
    "faint-incomplete": {"faint", "incomplet", "weak"},
    "intense-complete": {"intens", "strong", "complet"},
    "weak-to-moderate-complete": {"weak", "moderat", "complet"},
}
COMPARATORS = {
    None: Comparator.EXACT,
    **dict.fromkeys(("<", "less than"), Comparator.LESS),
    **dict.fromkeys(
        ("<=", "=<", "less than or equal to", "at most", "up to"), Comparator.LESS_OR_EQUAL
    ),
    **dict.fromkeys((">", "greater than", "more than"), Comparator.GREATER),
    **dict.fromkeys(
        (">=", "=>", "greater than or equal to", "at least"), Comparator.GREATER_OR_EQUAL
    ),
}


@dataclass(frozen=True)
class TextReading:
    """What one text states; all None: it says that there is no result."""

    ihc: IhcResult | None = None
    ish: IshResult | None = None
    overall: OverallResult | None = None


def readings(text: str, asked: Assay) -> frozenset[TextReading]:
    """Every reading that can be defended; an empty set when the text cannot be read."""
    try:
        return frozenset({read(text, asked)})
    except Unread:
        return frozenset()


def read(text: str, asked: Assay) -> TextReading:
    """The one reading of a text. Raises Unread."""
    pieces = scan(plain(text))
    statement = Statement(asked, named_tests(pieces, asked))
    statement.take(pieces)
    if any(piece.kind == "outside" for piece in pieces):
        statement.forget_not_done()
    _check_laboratories(pieces, statement)
    _check_names(pieces, statement)
    reading = TextReading(statement.ihc(), statement.ish(pieces), statement.overall())
    kinds = {piece.kind for piece in pieces}
    done = reading.ish is not None and reading.ish.word is not ResultWord.NOT_DONE
    if "remark" in kinds and "outside" not in kinds and done:
        raise Unread("a test that is still to be done, and its result")
    asked_for = {Assay.IHC: reading.ihc, Assay.ISH: reading.ish}.get(asked, reading)
    advised = {statement.named.tests[id(piece)] for piece in pieces if piece.kind == "advice"}
    if advised & {asked.value, "overall"} and asked_for is not None:
        raise Unread("what was asked is still to be done, and stated")
    return reading


# --- Which test a bare word speaks of --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Named:
    """The test that each piece speaks of, the parts that speak of IHC alone, and the test a bare word stands at."""

    tests: dict[int, str]
    ihc_parts: frozenset[int]
    neighbours: dict[int, str]


def named_tests(pieces: list[Piece], asked: Assay) -> Named:
    parts: dict[int, set[str]] = {}
    for piece in pieces:
        if piece.kind in SAYS_IHC or piece.kind.startswith("stain_"):
            parts.setdefault(piece.part, set()).add("ihc")
        elif piece.kind in SAYS_ISH or piece.kind.startswith("ishword"):
            parts.setdefault(piece.part, set()).add("ish")
    ihc_parts = frozenset(part for part, named in parts.items() if named == {"ihc"})
    for piece in pieces:
        if piece.kind == "number" and asked is not Assay.ISH and piece.found["number_of"].isdigit():
            parts.setdefault(piece.part, {"ihc"})
    undone = {piece.part for piece in pieces if piece.kind in HAS_NO_RESULT}
    everywhere = {test for part, tests in parts.items() if part not in undone for test in tests}
    found: dict[int, str] = {}
    for place, piece in enumerate(pieces):
        here = parts.get(piece.part, set())
        if len(here) == 1:
            found[id(piece)] = next(iter(here))
        elif len(here) > 1:
            found[id(piece)] = _nearest(pieces, place)
        elif piece.kind in ("word_not_done", "advice"):
            found[id(piece)] = asked.value
        elif len(everywhere) > 1 or asked is Assay.OVERALL:
            found[id(piece)] = "overall"
        else:
            found[id(piece)] = next(iter(everywhere), asked.value)
    said = {part: tests for part, tests in parts.items() if part not in undone}
    bare = [place for place, piece in enumerate(pieces) if not parts.get(piece.part)]
    neighbours = {id(pieces[place]): _neighbour(pieces, place, said) for place in bare}
    return Named(found, ihc_parts, {one: test for one, test in neighbours.items() if test})


def _neighbour(pieces: list[Piece], place: int, said: dict[int, set[str]]) -> str:
    """The test whose bracket a bare word opens, else the last one before it; "" where it is of the whole."""
    word = pieces[place]
    if any(piece.kind == "whole" for piece in pieces if piece.part == word.part):
        return ""
    after = next((piece for piece in pieces[place:] if piece.part != word.part), word)
    inside = [piece for piece in pieces if piece.bracket == after.bracket != word.bracket == 0]
    if any(piece.kind == "whole" for piece in inside):
        return ""
    tests = {test for piece in inside for test in said.get(piece.part, ())}
    if tests:
        return tests.pop() if len(tests) == 1 else ""
    for piece in reversed(pieces[:place]):
        tests = said.get(piece.part, set())
        if piece.kind == "whole" or len(tests) == 1:
            return "" if piece.kind == "whole" else next(iter(tests))
    return ""


def _nearest(pieces: list[Piece], place: int) -> str:
    """Where one part of the text names both tests: the last one named before."""
    for piece in reversed(pieces[:place]):
        if piece.part == pieces[place].part and piece.kind in (*SAYS_IHC, *SAYS_ISH):
            return "ihc" if piece.kind in SAYS_IHC else "ish"
    return "overall"


# --- Putting together ------------------------------------------------------------------------------------------------


def _add(stated: list[T], one: T) -> None:
    if one not in stated:
        stated.append(one)


def _one(stated: list[T]) -> T | None:
    if len(stated) > 1:
        raise Unread(f"contradiction: {stated}")
    return stated[0] if stated else None


@dataclass
class Statement:
    """What the phrases state, by test; a list holds each different thing once."""

    asked: Assay
    named: Named
    scores: list[tuple[IhcScore, ...]] = field(default_factory=list)
    words: dict[str, list[str]] = field(
        default_factory=lambda: {"ihc": [], "ish": [], "overall": []}
    )
    numbers: dict[str, list[Measurement]] = field(default_factory=dict)
    percents: list[Measurement] = field(default_factory=list)
    stains: list[str] = field(default_factory=list)
    stainwords: list[str] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    counts: list[Piece] = field(default_factory=list)

    def take(self, pieces: list[Piece]) -> None:
        """Take every piece, bare numbers last: what they are depends on the rest."""
        names = {"rationame": "ratio", "copiesname": "copies"}
        self.names = {one.part: names[one.kind] for one in pieces if one.kind in names}
        ends = {one.part for one in pieces if one.kind == "cells" and one.found.group() == "cells"}
        self.counts = [one for one in pieces if one.kind == "number" and one.part in ends]
        before = [None, *pieces]
        pairs = [
            (one is not None and one.kind == "label", piece)
            for one, piece in zip(before, pieces, strict=False)
        ]
        for is_labelled, piece in sorted(pairs, key=lambda pair: pair[1].kind in LAST):
            if piece.kind == "number":
                self._bare_number(piece, is_labelled=is_labelled)
            elif piece.kind not in SAYS_NOTHING:
                self._take(piece)

    def forget_not_done(self) -> None:
        """What one laboratory has not done, another may have."""
        for said in self.words.values():
            if len(said) > 1 and "not-done" in said:
                said.remove("not-done")

    def _take(self, piece: Piece) -> None:
        kind, found = piece.kind, piece.found
        here = self.named.tests[id(piece)]
        if kind in (*SAYS_SCORE, "minus"):
            self._score(kind, found, here)
        elif kind.startswith("ishword_"):
            _add(self.words["ish"], kind.removeprefix("ishword_"))
        elif kind == "either":
            self._word(piece, "negative", here)
        elif kind.startswith("word_"):
            self._word(piece, kind.removeprefix("word_").replace("_", "-"), here)
        elif kind in ("present", "absent"):
            self._presence(kind, here)
        elif kind == "denied":
            _add(self.words["ish"], "negative")
        elif kind == "stainword":
            _add(self.stainwords, found.group().rstrip("aeo").replace("ee", "e"))
        elif kind.startswith("stain_"):
            _add(self.stains, kind.removeprefix("stain_").replace("_", "-"))
        elif kind == "her2" and found["sign"]:
            self._word(piece, "positive" if found["sign"] == "+" else "negative", here)
        elif kind == "counted" and Decimal(found.group().split()[0].replace(",", ".")) < 20:
            raise Unread("no count of cells is so small")
        elif kind == "percent":
            _add(self.percents, _measured("percent_of", found))
        elif kind in SAYS_NUMBER:
            _add(self.numbers.setdefault(kind.rstrip("2"), []), _measured(f"{kind}_of", found))

    def _word(self, piece: Piece, word: str, here: str) -> None:
        """A word; beside both tests it is of the whole, and no less of the one that it stands at."""
        is_expressed = "expr" in piece.found.group()
        _add(self.words["ihc" if is_expressed and here == "ish" else here], word)
        neighbour = self.named.neighbours.get(id(piece))
        if here == "overall" and neighbour and word not in ("low", "ultralow", "not-done"):
            _add(self.words["ihc" if is_expressed else neighbour], word)

    def _presence(self, kind: str, here: str) -> None:
        if kind == "present" and self.words["ish"]:
            return  # "no amplification detected"
        if here == "ish":
            _add(self.words["ish"], "positive" if kind == "present" else "negative")
        elif not any(self.words.values()):
            raise Unread("presence of a protein")

    def _score(self, kind: str, found: re.Match[str], here: str) -> None:
        if kind == "minus":
            _add(self.words[here], "negative")
        elif kind in ("range", "barerange"):
            names = ("low", "high") if kind == "range" else ("from", "upto")
            low, high = (int(found[name]) for name in names)
            is_ihc = here == "ihc" and (self.asked is Assay.IHC or self.scores)
            if kind == "barerange" and not is_ihc:
                raise Unread("a range of what")
            if not low <= high <= low + 1:
                raise Unread("a scale, not a range")
            ends = (SCORES["0" if low == 0 else f"{low}+"], SCORES[f"{high}+"])
            _add(self.scores, ends if low < high or low == 0 else ends[1:])
        else:
            given = {"score": found["grade"], "turned": found["turned_to"]}
            grade = given.get(kind) or str((found["plus"] or "").count("+"))
            _add(self.scores, (SCORES[f"{grade}+"],))

    def _bare_number(self, piece: Piece, *, is_labelled: bool) -> None:
        """A number without a name: a ratio where ISH is spoken of, a score after its name or under an IHC test."""
        if piece in self.counts:
            return
        digits, here = piece.found["number_of"], self.named.tests[id(piece)]
        is_grade = digits in ("0", "1", "2", "3") and piece.found["number_of_cmp"] is None
        by_ihc = here != "ish" and (
            self.asked is Assay.IHC or self.scores or piece.part in self.named.ihc_parts
        )
        if is_grade and (is_labelled or by_ihc):
            _add(self.scores, (SCORES["0" if digits == "0" else f"{digits}+"],))
        elif here == "ish" and not is_labelled:
            name = self.names.get(piece.part, "ratio")
            _add(self.numbers.setdefault(name, []), _measured("number_of", piece.found))
        else:
            raise Unread("a number of what")

    @property
    def all_words(self) -> set[str]:
        return {word for words in self.words.values() for word in words}

    def ihc(self) -> IhcResult | None:
        words = [word for word in self.words["ihc"] if word not in ("low", "ultralow")]
        scores, word = _one(self.scores), _one(words)
        percent, stain = (
            _one(self.percents),
            _one(sorted({*self.stains, *_pattern(self.stainwords)})),
        )
        if scores is None and (percent or stain):
            fits = self.all_words <= {"negative", "low", "ultralow"} and self.all_words
            if self.all_words == {"ultralow"}:
                scores = (IhcScore.ZERO_PLUS,)
            elif percent or stain not in ("none", "faint-incomplete") or not fits:
                raise Unread("staining without a score")
            else:
                stain = None
        if scores is None and word is None:
            return None
        if "ultralow" in self.words["ihc"] and scores == (IhcScore.ZERO,):
            scores = (IhcScore.ZERO_PLUS,)
        said = ResultWord(word) if word else None
        return IhcResult(scores or (), said, percent, Staining(stain) if stain else None)

    def ish(self, pieces: list[Piece]) -> IshResult | None:
        word = _one([word for word in self.words["ish"] if word not in ("low", "ultralow")])
        numbers = {name: _one(stated) for name, stated in self.numbers.items()}
        group, probe = (
            _one(sorted({piece.found[f"{kind}_of"] for piece in pieces if piece.kind == kind}))
            for kind in ("group", "probe")
        )
        if word is None and not numbers and group is None:
            return None
        return IshResult(
            ResultWord(word) if word else None,
            IshGroup(int(group)) if group else None,
            Probe(probe) if probe else None,
            numbers.get("ratio"),
            numbers.get("copies"),
            numbers.get("cep17"),
        )

    def overall(self) -> OverallResult | None:
        kinds = [w for test in ("ihc", "ish") for w in self.words[test] if w in ("low", "ultralow")]
        words = list(dict.fromkeys([*self.words["overall"], *kinds]))
        if "negative" in words and {"low", "ultralow"} & set(words):
            words.remove("negative")  # low and ultralow are kinds of it
        if "equivocal" in words and (IhcScore.TWO_PLUS,) in self.scores:
            words.remove("equivocal")  # the word for 2+, wherever it stands
        word = _one(words)
        return OverallResult(ResultWord(word)) if word else None


def _measured(name: str, found: re.Match[str]) -> Measurement:
    upper = found[f"{name}_to"]
    value = Decimal(found[name].replace(",", "."))
    top = Decimal(upper.replace(",", ".")) if upper else None
    if top is not None and (top <= value or found[f"{name}_cmp"]):
        raise Unread("not a range")
    return Measurement(value, COMPARATORS[found[f"{name}_cmp"]], top)


def _pattern(words: list[str]) -> list[str]:
    """The staining pattern that single words make, scattered over the text as they may be."""
    for pattern, may_hold in PATTERN_WORDS.items():
        if words and set(words) <= may_hold:
            return [pattern]
    if words:
        raise Unread(f"staining {words}")
    return []


# --- What must not be put together -----------------------------------------------------------------------------------


def _check_laboratories(pieces: list[Piece], statement: Statement) -> None:
    """What another laboratory said must be said by ours too, as far as both speak of one test."""
    brackets = {piece.bracket for piece in pieces if piece.kind == "outside"}
    if not brackets or len(_said(pieces, statement)) <= 1:
        return
    there = [piece for piece in pieces if piece.bracket in brackets - {0}]
    here = [piece for piece in pieces if piece not in there]
    is_alone = any(
        not any(
            piece.kind in HAS_NO_RESULT or _said([piece], statement)
            for piece in pieces
            if piece.bracket == bracket
        )
        for bracket in brackets
    )
    ours, theirs, all_said = (_said(some, statement) for some in (here, there, pieces))
    plain_words = any(all(isinstance(x, str) for x in said) for said in (ours, theirs))
    parts = {piece.part for piece in pieces if _said([piece], statement)}
    is_one = parts <= {piece.part for piece in pieces if piece.kind == "outside"}
    if (0 in brackets or is_alone) and not is_one and _mixes(all_said):
        raise Unread("which of these is the other laboratory's")
    if not (is_one or plain_words or ours <= theirs or theirs <= ours):
        raise Unread("results of two laboratories")


def _mixes(said: set[object]) -> bool:
    """Whether two tests, two scores or two numbers are said."""
    scores = [x for x in said if isinstance(x, tuple) and isinstance(x[0], IhcScore)]
    numbers = [
        x for x in said if isinstance(x, tuple) and isinstance(x[1:2], tuple) and x not in scores
    ]
    counted = [x for x in numbers if isinstance(x[1], Measurement)]
    return len(scores) > 1 or len(counted) > 1 or bool(scores and numbers)


def _said(pieces: list[Piece], statement: Statement) -> set[object]:
    """Every score, word of ISH and number; a plain word of IHC says less than the score beside it."""
    said = Statement(statement.asked, statement.named, scores=[])
    bare = [piece for piece in pieces if piece.kind not in HAS_NO_RESULT]
    try:
        said.take(bare)
    except Unread:  # a bare number that only the rest of the text explains
        return {piece.found.group() for piece in bare}
    numbers = {(name, one) for name, stated in said.numbers.items() for one in stated}
    found = {*said.scores, *(("ish", word) for word in said.words["ish"]), *numbers}
    return found or {*said.words["ihc"], *said.words["overall"]}


def _check_names(pieces: list[Piece], statement: Statement) -> None:
    """A name without its result: something is missing. A score, or low, is no answer of ISH."""
    _check_expression(pieces, statement)
    _check_low(pieces)
    low = statement.all_words & {"low", "ultralow"}
    described = statement.percents or statement.stains or statement.stainwords
    is_ihc = statement.scores or set(statement.words["ihc"]) - {"not-done"} or described
    kinds = {piece.kind for piece in pieces}
    if statement.asked is Assay.ISH and (is_ihc or low):
        raise Unread("another test's answer under an in situ hybridization")
    low_parts = {
        piece.part for piece in pieces if statement.scores or piece.kind.startswith("word_")
    }
    for one, other in pairwise([*pieces, None]):
        is_open = other is None or other.kind in ("label", "ish")
        if (
            one is not None
            and one.kind == "label"
            and is_open
            and low
            and one.part not in low_parts
        ):
            raise Unread("low beside a score without its number")
    if len({piece.found.group() for piece in pieces if piece.kind == "side"}) > 1:
        raise Unread("two tumours")
    is_ish = statement.words["ish"] or statement.numbers or kinds & {"group", "remark"}
    if kinds & {"ish", "gene"} and not is_ish and (low or statement.scores):
        raise Unread("an in situ hybridization is named, and its result not said")
    for part in {piece.part for piece in pieces}:
        here = {piece.kind for piece in pieces if piece.part == part}
        if here & {"score", "range", "plusses"} and "ish" in here and "ihc" not in here:
            raise Unread("a score of an in situ hybridization")


def _check_expression(pieces: list[Piece], statement: Statement) -> None:
    """Overexpression is of the protein: no answer of an in situ hybridization."""
    for piece in pieces:
        if piece.kind in ("word_positive", "word_negative") and "expr" in piece.found.group():
            others = {other.kind for other in pieces if other.part == piece.part}
            if statement.asked is Assay.ISH or (
                others & {"ish", *SAYS_NUMBER} and "ihc" not in others
            ):
                raise Unread("overexpression by an in situ hybridization")


def _check_low(pieces: list[Piece]) -> None:
    """Low that is denied: "low: negative", "negative for low"; a score as well: "negative for 1+". One of two."""
    for one, other in pairwise(piece for piece in pieces if piece.kind != "her2"):
        between = one.found.string[one.found.end() : other.found.start()]
        ends = {one.found.group(), other.found.group().replace(" ", "")}
        if "/" in between and ends == {"0", "ultralow"}:
            raise Unread("stained or not")
    for part in {piece.part for piece in pieces}:
        kinds = [piece.kind for piece in pieces if piece.part == part]
        low_at = [
            place for place, kind in enumerate(kinds) if kind in ("word_low", "word_ultralow")
        ]
        if low_at and "word_negative" in kinds[low_at[0] :]:
            raise Unread("low, denied or negative as low is")
        for place, kind in enumerate(kinds):
            graded = {*kinds[place:]} & {"word_low", "word_ultralow", "number", *SAYS_SCORE}
            if kind == "about" and "word_negative" in kinds[:place] and graded:
                raise Unread("negative for what")
