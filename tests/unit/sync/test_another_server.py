"""A state that goes with another server: what was frozen for one is never sent to the other, and everything is read.

Protects H1: references are relative to their server, so that "Patient/anna" of another one is another person.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapter.sync.cycle import PassKind, SyncOptions
from adapter.sync.withdraw import Selection, withdraw_ours
from tests.fakes.crash import CrashPoints, Killed
from tests.fakes.laboratory import Laboratory
from tests.fakes.server import FakeFhirServer
from tests.fakes.site import Site


def move(site: Site, server: FakeFhirServer) -> None:
    """Point the same state at another server."""
    site.server = site.target = server
    site.laboratory = Laboratory(server)
    site.restart()


def another(site: Site) -> FakeFhirServer:
    return FakeFhirServer(site.clock, base_url="https://new.test/fhir")


def killed_on_the_way() -> Site:
    """A process died right before its first result was carried out."""
    site, twin, counting = Site(), Site(), CrashPoints()
    found: list[int] = []
    twin.server.before_transaction = lambda: found.append(counting.steps + 1)
    for one in (twin, site):
        one.laboratory.ihc("anna", "3+")
    twin.run_with(counting)
    site.die_at(found[0])
    assert len(site.store.outbox()) == 1
    return site


def test_what_was_frozen_for_one_server_is_not_sent_to_another() -> None:
    site = killed_on_the_way()
    move(site, another(site))
    site.laboratory.ihc("berta", "1+")
    report = site.run()
    assert any("another server" in one for one in report.warnings)
    assert site.categories() == {"berta": "low"}
    assert site.store.outbox() == ()
    assert not any("another server" in one for one in site.settle().warnings)
    site.assert_sound()


def test_nor_by_a_process_that_is_killed_at_any_step_of_its_first_pass_there() -> None:
    clean, counting = killed_on_the_way(), CrashPoints()
    move(clean, another(clean))
    clean.laboratory.ihc("berta", "1+")
    clean.run_with(counting)
    for step in range(1, counting.steps + 1):
        site = killed_on_the_way()
        move(site, another(site))
        site.laboratory.ihc("berta", "1+")
        site.die_at(step)
        site.settle()
        assert site.categories() == {"berta": "low"}, f"killed at step {step}"


def test_a_withdrawal_on_another_server_is_not_finished_on_this_one() -> None:
    site = Site()
    home = site.server
    site.laboratory.ihc("anna", "3+")
    site.settle()
    move(site, another(site))
    site.laboratory.ihc("anna", "3+")
    site.settle()
    crash = site.server.crash = site.store.crash = CrashPoints()
    site.server.before_transaction = lambda: setattr(crash, "at", crash.steps + 1)
    with pytest.raises(Killed):
        withdraw_ours(site.parts, SyncOptions(), Selection(), preview=False)
    assert len(site.store.outbox()) == 1
    site.store.crash = CrashPoints()
    move(site, home)
    site.settle()
    assert len(home.history(f"Observation/{site.only()['id']}")) == 1
    assert site.store.outbox() == ()


def test_a_withdrawal_sends_nothing_of_another_server_and_leaves_none_of_it() -> None:
    site = killed_on_the_way()
    move(site, another(site))
    withdraw_ours(site.parts, SyncOptions(), Selection(), preview=False)
    assert (site.derived(), site.store.outbox()) == ([], ())


def test_another_server_or_namespace_is_read_whole_at_once() -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    site.settle()
    assert site.run().kind is PassKind.INCREMENTAL
    site.context = replace(site.context, namespace="trial")
    site.restart()
    assert [site.run().kind for _ in range(2)] == [PassKind.SWEEP, PassKind.INCREMENTAL]
    copy = another(site)
    copy.restore(site.server.snapshot())  # it holds the very same, also what was newest
    move(site, copy)
    assert [site.run().kind for _ in range(2)] == [PassKind.SWEEP, PassKind.INCREMENTAL]
