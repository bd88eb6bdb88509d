"""The crash points are those of the ports as they are, and a process really dies where it is told to."""

from __future__ import annotations

import random
import signal
from pathlib import Path
from typing import Any, Protocol

import pytest

from adapter.ports import StateStore
from adapter.sandbox.server import Sandbox
from tests.live.laboratory import Laboratory
from tests.torture.mortal import Death, Life, Watched, live
from tests.torture.points import PORTS, CrashPoint, Moment, crash_points, methods_of
from tests.torture.processes import Process
from tests.torture.schedule import TRIES, Schedule


def test_every_method_of_every_port_is_a_crash_point() -> None:
    named = {str(point) for point in crash_points()}
    # `record` comes from a Protocol that the store's is based on.
    assert {
        "store.record:before",
        "store.freeze:before",
        "store.freeze:after",
        "server.transact:after",
    } <= named
    assert "server.search:between" in named
    for port, protocol in PORTS.items():
        methods = methods_of(protocol)
        assert methods
        for method in methods:
            assert {f"{port}.{method}:before", f"{port}.{method}:after"} <= named
    assert "server.base_url:before" not in named


def test_a_method_that_a_port_gets_later_is_covered_without_a_word() -> None:
    class Later(StateStore, Protocol):
        def forget_everything(self) -> None: ...

    assert methods_of(Later) == ("forget_everything", *methods_of(StateStore))


def test_a_watched_port_tells_of_each_call_and_changes_nothing() -> None:
    class Store:
        def queue_length(self) -> int:
            return 7

    told: list[CrashPoint] = []
    store: Any = Watched("store", Store(), told.append)
    assert store.queue_length() == 7
    assert [str(one) for one in told] == ["store.queue_length:before", "store.queue_length:after"]


def test_a_watched_search_tells_of_each_page() -> None:
    class Server:
        def search(self, resource_type: str, params: object) -> Any:
            yield from ("one", "two")

    told: list[CrashPoint] = []
    server: Any = Watched("server", Server(), told.append)
    assert list(server.search("Observation", ())) == ["one", "two"]
    assert [one.moment for one in told] == [
        Moment.BEFORE,
        Moment.BETWEEN,
        Moment.BETWEEN,
        Moment.AFTER,
    ]


@pytest.mark.parametrize(
    ("method", "moment", "is_frozen"),
    [("freeze", Moment.BEFORE, False), ("freeze", Moment.AFTER, True)],
)
def test_a_process_dies_right_where_it_is_told_to(
    tmp_path: Path, method: str, moment: Moment, is_frozen: bool
) -> None:
    from adapter.store import open_store

    with Sandbox() as sandbox:
        laboratory = Laboratory(sandbox.base_url)
        laboratory.ihc("anna", "1+")
        laboratory.close()
        settings = {
            "source.url": sandbox.base_url,
            "store.url": f"sqlite:///{tmp_path}/state.sqlite",
        }
        death = Death(CrashPoint("store", method, moment))
        process = Process(Life(settings, tmp_path / "log", death=death, passes=2), live)
        assert process.wait() == -signal.SIGKILL
    with open_store(str(settings["store.url"])) as store:
        assert bool(store.outbox()) is is_frozen


def test_points_that_no_process_comes_to_are_given_up_and_named() -> None:
    never = CrashPoint("store", "erase", Moment.BEFORE)
    often = CrashPoint("store", "freeze", Moment.AFTER)
    schedule = Schedule([never, often], random.Random(1))
    for _ in range(2 * TRIES + 2):
        point = schedule.next()
        assert point is not None
        if point == never:
            schedule.missed(point)
        else:
            schedule.reached(point)
    assert schedule.points_reached == (often,)
    assert schedule.points_missed == (never,)
    assert schedule.next() == often
