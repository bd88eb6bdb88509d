"""Protects the StateStore contract: every method means the same on SQLite and on PostgreSQL."""

from __future__ import annotations

import inspect
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from adapter.audit import AuditTrail
from adapter.errors import LeaseLost
from adapter.ports import (
    ListedEntry,
    ParkedCase,
    PassRecord,
    StateStore,
    WorklistEntry,
    WorklistKind,
)
from adapter.store import SqlStateStore, ledger, open_store
from tests.fakes.store import MemoryStore

from .conftest import NOON, a_bundle

LATER = NOON + timedelta(minutes=10)
CASE = ParkedCase("case-1", "Patient/1", "refused-422", "print-1", NOON)
ENTRY = WorklistEntry(
    kind=WorklistKind.NOT_READ,
    subject="Patient/1",
    reference="Observation/1",
    reason="answer-not-known",
    system="http://lab.test/codes",
    code="HER-2",
    pattern="… 9+",
    suggestion="positive",
)
OTHERS = replace(ENTRY, subject="Patient/2", reference="Observation/2")
PARTNER = replace(ENTRY, kind=WorklistKind.LIKELY_PARTNER, partner="Observation/9")
PASS = PassRecord(NOON, LATER, "poll", "written", {"fetched": 5, "created": 2})


METHODS = [name for name in {**vars(StateStore), **vars(AuditTrail)} if name[0] != "_"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", [SqlStateStore, MemoryStore])
def test_every_method_of_the_port_is_there_with_the_same_parameters(
    method: str, kind: type
) -> None:
    promised = inspect.signature(getattr(StateStore, method))
    kept = inspect.signature(getattr(kind, method))
    assert list(kept.parameters) == list(promised.parameters)
    assert kept == promised


def test_a_watermark_is_none_before_the_first_pass(store: SqlStateStore) -> None:
    assert store.watermark("Observation") is None


def test_a_watermark_comes_back_as_the_same_instant_in_utc(store: SqlStateStore) -> None:
    store.set_watermark("Observation", NOON)
    found = store.watermark("Observation")
    assert found == NOON
    assert found is not None
    assert found.tzinfo is UTC


def test_watermarks_move_independently_of_each_other(store: SqlStateStore) -> None:
    store.set_watermark("Observation", NOON)
    store.set_watermark("Specimen", NOON)
    store.set_watermark("Observation", LATER)
    assert (store.watermark("Observation"), store.watermark("Specimen")) == (LATER, NOON)


def test_patients_are_handed_out_in_the_order_they_were_queued(store: SqlStateStore) -> None:
    store.enqueue(["Patient/3", "Patient/1"], reason="poll")
    store.enqueue(["Patient/2"], reason="sweep")
    assert tuple(store.queued()) == ("Patient/3", "Patient/1", "Patient/2")
    assert tuple(store.queued(among=["Patient/2", "Patient/x"])) == ("Patient/2",)
    assert tuple(store.queued(among=[])) == ()


def test_enqueue_counts_only_patients_that_were_not_queued(store: SqlStateStore) -> None:
    assert store.enqueue(["Patient/1", "Patient/1", "Patient/2"], reason="poll") == 2
    assert store.enqueue(iter(["Patient/2", "Patient/3"]), reason="poll") == 1
    assert store.enqueue([], reason="poll") == 0
    assert store.queue_length() == 3


def test_a_patient_queued_again_keeps_its_place(store: SqlStateStore) -> None:
    store.enqueue(["Patient/1", "Patient/2"], reason="poll")
    store.enqueue(["Patient/1"], reason="webhook")
    assert tuple(store.queued()) == ("Patient/1", "Patient/2")


def test_patients_stay_queued_until_they_are_done(store: SqlStateStore) -> None:
    store.enqueue(["Patient/1", "Patient/2"], reason="poll")
    store.done(store.queued(among=["Patient/1"]))
    assert tuple(store.queued()) == ("Patient/2",)
    store.done({})
    assert tuple(store.queued()) == ("Patient/2",)


def test_a_patient_woken_while_it_is_worked_on_stays_queued(store: SqlStateStore) -> None:
    store.enqueue(["Patient/1", "Patient/2"], reason="poll")
    handed_out = store.queued()
    store.enqueue(["Patient/1"], reason="webhook")
    store.done(handed_out)
    assert tuple(store.queued()) == ("Patient/1",)
    store.done(handed_out)
    assert tuple(store.queued()) == ("Patient/1",)
    store.done(store.queued())
    assert store.queue_length() == 0


def test_a_patient_queued_after_the_queue_was_asked_stays_queued(store: SqlStateStore) -> None:
    store.enqueue(["Patient/1"], reason="poll")
    handed_out = store.queued(among=["Patient/1", "Patient/2"])
    store.enqueue(["Patient/2"], reason="asked")
    store.done(handed_out)
    assert tuple(store.queued()) == ("Patient/2",)


def test_a_patient_taken_off_and_queued_anew_is_not_taken_for_the_one_before(
    store_url: str,
) -> None:
    """A process that slept over its lease says what it did before another one did it, and was asked anew."""
    with open_store(store_url) as late, open_store(store_url) as other:
        other.enqueue(["Patient/1"], reason="asked")
        before = late.queued()
        other.done(other.queued())
        other.enqueue(["Patient/1"], reason="asked")
        late.done(before)
        assert tuple(other.queued()) == ("Patient/1",)


def test_whom_to_look_at_again_is_queued_once_their_time_has_come(store: SqlStateStore) -> None:
    store.enqueue(["Patient/2"], reason="asked")
    before = store.queued()
    store.look_again(["Patient/1", "Patient/2", "Patient/3"], at=NOON)
    store.look_again(["Patient/3"], at=NOON + timedelta(minutes=1))
    store.look_again([], at=NOON)
    assert store.wake_due(NOON - timedelta(seconds=1), reason="again") == 0
    assert tuple(store.queued()) == ("Patient/2",)
    assert store.wake_due(NOON, reason="again") == 2
    assert tuple(store.queued()) == ("Patient/2", "Patient/1")
    store.done(before)
    assert store.queue_length() == 2, "who is woken needs a look after the one that was under way"
    assert store.wake_due(NOON, reason="again") == 0
    assert store.wake_due(NOON + timedelta(hours=1), reason="again") == 1
    assert tuple(store.queued(reason="again")) == ("Patient/1", "Patient/3")


def test_a_patient_is_queued_for_the_reason_that_came_first(store: SqlStateStore) -> None:
    store.enqueue(["Patient/1", "Patient/2"], reason="poll")
    store.enqueue(["Patient/2", "Patient/3"], reason="asked")
    assert set(store.queued(reason="asked")) == {"Patient/3"}
    assert set(store.queued(["Patient/1", "Patient/3"], reason="poll")) == {"Patient/1"}
    assert (store.queue_length(), store.queue_length("poll"), store.queue_length("x")) == (3, 2, 0)


def test_a_row_of_an_earlier_release_is_handed_out_and_taken_off(store: SqlStateStore) -> None:
    with store._writing() as connection:
        connection.execute(
            text("INSERT INTO her2_queue (patient, reason, wakes) VALUES ('Patient/1', 'poll', 1)")
        )
    handed_out = store.queued()
    assert handed_out == {"Patient/1": 1}
    store.done(handed_out)
    assert store.queue_length() == 0


@pytest.mark.parametrize("many", [501, 1200])
def test_lists_longer_than_one_statement_takes_are_whole(store: SqlStateStore, many: int) -> None:
    patients = [f"Patient/{number}" for number in range(many)]
    assert store.enqueue(patients, reason="sweep") == many
    assert store.enqueue(patients, reason="sweep") == 0
    store.remember_patients(patients)
    assert store.known_patients([*patients, "Patient/x"]) == frozenset(patients)
    for patient in patients[:2]:
        store.note_absent(patient, NOON)
    store.note_present(patients)
    assert store.note_absent(patients[0], LATER) == LATER
    assert tuple(store.queued()) == tuple(patients)
    store.done(store.queued(among=patients))
    assert store.queue_length() == 0


def test_only_remembered_patients_are_known(store: SqlStateStore) -> None:
    store.remember_patients(["Patient/1", "Patient/2"])
    store.remember_patients(["Patient/2"])
    store.remember_patients([])
    assert store.known_patients(["Patient/2", "Patient/3"]) == {"Patient/2"}
    assert store.known_patients([]) == frozenset()


def test_a_frozen_bundle_comes_back_byte_for_byte(store: SqlStateStore) -> None:
    bundle = a_bundle(body=b'{"ratio":2.00,"note":"\xc3\xa9"}')
    store.freeze(bundle)
    assert store.outbox() == (bundle,)


def test_the_first_bytes_of_a_bundle_win(store: SqlStateStore) -> None:
    store.freeze(a_bundle(body=b"first"))
    store.freeze(a_bundle(body=b"second"))
    assert [bundle.body for bundle in store.outbox()] == [b"first"]


def test_the_outbox_is_oldest_first_and_settled_bundles_leave(store: SqlStateStore) -> None:
    for key in ("b-2", "b-1", "b-3"):
        store.freeze(a_bundle(key))
    store.settle("b-1")
    store.settle("b-unknown")
    assert [bundle.key for bundle in store.outbox()] == ["b-2", "b-3"]


def test_a_parked_case_comes_back_whole(store: SqlStateStore) -> None:
    store.park(CASE)
    assert store.parked() == (CASE,)


def test_parking_again_counts_an_attempt_and_keeps_the_first_instant(store: SqlStateStore) -> None:
    store.park(CASE)
    store.park(replace(CASE, reason="refused-400", fingerprint="print-2", parked_at=LATER))
    expected = replace(CASE, reason="refused-400", fingerprint="print-2", attempts=2)
    assert store.parked() == (expected,)


def test_parked_cases_are_oldest_first_and_can_be_unparked(store: SqlStateStore) -> None:
    store.park(replace(CASE, key="late", parked_at=LATER))
    store.park(replace(CASE, key="early"))
    assert [case.key for case in store.parked()] == ["early", "late"]
    store.unpark(["early", "unknown"])
    store.unpark([])
    assert [case.key for case in store.parked()] == ["late"]


def test_the_first_absence_is_remembered_until_the_source_is_seen(store: SqlStateStore) -> None:
    assert store.note_absent("Observation/1", NOON) == NOON
    assert store.note_absent("Observation/1", LATER) == NOON
    store.note_present(["Observation/1", "Observation/2"])
    assert store.note_absent("Observation/1", LATER) == LATER


def test_an_absence_that_was_noted_by_a_clock_that_ran_ahead_begins_anew(
    store: SqlStateStore,
) -> None:
    assert store.note_absent("Observation/1", LATER) == LATER
    assert store.note_absent("Observation/1", NOON) == NOON
    assert store.note_absent("Observation/1", LATER) == NOON


def look(
    store: StateStore,
    *entries: WorklistEntry,
    subjects: tuple[str, ...] = ("Patient/1",),
    references: tuple[str, ...] = (),
    at: datetime = NOON,
) -> None:
    store.replace_worklist(subjects=subjects, references=references, entries=entries, at=at)


def test_an_entry_of_the_worklist_comes_back_whole(store: SqlStateStore) -> None:
    look(store, PARTNER, ENTRY)
    assert store.worklist() == (ListedEntry(PARTNER, NOON, NOON), ListedEntry(ENTRY, NOON, NOON))


def test_an_entry_that_still_stands_keeps_when_it_was_first_seen(store: SqlStateStore) -> None:
    look(store, ENTRY)
    changed = replace(ENTRY, reason="text-not-understood")
    look(store, changed, at=LATER)
    assert store.worklist() == (ListedEntry(changed, NOON, LATER),)


@pytest.mark.parametrize(
    "looked_at",
    [{"subjects": ("Patient/1",)}, {"subjects": (), "references": ("Observation/1",)}],
    ids=["its patient", "the resource itself"],
)
def test_what_no_longer_stands_goes_and_what_was_not_looked_at_stays(
    store: SqlStateStore, looked_at: dict[str, tuple[str, ...]]
) -> None:
    look(store, ENTRY, OTHERS)
    look(store, at=LATER, **looked_at)
    assert store.worklist() == (ListedEntry(OTHERS, NOON, NOON),)


def test_a_result_that_moved_to_another_patient_is_listed_once(store: SqlStateStore) -> None:
    look(store, ENTRY)
    moved = replace(ENTRY, subject="Patient/2")
    look(store, moved, subjects=("Patient/2",), at=LATER)
    assert store.worklist() == (ListedEntry(moved, NOON, LATER),)


def test_entries_without_a_patient_do_not_replace_each_other(store: SqlStateStore) -> None:
    nobodys = [replace(ENTRY, subject="", reference=f"Observation/{n}") for n in (1, 2)]
    look(store, nobodys[0], subjects=("",))
    look(store, nobodys[1], subjects=("",))
    assert [one.entry for one in store.worklist()] == nobodys


def test_of_two_entries_about_one_thing_the_last_counts(store: SqlStateStore) -> None:
    look(store, replace(ENTRY, reason="no-value"), ENTRY)
    assert [one.entry for one in store.worklist()] == [ENTRY]


def test_the_worklist_shows_first_what_is_listed_longest(store: SqlStateStore) -> None:
    look(store, OTHERS, subjects=("Patient/2",))
    look(store, ENTRY, at=LATER)
    assert [one.entry for one in store.worklist()] == [OTHERS, ENTRY]


def test_what_a_sweep_did_not_see_is_pruned(store: SqlStateStore) -> None:
    look(store, ENTRY)
    look(store, OTHERS, subjects=(), at=LATER)
    store.prune_worklist(LATER)
    assert [one.entry for one in store.worklist()] == [OTHERS]


def test_what_could_not_be_looked_at_is_not_pruned(store: SqlStateStore) -> None:
    look(store, ENTRY, OTHERS, subjects=())
    store.prune_worklist(LATER, keep=[ENTRY.subject])
    assert [one.entry for one in store.worklist()] == [ENTRY]


def test_a_worklist_longer_than_one_statement_takes_is_replaced_whole(store: SqlStateStore) -> None:
    many = [
        replace(ENTRY, subject=f"Patient/{n}", reference=f"Observation/{n}") for n in range(1200)
    ]
    subjects = tuple(one.subject for one in many)
    look(store, *many, subjects=subjects)
    look(store, *many[:1], subjects=subjects, at=LATER)
    assert store.worklist() == (ListedEntry(many[0], NOON, LATER),)


def test_hostile_text_in_the_worklist_is_kept_harmless(store: SqlStateStore) -> None:
    """NUL is refused by PostgreSQL, a lone surrogate by both: neither may stop a pass."""
    pattern = "A\0\ud800'; DROP TABLE her2_queue; --" + "x" * 10_000
    hostile = replace(ENTRY, reference="Observation/\0\ud800", pattern=pattern)
    look(store, hostile)
    look(store, hostile, at=LATER)
    (found,) = store.worklist()
    assert found.entry.pattern == pattern.replace("\0", "\ufffd").replace("\ud800", "?")
    assert (found.first_seen, found.last_seen) == (NOON, LATER)
    assert store.queue_length() == 0


def test_passes_come_newest_first_and_whole(store: SqlStateStore) -> None:
    store.record_pass(PASS)
    store.record_pass(replace(PASS, kind="sweep"))
    assert store.passes() == (replace(PASS, kind="sweep"), PASS)
    assert store.passes(limit=1) == (replace(PASS, kind="sweep"),)


def test_the_audit_keeps_a_bounded_number_of_passes(
    store: SqlStateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "KEPT_PASSES", 3)
    for number in range(5):
        store.record_pass(replace(PASS, counts={"number": number}))
    assert [record.counts["number"] for record in store.passes()] == [4, 3, 2]


def test_the_latest_pass_of_some_kinds_is_found_behind_any_number_of_others(
    store: SqlStateStore,
) -> None:
    wanted = ({"sweep", "walk"}, {"done", "observed"})
    assert store.latest_pass(*wanted) is None
    for number, (kind, outcome) in enumerate(
        [("sweep", "done"), ("walk", "observed"), ("walk", "failed"), *[("patients", "done")] * 30]
    ):
        store.record_pass(replace(PASS, kind=kind, outcome=outcome, counts={"number": number}))
    found = store.latest_pass(*wanted)
    assert found is not None
    assert found.counts["number"] == 1
    assert store.latest_pass({"withdrawal"}, {"done"}) is None


@pytest.mark.parametrize("at_once", [1, 2, 3, 1000])
def test_the_passes_of_a_period_come_oldest_first_each_once(
    store: SqlStateStore, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(ledger, "READ_AT_ONCE", at_once)
    assert list(store.passes_since()) == []
    hours = [NOON + timedelta(hours=number) for number in range(6)]
    for number, ended in enumerate(hours):
        store.record_pass(replace(PASS, ended_at=ended, counts={"number": number}))
    for since, expected in ((None, 0), (hours[2], 2), (hours[2] + timedelta(seconds=1), 3)):
        found = [one.counts["number"] for one in store.passes_since(since)]
        assert found == list(range(expected, 6))
    assert list(store.passes_since(hours[-1] + timedelta(days=1))) == []


def test_a_period_can_be_read_while_passes_are_recorded(
    store: SqlStateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "READ_AT_ONCE", 1)
    store.record_pass(PASS)
    period = store.passes_since()
    assert next(period) == PASS
    store.record_pass(replace(PASS, kind="sweep"))
    assert list(period) == [replace(PASS, kind="sweep")]


def test_a_fact_can_be_set_changed_and_forgotten(store: SqlStateStore) -> None:
    assert store.setting("brake") is None
    store.set_setting("brake", "engaged")
    store.set_setting("brake", "released")
    assert store.setting("brake") == "released"
    store.set_setting("brake", None)
    store.set_setting("brake", None)
    assert store.setting("brake") is None


def test_a_running_lease_is_refused_to_another_holder(store: SqlStateStore) -> None:
    first = store.acquire_lease("one", now=NOON, seconds=60)
    assert first is not None
    assert store.acquire_lease("two", now=NOON + timedelta(seconds=59), seconds=60) is None
    store.check_lease("one", first, now=NOON + timedelta(seconds=59))


def test_a_lease_that_was_taken_by_a_clock_that_ran_ahead_holds_no_more(
    store: SqlStateStore,
) -> None:
    ahead = store.acquire_lease("one", now=NOON + timedelta(days=1), seconds=60)
    taken = store.acquire_lease("two", now=NOON, seconds=60)
    assert ahead is not None
    assert taken == ahead + 1
    with pytest.raises(LeaseLost):
        store.check_lease("one", ahead, now=NOON)


def test_a_lease_of_another_length_is_respected(store: SqlStateStore) -> None:
    store.acquire_lease("one", now=NOON + timedelta(seconds=30), seconds=300)
    assert store.acquire_lease("two", now=NOON, seconds=60) is None


def test_renewing_a_running_lease_keeps_its_number_and_moves_its_end(store: SqlStateStore) -> None:
    first = store.acquire_lease("one", now=NOON, seconds=60)
    half = NOON + timedelta(seconds=30)
    assert first is not None
    assert store.acquire_lease("one", now=half, seconds=60) == first
    store.check_lease("one", first, now=NOON + timedelta(seconds=89))


@pytest.mark.parametrize("taker", ["one", "two"])
def test_a_lease_that_ran_out_is_taken_with_a_larger_number(
    store: SqlStateStore, taker: str
) -> None:
    first = store.acquire_lease("one", now=NOON, seconds=60)
    over = NOON + timedelta(seconds=60)
    assert first is not None
    with pytest.raises(LeaseLost, match="ran out"):
        store.check_lease("one", first, now=over)
    second = store.acquire_lease(taker, now=over, seconds=60)
    assert second is not None
    assert second > first
    with pytest.raises(LeaseLost):
        store.check_lease("one", first, now=over)
    store.check_lease(taker, second, now=over)


def test_the_fencing_number_grows_across_release_and_reopening(
    store: SqlStateStore, store_url: str
) -> None:
    first = store.acquire_lease("one", now=NOON, seconds=60)
    store.release_lease("two")
    assert store.acquire_lease("two", now=NOON, seconds=60) is None
    store.release_lease("one")
    with open_store(store_url) as reopened:
        second = reopened.acquire_lease("two", now=NOON, seconds=60)
        assert first is not None
        assert second is not None
        assert second > first
        with pytest.raises(LeaseLost, match="two holds it"):
            reopened.check_lease("one", first, now=NOON)


def test_nobody_holds_the_lease_of_a_fresh_store(store: SqlStateStore) -> None:
    with pytest.raises(LeaseLost, match="nobody holds it"):
        store.check_lease("one", 0, now=NOON)
