"""No identity stands twice in a bundle, whatever is planned: servers drop one of two silently (B3, HAPI #8183)."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.sync.cycle import SyncOptions
from adapter.sync.options import SendLimits
from tests.fakes.habits import Habits
from tests.fakes.server import FakeFhirServer
from tests.fakes.site import Site

results = st.lists(
    st.tuples(
        st.sampled_from(["anna", "berta"]),
        st.sampled_from(["a", "b"]),
        st.sampled_from(["0", "1+", "2+", "3+"]),
    ),
    min_size=1,
    max_size=10,
)
habits = st.sampled_from(
    [Habits(), Habits(client_ids=False), Habits(client_ids=False, conditional_update=False)]
)


def identities(body: bytes) -> Counter[tuple[str, str]]:
    """What every entry of a bundle would write."""
    requests = [entry["request"] for entry in json.loads(body)["entry"]]
    return Counter((one["url"], one.get("ifNoneExist", "")) for one in requests)


def check_bundles(server: FakeFhirServer) -> None:
    for body in server.bundles:
        assert set(identities(body).values()) == {1}
        for entry in json.loads(body)["entry"]:
            is_conditional = entry["request"]["url"].partition("/")[1] == ""
            assert ("id" in entry["resource"]) != is_conditional


@settings(max_examples=60, deadline=None)
@given(results, habits, st.integers(1, 6), st.booleans())
def test_whatever_is_sent_in_a_bundle_is_sent_once_and_no_condition_carries_an_id(
    several: list[tuple[str, str, str]], kind: Habits, batch_cases: int, copied: bool
) -> None:
    site = Site(options=SyncOptions(send=SendLimits(batch_cases=batch_cases)))
    site.server.habits = replace(kind)
    for patient, sample, score in several:
        site.laboratory.ihc(patient, score, sample=sample)
    site.settle()
    if copied:  # a copy of ours, as a race or another client makes one
        for one in site.derived():
            site.server.put({**one, "id": f"copy-{one['id']}"})
    for patient, sample, _ in several:
        site.laboratory.ihc(patient, "2+", sample=sample)
    site.run(full_sweep=True)
    site.settle()
    check_bundles(site.server)
