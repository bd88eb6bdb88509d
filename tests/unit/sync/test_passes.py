"""What a laboratory does to its results must reach the derived result, once, with the right sources.

Protects the reconcile as a whole: amendment, withdrawal, late FISH, reinstatement, there and back.
"""

from __future__ import annotations

from adapter.fhir.identity import category_of
from adapter.sync.cycle import PassKind, PassOutcome
from tests.fakes.laboratory import LOINC
from tests.fakes.site import Site


def test_a_first_pass_writes_one_derived_result_with_its_provenance() -> None:
    site = Site()
    source = site.laboratory.ihc("anna", "1+")
    report = site.run()
    assert (report.kind, report.outcome) == (PassKind.SWEEP, PassOutcome.DONE)
    derived = site.only()
    assert category_of(derived) == "low"
    assert derived["status"] == "final"
    assert [one["reference"] for one in derived["derivedFrom"]] == [source]
    site.assert_sound()


def test_the_device_is_written_once_before_the_first_result() -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    site.settle()
    site.laboratory.ihc("berta", "3+")
    site.settle()
    assert [one["id"] for one in site.server.all("Device")] == ["her2-adapter-0.1.0"]
    assert len(site.server.history("Device/her2-adapter-0.1.0")) == 1


def test_a_second_pass_writes_nothing() -> None:
    site = Site()
    for number in range(5):
        site.laboratory.ihc(f"p{number}", "1+")
    assert site.run().writes == 1 + 2 * 5
    before = site.server.writes
    assert [site.run().writes for _ in range(3)] == [0, 0, 0]
    site.restart()
    assert site.run().writes == 0
    assert site.server.writes == before


def test_patients_of_a_pass_that_created_something_are_looked_at_once_more() -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    assert [site.run().patients for _ in range(4)] == [1, 1, 0, 0]


def test_an_amendment_is_a_new_version_with_the_amended_source() -> None:
    site = Site()
    source = site.laboratory.ihc("anna", "1+")
    site.settle()
    site.laboratory.amend(source, "3+")
    report = site.run()
    assert report.actions == {"update": 1}
    derived = site.only()
    assert (category_of(derived), derived["status"]) == ("positive", "corrected")
    site.assert_sound()
    assert site.run().patients == 0, "what we wrote ourselves must wake nobody"


def test_a_late_fish_settles_an_equivocal_result_under_the_same_id() -> None:
    site = Site()
    ihc = site.laboratory.ihc("anna", "2+")
    site.settle()
    before = site.only()
    assert (category_of(before), before["status"]) == ("equivocal", "preliminary")
    fish = site.laboratory.fish("anna", "Not amplified")
    site.settle()
    after = site.only()
    assert after["id"] == before["id"]
    assert (category_of(after), after["status"]) == ("low", "final")
    assert [one["reference"] for one in after["derivedFrom"]] == [fish, ihc]
    site.assert_sound()


def test_a_source_entered_in_error_withdraws_the_result_and_keeps_its_value() -> None:
    site = Site()
    source = site.laboratory.ihc("anna", "3+")
    site.settle()
    site.laboratory.take_back(source)
    report = site.run()
    assert report.actions == {"retract": 1}
    derived = site.only()
    assert (derived["status"], category_of(derived)) == ("entered-in-error", "positive")
    site.assert_sound()
    assert site.settle().writes == 0


def test_a_reinstated_source_reinstates_the_result_under_the_same_id() -> None:
    site = Site()
    source = site.laboratory.ihc("anna", "3+")
    site.settle()
    first = site.only()["id"]
    site.laboratory.take_back(source)
    site.settle()
    site.server.change(source, status="final")
    site.settle()
    derived = site.only()
    assert (derived["id"], derived["status"]) == (first, "amended")
    assert category_of(derived) == "positive"
    site.assert_sound()


def test_there_and_back_gives_three_versions_and_three_provenances_with_the_right_sources() -> None:
    site = Site()
    source = site.laboratory.ihc("anna", "1+")
    site.settle()
    for score in ("2+", "1+"):
        site.laboratory.amend(source, score, status="amended")
        site.settle()
    derived = site.only()
    versions = site.server.history(f"Observation/{derived['id']}")
    assert [category_of(one or {}) for one in versions] == ["low", "equivocal", "low"]
    whats = [one["entity"][0]["what"]["reference"] for one in site.provenances(derived)]
    assert whats == [f"{source}/_history/{version}" for version in (1, 2, 3)]
    site.assert_sound()


