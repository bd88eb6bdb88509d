"""A person's link makes one sample of two, and of nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import permutations

import pytest

from adapter.her2 import classify
from adapter.her2.cases import group
from adapter.her2.joins import unused_links
from adapter.her2.model import Case, Link, SampleLinks, TumourSite
from tests.unit.her2.builders import evidence, ihc, ish


def link(first: str, second: str, because: str = "One tumour") -> Link:
    return Link(first, second, "Dr A. Example", date(2026, 11, 1), because)


S1_S2 = link("Specimen/S1", "Specimen/S2")
IHC = evidence(ihc("2+"), "1")
FISH = evidence(ish("negative"), "2", specimen="S2")


def samples(*results, by: tuple[Link, ...] = (S1_S2,)) -> dict[str, tuple[str, ...]]:
    """Key → ids; the same for every order of results and of links."""
    answers = [
        {
            case.key: tuple(e.source.reference.removeprefix("Observation/") for e in case.evidence)
            for case in group(order, links)
        }
        for order in permutations(results)
        for links in permutations(by)
    ]
    assert all(answer == answers[0] for answer in answers)
    return answers[0]


def reasons(cases: tuple[Case, ...], *links: Link) -> list[str]:
    return [unused.reason.code for unused in unused_links(cases, links)]


def on_side(side: str | None) -> SampleLinks:
    return SampleLinks(side=side)


@pytest.mark.parametrize(
    "by",
    [
        S1_S2,
        link("Specimen/S2", "Specimen/S1"),
        link("Observation/1", "Observation/2"),
        link("Observation/2", "Specimen/S1"),
    ],
    ids=["specimens", "the other way round", "results", "a result and a specimen"],
)
def test_a_link_joins_the_samples_of_the_two_over_different_specimens(by: Link) -> None:
    [case] = group([IHC, FISH], [by])

    assert case.joined_by == (by,)
    assert case.specimen is None
    assert unused_links([case], [by]) == ()
    answer = classify(case)
    assert (answer.category, answer.review) == ("low", False)


def test_an_answer_from_a_linked_sample_says_so_among_its_limits() -> None:
    [joined] = group([IHC, FISH], [S1_S2])
    [alone, _] = group([IHC, FISH])

    assert "joined-by-link" in {limit.code for limit in classify(joined).limits}
    assert "joined-by-link" not in {limit.code for limit in classify(alone).limits}


def test_the_rules_of_one_sample_hold_after_a_link() -> None:
    second = evidence(ihc("3+"), "2", specimen="S2")

    [case] = group([IHC, second], [S1_S2])

    assert (classify(case).category, classify(case).review) == ("needs-review", True)


def test_all_results_of_the_two_samples_come_together() -> None:
    third = evidence(ish("negative"), "3", specimen="S2")

    assert samples(IHC, FISH, third) == {"specimen:Specimen/S1": ("1", "2", "3")}


def test_the_joined_sample_is_named_by_the_part_that_has_the_ihc() -> None:
    fish_first = evidence(ish("negative"), "1")
    ihc_second = evidence(ihc("2+"), "2", specimen="S2")

    assert samples(fish_first, ihc_second) == {"specimen:Specimen/S2": ("1", "2")}


def test_an_ihc_that_was_withdrawn_names_no_sample() -> None:
    withdrawn = evidence(ihc("2+"), "2", specimen="S2", status="entered-in-error")

    assert list(samples(evidence(ish("negative"), "1"), withdrawn)) == ["specimen:Specimen/S1"]


def test_links_in_a_chain_join_all_their_samples_and_each_is_named() -> None:
    third = evidence(ish("negative"), "3", specimen="S3")
    chain = (S1_S2, link("Specimen/S2", "Specimen/S3"))

    assert samples(IHC, FISH, third, by=chain) == {"specimen:Specimen/S1": ("1", "2", "3")}
    [case] = group([IHC, FISH, third], chain)
    assert case.joined_by == chain


def test_other_samples_of_the_patient_stay_as_they_are() -> None:
    other = evidence(ihc("3+"), "3", specimen="S3")

    assert samples(IHC, FISH, other) == {
        "specimen:Specimen/S1": ("1", "2"),
        "specimen:Specimen/S3": ("3",),
    }


def test_a_linked_pair_needs_no_review_for_not_being_joined() -> None:
    [case] = group([IHC, FISH], [S1_S2])

    assert case.join_reasons == ()


def test_a_link_never_joins_results_of_different_patients() -> None:
    theirs = replace(FISH, subject="Patient/2")

    cases = group([IHC, theirs], [S1_S2])

    assert [case.joined_by for case in cases] == [(), ()]
    assert reasons(cases, S1_S2) == ["link-across-patients"]


@pytest.mark.parametrize(
    "changes",
    [
        ({}, {"site": TumourSite.OTHER}),
        ({"site": TumourSite.OTHER}, {"site": TumourSite.OTHER}),
        ({"links": on_side("left")}, {"links": on_side("right")}),
    ],
    ids=["another tumour's result", "two of another tumour", "two sides"],
)
def test_a_link_never_joins_another_tumour(changes) -> None:
    results = [
        evidence(ihc("2+"), "1", **changes[0]),
        evidence(ish("negative"), "2", specimen="S2", **changes[1]),
    ]

    cases = group(results, [S1_S2])

    assert [case.joined_by for case in cases] == [(), ()]
    assert cases == group(results)
    assert reasons(cases, S1_S2) == ["link-across-tumours"]


def test_a_chain_that_leads_to_two_sides_joins_nothing_at_all() -> None:
    results = [
        evidence(ihc("2+"), "1", links=on_side("left")),
        FISH,
        evidence(ihc("3+"), "3", specimen="S3", links=on_side("right")),
    ]
    chain = (S1_S2, link("Specimen/S2", "Specimen/S3"))

    assert len(samples(*results, by=chain)) == 3
    assert reasons(group(results, chain), *chain) == ["link-across-tumours"] * 2


def test_an_unknown_side_and_a_differing_body_site_are_for_the_person_to_judge() -> None:
    core = replace(IHC, links=SampleLinks("Specimen/S1", side="left", body_site="breast"))
    node = replace(FISH, links=SampleLinks("Specimen/S2", body_site="axillary node"))

    assert len(samples(core, node)) == 1


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ([IHC], ["link-end-not-found"]),
        ([FISH], ["link-end-not-found"]),
        ([evidence(ihc("3+"), "3", specimen="S3")], []),
        ([IHC, evidence(ish("negative"), "2")], ["link-end-not-found"]),
    ],
    ids=["first alone", "second alone", "neither: of other patients", "one specimen"],
)
def test_a_link_that_leads_half_way_is_told_and_one_of_other_patients_is_not(
    results, code: list[str]
) -> None:
    assert reasons(group(results, [S1_S2]), S1_S2) == code


def test_a_link_within_a_sample_of_the_laboratory_is_not_what_joined_it() -> None:
    accession = SampleLinks(accessions=frozenset({"a|1"}))
    results = [
        evidence(ihc("2+"), "1", links=accession),
        evidence(ish("negative"), "2", specimen="S2", links=accession),
    ]

    [case] = group(results, [S1_S2])

    assert (case.key, case.joined_by) == ("accession:a|1", ())
    assert reasons((case,), S1_S2) == ["link-not-needed"]


def test_an_unused_link_is_told_by_its_ids_alone() -> None:
    signed = replace(S1_S2, by="Dr Secret", because="Anna has one tumour")
    [unused] = unused_links(group([IHC], [signed]), [signed])

    assert unused.sentence.startswith("link of Specimen/S1 and Specimen/S2 not used: ")
    assert "Secret" not in unused.sentence
    assert "Anna" not in unused.sentence


def test_two_links_that_name_one_pair_from_both_ends_are_in_one_order() -> None:
    back = replace(S1_S2, first=S1_S2.second, second=S1_S2.first)
    both = {group([IHC, FISH], order)[0].joined_by for order in permutations([S1_S2, back])}
    assert len(both) == 1
