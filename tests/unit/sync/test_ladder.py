"""The same results stand on every kind of server, once each and with one Provenance for each version.

Protects B1, B2, B4, B7 and B8: the rung is found by trying and remembered, duplicates are repaired with bounded writes,
a pair is never split, and a Provenance names the id that the server gave.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from dataclasses import replace

import pytest

from adapter.errors import PermanentServerError, UnknownOutcome
from adapter.fhir.identity import case_identifier, category_of
from adapter.ports import EntryOutcome, JsonObject
from adapter.sync.cycle import PassReport, SyncOptions
from adapter.sync.measured import MeasuredTarget, Measurement, remember
from adapter.sync.options import SendLimits
from adapter.sync.strategy import WriteManner, WriteStrategy, manner_from
from adapter.sync.writing.ladder import FOUND, Ladder
from tests.fakes.clock import START
from tests.fakes.habits import Habits, Transactions
from tests.fakes.server import Fault
from tests.fakes.site import Site
from tests.fakes.store import MemoryStore

SERVERS: dict[str, Habits] = {
    "client-ids": Habits(),
    "conditional-update": Habits(client_ids=False),
    "conditional-create": Habits(client_ids=False, conditional_update=False),
    "client-ids, no transactions": Habits(transactions=Transactions.NONE),
    "no transactions, said as 400": Habits(
        transactions=Transactions.NONE, refusal_of_transactions=400
    ),
    "client-ids, batches": Habits(transactions=Transactions.BATCH),
    "conditional-update, no transactions": Habits(client_ids=False, transactions=Transactions.NONE),
    "conditional-create, no transactions": Habits(
        client_ids=False, conditional_update=False, transactions=Transactions.NONE
    ),
    "conditional-create, batches": Habits(
        client_ids=False, conditional_update=False, transactions=Transactions.BATCH
    ),
    "bundles of five": Habits(max_entries=5),
    "bundles of one": Habits(max_entries=1),
}
WAITING = 10_000 if os.environ.get("HER2_PROVE") == "full" else 600
every_server = pytest.mark.parametrize("habits", SERVERS.values(), ids=SERVERS.keys())


def site_with(habits: Habits, patients: int = 4, **limits: object) -> Site:
    site = Site(options=SyncOptions(send=SendLimits(**limits)))  # type: ignore[arg-type]
    site.server.habits = replace(habits)
    for number in range(patients):
        site.laboratory.ihc(f"p{number:03}", "1+")
    return site


def active(site: Site) -> Counter[str]:
    """Identity → how many of it stand and are not withdrawn."""
    return Counter(
        case_identifier(one) or "" for one in site.derived() if one["status"] != "entered-in-error"
    )


def assert_pairs(site: Site) -> None:
    """One Provenance for each version of each derived Observation, and none of anything else."""
    of_each = Counter(one["target"][0]["reference"] for one in site.server.all("Provenance"))
    expected = {
        f"Observation/{one['id']}": len(site.server.history(f"Observation/{one['id']}"))
        for one in site.derived()
    }
    assert of_each == expected
    assert {len(site.server.history(f"Provenance/{one['id']}")) for one in provenances(site)} <= {1}


def provenances(site: Site) -> list[JsonObject]:
    return site.server.all("Provenance")


@every_server
def test_every_kind_of_server_ends_with_one_result_and_one_provenance_each(habits: Habits) -> None:
    site = site_with(habits)
    site.settle()
    site.laboratory.amend("Observation/ihc-p000-a", "3+")
    site.laboratory.take_back("Observation/ihc-p001-a")
    site.settle()
    assert site.categories() == {"p000": "positive", "p002": "low", "p003": "low"}
    assert set(active(site).values()) == {1}
    assert len(site.derived()) == 4
    assert_pairs(site)
    assert site.store.parked() == ()
    assert len(site.server.all("Device")) == 1


@every_server
def test_ten_quiet_passes_write_nothing_on_any_server(habits: Habits) -> None:
    site = site_with(habits)
    site.settle()
    site.clock.advance(hours=1)
    before = site.server.writes
    reports = [site.run(full_sweep=number % 2 == 0) for number in range(10)]
    assert [report.writes for report in reports] == [0] * 10
    assert site.server.writes == before


@every_server
def test_a_new_process_knows_the_rung_that_was_found(habits: Habits) -> None:
    site = site_with(habits)
    site.settle()
    site.restart()
    site.laboratory.amend("Observation/ihc-p000-a", "3+")
    calls = len(site.server.calls)
    report = site.run()
    assert report.writes == 2
    refused = [
        one for one in site.server.calls[calls:] if one.startswith("PUT Device/her2-adapter")
    ]
    assert refused == []
    assert_pairs(site)


def test_a_provenance_names_the_id_that_the_server_gave() -> None:
    site = site_with(SERVERS["conditional-create"], 1)
    site.settle()
    (one,) = site.derived()
    (provenance,) = provenances(site)
    assert one["id"].startswith("srv-")
    assert provenance["target"] == [{"reference": f"Observation/{one['id']}"}]
    (device,) = site.server.all("Device")
    assert one["device"] == {"reference": f"Device/{device['id']}"}
    assert provenance["agent"][0]["who"] == {"reference": f"Device/{device['id']}"}


@pytest.mark.parametrize("name", ["conditional-update", "conditional-create", "bundles of five"])
def test_every_pass_says_how_it_writes_where_that_is_not_the_surest_way(name: str) -> None:
    site = site_with(SERVERS[name], 1)
    said = [one for one in site.run().warnings if "lets nobody choose ids" in one]
    assert len(said) == ("conditional" in name)
    assert all(name in one for one in said)


def test_a_rung_that_was_asked_for_is_not_left() -> None:
    site = site_with(SERVERS["conditional-create"], 1, strategy=WriteStrategy.CLIENT_IDS)
    with pytest.raises(PermanentServerError):
        site.run()
    assert site.derived() == []


def test_transactions_that_were_asked_for_are_not_done_without() -> None:
    site = site_with(SERVERS["client-ids, no transactions"], 1, atomic=True)
    with pytest.raises(PermanentServerError):
        site.run()
    assert site.derived() == []


@pytest.mark.parametrize("name", ["client-ids", "conditional-update", "conditional-create"])
def test_a_first_case_whose_provenance_is_refused_is_parked_whole(name: str) -> None:
    site = site_with(SERVERS[name], 1)
    site.server.refuse = lambda resource: (
        "no such thing" if resource["resourceType"] == "Provenance" else None
    )
    assert len(site.run().parked) == 1
    assert site.derived() == []
    site.server.refuse = lambda _: None
    site.laboratory.fish("p0", "Amplified")
    site.settle()
    assert_pairs(site)


def test_single_writes_can_be_asked_for() -> None:
    site = site_with(Habits(), 3, atomic=False)
    site.settle()
    assert site.server.bundles == []
    assert_pairs(site)


def test_a_server_that_refuses_every_rung_refuses_the_device_and_nothing_is_remembered() -> None:
    site = site_with(Habits(), 1)
    site.server.refuse = lambda resource: (
        "no devices" if resource["resourceType"] == "Device" else None
    )
    with pytest.raises(PermanentServerError):
        site.run()
    assert site.store.setting(FOUND) is None
    site.server.refuse = lambda _: None
    site.settle()
    assert site.only()["id"] == case_identifier(site.only())


# What was measured, and what was learned.

TARGET = "https://ehr.test/fhir"


def ladder(store: MemoryStore, **limits: object) -> Ladder:
    return Ladder(store, TARGET, SendLimits(**limits))  # type: ignore[arg-type]


def measure(store: MemoryStore, target: MeasuredTarget, url: str = TARGET) -> None:
    remember(store, target, Measurement(url, START))


def test_the_doctors_measurement_is_taken_where_nothing_was_learned_since() -> None:
    store = MemoryStore()
    measure(store, MeasuredTarget(WriteStrategy.CONDITIONAL_CREATE, atomic=False, max_entries=20))
    measured = WriteManner(WriteStrategy.CONDITIONAL_CREATE, atomic=False, max_entries=20)
    assert ladder(store).manner == measured
    assert ladder(store, strategy=WriteStrategy.CLIENT_IDS, atomic=True).manner == WriteManner(
        max_entries=20
    )


def test_what_was_learned_holds_until_the_server_is_measured_anew_or_is_another_one() -> None:
    store = MemoryStore()
    ladder(store).send_singly()
    assert not ladder(store).manner.atomic
    assert Ladder(store, "https://other.test/fhir", SendLimits()).manner.atomic
    measure(store, MeasuredTarget(WriteStrategy.CLIENT_IDS, atomic=True, max_entries=None))
    assert ladder(store).manner.atomic


def test_what_was_measured_of_another_server_is_not_believed_of_this_one() -> None:
    store = MemoryStore()
    other = MeasuredTarget(WriteStrategy.CONDITIONAL_CREATE, atomic=False, max_entries=None)
    measure(store, other, "https://other.test/fhir")
    assert ladder(store).manner == WriteManner()


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "no JSON",
        "[]",
        "{}",
        '{"strategy": "by-post", "atomic": true, "max_entries": null}',
        '{"strategy": "client-ids", "atomic": "yes", "max_entries": null}',
        '{"strategy": "client-ids", "atomic": true, "max_entries": 0}',
        '{"strategy": "client-ids", "atomic": true, "max_entries": true}',
        '{"strategy": "client-ids", "atomic": true}',
    ],
)
def test_what_was_learned_and_cannot_be_read_is_forgotten(text: str | None) -> None:
    assert manner_from(text) is None


@pytest.mark.parametrize("strategy", WriteStrategy)
def test_a_manner_comes_back_from_its_text(strategy: WriteStrategy) -> None:
    manner = WriteManner(strategy, atomic=False, max_entries=7)
    assert manner_from(manner.as_text()) == manner


# B2: duplicates, made by a race or standing there already.


@pytest.mark.parametrize("name", ["conditional-update", "conditional-create"])
@pytest.mark.parametrize("writers", [2, 4, 8])
def test_racing_writers_on_conditions_that_are_not_unique_end_without_a_duplicate(
    name: str, writers: int
) -> None:
    chance = random.Random(f"{name} {writers}")
    first = site_with(SERVERS[name], 12, batch_cases=3)
    server = first.server
    server.habits.is_blind = lambda: chance.random() < 0.5
    others = [Site(server=server, options=first.options) for _ in range(writers - 1)]
    # Each writer is stopped before its first transaction, when it has read and planned, by the next one.
    waiting = list(others)

    def next_one() -> None:
        if waiting:
            waiting.pop().run()

    server.before_transaction = next_one
    first.run()
    made = len(first.derived())
    server.habits.is_blind = lambda: False
    server.before_transaction = lambda: None
    for site in (first, *others):
        site.settle()
    assert made > 12, "the race made no duplicate: nothing was tested"
    assert set(active(first).values()) == {1}
    assert len(active(first)) == 12
    assert_pairs(first)
    assert [site.run(full_sweep=True).writes for site in (first, *others)] == [0] * writers


def test_a_copy_that_a_race_made_is_looked_at_again_at_once() -> None:
    site = site_with(SERVERS["conditional-create"], 1)
    other = Site(server=site.server, options=site.options)

    def other_first() -> None:
        site.server.before_transaction = lambda: None
        other.run()
        site.server.habits.is_blind = lambda: True

    site.server.before_transaction = other_first
    report = site.run()
    site.server.habits.is_blind = lambda: False
    assert len(site.derived()) == 2
    assert (report.signals["duplicate-made"], report.signals["replanned"]) == (1, 1)
    assert site.run().actions["repair"] == 1
    assert set(active(site).values()) == {1}


@pytest.mark.parametrize("copies", [2, 3, 4, 5])
@pytest.mark.parametrize("name", ["client-ids", "conditional-create"])
def test_duplicates_that_stand_are_repaired_once_and_the_lowest_id_survives(
    name: str, copies: int
) -> None:
    site = site_with(SERVERS[name], 1)
    site.settle()
    survivor = site.only()
    for number in range(1, copies):
        site.server.put({**survivor, "id": f"zz-{number}"})
    before = site.server.writes
    reports: list[PassReport] = [site.run(full_sweep=True), site.settle()]
    repaired = [one["id"] for one in site.derived() if one["status"] == "entered-in-error"]
    assert sorted(repaired) == [f"zz-{number}" for number in range(1, copies)]
    assert reports[0].actions["repair"] == copies - 1
    assert site.server.writes - before == 2 * (copies - 1)
    assert [category_of(one) for one in site.derived() if one["id"] == survivor["id"]] == ["low"]


@pytest.mark.parametrize("shows_what_stands", [True, False])
@pytest.mark.parametrize("name", [name for name in SERVERS if "conditional" in name])
def test_a_result_that_others_have_deleted_comes_again_with_a_provenance_of_its_own(
    name: str, shows_what_stands: bool
) -> None:
    site = site_with(SERVERS[name], 1)
    site.settle()
    site.server.delete(f"Observation/{site.only()['id']}")
    site.server.returns_representation = shows_what_stands
    site.run(full_sweep=True)
    site.settle()
    assert len(site.provenances(site.only())) == 1
    assert site.run(full_sweep=True).writes == 0


# B8: bundles that are too big.


def test_many_waiting_cases_at_a_cap_of_seven_entries_land_in_whole_pairs() -> None:
    cases = WAITING
    site = site_with(Habits(max_entries=7), cases, batch_cases=25)
    site.run(backfill=True)
    assert len(site.derived()) == cases
    sizes = Counter(len(json.loads(body)["entry"]) for body in site.server.bundles)
    assert all(size % 2 == 0 for size in sizes)
    refused = sum(number for size, number in sizes.items() if size > 7)
    assert refused < 6, "the cap is learned, not met by every bundle"
    assert_pairs(site)


# B9: some are refused for good.


@every_server
def test_one_refusal_in_a_hundred_leaves_the_other_99_done_and_is_tried_no_more(
    habits: Habits,
) -> None:
    site = site_with(habits, 100)
    site.server.refuse = lambda resource: (
        "not in this house"
        if resource["resourceType"] == "Observation"
        and resource["subject"]["reference"] == "Patient/p042"
        else None
    )
    site.run(backfill=True)
    site.settle()
    assert len(site.derived()) == 99
    (parked,) = site.store.parked()
    assert (parked.patient, parked.attempts) == ("Patient/p042", 1)
    assert_pairs(site)


# B5: nobody knows whether it landed.


@every_server
@pytest.mark.parametrize("landed", [False, True], ids=["before-commit", "after-commit"])
def test_an_answer_that_is_lost_at_any_write_doubles_and_loses_nothing(
    habits: Habits, landed: bool
) -> None:
    site = site_with(habits, 2)
    site.settle()
    for at in range(4):
        site.laboratory.amend("Observation/ihc-p000-a", f"{(at + 2) % 4}+".replace("0+", "0"))
        site.laboratory.ihc(f"new{at}", "1+")
        site.server.faults = [*[None] * at, Fault(UnknownOutcome("cut off"), landed=landed)]
        site.run()
        site.server.faults = []
        site.settle()
    assert len(site.derived()) == 6
    assert_pairs(site)


# One refusal changes nothing for good.


def refused(status: int) -> Fault:
    return Fault(PermanentServerError(f"the server answered {status}", status=status))


def manner_of(site: Site) -> WriteManner:
    return Ladder(site.store, site.server.base_url, site.options.send).manner


@pytest.mark.parametrize("status", [404, 405, 400, 412, 422])
@pytest.mark.parametrize("times", [1, 4], ids=["once", "for-a-pass"])
def test_a_rung_that_was_proved_is_not_left_for_a_refusal_of_the_device(
    status: int, times: int
) -> None:
    site = site_with(Habits(), 1)
    site.settle()
    site.context = replace(site.context, software_version="0.2.0")
    site.restart()
    site.laboratory.ihc("new", "3+")
    site.server.faults = [refused(status)] * times
    with pytest.raises(PermanentServerError):
        site.run()
    site.server.faults = []
    site.settle()
    assert manner_of(site).strategy is WriteStrategy.CLIENT_IDS
    assert {one["id"] for one in site.derived()} == {case_identifier(one) for one in site.derived()}
    assert_pairs(site)


def test_the_first_rung_is_not_left_for_one_refusal() -> None:
    site = site_with(Habits(), 1)
    site.server.faults = [refused(404)]
    site.settle()
    assert manner_of(site) == WriteManner()
    assert site.only()["id"] == case_identifier(site.only())
    assert len(site.server.all("Device")) == 1


@pytest.mark.parametrize("status", [404, 400, 405, 501])
@pytest.mark.parametrize("cases", [1, 3])
def test_transactions_that_were_proved_are_not_given_up_for_a_pass_of_refusals(
    status: int, cases: int
) -> None:
    site = site_with(Habits(), cases)
    site.settle()
    site.restart()
    for number in range(cases):
        site.laboratory.amend(f"Observation/ihc-p{number:03}-a", "3+")
    transacted = site.server.transact

    def refuse(bundle: bytes) -> tuple[EntryOutcome, ...]:
        raise refused(status).error

    site.server.transact = refuse  # type: ignore[method-assign]
    for _ in range(2):
        with pytest.raises(PermanentServerError):
            site.run()
    site.server.transact = transacted  # type: ignore[method-assign]
    site.settle()
    assert manner_of(site).atomic
    assert set(site.categories().values()) == {"positive"}
    assert site.store.parked() == ()
    assert_pairs(site)


@pytest.mark.parametrize("status", [405, 501])
def test_transactions_that_were_never_tried_are_not_given_up_for_one_refusal(status: int) -> None:
    site = site_with(Habits(), 2)
    site.server.faults = [None, refused(status)]
    site.settle()
    assert manner_of(site).atomic
    assert_pairs(site)


@pytest.mark.parametrize(
    ("status", "times", "entries"),
    [(422, 1, None), (422, 2, 4), (413, 1, 4)],
    ids=["one-refusal", "two-refusals", "said-to-be-too-big"],
)
def test_bundles_are_held_short_only_where_that_was_said_or_seen_twice(
    status: int, times: int, entries: int | None
) -> None:
    site = site_with(Habits(), 8, batch_cases=4)
    site.server.faults = [None, refused(status), *([None, None, refused(status)] * (times - 1))]
    site.settle()
    assert manner_of(site).max_entries == entries
    assert len(site.derived()) == 8
    assert_pairs(site)
