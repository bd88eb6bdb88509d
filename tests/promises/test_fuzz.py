"""E: 100,000 resources spoilt in structure and in bytes go the way of a pass, and none is read as something it is not.

Of a spoilt place, what the oracle says without it may be said, or what it said before (a name that is only shown), or
nothing, or needs-review. Texts are fuzzed for themselves in tests/unit/fhir/test_text_fuzz.py.
"""

from __future__ import annotations

import copy
import gc
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from time import process_time
from typing import Any

import psutil
import pytest

from adapter.errors import InputError
from adapter.fhir.reasons import SENTENCES
from adapter.fhir.strict_json import read_json
from adapter.her2.policy import ASCO_CAP_2023
from adapter.sync.planning.reconcile import NO_PATIENT, reconcile
from adapter.sync.reading.pool import Gathered
from adapter.transport.bundles import page_of
from tests.fakes.site import catalogue
from tests.oracle import NotCovered, expected
from tests.promises.spoiling import (
    REFUSED,
    Json,
    Path,
    Spoilt,
    as_bytes,
    change_bytes,
    removed,
    spoil_structure,
)
from tests.workloads.content import ANSWERS, result, specimen

FULL = os.environ.get("HER2_PROVE") == "full"
RESOURCES = 1_000_000 if FULL else 100_000
LIMIT_SECONDS = 1.0
LIMIT_GROWTH = 300 * 1024 * 1024
CODES = {
    *("too-large", "too-deep", "byte-order-mark", "not-utf8", "malformed-json", "trailing-text"),
    *("duplicate-key", "not-a-number", "number-out-of-range", "lone-surrogate", "nul-character"),
    "not-an-object",
}
"""The closed list of docs: a document is refused with one of these."""
Categories = frozenset[str]
"""Of the samples of the patient; empty where nothing stands."""


def bases() -> list[list[Json]]:
    """Every sample to begin with: one result, or IHC beside ISH, with its specimen."""
    block = specimen("p0-a", "p0")
    alone = [
        [result(slot, answer, of="p0", sample="p0-a"), block]
        for slot in ("ihc", "ish", "overall")
        for answer in ANSWERS[slot]
    ]
    pairs = [
        [
            result("ihc", ihc, of="p0", sample="p0-a"),
            result("ish", ish, of="p0", sample="p0-a"),
            block,
        ]
        for ihc in ("0", "1+", "2+", "3+", "Negative")
        for ish in ("Amplified", "Not amplified", "G1", "G4", "Negative")
    ]
    return [*alone, *pairs]


def by_adapter(resources: Sequence[Json]) -> Categories:
    """Go the way of a pass: take in a page, recognise, group, classify; each reason must be a known one."""
    modes = ["match"] * (len(resources) - 1) + ["include"]
    entries = [
        {"resource": one, "search": {"mode": mode}}
        for one, mode in zip(resources, modes, strict=True)
    ]
    page = page_of({"resourceType": "Bundle", "type": "searchset", "entry": entries}, "Observation")
    found = reconcile(
        Gathered(frozenset({"Patient/p0"}), page.matches, page.included),
        catalogue(),
        ASCO_CAP_2023,
        base_url="https://ehr.test/fhir",
    )
    for one in found.recognised:
        assert one.reason.code in SENTENCES, one.reason.code
    assert sum(found.outcomes.values()) == found.fetched
    assert all(one.reason in KNOWN for one in found.set_aside), found.set_aside
    return frozenset(
        one.classification.category.value
        for one in found.desired
        if one.classification.category.is_written
    )


KNOWN = {*SENTENCES, NO_PATIENT, "entered-in-error", "cancelled", "not-final", "nothing-usable"} | {
    *("report-withdrawn", "replaced-by-repeat", "not-breast", "ihc-preliminary", "other-tumour"),
}


