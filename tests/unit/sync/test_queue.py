"""Who is queued is looked at after that, whatever a pass is doing at that moment.

Protects that nobody who was asked for is forgotten: the pass takes off the queue only whom it was handed out
before it read anything of them. And that a queue comes to rest: nothing is looked at again and again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from adapter.errors import NotAuthorised, PermanentServerError
from adapter.ports import ListedPatients, SearchPage, SearchParams
from adapter.sync.cycle import PassKind, SyncOptions
from adapter.sync.inbox import ASKED, OBSERVED
from adapter.sync.options import DiscoverBy, ReadLimits
from adapter.sync.passed_on import PassedOn
from tests.fakes.crash import CrashPoints
from tests.fakes.site import Site


@dataclass
class Meanwhile(CrashPoints):
    """Something that another process does before one of the steps of a pass."""

    at: int | None
    does: Callable[[], None]
    steps: int = field(default=0, init=False)

    def step(self) -> None:
        self.steps += 1
        if self.steps == self.at:
            self.does()


class AnnaAlone:
    """A list of one patient."""

    def read(self) -> ListedPatients:
        return ListedPatients(("Patient/anna",))


def mid_life(discovery: DiscoverBy) -> Site:
    """One result stands, its source was amended since, and no server can tell so."""
    site = Site(options=SyncOptions(read=ReadLimits(discovery=discovery)))
    site.listed = AnnaAlone() if discovery is DiscoverBy.PATIENTS else None
    site.restart()
    site.laboratory.ihc("anna", "1+")
    site.run(patients=["anna"])
    site.settle()
    overwrite(site, "2+")
    site.store.enqueue(["Patient/anna"], reason="asked")
    site.clock.advance(hours=1)
    return site


def overwrite(site: Site, score: str) -> None:
    """Change the result under the version and the time that it had."""
    [versions] = [
        versions for name, versions in site.server.versions.items() if name.endswith("ihc-anna-a")
    ]
    assert versions[-1] is not None
    versions[-1] = {**versions[-1], "valueCodeableConcept": {"text": score}}


CASES = [
    pytest.param(DiscoverBy.CHANGES, {}, PassKind.INCREMENTAL, id="changes"),
    pytest.param(DiscoverBy.CHANGES, {"full_sweep": True}, PassKind.SWEEP, id="sweep"),
    pytest.param(DiscoverBy.CHANGES, {"patients": ["anna"]}, PassKind.PATIENTS, id="asked-for"),
    pytest.param(DiscoverBy.REQUESTS, {}, PassKind.INCREMENTAL, id="requests"),
    pytest.param(DiscoverBy.REQUESTS, {"patients": ["anna"]}, PassKind.PATIENTS, id="a-request"),
    pytest.param(DiscoverBy.PATIENTS, {}, PassKind.INCREMENTAL, id="listed"),
    pytest.param(DiscoverBy.PATIENTS, {"full_sweep": True}, PassKind.WALK, id="walk"),
    pytest.param(DiscoverBy.PATIENTS, {"patients": ["anna"]}, PassKind.PATIENTS, id="of-a-list"),
]


@pytest.mark.parametrize(("discovery", "asked", "kind"), CASES)
def test_who_is_queued_at_any_step_of_a_pass_is_looked_at_after_that(
    discovery: DiscoverBy, asked: dict[str, Any], kind: PassKind
) -> None:
    counting = CrashPoints()
    clean = mid_life(discovery)
    assert clean.run_with(counting, **asked).kind is kind
    clean.settle()
    assert clean.categories() == {"anna": "equivocal"}
    assert counting.steps > 5
    for step in range(1, counting.steps + 1):
        site = mid_life(discovery)

        def corrected(site: Site = site) -> None:
            overwrite(site, "3+")
            site.store.enqueue(["Patient/anna"], reason="asked")

        site.run_with(Meanwhile(step, corrected), **asked)
        site.restart()
        site.settle()
        assert site.categories() == {"anna": "positive"}, f"queued before step {step}"
        site.assert_sound()


@pytest.mark.parametrize(("discovery", "asked", "kind"), CASES)
def test_a_pass_killed_at_any_step_leaves_queued_whom_it_did_not_finish(
    discovery: DiscoverBy, asked: dict[str, Any], kind: PassKind
) -> None:
    counting = CrashPoints()
    assert mid_life(discovery).run_with(counting, **asked).kind is kind
    for step in range(1, counting.steps + 1):
        site = mid_life(discovery)
        site.die_at(step, **asked)
        site.settle()
        assert site.categories() == {"anna": "equivocal"}, f"killed at step {step}"
        site.assert_sound()


def test_who_was_not_queued_when_a_pass_over_them_began_is_not_taken_off() -> None:
    site = mid_life(DiscoverBy.REQUESTS)
    site.settle()
    overwrite(site, "3+")
    woken: list[int] = []

    def asked_again() -> None:
        if not woken:
            overwrite(site, "0")
            woken.append(site.store.enqueue(["Patient/anna"], reason="asked"))

    site.server.before_transaction = asked_again
    report = site.run(patients=["anna"])
    assert (woken, report.queue_left) == ([1], 1)
    site.settle()
    assert site.categories() == {"anna": "negative"}


def test_a_pass_that_finishes_whom_it_was_asked_for_leaves_nobody_queued() -> None:
    site = mid_life(DiscoverBy.REQUESTS)
    assert site.run(patients=["anna"]).queue_left == 0


class Refusing(PassedOn):
    """A server that refuses one patient, or with `everything` whatever is searched for."""

    def __init__(self, site: Site, status: int, *, everything: bool = False) -> None:
        super().__init__(site.server)
        self.status, self.everything = status, everything

    def search(self, resource_type: str, params: SearchParams) -> Iterator[SearchPage]:
        if self.everything or "Patient/locked" in str(params):
            kind = NotAuthorised if self.status in (401, 403) else PermanentServerError
            raise kind(f"{self.status}: not that one", status=self.status)
        return super().search(resource_type, params)


def refusing(site: Site, status: int, *, everything: bool = False) -> None:
    server = Refusing(site, status, everything=everything)
    parts = replace(site.parts, source=server, target=server)
    site.cycle = type(site.cycle)(parts, site.options)


DISCOVERIES = list(DiscoverBy)
REFUSALS = [400, 403, 404, 410, 422]


@pytest.mark.parametrize("status", REFUSALS)
@pytest.mark.parametrize("discovery", DISCOVERIES)
def test_one_patient_who_is_refused_stops_no_pass_and_stays_queued(
    discovery: DiscoverBy, status: int
) -> None:
    site = mid_life(discovery)
    refusing(site, status)
    site.store.enqueue(["Patient/locked"], reason=ASKED)
    report = site.run()
    assert site.categories() == {"anna": "equivocal"}
    assert any("Patient/locked" in one and str(status) in one for one in report.warnings)
    for _ in range(2):
        report = site.run()
        assert (report.unfinished, report.queue_left) == ({"Patient/locked"}, 1)


@pytest.mark.parametrize("status", REFUSALS)
@pytest.mark.parametrize("discovery", DISCOVERIES)
def test_who_asks_for_one_that_is_refused_is_told_so(discovery: DiscoverBy, status: int) -> None:
    site = mid_life(discovery)
    refusing(site, status)
    report = site.run(patients=["locked"])
    assert report.unfinished == {"Patient/locked"}
    assert tuple(site.store.queued()) == ("Patient/anna", "Patient/locked")


@pytest.mark.parametrize("discovery", DISCOVERIES)
def test_a_pass_over_some_has_failed_where_the_account_may_search_nothing(
    discovery: DiscoverBy,
) -> None:
    site = mid_life(discovery)
    site.settle()
    searches = site.cycle.searches
    refusing(site, 403, everything=True)
    site.cycle.searches.proved = site.cycle.searches.own_proved = True
    site.cycle.searches.forms = searches.forms
    with pytest.raises(NotAuthorised):
        site.run(patients=["anna"])


def test_a_token_that_ended_is_no_protected_record() -> None:
    site = mid_life(DiscoverBy.REQUESTS)
    site.settle()
    refusing(site, 401)
    with pytest.raises(NotAuthorised):
        site.run(patients=["locked"])


@pytest.mark.parametrize("discovery", DISCOVERIES)
def test_to_observe_takes_off_nobody_who_waits_for_a_write(discovery: DiscoverBy) -> None:
    site = mid_life(discovery)
    site.options = replace(site.options, observe=True)
    site.restart()
    site.laboratory.ihc("berta", "3+")
    site.store.enqueue(["Patient/berta"], reason=OBSERVED)
    site.store.enqueue(["Patient/anna"], reason=OBSERVED)
    site.run()
    assert tuple(site.store.queued()) == ("Patient/anna",)
    assert site.categories() == {"anna": "low"}
    site.options = replace(site.options, observe=False)
    site.restart()
    site.settle()
    assert site.categories()["anna"] == "equivocal"


def test_who_is_asked_for_to_observe_is_looked_at_once() -> None:
    site = mid_life(DiscoverBy.REQUESTS)
    site.settle()
    site.options = replace(site.options, observe=True)
    site.restart()
    site.store.enqueue(["Patient/anna"], reason=OBSERVED)
    assert [site.run().patients for _ in range(3)] == [1, 0, 0]
    site.store.enqueue(["Patient/anna"], reason=OBSERVED)
    assert site.run(patients=["anna"]).queue_left == 0
    site.store.enqueue(["Patient/anna"], reason=OBSERVED)
    assert site.run(dry_run=True).queue_left == 1


def test_who_is_taken_off_by_hand_while_a_pass_asks_for_them_is_not_queued_again() -> None:
    site = mid_life(DiscoverBy.REQUESTS)
    site.store.enqueue(["Patient/locked"], reason=ASKED)
    refusing(site, 404)
    site.server.before_transaction = lambda: site.store.done(site.store.queued(["Patient/locked"]))
    report = site.run()
    assert report.unfinished == {"Patient/locked"}
    assert "Patient/locked" not in site.store.queued()
