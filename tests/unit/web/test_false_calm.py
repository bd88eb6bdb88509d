"""H15, false calm: whatever blinds the adapter makes it red within two polls, and nothing is red before.

Faults at the ports, time by a clock that only moves in waits. Red is an alert whose expression Prometheus finds true.
A whole service with Prometheus beside it: tests/real/test_prometheus.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapter.errors import NotAuthorised, StoreError, TemporaryServerError
from adapter.fhir.refused_alone import read_bundle
from adapter.ports import SearchParams
from adapter.sync.cycle import SyncOptions
from adapter.sync.inbox import Inbox
from adapter.sync.loop import Loop, LoopOptions
from adapter.sync.options import BrakeLimits, ReadLimits
from adapter.sync.pulse import Pulse
from adapter.transport.auth import NoAuth
from adapter.transport.fhir_server import RestFhirServer, ServerConfig
from adapter.web.health import Health
from adapter.web.metrics import Metrics, Sources
from tests.fakes.clock import FakeClock
from tests.fakes.site import Site
from tests.unit.web.alerts import At, assert_calm, assert_red
from tests.unit.web.exposition import Scrape

POLL = 60.0
CALM, BLIND = 2, 2
"""Polls before the fault, and polls within which it must be red."""


EMMA = {"reference": "Patient/emma"}


class Dead(BaseException):
    """The thread of the loop is gone."""


@dataclass
class Watched:
    """A site whose loop is scraped after each wait, by a Prometheus with a clock of its own."""

    fault: Callable[[Watched], None]
    site: Site = field(default_factory=Site)
    scrapes: list[At] = field(default_factory=list)
    unready: list[bool] = field(default_factory=list)
    refused: bool = False
    seconds: float = 0.0

    def __post_init__(self) -> None:
        site = self.site
        self.seconds = site.clock.now().timestamp()
        for name in ("anna", "berta", "clara", "dora"):
            site.laboratory.ihc(name, "1+")
        site.clock.sleep = self.slept  # type: ignore[method-assign] # the fake's wait is where time passes
        self.options = SyncOptions(
            read=ReadLimits(sweep_hours=1 / 3600), brakes=BrakeLimits(change_floor=1)
        )
        self.start()

    def start(self) -> None:
        """Begin a process: its counters and its pulse are new."""
        site = self.site
        self.pulse = Pulse(site.clock.now())
        options = LoopOptions(interval_seconds=POLL, lease_seconds=300, holder="one")
        self.loop = Loop(
            site.parts,
            self.options,
            options,
            stopped=lambda: len(self.scrapes) >= CALM + BLIND,
            pulse=self.pulse,
        )
        self.metrics = Metrics(
            Sources(
                pulse=self.pulse,
                store=site.store,
                clock=site.clock,
                inbox=Inbox(),
                interval_seconds=POLL,
                traffic=dict,
                mappings_refused=lambda: self.refused,
                build=lambda: {"version": "1"},
            )
        )
        self.health = Health(self.pulse, site.store, site.clock, POLL, lambda: False)

    def slept(self, seconds: float) -> None:
        """Let time pass, and look at the moment as Prometheus and a load balancer do."""
        self.site.clock.advance(seconds)
        self.seconds += seconds
        self.look()
        if len(self.scrapes) == CALM:
            self.fault(self)

    def look(self) -> None:
        """Scrape, and note whether it is ready."""
        self.scrapes.append(At(self.seconds, Scrape.of(self.metrics.text().decode())))
        self.unready.append(not self.health.judge()["ready"])

    def run(self) -> None:
        """Run to the end of the second poll after the fault."""
        self.loop.run()
        assert len(self.scrapes) == CALM + BLIND

    def assert_red(self, alert: str, folder: Path) -> None:
        """Hold that nothing was red before the fault, and that this alert was after it."""
        before = self.scrapes[:CALM]
        assert not any(self.unready[:CALM]), "it was not ready before anything was wrong"
        assert_calm(before, folder)
        assert_red(self.scrapes, alert, folder)


def searches(watched: Watched, error: BaseException) -> None:
    def refuse(_: SearchParams) -> bool:
        raise error

    watched.site.server.refuse_search = refuse


def token_refused(watched: Watched) -> None:
    searches(watched, NotAuthorised("token", status=401))


def server_away(watched: Watched) -> None:
    searches(watched, TemporaryServerError("503", status=503))


def a_bug_of_ours(watched: Watched) -> None:
    searches(watched, KeyError("x"))


def name_not_resolved(watched: Watched) -> None:
    nowhere = RestFhirServer(
        ServerConfig(base_url="https://fhir.invalid/fhir"),
        read_json=read_bundle,
        clock=FakeClock(),
        auth=NoAuth(),
    )

    def ask(_: SearchParams) -> bool:
        nowhere.capability()
        return False

    watched.site.server.refuse_search = ask


def account_sees_nothing(watched: Watched) -> None:
    server = watched.site.server
    server.hidden = {f"Observation/{one['id']}" for one in server.all("Observation")}


def state_locked(watched: Watched) -> None:
    def locked(*_: Any, **__: Any) -> Any:
        raise StoreError("database is locked")

    for name in ("acquire_lease", "queue_length", "record_pass"):
        setattr(watched.site.store, name, locked)


def pass_stuck(watched: Watched) -> None:
    def hang(_: SearchParams) -> bool:
        for _number in range(BLIND):
            watched.site.clock.advance(POLL)
            watched.seconds += POLL
            watched.look()
        raise TemporaryServerError("at last")

    watched.site.server.refuse_search = hang


def clock_put_back(watched: Watched) -> None:
    watched.site.clock.instant -= timedelta(days=1)


def brake_left_on(watched: Watched) -> None:
    for name in ("anna", "berta", "clara"):
        watched.site.laboratory.amend(f"Observation/ihc-{name}-a", "3+")


def lease_elsewhere(watched: Watched) -> None:
    store = watched.site.store
    store.lease = ("another", 99, watched.site.clock.now() + timedelta(minutes=5))


def mappings_refused(watched: Watched) -> None:
    watched.refused = True


def queue_grows(watched: Watched) -> None:
    site = watched.site
    derived = site.derived()[0]
    site.server.no_strict_json[f"Observation/{derived['id']}"] = "duplicate-key"


def server_refuses_every_result(watched: Watched) -> None:
    watched.site.server.refuse = lambda _: "no"
    watched.site.laboratory.ihc("emma", "3+")


def server_refuses_one_result(watched: Watched) -> None:
    watched.site.server.refuse = lambda one: "no" if one.get("subject") == EMMA else None
    watched.site.laboratory.ihc("emma", "3+")


FAULTS: dict[Callable[[Watched], None], str] = {
    token_refused: "HER2PassesFail",
    server_away: "HER2PassesFail",
    name_not_resolved: "HER2PassesFail",
    a_bug_of_ours: "HER2PassesFail",
    account_sees_nothing: "HER2AccountSeesLess",
    state_locked: "HER2StateUnreadable",
    pass_stuck: "HER2PassesDoNotEndWell",
    clock_put_back: "HER2ClockWrong",
    brake_left_on: "HER2BrakeEngaged",
    lease_elsewhere: "HER2NobodyWrites",
    mappings_refused: "HER2MappingsRefused",
    server_refuses_every_result: "HER2PassesFail",
    server_refuses_one_result: "HER2ResultsParked",
}


@pytest.mark.parametrize(("fault", "alert"), FAULTS.items(), ids=[one.__name__ for one in FAULTS])
def test_a_blinding_fault_is_red_within_two_polls(
    fault: Callable[[Watched], None], alert: str, tmp_path: Path
) -> None:
    watched = Watched(fault)
    watched.run()
    watched.assert_red(alert, tmp_path)


def test_without_a_fault_nothing_is_red(tmp_path: Path) -> None:
    watched = Watched(lambda _: None)
    watched.run()
    assert not any(watched.unready)
    for number in range(CALM, CALM + BLIND):
        assert_calm(watched.scrapes[: number + 1], tmp_path)


def test_a_loop_whose_thread_is_gone_grows_old(tmp_path: Path) -> None:
    watched = Watched(lambda one: searches(one, Dead()))
    with pytest.raises(Dead):
        watched.loop.run()
    for _ in range(BLIND):
        watched.slept(POLL)
    watched.assert_red("HER2PassesDoNotEndWell", tmp_path)


def test_a_process_that_dies_and_is_started_again_and_again_is_red(tmp_path: Path) -> None:
    watched = Watched(lambda _: None)
    watched.run()
    for _ in range(3):
        watched.start()
        watched.slept(POLL)
    watched.assert_red("HER2Restarts", tmp_path)


def test_a_queue_that_never_empties_is_red_at_every_poll(tmp_path: Path) -> None:
    watched = Watched(queue_grows)
    watched.run()
    for number in range(CALM, CALM + BLIND):
        assert_red(watched.scrapes[: number + 1], "HER2QueueDoesNotEmpty", tmp_path, seconds=1)
