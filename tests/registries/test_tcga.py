"""Protects against a confident wrong category on data that nobody here wrote: TCGA-BRCA, all 1,107 samples.

No barcode is ever read, so that no failure can name a patient.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from adapter.her2.model import Category
from adapter.terminology.catalogue import Catalogue
from tests.registries.tcga.contradictions import DEFINITE, bounds
from tests.registries.tcga.fields import ROOT, USUAL_PLACE, Sample
from tests.registries.tcga.page import page
from tests.registries.tcga.run import Ended, Run, against_their_fields, run
from tests.registries.tcga.second_answer import second_answer
from tests.unit.her2.second_reader_values import Unsaid

UNDECIDED_BY = {
    "test-code-against-method",  # CISH as the method of IHC
    "note-against-value",  # "3+ Positive" in a note beside another score
    "component-not-read",  # "polisomy" where the CEP17 copies belong
    "unreadable-ihc",  # a method's column sent as a result of IHC
    "percent-against-score",  # "10-19%" begins at the cut-off; "negative" in "<10%"
}
"""Reasons for which the adapter may leave open what the fields alone would decide."""


def test_the_file_holds_what_its_description_says(tcga_samples: list[Sample]) -> None:
    first = [one for one in tcga_samples if not one.is_later]
    assert len(first) == 1097
    assert sum(bool(one.score) for one in first) == 622
    assert sum(bool(one.score) and one.fish in ("Positive", "Negative") for one in first) == 299
    numbers = [(bounds(one.ratio), bounds(one.copies), bounds(one.cep17)) for one in first]
    assert sum(all(found and found[0] == found[1] for found in each) for each in numbers) == 101


def test_every_observation_is_accounted_for(answered: Run) -> None:
    assert sum(answered.answers.outcomes.values()) == answered.sent
    assert answered.answers.outcomes["used"] > 0.8 * answered.sent


def test_every_sample_gives_one_case(answered: Run) -> None:
    """`run` refuses a sample with two cases, and a case of no sample."""
    silent = [one for one in answered.ended if one.classification is None]
    assert not any(one.sample.states_ihc or one.sample.states_ish for one in silent)
    assert len(answered.answers.answers) == len(answered.ended) - len(silent)


def test_no_sample_ends_definite_against_its_own_fields(answered: Run) -> None:
    assert list(against_their_fields(answered)) == []
    assert sum(bool(one.contradictions) for one in answered.ended) > 100


def test_every_definite_category_follows_from_the_fields_by_a_second_reading(
    answered: Run,
) -> None:
    definite = [one for one in answered.ended if one.category in DEFINITE]
    wrong = [
        (one.category, second)
        for one in definite
        if one.category != (second := _second_category(one.sample, answered))
    ]
    assert len(definite) > 700
    assert wrong == []


def test_where_the_second_reading_asks_for_review_so_does_the_adapter(answered: Run) -> None:
    missed = [
        one.category
        for one in answered.ended
        if one.category in DEFINITE and _second_review(one.sample, answered) and not one.review
    ]
    assert missed == []


def test_what_the_fields_decide_is_left_open_for_known_reasons_only(answered: Run) -> None:
    left_open = [
        one
        for one in answered.ended
        if one.category not in DEFINITE and _second_category(one.sample, answered) in DEFINITE
    ]
    unexplained = [codes for one in left_open if not (codes := _reason_codes(one)) & UNDECIDED_BY]
    assert [sorted(codes) for codes in unexplained] == []
    assert len(left_open) < 60


def test_all_scores_up_to_2013_are_limited_to_their_edition(answered: Run) -> None:
    """A year alone does not say whether 2013 was before October."""
    scored = [
        one
        for one in answered.ended
        if one.sample.year and one.classification and one.classification.ihc_used is not None
    ]
    limited = [one for one in scored if "scored-before-2013" in _limit_codes(one)]
    assert len(scored) > 500
    # An IHC that contradicts itself is not read to the end.
    assert {one.category for one in scored if one not in limited} <= {"needs-review"}


@pytest.mark.parametrize("encoding", ["coded", "text", "columns"])
def test_methods_cut_offs_and_other_scales_never_make_a_category(
    encoding: str, tcga_samples: list[Sample], runs: dict[str, Run], catalogue: Catalogue
) -> None:
    bare = [
        replace(one, ihc_method="", ihc_scale="", fish_method="", fish_scale="")
        for one in tcga_samples
    ]
    without = run(bare, encoding, catalogue)
    changed = Counter(
        (before.category, after.category)
        for before, after in zip(without.ended, runs[encoding].ended, strict=True)
        if before.category != after.category
    )
    assert {after for _, after in changed} <= {"needs-review"}


def test_totals_of_signals_never_decide(runs: dict[str, Run]) -> None:
    totals = [
        one
        for one in runs["coded"].ended
        if any(kind.name.startswith("More than 50") for kind in one.contradictions)
    ]
    assert len(totals) == 30
    assert {one.category for one in totals} == {"needs-review"}
    assert all("copies-look-like-totals" in _reason_codes(one) for one in totals)


def test_no_category_is_reached_without_any_result(runs: dict[str, Run]) -> None:
    empty = [
        one for one in runs["text"].ended if not (one.sample.states_ihc or one.sample.states_ish)
    ]
    assert len(empty) > 100
    assert {one.category for one in empty} <= {"none", Category.NO_RESULT.value}


def test_the_page_says_what_a_run_gives_and_names_nobody(runs: dict[str, Run]) -> None:
    published = (ROOT / "docs" / "tcga-brca.md").read_text("utf-8")
    assert published == page(list(runs.values())), "write it anew: make tcga"


def test_the_published_page_holds_no_barcode() -> None:
    published = (ROOT / "docs" / "tcga-brca.md").read_text("utf-8")
    assert re.search(r"TCGA-\w\w-\w{4}", published) is None
    assert "Genomic Data Commons" in published


def test_the_file_itself_is_not_in_the_repository() -> None:
    assert (ROOT / USUAL_PLACE).resolve().is_relative_to(ROOT.parent)
    assert not list(ROOT.glob("**/tcga_brca_her2.tsv"))


def _second_category(sample: Sample, answered: Run) -> str:
    """Give the second reading's category; where it does not say, that of the fields it can read.

    A class of cells such as "10-19%" stands on both sides of the cut-off, and a word stands where
    CEP17 copies belong: without such a field the rest must still give the category.
    """
    fields: list[dict[str, Any]] = [{}, {"percent": ""}, {"cep17": ""}]
    for without in (*fields, {"percent": "", "cep17": ""}):
        try:
            tried = replace(sample, **without)
            return second_answer(tried, as_overall=answered.as_overall).category
        except Unsaid:
            continue
    return "unsaid"


def _second_review(sample: Sample, answered: Run) -> bool:
    try:
        return second_answer(sample, as_overall=answered.as_overall).review is True
    except Unsaid:
        return False


def _reason_codes(one: Ended) -> set[str]:
    return {reason.code for reason in one.classification.reasons} if one.classification else set()


def _limit_codes(one: Ended) -> set[str]:
    return {limit.code for limit in one.classification.limits} if one.classification else set()
