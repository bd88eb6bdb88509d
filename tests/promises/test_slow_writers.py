"""A slow worker never writes over a newer derivation (B12): what stands rests on ever later versions of its source.

By hand 10,000 interleavings, in CI a share of them; the seed is told where one goes wrong.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable

from adapter.fhir.identity import category_of
from adapter.ports import JsonObject
from tests.fakes.site import Site

INTERLEAVINGS = 10_000 if os.environ.get("HER2_PROVE") == "full" else 300
CATEGORIES = {"0": "negative", "1+": "low", "3+": "positive"}
SOURCE = "Observation/ihc-anna-a"


def source_version(site: Site, version: JsonObject) -> int:
    """The version of its source that a version of the derived Observation rests on."""
    (made,) = [
        one for one in site.server.all("Provenance") if one["occurredDateTime"] == version["issued"]
    ]
    return int(made["entity"][0]["what"]["reference"].rpartition("/")[2])


def sites(number: int) -> list[Site]:
    """Adapters with states of their own on one server, where a result stands."""
    first = Site()
    first.laboratory.ihc("anna", "1+")
    first.settle()
    others = [Site(server=first.server) for _ in range(number - 1)]
    for one in others:
        one.settle()
    return [first, *others]


def interleave(workers: list[Site], chance: random.Random) -> None:
    """Let one worker read and plan, and others do whole passes before it sends."""
    slow, *others = chance.sample(workers, len(workers))
    laboratory = slow.laboratory

    def meanwhile() -> None:
        slow.server.before_transaction = lambda: None
        for other in others:
            if chance.random() < 0.7:
                laboratory.amend(SOURCE, chance.choice(list(CATEGORIES)))
            if chance.random() < 0.8:
                other.run()

    laboratory.amend(SOURCE, chance.choice(list(CATEGORIES)))
    slow.server.before_transaction = meanwhile
    slow.run()
    slow.server.before_transaction = lambda: None


def assert_right(workers: list[Site], seed: int) -> None:
    """After all have come to rest the category is that of the source as it stands."""
    for worker in workers:
        worker.settle()
    source = workers[0].server.get(SOURCE)
    assert source is not None
    expected = CATEGORIES[source["valueCodeableConcept"]["text"]]
    assert category_of(workers[0].only()) == expected, seed


def test_no_interleaving_of_workers_lets_an_older_derivation_stand(
    record_property: Callable[[str, object], None],
) -> None:
    done = 0
    while done < INTERLEAVINGS:
        # A server of its own for every few, so that its history stays short.
        workers = sites(3)
        for seed in range(done, done + 10):
            interleave(workers, random.Random(seed))
            derived = workers[0].only()
            versions = workers[0].server.history(f"Observation/{derived['id']}")
            rest_on = [source_version(workers[0], one) for one in versions if one]
            assert rest_on == sorted(rest_on), seed
        assert_right(workers, done)
        done += 10
    record_property("promise", "slow writers")
    record_property(
        "figure",
        f"{done} interleavings of 3 workers on one result: every version rests on a later source",
    )


def test_where_if_match_is_ignored_the_right_category_stands_in_the_end() -> None:
    for start in range(0, 60, 10):
        workers = sites(2)
        workers[0].server.check_if_match = False
        for seed in range(start, start + 10):
            interleave(workers, random.Random(seed))
            assert_right(workers, seed)


def test_a_server_that_ignores_if_match_is_noticed() -> None:
    slow, other = sites(2)
    slow.server.check_if_match = False
    slow.laboratory.amend(SOURCE, "3+")

    def meanwhile() -> None:
        slow.server.before_transaction = lambda: None
        slow.laboratory.amend(SOURCE, "0")
        other.run()

    slow.server.before_transaction = meanwhile
    report = slow.run()
    assert report.signals["if-match-ignored"] == 1
    assert report.queue_left == 1
    slow.settle()
    assert category_of(slow.only()) == "negative"
