"""Protects the product's main job over HTTP: results in, one record with its Provenance out, once."""

from __future__ import annotations

import pytest

from adapter.sync.cycle import PassOutcome
from tests.live.adapter_under_test import AdapterUnderTest
from tests.live.laboratory import Laboratory
from tests.live.records import Records, category_of
from tests.live.servers import LiveServer

CASES = [
    pytest.param("0", None, "negative", id="ihc-0"),
    pytest.param("1+", None, "low", id="ihc-1-plus"),
    pytest.param("2+", "Negative", "low", id="ihc-2-plus-fish-negative"),
    pytest.param("2+", "Positive", "positive", id="ihc-2-plus-fish-positive"),
    pytest.param("3+", None, "positive", id="ihc-3-plus"),
    pytest.param("2+", None, "equivocal", id="ihc-2-plus-alone"),
]


def test_first_pass_writes_one_observation_and_one_provenance_and_the_second_nothing(
    server: LiveServer, laboratory: Laboratory, records: Records, adapter: AdapterUnderTest
) -> None:
    expected = {}
    for number, case in enumerate(CASES):
        score, fish, category = case.values
        laboratory.ihc(f"p{number}", str(score))
        if fish:
            laboratory.fish(f"p{number}", str(fish))
        expected[laboratory.patient(f"p{number}")] = category

    before = server.mark()
    report = adapter.run()
    assert report.outcome is PassOutcome.DONE
    # An Observation and a Provenance each, and the Device of this version of the software.
    assert server.since(before).writes == report.writes == 2 * len(CASES) + 1

    quiet = server.mark()
    assert adapter.run().writes == 0
    assert server.since(quiet).writes == 0

    idle = server.mark()
    assert adapter.run().queue_left == 0
    asked = server.since(idle)
    assert asked.writes == 0
    # Results by code, by name and by category, our own, and three kinds that wake: a search each. And
    # whether the newest that was seen still stands.
    assert asked.requests == 8

    derived = records.assert_sound(patients=len(CASES))
    assert {one["subject"]["reference"]: category_of(one) for one in derived} == expected
    for one in derived:
        assert one["status"] == ("preliminary" if category_of(one) == "equivocal" else "final")
        records.story_of(one)
        records.assert_sources_stand(one)
