"""S23: text made to break out of a statement is stored as text, on both databases."""

from __future__ import annotations

from dataclasses import replace

from adapter.ports import ParkedCase, WorklistEntry, WorklistKind
from adapter.store import SqlStateStore

from .conftest import NOON, a_bundle

HOSTILE = [
    "' OR '1'='1",
    "'; DROP TABLE queue; --",
    '"; DELETE FROM outbox; --',
    "1); DROP TABLE parked; --",
    "' UNION SELECT * FROM setting --",
    "'||(SELECT 1)||'",
    "\\'; ATTACH DATABASE 'x' AS y; --",
    "%' OR 1=1 --",
    ":name",
    "%(name)s",
    "%s",
    "?",
    "$1",
    "{0}",
    "${jndi:ldap://x}",
    "/* */ OR /* */ 1",
    "Robert'); DROP TABLE Patients;--",
    "'; SELECT pg_sleep(5); --",
    "'; COPY setting TO PROGRAM 'id'; --",
    "'\n;\nDROP TABLE audit;\n--",
    "\u02bc OR 1=1",
    "\uff07 OR 1=1",
]


def test_hostile_text_comes_back_as_it_went_in_and_changes_nothing_else(
    store: SqlStateStore,
) -> None:
    store.set_setting("kept", "as it was")
    store.freeze(a_bundle("kept"))
    for number, text in enumerate(HOSTILE):
        patient = f"Patient/{text}"
        store.enqueue([patient], reason=text)
        store.remember_patients([patient])
        store.set_setting(text, text)
        store.set_watermark(text, NOON)
        store.freeze(replace(a_bundle(text), patients=frozenset({patient})))
        store.park(ParkedCase(text, patient, text, text, NOON))
        store.note_absent(f"Observation/{text}", NOON)
        entry = WorklistEntry(
            WorklistKind.NOT_READ, patient, f"Observation/{number}", text, code=text
        )
        store.replace_worklist(subjects=[patient], references=[], entries=[entry], at=NOON)
    patients = {f"Patient/{text}" for text in HOSTILE}
    assert set(store.queued()) == patients
    assert store.known_patients(patients) == patients
    assert {case.key for case in store.parked()} == set(HOSTILE)
    assert {one.entry.code for one in store.worklist()} == set(HOSTILE)
    assert {bundle.key for bundle in store.outbox()} == {"kept", *HOSTILE}
    for text in HOSTILE:
        assert store.setting(text) == text
        assert store.watermark(text) == NOON
        store.done(store.queued(among=[f"Patient/{text}"]))
        store.settle(text)
        store.unpark([text])
        store.set_setting(text, None)
    assert tuple(store.queued()) == store.parked() == ()
    assert [bundle.key for bundle in store.outbox()] == ["kept"]
    assert store.setting("kept") == "as it was"
