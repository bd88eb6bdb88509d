"""A server put back to a backup is noticed at the next pass, and everything is read again.

Protects row A17 of the failure modes: versions and times go backwards, ids and version numbers are
used again, and no window of time shows what was lost.
"""

from __future__ import annotations

import random

import pytest

from adapter.errors import (
    NotAuthorised,
    PermanentServerError,
    ServerError,
    TemporaryServerError,
)
from adapter.fhir.identity import is_own
from adapter.ports import JsonObject
from adapter.sync.cycle import PassKind, PassOutcome, SyncOptions
from adapter.sync.options import BrakeLimits
from adapter.sync.reading.landmarks import remembered
from tests.fakes.server import FakeFhirServer
from tests.fakes.site import Site

SCORES = ("0", "1+", "2+", "3+")


def answers(site: Site) -> dict[str, str | None]:
    """What a site without memory says of what the server holds now."""
    other = Site(server=FakeFhirServer(site.clock))
    for reference, history in site.server.snapshot().items():
        present = history[-1]
        is_ours = reference.startswith(("Provenance", "Device")) or (present and is_own(present))
        if present and not is_ours:
            other.server.put(present)
    other.settle()
    return other.categories()


def writing_to_another_server() -> Site:
    site = Site()
    site.target = FakeFhirServer(site.clock, base_url="https://results.test/fhir")
    site.restart()
    return site


def amended_since_its_backup(site: Site) -> dict[str, list[JsonObject | None]]:
    """Let the source of a site say 3+ of Anna; gives its backup, in which it said 1+."""
    source = site.laboratory.ihc("anna", "1+")
    site.settle()
    backup = site.server.snapshot()
    site.clock.advance(hours=2)
    site.laboratory.amend(source, "3+")
    site.settle()
    return backup


def test_a_score_that_went_back_with_the_server_is_read_again() -> None:
    site = Site()
    backup = amended_since_its_backup(site)
    site.clock.advance(hours=2)
    site.run()
    site.server.restore(backup)
    report = site.run()
    assert report.kind is PassKind.SWEEP
    assert any("is gone or older than it was" in words for words in report.warnings)
    assert site.categories() == {"anna": "low"}
    assert site.settle().kind is PassKind.INCREMENTAL


def test_a_derived_result_that_the_restore_lost_is_written_again() -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    backup = site.server.snapshot()
    site.settle()
    site.clock.advance(hours=2)
    site.run()
    site.server.restore(backup)
    site.run()
    assert site.categories() == {"anna": "low"}
    site.assert_sound()


def test_a_deleted_newest_result_costs_one_sweep_and_no_more() -> None:
    site = writing_to_another_server()
    site.laboratory.ihc("anna", "1+")
    site.settle()
    site.clock.advance(60)
    site.laboratory.ihc("berta", "3+")
    site.settle()
    site.server.delete("Observation/ihc-berta-a")
    kinds = [site.run().kind for _ in range(3)]
    assert kinds.count(PassKind.SWEEP) == 1


def test_a_restored_source_is_noticed_where_results_stand_on_another_server() -> None:
    site = writing_to_another_server()
    backup = amended_since_its_backup(site)
    site.server.restore(backup)
    site.clock.advance(hours=2)
    site.run()
    assert set(site.categories().values()) == {"low"}


def test_a_restore_is_not_forgotten_with_the_pass_that_fails_on_it() -> None:
    site = writing_to_another_server()
    backup = amended_since_its_backup(site)
    site.clock.advance(hours=2)
    site.laboratory.ihc("berta", "3+")
    site.settle()
    site.clock.advance(hours=2)
    site.server.restore(backup)
    site.server.break_off = lambda *_: TemporaryServerError("not up yet", status=503)
    with pytest.raises(TemporaryServerError):
        site.run()
    site.server.break_off = lambda *_: None
    assert site.run().kind is PassKind.SWEEP
    assert "low" in site.categories().values()
    assert site.run().kind is PassKind.INCREMENTAL


def test_a_restore_to_before_the_first_pass_is_braked_until_somebody_asks_for_it() -> None:
    site = Site(options=SyncOptions(brakes=BrakeLimits(first_pass=1)))
    for patient in ("anna", "berta"):
        site.laboratory.ihc(patient, "1+")
    backup = site.server.snapshot()
    site.run(backfill=True)
    site.settle()
    site.clock.advance(hours=2)
    site.server.restore(backup)
    assert [site.run().outcome for _ in range(3)] == [PassOutcome.BRAKED] * 3
    site.run(backfill=True)
    assert site.categories() == {"anna": "low", "berta": "low"}


@pytest.mark.parametrize("status", [400, 403, 406, 423, 451, 500, 501])
def test_a_newest_result_that_may_not_be_read_is_no_reason_to_read_nothing(status: int) -> None:
    site = Site()
    source = site.laboratory.ihc("anna", "1+")
    site.settle()
    (newest,) = {one.reference for one in remembered(site.store).values()}
    site.server.unreadable[newest] = refusal(status)
    site.laboratory.amend(source, "3+")
    report = site.run()
    assert report.kind is PassKind.INCREMENTAL
    assert any(f"{newest} cannot be read" in words for words in report.warnings)
    assert site.categories() == {"anna": "positive"}


def test_where_one_landmark_cannot_be_read_the_other_still_tells_of_a_restore() -> None:
    site = writing_to_another_server()
    source = site.laboratory.ihc("anna", "1+")
    backup = site.target.snapshot()
    site.settle()
    site.clock.advance(hours=2)
    site.run()
    site.target.restore(backup)
    site.server.unreadable[source] = refusal(403)
    assert site.run().kind is PassKind.SWEEP


@pytest.mark.parametrize("status", [401, 429, 503])
def test_a_server_that_answers_nobody_fails_the_pass(status: int) -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    site.settle()
    (newest,) = {one.reference for one in remembered(site.store).values()}
    site.server.unreadable[newest] = refusal(status)
    with pytest.raises(ServerError):
        site.run()


def refusal(status: int) -> ServerError:
    if status in (401, 403):
        return NotAuthorised("not for you", status=status)
    if status == 429 or status >= 500:
        return TemporaryServerError("an error of the server", status=status)
    return PermanentServerError("refused", status=status)


def test_a_dry_run_says_it_and_remembers_nothing() -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    site.settle()
    backup = site.server.snapshot()
    site.clock.advance(hours=2)
    site.laboratory.ihc("berta", "3+")
    site.settle()
    site.server.restore(backup)
    for _ in range(2):
        report = site.run(dry_run=True)
        assert report.kind is PassKind.SWEEP
        assert any("is gone or older" in words for words in report.warnings)


@pytest.mark.parametrize("seed", range(25))
def test_after_any_restore_one_sweep_makes_what_stands_right(seed: int) -> None:
    chance, site = random.Random(seed), Site()
    for number in range(12):
        site.laboratory.ihc(f"p{number}", chance.choice(SCORES))
    site.settle()
    backup = site.server.snapshot()
    for _ in range(chance.randint(1, 6)):
        site.clock.advance(chance.uniform(1, 7200))
        patient = f"p{chance.randrange(14)}"
        site.laboratory.ihc(patient, chance.choice(SCORES))
        if chance.random() < 0.6:
            site.settle()
    site.clock.advance(chance.uniform(1, 7200))
    site.run()
    site.server.restore(backup)
    if chance.random() < 0.5:
        site.laboratory.ihc(f"p{chance.randrange(12)}", chance.choice(SCORES))
    site.settle()
    assert site.categories() == answers(site)
