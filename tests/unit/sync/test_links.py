"""A person's link joins two samples in one pass and parts them again when it is taken back."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import date

import pytest

from adapter.fhir.identity import category_of
from adapter.her2.model import Link
from adapter.ports import WorklistEntry, WorklistKind
from adapter.sync.cycle import PassKind
from adapter.terminology.links import read_links
from tests.fakes.site import Site

LINK = Link(
    "Specimen/s-anna-a", "Specimen/s-anna-b", "Dr A. Example", date(2026, 11, 1), "One tumour"
)


def linked(site: Site, *links: Link) -> None:
    """Begin a new process with these links; its first pass looks at everybody."""
    site.links = links
    site.restart()
    site.clock.advance(24 * 3600)


def standing(site: Site) -> dict[str, tuple[str | None, str]]:
    """Id → category and status of each derived result."""
    return {one["id"]: (category_of(one), one["status"]) for one in site.derived()}


def two_samples(ihc: str = "a", fish: str = "b") -> Site:
    site = Site()
    site.laboratory.ihc("anna", "2+", sample=ihc)
    site.laboratory.fish("anna", "Not amplified", sample=fish)
    site.settle()
    return site


def test_a_link_joins_two_results_into_the_one_of_the_ihc_and_back() -> None:
    site = two_samples()
    before = standing(site)
    assert sorted(before.values()) == [
        ("equivocal", "preliminary"),
        ("negative-unspecified", "final"),
    ]
    [of_ihc] = [name for name, said in before.items() if said[0] == "equivocal"]
    [of_fish] = before.keys() - {of_ihc}

    linked(site, LINK)
    site.settle()

    assert standing(site) == {
        of_ihc: ("low", "final"),
        of_fish: ("negative-unspecified", "entered-in-error"),
    }
    site.assert_sound()
    assert site.settle().writes == 0

    linked(site)
    site.settle()

    assert standing(site) == {
        of_ihc: ("equivocal", "amended"),
        of_fish: ("negative-unspecified", "amended"),
    }
    site.assert_sound()
    assert site.settle().writes == 0


def test_the_result_of_the_ihc_goes_on_whatever_the_specimens_are_called() -> None:
    site = two_samples(ihc="b", fish="a")
    [of_ihc] = [name for name, said in standing(site).items() if said[0] == "equivocal"]

    linked(site, LINK)
    site.settle()

    assert standing(site)[of_ihc] == ("low", "final")


def test_the_older_result_goes_on_where_the_link_was_there_before_the_ihc() -> None:
    site = Site()
    linked(site, LINK)
    site.laboratory.fish("anna", "Not amplified", sample="b")
    site.settle()
    before = site.only()

    site.laboratory.ihc("anna", "2+", sample="a")
    site.settle()

    assert standing(site) == {before["id"]: ("low", "amended")}
    site.assert_sound()


def test_a_later_ihc_on_the_other_specimen_changes_no_identity() -> None:
    site = two_samples(ihc="b", fish="a")
    linked(site, LINK)
    site.settle()
    before = standing(site)

    site.laboratory.ihc("anna", "2+", sample="a")
    site.settle()

    assert standing(site).keys() == before.keys()
    assert [name for name, said in standing(site).items() if said[0] == "low"] == [
        name for name, said in before.items() if said[0] == "low"
    ]
    site.assert_sound()
    assert site.settle().writes == 0


def test_the_record_names_who_joined_it_when_and_why() -> None:
    site = two_samples()
    linked(site, LINK)
    site.settle()

    [joined] = [one for one in site.derived() if category_of(one) == "low"]
    sentence = (
        "Joined by a person: Specimen/s-anna-a and Specimen/s-anna-b, "
        "by Dr A. Example on 2026-11-01: One tumour"
    )
    assert sentence in [note["text"] for note in joined["note"]]
    assert "Dr A. Example on 2026-11-01: One tumour" in joined["text"]["div"]
    assert "specimen" not in joined
    first, last = site.provenances(joined)
    assert "reason" not in first
    [reason] = last["reason"]
    assert reason["text"] == sentence
    assert reason["coding"][0]["code"] == "joined-by-link"


def test_another_reason_for_the_same_link_is_a_new_version() -> None:
    site = two_samples()
    linked(site, LINK)
    site.settle()

    linked(site, replace(LINK, because="The block is of the core's tumour"))
    report = site.run()

    assert report.actions == {"update": 1, "skip": 1}
    site.assert_sound()


def test_a_withdrawal_says_nothing_of_a_link() -> None:
    site = two_samples()
    linked(site, LINK)
    site.settle()

    [withdrawn] = [one for one in site.derived() if one["status"] == "entered-in-error"]
    [joined] = [one for one in site.derived() if one["status"] != "entered-in-error"]
    assert all("reason" not in one for one in site.provenances(withdrawn))

    site.laboratory.take_back("Observation/ihc-anna-a")
    site.laboratory.take_back("Observation/fish-anna-b")
    site.settle()

    assert {said[1] for said in standing(site).values()} == {"entered-in-error"}
    assert ["reason" in one for one in site.provenances(joined)] == [False, True, False]


@pytest.mark.parametrize(
    ("link", "said"),
    [
        (replace(LINK, second="Specimen/elsewhere"), "Only one of the two"),
        (replace(LINK, first="Specimen/x", second="Specimen/y"), "no patient here"),
        (replace(LINK, second="Specimen/s-berta-a"), "different patients"),
    ],
    ids=["half way", "nowhere", "another patient"],
)
def test_a_link_that_joins_nothing_is_told_by_the_pass(link: Link, said: str) -> None:
    site = two_samples()
    site.laboratory.ihc("berta", "1+")
    linked(site, link)

    report = site.run()

    [warning] = report.warnings
    assert said in warning
    assert "Dr A. Example" not in warning


def test_a_pass_over_some_patients_says_nothing_of_links_of_others() -> None:
    site = two_samples()
    site.links = (replace(LINK, first="Specimen/x", second="Specimen/y"),)
    site.cycle.parts = site.parts
    site.laboratory.ihc("berta", "1+")

    report = site.run()

    assert (report.kind, report.warnings) == (PassKind.INCREMENTAL, ())


def listed(site: Site) -> list[WorklistEntry]:
    return [one.entry for one in site.store.worklist()]


def test_the_worklist_shows_the_likely_partner_until_a_person_joins_it() -> None:
    site = two_samples()

    [entry] = listed(site)

    assert entry.kind is WorklistKind.LIKELY_PARTNER
    assert (entry.subject, entry.reason) == ("Patient/anna", "likely-partner")
    assert (entry.reference, entry.partner) == (
        "Observation/ihc-anna-a",
        "Observation/fish-anna-b",
    )
    linked(site, LINK)
    site.settle()
    assert listed(site) == []
    linked(site)
    site.settle()
    assert listed(site) == [entry]


def test_the_suggested_lines_join_the_two_once_a_person_has_signed_them() -> None:
    site = two_samples()
    [entry] = listed(site)

    _, defects = read_links(tomllib.loads(f"link = [{entry.suggestion}]"))
    assert len(defects) == 3, "by, on and because are for the person to say"
    signed = (
        entry.suggestion.replace('by = ""', 'by = "Dr A. Example"')
        .replace('on = ""', "on = 2026-11-01")
        .replace('because = ""', 'because = "One tumour"')
    )
    assert read_links(tomllib.loads(f"link = [{signed}]")) == ([LINK], [])


def test_a_sample_without_a_specimen_of_its_own_is_suggested_by_its_result() -> None:
    site = Site()
    site.laboratory.ihc("anna", "2+")
    site.server.put(
        {**site.laboratory.result("anna", "85318-4", "Not amplified"), "specimen": {"display": "?"}}
    )
    site.settle()

    [entry] = listed(site)

    assert 'second = "Observation/fish-anna-a"' in entry.suggestion
