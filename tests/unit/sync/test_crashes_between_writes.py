"""Killed between any two writes on a server without transactions: no half of a pair is left after the next pass.

Protects P4 and P8 where nothing makes a pair land as one (B7), with the state kept and with the state lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from adapter.sync.cycle import SyncOptions
from adapter.sync.options import SendLimits
from tests.fakes.crash import CrashPoints, Killed
from tests.fakes.habits import Habits, Transactions
from tests.fakes.site import Site
from tests.fakes.store import MemoryStore

SERVERS = {
    "client-ids, no transactions": Habits(transactions=Transactions.NONE),
    "client-ids, batches": Habits(transactions=Transactions.BATCH),
    "conditional-update, no transactions": Habits(client_ids=False, transactions=Transactions.NONE),
    "conditional-create, no transactions": Habits(
        client_ids=False, conditional_update=False, transactions=Transactions.NONE
    ),
    "conditional-update, transactions": Habits(client_ids=False),
    "conditional-create, transactions": Habits(client_ids=False, conditional_update=False),
}


def site_in_mid_life(habits: Habits) -> Site:
    """One result stands; since then one was amended, one taken back, one is new."""
    site = Site(options=SyncOptions(send=SendLimits(batch_cases=4)))
    site.server.habits = replace(habits)
    for patient, score in (("anna", "1+"), ("berta", "3+"), ("clara", "2+")):
        site.laboratory.ihc(patient, score)
    site.settle()
    site.laboratory.amend("Observation/ihc-anna-a", "2+")
    site.laboratory.take_back("Observation/ihc-berta-a")
    site.laboratory.ihc("dora", "0")
    return site


def fresh_site(habits: Habits) -> Site:
    """Nothing stands yet, and the rung is not known."""
    site = Site(options=SyncOptions(send=SendLimits(batch_cases=4)))
    site.server.habits = replace(habits)
    for number in range(3):
        site.laboratory.ihc(f"p{number}", "1+")
    return site


def states(site: Site) -> Counter[tuple[object, ...]]:
    """What stands, without what depends on when it was written, and which id it was given."""
    return Counter(
        (
            one["identifier"][0]["value"],
            one["status"],
            one["valueCodeableConcept"]["coding"][0]["code"],
        )
        for one in site.derived()
    )


def unpaired(site: Site) -> Counter[str]:
    """Versions without their Provenance, and Provenances of no version, by Observation."""
    counted = Counter(one["target"][0]["reference"] for one in site.server.all("Provenance"))
    counted.subtract(
        {
            f"Observation/{one['id']}": len(site.server.history(f"Observation/{one['id']}"))
            for one in site.derived()
        }
    )
    return Counter({key: number for key, number in counted.items() if number})


RUNS = [
    *((fresh_site, name, False) for name in SERVERS),
    *((site_in_mid_life, name, False) for name in list(SERVERS)[:4]),
    *((fresh_site, name, True) for name in list(SERVERS)[2:4]),
    (site_in_mid_life, "client-ids, no transactions", True),
]


@pytest.mark.parametrize(
    ("make", "server", "loses"),
    RUNS,
    ids=[f"{make.__name__}-{name}{'-state-lost' * loses}" for make, name, loses in RUNS],
)
def test_no_half_of_a_pair_is_left_after_a_kill_at_any_step(
    make: Callable[[Habits], Site],
    server: str,
    loses: bool,
    record_property: Callable[[str, object], None],
) -> None:
    habits = SERVERS[server]
    clean, counting = make(habits), CrashPoints()
    clean.run_with(counting)
    clean.settle()
    expected = states(clean)
    assert not unpaired(clean)
    for step in range(1, counting.steps + 1):
        site = make(habits)
        with pytest.raises(Killed):
            site.run_with(CrashPoints(at=step))
        if loses:
            site.store = MemoryStore()
            site.clock.advance(hours=1)
        site.restart()
        site.settle()
        assert states(site) == expected, f"killed at step {step}"
        assert not unpaired(site), f"killed at step {step}"
    record_property("promise", "kills between two writes")
    record_property(
        "figure", f"{server}: {counting.steps} kills at the port, 0 halves of a pair left"
    )
