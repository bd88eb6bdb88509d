"""Protects what was confirmed: two connections, several threads, SIGKILL in the middle of writing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from adapter.store import SqlStateStore, open_store

from .conftest import NOON, a_bundle

ROOT = Path(__file__).parents[3]

# Says on stdout what was confirmed, each time after the store has returned.
WRITER = """
import sys
from adapter.store import open_store
from tests.unit.store.conftest import a_bundle
with open_store(sys.argv[1]) as store:
    number = int(sys.argv[2])
    while True:
        number += 1
        store.freeze(a_bundle(f"b-{number}", body=b"x" * 5000))
        print("frozen", number, flush=True)
        if number % 3 == 0:
            store.settle(f"b-{number}")
            print("settled", number, flush=True)
"""


def _kill_while_writing(url: str, *, lines: int, start: int) -> tuple[set[str], set[str]]:
    """Kill a writer after it has told so many lines; return what it said was frozen, and settled."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, url, str(start)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert writer.stdout is not None
    said = [writer.stdout.readline() for _ in range(lines)]
    writer.send_signal(signal.SIGKILL)
    said += writer.stdout.readlines()
    writer.wait()
    writer.stdout.close()
    # The last line may be cut by the kill; what it said is then not counted as confirmed.
    words = [line.split() for line in said if line.endswith("\n")]
    assert words
    frozen = {f"b-{number}" for word, number in words if word == "frozen"}
    settled = {f"b-{number}" for word, number in words if word == "settled"}
    return frozen, settled


def test_a_killed_writer_loses_nothing_it_had_confirmed(store_url: str) -> None:
    must_stand: set[str] = set()
    must_be_gone: set[str] = set()
    for round_number in range(5):
        frozen, settled = _kill_while_writing(
            store_url, lines=5 + round_number, start=1000 * round_number
        )
        # The kill may have come between a settle that happened and the line that tells of it.
        in_doubt = {key for key in frozen - settled if int(key.removeprefix("b-")) % 3 == 0}
        must_stand |= frozen - settled - in_doubt
        must_be_gone |= settled
        with open_store(store_url) as store:
            found = {bundle.key for bundle in store.outbox()}
        assert must_stand <= found
        assert not must_be_gone & found


def test_two_open_stores_see_each_others_work(store_url: str) -> None:
    with open_store(store_url) as one, open_store(store_url) as other:
        one.enqueue(["Patient/1"], reason="poll")
        assert tuple(other.queued()) == ("Patient/1",)
        other.done(other.queued())
        assert one.queue_length() == 0
        first = one.acquire_lease("one", now=NOON, seconds=60)
        assert other.acquire_lease("two", now=NOON, seconds=60) is None
        other.release_lease("one")
        second = other.acquire_lease("two", now=NOON, seconds=60)
        assert first is not None
        assert second is not None
        assert second > first


def test_a_reader_is_not_held_up_by_a_writer(store_url: str) -> None:
    with open_store(store_url) as one, open_store(store_url) as other:
        one.set_setting("brake", "before")
        with one._writing() as connection:
            connection.execute(text("UPDATE her2_setting SET value = 'after'"))
            assert other.setting("brake") == "before"
        assert other.setting("brake") == "after"


def test_one_reader_and_two_writers_work_at_once(store: SqlStateStore) -> None:
    rounds = range(40)

    def read() -> None:
        for number in rounds:
            store.enqueue([f"Patient/r{number}", f"Patient/s{number}"], reason="poll")
            store.queued()
            store.outbox()

    def write(name: str) -> Callable[[], None]:
        def run() -> None:
            for number in rounds:
                key = f"{name}-{number}"
                store.freeze(a_bundle(key))
                store.done(store.queued(among=[f"Patient/{name}{number}"]))
                store.remember_patients([f"Patient/{n}" for n in range(20)])
                store.settle(key)

        return run

    with ThreadPoolExecutor(3) as pool:
        for outcome in [pool.submit(job) for job in (read, write("r"), write("s"))]:
            outcome.result()
    assert store.outbox() == ()
    store.done(store.queued())
    assert store.queue_length() == 0


def test_a_memory_store_serves_several_threads() -> None:
    with open_store("sqlite://") as store, ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(store.enqueue, [f"Patient/{n}"], reason="poll") for n in range(40)]
        assert sum(job.result() for job in jobs) == 40
        assert store.queue_length() == 40


def test_only_one_of_many_gets_the_lease(store_url: str) -> None:
    def take(number: int) -> int | None:
        with open_store(store_url) as store:
            return store.acquire_lease(f"holder-{number}", now=NOON, seconds=60)

    open_store(store_url).close()
    with ThreadPoolExecutor(4) as pool:
        numbers = [number for number in pool.map(take, range(8)) if number is not None]
    assert len(numbers) == 1


@pytest.mark.real
def test_a_connection_that_postgresql_ended_is_made_anew(postgres_database: str) -> None:
    engine = create_engine(postgres_database)
    with open_store(postgres_database) as store:
        store.set_setting("brake", "engaged")
        with engine.begin() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = 'her2-adapter' AND datname = current_database()"
                )
            )
        assert store.setting("brake") == "engaged"
    engine.dispose()
