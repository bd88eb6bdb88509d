"""Over HTTP: on every kind of server the oracle finds nothing lost, doubled, or without its Provenance.

Protects the ladder (B1), pairs without transactions (B7), caps (B8), writes accepted for later (B10).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from adapter.sandbox.server import Sandbox
from tests.live.adapter_under_test import AdapterUnderTest
from tests.live.laboratory import Laboratory
from tests.oracle.content import content_of
from tests.oracle.differences import differences
from tests.oracle.reading import is_own

HABITS: dict[str, Mapping[str, object]] = {
    "no ids of clients, 400": {"no-client-ids": "400"},
    "no ids of clients, 405": {"no-client-ids": "405"},
    "no ids, no conditional update": {"no-client-ids": "405", "no-conditional-update": "412"},
    "no transactions, 405": {"no-transactions": "405"},
    "no transactions, 400": {"no-transactions": "400"},
    "nothing but POST and PUT": {
        "no-client-ids": "405",
        "no-conditional-update": "405",
        "no-transactions": "404",
    },
    "transactions as batches": {"transactions-as-batches": "transaction-response"},
    "transactions as batches, throttled": {
        "transactions-as-batches": "transaction-response",
        "throttled-entries": "3",
    },
    "bundles of three entries": {"bundle-cap": "3"},
    "accepted for later": {"accepted-for-later": "2:done"},
    "If-Match ignored": {"if-match-ignored": True},
    "garbled answers": {"garbled-bundle-answers": "2"},
}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A strict little server with no habit yet."""
    with Sandbox() as made:
        yield made


@pytest.fixture
def laboratory(sandbox: Sandbox) -> Iterator[Laboratory]:
    """A laboratory that reports to it, before it takes on its habits."""
    made = Laboratory(sandbox.base_url)
    yield made
    made.close()


@pytest.fixture
def adapter(sandbox: Sandbox, tmp_path: Path) -> Iterator[AdapterUnderTest]:
    """One adapter with the settings it is shipped with."""
    made = AdapterUnderTest(sandbox.base_url, tmp_path / "state.sqlite")
    yield made
    made.stop()


def wrong(sandbox: Sandbox) -> list[str]:
    """What the oracle says of the server, asked without its habits."""
    sandbox.habits.choose({})
    return differences(content_of(sandbox.base_url))


@pytest.mark.parametrize("habits", HABITS.values(), ids=HABITS.keys())
def test_the_oracle_finds_nothing_wrong_on_a_server_with_these_habits(
    habits: Mapping[str, object],
    sandbox: Sandbox,
    laboratory: Laboratory,
    adapter: AdapterUnderTest,
) -> None:
    for patient, score in (("anna", "1+"), ("berta", "3+"), ("clara", "2+"), ("dora", "0")):
        laboratory.ihc(patient, score)
    sandbox.habits.choose(habits)
    adapter.settle()
    sandbox.habits.choose({})
    laboratory.fish("clara", "Negative")
    laboratory.ihc("emma", "1+")
    sandbox.habits.choose(habits)
    adapter.settle()
    assert wrong(sandbox) == []
    assert adapter.adapter.parts.store.parked() == ()
    ours = [one for one in content_of(sandbox.base_url).resources if is_own(one) and "code" in one]
    assert len(ours) == 5
    assert {one["id"] == one["identifier"][0]["value"] for one in ours} == {
        "no-client-ids" not in habits
    }
    assert adapter.run(full_sweep=True).writes == 0


@pytest.mark.parametrize("below", [{}, {"no-conditional-update": "405"}], ids=["update", "create"])
def test_adapters_that_race_on_conditions_leave_one_result_each(
    below: Mapping[str, object],
    sandbox: Sandbox,
    laboratory: Laboratory,
    tmp_path: Path,
) -> None:
    for number in range(6):
        laboratory.ihc(f"p{number}", "1+")
    sandbox.habits.choose({"no-client-ids": "405", "doubled-conditionals": "2", **below})
    adapters = [AdapterUnderTest(sandbox.base_url, tmp_path / f"{n}.sqlite") for n in range(3)]
    try:
        for one in adapters:
            one.run()
        sandbox.habits.choose({"no-client-ids": "405", **below})
        for one in (*adapters, *adapters):
            one.settle()
    finally:
        for one in adapters:
            one.stop()
    assert not [said for said in wrong(sandbox) if not said.startswith("provenance")]


def test_what_was_found_out_is_known_to_the_next_process(
    sandbox: Sandbox, laboratory: Laboratory, adapter: AdapterUnderTest
) -> None:
    laboratory.ihc("anna", "1+")
    sandbox.habits.choose({"no-client-ids": "405", "no-transactions": "405"})
    first = adapter.run()
    adapter.start()
    again = adapter.run()
    for report in (first, again):
        assert any("conditional-update" in one for one in report.warnings)
        assert any("one write at a time" in one for one in report.warnings)
