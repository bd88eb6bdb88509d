"""Protects the reading of text: each way of writing a result that is understood, and what it means."""

from __future__ import annotations

from decimal import Decimal

import pytest

from adapter.fhir.stated import Conflict
from adapter.her2.model import (
    Comparator,
    IhcResult,
    IshGroup,
    IshResult,
    Measurement,
    Probe,
    RepeatMarker,
    ResultWord,
    Staining,
)
from adapter.terminology.vocabulary import TestRole
from tests.unit.fhir.recognising import reading


def ihc_of(text: str, asked: TestRole = TestRole.IHC) -> IhcResult:
    read = reading(text, asked)
    assert read.is_whole, read.problem
    assert read.stated.ihc is not None
    return read.stated.ihc


def ish_of(text: str, asked: TestRole = TestRole.ISH) -> IshResult:
    read = reading(text, asked)
    assert read.is_whole, read.problem
    assert read.stated.ish is not None
    return read.stated.ish


def digits(number: Measurement | None) -> tuple[str, str] | None:
    return (number.comparator.value, str(number.value)) if number else None


@pytest.mark.parametrize(
    ("text", "scores"),
    [
        ("0", "0"),
        ("0+", "0+"),
        ("1+", "1+"),
        ("2+", "2+"),
        ("3+", "3+"),
        ("2 +", "2+"),
        ("2＋", "2+"),  # full-width
        ("2", "2+"),
        ("score 3", "3+"),
        ("+++", "3+"),
        ("++", "2+"),
        ("C-erbB-2(+++)", "3+"),
        ("HER2(2+)", "2+"),
        ("HER2 IHC - 3+", "3+"),
        ("HER2 (IHC): 1+", "1+"),
        ("IHC3+", "3+"),
        ("HER2(IHC 2+)", "2+"),
        ("HER2 IHC0+", "0+"),
        ("IHC1+-2+", "1+ 2+"),
        ("HER2 score 0", "0"),
        ("0-1+", "0 1+"),
        ("0–1+", "0 1+"),
        ("0 - 1+", "0 1+"),
        ("1-2+", "1+ 2+"),
        ("1+-2+", "1+ 2+"),
        ("2+-3+", "2+ 3+"),
        ("0/1+", "0 1+"),
        ("0-2+", "0 1+ 2+"),
        ("0+-1+", "0+ 1+"),
    ],
)
def test_an_ihc_score_is_read_in_every_tidy_way_of_writing_it(text: str, scores: str) -> None:
    assert [score.value for score in ihc_of(text).scores] == scores.split()


@pytest.mark.parametrize("text", ["4+", "7", "++++", "Score 6"])
def test_a_score_off_the_scale_is_kept_as_such_and_never_rounded(text: str) -> None:
    assert ihc_of(text) == IhcResult(off_scale=True, text=text)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Positive", ResultWord.POSITIVE),
        ("HER2: NEG", ResultWord.NEGATIVE),
        ("HER2-negative", ResultWord.NEGATIVE),
        ("HER2/neu-neg", ResultWord.NEGATIVE),
        ("negative for HER2", ResultWord.NEGATIVE),
        ("Equivocal", ResultWord.EQUIVOCAL),
        ("HER2/neu: equivocal, awaiting FISH", ResultWord.EQUIVOCAL),
        ("Indeterminate", ResultWord.INDETERMINATE),
        ("Test Failure", ResultWord.INDETERMINATE),
        ("Unk/ND", ResultWord.NOT_DONE),
        ("[Not Available]", ResultWord.NOT_DONE),
        ("HER2 negatif", ResultWord.NEGATIVE),
        ("nicht durchgeführt", ResultWord.NOT_DONE),
    ],
)
def test_a_word_without_a_score_stays_a_word(text: str, word: ResultWord) -> None:
    read = ihc_of(text)
    assert (read.scores, read.word) == ((), word)


@pytest.mark.parametrize(
    ("text", "score", "word"),
    [
        ("Negative (Score 1+)", "1+", ResultWord.NEGATIVE),
        ("3+ (positive)", "3+", ResultWord.POSITIVE),
        ("Positive (1+)", "1+", ResultWord.POSITIVE),
        ("HER2: Positive (3+ by IHC)", "3+", ResultWord.POSITIVE),
        ("Her-2/neu: 0 (negative)", "0", ResultWord.NEGATIVE),
        ("HER2: Negative (1+ by IHC, FISH not performed)", "1+", ResultWord.NEGATIVE),
        (
            "HER2 (c-erbB-2): 2+ (equivocal by IHC; FISH reflex testing recommended)",
            "2+",
            "equivocal",
        ),
        ("HER2 negativ (Score 0)", "0", ResultWord.NEGATIVE),
        ("2+ (équivoque)", "2+", ResultWord.EQUIVOCAL),
        ("HER2: Negativo (score 1+)", "1+", ResultWord.NEGATIVE),
    ],
)
def test_score_and_word_are_both_kept(text: str, score: str, word: ResultWord) -> None:
    read = ihc_of(text)
    assert ([s.value for s in read.scores], read.word) == ([score], word)


