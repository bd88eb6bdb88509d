"""What the doctor's page says of real servers is what these servers do, and nothing of it is left on them."""

from __future__ import annotations

from threading import Event
from typing import Any

import pytest
import requests

from adapter.bootstrap import SystemClock
from adapter.connections import server_of
from adapter.doctor.bench import Bench
from adapter.doctor.examine import Examiner, Task
from adapter.doctor.findings import Examination, Topic
from adapter.doctor.judge import advise
from adapter.settings import load_settings
from adapter.sync.measured import MeasuredTarget
from adapter.sync.strategy import WriteStrategy
from adapter.terminology.systems import ADAPTER_SYSTEM
from tests.servers.hapi import HapiServer
from tests.servers.medplum import MedplumServer

pytestmark = pytest.mark.real
KINDS = ("Observation", "Device", "Provenance")


def examined(base_url: str, **asked: Any) -> Examination:
    settings = load_settings(None, {"source.url": base_url, "store.url": "sqlite://"})
    clock = SystemClock(Event())
    with server_of(settings.source, clock) as server:
        task = Task(**{"is_source": True, "is_target": True, **asked})
        return Examiner(Bench(server, clock, patience_seconds=60), task).examine()


def left(base_url: str) -> list[str]:
    """Find what a doctor left, not by its own search."""
    found = []
    for kind in KINDS:
        answer = requests.get(
            f"{base_url}/{kind}",
            params={"_tag": f"{ADAPTER_SYSTEM}|doctor", "_count": "200"},
            headers={"Cache-Control": "no-cache"},
            timeout=60,
        )
        found += [entry["resource"]["id"] for entry in answer.json().get("entry", [])]
    return found


def test_hapis_page_says_what_hapi_does(hapi: HapiServer) -> None:
    found = examined(hapi.base_url)

    assert found.software == "HAPI FHIR Server 8.8.0"
    assert found.works(Topic.CLIENT_IDS)  # though its CapabilityStatement has no updateCreate
    assert found.findings[Topic.IF_MATCH].says.endswith("is refused (409)")
    assert found.value(Topic.NO_OP_UPDATE) is True
    assert found.value(Topic.VERSIONS_KEPT) == "when-asked"
    assert found.value(Topic.UNKNOWN_PARAMETER) == "refused"
    assert found.works(Topic.SEARCH_CACHE)  # no-cache is honoured; without it an answer is 60 s old
    assert found.works(Topic.ATOMIC)
    assert "a reference to nothing" in found.findings[Topic.ATOMIC].says
    assert found.works(Topic.CONDITIONAL_UPDATE)
    assert found.was_measured(Topic.UPDATE_RACE)
    assert found.value(Topic.ENTRIES) == 50
    assert found.works(Topic.LAST_UPDATED)
    assert found.works(Topic.PAGING)
    advice = advise(found, writes=True, page_size=500, entries=50)
    assert advice.target == MeasuredTarget(WriteStrategy.CLIENT_IDS, atomic=True, max_entries=None)
    assert found.left == ()
    assert left(hapi.base_url) == []


def test_a_doctor_that_only_reads_writes_nothing_to_hapi(hapi: HapiServer) -> None:
    before = hapi.mark()
    examined(hapi.base_url, no_writes="asked for")
    assert hapi.writes_since(before) == []


def test_medplums_page_says_what_its_router_does(medplum: MedplumServer) -> None:
    found = examined(medplum.base_url)

    assert found.works(Topic.CLIENT_IDS)
    assert found.findings[Topic.IF_MATCH].says.endswith("is refused (412)")
    assert found.value(Topic.NO_OP_UPDATE) is False  # the adapter sends none
    assert found.value(Topic.VERSIONS_KEPT) == "always"
    assert found.value(Topic.UNKNOWN_PARAMETER) == "finds-nothing"
    assert found.works(Topic.SEARCH_CACHE)
    advice = advise(found, writes=True, page_size=500, entries=50)
    assert advice.target == MeasuredTarget(WriteStrategy.CLIENT_IDS, atomic=True, max_entries=None)
    assert found.left == ()
    assert left(medplum.base_url) == []
