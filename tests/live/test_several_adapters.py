"""Protects the record from its own twins: two adapters, each with a state of its own, one server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from tests.live.adapter_under_test import AdapterUnderTest
from tests.live.conftest import Adapters
from tests.live.laboratory import Laboratory
from tests.live.records import Records, category_of
from tests.live.servers import LiveServer

PATIENTS = 60


def test_two_adapters_started_together_write_one_record_each_with_its_provenances(
    server: LiveServer, laboratory: Laboratory, records: Records, install: Adapters
) -> None:
    laboratory.women(PATIENTS)
    # Small bundles meet more often.
    both = [install(name, target__batch_cases=5) for name in ("first", "second")]
    together = Barrier(len(both))

    def settle(one: AdapterUnderTest) -> int:
        together.wait()
        return one.settle().writes

    with ThreadPoolExecutor(len(both)) as threads:
        assert list(threads.map(settle, both)) == [0, 0]
    for record in records.assert_sound(patients=PATIENTS, raced=True):
        versions, (provenance,) = records.told(record), records.provenances(record)
        assert {category_of(one) for one in versions} == {category_of(record)}
        # Each version has the version of the Provenance that was written with it.
        written = [one["recorded"] for one in records.told(provenance)]
        assert [one["issued"] for one in versions] == written

    quiet = server.mark()
    for one in both:
        one.run(full_sweep=True)
    assert server.since(quiet).writes == 0


def test_two_adapters_follow_an_amendment_together(
    laboratory: Laboratory, records: Records, install: Adapters
) -> None:
    reported = [laboratory.ihc(f"p{n}", "1+") for n in range(12)]
    both = [install(name, target__batch_cases=3) for name in ("first", "second")]
    for one in both:
        one.settle()
    for result in reported:
        laboratory.amend(result, "3+")
    together = Barrier(len(both))

    def settle(one: AdapterUnderTest) -> int:
        together.wait()
        return one.settle().writes

    with ThreadPoolExecutor(len(both)) as threads:
        assert list(threads.map(settle, both)) == [0, 0]
    for record in records.assert_sound(patients=len(reported)):
        told = records.story_of(record)
        assert [(v.status, v.category) for v in told] == [
            ("final", "low"),
            ("corrected", "positive"),
        ]
