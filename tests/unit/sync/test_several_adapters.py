"""Two adapters on one server do no harm, whether they agree or are of different namespaces or policies.

Protects identity, ownership, and the case that source and target are two servers.
"""

from __future__ import annotations

import json

import pytest

from adapter.fhir.identity import category_of
from adapter.her2.policy import BASIC
from adapter.sync.cycle import SyncOptions
from adapter.sync.options import SendLimits
from tests.fakes.crash import CrashPoints, Killed
from tests.fakes.server import FakeFhirServer
from tests.fakes.site import Site


def test_two_adapters_started_together_leave_one_result_each() -> None:
    one = Site(options=SyncOptions(send=SendLimits(batch_cases=3)))
    other = Site(server=one.server)
    for number in range(20):
        one.laboratory.ihc(f"p{number}", "2+")
    other_runs = iter(range(100))

    def interleave() -> None:
        one.server.before_transaction = lambda: None
        if next(other_runs) < 1:
            other.run()

    one.server.before_transaction = interleave
    one.run()
    one.settle()
    other.settle()
    assert len(one.derived()) == 20
    assert [site.run().writes for site in (one, other)] == [0, 0]


def test_two_adapters_interleaved_over_amendments_end_with_the_newest_answer() -> None:
    one = Site()
    other = Site(server=one.server)
    source = one.laboratory.ihc("anna", "1+")
    one.settle()
    other.settle()
    one.laboratory.amend(source, "2+")

    def newer_answer_first() -> None:
        one.server.before_transaction = lambda: None
        one.laboratory.amend(source, "3+")
        other.run()

    one.server.before_transaction = newer_answer_first
    one.run()
    assert category_of(one.only()) == "positive"
    one.settle()
    assert category_of(one.only()) == "positive"
    one.assert_sound()


def test_what_another_adapter_finished_in_part_is_never_left_without_a_provenance() -> None:
    """Killed at any step while it finishes a bundle of which one case is written by another adapter meanwhile."""

    def left_under_way() -> Site:
        site = Site(options=SyncOptions(send=SendLimits(batch_cases=3)))
        for patient in ("anna", "berta", "clara"):
            site.laboratory.ihc(patient, "1+")

        def die() -> None:
            raise Killed("with a bundle of three frozen and not sent")

        site.server.before_transaction = die
        with pytest.raises(Killed):
            site.run()
        site.server.before_transaction = lambda: None
        site.restart()
        assert len(site.store.outbox()) == 1
        Site(server=site.server).run(patients=("Patient/berta",))
        assert len(site.derived()) == 1
        return site

    clean, counting = left_under_way(), CrashPoints()
    clean.run_with(counting)
    assert len(clean.derived()) == 3
    halves = {}
    for step in range(1, counting.steps + 1):
        site = left_under_way()
        site.die_at(step)
        bare = [one["id"] for one in site.derived() if not site.provenances(one)]
        halves |= {step: bare} if bare else {}
        site.settle()
        site.assert_sound()
    assert halves == {}


def test_two_namespaces_keep_to_their_own_results() -> None:
    production = Site()
    demo = Site(server=production.server, namespace="demo")
    source = production.laboratory.ihc("anna", "1+")
    production.settle()
    demo.settle()
    assert len(production.derived()) == 2
    assert [site.run(full_sweep=True).writes for site in (production, demo)] == [0, 0]
    production.laboratory.take_back(source)
    demo.settle()
    assert sorted(one["status"] for one in production.derived()) == ["entered-in-error", "final"]


def test_two_policies_keep_to_their_own_results() -> None:
    full = Site()
    basic = Site(server=full.server, policy=BASIC)
    full.laboratory.ihc("anna", "1+")
    full.settle()
    basic.settle()
    assert len(full.derived()) == 2
    assert [site.run(full_sweep=True).writes for site in (full, basic)] == [0, 0]


@pytest.fixture
def two_servers() -> Site:
    """Results are read on one server and written to another."""
    site = Site()
    site.target = FakeFhirServer(site.clock, base_url="https://side.test/fhir")
    site.restart()
    return site


def test_on_another_target_everything_of_the_source_is_named_absolutely(two_servers: Site) -> None:
    site = two_servers
    source = site.laboratory.ihc("anna", "1+")
    site.settle()
    assert site.server.writes == 0
    derived = site.only()
    base = "https://ehr.test/fhir"
    assert derived["subject"] == {"reference": f"{base}/Patient/anna"}
    assert derived["specimen"] == {"reference": f"{base}/Specimen/s-anna-a"}
    assert derived["derivedFrom"] == [{"reference": f"{base}/{source}"}]
    assert derived["device"] == {"reference": "Device/her2-adapter-0.1.0"}
    (provenance,) = site.provenances(derived)
    assert provenance["entity"][0]["what"] == {"reference": f"{base}/{source}/_history/1"}
    assert provenance["agent"][0]["who"] == {"reference": "Device/her2-adapter-0.1.0"}


def test_on_another_target_amendment_and_withdrawal_reach_the_result(two_servers: Site) -> None:
    site = two_servers
    source = site.laboratory.ihc("anna", "1+")
    site.settle()
    site.laboratory.amend(source, "3+")
    site.settle()
    assert category_of(site.only()) == "positive"
    site.laboratory.take_back(source)
    site.settle()
    assert site.only()["status"] == "entered-in-error"
    site.assert_sound()


def test_on_another_target_a_foreign_edit_and_a_deletion_are_noticed(two_servers: Site) -> None:
    site = two_servers
    source = site.laboratory.ihc("anna", "1+")
    site.settle()
    site.target.change(f"Observation/{site.only()['id']}", note=[{"text": "edited"}])
    assert site.run().signals["foreign-edit"] == 1
    site.server.delete(source)
    site.run(full_sweep=True)
    site.clock.advance(600)
    site.settle()
    assert site.only()["status"] == "entered-in-error"


def test_on_another_target_a_lost_state_is_rebuilt_without_a_write(two_servers: Site) -> None:
    site = two_servers
    site.laboratory.ihc("anna", "1+")
    site.settle()
    before = site.target.writes
    site.store.__init__()  # type: ignore[misc]  # the database file is gone
    site.restart()
    site.settle()
    assert site.target.writes == before


def test_no_bundle_writes_the_same_resource_twice() -> None:
    site = Site()
    for number in range(30):
        site.laboratory.ihc(f"p{number}", "1+")
    site.settle()
    for body in site.server.bundles:
        urls = [entry["request"]["url"] for entry in json.loads(body)["entry"]]
        assert len(urls) == len(set(urls))
