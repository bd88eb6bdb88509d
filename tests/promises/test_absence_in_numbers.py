"""A4, A5, A6: hidden is not deleted, deleted is withdrawn, and a narrowed scope withdraws nothing."""

from __future__ import annotations

import os
import random
from collections.abc import Callable

from adapter.sync.cycle import PassOutcome, SyncOptions
from adapter.sync.options import BrakeLimits
from tests.fakes.site import Site
from tests.oracle import content_of_fake, differences
from tests.workloads.content import patient, result, specimen

PATIENTS = 5_000 if os.environ.get("HER2_PROVE") == "full" else 500
Property = Callable[[str, object], None]


def hospital() -> Site:
    """As many patients, each with one result that is decided."""
    site = Site(options=SyncOptions(brakes=BrakeLimits(first_pass=2 * PATIENTS)))
    for number in range(PATIENTS):
        name = f"p{number}"
        site.server.put(patient(name))
        site.server.put(specimen(f"{name}-a", name))
        site.server.put(result("ihc", "1+", of=name, sample=f"{name}-a"))
    site.run()
    assert len(site.derived()) == PATIENTS
    return site


def sources() -> list[str]:
    return [f"Observation/p{number}-a-ihc" for number in range(PATIENTS)]


def withdrawn(site: Site) -> int:
    return sum(one["status"] == "entered-in-error" for one in site.derived())


def test_results_hidden_from_searches_for_minutes_are_never_withdrawn(
    record_property: Property,
) -> None:
    record_property("promise", "index lag")
    site, dice = hospital(), random.Random(3)
    until = {name: dice.uniform(0, 20) for name in sources()}
    for minute in range(0, 25, 5):
        site.server.hidden = {name for name, end in until.items() if end > minute}
        site.clock.advance(4 * 60)
        site.run(full_sweep=True)
    record_property(
        "figure",
        f"{PATIENTS:,} results hidden from searches for up to 20 minutes: {withdrawn(site)} withdrawn",
    )
    assert withdrawn(site) == 0
    assert differences(content_of_fake(site.server)) == []


def test_deleted_results_are_withdrawn_and_no_others(record_property: Property) -> None:
    record_property("promise", "deletions")
    site, gone = hospital(), PATIENTS // 10
    for name in random.Random(4).sample(sources(), gone):
        site.server.delete(name)
    site.run(full_sweep=True)
    site.clock.advance(700)
    assert site.run().outcome is PassOutcome.BRAKED
    site.cycle.show_brake()
    site.run(released_by="the operator")
    record_property("figure", f"{gone:,} of {PATIENTS:,} deleted: {withdrawn(site):,} withdrawn")
    assert withdrawn(site) == gone
    assert differences(content_of_fake(site.server)) == []


def test_a_scope_that_is_revoked_withdraws_nothing(record_property: Property) -> None:
    record_property("promise", "revoked scope")
    site = hospital()
    unseen = {name: site.server.versions.pop(name) for name in sources()}
    site.run(full_sweep=True)
    site.clock.advance(700)
    outcomes = [site.run().outcome for _ in range(3)]
    record_property(
        "figure",
        f"all {PATIENTS:,} results out of sight: {withdrawn(site)} withdrawn, the brake "
        f"held {outcomes.count(PassOutcome.BRAKED)} of 3 passes",
    )
    assert (withdrawn(site), outcomes) == (0, [PassOutcome.BRAKED] * 3)
    site.server.versions.update(unseen)
    site.run(full_sweep=True)
    assert differences(content_of_fake(site.server)) == []
