"""Two services on one state: one writes, the other answers, stands by and takes over.

Protects that two instances are as safe over HTTP as without it, on SQLite and on a real PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from adapter.sandbox.server import Sandbox
from tests.servers.postgres import running as postgres_running
from tests.servers.required import skip_or_fail
from tests.unit.web.running import Running, categories, running, until


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'state.sqlite'}"
        return
    with skip_or_fail(), postgres_running() as server:
        yield server.new_database().sqlalchemy_url


def test_the_second_answers_stands_by_and_takes_over(state: str, tmp_path: Path) -> None:
    with Sandbox() as sandbox, ExitStack() as first, ExitStack() as second:
        writer = first.enter_context(running(tmp_path, sandbox=sandbox, store__url=state))
        other: Running = second.enter_context(
            running(tmp_path, sandbox=sandbox, store__url=state, waits=False)
        )
        until(lambda: other.service.pulse.beat.holds_lease is False)
        ready = other.get("/readyz", "watch").json()
        assert (ready["ready"], ready["writes"]) == (True, False)
        assert "stands-by" in ready["attention"]

        writer.put_result("anna", "1+")
        answer = other.post("/sync", "sync", json={"patient": "anna"})
        assert (answer.status_code, answer.json()["status"]) == (202, "queued")
        assert "Location" not in answer.headers
        assert other.reports == []
        writer.service.inbox.wake()
        until(lambda: categories(sandbox) == {"anna": "low"})

        first.close()  # the lease is given back
        writer.put_result("berta", "3+")
        until(lambda: other.post("/sync", "sync", json={"patient": "berta"}).status_code == 200)
        assert categories(sandbox) == {"anna": "low", "berta": "positive"}
        assert other.get("/readyz", "watch").json()["writes"] is True


def test_what_the_second_takes_in_while_the_first_looks_is_looked_at_after_that(
    state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"store__url": state, "poll__discovery": "requests"}
    with Sandbox() as sandbox, ExitStack() as stack:
        writer = stack.enter_context(running(tmp_path, sandbox=sandbox, **settings))
        other = stack.enter_context(running(tmp_path, sandbox=sandbox, waits=False, **settings))
        until(lambda: other.service.pulse.beat.holds_lease is False)
        store = writer.service.loop.parts.store
        done, said = store.done, list[int]()

        def corrected_meanwhile(handed_out: Mapping[str, int]) -> None:
            if "Patient/anna" in handed_out and not said:
                writer.put_result("anna", "3+")
                said.append(other.post("/sync", "sync", json={"patient": "anna"}).status_code)
            done(handed_out)

        monkeypatch.setattr(store, "done", corrected_meanwhile)
        writer.put_result("anna", "1+")
        answer = writer.post("/sync", "sync", json={"patient": "anna"}).json()
        assert ([one["category"] for one in answer["samples"]], said) == (["low"], [202])
        writer.service.inbox.wake()
        until(lambda: categories(sandbox) == {"anna": "positive"})
        until(lambda: store.queue_length() == 0)
