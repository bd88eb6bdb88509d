"""Each habit of a server: the page's line says so, and the adapter does the right thing because of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import pytest

from adapter.doctor.findings import Standing, Topic
from adapter.doctor.judge import advise
from adapter.doctor.remedies import remedies
from adapter.ports import SingleWrite
from adapter.sandbox.exchange import FhirRequest, FhirResponse
from adapter.sync.measured import MeasuredSource, MeasuredTarget
from adapter.sync.strategy import WriteStrategy
from tests.unit.doctor.conftest import Clinic

IDS, UPDATE, CREATE = (
    WriteStrategy.CLIENT_IDS,
    WriteStrategy.CONDITIONAL_UPDATE,
    WriteStrategy.CONDITIONAL_CREATE,
)
GOOD = MeasuredTarget(IDS, atomic=True, max_entries=None)
POLLS = MeasuredSource(500, 600.0, incremental=True)
CHOSEN_BY_SERVER = {"no-client-ids": "405"}


@dataclass(frozen=True)
class Expected:
    """A line of the page, and what is chosen."""

    topic: Topic
    works: bool | None
    says: str
    target: MeasuredTarget | None = GOOD
    source: MeasuredSource | None = POLLS


HABITS: dict[str, tuple[dict[str, str], Expected]] = {
    "none": ({}, Expected(Topic.CLIENT_IDS, True, "creates it under that id")),
    "a cache that honours no-cache": (
        {"search-cache": "60"},
        Expected(Topic.SEARCH_CACHE, True, "is honoured"),
    ),
    "index lag": (
        {"index-lag": "5"},
        Expected(Topic.INDEX_LAG, True, "both new and changed; a read gives it at once"),
    ),
    "long index lag": (
        {"index-lag": "300"},
        Expected(
            Topic.INDEX_LAG,
            True,
            "a read gives it at once",
            source=MeasuredSource(500, 960.0, incremental=True),
        ),
    ),
    "an index that never comes": (
        {"index-lag": "5000"},
        Expected(
            Topic.INDEX_LAG,
            False,
            "a new resource was not found within 400 s",
            source=MeasuredSource(500, 600.0, incremental=False),
        ),
    ),
    "no client ids": (
        CHOSEN_BY_SERVER,
        Expected(
            Topic.CLIENT_IDS,
            False,
            "refused (405): the server chooses ids",
            MeasuredTarget(UPDATE, atomic=True, max_entries=None),
        ),
    ),
    "neither client ids nor conditional updates": (
        {**CHOSEN_BY_SERVER, "no-conditional-update": "405"},
        Expected(
            Topic.CONDITIONAL_UPDATE,
            False,
            "refused (405)",
            MeasuredTarget(CREATE, atomic=True, max_entries=None),
        ),
    ),
    "conditional creates ignored": (
        {
            **CHOSEN_BY_SERVER,
            "no-conditional-update": "405",
            "no-conditional-create": "ignored",
        },
        Expected(Topic.CONDITIONAL_CREATE, False, "makes a second resource", None),
    ),
    "racing conditionals": (
        {**CHOSEN_BY_SERVER, "racing-conditionals": "0.3"},
        Expected(
            Topic.UPDATE_RACE,
            False,
            "resources of one identity",
            MeasuredTarget(UPDATE, atomic=True, max_entries=None),
        ),
    ),
    "conditionals that double": (
        {**CHOSEN_BY_SERVER, "doubled-conditionals": "1"},
        Expected(Topic.CONDITIONAL_UPDATE, False, "makes 2 resources at once", None),
    ),
    "no transactions": (
        {"no-transactions": "405"},
        Expected(
            Topic.TRANSACTION,
            False,
            "not carried out (405)",
            MeasuredTarget(IDS, atomic=False, max_entries=None),
        ),
    ),
    "transactions as batches": (
        {"transactions-as-batches": "transaction-response"},
        Expected(
            Topic.ATOMIC,
            False,
            "a batch by another name",
            MeasuredTarget(IDS, atomic=False, max_entries=None),
        ),
    ),
    "transactions as batches where the server chooses ids": (
        {**CHOSEN_BY_SERVER, "transactions-as-batches": "batch-response"},
        Expected(
            Topic.TRANSACTION,
            False,
            "not carried out",
            MeasuredTarget(UPDATE, atomic=False, max_entries=None),
        ),
    ),
    "short transactions": (
        {"bundle-cap": "20"},
        Expected(
            Topic.ENTRIES,
            False,
            "20 pass, 22 do not",
            MeasuredTarget(IDS, atomic=True, max_entries=20),
        ),
    ),
    "If-Match ignored": (
        {"if-match-ignored": ""},
        Expected(Topic.IF_MATCH, False, "an outdated version overwrites what stands"),
    ),
    "pages that expire": (
        {"lost-pages": "1"},
        Expected(Topic.PAGING, False, "expired between two pages"),
    ),
    "links to elsewhere": (
        {"foreign-next-links": "host"},
        Expected(Topic.PAGING, False, "leads to another address"),
    ),
    "whole seconds": (
        {"second-precision": ""},
        Expected(Topic.CLOCK, True, "times of change to the second"),
    ),
}


@pytest.mark.parametrize(("habits", "expected"), HABITS.values(), ids=HABITS)
def test_the_page_says_what_a_server_does_and_the_adapter_acts_on_it(
    clinic: Clinic, habits: dict[str, str], expected: Expected
) -> None:
    clinic.sandbox.habits.choose(habits)
    found = clinic.examine(patience=400.0)
    clinic.sandbox.habits.choose()
    advice = advise(found, writes=True, page_size=500, entries=50)

    line = found.findings[expected.topic]
    assert (line.standing, line.works) == (Standing.MEASURED, expected.works), line
    assert expected.says in line.says
    assert (advice.target, advice.source) == (expected.target, expected.source)
    assert advice.cannot_write == (expected.target is None)
    clinic.clock.sleep(6000)  # what the index hid is found by now
    assert clinic.standing() == []


def test_a_cache_that_does_not_honour_no_cache_is_seen_and_is_no_index_lag(clinic: Clinic) -> None:
    def without_no_cache(request: FhirRequest) -> FhirRequest:
        kept = {name: value for name, value in request.headers.items() if name != "cache-control"}
        return replace(request, headers=kept)

    clinic.sandbox.habits.choose({"search-cache": "60"})
    clinic.on_the_way = without_no_cache
    found = clinic.examine()

    line = found.findings[Topic.SEARCH_CACHE]
    assert (line.standing, line.works) == (Standing.MEASURED, False)
    assert "a repeated search was stale for" in line.says
    assert found.works(Topic.INDEX_LAG)
    advice = advise(found, writes=True, page_size=500, entries=50)
    assert "proxy_cache off;" in [one.text for one in remedies(found, advice, 500)]


OF_THE_LABORATORY = {
    "resourceType": "Observation",
    "id": "of-the-laboratory",
    "status": "final",
    "code": {"text": "HER2 IHC"},
    "valueString": "3+",
}


def laboratory_result(clinic: Clinic) -> dict[str, object] | None:
    """The one result of the laboratory, as it stands; written where it is not there yet."""
    with clinic.server() as server:
        found = server.read("Observation/of-the-laboratory")
        if found is None:
            body = json.dumps(OF_THE_LABORATORY).encode()
            server.write(SingleWrite("PUT", "Observation/of-the-laboratory", body))
        return found


def test_where_an_identifier_is_left_out_no_conditional_write_is_tried(clinic: Clinic) -> None:
    laboratory_result(clinic)
    unheard = {"dropped-parameters": "identifier", "lying-self-links": ""}
    clinic.sandbox.habits.choose({**CHOSEN_BY_SERVER, **unheard})
    found = clinic.examine()
    clinic.sandbox.habits.choose()
    for topic in (Topic.CONDITIONAL_UPDATE, Topic.CONDITIONAL_CREATE):
        assert found.findings[topic].works is False
        assert "is not tried" in found.findings[topic].says
    assert advise(found, writes=True, page_size=500, entries=50).cannot_write
    standing = laboratory_result(clinic)
    assert standing is not None
    assert standing["valueString"] == "3+"
    assert standing["meta"]["versionId"] == "1"  # type: ignore[index]


def test_what_a_race_answers_with_is_taken_away_only_where_it_is_a_probe(clinic: Clinic) -> None:
    laboratory_result(clinic)

    def with_somebody_elses(request: FhirRequest) -> FhirResponse | None:
        is_race = "race" in request.headers.get("if-none-exist", "")
        return FhirResponse(200, json.dumps(OF_THE_LABORATORY)) if is_race else None

    clinic.instead = with_somebody_elses
    clinic.sandbox.habits.choose(CHOSEN_BY_SERVER)
    clinic.examine()
    clinic.sandbox.habits.choose()
    assert [one["id"] for one in clinic.standing()] == ["of-the-laboratory"]


@pytest.mark.parametrize(
    ("profile", "target"),
    [
        ("hapi", GOOD),
        ("medplum", MeasuredTarget(IDS, atomic=False, max_entries=None)),
        ("healthlake", GOOD),
        ("epic", None),
    ],
    ids=["hapi", "medplum", "healthlake", "epic"],
)
def test_every_profile_is_examined_to_the_end(
    clinic: Clinic, profile: str, target: MeasuredTarget | None
) -> None:
    clinic.sandbox.habits.choose(profile=profile)
    found = clinic.examine()
    clinic.sandbox.habits.choose()

    assert advise(found, writes=True, page_size=500, entries=50).target == target
    assert set(found.findings) == set(Topic) - {Topic.FORMS, Topic.FOREIGN_REFERENCES}
    assert found.denied == frozenset()
    assert clinic.standing() == []


def test_much_at_once_leads_to_no_claim_that_does_not_hold(clinic: Clinic) -> None:
    clinic.sandbox.habits.choose(profile="evil")
    found = clinic.examine()
    clinic.sandbox.habits.choose()
    target = advise(found, writes=True, page_size=500, entries=50).target

    assert target is None or not target.atomic
    assert set(found.findings) == set(Topic) - {Topic.FORMS, Topic.FOREIGN_REFERENCES}
    assert found.denied == frozenset()
    clinic.clock.sleep(6000)
    clinic.examine()  # finds what a lost answer and a bad link hid from the first one
    assert clinic.standing() == []
