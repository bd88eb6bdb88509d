"""A right result keeps its identity: a later block, parent or specimen never makes a second one of it."""

from __future__ import annotations

import pytest

from adapter.fhir.identity import category_of
from adapter.sync.planning.continuity import Traces, kept_identities
from tests.fakes.site import Site


def accession(site: Site, specimen: str) -> None:
    site.server.change(specimen, accessionIdentifier={"system": "urn:lab", "value": "S26-1"})


def test_a_fish_on_another_block_of_the_accession_settles_the_same_result() -> None:
    site = Site()
    site.laboratory.ihc("anna", "2+", sample="b")
    accession(site, "Specimen/s-anna-b")
    site.settle()
    before = site.only()

    site.laboratory.fish("anna", "Not amplified", sample="a")
    accession(site, "Specimen/s-anna-a")
    site.settle()

    after = site.only()
    assert (after["id"], after["identifier"]) == (before["id"], before["identifier"])
    assert (category_of(after), after["status"]) == ("low", "final")
    site.assert_sound()
    assert site.run().writes == 0


def test_a_second_ihc_in_the_accession_parts_the_samples_and_the_first_keeps_its_id() -> None:
    site = Site()
    site.laboratory.ihc("anna", "2+", sample="a")
    accession(site, "Specimen/s-anna-a")
    site.laboratory.fish("anna", "Not amplified", sample="b")
    accession(site, "Specimen/s-anna-b")
    site.settle()
    before = site.only()

    site.laboratory.ihc("anna", "3+", sample="c")
    accession(site, "Specimen/s-anna-c")
    site.settle()

    stands = {one["id"]: one for one in site.derived() if one["status"] != "entered-in-error"}
    assert before["id"] in stands
    assert len(stands) == 3
    assert sorted(str(category_of(one)) for one in stands.values()) == [
        "equivocal",
        "negative-unspecified",
        "positive",
    ]
    site.assert_sound()
    assert site.settle().writes == 0


def test_a_parent_named_late_changes_no_identity() -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    site.settle()
    before = site.only()

    site.laboratory.specimen("anna", "parent")
    site.server.change("Specimen/s-anna-a", parent=[{"reference": "Specimen/s-anna-parent"}])
    site.settle()

    assert site.only()["id"] == before["id"]
    site.assert_sound()


def test_a_result_moved_to_another_specimen_withdraws_the_old_one() -> None:
    site = Site()
    result = site.laboratory.ihc("anna", "1+")
    site.settle()
    before = site.only()

    site.server.change(result, specimen={"reference": site.laboratory.specimen("anna", "b")})
    site.settle()

    statuses = {one["id"]: one["status"] for one in site.derived()}
    assert statuses.pop(before["id"]) == "entered-in-error"
    assert list(statuses.values()) == ["final"]


def case(*results: str, subject: str = "Patient/1", specimens: str = "S") -> Traces:
    return Traces(subject, frozenset(results), frozenset(specimens.split()))


@pytest.mark.parametrize(
    ("homeless", "orphans", "kept"),
    [
        ({"new": case("o1")}, {"old": case("o1")}, {"new": "old"}),
        ({"new": case("o1")}, {"old": case("o2")}, {}),
        ({"new": case("o1")}, {"old": case("o1", subject="Patient/2")}, {}),
        ({"new": case("o1")}, {"old": case("o1", specimens="T")}, {}),
        ({"new": case("o1", specimens="S T")}, {"old": case("o1", specimens="T")}, {"new": "old"}),
        ({"new": case("o1")}, {"old": case("o1", specimens="")}, {"new": "old"}),
        ({"b": case("o1"), "a": case("o2")}, {"old": case("o1", "o2")}, {"a": "old"}),
        ({"a": case("o2"), "b": case("o1", "o3")}, {"old": case("o1", "o2", "o3")}, {"b": "old"}),
        ({"new": case("o1", "o2")}, {"p": case("o1"), "q": case("o1", "o2")}, {"new": "q"}),
    ],
    ids=[
        "same results",
        "none shared",
        "another patient",
        "another specimen",
        "one of its specimens",
        "no specimen was named",
        "a tie goes by name",
        "more shared",
        "one of two",
    ],
)
def test_a_case_goes_on_under_the_result_that_shares_most_of_its_sources(
    homeless: dict[str, Traces], orphans: dict[str, Traces], kept: dict[str, str]
) -> None:
    assert kept_identities(homeless, orphans) == kept
