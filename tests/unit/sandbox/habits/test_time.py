"""Habits with time: late rows, ties."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest

from adapter.sandbox.server import Sandbox
from tests.unit.sandbox.client import Client, Json, observation


def _updated(resource: Json) -> datetime:
    return datetime.fromisoformat(resource["meta"]["lastUpdated"])


def test_late_commits_show_up_older_than_what_was_served_already(
    sandbox: Sandbox, fhir: Client
) -> None:
    before = fhir.put(observation(id="before")).json()
    sandbox.habits.choose({"late-commits": 100})
    late = [fhir.put(observation(id=f"late-{n}")).json() for n in range(20)]

    assert any(_updated(one) < _updated(before) for one in late)
    for one in late:
        age = datetime.now(UTC) - _updated(one)
        assert -timedelta(seconds=1) < age < timedelta(seconds=130)
    since = _updated(before).isoformat().replace("+00:00", "Z")
    found = fhir.found("Observation", ("_lastUpdated", f"ge{since}"))
    assert {one["id"] for one in late} - set(found), "a watermark alone misses rows"


def test_second_precision_makes_ties(sandbox: Sandbox, fhir: Client) -> None:
    sandbox.habits.choose({"second-precision": True})
    stored = [fhir.put(observation(id=f"tie-{n}")).json() for n in range(10)]

    assert all(_updated(one).microsecond == 0 for one in stored)
    assert len({_updated(one) for one in stored}) < 10


@pytest.mark.parametrize("ahead", [7200, -7200])
def test_clock_ahead_is_told_in_resources_and_in_the_date_header(
    sandbox: Sandbox, fhir: Client, new_id: str, ahead: int
) -> None:
    sandbox.habits.choose({"clock-ahead": ahead})
    answer = fhir.put(observation(id=new_id))
    expected = datetime.now(UTC) + timedelta(seconds=ahead)

    assert abs(_updated(answer.json()) - expected) < timedelta(seconds=60)
    assert abs(parsedate_to_datetime(answer.headers["Date"]) - expected) < timedelta(seconds=60)
    sandbox.habits.choose()
    told = parsedate_to_datetime(fhir.get("metadata").headers["Date"])
    assert abs(told - datetime.now(UTC)) < timedelta(seconds=60)
