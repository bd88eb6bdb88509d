"""What could not be read is listed for a person, and nothing of a patient with it.

Protects the unmapped worklist: what is on it, its grouping, and its privacy.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from adapter.fhir.terms import Terms
from adapter.fhir.text.nearest import known_words
from adapter.her2.policy import ASCO_CAP_2023
from adapter.ports import JsonObject, ListedEntry, WorklistEntry, WorklistKind
from adapter.sync.cycle import PassKind, SyncOptions
from adapter.sync.planning.reconcile import reconcile
from adapter.sync.planning.worklist import grouped, shape_of, worklist_entries
from adapter.sync.reading.pool import Gathered
from tests.fakes.site import Site, catalogue


def listed(site: Site) -> list[WorklistEntry]:
    return [one.entry for one in site.store.worklist()]


def test_a_result_that_could_not_be_read_is_listed_without_what_it_says() -> None:
    site = Site()
    site.laboratory.ihc("anna", "see Dr. Meier's letter of 12.03.2026")
    site.settle()
    site.run(full_sweep=True)
    (entry,) = listed(site)
    assert (entry.kind, entry.reason) == (WorklistKind.NOT_READ, "text-not-understood")
    assert (entry.subject, entry.reference) == ("Patient/anna", "Observation/ihc-anna-a")
    assert "Meier" not in entry.pattern
    assert "12" not in entry.pattern


def test_results_that_were_read_are_not_listed() -> None:
    site = Site()
    site.laboratory.ihc("anna", "2+")
    site.settle()
    assert listed(site) == []


def test_a_result_that_can_be_read_now_is_listed_no_more() -> None:
    site = Site()
    site.laboratory.ihc("anna", "gibberish")
    site.laboratory.ihc("berta", "gibberish")
    site.settle()
    site.laboratory.ihc("anna", "2+")
    site.settle()
    assert [entry.subject for entry in listed(site)] == ["Patient/berta"]


def test_a_result_that_is_deleted_is_listed_no_more_after_a_sweep() -> None:
    site = Site()
    site.laboratory.ihc("anna", "gibberish", subject=None)
    site.laboratory.ihc("berta", "gibberish")
    site.settle()
    assert len(listed(site)) == 2
    for reference in [entry.reference for entry in listed(site)]:
        site.server.delete(reference)
    site.run(full_sweep=True)
    assert listed(site) == []


def test_another_vocabulary_makes_a_sweep_due_once() -> None:
    site = Site()
    site.laboratory.ihc("anna", "gibberish")
    site.settle()
    assert site.run().kind is PassKind.INCREMENTAL
    site.context = replace(site.context, overlay_versions=("0.1.0+12345678",))
    site.restart()
    assert site.run().kind is PassKind.SWEEP
    site.restart()
    assert site.run().kind is PassKind.INCREMENTAL


def test_a_result_listed_again_keeps_when_it_was_first_seen() -> None:
    site = Site()
    site.laboratory.ihc("anna", "gibberish")
    site.settle()
    (before,) = site.store.worklist()
    site.run(full_sweep=True)
    (after,) = site.store.worklist()
    assert after.first_seen == before.first_seen
    assert after.last_seen > before.last_seen


def test_a_dry_run_lists_nothing_and_an_observing_adapter_does() -> None:
    site = Site(options=SyncOptions(observe=True))
    site.laboratory.ihc("anna", "gibberish")
    site.run(dry_run=True)
    assert listed(site) == []
    site.run()
    assert len(listed(site)) == 1


def concept(text: str = "", **coding: str) -> JsonObject:
    return {"coding": [coding] if coding else [], "text": text}


def entries(*results: tuple[JsonObject, JsonObject]) -> list[WorklistEntry]:
    """Look at one patient's results, each of a code and a value; they need no discovery."""
    gathered = Gathered(
        frozenset({"Patient/1"}),
        tuple(
            {
                "resourceType": "Observation",
                "id": str(number),
                "status": "final",
                "subject": {"reference": "Patient/1"},
                "code": code,
                "valueCodeableConcept": value,
            }
            for number, (code, value) in enumerate(results, start=1)
        ),
    )
    found = reconcile(gathered, catalogue(), ASCO_CAP_2023, base_url="http://fhir.test")
    return worklist_entries(found, catalogue())


HER2_IHC = concept(system="http://loinc.org", code="85319-2")
LOCAL_IHC = concept("HER2 immunohistochemistry", system="urn:lab:tests", code="H2")


@pytest.mark.parametrize(
    ("code", "value"),
    [
        (concept("Glucose", system="urn:lab", code="GLU"), concept("5.2")),
        (concept("Glucose", system="http://loinc.org", code="2345-7"), concept("5.2")),
        (concept("Estrogen receptor", system="urn:lab", code="ER"), concept("positive")),
        (concept("HER3", system="urn:lab", code="H3"), concept("positive")),
        (LOCAL_IHC, concept("2+")),
        (HER2_IHC, concept(system="urn:lab", code="1") | {"text": "3+"}),
    ],
    ids=["glucose", "glucose-loinc", "oestrogen", "her3", "read-by-its-name", "read-by-its-text"],
)
def test_what_is_no_her2_result_or_was_read_is_not_listed(
    code: JsonObject, value: JsonObject
) -> None:
    assert entries((code, value)) == []


