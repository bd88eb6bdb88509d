"""Several adapters on one store: one writes at a time, the next takes over, a stopped one comes back to nothing (C5).

With the real store on both databases, one FHIR server and a clock that the test holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest

from adapter.errors import LeaseLost, TemporaryServerError
from adapter.store import SqlStateStore, open_store
from adapter.sync.cycle import Cycle, Interrupts, PassOptions, PassReport, SyncOptions
from adapter.sync.lease import WriterLease
from adapter.sync.loop import Loop, LoopOptions
from adapter.sync.options import SendLimits
from adapter.sync.writing.fenced import FencedServer
from tests.fakes.clock import FakeClock
from tests.fakes.habits import Habits
from tests.fakes.server import FakeFhirServer, Fault
from tests.fakes.site import Site

LEASE_SECONDS = 300


@dataclass
class Instance:
    """One process on the shared store; `writers` notes who wrote, in order."""

    name: str
    site: Site
    store: SqlStateStore
    writers: list[str]
    reports: list[PassReport] = field(default_factory=list)

    def round(self) -> Instance:
        """Run one round of its loop, as a process that lives on would."""
        server = FencedServer(self.site.server, lambda: self.writers.append(self.name))
        parts = replace(self.site.parts, store=self.store, target=server, actor=self.name)
        loop = Loop(
            parts,
            SyncOptions(send=SendLimits(batch_cases=3)),
            LoopOptions(lease_seconds=LEASE_SECONDS, holder=self.name),
            stopped=lambda: False,
            tell=self.reports.append,
        )
        loop._attempt(PassOptions())
        return self


@pytest.fixture
def stores(store_url: str) -> Iterator[list[SqlStateStore]]:
    opened = [open_store(store_url) for _ in range(3)]
    yield opened
    for store in opened:
        store.close()


@pytest.fixture
def three(stores: list[SqlStateStore]) -> list[Instance]:
    """Three adapters on one store and one server that holds twenty patients."""
    site = Site()
    for number in range(20):
        site.laboratory.ihc(f"p{number:02}", "1+")
    writers: list[str] = []
    return [
        Instance(name, site, store, writers)
        for name, store in zip(("one", "two", "three"), stores, strict=True)
    ]


def sound(instances: list[Instance], *, results: int = 20) -> None:
    site = instances[0].site
    assert len(site.derived()) == results
    site.assert_sound()


def test_only_one_of_three_writes(three: list[Instance]) -> None:
    for _ in range(3):
        for instance in three:
            instance.round()
    assert set(three[0].writers) == {"one"}
    assert [len(instance.reports) for instance in three] == [3, 0, 0]
    sound(three)


def test_the_second_takes_over_when_the_first_dies(three: list[Instance]) -> None:
    one, two, _ = three
    one.round()
    one.site.laboratory.ihc("late", "2+")
    one.site.clock.advance(LEASE_SECONDS - 1)
    two.round()
    assert two.reports == []
    one.site.clock.advance(2)
    two.round()
    assert [report.outcome for report in two.reports] == ["done"]
    assert set(two.writers) == {"one", "two"}
    sound(three, results=21)


@pytest.mark.parametrize("transaction", range(1, 8))
def test_a_holder_paused_in_any_transaction_for_two_leases_doubles_nothing(
    three: list[Instance], transaction: int
) -> None:
    """It is stopped while a request of its own is on the way, and wakes to find another holder."""
    one, two, other = three
    site, seen = one.site, 0

    def paused() -> None:
        nonlocal seen
        seen += 1
        if seen == transaction:
            site.server.before_transaction = lambda: None
            site.clock.advance(2 * LEASE_SECONDS)
            two.round()
            other.round()

    site.server.before_transaction = paused
    one.round()
    before_the_pause = 1 + transaction  # the Device is written first, alone
    assert one.writers[before_the_pause:] == ["two"] * (len(one.writers) - before_the_pause)
    assert other.reports == []
    two.round()
    assert two.reports[-1].outcome == "done"
    sound(three)
    before = site.server.writes
    for instance in three:
        instance.round()
    assert site.server.writes == before
    assert two.store.check_trail().is_sound


def test_a_holder_that_wakes_between_two_attempts_sends_nothing_more(
    three: list[Instance],
) -> None:
    one, two, _ = three
    site = one.site
    site.server.faults = [None, Fault(TemporaryServerError("503", status=503))]

    def paused(_seconds: float) -> None:
        site.clock.sleep = lambda _: None  # type: ignore[method-assign]
        site.clock.advance(2 * LEASE_SECONDS)
        two.round()

    site.clock.sleep = paused  # type: ignore[method-assign]
    one.round()
    assert one.writers[:2] == ["one", "one"]
    assert set(one.writers[2:]) == {"two"}
    sound(three)


def test_a_fence_lets_reads_through_and_no_write() -> None:
    def lost() -> None:
        raise LeaseLost("another adapter holds it")

    server = FakeFhirServer(FakeClock())
    fenced = FencedServer(server, lost)
    assert fenced.read("Patient/anna") is None
    assert fenced.base_url == server.base_url
    with pytest.raises(LeaseLost):
        fenced.transact(b"{}")
    assert server.writes == 0


@dataclass
class Command:
    """`sync` beside the instances, with a connection of its own; while it waits the service is at rest."""

    site: Site
    store: SqlStateStore
    service: Loop

    def run(self, wait_seconds: float) -> PassReport | None:
        """Run a pass under the lease; None where it was not let go."""
        parts = replace(self.site.parts, store=self.store, actor="command")
        lease = WriterLease(self.store, self.site.clock, "command")
        if not lease.borrow(wait_seconds, stopped=lambda: False):
            return None
        try:
            interrupts = Interrupts.of(lease, lambda: False)
            return Cycle(parts, self.site.options, interrupts=interrupts).run_pass()
        finally:
            lease.give_back()


@pytest.mark.parametrize(
    "habits",
    [Habits(), Habits(client_ids=False, conditional_update=False)],
    ids=["ids-of-ours", "server-chooses-ids"],
)
def test_a_command_beside_a_service_that_writes_leaves_its_bundles_alone_and_comes_after_it(
    stores: list[SqlStateStore], habits: Habits
) -> None:
    site = Site()
    site.server.habits = habits
    for number in range(20):
        site.laboratory.ihc(f"p{number:02}", "1+")
    parts = replace(site.parts, store=stores[0], actor="service")
    reports: list[PassReport] = []
    service = Loop(
        parts,
        SyncOptions(send=SendLimits(batch_cases=3)),
        LoopOptions(lease_seconds=LEASE_SECONDS, holder="service"),
        stopped=lambda: False,
        tell=reports.append,
    )
    command, tried = Command(site, stores[1], service), 0

    def in_the_middle() -> None:
        nonlocal tried
        under_way = stores[0].outbox()
        assert command.run(wait_seconds=2) is None
        assert stores[0].outbox() == under_way
        tried += 1

    site.server.before_transaction = in_the_middle
    service._attempt(PassOptions(backfill=True))
    assert tried >= 7
    site.server.before_transaction = lambda: None
    assert [one.outcome for one in reports] == ["done"]
    sleep = site.clock.sleep

    def at_rest(seconds: float) -> None:
        sleep(seconds)
        service.lease.rest()

    site.clock.sleep = at_rest  # type: ignore[method-assign]
    site.laboratory.ihc("late", "3+")
    done = command.run(wait_seconds=10)
    assert done is not None
    assert (done.outcome, done.actions["create"]) == ("done", 1)
    assert service.lease.rest() is True
    for _ in range(2):
        service._attempt(PassOptions())
    assert [one.writes for one in reports[1:]] == [0, 0]
    assert len(site.derived()) == 21
    site.assert_sound()
    held = stores[2].held_lease()
    assert held is not None
    assert (held.holder, held.until > site.clock.now()) == ("service", True)


def test_a_holder_that_was_away_while_a_command_wrote_does_not_write_what_it_had_planned(
    stores: list[SqlStateStore],
) -> None:
    """The server chooses the ids, and does not yet find what was just written: a plan from before would double it."""
    site = Site()
    blind = False
    site.server.habits = Habits(client_ids=False, conditional_update=False, is_blind=lambda: blind)
    site.laboratory.ihc("anna", "1+")
    command = Command(site, stores[1], None)  # type: ignore[arg-type]  # nobody to step aside
    service = Instance("service", site, stores[0], [])
    refuse, was_away = site.server.refuse_search, False

    def away(params: object) -> bool:
        nonlocal was_away, blind
        named = dict(params)  # type: ignore[call-overload]
        if not was_away and any(key.startswith("patient") or key == "subject" for key in named):
            was_away = True
            site.clock.advance(2 * LEASE_SECONDS)
            assert command.run(wait_seconds=0) is not None
            blind = True
        return False

    site.server.refuse_search = away
    service.round()
    site.server.refuse_search, blind = refuse, False
    assert was_away
    assert service.reports == []
    for _ in range(3):
        service.round()
    sound([service], results=1)
