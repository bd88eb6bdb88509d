"""What could not be read is listed for a person, and nothing of a patient with it.

Protects the unmapped worklist: what is on it, its grouping, and its privacy.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from adapter.ports import ListedEntry, WorklistEntry, WorklistKind
from adapter.sync.cycle import SyncOptions
from adapter.sync.worklist import grouped, known_words, shape_of
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
        ("HER2: whatnot strongly in 30 %", "her9: … strongly in 99 %"),
        ("2+\nJos\u00e9", "9+ …"),
        ("", ""),
    ],
    ids=["known-words", "a-name-and-a-date", "mixed", "lines-and-accents", "empty"],
)
def test_only_words_of_the_vocabulary_are_shown(text: str, shape: str) -> None:
    assert shape_of(text, known_words(catalogue())) == shape