@pytest.mark.parametrize(
    ("text", "percent", "staining"),
    [
        (
            "3+ (intense complete membrane staining in 8 % of tumor cells)",
            ("=", "8"),
            Staining.INTENSE_COMPLETE,
        ),
        (
            "1+ (faint incomplete membrane staining in 15 % of tumor cells)",
            ("=", "15"),
            Staining.FAINT_INCOMPLETE,
        ),
        ("0 (faint incomplete membrane staining present)", None, Staining.FAINT_INCOMPLETE),
        ("0+ (no membrane staining)", None, Staining.NONE),
        ("0 (membrane staining in 5 % of tumor cells)", ("=", "5"), None),
        ("0 (membrane staining in <10 % of tumor cells)", ("<", "10"), None),
        ("0 (membrane staining in less than 10 percent of cells)", ("<", "10"), None),
        ("3+ in 80 %", ("=", "80"), None),
        (
            "HER2/neu Oncoprotein: NEGATIVE (Score 1+, faint incomplete membrane staining in <10% cells)",
            ("<", "10"),
            Staining.FAINT_INCOMPLETE,
        ),
        (
            "2+ (weak to moderate complete membrane staining in 25% of tumour cells)",
            ("=", "25"),
            Staining.WEAK_TO_MODERATE_COMPLETE,
        ),
        ("0 (null)", None, Staining.NONE),
    ],
)
def test_percentage_and_staining_stand_beside_the_score(
    text: str, percent: tuple[str, str] | None, staining: Staining | None
) -> None:
    read = ihc_of(text)
    assert (digits(read.percent), read.staining) == (percent, staining)
    assert len(read.scores) == 1


def test_a_range_of_percentages_keeps_both_ends() -> None:
    percent = ihc_of("2+ (intense, complete membrane staining in 5-10 % of cells)").percent
    assert percent is not None
    assert (percent.value, percent.upper) == (Decimal(5), Decimal(10))


def test_ultralow_beside_a_plain_0_says_that_faint_staining_was_seen() -> None:
    assert ihc_of("0 (ultralow)").staining is Staining.FAINT_INCOMPLETE


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Positive (amplified)", ResultWord.POSITIVE),
        ("Negative (not amplified)", ResultWord.NEGATIVE),
        ("not amplified", ResultWord.NEGATIVE),
        ("non-amplified", ResultWord.NEGATIVE),
        ("Nicht amplifiziert", ResultWord.NEGATIVE),
        ("no amplification", ResultWord.NEGATIVE),
        ("no evidence of amplification", ResultWord.NEGATIVE),
        ("never amplified", ResultWord.NEGATIVE),
        ("never HER2 amplified", ResultWord.NEGATIVE),
        ("HER2/neu amplification: NOT detected", ResultWord.NEGATIVE),
        ("HER2 amplification: DETECTED", ResultWord.POSITIVE),
        ("FISH amplifiziert", ResultWord.POSITIVE),
        ("HER2 non amplifie", ResultWord.NEGATIVE),
        ("HER2 FISH未见基因扩增", ResultWord.NEGATIVE),
        ("Equivocal", ResultWord.EQUIVOCAL),
        ("Not done", ResultWord.NOT_DONE),
        ("FISH pending", ResultWord.NOT_DONE),
    ],
)
def test_an_ish_word_is_read_with_its_negation(text: str, word: ResultWord) -> None:
    assert ish_of(text).word is word


