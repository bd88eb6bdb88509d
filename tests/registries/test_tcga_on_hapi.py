"""Protects the whole way over HTTP on data that nobody here wrote: TCGA-BRCA on HAPI, a first pass and a second.

All patients are loaded as a tidy registry would send them; what is written must be what the pure parts
alone give, sample by sample, and the second pass must write nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pytest
import requests

from adapter.fhir.strict_json import write_json
from adapter.sync.cycle import PassOutcome, PassReport
from tests.live.adapter_under_test import AdapterUnderTest
from tests.live.records import Records, category_of
from tests.registries.tcga.as_fhir import resources, specimen_of
from tests.registries.tcga.contradictions import DEFINITE
from tests.registries.tcga.fields import Sample
from tests.registries.tcga.run import Run
from tests.servers.hapi import HapiServer

pytestmark = pytest.mark.real

NOTHING_WRITTEN = ("none", "no-result", "not-applicable")
_ENTRIES_AT_ONCE = 500
_TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True)
class Passes:
    """What two passes over the whole file did, and what stands on the server then.

    `writes`: requests of the second pass that could change anything, counted at the server.
    """

    first: PassReport
    second: PassReport
    writes: int
    derived: list[dict[str, Any]]


@pytest.fixture(scope="module")
def passes(
    hapi: HapiServer, tcga_samples: list[Sample], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Passes]:
    """HAPI emptied, the file loaded, and two passes over it; the server is left empty."""
    hapi.empty()
    _load(hapi.base_url, resources(tcga_samples, "coded"))
    adapter = AdapterUnderTest(hapi.base_url, tmp_path_factory.mktemp("tcga") / "state.sqlite")
    first = adapter.run(backfill=True)
    quiet = hapi.mark()
    second = adapter.run()
    writes = len(hapi.writes_since(quiet))
    records = Records(hapi.base_url)
    yield Passes(first, second, writes, records.assert_sound())
    records.close()
    adapter.stop()
    hapi.empty()


def test_the_first_pass_accounts_for_every_observation(
    passes: Passes, runs: dict[str, Run]
) -> None:
    """The pass itself refuses to end when what it fetched and what became of it differ."""
    assert passes.first.outcome is PassOutcome.DONE
    assert passes.first.fetched == runs["coded"].sent
    assert passes.first.parked == {}
    offline = runs["coded"].answers.outcomes
    assert {name: n for name, n in passes.first.outcomes.items() if n} == dict(offline)


def test_each_sample_has_one_record_with_the_category_that_the_pure_parts_give(
    passes: Passes, runs: dict[str, Run]
) -> None:
    expected = {
        specimen_of(one.sample): one.category
        for one in runs["coded"].ended
        if one.category not in NOTHING_WRITTEN
    }
    assert Counter(one["specimen"]["reference"] for one in passes.derived) == dict.fromkeys(
        expected, 1
    )
    stands = {one["specimen"]["reference"]: category_of(one) for one in passes.derived}
    differing = Counter(
        (expected[name], category)
        for name, category in stands.items()
        if expected[name] != category
    )
    assert differing == {}


def test_no_record_is_definite_against_the_fields_it_was_made_from(
    passes: Passes, runs: dict[str, Run]
) -> None:
    contradictory = {
        specimen_of(one.sample): one for one in runs["coded"].ended if one.contradictions
    }
    definite = {
        one["specimen"]["reference"]
        for one in passes.derived
        if category_of(one) in DEFINITE and one["specimen"]["reference"] in contradictory
    }
    # What a rule lets stand, with review; `test_tcga` holds each of them against its rule.
    assert all(contradictory[name].review for name in definite)
    assert len(definite) < 10 < 100 < len(contradictory)


def test_the_second_pass_writes_nothing(passes: Passes) -> None:
    assert (passes.second.writes, passes.writes) == (0, 0)
    assert passes.second.queue_left == 0


def _load(base_url: str, documents: Iterable[dict[str, Any]]) -> None:
    """Store resources in batches, each taken by the server or the test ends here."""
    entries = (
        {
            "resource": one,
            "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"},
        }
        for one in documents
    )
    with requests.Session() as session:
        session.trust_env = False
        while some := list(islice(entries, _ENTRIES_AT_ONCE)):
            bundle = {"resourceType": "Bundle", "type": "batch", "entry": some}
            answer = session.post(
                base_url,
                data=write_json(bundle),
                headers={"Content-Type": "application/fhir+json"},
                timeout=_TIMEOUT_SECONDS,
            )
            answer.raise_for_status()
            refused = Counter(
                one["response"]["status"]
                for one in answer.json()["entry"]
                if not one["response"]["status"].startswith("201")
            )
            assert not refused, refused
