"""H15, false calm: whatever blinds the adapter makes it red within two polls, and nothing is red before.

Faults at the ports, time by a clock that only moves in waits. Red is an alert's expression that is true, or readiness.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import requests

from adapter.errors import NotAuthorised, StoreError, TemporaryServerError
from adapter.fhir.refused_alone import read_bundle
from adapter.ports import SearchParams
from adapter.sandbox.exchange import Answer, FhirRequest, FhirResponse
from adapter.sandbox.server import Sandbox
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
from tests.unit.web.alerts import At, firing
from tests.unit.web.exposition import Scrape
from tests.unit.web.running import running, until

POLL = 60.0
CALM, BLIND = 2, 2
"""Polls before the fault, and polls within which it must be red."""


class Dead(BaseException):
    """The thread of the loop is gone."""


@dataclass
class Watched:
    """A site whose loop is scraped after each wait, by a Prometheus with a clock of its own."""

    fault: Callable[[Watched], None]
    site: Site = field(default_factory=Site)
    scrapes: list[At] = field(default_factory=list)
    reds: list[set[str]] = field(default_factory=list)
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
            assert self.reds[-1] == set(), "it was red before anything was wrong"
            self.fault(self)

    def look(self) -> None:
        """Scrape, and note what is red."""
        self.scrapes.append(At(self.seconds, Scrape.of(self.metrics.text().decode())))
        unready = {"not ready"} if not self.health.judge()["ready"] else set()
        self.reds.append(firing(self.scrapes) | unready)

    def run(self) -> set[str]:
        """Run to the end of the second poll after the fault; gives all that was red."""
        self.loop.run()
        assert len(self.scrapes) == CALM + BLIND
        return set().union(*self.reds[CALM:])


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
    store.lease = ("another", 99, watched.site.clock.now() + timedelta(days=1))


def mappings_refused(watched: Watched) -> None:
    watched.refused = True


def queue_grows(watched: Watched) -> None:
    site = watched.site
    derived = site.derived()[0]
    site.server.no_strict_json[f"Observation/{derived['id']}"] = "duplicate-key"


def server_refuses_results(watched: Watched) -> None:
    watched.site.server.refuse = lambda _: "no"
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
    server_refuses_results: "HER2ResultsParked",
}


@pytest.mark.parametrize(("fault", "alert"), FAULTS.items(), ids=[one.__name__ for one in FAULTS])
def test_a_blinding_fault_is_red_within_two_polls(
    fault: Callable[[Watched], None], alert: str
) -> None:
    assert alert in Watched(fault).run()


def test_without_a_fault_nothing_is_red() -> None:
    assert Watched(lambda _: None).run() == set()


def test_a_loop_whose_thread_is_gone_grows_old() -> None:
    watched = Watched(lambda one: searches(one, Dead()))
    with pytest.raises(Dead):
        watched.loop.run()
    for _ in range(BLIND):
        watched.slept(POLL)
    assert "HER2PassesDoNotEndWell" in watched.reds[-1]


def test_a_process_that_dies_and_is_started_again_and_again_is_red() -> None:
    watched = Watched(lambda _: None)
    watched.run()
    for _ in range(3):
        watched.start()
        watched.slept(POLL)
    assert "HER2Restarts" in watched.reds[-1]


def test_a_queue_that_never_empties_is_red_at_every_poll() -> None:
    watched = Watched(queue_grows)
    watched.run()
    assert all("HER2QueueDoesNotEmpty" in red for red in watched.reds[CALM:])


def test_an_http_side_that_is_gone_is_red(tmp_path: Path) -> None:
    with running(tmp_path) as served:
        there = At(0, Scrape.of(served.get("/metrics", "watch").text))
        assert "HER2AdapterDown" not in firing([there])
        http = served.service._http
        assert http is not None
        http.stop()
        with pytest.raises(requests.ConnectionError):
            served.get("/metrics", "watch")
        gone = Scrape(
            {("up", frozenset({("job", "her2-adapter")})): 0.0}, {}
        )  # as Prometheus notes it
        assert {"HER2AdapterDown", "HER2InstanceDown"} <= firing([there, At(1, gone)])


def test_a_whole_service_whose_token_is_refused_is_red_over_http(tmp_path: Path) -> None:
    refused: list[FhirRequest] = []

    def turn_away(request: FhirRequest, answer: Answer) -> FhirResponse:
        if not is_blind.is_set():
            return answer(request)
        refused.append(request)
        return FhirResponse(401, "{}")

    is_blind = Event()
    with (
        Sandbox(layers=[turn_away]) as sandbox,
        running(tmp_path, sandbox=sandbox, poll__interval_seconds=0.5) as served,
    ):

        def red() -> set[str]:
            return firing([At(time.time(), Scrape.of(served.get("/metrics", "watch").text))])

        until(lambda: "HER2PassesFail" not in red())
        is_blind.set()
        until(lambda: "HER2PassesFail" in red())
    assert refused
