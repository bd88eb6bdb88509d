"""S9, S10, D15: no byte goes to an address that a server names and nobody configured.

Every connection of this process is watched at the place where names are looked up; a host that is
not the configured one is written down and refused. A canary listens on loopback besides.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from adapter.errors import NotAuthorised, ServerError, TemporaryServerError
from adapter.fhir.strict_json import read_json
from adapter.ports import SingleWrite
from adapter.transport.fhir_server import RestFhirServer
from adapter.transport.server_config import ServerConfig
from adapter.transport.smart import SmartClient, TokenEndpoint
from tests.fakes.clock import FakeClock
from tests.unit.transport.conftest import MakeServer
from tests.unit.transport.loopback import Loopback, answer
from tests.unit.transport.test_origin import REFUSED

PAGE: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset"}
PATIENT = {"resourceType": "Patient", "id": "a"}


@dataclass
class Watched:
    """The configured server, a canary, and every host and port that was looked up."""

    server: Loopback
    canary: Loopback
    asked: list[tuple[str, int]] = field(default_factory=list)

    @property
    def foreign(self) -> list[tuple[str, int]]:
        ours = ("127.0.0.1", int(self.server.origin.rpartition(":")[2]))
        return [place for place in self.asked if place != ours]


@pytest.fixture
def watched(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    canary = Loopback()
    seen = Watched(loopback, canary)
    look_up = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *more: Any, **named: Any) -> Any:
        seen.asked.append((str(host), int(port)))
        if seen.foreign:
            raise socket.gaierror("a foreign host was looked up")
        return look_up(host, port, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield seen
    canary.stop()
    assert (seen.foreign, canary.connections) == ([], 0)


def addresses(watched: Watched) -> list[str]:
    """Give the corpus twice: as it is, and with the real server and the canary in its place."""
    ours = watched.server.origin.removeprefix("http://")
    theirs = watched.canary.origin.removeprefix("http://")
    moved = [
        url.replace("fhir.example.org", ours).replace("evil.com", theirs)
        for url in REFUSED
        if "evil.com" in url
    ]
    plain = [url.replace("https://", "http://") for url in moved]
    own = [f"{watched.canary.origin}/fhir", f"//{theirs}/fhir", f"{watched.canary.base}?x=1"]
    return [*REFUSED, *moved, *plain, *own]


def _in_header(url: str) -> str:
    """Write an address as a header can carry it."""
    return url.encode("ascii", "backslashreplace").decode().translate({10: None, 13: None, 0: None})


def tried(work: Any) -> None:
    """Do what a hostile answer may make fail; only a ServerError may come of it."""
    try:
        work()
    except ServerError:
        return


def found(client: RestFhirServer) -> None:
    assert len(list(client.search("Observation", [("code", "x")]))) < 3


def test_no_next_link_leads_anywhere_else(
    watched: Watched, make_server: MakeServer, record_property: Any
) -> None:
    urls = addresses(watched)
    assert len(urls) >= 60
    for rebase in (False, True):
        client = make_server(watched.server.base, attempts=1, rebase_links=rebase, max_pages=2)
        for url in urls:
            link = [{"relation": "next", "url": url}]
            watched.server.will(answer({**PAGE, "link": link}), answer(PAGE))
            tried(partial(found, client))
            watched.server.forget()
    record_property("promise", "foreign hosts")
    record_property("figure", f"{len(urls)} next links of a hostile server, twice: 0 foreign hosts")


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 Other", "307 T", "308 P"])
def test_no_redirect_is_followed(status: str, watched: Watched, make_server: MakeServer) -> None:
    """To the same host, another one, without TLS, in a circle; reading, searching and writing."""
    client = make_server(watched.server.base, attempts=1)
    circle = f"{watched.server.base}/Patient/a"
    one = SingleWrite("PUT", "Patient/a", json.dumps(PATIENT).encode())
    for url in [*addresses(watched), circle, f"{watched.server.origin}/elsewhere"]:
        before = len(watched.server.requests)
        for work in (
            lambda: client.read("Patient/a"),
            lambda: list(client.search("Patient", [])),
            lambda: client.capability(),
            lambda: client.write(one),
            lambda: client.transact(b'{"resourceType": "Bundle", "type": "transaction"}'),
        ):
            watched.server.will(answer(status=status, Location=_in_header(url)))
            with pytest.raises(ServerError):
                work()
        assert len(watched.server.requests) == before + 5


def test_no_location_of_an_answer_is_called(watched: Watched, make_server: MakeServer) -> None:
    client = make_server(watched.server.base, attempts=1)
    one = SingleWrite("PUT", "Patient/a", json.dumps(PATIENT).encode())
    for url in addresses(watched):
        places = {"Location": _in_header(url), "Content_Location": _in_header(url)}
        watched.server.will(
            answer(PATIENT, **places),
            answer(PATIENT, status="201 Created", **places),
            answer(b"", status="202 Accepted", **places),
        )
        assert client.read("Patient/a") == PATIENT
        client.write(one)
        tried(lambda: client.write(one))
        watched.server.forget()


def test_no_full_url_and_no_answered_location_in_a_bundle_is_called(
    watched: Watched, make_server: MakeServer
) -> None:
    client = make_server(watched.server.base, attempts=1)
    body = {"resourceType": "Bundle", "type": "transaction", "entry": [{"resource": PATIENT}]}
    seen: list[Any] = []
    for url in addresses(watched):
        response = {"status": "200", "location": url, "etag": 'W/"1"'}
        entry = {"fullUrl": url, "resource": PATIENT, "response": response}
        done = {"resourceType": "Bundle", "type": "transaction-response", "entry": [entry]}
        read = {"resourceType": "Bundle", "type": "batch-response", "entry": [entry] * 2}
        watched.server.will(
            answer({**PAGE, "entry": [entry | {"search": {"mode": "match"}}]}),
            answer(done),
            answer(read),
            answer(PATIENT),
            answer({**PATIENT, "id": "b"}),
        )
        tried(lambda: seen.extend(page.matches for page in client.search("Patient", [])))
        tried(lambda: client.transact(json.dumps(body).encode()))
        tried(partial(client.read_all, ["Patient/a", "Patient/b"]))
        watched.server.forget()
    assert seen.count((PATIENT,)) > 60  # the others were no JSON


def test_no_token_endpoint_elsewhere_is_called(watched: Watched) -> None:
    client = SmartClient("her2", ())
    for url in addresses(watched):
        endpoint = TokenEndpoint(
            ServerConfig(watched.server.base), client, clock=FakeClock(), read_json=read_json
        )
        watched.server.will(answer({"token_endpoint": url, "jwks_uri": url, "issuer": url}))
        with pytest.raises((NotAuthorised, TemporaryServerError)):  # the latter: it is no JSON
            endpoint.ask([])
    assert {request.method for request in watched.server.requests} == {"GET"}


def test_what_names_no_resource_is_never_read(watched: Watched, make_server: MakeServer) -> None:
    client = make_server(watched.server.base, attempts=1)
    for url in addresses(watched):
        with pytest.raises(ServerError):
            client.read(url)
        with pytest.raises(ServerError):
            client.read_all([url])
        with pytest.raises(ServerError):
            client.write(SingleWrite("PUT", url, b"{}"))
    assert watched.server.requests == []
