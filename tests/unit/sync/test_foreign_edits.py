"""Somebody who edits our results is answered a few times, then a person is asked; a result that changed is written.

Protects B6: never an endless fight, and never a stale category because of one.
"""

from __future__ import annotations

import pytest

from adapter.fhir.identity import category_of
from adapter.sync.writing.foreign_edits import EDITED_BY_OTHERS, EDITS, MOST_CORRECTIONS
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


@pytest.mark.parametrize("text", ["", "no JSON", "[]", '{"a": "b"}', '{"a": [1]}'])
def test_a_count_that_cannot_be_read_begins_anew(text: str) -> None:
    site = edited_site()
    site.store.set_setting(EDITS, text)
    assert fight(site, 1) == [2]
