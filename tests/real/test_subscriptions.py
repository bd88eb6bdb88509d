"""HAPI's own Subscriptions: made, activated, called, given another secret and taken away by us."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from adapter.cli.main import main
from tests.live.laboratory import Laboratory
from tests.servers.hapi import HapiServer
from tests.servers.medplum import MedplumServer

pytestmark = pytest.mark.real

FIRST, SECOND = "first-secret-0123456789abcdef-0123", "other-secret-0123456789abcdef-0123"
QUIET_SECONDS = 7.0
"""HAPI calls within 5 s; so long nothing has to come."""


@dataclass
class Endpoint:
    """Stands for our webhook and notes how it is called: method, path, secret, length of the body."""

    url: str = ""
    calls: list[tuple[str, str, str | None, int]] = field(default_factory=list)

    def wait_for(self, number: int) -> None:
        deadline = time.monotonic() + 60
        while len(self.calls) < number and time.monotonic() < deadline:
            time.sleep(0.1)
        assert len(self.calls) >= number

    def quiet(self) -> list[tuple[str, str, str | None, int]]:
        """Everything that was called, when nothing more comes; then forget it."""
        time.sleep(QUIET_SECONDS)
        calls, self.calls = self.calls, []
        return calls


@contextmanager
def listening() -> Iterator[Endpoint]:
    found = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def called(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            self.rfile.read(length)
            secret = self.headers.get("X-Webhook-Secret")
            found.calls.append((self.command, self.path, secret, length))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_PUT = do_DELETE = called  # noqa: N815 - as the class wants them

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_port}/webhook"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


def put(hapi: HapiServer, logical_id: str, code: str, value: str, **more: Any) -> None:
    resource = {
        "resourceType": "Observation",
        "id": logical_id,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "valueString": value,
        **more,
    }
    with closing(Laboratory(hapi.base_url)) as laboratory:
        laboratory.put(resource)


@pytest.fixture
def endpoint(
    calling_hapi: HapiServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> Iterator[Endpoint]:
    with listening() as found:
        monkeypatch.setenv("HER2_FHIR_URL", calling_hapi.base_url)
        monkeypatch.setenv("HER2_STATE_URL", f"sqlite:///{tmp_path / 'state.sqlite'}")
        monkeypatch.setenv("HER2_HTTP__WEBHOOK__ENDPOINT", found.url)
        monkeypatch.setenv("HER2_HTTP__WEBHOOK__SECRET", FIRST)
        yield found
        main(["subscribe", "remove"])


def test_hapi_activates_it_and_calls_us_as_it_was_told(
    calling_hapi: HapiServer, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(calling_hapi, "sub-first", "85319-2", "1+")  # the searches are tried on it
    assert main(["subscribe", "create"]) == 0
    put(calling_hapi, "sub-1", "85319-2", "2+")
    endpoint.wait_for(1)
    assert endpoint.quiet() == [("POST", "/webhook", FIRST, 0)]

    put(calling_hapi, "sub-1", "85319-2", "2+")  # a no-op
    put(calling_hapi, "sub-2", "1234-5", "2+")  # no HER2 test
    ours = {"system": "https://w3id.org/her2-adapter/CodeSystem/her2-adapter", "code": "derived"}
    put(calling_hapi, "sub-3", "48676-1", "2+", meta={"tag": [ours]})
    with closing(Laboratory(calling_hapi.base_url)) as laboratory:
        laboratory.delete("Observation/sub-1")
    assert endpoint.quiet() == []

    monkeypatch.setenv("HER2_HTTP__WEBHOOK__SECRET", SECOND)
    assert main(["subscribe", "create", "--payload", "json"]) == 0
    put(calling_hapi, "sub-4", "1234-5", "panel", component=[component("85318-4")])
    endpoint.wait_for(1)
    ((method, path, secret, length),) = endpoint.quiet()
    assert (method, path, secret) == ("PUT", "/webhook/Observation/sub-4", SECOND)
    assert length > 0

    assert main(["subscribe", "remove"]) == 0
    time.sleep(QUIET_SECONDS)  # for a few seconds HAPI still calls by a Subscription that is gone
    put(calling_hapi, "sub-5", "85319-2", "3+")
    assert endpoint.quiet() == []


def component(code: str) -> dict[str, Any]:
    coding = {"system": "http://loinc.org", "code": code}
    return {"code": {"coding": [coding]}, "valueString": "not amplified"}


def test_on_medplum_the_key_stands_in_its_extension_and_is_taken_away_with_it(
    empty_medplum: MedplumServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its router stores them; who notifies is Medplum's worker (test_medplum_notifies)."""
    monkeypatch.setenv("HER2_FHIR_URL", empty_medplum.base_url)
    monkeypatch.setenv("HER2_STATE_URL", f"sqlite:///{tmp_path / 'state.sqlite'}")
    monkeypatch.setenv("HER2_HTTP__WEBHOOK__ENDPOINT", "https://her2.example.org/webhook")
    monkeypatch.setenv("HER2_HTTP__WEBHOOK__SECRET", FIRST)

    def rows(*arguments: str) -> list[dict[str, Any]]:
        assert main(["subscribe", *arguments]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    def stored() -> list[dict[str, Any]]:
        found = requests.get(f"{empty_medplum.base_url}/Subscription", timeout=60).json()
        return [one["resource"] for one in found.get("entry", [])]

    assert {row["done"] for row in rows("create", "--signing", "hmac")} == {"created"}
    assert {row["done"] for row in rows("create", "--signing", "hmac")} == {"unchanged"}
    assert {row["status"] for row in rows("show")} == {"active"}
    assert [one["extension"][0]["valueString"] for one in stored()] == [FIRST] * len(stored())
    assert {row["done"] for row in rows("remove")} == {"removed"}
    assert stored() == []
