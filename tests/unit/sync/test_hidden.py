"""What stands is read by id before it is created: a search that shows less must not write over it.

Protects against index lag, servers that cannot search our own results, and edits of identity by hand.
"""

from __future__ import annotations

import pytest

from adapter.fhir.identity import category_of
from adapter.sync.cycle import SyncOptions
from adapter.sync.options import ReadLimits
from tests.fakes.site import Site


def settled_site() -> Site:
    site = Site()
    for patient in ("anna", "berta"):
        site.laboratory.ihc(patient, "1+")
    site.settle()
    return site


def test_a_derived_result_that_search_does_not_show_yet_is_not_created_again() -> None:
    site = settled_site()
    before = site.server.writes
    site.server.hidden = {f"Observation/{one['id']}" for one in site.derived()}
    report = site.run(full_sweep=True)
    assert (report.writes, report.actions) == (0, {"skip": 2})
    assert report.signals["hidden-from-search"] == 2
    assert site.server.writes == before


def test_an_amendment_over_a_hidden_result_is_held_to_its_version() -> None:
    site = settled_site()
    site.server.hidden = {f"Observation/{one['id']}" for one in site.derived()}
    site.laboratory.amend("Observation/ihc-anna-a", "3+")
    assert site.run().actions["update"] == 1
    assert b'"ifMatch":"W/\\"1\\""' in site.server.bundles[-1]
    site.assert_sound()


def test_a_server_that_cannot_search_our_own_results_is_not_written_to_again_and_again() -> None:
    site = Site()
    site.server.unsupported = frozenset({"identifier", "_tag"})
    for number in range(7):
        site.laboratory.ihc(f"p{number}", "1+")
    site.run()
    before = site.server.writes
    for _ in range(3):
        site.restart()
        site.run(full_sweep=True)
    assert site.server.writes == before
    site.assert_sound()


@pytest.mark.parametrize(
    "elements",
    [
        {"subject": {"reference": "Patient/berta"}},
        {"subject": {"display": "nobody"}},
        {"identifier": [{"system": "https://w3id.org/her2-adapter/sid/case", "value": "x"}]},
        {"identifier": [], "meta": {"tag": []}},
        {"status": "final", "valueCodeableConcept": {"text": "positive, I say"}},
    ],
    ids=["other-patient", "no-patient", "other-identifier", "unmarked", "value"],
)
@pytest.mark.parametrize("sweep", [False, True], ids=["incremental", "sweep"])
def test_a_derived_result_edited_by_hand_in_any_element_is_healed(
    elements: dict[str, object], sweep: bool
) -> None:
    site = settled_site()
    (anna,) = [one for one in site.derived() if one["subject"]["reference"] == "Patient/anna"]
    site.server.change(f"Observation/{anna['id']}", **elements)
    for _ in range(4):
        site.run(full_sweep=sweep)
    # An edit that hides it from every search is found when its patient is looked at.
    site.run(patients=["anna"])
    site.settle()
    healed = site.server.get(f"Observation/{anna['id']}")
    assert healed is not None
    assert (healed["subject"], category_of(healed)) == ({"reference": "Patient/anna"}, "low")
    assert healed["status"] in ("final", "amended")
    assert site.categories() == {"anna": "low", "berta": "low"}
    assert site.run(full_sweep=True).writes == 0


def test_a_result_moved_to_another_patient_by_hand_is_decided_once_a_pass() -> None:
    site = Site(options=SyncOptions(read=ReadLimits(patients_at_once=1)))
    for patient in ("anna", "berta"):
        site.laboratory.ihc(patient, "1+")
    site.settle()
    (anna,) = [one for one in site.derived() if one["subject"]["reference"] == "Patient/anna"]
    site.server.change(f"Observation/{anna['id']}", subject={"reference": "Patient/berta"})
    for _ in range(3):
        site.run(full_sweep=True)
    assert site.categories() == {"anna": "low", "berta": "low"}
    assert site.run(full_sweep=True).writes == 0


def test_a_sweep_that_sees_far_less_of_ours_than_stood_says_so() -> None:
    site = settled_site()
    for number in range(10):
        site.laboratory.ihc(f"p{number}", "1+")
    site.settle()
    site.server.hidden = {f"Observation/{one['id']}" for one in site.server.all("Observation")} - {
        "Observation/ihc-anna-a"
    }
    report = site.run(full_sweep=True)
    assert any("only 0 of about 12" in words for words in report.warnings)
    assert report.signals["sees-less"] == 1
    assert report.writes == 0


def test_a_result_without_a_patient_is_named_once() -> None:
    site = settled_site()
    stray = {**site.laboratory.result("anna", "85319-2", "3+"), "id": "stray"}
    del stray["subject"]
    site.server.put(stray)
    assert [len(site.run().set_aside) for _ in range(3)] == [1, 0, 0]
