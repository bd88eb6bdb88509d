"""The metamorphic laws of E: 10,000 shuffles of the same content give the same derived bytes.

Order of entries and of keys, whitespace, page size, repeated delivery and results of other kinds say nothing.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from adapter.fhir.strict_json import canonical, read_json
from adapter.ports import JsonObject
from adapter.sync.planning.plan import plan
from adapter.sync.planning.reconcile import reconcile
from adapter.sync.reading.pool import Gathered, Pool
from adapter.transport.bundles import page_of
from tests.fakes.clock import START
from tests.fakes.site import Site
from tests.workloads.content import unrelated
from tests.workloads.seeded import Workload

SHUFFLES, CONTENTS = 10_000, 100
URL = "https://ehr.test/fhir"
_BLANKS = ("", " ", "\n", "\t ", " \r\n  ")


def contents_of(seed: int) -> list[JsonObject]:
    """One patient after a life of edits: results with their versions, and specimens."""
    workload = Workload(seed)
    workload.begin(1)
    list(workload.edits(6))
    return [
        {**one, "meta": {"versionId": "1", "lastUpdated": START.isoformat()}}
        for one in workload.stands.values()
    ]


def shuffled(value: Any, dice: random.Random) -> Any:
    """The same JSON with its keys in another order; the order of a list means something, and stays."""
    if isinstance(value, dict):
        keys = list(value)
        dice.shuffle(keys)
        return {key: shuffled(value[key], dice) for key in keys}
    return [shuffled(item, dice) for item in value] if isinstance(value, list) else value


def as_pages(resources: Sequence[JsonObject], dice: random.Random) -> Iterator[bytes]:
    """Searchsets as another server might send them."""
    patients = [one["id"] for one in resources if one["resourceType"] == "Patient"]
    sent = [one for one in resources if one["resourceType"] != "Patient"]
    sent += dice.choices(sent, k=dice.randrange(4)) if sent else []
    sent += [unrelated(f"other-{number}", patients[0]) for number in range(dice.randrange(3))]
    dice.shuffle(sent)
    size = dice.randint(1, 8)
    for start in range(0, len(sent), size):
        entries = [
            {
                "resource": one,
                "search": {"mode": "match" if one["resourceType"] == "Observation" else "include"},
            }
            for one in sent[start : start + size]
        ]
        bundle = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
        separators = (f",{dice.choice(_BLANKS)}", f":{dice.choice(_BLANKS)}")
        text = json.dumps(
            shuffled(bundle, dice),
            separators=separators,
            indent=dice.choice([None, 1, "\t"]),
            ensure_ascii=dice.random() < 0.5,
        )
        yield text.encode()


def derived_bytes(pages: Iterator[bytes], site: Site) -> list[bytes]:
    """Take the pages in as a pass does, and give every body that it would write."""
    pool = Pool()
    for page in pages:
        pool.add_results(page_of(read_json(page), "Observation"), URL)
    patients = frozenset(one["subject"]["reference"] for one in pool.results.values())
    gathered = Gathered(patients, tuple(pool.results.values()), tuple(pool.related.values()))
    parts = site.parts
    found = reconcile(gathered, parts.catalogue, parts.context.policy, base_url=URL)
    context = replace(parts.context, now=START, base_urls=(URL,))
    return [canonical(one.body) for one in plan(found.desired, found.standing, context) if one.body]


def test_what_says_nothing_changes_no_byte(record_property: Callable[[str, object], None]) -> None:
    record_property("promise", "shuffles")
    dice, site = random.Random(11), Site()
    differing = written = 0
    for seed in range(CONTENTS):
        resources = contents_of(seed)
        wanted = derived_bytes(as_pages(resources, random.Random(seed)), site)
        written += len(wanted)
        for _ in range(SHUFFLES // CONTENTS):
            differing += derived_bytes(as_pages(resources, dice), site) != wanted
    record_property(
        "figure",
        f"{SHUFFLES:,} shuffles of {CONTENTS} contents with {written} derived results: {differing} differ",
    )
    assert differing == 0
    assert written > CONTENTS / 2, "nothing is derived, so nothing is shown"


def test_a_whole_pass_writes_the_same_from_pages_of_any_size_and_order() -> None:
    written = set()
    for seed in range(40):
        dice = random.Random(seed)
        site = Site()
        site.server.page_size = dice.randint(1, 9)
        begun = list(Workload(3).begin(4).put)
        # A specimen of a specimen, and a result of it, may well be sent before what they name.
        dice.shuffle(begun)
        for one in begun:
            site.server.put(one)
        site.settle()
        bodies = sorted(
            canonical({key: value for key, value in one.items() if key not in ("meta", "issued")})
            for one in site.derived()
        )
        written.add(tuple(bodies))

    assert len(written) == 1
    assert next(iter(written))
