"""A seed is a whole life of a laboratory: the same each time, and all of it known to the oracle."""

from __future__ import annotations

from collections import Counter

from tests.fakes.site import Site
from tests.oracle import content_of_fake, differences, expected
from tests.workloads.seeded import KINDS, Workload


def test_a_seed_gives_the_same_life_again() -> None:
    one, other = Workload(7), Workload(7)

    assert one.begin(3) == other.begin(3)
    assert list(one.edits(40)) == list(other.edits(40))
    assert one.stands == other.stands


def test_the_oracle_covers_every_life_and_meets_every_category() -> None:
    kinds: Counter[str] = Counter()
    categories: Counter[str] = Counter()
    for seed in range(60):
        workload = Workload(seed)
        workload.begin(4)
        for edit in workload.edits(15):
            kinds[edit.kind] += 1
            found = expected(workload.stands.values()).categories()
            categories.update(category for theirs in found.values() for category in theirs)

    assert set(kinds) == set(KINDS)
    assert set(categories) == {
        *("positive", "low", "ultralow", "negative", "negative-unspecified", "equivocal"),
        *("pending-ihc", "pending-second-review", "needs-review"),
    }


def test_the_adapter_ends_where_the_oracle_says() -> None:
    for seed in range(5):
        site, workload = Site(), Workload(seed)
        workload.begin(4).apply(site.server.put, site.server.delete)
        site.settle()
        for edit in workload.edits(6):
            edit.apply(site.server.put, site.server.delete)
            site.run()
        site.clock.advance(hours=1)
        for _ in range(3):
            site.run(full_sweep=True, released_by="the operator")
            site.clock.advance(hours=1)

        assert differences(content_of_fake(site.server)) == [], seed
