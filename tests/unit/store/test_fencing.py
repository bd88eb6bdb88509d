"""Several adapters on one store: one writes at a time, the next takes over, a stopped one comes back to nothing (C5).

With the real store on both databases, one FHIR server and a clock that the test holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest

from adapter.errors import LeaseLost, TemporaryServerError
from adapter.store import SqlStateStore, open_store
from adapter.sync.cycle import PassOptions, PassReport, SyncOptions
from adapter.sync.loop import Loop, LoopOptions
from adapter.sync.options import SendLimits
from adapter.sync.writing.fenced import FencedServer
from tests.fakes.clock import FakeClock
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