@pytest.mark.parametrize(
    ("text", "ratio", "copies"),
    [
        ("1.1", ("=", "1.1"), None),
        ("2.00", ("=", "2.00"), None),
        ("1,4", ("=", "1.4"), None),
        ("1.2 : 1", ("=", "1.2"), None),
        ("1.8/1", ("=", "1.8"), None),
        ("ratio 1.4", ("=", "1.4"), None),
        ("1.4 ratio", ("=", "1.4"), None),
        ("ratio 1.4 in 20 cells", ("=", "1.4"), None),
        ("less than 1.8", ("<", "1.8"), None),
        ("greater than 2.2", (">", "2.2"), None),
        ("<1.8", ("<", "1.8"), None),
        ("≥2.0", (">=", "2.0"), None),
        ("=>2.0", (">=", "2.0"), None),
        ("HER2/CEP17 ratio 1.2 : 1", ("=", "1.2"), None),
        ("2.5 (CN 3)", ("=", "2.5"), ("=", "3")),
        ("4.0, CN 9.7", ("=", "4.0"), ("=", "9.7")),
        ("copies 4.5", None, ("=", "4.5")),
        ("4.5 copies/cell", None, ("=", "4.5")),
        ("HER2 copy number >6.0", None, (">", "6.0")),
        ("ratio 1.4, copies 3.2", ("=", "1.4"), ("=", "3.2")),
    ],
)
def test_ish_numbers_go_where_their_words_say_and_a_bare_one_is_the_ratio(
    text: str, ratio: tuple[str, str] | None, copies: tuple[str, str] | None
) -> None:
    read = ish_of(text)
    assert (digits(read.ratio), digits(read.her2_copies)) == (ratio, copies)


def test_word_ratio_and_copies_of_one_text_are_one_ish_result() -> None:
    text = "ISH: not amplified (HER2/CEP17 ratio 1.3, mean HER2 copy number 3.4, CEP17 copies 2.6)"
    read = ish_of(text)
    assert (read.word, digits(read.ratio)) == (ResultWord.NEGATIVE, ("=", "1.3"))
    assert (digits(read.her2_copies), digits(read.cep17_copies)) == (("=", "3.4"), ("=", "2.6"))


@pytest.mark.parametrize(
    ("text", "asked", "part"),
    [
        ("4.2", TestRole.HER2_COPIES, "her2_copies"),
        ("2.1", TestRole.CEP17_COPIES, "cep17_copies"),
        ("2.1", TestRole.RATIO, "ratio"),
    ],
)
def test_a_bare_number_is_what_was_asked_for(text: str, asked: TestRole, part: str) -> None:
    assert digits(getattr(ish_of(text, asked), part)) == ("=", text)


def test_a_laboratory_may_name_the_ish_group_and_the_probe() -> None:
    assert ish_of("ISH group 4").stated_group is IshGroup.G4
    assert ish_of("dual probe: ratio 1.9").probe is Probe.DUAL


def test_an_ish_word_under_an_ihc_test_is_read_as_ish() -> None:
    read = reading("Negative (not amplified)", TestRole.IHC)
    assert read.stated.ihc is None
    assert read.stated.ish is not None
    assert read.stated.ish.word is ResultWord.NEGATIVE


def test_a_text_with_ihc_and_ish_gives_both_and_its_headline_is_the_overall_result() -> None:
    stated = reading("HER2: negative (2+ by IHC; FISH: ratio 1.4, non-amplified)").stated
    assert stated.ihc is not None
    assert [score.value for score in stated.ihc.scores] == ["2+"]
    assert stated.ish is not None
    assert (stated.ish.word, digits(stated.ish.ratio)) == (ResultWord.NEGATIVE, ("=", "1.4"))
    assert stated.overall is ResultWord.NEGATIVE


@pytest.mark.parametrize(
    ("text", "word"),
    [("Low", "low"), ("HER2-low", "low"), ("Ultralow", "ultralow"), ("Positive", "positive")],
)
def test_a_plain_word_is_the_overall_result_where_that_was_asked(text: str, word: str) -> None:
    assert reading(text, TestRole.OVERALL).stated.overall == word


def test_a_share_of_uniform_intense_staining_may_be_a_bare_number() -> None:
    for text in ("60", "60 %"):
        found = ihc_of(text, TestRole.IHC_UNIFORM_INTENSE_PERCENT)
        assert digits(found.uniform_intense_percent) == ("=", "60")


def test_another_pattern_than_uniform_intense_is_not_read_as_its_share() -> None:
    for text in ("5 % faint incomplete", "40 % weak to moderate complete"):
        found = reading(text, TestRole.IHC_UNIFORM_INTENSE_PERCENT)
        assert found.problem == "staining-not-understood"


@pytest.mark.parametrize("text", ["HER2-low", "Low", "ultralow", "0 (ultralow)", "low, ratio 1.2"])
def test_ish_alone_cannot_say_low(text: str) -> None:
    assert reading(text, TestRole.ISH).problem == "low-by-ish"