def test_a_source_version_that_changes_nothing_writes_nothing() -> None:
    site = Site()
    source = site.laboratory.ihc("anna", "1+")
    site.settle()
    site.server.change(source, issued="2026-01-11T10:00:00Z")
    report = site.run()
    assert (report.patients, report.writes) == (1, 0)


def test_a_derived_result_edited_by_hand_is_written_again_once_and_counted() -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    site.settle()
    derived = site.only()
    site.server.change(f"Observation/{derived['id']}", note=[{"text": "I know better"}])
    report = site.run()
    assert (report.actions, report.signals["foreign-edit"]) == ({"update": 1}, 1)
    assert [site.run().writes for _ in range(2)] == [0, 0]


def test_our_own_output_is_never_input() -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    site.settle()
    derived = site.only()
    reports = [site.run(full_sweep=True) for _ in range(3)]
    assert [report.writes for report in reports] == [0, 0, 0]
    assert reports[0].outcomes == {"used": 1, "ignored": 1}
    assert len(site.derived()) == 1
    assert all(derived["id"] not in str(one["derivedFrom"]) for one in site.derived())


def test_a_result_without_a_patient_is_counted_and_named_and_gives_no_category() -> None:
    site = Site()
    stray = site.laboratory.result("anna", "85319-2", "3+")
    del stray["subject"]
    site.server.put(stray)
    group = {**site.laboratory.result("anna", "85319-2", "1+"), "id": "of-a-group"}
    site.server.put({**group, "subject": {"reference": "Group/g"}})
    report = site.run()
    assert (report.fetched, report.writes) == (2, 0)
    assert {one.observation: one.outcome for one in report.set_aside} == {
        "Observation/ihc-anna-a": "unreadable",
        "Observation/of-a-group": "not-applicable",
    }


def test_a_result_without_a_patient_is_named_too_when_it_comes_later() -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    site.settle()
    stray = {**site.laboratory.result("anna", "85319-2", "3+"), "id": "stray"}
    del stray["subject"]
    site.server.put(stray)
    assert [one.observation for one in site.run().set_aside] == ["Observation/stray"]


def test_another_test_that_the_server_returns_is_set_aside_by_name() -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    other = site.laboratory.result("anna", "85319-2", "Positive")
    codes = [{"system": LOINC, "code": "85319-2", "display": "Estrogen receptor"}]
    site.server.put({**other, "id": "er", "code": {"coding": codes}})
    report = site.run()
    assert [(one.observation, one.outcome) for one in report.set_aside] == [
        ("Observation/er", "not-her2")
    ]
    assert site.categories() == {"anna": "low"}


def test_one_patient_asked_for_is_the_only_one_looked_at() -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    site.laboratory.ihc("berta", "3+")
    report = site.run(patients=["berta"])
    assert (report.kind, report.patients) == (PassKind.PATIENTS, 1)
    assert site.categories() == {"berta": "positive"}


def test_two_samples_of_one_patient_are_two_derived_results() -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+", sample="a")
    site.laboratory.ihc("anna", "3+", sample="b")
    site.settle()
    assert sorted(str(category_of(one)) for one in site.derived()) == ["low", "positive"]


def test_a_result_moved_to_another_sample_withdraws_the_old_one() -> None:
    site = Site()
    source = site.laboratory.ihc("anna", "1+")
    site.settle()
    other = site.laboratory.specimen("anna", "b")
    site.server.change(source, specimen={"reference": other})
    report = site.run()
    assert report.actions == {"create": 1, "retract": 1}
    stands = {one["status"]: one["specimen"]["reference"] for one in site.derived()}
    assert stands == {"entered-in-error": "Specimen/s-anna-a", "final": other}
    site.assert_sound()


def test_a_result_moved_to_another_patient_never_leaves_a_category_behind() -> None:
    site = Site()
    source = site.laboratory.ihc("anna", "3+")
    site.settle()
    taken = {"reference": site.laboratory.specimen("berta", "a")}
    moved = {"reference": site.laboratory.patient("berta")}
    site.server.change(source, subject=moved, specimen=taken)
    site.run()
    assert site.categories() == {"berta": "positive"}
    site.assert_sound()


def test_a_result_moved_without_its_specimen_is_for_a_person_to_look_at() -> None:
    site = Site()
    source = site.laboratory.ihc("anna", "3+")
    site.settle()
    site.server.change(source, subject={"reference": site.laboratory.patient("berta")})
    site.run()
    assert site.categories() == {"berta": "needs-review"}
    site.assert_sound()
