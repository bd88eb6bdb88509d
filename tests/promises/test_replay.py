"""Every derived result names what it came from, and derived again from that it says the same (S16)."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

from adapter.offline.replay import Replayer
from adapter.offline.verdict import Agreement
from adapter.sync.options import ReadLimits
from tests.fakes.site import Site

HOSPITALS = 20
PATIENTS = 50


def hospital(dice: random.Random) -> Site:
    """Patients of whom a third were amended, and some since to what the adapter has not read yet."""
    site = Site()
    for number in range(PATIENTS):
        site.laboratory.ihc(f"p{number}", dice.choice(["0", "1+", "2+", "3+"]))
        if dice.random() < 0.5:
            site.laboratory.fish(f"p{number}", dice.choice(["Positive", "Negative", "Equivocal"]))
    site.settle()
    for number in dice.sample(range(PATIENTS), PATIENTS // 3):
        site.laboratory.amend(f"Observation/ihc-p{number}-a", dice.choice(["1+", "2+", "3+"]))
    site.settle()
    for number in dice.sample(range(PATIENTS), PATIENTS // 10):
        site.laboratory.amend(f"Observation/ihc-p{number}-a", dice.choice(["0", "2+"]))
    return site


def test_a_thousand_results_follow_from_the_versions_that_they_name(
    record_property: Callable[[str, object], None],
) -> None:
    record_property("promise", "replay")
    dice = random.Random(16)
    found: Counter[str] = Counter()
    for _ in range(HOSPITALS):
        site = hospital(dice)
        replayer = Replayer(site.parts, ReadLimits())
        for name in replayer.all_of_ours():
            verdict = replayer.verify(name)
            found["results"] += 1
            found["sources"] += len(verdict.sources)
            found["versioned"] += sum("/_history/" in source for source in verdict.sources)
            found["resolved"] += sum(site.server.read(one) is not None for one in verdict.sources)
            found["same"] += verdict.stored == verdict.derived
            found["agree"] += verdict.agreement is Agreement.AGREES
    record_property(
        "figure",
        f"{found['results']:,} derived results: {found['resolved']:,} of {found['sources']:,} source "
        f"versions found, {found['same']:,} the same category, {found['agree']:,} the same bytes",
    )
    assert found["results"] == HOSPITALS * PATIENTS
    assert found["sources"] == found["versioned"] == found["resolved"] > found["results"]
    assert (found["same"], found["agree"]) == (found["results"], found["results"])
