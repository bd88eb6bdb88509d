"""An open case and the one sample that may complete it are shown to a person; time alone joins nothing."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from adapter.her2 import classify
from adapter.her2.cases import group
from adapter.her2.model import SampleLinks, TumourSite
from adapter.her2.partners import likely_pairs
from tests.unit.her2.builders import G, evidence, ihc, ish, overall


def on(day: str | None = "2026-01-10", **more) -> SampleLinks:
    return SampleLinks(collected_day=day, **more)


def result(stated, name: str, specimen: str, links: SampleLinks | None = None, **more):
    return evidence(stated, name, specimen=specimen, links=links or on(), **more)


IHC = result(ihc("2+"), "1", "S1")
FISH = result(ish("negative"), "2", "S2")


def pairs(*results) -> list[tuple[str, str]]:
    """Keys of open case and partner, without what all share; the same for every order."""
    answers = []
    for order in permutations(results):
        cases = [(case, classify(case)) for case in group(order)]
        answers.append(
            [
                (pair.open[0].key[-2:], pair.partner[0].key[-2:])
                for found in [likely_pairs(list(reversed(cases)))]
                for pair in found
            ]
        )
    assert all(answer == answers[0] for answer in answers)
    return answers[0]


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        (ihc("2+"), ish("negative"), [("S1", "S2")]),
        (ihc("2+"), ish("positive"), [("S1", "S2")]),
        (ihc("2+"), G[4], [("S1", "S2"), ("S2", "S1")]),
        (ihc("equivocal"), ish("negative"), [("S1", "S2")]),
        (ihc("1+"), G[4], [("S2", "S1")]),
        (ihc("1+"), ish("negative"), []),
        (ihc("3+"), ish("positive"), []),
        (ihc("2+"), ish("indeterminate"), []),
        (ihc("2+"), ish("not-done"), []),
        (ihc("2+"), ihc("2+"), []),
        (G[4], G[5], []),
        (ihc("2+"), overall("negative"), []),
        (ihc("indeterminate"), G[4], []),
    ],
    ids=[
        "2+ and FISH negative",
        "2+ and FISH positive",
        "2+ and group 4: each waits for the other",
        "equivocal in a word",
        "group 4 and 1+",
        "both settled",
        "both positive",
        "FISH that nobody could read",
        "FISH that was not done",
        "two IHC",
        "two FISH",
        "a mere overall result",
        "IHC that nobody could read",
    ],
)
def test_an_open_case_has_the_sample_with_just_the_other_test_as_partner(
    one, other, found: list[tuple[str, str]]
) -> None:
    assert pairs(result(one, "1", "S1"), result(other, "2", "S2")) == found


def test_the_open_case_itself_stays_as_it_is() -> None:
    assert [classify(case).category for case in group([IHC, FISH])] == [
        "equivocal",
        "negative-unspecified",
    ]


def test_of_two_counterparts_none_is_likely() -> None:
    assert pairs(IHC, FISH, result(ish("positive"), "3", "S3")) == []


def test_two_open_cases_leave_it_open_whose_fish_it_is() -> None:
    assert pairs(IHC, FISH, result(ihc("2+"), "3", "S3")) == []


def test_a_settled_ihc_beside_it_takes_no_fish_away() -> None:
    assert pairs(IHC, FISH, result(ihc("0"), "3", "S3")) == [("S1", "S2")]


@pytest.mark.parametrize(
    ("days", "is_near"),
    [
        (("2026-01-10", "2026-04-10"), True),
        (("2026-04-10", "2026-01-10"), True),
        (("2026-01-10", "2026-04-11"), False),
        (("2026-01-10", None), False),
        ((None, None), False),
    ],
    ids=["90 days after", "90 days before", "91 days", "one without a day", "none has a day"],
)
def test_the_two_stand_within_ninety_days(days, is_near: bool) -> None:
    one = result(ihc("2+"), "1", "S1", on(days[0]))
    other = result(ish("negative"), "2", "S2", on(days[1]))

    assert bool(pairs(one, other)) is is_near


@pytest.mark.parametrize(
    ("ours", "theirs", "may_be"),
    [
        ({"side": "left"}, {"side": "right"}, False),
        ({"side": "left"}, {}, True),
        ({"side": "left"}, {"side": "left"}, True),
        ({"body_site": "breast"}, {"body_site": "liver"}, False),
        ({"body_site": "breast"}, {}, True),
    ],
    ids=str,
)
def test_never_across_sides_or_sites_that_differ(ours, theirs, may_be: bool) -> None:
    one = result(ihc("2+"), "1", "S1", on(**ours))
    other = result(ish("negative"), "2", "S2", on(**theirs))

    assert bool(pairs(one, other)) is may_be


def test_a_result_of_another_tumour_is_no_partner() -> None:
    assert pairs(IHC, result(ish("negative"), "2", "S2", site=TumourSite.OTHER)) == []


def test_a_result_of_another_patient_is_no_partner() -> None:
    assert pairs(IHC, replace(FISH, subject="Patient/2")) == []


@pytest.mark.parametrize("status", ["entered-in-error", "preliminary", "cancelled"])
def test_a_result_that_does_not_count_is_no_partner(status: str) -> None:
    assert pairs(IHC, result(ish("negative"), "2", "S2", status=status)) == []


@pytest.mark.parametrize(
    "more",
    [result(G[4], "3", "S1"), result(ish("negative"), "3", "S1")],
    ids=["a recount is due", "settled"],
)
def test_a_case_that_holds_both_tests_waits_for_no_other_specimen(more) -> None:
    assert pairs(IHC, FISH, more) == []


def test_fish_that_names_no_specimen_may_be_the_partner_too() -> None:
    fish = evidence(ish("negative"), "2", specimen=None, links=on())
    cases = [(case, classify(case)) for case in group([IHC, fish])]

    [pair] = likely_pairs(cases)
    assert pair.partner[0].key == "day:2026-01-10:unknown"