@pytest.mark.parametrize(
    ("code", "reason", "suggestion"),
    [
        (concept("HRE2", system="urn:lab", code="X"), "no-her2-test", "almost “her2”"),
        (concept("HRE2 IHC"), "no-her2-test", "almost “her2”"),
        (
            concept(system="urn:ln", code="85319-2"),
            "no-her2-test",
            "85319-2 of http://loinc.org: add a name of the code system",
        ),
    ],
    ids=["a-slip-beside-a-code", "a-slip-alone", "a-code-of-loinc-under-another-name"],
)
def test_a_test_that_might_be_her2_is_listed_with_what_it_is_near_to(
    code: JsonObject, reason: str, suggestion: str
) -> None:
    (entry,) = entries((code, concept("2+")))
    assert (entry.reason, entry.suggestion) == (reason, suggestion)


def test_a_general_test_code_is_listed_only_where_a_local_code_could_tell_more() -> None:
    general = {"system": "http://snomed.info/sct", "code": "1234806008"}
    local = {"system": "urn:lab", "code": "IHC-7"}
    (entry,) = entries(
        ({"coding": [general]}, concept("2+")),
        ({"coding": [general, local]}, concept("2+")),
        ({"coding": [general, local], "text": "Ki-67"}, concept("2+")),
    )
    assert (entry.reference, entry.reason) == ("Observation/2", "generic-test")
    assert (entry.system, entry.code) == ("urn:lab", "IHC-7")


def test_the_code_shown_is_the_one_that_a_mapping_would_need() -> None:
    answer = concept(system="urn:lab:answers", code="A7")
    first, second = entries((LOCAL_IHC, answer), (LOCAL_IHC, concept("amplifed")))
    assert (first.reason, first.system, first.code) == ("answer-not-known", "urn:lab:answers", "A7")
    assert (second.reason, second.system, second.code) == ("text-not-understood", "", "")
    assert second.suggestion == "almost “amplified”"


@pytest.mark.parametrize(
    "subject", ["urn:uuid:7ad", "https://other.test/fhir/Patient/9", "Patient?name=x"]
)
def test_a_subject_that_is_no_patient_of_this_server_is_not_shown(subject: str) -> None:
    site = Site()
    site.laboratory.ihc("anna", "gibberish", subject={"reference": subject})
    site.settle()
    assert [(entry.subject, entry.reference) for entry in listed(site)] == [
        ("", "Observation/ihc-anna-a")
    ]


NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
ENTRY = WorklistEntry(
    kind=WorklistKind.NOT_READ,
    subject="Patient/1",
    reference="Observation/1",
    reason="answer-not-known",
    system="http://lab.test/codes",
    code="HER-2",
)


def seen(entry: WorklistEntry, hours: int = 0) -> ListedEntry:
    return ListedEntry(entry, NOON + timedelta(hours=hours), NOON + timedelta(hours=hours + 1))


def test_entries_that_one_mapping_would_read_are_one_row() -> None:
    same = replace(ENTRY, subject="Patient/2", reference="Observation/0")
    (group,) = grouped([seen(ENTRY, 2), seen(same, 1)])
    assert (group.count, group.example) == (2, "Observation/0")
    assert group.first_seen == NOON + timedelta(hours=1)
    assert group.last_seen == NOON + timedelta(hours=3)


@pytest.mark.parametrize("part", ["reason", "system", "code", "pattern", "suggestion"])
def test_entries_that_differ_in_one_part_are_two_rows(part: str) -> None:
    other = replace(ENTRY, reference="Observation/2", **{part: "other"})
    first, second = grouped([seen(ENTRY), seen(other)])
    assert first.row != second.row


def test_the_most_frequent_row_comes_first_and_rows_keep_their_names() -> None:
    often = [replace(ENTRY, code="often", reference=f"Observation/{n}") for n in range(2, 4)]
    (alone,) = grouped([seen(ENTRY)])
    first, second = grouped(map(seen, [ENTRY, *often]))
    assert (first.code, first.count, second.row) == ("often", 2, alone.row)
    assert re.fullmatch("[0-9a-f]{8}", alone.row)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("Score 2+", "score 9+"),
        ("Erika Mustermann, *1950-01-02", "…, …9999-99-99"),
        ("HER2: whatnot strongly in 30 %", "her2: … strongly in 99 %"),
        ("2+\nJos\u00e9", "9+ …"),
        ("", ""),
    ],
    ids=["known-words", "a-name-and-a-date", "mixed", "lines-and-accents", "empty"],
)
def test_only_words_of_the_vocabulary_are_shown(text: str, shape: str) -> None:
    assert shape_of(text, known_words(Terms.of(catalogue()))) == shape
