"""Whoever is asked for is looked at once more when the overlap has passed, where nobody can ask what changed.

Protects that a result is not missed for good because somebody asked for its patient sooner than the server's index
showed it: an engine that stores a result and asks at once is the usual case, and servers' indexes may be late.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapter.ports import ListedPatients
from adapter.sync.cycle import PassKind, SyncOptions
from adapter.sync.inbox import ASKED
from adapter.sync.options import DiscoverBy, ReadLimits
from tests.fakes.crash import CrashPoints, Killed
from tests.fakes.site import Site

OVERLAP = 600.0
ANNA = "Patient/anna"
BY_LIST_AND_BY_REQUESTS = pytest.mark.parametrize(
    "discovery", [DiscoverBy.PATIENTS, DiscoverBy.REQUESTS]
)


class SomebodyElse:
    """A list on which the patient of these tests is not."""

    def read(self) -> ListedPatients:
        return ListedPatients(("Patient/berta",))


def site_of(discovery: DiscoverBy = DiscoverBy.REQUESTS, **options: bool) -> Site:
    """A site whose server's index does not show a new result yet."""
    read = ReadLimits(discovery=discovery, overlap_seconds=OVERLAP)
    site = Site(options=SyncOptions(read=read, **options))  # type: ignore[arg-type]
    site.listed = SomebodyElse() if discovery is DiscoverBy.PATIENTS else None
    site.restart()
    site.run()
    site.server.hidden.add(site.laboratory.ihc("anna", "3+"))
    return site


def asked_by_http(site: Site) -> None:
    site.store.enqueue([ANNA], reason=ASKED)
    assert site.run(patients=["anna"]).unfinished == frozenset()


def asked_where_another_writes(site: Site) -> None:
    """The queue is the shared one; the next whole pass of the other one looks."""
    site.store.enqueue([ANNA], reason=ASKED)
    assert site.run().kind is PassKind.INCREMENTAL


def asked_by_command(site: Site) -> None:
    site.run(patients=["anna"])


@BY_LIST_AND_BY_REQUESTS
@pytest.mark.parametrize(
    "ask",
    [asked_by_http, asked_where_another_writes, asked_by_command],
    ids=lambda ask: ask.__name__,
)
def test_who_was_asked_for_before_the_index_showed_the_result_is_decided_after_the_overlap(
    discovery: DiscoverBy, ask: object
) -> None:
    site = site_of(discovery)
    assert callable(ask)
    ask(site)
    assert (site.categories(), site.store.queue_length()) == ({}, 0)
    site.server.hidden.clear()
    site.restart()
    assert site.run().patients == 0, "not before the overlap has passed"
    site.clock.advance(OVERLAP)
    site.settle()
    assert site.categories() == {"anna": "positive"}


@BY_LIST_AND_BY_REQUESTS
def test_there_is_one_second_look_and_no_third(discovery: DiscoverBy) -> None:
    site = site_of(discovery)
    asked_by_http(site)
    looks = []
    for _ in range(5):
        site.clock.advance(OVERLAP)
        looks.append(site.run().patients)
    assert looks == [1, 0, 0, 0, 0]
    assert site.store.queue_length() == 0


def test_who_is_asked_for_again_meanwhile_is_looked_at_after_that() -> None:
    site = site_of()
    asked_by_http(site)
    site.clock.advance(OVERLAP - 120)
    asked_by_http(site)
    site.clock.advance(120)
    assert site.run().patients == 0
    site.clock.advance(OVERLAP)
    assert [site.run().patients, site.run().patients] == [1, 0]


def test_a_pass_that_dies_at_any_step_loses_no_second_look() -> None:
    step = 1
    while True:
        site = site_of()
        site.store.enqueue([ANNA], reason=ASKED)
        try:
            site.run_with(CrashPoints(at=step), patients=["anna"])
        except Killed:
            site.restart()
        else:
            break
        site.run()
        site.server.hidden.clear()
        site.clock.advance(OVERLAP)
        site.settle()
        assert site.categories() == {"anna": "positive"}, step
        step += 1
    assert step > 2


def test_who_only_looks_notes_no_second_look_and_leaves_those_that_are_due() -> None:
    site = site_of()
    asked_by_http(site)
    site.clock.advance(OVERLAP)
    site.server.hidden.clear()
    assert site.run(dry_run=True).patients == 0
    writes, site.options = site.options, replace(site.options, observe=True)
    site.restart()
    site.run(patients=["anna"])
    assert (site.run().patients, site.store.queue_length()) == (0, 0)
    site.options = writes
    site.restart()
    site.settle()
    assert site.categories() == {"anna": "positive"}


def test_where_the_server_says_what_changed_the_overlap_does_it() -> None:
    site = Site()
    site.run()
    site.server.hidden.add(site.laboratory.ihc("anna", "3+"))
    site.store.enqueue([ANNA], reason=ASKED)
    site.run(patients=["anna"])
    assert site.store.later == {}
    site.server.hidden.clear()
    site.settle()
    assert site.categories() == {"anna": "positive"}