@pytest.mark.parametrize("text", ["negative/low", "Negative / HER2-ultralow", "low/negative"])
@pytest.mark.parametrize("asked", [TestRole.IHC, TestRole.OVERALL])
def test_negative_or_low_is_negative_which_takes_in_both(text: str, asked: TestRole) -> None:
    stated = reading(text, asked).stated
    word = stated.ihc.word if stated.ihc else stated.overall
    assert word is ResultWord.NEGATIVE


@pytest.mark.parametrize(
    ("text", "ihc", "ish", "overall"),
    [
        ("negative. IHC 2+, FISH group 4", None, None, "negative"),
        ("negative (IHC 2+, FISH group 4)", None, None, "negative"),
        ("IHC 2+, FISH group 4, negative", None, "negative", "negative"),
        ("IHC 2+, FISH group 4; HER2-", None, "negative", "negative"),
        ("IHC 2+, negative (FISH group 4)", None, "negative", "negative"),
        ("IHC 2+, FISH group 4, negative (20 cells)", None, "negative", "negative"),
        ("IHC 2+ (negative), FISH group 4", "negative", None, "negative"),
        ("IHC 2+ (equivocal), FISH group 4", "equivocal", None, None),
        ("IHC 2+, FISH group 4, final result: negative", None, None, "negative"),
        ("IHC 2+, FISH group 4, negative (adjudicated)", None, None, "negative"),
        ("IHC 2+, FISH not amplified, HER2-low", None, "negative", "low"),
    ],
)
@pytest.mark.parametrize("asked", [TestRole.IHC, TestRole.OVERALL])
def test_a_word_beside_one_of_two_tests_must_be_true_of_it_too(
    text: str, ihc: str | None, ish: str | None, overall: str | None, asked: TestRole
) -> None:
    stated = reading(text, asked).stated
    assert stated.ihc is not None
    assert stated.ish is not None
    assert (stated.ihc.word, stated.ish.word, stated.overall) == (ihc, ish, overall)


def test_a_word_beside_ish_numbers_is_theirs_also_where_no_test_is_asked_for() -> None:
    stated = reading("FISH: ratio 1.7, copies 5.1, negative", TestRole.OVERALL).stated
    assert stated.ish is not None
    assert (stated.ish.word, stated.overall) == (ResultWord.NEGATIVE, ResultWord.NEGATIVE)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("no overexpression", ResultWord.NEGATIVE),
        ("keine Überexpression", ResultWord.NEGATIVE),
        ("overexpressed, ratio 2.4", ResultWord.POSITIVE),
    ],
)
@pytest.mark.parametrize("asked", [TestRole.IHC, TestRole.ISH])
def test_overexpression_is_of_the_protein_whatever_was_asked(
    text: str, word: ResultWord, asked: TestRole
) -> None:
    stated = reading(text, asked).stated
    assert stated.ihc is not None
    assert stated.ihc.word is word
    assert stated.ish is None or stated.ish.word is None


def test_overexpression_may_be_the_overall_result() -> None:
    assert reading("no overexpression", TestRole.OVERALL).stated.overall is ResultWord.NEGATIVE


def test_low_beside_an_ish_result_is_the_laboratory_s_overall_result() -> None:
    stated = reading("HER2-low (FISH not amplified)").stated
    assert stated.overall is ResultWord.LOW
    assert stated.ish is not None


def test_a_pending_reflex_test_beside_a_score_is_no_ish_result() -> None:
    stated = reading("2+, reflex FISH pending").stated
    assert stated.ish is None
    assert stated.ihc is not None


def test_a_word_that_contradicts_another_is_a_conflict_not_a_choice() -> None:
    assert reading("Positive (not amplified)").stated.conflicts == (
        Conflict("text-contradicts-itself", "negative against positive"),
    )
    assert reading("not amplified, amplified", TestRole.ISH).stated.conflicts
    assert reading("FISH not done, FISH amplified", TestRole.ISH).stated.conflicts


def test_a_marker_in_the_text_is_kept() -> None:
    assert reading("recount: ratio 1.9", TestRole.ISH).marker is RepeatMarker.RECOUNT


def test_a_cut_off_stays_a_number_with_its_comparator() -> None:
    ratio = ish_of(">2.2").ratio
    assert ratio == Measurement(Decimal("2.2"), Comparator.GREATER, text=">2.2")


@pytest.mark.parametrize(
    ("text", "word"), [("HER2阳性", ResultWord.POSITIVE), ("HER2阴性", ResultWord.NEGATIVE)]
)
def test_chinese_is_read_without_a_blank_behind_the_marker(text: str, word: ResultWord) -> None:
    ihc = reading(text).stated.ihc
    assert ihc is not None
    assert ihc.word is word
