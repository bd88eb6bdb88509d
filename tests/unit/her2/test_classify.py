"""One sample under the default policy: second reviews, overall results, statuses, repeats, and the policy basic."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapter.her2 import ASCO_CAP_2023, BASIC, Category, classify
from adapter.her2.model import (
    Assay,
    Reason,
    RepeatMarker,
    ResultStatus,
    Source,
    TumourSite,
)
from tests.unit.her2.builders import G, case, evidence, ihc, ish, overall

RECOUNT, REPEAT = RepeatMarker.RECOUNT, RepeatMarker.REPEAT


def answer(*results, policy=ASCO_CAP_2023):
    return classify(case(*results), policy)


def codes(classification) -> set[str]:
    return {reason.code for reason in classification.reasons}


@pytest.mark.parametrize(
    ("group", "category", "review"),
    [(2, "low", True), (3, "positive", False), (4, "low", False)],
)
def test_2_plus_with_the_same_group_in_both_counts(group: int, category: str, review: bool) -> None:
    got = answer(ihc("2+"), G[group], evidence(G[group], "9", marker=RECOUNT))

    assert (got.category, got.review) == (category, review)
    assert got.ish_group is not None
    assert got.ish_group.value == group


@pytest.mark.parametrize("group", [2, 3, 4])
@pytest.mark.parametrize("other", [1, 2, 3, 4, 5])
def test_2_plus_with_another_group_in_the_recount_needs_review(group: int, other: int) -> None:
    if group == other:
        return
    got = answer(ihc("2+"), G[group], evidence(G[other], "9", marker=RECOUNT))

    assert (got.category, got.review) == ("needs-review", True)


@pytest.mark.parametrize(("first", "second"), [(1, 5), (5, 1), (5, 4), (1, 4)])
def test_2_plus_with_a_recount_that_leaves_group_1_or_5_needs_review(
    first: int, second: int
) -> None:
    got = answer(ihc("2+"), G[first], evidence(G[second], "9", marker=RECOUNT))

    assert got.category == "needs-review"


def test_a_recount_of_1_plus_matters_only_where_the_category_changes() -> None:
    same = answer(ihc("1+"), G[4], evidence(G[5], "9", marker=RECOUNT))
    other = answer(ihc("1+"), G[4], evidence(G[1], "9", marker=RECOUNT))

    assert (same.category, other.category) == ("low", "needs-review")


def test_a_recount_after_a_mere_word_is_the_first_count() -> None:
    assert answer(ihc("2+"), ish("equivocal"), evidence(G[4], "9", marker=RECOUNT)).category == (
        "pending-second-review"
    )
    assert answer(ihc("2+"), ish("positive"), evidence(G[5], "9", marker=RECOUNT)).category == (
        "needs-review"
    )
    settled = answer(ihc("2+"), ish("equivocal"), evidence(G[1], "9", marker=RECOUNT))
    assert (settled.category, settled.review) == ("positive", True)


@pytest.mark.parametrize("group", [2, 3, 4])
@pytest.mark.parametrize(("word", "category"), [("positive", "positive"), ("negative", "low")])
@pytest.mark.parametrize("adjudicated", [True, False])
def test_a_final_overall_result_adjudicates_groups_2_to_4(
    group: int, word: str, category: str, adjudicated: bool
) -> None:
    got = answer(ihc("2+"), G[group], overall(word, adjudicated=adjudicated))

    assert (got.category, got.review, got.asco_cap) == (category, True, word)
    assert got.rule.id == "adjudicated"
    assert got.comments


def test_an_overall_result_known_to_be_older_than_the_ish_is_no_adjudication() -> None:
    got = answer(
        ihc("2+"),
        evidence(G[4], "2", issued="2026-01-20T08:00:00Z"),
        evidence(overall("negative"), "3", issued="2026-01-05T08:00:00Z"),
    )

    assert got.category == "needs-review"


@pytest.mark.parametrize(
    ("group", "word", "category"),
    [
        (4, "negative", "low"),
        (4, "positive", "needs-review"),
        (3, "positive", "positive"),
        (3, "negative", "needs-review"),
    ],
)
def test_after_a_recount_in_the_same_group_the_overall_result_must_agree(
    group: int, word: str, category: str
) -> None:
    got = answer(ihc("2+"), G[group], evidence(G[group], "8", marker=RECOUNT), overall(word))

    assert got.category == category


@pytest.mark.parametrize(
    ("word", "category", "status", "review"),
    [
        ("positive", "positive", "positive", False),
        ("negative", "negative-unspecified", "negative", False),
        ("equivocal", "equivocal", "equivocal", False),
        ("indeterminate", "indeterminate", "indeterminate", True),
        ("low", "low", "negative", False),
        ("ultralow", "ultralow", "negative", False),
    ],
)
def test_an_overall_result_alone(word: str, category: str, status: str, review: bool) -> None:
    got = answer(overall(word))

    assert (got.category, got.asco_cap, got.review) == (category, status, review)


@pytest.mark.parametrize(
    ("score", "word", "category"),
    [
        ("1+", "negative", "low"),
        ("1+", "low", "low"),
        ("1+", "positive", "needs-review"),
        ("0", "negative", "negative"),
        ("0", "ultralow", "ultralow"),
        ("0", "low", "needs-review"),
        ("0+", "negative", "ultralow"),
        ("3+", "positive", "positive"),
        ("3+", "negative", "needs-review"),
        ("2+", "equivocal", "equivocal"),
        ("2+", "positive", "needs-review"),
        ("2+", "negative", "needs-review"),
        ("negative", "low", "low"),
        ("negative", "ultralow", "ultralow"),
        ("negative", "negative", "negative-unspecified"),
        ("indeterminate", "indeterminate", "indeterminate"),
    ],
)
def test_an_overall_result_beside_an_ihc(score: str, word: str, category: str) -> None:
    assert answer(ihc(score), overall(word)).category == category


def test_low_without_a_score_under_an_ihc_code_is_the_laboratorys_conclusion() -> None:
    alone, over_2_plus = answer(ihc("low")), answer(ihc("low"), ihc("2+"))

    assert (alone.category, alone.rule.id) == ("low", "overall-result-alone")
    assert over_2_plus.category == "needs-review"


@pytest.mark.parametrize("word", ["positive", "negative", "ultralow"])
def test_low_under_an_ihc_code_is_held_against_the_overall_result_beside_it(word: str) -> None:
    both = evidence(overall(word), "1", ihc=ihc("low"))

    assert answer(both).category == "needs-review"
    assert answer(evidence(overall("low"), "1", ihc=ihc("low"))).category == "low"


def test_an_overall_ultralow_does_not_change_a_0_without_any_staining() -> None:
    assert answer(ihc("0", percent="0"), overall("ultralow")).category == "needs-review"


def test_two_different_overall_results_need_review() -> None:
    got = answer(overall("positive"), overall("negative"))

    assert got.category == "needs-review"
    assert "overall-results-differ" in codes(got)


def test_a_later_adjudicated_overall_result_settles_conflicting_scores() -> None:
    early, late = "2026-01-01T08:00:00Z", "2026-02-01T08:00:00Z"
    scores = (evidence(ihc("1+"), "1", issued=early), evidence(ihc("3+"), "2", issued=early))
    final = overall("positive", adjudicated=True)

    settled = answer(*scores, evidence(final, "3", issued=late))
    unmarked = answer(*scores, evidence(overall("positive"), "3", issued=late))
    undated = answer(*scores, evidence(final, "3"))

    assert (settled.category, settled.rule.id, settled.review) == ("positive", "adjudicated", True)
    assert (unmarked.category, undated.category) == ("needs-review", "needs-review")


@pytest.mark.parametrize(
    ("status", "category", "review"),
    [
        ("final", "positive", False),
        ("amended", "positive", False),
        ("corrected", "positive", False),
        ("preliminary", "pending-ihc", False),
        ("registered", "no-result", False),
        ("cancelled", "no-result", False),
        ("entered-in-error", "no-result", False),
        ("report-withdrawn", "no-result", False),
        ("unknown", "needs-review", True),
        ("missing", "needs-review", True),
    ],
)
def test_the_status_of_a_lone_ihc_3_plus(status: str, category: str, review: bool) -> None:
    got = answer(evidence(ihc("3+"), status=status))

    assert (got.category, got.review) == (category, review)


@pytest.mark.parametrize(
    ("status", "category", "review"),
    [
        ("preliminary", "equivocal", False),
        ("registered", "equivocal", False),
        ("entered-in-error", "equivocal", False),
        ("cancelled", "equivocal", True),
        ("report-withdrawn", "equivocal", True),
        ("unknown", "needs-review", True),
        ("final", "positive", False),
    ],
)
def test_the_status_of_the_ish_beside_2_plus(status: str, category: str, review: bool) -> None:
    got = answer(ihc("2+"), evidence(ish("positive"), "2", status=status))

    assert (got.category, got.review) == (category, review)


def test_a_result_that_does_not_count_is_set_aside_with_its_reason_and_not_used() -> None:
    got = answer(ihc("2+"), evidence(ish("positive"), "2", status="preliminary"))

    assert [(reference, reason.code) for reference, reason in got.set_aside] == [
        ("Observation/2", "not-final")
    ]
    assert got.used == ("Observation/1",)


def test_an_open_answer_on_a_preliminary_ihc_says_what_it_is_about() -> None:
    got = answer(evidence(ihc("3+"), status="preliminary"))

    assert (got.used, got.set_aside) == (("Observation/1",), ())


def test_different_scores_without_a_marker_need_review_whatever_their_dates() -> None:
    got = answer(
        evidence(ihc("1+"), "1", issued="2026-01-01T08:00:00Z"),
        evidence(ihc("3+"), "2", issued="2026-01-02T08:00:00Z"),
    )

    assert got.category == "needs-review"
    assert "ihc-results-differ" in codes(got)


def test_equal_scores_are_fine() -> None:
    got = answer(ihc("1+"), ihc("1+"))

    assert (got.category, got.review) == ("low", False)


def test_a_score_and_the_word_that_means_it_are_one_statement() -> None:
    assert answer(ihc("1+"), ihc("negative")).category == "low"
    assert answer(ihc("3+"), ihc("negative")).category == "needs-review"


@pytest.mark.parametrize("marker", [REPEAT, RECOUNT])
def test_a_marked_repeat_of_ihc_replaces_with_review(marker: RepeatMarker) -> None:
    got = answer(ihc("1+"), evidence(ihc("3+"), "2", marker=marker))

    assert (got.category, got.review) == ("positive", True)
    assert got.used == ("Observation/2",)


def test_a_repeat_that_names_what_it_replaces_leaves_the_others_alone() -> None:
    got = answer(
        ihc("1+"),
        evidence(ihc("2+"), "2"),
        evidence(ihc("1+"), "3", marker=REPEAT, repeat_of=("Observation/2",)),
    )

    assert (got.category, got.review) == ("low", True)


def test_two_repeats_that_differ_need_review() -> None:
    got = answer(
        ihc("1+"),
        evidence(ihc("2+"), "2", marker=REPEAT),
        evidence(ihc("3+"), "3", marker=REPEAT),
    )

    assert got.category == "needs-review"


def test_an_equivocal_ish_then_a_marked_definite_repeat_is_definite_with_review() -> None:
    got = answer(ihc("2+"), ish("equivocal"), evidence(ish("negative"), "3", marker=REPEAT))

    assert (got.category, got.review) == ("low", True)


def test_word_ratio_and_copies_sent_apart_are_one_count() -> None:
    got = answer(ihc("2+"), ish("negative"), ish(ratio="1.2"), ish(copies="2.4"))

    assert (got.category, got.review, got.ish_group.value) == ("low", False, 5)


def test_two_counts_without_a_marker_that_differ_need_review() -> None:
    assert answer(ihc("2+"), G[5], G[1]).category == "needs-review"


def test_two_counts_without_a_marker_in_one_group_are_no_second_review() -> None:
    twice = ish(ratio="1.6", copies="4.8", probe="dual")

    assert answer(ihc("2+"), G[4], twice).category == "pending-second-review"


def test_dual_probe_outranks_single_probe() -> None:
    single = ish(copies="4.5", probe="single")
    got = answer(ihc("2+"), single, G[5])

    assert got.category == "low"
    assert "dual-probe-outranks-single" in {reason.code for _, reason in got.set_aside}


def test_a_second_cell_population_above_10_percent_needs_review() -> None:
    def second(percent: str | None):
        population = replace(G[1], second_population=True)
        if percent:
            population = replace(population, population_percent=ihc("1+", percent=percent).percent)
        return answer(ihc("2+"), G[5], evidence(population, "9")).category

    assert [second(percent) for percent in ("15", None, "10")] == ["needs-review"] * 3


def test_an_unreadable_ihc_forbids_every_kind_of_negative_but_the_unspecified() -> None:
    unreadable = evidence(None, "1", unreadable=Reason("unreadable-value", "Not understood."))

    assert answer(unreadable, ihc("1+")).category == "needs-review"
    lone_ish = answer(unreadable, ish("negative"))
    assert (lone_ish.category, lone_ish.review) == ("negative-unspecified", True)
    assert (answer(unreadable, ish("positive")).category) == "positive"
    assert answer(unreadable).category == "no-result"
    assert answer(unreadable, overall("low")).category == "needs-review"


def test_an_unreadable_ish_sets_review_and_is_named() -> None:
    unreadable = evidence(
        None, "2", assay=Assay.ISH, unreadable=Reason("unreadable-value", "Not understood.")
    )
    got = answer(ihc("1+"), unreadable)

    assert (got.category, got.review) == ("low", True)
    assert "unreadable-value" in codes(got)


def test_a_contradiction_within_a_result_needs_review() -> None:
    odd = evidence(ihc("1+"), contradictions=(Reason("code-against-text", "Code against text."),))

    assert answer(odd).category == "needs-review"
    assert answer(replace(odd, source=Source("Observation/1", status=ResultStatus.PRELIMINARY)))


@pytest.mark.parametrize(
    ("sites", "category"),
    [
        (("breast",), "low"),
        (("other",), "not-applicable"),
        (("not-stated", "other"), "not-applicable"),
        (("breast", "other"), "needs-review"),
        (("contradictory",), "needs-review"),
        (("unclear",), "needs-review"),
        (("unclear", "not-stated"), "needs-review"),
        (("unclear", "breast"), "low"),
        (("unclear", "other"), "not-applicable"),
        (("unclear", "contradictory"), "needs-review"),
    ],
)
def test_the_tumour_site_decides_whether_the_categories_apply(sites, category: str) -> None:
    results = [
        evidence(ihc("1+"), str(index), site=TumourSite(site)) for index, site in enumerate(sites)
    ]

    assert answer(*results).category == category


def test_a_tumour_site_that_is_not_stated_is_a_limit_or_by_setting_needs_review() -> None:
    required = replace(ASCO_CAP_2023, tumour_site="required")

    assert "tumour-site-not-stated" in {limit.code for limit in answer(ihc("1+")).limits}
    assert answer(ihc("1+"), policy=required).category == "needs-review"
    breast = evidence(ihc("1+"), site=TumourSite.BREAST)
    assert answer(breast, policy=required).category == "low"


def test_a_score_before_2013_stands_with_a_limit_or_by_setting_is_unspecified() -> None:
    old, new = evidence(ihc("1+"), scored_at="2013-09-30"), evidence(ihc("1+"), scored_at="2013-10")
    strict = replace(ASCO_CAP_2023, earlier_editions="strict")

    assert "scored-before-2013" in {limit.code for limit in answer(old).limits}
    assert "scored-before-2013" not in {limit.code for limit in answer(new).limits}
    assert (answer(old).category, answer(old, policy=strict).category) == (
        "low",
        "negative-unspecified",
    )


def test_strict_distrusts_ish_words_between_the_old_cut_offs() -> None:
    strict = replace(ASCO_CAP_2023, earlier_editions="strict")
    old = evidence(ish("negative", ratio="2.1", copies="6"), "2", scored_at="2010")

    assert answer(ihc("2+"), old).category == "needs-review"
    assert answer(ihc("2+"), old, policy=strict).category == "positive"


@pytest.mark.parametrize(
    ("scored_at", "zero_plus", "category"),
    [
        ("2023-12-31", "dated", "negative"),
        ("2024-01-01", "dated", "ultralow"),
        (None, "dated", "ultralow"),
        ("2020", "ultralow", "ultralow"),
        ("2026", "zero", "negative"),
    ],
)
def test_what_0_plus_means(scored_at: str | None, zero_plus: str, category: str) -> None:
    policy = replace(ASCO_CAP_2023, zero_plus=zero_plus)

    assert answer(evidence(ihc("0+"), scored_at=scored_at), policy=policy).category == category


@pytest.mark.parametrize(
    ("results", "category", "review"),
    [
        ((ihc("0"),), "negative", False),
        ((ihc("1+"),), "low", False),
        ((ihc("2+"),), "equivocal", False),
        ((ihc("2+"), ish("negative")), "low", False),
        ((ihc("2+"), ish("positive")), "positive", False),
        ((ihc("3+"),), "positive", False),
        ((ihc("3+"), ish("negative")), "positive", True),
        ((ihc("1+"), ish("positive")), "needs-review", True),
        ((ihc("0"), ish("positive")), "needs-review", True),
        ((ihc("1+"), ish("negative")), "low", False),
        ((ihc("0+"),), "needs-review", True),
        ((ihc("negative"),), "needs-review", True),
        ((ihc("2+"), G[5]), "needs-review", True),
        ((ish("positive"),), "needs-review", True),
        ((overall("positive"),), "needs-review", True),
        ((ihc("1+"), overall("negative")), "low", False),
        ((), "no-result", False),
    ],
)
def test_the_policy_basic_gives_just_the_five_lines(results, category: str, review: bool) -> None:
    got = answer(*results, policy=BASIC)

    assert (got.category, got.review) == (category, review)
    assert got.ish_group is None


def test_every_answer_names_policy_rule_and_scope() -> None:
    got = answer(ihc("1+"))

    assert (got.policy, got.policy_version) == ("asco-cap-2023", ASCO_CAP_2023.version)
    assert got.rule.basis.value in "GP"
    assert got.limits[0].code == "invasive-breast-carcinoma-only"
    assert isinstance(got.category, Category)


def test_not_done_beside_numbers_contradicts_them() -> None:
    stated = ish("not-done", ratio="2.5", copies="6.0", cep17="2.4")

    assert answer(ihc("0"), stated).category == "needs-review"
    assert answer(stated).category == "needs-review"
    assert answer(ihc("0"), ish("not-done")).category == "negative"


def adjudicated_later(*results, word: str):
    early, late = "2026-01-01T08:00:00Z", "2026-02-01T08:00:00Z"
    tests = [evidence(r, str(i), issued=early) for i, r in enumerate(results)]
    return tests, evidence(overall(word, adjudicated=True), "final", issued=late)


@pytest.mark.parametrize("word", ["positive", "negative", "low"])
def test_an_adjudication_settles_no_result_that_contradicts_itself(word: str) -> None:
    (result,), final = adjudicated_later(ihc("3+"), word=word)
    unclear = replace(result, source=replace(result.source, status=ResultStatus.UNKNOWN))
    odd = replace(result, contradictions=(Reason("code-against-text", "?"),))
    (percent,), _ = adjudicated_later(ihc("3+", percent="8"), word=word)

    assert answer(unclear, final).category == "needs-review"
    assert answer(odd, final).category == "needs-review"
    assert answer(percent, final).category == "needs-review"


@pytest.mark.parametrize(
    ("scores", "word", "category"),
    [
        (("1+", "3+"), "negative", "negative-unspecified"),
        (("1+", "2+"), "negative", "low"),
        (("0", "2+"), "negative", "negative-unspecified"),
        (("2+", "0"), "negative", "negative-unspecified"),
        (("1+", "3+"), "positive", "positive"),
        (("1+", "3+"), "low", "low"),
        (("1+", "3+"), "ultralow", "needs-review"),
        (("0", "3+"), "ultralow", "ultralow"),
    ],
)
def test_what_an_adjudication_of_conflicting_scores_means(scores, word: str, category: str) -> None:
    tests, final = adjudicated_later(*map(ihc, scores), word=word)

    assert answer(*tests, final).category == category


@pytest.mark.parametrize(
    ("word", "category"),
    [
        ("ultralow", "needs-review"),
        ("low", "low"),
        ("equivocal", "pending-second-review"),
        ("indeterminate", "needs-review"),
    ],
)
def test_over_2_plus_with_group_3_only_positive_negative_or_low_adjudicate(
    word: str, category: str
) -> None:
    assert answer(ihc("2+"), G[3], overall(word, adjudicated=True)).category == category


@pytest.mark.parametrize(
    "number", [{"copies": ">50"}, {"copies": ">=50"}, {"copies": "51"}, {"ratio": "<0"}]
)
def test_totals_and_numbers_below_0_are_no_counts_however_they_are_written(number) -> None:
    assert answer(ihc("3+"), ish(**number)).category == "needs-review"


def test_more_than_6_copies_is_a_count() -> None:
    assert answer(ihc("2+"), ish(copies=">6.0", probe="single")).category == "positive"


def test_a_count_that_mentions_a_small_population_keeps_its_numbers() -> None:
    mentions = replace(
        G[1], second_population=True, population_percent=ihc("1+", percent="5").percent
    )

    assert answer(ihc("2+"), mentions).category == "positive"


def test_a_dual_probe_result_that_tells_nothing_outranks_no_single_probe() -> None:
    single = ish(copies="7", probe="single")

    assert answer(ihc("0"), single, ish("indeterminate", probe="dual")).category == "needs-review"
    assert answer(ihc("0"), single, ish(cep17="2", probe="dual")).category == "needs-review"


def test_a_repeat_that_could_not_be_read_replaces_nothing() -> None:
    failed_ish = evidence(ish("indeterminate"), "9", marker=REPEAT)
    failed_ihc = evidence(ihc("indeterminate"), "9", marker=REPEAT)

    assert answer(ihc("0"), G[1], failed_ish).category == "needs-review"
    assert answer(ihc("3+"), failed_ihc).category == "needs-review"


def test_an_overall_low_refines_no_range_without_a_1_plus() -> None:
    assert answer(ihc("0..0+"), overall("low")).category == "needs-review"
    assert answer(ihc("0..1+"), overall("low")).category == "low"
    assert answer(ish("negative"), overall("low")).category == "low"


def test_an_adjudication_of_unclear_status_settles_nothing() -> None:
    tests, final = adjudicated_later(ihc("3+"), ihc("1+"), word="negative")
    unclear = replace(final, source=replace(final.source, status=ResultStatus.UNKNOWN))

    assert answer(*tests, unclear).category == "needs-review"


def test_an_unreadable_result_of_unclear_status_needs_review() -> None:
    unreadable = evidence(
        None, "2", assay=Assay.ISH, status="unknown", unreadable=Reason("unreadable-value", "?")
    )

    assert answer(ihc("3+"), unreadable).category == "needs-review"
    assert answer(unreadable).category == "needs-review"


def test_equivocal_in_words_is_adjudicated_like_2_plus() -> None:
    got = answer(ihc("equivocal"), G[4], overall("negative"))

    assert (got.category, got.rule.id) == ("low", "adjudicated")


def test_an_unreadable_or_unclear_result_still_says_which_tumour_it_is_of() -> None:
    other = TumourSite.OTHER
    unreadable = evidence(None, "2", site=other, unreadable=Reason("unreadable-value", "?"))
    unclear = evidence(ihc("3+"), "2", site=other, status="unknown")

    assert answer(G[4], unreadable).category == "not-applicable"
    assert answer(unclear).category == "not-applicable"


def test_a_withdrawn_result_says_nothing_of_the_tumour() -> None:
    withdrawn = evidence(ihc("3+"), "2", status="entered-in-error", site=TumourSite.CONTRADICTORY)

    assert answer(withdrawn).category == "no-result"
    assert answer(ihc("1+"), withdrawn).category == "low"


@pytest.mark.parametrize(("group", "word"), [(5, "positive"), (4, "positive"), (1, "negative")])
def test_a_recount_is_held_against_its_own_word(group: int, word: str) -> None:
    recount = evidence(replace(G[group], word=ish(word).word), "9", marker=RECOUNT)

    assert answer(ihc("2+"), G[group], recount).category == "needs-review"


def test_a_count_with_a_remark_on_a_small_population_is_still_a_count() -> None:
    share = ihc("1+", percent="10").percent
    mentions = replace(G[1], second_population=True, population_percent=share)

    got = answer(ihc("2+"), mentions, evidence(G[5], "9", marker=RECOUNT))

    assert got.category == "needs-review"


def test_the_policy_basic_lets_no_adjudication_decide() -> None:
    tests, final = adjudicated_later(ihc("1+"), ihc("3+"), word="positive")

    assert answer(*tests, final).category == "positive"
    assert answer(*tests, final, policy=BASIC).category == "needs-review"
