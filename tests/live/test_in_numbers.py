"""Two figures of real servers: eight writers at once double nothing (B1), and what was changed is seen at once (A3).

HER2_PROVE=full asks for the whole figure; CI takes a share of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Final

from tests.live.adapter_under_test import AdapterUnderTest
from tests.live.conftest import Adapters
from tests.live.laboratory import Laboratory
from tests.live.records import Records, category_of
from tests.live.servers import LiveServer

IS_FULL: Final = os.environ.get("HER2_PROVE") == "full"
WRITERS: Final = 8
PATIENTS: Final = 200 if IS_FULL else 40
CHANGES: Final = 100 if IS_FULL else 20

Record = Callable[[str, object], None]


def test_eight_adapters_started_together_double_nothing(
    server: LiveServer,
    laboratory: Laboratory,
    records: Records,
    install: Adapters,
    record_property: Record,
) -> None:
    laboratory.women(PATIENTS)
    # Small bundles meet more often.
    writers = [install(f"state-{number}", target__batch_cases=5) for number in range(WRITERS)]
    together = Barrier(WRITERS)

    def settle(one: AdapterUnderTest) -> int:
        together.wait()
        return one.settle().writes

    with ThreadPoolExecutor(WRITERS) as threads:
        assert list(threads.map(settle, writers)) == [0] * WRITERS
    records.assert_sound(patients=PATIENTS, raced=True)
    quiet = server.mark()
    for one in writers:
        one.run(full_sweep=True)
    assert server.since(quiet).writes == 0
    record_property("promise", "racing writers")
    record_property(
        "figure",
        f"{server.name}: {WRITERS} writers at once, {PATIENTS} patients: 0 lost, 0 doubled, "
        "a Provenance for each version, then 0 writes",
    )


def test_what_was_changed_a_moment_ago_is_seen_by_the_next_pass(
    server: LiveServer,
    laboratory: Laboratory,
    records: Records,
    adapter: AdapterUnderTest,
    record_property: Record,
) -> None:
    reported = laboratory.ihc("anna", "1+")
    adapter.settle()
    for number in range(CHANGES):
        score, category = (("3+", "positive"), ("1+", "low"))[number % 2]
        laboratory.amend(reported, score)
        adapter.run()
        (record,) = records.derived()
        assert category_of(record) == category, f"change {number} was not seen"
    record_property("promise", "read at once")
    record_property(
        "figure", f"{server.name}: {CHANGES} of {CHANGES} changes seen by the pass right after them"
    )
