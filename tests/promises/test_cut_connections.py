"""The connection is cut before, while and after the server commits (B5): nothing is lost and nothing doubled.

In transactions and one write at a time, on every rung. By hand 1,000 cuts of each kind, in CI a share of them.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from adapter.errors import TemporaryServerError, UnknownOutcome
from tests.fakes.habits import Habits, Transactions
from tests.fakes.server import Fault
from tests.fakes.site import Site
from tests.oracle.content import content_of_fake
from tests.oracle.differences import differences

CUTS = 1_000 if os.environ.get("HER2_PROVE") == "full" else 20
KINDS: dict[str, Fault] = {
    "before the commit": Fault(UnknownOutcome("cut off")),
    "while it commits": Fault(TemporaryServerError("500", status=500), landed=True),
    "after the commit": Fault(UnknownOutcome("cut off"), landed=True),
}
FORMS: dict[str, Habits] = {
    "transactions, client-ids": Habits(),
    "transactions, conditional-update": Habits(client_ids=False),
    "transactions, conditional-create": Habits(client_ids=False, conditional_update=False),
    "single writes, client-ids": Habits(transactions=Transactions.NONE),
    "single writes, conditional-create": Habits(
        client_ids=False, conditional_update=False, transactions=Transactions.NONE
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", FORMS)
def test_a_cut_connection_loses_and_doubles_nothing(
    form: str, kind: str, record_property: Callable[[str, object], None]
) -> None:
    done = 0
    while done < CUTS:
        site = Site()
        site.server.habits = replace(FORMS[form])
        chance = random.Random(f"{form} {kind} {done}")
        site.laboratory.ihc("p0", "1+")
        site.settle()
        for number in range(20):
            site.laboratory.ihc(f"p{number // 4}", chance.choice(["0", "1+", "2+", "3+"]))
            site.laboratory.ihc(f"new{number}", "1+")
            site.server.faults = [*[None] * chance.randrange(4), KINDS[kind]]
            site.run()
            site.server.faults = []
            site.settle()
            done += 1
        assert differences(content_of_fake(site.server)) == [], (form, kind, done)
        assert site.store.parked() == ()
    record_property("promise", "network cuts at the port")
    record_property("figure", f"{form}, cut {kind}: {done} cuts, 0 lost, 0 doubled")
