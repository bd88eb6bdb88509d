"""Somebody who edits our results is answered a few times, then a person is asked; a result that changed is written.

Protects B6: never an endless fight, and never a stale category because of one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from adapter.fhir.identity import category_of
from adapter.sync.writing.foreign_edits import EDITED_BY_OTHERS, EDITS, MOST_CORRECTIONS, WROTE
from tests.fakes.crash import CrashPoints, Killed
from tests.fakes.site import Site


def edited_site() -> Site:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    site.settle()
    return site


def edit(site: Site, text: str) -> None:
    """Somebody writes another note into our result."""
    site.server.change(f"Observation/{site.only()['id']}", note=[{"text": text}])


def fight(site: Site, times: int) -> list[int]:
    """How many versions each pass writes while the result is edited before each of them."""
    writes = []
    for number in range(times):
        edit(site, f"no, {number}")
        writes.append(site.run().writes)
    return writes


def test_an_edit_is_put_right_three_times_and_then_left_to_a_person() -> None:
    site = edited_site()
    assert fight(site, 8) == [2] * MOST_CORRECTIONS + [0] * 5
    (parked,) = site.store.parked()
    assert (parked.reason, parked.attempts) == (EDITED_BY_OTHERS, 1)
    assert site.only()["note"] == [{"text": "no, 7"}]


@pytest.mark.parametrize("asked", [{"full_sweep": True}, {"patients": ["Patient/anna"]}])
def test_where_nobody_is_woken_an_edit_is_not_fought_for_ever_either(asked: dict[str, Any]) -> None:
    """A server that cannot be asked what changed is swept by every pass; its edits wake nobody."""
    site = edited_site()
    writes, counted = [], 0
    for number in range(9):
        edit(site, f"no, {number}")
        site.restart()
        report = site.run(**asked)
        writes.append(report.writes)
        counted += report.signals.get("foreign-edit", 0)
    # The first is told from nothing: what was created is not remembered.
    assert writes == [2] * (1 + MOST_CORRECTIONS) + [0] * 5
    assert counted == MOST_CORRECTIONS
    (parked,) = site.store.parked()
    assert parked.reason == EDITED_BY_OTHERS


def test_a_laboratory_that_goes_there_and_back_is_no_editor() -> None:
    site = edited_site()
    for number in range(12):
        score = ("3+", "1+")[number % 2]
        site.laboratory.amend("Observation/ihc-anna-a", score)
        report = site.run(full_sweep=True)
        assert report.signals.get("foreign-edit", 0) == 0
        assert category_of(site.only()) == ("positive", "low")[number % 2]
    for number in range(12):
        if number % 2:
            site.laboratory.amend("Observation/ihc-anna-a", "1+")
        else:
            site.laboratory.take_back("Observation/ihc-anna-a")
        assert site.run(full_sweep=True).signals.get("foreign-edit", 0) == 0
    assert site.store.parked() == ()


def test_nor_is_another_adapter_that_follows_the_laboratory_too() -> None:
    """Each on a state of its own: now the one comes first, now the other."""
    one = edited_site()
    other = Site(server=one.server)
    for number in range(16):
        one.laboratory.amend("Observation/ihc-anna-a", ("3+", "1+")[number % 2])
        site = (one, other)[number % 2]
        report = site.run(full_sweep=True)
        assert report.writes == 2
        assert report.signals.get("foreign-edit", 0) == 0
    assert one.store.parked() == other.store.parked() == ()


def test_nor_is_it_one_where_the_process_dies_between_the_two() -> None:
    """What a dead process wrote last is not known, and is not taken for the edit of somebody."""
    for step in range(1, 60):
        site = edited_site()
        for number in range(4):
            site.laboratory.amend("Observation/ihc-anna-a", "3+")
            crash = CrashPoints(at=step)
            try:
                site.run_with(crash, full_sweep=True)
            except Killed:
                site.restart()
                site.run(full_sweep=True)
            site.laboratory.amend("Observation/ihc-anna-a", "1+")
            report = site.run(full_sweep=True)
            assert report.signals.get("foreign-edit", 0) == 0, (step, number)
        assert category_of(site.only()) == "low"


def test_an_edit_now_and_then_is_put_right_for_ever() -> None:
    site = edited_site()
    for number in range(6):
        edit(site, f"no, {number}")
        assert site.run().signals["foreign-edit"] == 1
        site.clock.advance(hours=13)
        site.run()
    assert site.store.parked() == ()


def test_a_retry_by_an_operator_writes_it_again() -> None:
    site = edited_site()
    fight(site, 5)
    (parked,) = site.store.parked()
    site.store.unpark([parked.key])
    site.store.enqueue([parked.patient], reason="retry")
    site.settle()
    assert site.only()["note"] != [{"text": "no, 4"}]
    assert site.store.parked() == ()


def test_a_result_of_the_laboratory_that_changed_is_written_whoever_edits() -> None:
    site = edited_site()
    fight(site, 5)
    site.laboratory.amend("Observation/ihc-anna-a", "3+")
    site.settle()
    assert category_of(site.only()) == "positive"
    assert site.store.parked() == ()


def test_an_edit_that_is_taken_back_ends_the_parking() -> None:
    site = edited_site()
    right = site.only()["note"]
    fight(site, 5)
    site.server.change(f"Observation/{site.only()['id']}", note=right)
    site.settle()
    assert site.store.parked() == ()


def test_a_dry_run_parks_nothing() -> None:
    site = edited_site()
    fight(site, MOST_CORRECTIONS)
    edit(site, "once more")
    site.run(dry_run=True)
    assert site.store.parked() == ()


@pytest.mark.parametrize(
    "text", ["", "no JSON", "[]", '{"a": "b"}', '{"a": [1]}', '{"a": ["m", "no instant"]}']
)
def test_a_count_that_cannot_be_read_begins_anew(text: str) -> None:
    site = edited_site()
    site.store.set_setting(EDITS, text)
    site.store.set_setting(WROTE, text)
    assert fight(site, 1) == [2]


POSITIVE = {"system": "http://loinc.org", "code": "LA6576-8", "display": "Positive"}
OTHER_CATEGORY = {
    "system": "https://w3id.org/her2-adapter/CodeSystem/her2-category",
    "code": "positive",
}
POS = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation",
    "code": "POS",
}


def _value(one: dict[str, Any], *codings: dict[str, str], first: bool = False) -> None:
    coding = one["valueCodeableConcept"]["coding"]
    coding[:] = [*codings, *coding] if first else [*coding, *codings]


def _set(one: dict[str, Any], name: str, value: Any) -> None:
    one[name] = value


def _text(one: dict[str, Any], name: str, text: str) -> None:
    concept = one[name][0] if isinstance(one[name], list) else one[name]
    concept["text"] = text


SURE: dict[str, Callable[[dict[str, Any]], None]] = {
    "a coding of another category": lambda one: _value(one, POSITIVE),
    "another category behind ours": lambda one: _value(one, OTHER_CATEGORY),
    "another code": lambda one: _set(
        one, "code", {"coding": [{"system": "http://loinc.org", "code": "85319-2"}]}
    ),
    "another interpretation": lambda one: _set(one, "interpretation", [{"coding": [POS]}]),
    "one more interpretation": lambda one: one["interpretation"].append({"coding": [POS]}),
    "one without a system": lambda one: _set(
        one, "interpretation", [{"coding": [{"code": "POS"}]}]
    ),
    "a modifier": lambda one: _set(
        one, "modifierExtension", [{"url": "http://x.test/negated", "valueBoolean": True}]
    ),
}
WORDS: dict[str, Callable[[dict[str, Any]], None]] = {
    "the value's text": lambda one: _text(one, "valueCodeableConcept", "HER2 positive (3+)"),
    "the code's text": lambda one: _text(one, "code", "ER status"),
    "a coding of others' for positive": lambda one: _value(
        one, {"system": "http://snomed.info/sct", "code": "431396003"}, first=True
    ),
    "the interpretation's text": lambda one: _text(one, "interpretation", "Positive"),
}
HABITS: dict[str, Callable[[dict[str, Any]], None]] = {
    "a narrative of its own": lambda one: _set(
        one, "text", {"status": "generated", "div": "<div>anything</div>"}
    ),
    "tags and a source": lambda one: one["meta"].update(
        source="#x", security=[{"system": "http://x.test", "code": "R"}]
    ),
    "translations": lambda one: [
        _value(one, {"system": "http://x.test/local", "code": "H2L"}, first=True),
        one["code"]["coding"].insert(0, {"system": "http://x.test/local", "code": "HER2"}),
        one["interpretation"].append({"coding": [{"system": "http://x.test", "code": "N"}]}),
    ],
    "displays": lambda one: [
        each.update(display="as the server has it")
        for each in (*one["code"]["coding"], *one["valueCodeableConcept"]["coding"])
    ],
    "no texts": lambda one: [
        one["valueCodeableConcept"].pop("text"),
        one["code"].pop("text"),
        one["interpretation"][0].pop("text"),
    ],
    "texts in capitals": lambda one: _text(
        one, "valueCodeableConcept", f" {one['valueCodeableConcept']['text'].upper()}  "
    ),
    "another order": lambda one: [
        one["valueCodeableConcept"]["coding"].reverse(),
        one["code"]["coding"].reverse(),
    ],
    "ids of elements": lambda one: one["valueCodeableConcept"].update(id="v"),
    "no interpretation": lambda one: one.pop("interpretation"),
    "a translation into SNOMED CT": lambda one: _value(
        one, {"system": "http://snomed.info/sct", "code": "431397007"}
    ),
    "other texts": lambda one: [
        _text(one, "valueCodeableConcept", "as the server words it"),
        _text(one, "code", "HER2"),
    ],
}


def changed(site: Site, change: Callable[[dict[str, Any]], None]) -> None:
    """Somebody writes our result anew with a change."""
    one = site.only()
    change(one)
    site.server.put(one)


@pytest.mark.parametrize("change", (SURE | WORDS).values(), ids=SURE | WORDS)
def test_what_somebody_adds_beside_the_category_is_put_right_and_counted(
    change: Callable[[dict[str, Any]], None],
) -> None:
    site = edited_site()
    before = site.only()
    changed(site, change)
    report = site.run()
    assert (report.writes, report.signals.get("foreign-edit", 0)) == (2, 1)
    for name in ("valueCodeableConcept", "code", "interpretation", "modifierExtension"):
        assert site.only().get(name) == before.get(name)
    assert site.settle().signals.get("foreign-edit", 0) == 0


@pytest.mark.parametrize("change", (SURE | WORDS).values(), ids=SURE | WORDS)
def test_such_an_edit_is_not_fought_for_ever_either(
    change: Callable[[dict[str, Any]], None],
) -> None:
    site = edited_site()
    writes = []
    for _ in range(MOST_CORRECTIONS + 2):
        changed(site, change)
        writes.append(site.run().writes)
    assert writes == [2] * MOST_CORRECTIONS + [0] * 2
    (parked,) = site.store.parked()
    assert parked.reason == EDITED_BY_OTHERS


@pytest.mark.parametrize("change", SURE.values(), ids=SURE)
def test_a_sweep_puts_right_what_was_edited_while_nobody_looked(
    change: Callable[[dict[str, Any]], None],
) -> None:
    site = edited_site()
    changed(site, change)
    site.restart()
    report = site.run(full_sweep=True)
    assert (report.writes, report.signals.get("foreign-edit", 0)) == (2, 1)


@pytest.mark.parametrize("change", WORDS.values(), ids=WORDS)
def test_what_was_reworded_while_nobody_looked_is_told_and_not_written(
    change: Callable[[dict[str, Any]], None],
) -> None:
    site = edited_site()
    changed(site, change)
    report = site.run(full_sweep=True)
    assert (report.writes, report.signals.get("reworded", 0)) == (0, 1)
    assert len([one for one in report.warnings if "verify" in one]) == 1


@pytest.mark.parametrize("habit", HABITS.values(), ids=HABITS)
def test_what_a_server_changes_of_itself_is_no_edit(
    habit: Callable[[dict[str, Any]], None],
) -> None:
    def alter(resource: dict[str, Any]) -> dict[str, Any]:
        if resource["resourceType"] == "Observation" and "derivedFrom" in resource:
            habit(resource)
        return resource

    site = Site()
    site.server.alter = alter
    site.laboratory.ihc("anna", "1+")
    site.settle()
    assert len(site.derived()) == 1
    for _ in range(3):
        report = site.run()
        assert (report.writes, report.signals.get("foreign-edit", 0)) == (0, 0)
    site.restart()
    assert site.run().writes == 0
    assert site.run(full_sweep=True).writes == 0
    assert site.store.parked() == ()


def test_a_version_that_a_server_makes_without_a_change_is_no_edit() -> None:
    site = edited_site()
    for _ in range(3):
        site.server.put(site.only())
        assert (site.run().writes, site.run().writes) == (0, 0)


def test_a_server_that_adds_another_category_by_itself_is_not_fought() -> None:
    site = Site()
    site.server.alter = lambda one: (
        {**one, "interpretation": [{"coding": [POS]}]} if "derivedFrom" in one else one
    )
    site.laboratory.ihc("anna", "1+")
    writes = [site.run(full_sweep=number % 2 == 0).writes for number in range(8)]
    assert sum(writes[1:]) == 0
    (parked,) = site.store.parked()
    assert parked.reason == "stored-differently"


def test_texts_of_another_version_of_the_software_are_no_edit() -> None:
    site = edited_site()
    one = site.only()
    _text(one, "valueCodeableConcept", "HER2 low (as it was called)")
    one["device"] = {"reference": "Device/her2-adapter-0.0.9"}
    site.server.put(one)
    report = site.run()
    assert (report.writes, report.signals.get("reworded", 0)) == (0, 0)
