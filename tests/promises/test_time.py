"""A1, A2, F2: rows that appear late, ties, and clocks that jump lose nothing."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from adapter.sync.cycle import SyncOptions
from adapter.sync.options import ReadLimits
from adapter.sync.reading.discover import Discovery, Recent
from tests.fakes.clock import FakeClock
from tests.fakes.server import FakeFhirServer
from tests.fakes.site import Site
from tests.oracle import content_of_fake, differences
from tests.workloads.content import patient, result, specimen

SEEDS, RESULTS, DELAY_SECONDS = 200, 12, 300.0
TIES, JUMPS = 5_000, 1_000
Property = Callable[[str, object], None]


def put_result(server: FakeFhirServer, name: str, score: str, **at: Any) -> None:
    """One patient with one IHC; the result may carry a time of its own."""
    server.put(patient(name))
    server.put(specimen(f"{name}-a", name))
    server.put(result("ihc", score, of=name, sample=f"{name}-a"), **at)


def lost_of(seed: int, overlap_seconds: float) -> int:
    """Let results become visible up to five minutes after they were written, and count what polls miss."""
    dice = random.Random(seed)
    site = Site(options=SyncOptions(read=ReadLimits(overlap_seconds=overlap_seconds)))
    site.run()
    late: list[tuple[datetime, datetime, str]] = []
    for number in range(RESULTS):
        written = site.clock.now() + timedelta(seconds=dice.uniform(0, 600))
        late.append(
            (written + timedelta(seconds=dice.uniform(0, DELAY_SECONDS)), written, f"p{number}")
        )
    for visible, written, name in sorted(late):
        while site.clock.now() < visible:
            site.run()  # a poll each minute; no sweep is due before a day has gone
        put_result(site.server, name, "1+", last_updated=written)
    site.run()
    site.run()
    said = differences(content_of_fake(site.server))
    return sum(line.startswith("lost") for line in said)


def test_rows_that_appear_five_minutes_late_are_all_found(record_property: Property) -> None:
    record_property("promise", "late commits")
    lost = sum(lost_of(seed, ReadLimits().overlap_seconds) for seed in range(SEEDS))
    record_property(
        "figure",
        f"{SEEDS} seeds × {RESULTS} results visible up to {DELAY_SECONDS:.0f} s late, polls only: {lost} lost",
    )
    assert lost == 0


def test_without_an_overlap_they_would_be_lost() -> None:
    assert sum(lost_of(seed, overlap_seconds=0.0) for seed in range(10)) > 0


def test_results_of_one_instant_are_all_seen_in_pages_of_seven(record_property: Property) -> None:
    record_property("promise", "ties")
    site = Site()
    site.server.page_size = 7
    site.run()
    instant = site.clock.now()
    for number in range(TIES):
        put_result(site.server, f"p{number}", "1+", last_updated=instant)
    searches = site.cycle.searches
    found = Discovery(searches, site.store, site.clock, Recent(), 600.0).changed()
    record_property(
        "figure", f"{len(found.patients):,} of {TIES:,} results with one timestamp seen, 7 a page"
    )
    assert len(found.patients) == TIES


def test_a_clock_that_jumps_loses_nothing(record_property: Property) -> None:
    record_property("promise", "clock jumps")
    dice, server = random.Random(7), FakeFhirServer(FakeClock())
    site = Site(server=server)
    site.clock = FakeClock()  # the adapter's own; the server's goes on by itself
    site.restart()
    lost = 0
    for _ in range(JUMPS):
        server.clock.advance(60)
        site.clock.instant += _jump(dice)
        ahead = timedelta(days=365) if dice.random() < 0.02 else timedelta(0)
        score = dice.choice(["0", "1+", "2+", "3+"])
        put_result(server, f"p{dice.randrange(4)}", score, last_updated=server.clock.now() + ahead)
        site.run()
        lost += len(differences(content_of_fake(server)))
    record_property(
        "figure",
        f"{JUMPS:,} jumps of the adapter's clock (up to 10 years either way) and results dated a year "
        f"ahead: {lost} lost",
    )
    assert lost == 0


def _jump(dice: random.Random) -> timedelta:
    if dice.random() < 0.3:
        years = dice.uniform(-10, 10)
        return timedelta(days=365 * years)
    return timedelta(seconds=dice.uniform(-600, 600))