def by_oracle(resources: Sequence[Json]) -> Categories | None:
    """What must stand; None where the oracle does not know this content, or cannot even walk through it."""
    try:
        return frozenset(one.category for one in expected(resources).records)
    except (
        NotCovered,
        KeyError,
        TypeError,
        AttributeError,
        ValueError,
        IndexError,
        ArithmeticError,
    ):
        return None


def may_be_said(spoilt: Spoilt, before: Categories) -> Categories:
    """Which categories may stand beside nothing and needs-review."""
    if spoilt.kind == "harmless":
        return before
    after = by_oracle(spoilt.resources)
    if after is not None:
        return after
    if spoilt.kind == "withheld":
        return by_oracle(spoilt.resources[1:]) or frozenset()
    return without_each_part(spoilt, before)


def without_each_part(spoilt: Spoilt, before: Categories) -> Categories:
    """What the oracle says without the spoilt place, without what holds it, and so on to the resource.

    Before it may be said only where the place is shown and not read: whose it is, and whether it is final, is read.
    """
    path, index = spoilt.path, spoilt.index
    is_read = path in READ and spoilt.resources[index].get("resourceType") != "Specimen"
    allowed = set() if is_read else set(before)
    places = [(index, path[:length]) for length in range(len(path), 0, -1)]
    if path[:1] == ("code",) and "valueCodeableConcept" in spoilt.original[index]:
        places.append((index, ("valueCodeableConcept",)))  # not HER2's value then; numbers may be
    for place in [*places, (index, ())]:
        allowed |= by_oracle(_without(spoilt.original, *place)) or frozenset()
    return frozenset(allowed)


READ: frozenset[Path] = frozenset(
    {("status",), ("subject",), ("subject", "reference"), ("resourceType",), ("id",)}
)


def _without(resources: Sequence[Json], index: int, path: Path) -> list[Json]:
    left = copy.deepcopy(list(resources))
    if path:
        removed(left[index], path)
    else:
        del left[index]
    return left


def places_that_differ(old: Any, new: Any, path: Path) -> Iterator[Path]:
    """Name every place of the old one that is not as it was, from the outermost."""
    if old == new:
        return
    yield path
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old:
            yield from places_that_differ(old[key], new.get(key), (*path, key))
    if isinstance(old, list) and isinstance(new, list):
        for number, item in enumerate(old):
            yield from places_that_differ(item, dict(enumerate(new)).get(number), (*path, number))


