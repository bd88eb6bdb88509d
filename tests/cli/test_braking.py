"""The brake on the command line: shown, then let go by a name, and no further than was shown."""

from __future__ import annotations

import urllib.request
from typing import Any

import pytest

from adapter.sandbox.server import Sandbox

from .conftest import Ended, Run, fetch, load

BY = ("--by", "Dr. A. Sample")
LIMITS = {
    "HER2_BRAKE__WITHDRAW_FLOOR": "0",
    "HER2_BRAKE__WITHDRAW_PERCENT": "0",
    "HER2_POLL__ABSENCE_CONFIRM_SECONDS": "0",
}


@pytest.fixture
def braked(run: Run, sandbox: Sandbox) -> Ended:
    """Two sources were deleted, and not one may be withdrawn without being asked."""
    load(sandbox)
    environment: dict[str, Any] = {"HER2_FHIR_URL": sandbox.base_url, **LIMITS}
    first = run("sync", "-o", "ndjson", **environment)
    assert first.code == 0
    named = [line["sources"] for line in first.lines if line["kind"] == "case"]
    for source in [sources[0] for sources in named if len(sources) == 1][:2]:
        delete(sandbox, source)
    run("sync", "--backfill", "-o", "ndjson")
    ended = run("sync", "--backfill", "-o", "ndjson")
    assert ended.code == 5
    return ended


def delete(server: Sandbox, reference: str) -> None:
    request = urllib.request.Request(f"{server.base_url}/{reference}", method="DELETE")
    with urllib.request.urlopen(request) as answer:
        assert answer.status in (200, 204)


def withdrawn(server: Sandbox) -> int:
    found = fetch(server, "Observation?status=entered-in-error&_summary=count")
    return int(found["total"])


def test_what_is_held_back_is_shown_and_nothing_is_written(
    run: Run, sandbox: Sandbox, braked: Ended
) -> None:
    ended = run("brake", "show", "-o", "ndjson")
    assert ended.code == 5
    assert [line["action"] for line in ended.lines] == ["retract", "retract"]
    assert all(line["subject"].startswith("Patient/") and line["before"] for line in ended.lines)
    assert "Engaged since" in ended.err
    assert "2 results held back" in ended.err
    assert withdrawn(sandbox) == 0


def test_a_release_without_a_look_is_wrong_usage(run: Run, sandbox: Sandbox, braked: Ended) -> None:
    ended = run("brake", "release", *BY)
    assert (ended.code, "run `her2-adapter brake show` first" in ended.err) == (2, True)
    assert withdrawn(sandbox) == 0


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 101])
def test_a_release_needs_a_name(run: Run, name: str) -> None:
    assert run("brake", "release", "--by", name).code == 2


def test_a_release_by_a_name_lets_go_what_was_shown_and_is_recorded(
    run: Run, sandbox: Sandbox, braked: Ended
) -> None:
    run("brake", "show")
    assert run("brake", "release", *BY).code == 0
    assert withdrawn(sandbox) == 2
    rows = run("audit", "show", "-o", "ndjson").lines
    told = [(row["actor"], row["outcome"]) for row in rows if row["action"] == "brake-released"]
    assert told == [("Dr. A. Sample", "granted")]
    assert run("brake", "show").code == 0


def test_nothing_held_back_is_told(run: Run, sandbox: Sandbox) -> None:
    run("sync", HER2_FHIR_URL=sandbox.base_url)
    ended = run("brake", "show")
    assert ended.code == 0
    assert "No brake was engaged" in ended.err


def test_in_observe_mode_nothing_can_be_let_go(run: Run, sandbox: Sandbox) -> None:
    ended = run("brake", "release", *BY, HER2_FHIR_URL=sandbox.base_url, HER2_MODE="observe")
    assert (ended.code, "mode is observe" in ended.err) == (2, True)
