"""Which results are one tumour sample, under which key, and what is never joined."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from adapter.her2 import classify
from adapter.her2.cases import group
from adapter.her2.model import Assay, Reason, SampleKind, SampleLinks, TumourSite
from adapter.her2.rollup import roll_up
from tests.unit.her2.builders import G, evidence, ihc, ish, overall


def links(**more) -> SampleLinks:
    return SampleLinks(**{k: frozenset(v) if isinstance(v, set) else v for k, v in more.items()})


def keys(*results) -> dict[str, tuple[str, ...]]:
    """Key → ids of the results in it; the same for every order of arrival."""
    answers = [
        {
            case.key: tuple(e.source.reference.removeprefix("Observation/") for e in case.evidence)
            for case in group(order)
        }
        for order in permutations(results)
    ]
    assert all(answer == answers[0] for answer in answers)
    return answers[0]


def no_specimen(stated, name: str, **more):
    return evidence(stated, name, specimen=None, links=links(**more))


def test_results_of_one_specimen_are_one_sample() -> None:
    assert keys(evidence(ihc("2+"), "1"), evidence(ish("negative"), "2")) == {
        "specimen:Specimen/S1": ("1", "2")
    }


def test_results_of_two_specimens_are_never_joined_and_need_review() -> None:
    cases = group([evidence(ihc("2+"), "1"), evidence(ish("negative"), "2", specimen="S2")])

    assert [classify(case).category for case in cases] == ["equivocal", "negative-unspecified"]
    assert all(classify(case).review for case in cases)


def test_two_complete_samples_need_no_review_for_each_other() -> None:
    cases = group(
        [
            evidence(ihc("0"), "1", specimen="CORE"),
            evidence(ihc("3+"), "2", specimen="EXC"),
        ]
    )

    assert [classify(case).review for case in cases] == [False, False]


def test_specimens_that_share_an_identifier_are_one() -> None:
    shared = links(specimen_identifiers={"urn:lab|77"})

    assert keys(
        evidence(ihc("2+"), "1", links=shared),
        evidence(ish("negative"), "2", specimen="S2", links=shared),
    ) == {"specimen:Specimen/S1": ("1", "2")}


LABEL = {"specimen_identifiers": {"|A"}}


@pytest.mark.parametrize(
    ("identifier", "container", "is_one"),
    [
        ("|A", {}, False),
        ("|12", {}, False),
        ("|A", {"collected_day": "2026-01-10"}, False),
        ("|A", {"accessions": {"urn:lab|S26-1"}}, True),
        ("|A", {"reports": {"DiagnosticReport/R"}}, True),
        ("|A", {"orders": {"ServiceRequest/9"}}, True),
        ("|A", {"parents": {"Specimen/P"}}, True),
        ("|Block A", {}, False),
        ("|Part 12", {}, False),
        ("|Breast", {}, False),
        ("|Block A", {"accessions": {"urn:lab|S26-1"}}, True),
        ("|S26-1", {}, True),
        ("urn:lab|A", {}, True),
    ],
)
def test_a_label_without_a_system_names_a_specimen_within_its_accession_only(
    identifier: str, container, is_one: bool
) -> None:
    named = links(specimen_identifiers={identifier}, **container)
    by_reference = keys(
        evidence(ihc("2+"), "1", links=named),
        evidence(ish("negative"), "2", specimen="S2", links=named),
    )
    by_identifier = keys(
        evidence(ihc("2+"), "1", specimen=None, links=named),
        evidence(ish("negative"), "2", specimen=None, links=named),
    )
    assert [len(by_reference), len(by_identifier)] == [1 if is_one else 2] * 2


def test_one_label_in_two_accessions_is_two_specimens() -> None:
    joined = keys(
        no_specimen(ihc("2+"), "1", accessions={"urn:lab|S26-1"}, **LABEL),
        no_specimen(ish("negative"), "2", accessions={"urn:lab|S26-2"}, **LABEL),
    )
    assert len(joined) == 2


@pytest.mark.parametrize(
    ("first", "second", "is_one"),
    [
        ("urn:lab|S26-1", "urn:lab|S19-7", False),
        ("urn:lab|S26-1", "urn:lab|S26-1", True),
    ],
)
@pytest.mark.parametrize("label", ["urn:lab|A", "urn:lab|12", "|A", "|Block A"])
def test_a_label_is_one_specimen_within_one_accession_whatever_system_it_has(
    label: str, first: str, second: str, is_one: bool
) -> None:
    joined = keys(
        evidence(ihc("2+"), "1", links=links(specimen_identifiers={label}, accessions={first})),
        evidence(
            ish("negative"),
            "2",
            specimen="S2",
            links=links(specimen_identifiers={label}, accessions={second}),
        ),
    )
    assert len(joined) == (1 if is_one else 2)


def test_a_block_tested_under_another_accession_is_the_same_by_its_number() -> None:
    block = {"specimen_identifiers": {"urn:lab|S26-1-A2"}}
    joined = keys(
        evidence(ihc("2+"), "1", links=links(accessions={"urn:lab|S26-1"}, **block)),
        evidence(
            ish("negative"), "2", specimen="S2", links=links(accessions={"urn:mol|M26-9"}, **block)
        ),
    )
    assert len(joined) == 1


@pytest.mark.parametrize("kind", ["accessions", "orders"])
@pytest.mark.parametrize(
    ("number", "is_one"),
    [("|1", False), ("|A", False), ("|OBX 12", False), ("|S26-1", True), ("urn:lab|1", True)],
)
def test_a_line_number_without_a_system_is_no_accession(
    kind: str, number: str, is_one: bool
) -> None:
    joined = keys(
        no_specimen(ihc("2+"), "1", **{kind: {number}}),
        no_specimen(ish("negative"), "2", **{kind: {number}}),
    )
    assert len(joined) == (1 if is_one else 2)


def test_results_of_one_label_keep_their_key_whatever_comes_later() -> None:
    report = {"reports": {"DiagnosticReport/R"}}
    (alone,) = keys(no_specimen(ihc("2+"), "2", **report, **LABEL))
    (both,) = keys(
        no_specimen(ihc("2+"), "2", **report, **LABEL),
        no_specimen(ish("negative"), "1", **report, **LABEL),
    )
    assert alone == both


def test_blocks_of_one_parent_are_one_sample_named_by_the_parent() -> None:
    block = links(parents={"Specimen/P"})

    assert keys(evidence(ihc("2+"), "1", links=block)) == {"specimen:Specimen/P": ("1",)}
    assert keys(
        evidence(ihc("2+"), "1", links=block),
        evidence(ish("negative"), "2", specimen="A0", links=block),
    ) == {"specimen:Specimen/P": ("1", "2")}


def test_a_block_joins_the_specimen_it_was_taken_from() -> None:
    assert keys(
        evidence(ihc("2+"), "1", specimen="P"),
        evidence(ish("negative"), "2", specimen="A0", links=links(parents={"Specimen/P"})),
    ) == {"specimen:Specimen/P": ("1", "2")}


@pytest.mark.parametrize(
    "container", [{"parents": {"Specimen/P"}}, {"accessions": {"urn:lab|S26-1"}}]
)
def test_a_parent_or_accession_with_ihc_of_two_specimens_joins_nothing(container) -> None:
    joined = keys(
        evidence(ihc("1+"), "1", links=links(**container)),
        evidence(ihc("3+"), "2", specimen="S2", links=links(**container)),
        evidence(ish("negative"), "3", specimen="S3", links=links(**container)),
    )

    assert sorted(joined) == [
        "specimen:Specimen/S1",
        "specimen:Specimen/S2",
        "specimen:Specimen/S3",
    ]


@pytest.mark.parametrize("place", ["side", "body_site"])
def test_one_accession_with_two_sides_or_sites_joins_nothing(place: str) -> None:
    joined = keys(
        evidence(ihc("2+"), "1", links=links(accessions={"a|1"}, **{place: "left"})),
        evidence(
            ish("negative"), "2", specimen="S2", links=links(accessions={"a|1"}, **{place: "right"})
        ),
    )

    assert len(joined) == 2


@pytest.mark.parametrize(
    ("first", "second", "samples"),
    [
        ({"hours": {"2:00"}}, {"hours": {"9:00"}}, 2),
        ({"quadrants": {"upper-outer"}}, {"quadrants": {"lower-inner"}}, 2),
        ({"hours": {"2:00"}, "quadrants": {"upper-outer"}}, {"quadrants": {"upper-inner"}}, 2),
        ({"hours": {"2:00"}}, {"hours": {"2:00"}}, 1),
        ({"hours": {"2:00", "3:00"}}, {"hours": {"3:00"}}, 1),
        ({"hours": {"2:00"}}, {}, 1),
        ({"hours": {"2:00"}}, {"quadrants": {"upper-outer"}}, 1),
    ],
)
def test_one_accession_joins_no_two_positions_in_the_breast(
    first: dict[str, set[str]], second: dict[str, set[str]], samples: int
) -> None:
    """One that states none, or states it on the other scale, is joined as one without any position."""
    ours, theirs = (
        links(accessions={"a|1"}, **{scale: frozenset(named) for scale, named in place.items()})
        for place in (first, second)
    )
    joined = keys(
        evidence(ihc("2+"), "1", links=ours),
        evidence(ish("negative"), "2", specimen="S2", links=theirs),
    )

    assert len(joined) == samples


def test_an_accession_with_one_ihc_and_one_ish_specimen_is_one_sample() -> None:
    shared = links(accessions={"a|1"})

    assert keys(
        evidence(ihc("2+"), "1", links=shared),
        evidence(ish("negative"), "2", specimen="S2", links=shared),
    ) == {"accession:a|1": ("1", "2")}


def test_a_result_without_specimen_joins_the_one_specimen_of_its_report() -> None:
    assert keys(
        evidence(ihc("2+"), "1", links=links(reports={"DiagnosticReport/R"})),
        no_specimen(ish("negative"), "2", reports={"DiagnosticReport/R"}),
    ) == {"specimen:Specimen/S1": ("1", "2")}


def test_a_result_without_specimen_joins_none_of_two_specimens_of_its_report() -> None:
    report = {"reports": {"DiagnosticReport/R"}}
    joined = keys(
        evidence(ihc("2+"), "1", links=links(**report)),
        evidence(ihc("2+"), "2", specimen="S2", links=links(**report)),
        no_specimen(ish("negative"), "3", **report),
    )

    assert len(joined) == 3


def test_a_report_based_on_two_specimens_tells_not_whose_an_unnamed_result_is() -> None:
    report = {
        "reports": {"DiagnosticReport/R"},
        "reported_specimens": {"Specimen/S1", "Specimen/S2"},
    }
    joined = keys(
        evidence(ihc("2+"), "1", links=links(**report)),
        no_specimen(ish("negative"), "2", **report),
    )

    assert joined == {"specimen:Specimen/S1": ("1",), "report:DiagnosticReport/R": ("2",)}


@pytest.mark.parametrize(
    "based_on", [{"Specimen/S1"}, {"Specimen/P"}], ids=["itself", "its parent"]
)
def test_a_report_based_on_the_one_specimen_holds_exactly_one(based_on) -> None:
    report = {"reports": {"DiagnosticReport/R"}, "reported_specimens": based_on}
    joined = keys(
        evidence(ihc("2+"), "1", links=links(parents={"Specimen/P"}, **report)),
        no_specimen(ish("negative"), "2", **report),
    )

    assert joined == {"specimen:Specimen/P": ("1", "2")}


def test_a_result_of_two_reports_with_a_specimen_each_joins_neither() -> None:
    joined = keys(
        evidence(ihc("2+"), "1", links=links(reports={"DiagnosticReport/A"})),
        evidence(ihc("3+"), "2", specimen="S2", links=links(reports={"DiagnosticReport/B"})),
        no_specimen(ish("negative"), "3", reports={"DiagnosticReport/A", "DiagnosticReport/B"}),
    )

    assert sorted(joined.values()) == [("1",), ("2",), ("3",)]


def test_a_result_of_two_reports_with_a_fish_each_joins_neither() -> None:
    joined = keys(
        no_specimen(ihc("2+"), "1", reports={"DiagnosticReport/A", "DiagnosticReport/B"}),
        no_specimen(ish("negative"), "2", reports={"DiagnosticReport/A"}),
        no_specimen(ish("positive"), "3", reports={"DiagnosticReport/B"}),
    )

    assert sorted(joined.values()) == [("1",), ("2",), ("3",)]


def test_two_reports_that_agree_are_one_sample() -> None:
    joined = keys(
        no_specimen(ihc("2+"), "1", reports={"DiagnosticReport/A", "DiagnosticReport/B"}),
        no_specimen(ish("negative"), "2", reports={"DiagnosticReport/A"}),
        no_specimen(overall("negative"), "3", reports={"DiagnosticReport/B"}),
    )

    assert list(joined.values()) == [("1", "2", "3")]


def test_panels_within_one_order_each_are_a_sample() -> None:
    joined = keys(
        no_specimen(ihc("2+"), "1", orders={"ServiceRequest/9", "Observation/left"}),
        no_specimen(ish("negative"), "2", orders={"ServiceRequest/9", "Observation/left"}),
        no_specimen(ihc("3+"), "3", orders={"ServiceRequest/9", "Observation/right"}),
        no_specimen(ish("positive"), "4", orders={"ServiceRequest/9", "Observation/right"}),
    )

    assert joined == {
        "accession:Observation/left": ("1", "2"),
        "accession:Observation/right": ("3", "4"),
    }


SAME_PLACES = [
    {"reports": {"DiagnosticReport/R"}},
    {"orders": {"ServiceRequest/9"}},
    {"collected_day": "2026-01-10", "side": "left"},
]


@pytest.mark.parametrize("where", SAME_PLACES, ids=["report", "order", "day"])
def test_specimens_named_by_identifier_alone_are_two_where_these_differ(where) -> None:
    joined = keys(
        no_specimen(ihc("2+"), "1", specimen_identifiers={"urn:lab|B1"}, **where),
        no_specimen(ish("negative"), "2", specimen_identifiers={"urn:lab|B2"}, **where),
    )

    assert joined == {"specimen:urn:lab|B1": ("1",), "specimen:urn:lab|B2": ("2",)}


def test_a_specimen_named_by_its_identifier_alone_is_that_specimen() -> None:
    assert keys(
        evidence(ihc("2+"), "1", links=links(specimen_identifiers={"urn:lab|B1"})),
        no_specimen(ish("negative"), "2", specimen_identifiers={"urn:lab|B1"}),
    ) == {"specimen:Specimen/S1": ("1", "2")}
    assert keys(
        no_specimen(ihc("2+"), "1", specimen_identifiers={"urn:lab|B1"}),
        no_specimen(ish("negative"), "2", specimen_identifiers={"urn:lab|B1"}),
    ) == {"specimen:urn:lab|B1": ("1", "2")}


@pytest.mark.parametrize("assay", [Assay.IHC, Assay.ISH], ids=["ihc", "ish"])
def test_an_unreadable_test_of_a_third_specimen_splits_an_accession(assay: Assay) -> None:
    shared = links(accessions={"a|1"})
    unread = Reason("text-not-understood", "?")
    joined = keys(
        evidence(ihc("2+"), "1", links=shared),
        evidence(ish("negative"), "2", specimen="S2", links=shared),
        evidence(None, "3", specimen="S3", links=shared, assay=assay, unreadable=unread),
    )

    assert len(joined) == 3


def test_an_accession_counts_for_each_test_what_was_stated_not_what_was_ordered() -> None:
    shared = links(accessions={"a|1"})
    word_under_ihc = evidence(ish("negative"), "2", specimen="S2", links=shared, assay=Assay.IHC)

    assert len(keys(evidence(ihc("2+"), "1", links=shared), word_under_ihc)) == 1


@pytest.mark.parametrize("place", ["side", "body_site"])
@pytest.mark.parametrize(
    "where",
    [{"reports": {"DiagnosticReport/R"}}, {"orders": {"ServiceRequest/9"}}],
    ids=["report", "order"],
)
def test_results_of_two_sides_or_sites_are_joined_by_no_report_or_order(where, place: str) -> None:
    joined = keys(
        no_specimen(ihc("2+"), "1", **where, **{place: "left"}),
        no_specimen(ish("negative"), "2", **where, **{place: "right"}),
    )

    assert len(joined) == 2


def test_a_result_without_specimen_joins_the_one_specimen_of_its_order() -> None:
    assert keys(
        evidence(ihc("2+"), "1", links=links(orders={"ServiceRequest/9"})),
        no_specimen(ish("negative"), "2", orders={"ServiceRequest/9"}),
    ) == {"specimen:Specimen/S1": ("1", "2")}


def test_one_day_joins_no_result_to_a_specimen() -> None:
    day = {"collected_day": "2026-01-10", "side": "left"}
    joined = keys(
        evidence(ihc("2+"), "1", links=links(**day)), no_specimen(ish("negative"), "2", **day)
    )

    assert len(joined) == 2


def test_an_overall_result_beside_each_of_two_tests_hides_nothing() -> None:
    cases = group(
        [
            evidence(ihc("2+"), "1"),
            evidence(overall("equivocal"), "2"),
            evidence(ish("negative"), "3", specimen="S2"),
            evidence(overall("negative"), "4", specimen="S2"),
        ]
    )

    assert [[reason.code for reason in case.join_reasons] for case in cases] == [["not-joined"]] * 2


@pytest.mark.parametrize(
    ("where", "key"),
    [
        ({"reports": {"DiagnosticReport/R"}}, "report:DiagnosticReport/R"),
        ({"orders": {"ServiceRequest/9"}}, "accession:ServiceRequest/9"),
        ({"collected_day": "2026-01-10", "side": "left"}, "day:2026-01-10:left"),
        ({"collected_day": "2026-01-10"}, "day:2026-01-10:unknown"),
    ],
)
def test_without_specimen_one_report_accession_or_day_with_side_is_one_sample(
    where, key: str
) -> None:
    assert keys(
        no_specimen(ihc("2+"), "1", **where),
        no_specimen(ish("negative"), "2", **where),
        no_specimen(ish(ratio="1.1"), "3", **where),
    ) == {key: ("1", "2", "3")}


def test_without_specimen_two_ihc_results_of_one_report_are_not_told_apart() -> None:
    report = {"reports": {"DiagnosticReport/R"}}
    cases = group([no_specimen(ihc("1+"), "1", **report), no_specimen(ihc("3+"), "2", **report)])

    assert [case.key for case in cases] == [
        "observation:Observation/1",
        "observation:Observation/2",
    ]
    assert all(case.join_reasons[0].code == "several-results-without-specimen" for case in cases)


@pytest.mark.parametrize(
    ("first", "second", "is_one"),
    [
        ({"specimen_name": "breast core"}, {"specimen_name": "liver"}, False),
        ({"specimen_name": "breast core"}, {"specimen_name": "breast core"}, True),
        ({"specimen_name": "breast core"}, {}, True),
        ({"reported_specimens": {"S1"}}, {"reported_specimens": {"S2"}}, False),
        ({"reported_specimens": {"S1"}}, {"reported_specimens": {"S1", "S2"}}, True),
        ({"reported_specimens": {"S1"}}, {}, True),
    ],
)
def test_a_day_joins_no_results_of_two_named_specimens(first, second, is_one: bool) -> None:
    day = {"collected_day": "2026-01-10"}
    joined = keys(
        no_specimen(ihc("2+"), "1", **day, **first),
        no_specimen(ish("negative"), "2", **day, **second),
    )

    assert len(joined) == (1 if is_one else 2)


def test_two_names_of_one_report_s_specimen_are_no_two_specimens() -> None:
    report = {"reports": {"DiagnosticReport/R"}}
    joined = keys(
        no_specimen(ihc("2+"), "1", **report, specimen_name="breast core"),
        no_specimen(ish("negative"), "2", **report, specimen_name="block a1"),
    )

    assert len(joined) == 1


def test_an_unknown_side_joins_only_an_unknown_side() -> None:
    joined = keys(
        no_specimen(ihc("2+"), "1", collected_day="2026-01-10", side="left"),
        no_specimen(ish("negative"), "2", collected_day="2026-01-10"),
    )

    assert len(joined) == 2


def test_results_without_anything_in_common_are_their_own_samples() -> None:
    joined = keys(no_specimen(ihc("2+"), "1"), no_specimen(ish("negative"), "2"))

    assert sorted(joined) == ["observation:Observation/1", "observation:Observation/2"]


def test_a_single_result_needs_no_review_for_having_nothing_to_join() -> None:
    (case,) = group([no_specimen(ihc("1+"), "1")])

    assert (classify(case).category, classify(case).review) == ("low", False)


def test_results_of_two_patients_are_never_joined() -> None:
    theirs = replace(evidence(ish("negative"), "2"), subject="Patient/2")

    assert [case.subject for case in group([evidence(ihc("2+"), "1"), theirs])] == [
        "Patient/1",
        "Patient/2",
    ]


def test_an_overall_result_elsewhere_may_belong_to_a_score() -> None:
    cases = group([evidence(ihc("1+"), "1"), no_specimen(overall("negative"), "2")])

    assert all(case.join_reasons for case in cases)


def test_a_gastric_result_is_no_partner_of_a_breast_one() -> None:
    cases = group(
        [
            evidence(ihc("2+"), "1"),
            evidence(ish("negative"), "2", specimen="S2", site=TumourSite.OTHER),
        ]
    )

    assert not any(case.join_reasons for case in cases)


def test_a_withdrawn_ihc_of_another_block_does_not_split_an_accession() -> None:
    shared = links(accessions={"a|1"})
    joined = keys(
        evidence(ihc("2+"), "1", links=shared),
        evidence(ish("negative"), "2", specimen="S2", links=shared),
        evidence(ihc("3+"), "3", specimen="S3", links=shared, status="entered-in-error"),
    )

    assert joined == {"accession:a|1": ("1", "2", "3")}


def _kind(kind: str, side: str | None = None) -> SampleLinks:
    return links(kind=SampleKind(kind), side=side)


@pytest.mark.parametrize(
    ("samples", "category", "review"),
    [
        ([("1+", _kind("core")), ("1+", _kind("excision"))], "low", False),
        ([("0", _kind("core")), ("3+", _kind("excision"))], "positive", True),
        ([("0", _kind("core")), ("1+", _kind("excision"))], "low", True),
        ([("0", _kind("primary")), ("3+", _kind("metastasis"))], None, False),
        ([("1+", _kind("core")), ("0", _kind("residual"))], None, False),
        ([("1+", _kind("core", "left")), ("0", _kind("core", "right"))], None, False),
        ([("1+", _kind("not-stated")), ("0", _kind("not-stated"))], "needs-review", True),
    ],
)
def test_the_roll_up_per_patient(samples, category: str | None, review: bool) -> None:
    cases = group(
        evidence(ihc(score), str(i), specimen=f"S{i}", links=where)
        for i, (score, where) in enumerate(samples)
    )
    rolled = roll_up([(case, classify(case)) for case in cases])

    assert (rolled.category, rolled.review) == (category, review)


def test_group_counts_survive_grouping() -> None:
    cases = group([evidence(ihc("2+"), "1"), evidence(G[5], "2")])

    assert [classify(case).category for case in cases] == ["low"]
