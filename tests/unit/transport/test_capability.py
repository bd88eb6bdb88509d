"""Protects the first contact: only FHIR R4 servers are talked to, and the reason is one sentence."""

from __future__ import annotations

from typing import Any

import pytest
import responses

from adapter.errors import NotAuthorised, NotFhirR4, TemporaryServerError
from tests.unit.transport.conftest import BASE, MakeServer

FHIR = "application/fhir+json"
URL = f"{BASE}/metadata"


def statement(version: Any = "4.0.1", **more: Any) -> dict[str, Any]:
    return {"resourceType": "CapabilityStatement", "fhirVersion": version, **more}


@pytest.mark.parametrize("version", ["4.0.0", "4.0.1", "4.3.0"])
def test_r4_and_r4b_are_accepted(
    version: str, make_server: MakeServer, mocked: responses.RequestsMock
) -> None:
    mocked.get(URL, json=statement(version), content_type=FHIR)
    assert make_server().capability().fhir_version == version


@pytest.mark.parametrize(
    "version", ["3.0.2", "1.0.2", "4.1.0", "4.3.1", "5.0.0", "4.0", "4.0.1x", "", None, 4]
)
def test_other_versions_are_refused_in_one_sentence(
    version: Any, make_server: MakeServer, mocked: responses.RequestsMock
) -> None:
    mocked.get(URL, json=statement(version), content_type=FHIR)
    with pytest.raises(NotFhirR4, match=r"this adapter needs FHIR R4 \(4\.0\.x\) or 4\.3\.0$"):
        make_server().capability()
    assert len(mocked.calls) == 1


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [
        (200, "text/html", "<html/>"),
        (404, "text/html", "<html/>"),
        (404, FHIR, '{"resourceType":"OperationOutcome"}'),
        (410, FHIR, ""),
        (200, FHIR, '{"resourceType":"Patient","id":"a"}'),
        (200, "application/json", '{"swagger":"2.0"}'),
        (200, "application/fhir+xml", "<CapabilityStatement/>"),
    ],
)
def test_what_is_no_fhir_server_is_asked_about_its_base_url(
    status: int,
    content_type: str,
    body: str,
    make_server: MakeServer,
    mocked: responses.RequestsMock,
) -> None:
    mocked.get(URL, status=status, body=body, content_type=content_type)
    with pytest.raises(NotFhirR4, match="FHIR base URL"):
        make_server().capability()
    assert len(mocked.calls) == 1


def test_a_server_that_starts_up_is_waited_for(
    make_server: MakeServer, mocked: responses.RequestsMock
) -> None:
    mocked.get(URL, status=503)
    mocked.get(URL, json=statement(), content_type=FHIR)
    assert make_server().capability().fhir_version == "4.0.1"


@pytest.mark.parametrize("status", [401, 403])
def test_missing_credentials_are_not_a_missing_server(
    status: int, make_server: MakeServer, mocked: responses.RequestsMock
) -> None:
    mocked.get(URL, status=status)
    with pytest.raises(NotAuthorised):
        make_server().capability()


def test_a_broken_statement_is_asked_for_again(
    make_server: MakeServer, mocked: responses.RequestsMock
) -> None:
    mocked.get(URL, body=b'{"resourceType":', content_type=FHIR)
    with pytest.raises(TemporaryServerError):
        make_server(attempts=2).capability()
    assert len(mocked.calls) == 2


def test_what_the_server_can_do_is_read(
    make_server: MakeServer, mocked: responses.RequestsMock
) -> None:
    rest = {
        "mode": "server",
        "interaction": [{"code": "transaction"}, {"code": "batch"}],
        "resource": [
            {
                "type": "Observation",
                "interaction": [{"code": "read"}, {"code": "search-type"}],
                "searchParam": [{"name": "code"}, {"name": "patient"}],
            },
            {"type": "Provenance"},
        ],
    }
    software = {"name": "A server", "version": "8.8.0"}
    client = {"mode": "client", "resource": [{"type": "Claim"}]}
    mocked.get(URL, json=statement(software=software, rest=[client, rest]), content_type=FHIR)
    capability = make_server().capability()
    assert capability.software == "A server 8.8.0"
    assert capability.system_interactions == {"transaction", "batch"}
    assert capability.interactions == {
        "Observation": frozenset({"read", "search-type"}),
        "Provenance": frozenset(),
    }
    assert capability.search_params["Observation"] == {"code", "patient"}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"rest": None, "software": None},
        {"rest": [], "software": "x"},
        {"rest": [None, {"mode": "server", "resource": [None, {"type": 1}, {}]}]},
        {"rest": [{"mode": "server", "resource": [{"type": "A", "interaction": [{}, None, 1]}]}]},
        {"rest": {"mode": "server"}, "software": {"name": 1}},
    ],
)
def test_a_server_that_says_little_or_nonsense_is_still_talked_to(
    more: dict[str, Any], make_server: MakeServer, mocked: responses.RequestsMock
) -> None:
    mocked.get(URL, json=statement(**more), content_type=FHIR)
    capability = make_server().capability()
    assert capability.software == ""
    assert not any(capability.interactions.values())