class Fuzz:
    """One run: counts, and what must not be."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.wrong: list[Any] = []
        self.slowest = 0.0
        self.bases = [(base, by_oracle(base)) for base in bases()]

    def structure(self) -> None:
        """Spoil one place, write it as bytes, read it strictly, and go the way of a pass."""
        base, before = self.random.choice(self.bases)
        assert before is not None
        spoilt = spoil_structure(base, self.random)
        resources = self.timed(lambda: [read_json(as_bytes(one)) for one in spoilt.resources])
        said = self.timed(lambda: by_adapter(resources))
        allowed = may_be_said(spoilt, before)
        if spoilt.kind == "harmless" and said != before:
            self.wrong.append((spoilt.name, base, sorted(said), sorted(before)))
        self.judge(said, allowed, (spoilt.name, spoilt.path, spoilt.resources[spoilt.index]))

    def refused(self) -> None:
        """Make what no document may be; it must be refused with a known code."""
        base, _ = self.random.choice(self.bases)
        name, spoil = self.random.choice(REFUSED)
        data = spoil(as_bytes(base[0]), self.random)
        code = self.timed(lambda: self.code_of(data))
        if code is None:
            self.wrong.append((name, data[:300]))

    def changed_bytes(self) -> None:
        """Change some bytes; what still reads well is judged as it reads."""
        base, before = self.random.choice(self.bases)
        data = change_bytes(as_bytes(base[0]), self.random)
        if self.timed(lambda: self.code_of(data)) is not None:
            return
        resources = [read_json(data), *(read_json(as_bytes(one)) for one in base[1:])]
        said = self.timed(lambda: by_adapter(resources))
        after = by_oracle(resources)
        if after is None:
            after = self.without_what_differs(resources, base, before or frozenset())
        self.counts["read although changed"] += 1
        self.judge(said, after, data)

    def without_what_differs(
        self, resources: Sequence[Json], base: Sequence[Json], before: Categories
    ) -> Categories:
        """Judge changed bytes by the places where they made a difference."""
        old, new = read_json(as_bytes(base[0])), resources[0]
        allowed: frozenset[str] = before | (by_oracle(base[1:]) or frozenset())
        differing = [key for key in old if key not in new or old[key] != new[key]]
        if "code" in differing and "valueCodeableConcept" in old:
            differing.append("valueCodeableConcept")  # not HER2's value then; numbers may be
        for number in range(1, len(differing) + 1):
            for keys in combinations(differing, number):
                left = {key: value for key, value in old.items() if key not in keys}
                allowed |= by_oracle([left, *base[1:]]) or frozenset()
        for key in differing:
            for path in places_that_differ(old[key], new.get(key), (key,)):
                allowed |= by_oracle(_without([old, *base[1:]], 0, path)) or frozenset()
        return allowed

    def code_of(self, data: bytes) -> str | None:
        """The reason code of a document that is refused; None where it is read."""
        try:
            read_json(data)
        except InputError as error:
            code = error.code
        else:
            return None
        assert code in CODES, code
        self.counts["refused"] += 1
        return code

    def judge(self, said: Categories, allowed: Categories, what: Any) -> None:
        """Note a category that the oracle does not give."""
        self.counts["read"] += 1
        self.counts["decided"] += bool(said - {"needs-review"})
        if not said <= allowed | {"needs-review"}:
            self.wrong.append((what, sorted(said), sorted(allowed)))

    def timed(self, work: Callable[[], Any]) -> Any:
        """Do some work; processor time, so that a busy machine counts for nothing."""
        began = process_time()
        done = work()
        self.slowest = max(self.slowest, process_time() - began)
        return done


def test_no_spoilt_resource_is_read_as_what_it_is_not(
    record_property: Callable[[str, object], None],
) -> None:
    record_property("promise", "fuzz")
    fuzz = Fuzz(seed=5)
    for _ in range(200):
        fuzz.structure()  # vocabulary and caches are loaded before memory is measured
    gc.collect()
    process = psutil.Process()
    memory = process.memory_info().rss
    kinds = (fuzz.structure, fuzz.changed_bytes, fuzz.refused)
    for _ in range(RESOURCES):
        fuzz.random.choices(kinds, (5, 3, 2))[0]()
    growth = process.memory_info().rss - memory

    record_property(
        "figure",
        f"{RESOURCES:,} fuzzed resources: {len(fuzz.wrong)} categories that the oracle does not give, "
        f"0 tracebacks, slowest {fuzz.slowest * 1000:.0f} ms, memory +{growth / 2**20:.0f} MiB; "
        + ", ".join(f"{number:,} {what}" for what, number in sorted(fuzz.counts.items())),
    )
    assert fuzz.wrong[:5] == []
    assert fuzz.slowest < LIMIT_SECONDS
    assert growth < LIMIT_GROWTH
    assert fuzz.counts["decided"] > RESOURCES / 10, "a fuzz that decides nothing shows nothing"


@pytest.mark.parametrize(("name", "spoil"), REFUSED, ids=[name for name, _ in REFUSED])
def test_each_broken_document_is_refused_with_a_known_code(
    name: str, spoil: Callable[[bytes, random.Random], bytes]
) -> None:
    whole = as_bytes(result("ihc", "1+", of="p0", sample="p0-a"))
    read_json(whole)

    with pytest.raises(InputError) as refused:
        read_json(spoil(whole, random.Random(name)))

    assert refused.value.code in CODES
