"""Protects the sandbox as a part: loopback only, counts, files, layers, limits, its borders."""

from __future__ import annotations

import ast
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

import adapter.sandbox
from adapter.errors import ConfigError
from adapter.sandbox.exchange import Answer, FhirRequest, FhirResponse, Layer
from adapter.sandbox.rules import ServerRules
from adapter.sandbox.server import Sandbox, loopback_socket, serve
from tests.unit.sandbox.client import (
    Client,
    create_entry,
    delete_entry,
    get_entry,
    issue,
    observation,
    patient,
    reference,
    update_entry,
)


@contextmanager
def client_of(sandbox: Sandbox) -> Iterator[Client]:
    client = Client(sandbox.base_url)
    with client.session:
        yield client


def test_it_answers_at_the_address_it_names() -> None:
    with Sandbox() as sandbox, client_of(sandbox) as fhir:
        assert sandbox.base_url.startswith("http://127.0.0.1:")
        assert sandbox.base_url.endswith("/fhir")
        assert fhir.get("metadata").status_code == 200
        assert fhir.get("").status_code == 400


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.1", "8.8.8.8", "example.org", "", "127.0.0.1.nip.io"]
)
def test_it_refuses_every_address_that_others_could_reach(host: str) -> None:
    with pytest.raises(ConfigError, match="loopback only"):
        loopback_socket(host, 0)
    with pytest.raises(ConfigError, match="loopback only"):
        serve(host, 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2"])
def test_every_loopback_address_will_do(host: str) -> None:
    with loopback_socket(host, 0) as listening:
        assert listening.getsockname()[0].startswith("127.")


def test_a_port_in_use_is_said_to_be() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} "):
            Sandbox(port=port)
    with pytest.raises(ConfigError, match="70000"):
        Sandbox(port=70_000)


def test_a_chosen_port_is_used() -> None:
    with loopback_socket("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    with Sandbox(port=port) as sandbox:
        assert sandbox.base_url == f"http://127.0.0.1:{port}/fhir"


def test_what_is_in_a_file_is_there_after_a_restart(tmp_path: Path) -> None:
    database = str(tmp_path / "sandbox.sqlite")
    with Sandbox(database=database) as sandbox, client_of(sandbox) as fhir:
        fhir.put(observation(id="a", valueString="2+"))
        fhir.put(observation(id="a", valueString="3+"))
    with Sandbox(database=database) as sandbox, client_of(sandbox) as fhir:
        assert fhir.get("Observation/a").json()["valueString"] == "3+"
        assert fhir.get("Observation/a/_history/1").json()["valueString"] == "2+"
        assert fhir.found("Observation", ("code", "85319-2")) == ["a"]
        assert fhir.put(observation(id="a")).json()["meta"]["versionId"] == "3"
        assert (sandbox.writes, sandbox.counts.versions) == (1, 1)


def test_two_sandboxes_in_memory_know_nothing_of_each_other() -> None:
    with Sandbox() as one, Sandbox() as other, client_of(one) as here, client_of(other) as there:
        here.put(patient(id="a"))
        assert there.get("Patient/a").status_code == 404


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.sqlite"
    connection = sqlite3.connect(foreign)
    connection.execute("CREATE TABLE important (content TEXT)")
    connection.close()
    before = foreign.read_bytes()
    with pytest.raises(ConfigError, match="not a database of this sandbox"):
        Sandbox(database=str(foreign))
    assert foreign.read_bytes() == before
    text = tmp_path / "notes.txt"
    text.write_text("not a database at all, but long enough to be looked at" * 50)
    for unusable in (text, tmp_path / "missing" / "sandbox.sqlite"):
        with pytest.raises(ConfigError, match="cannot use the database"):
            Sandbox(database=str(unusable))


def test_the_command_line_server_runs_until_it_is_interrupted() -> None:
    with loopback_socket("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    code = f"from adapter.sandbox.server import serve; serve('127.0.0.1', {port}, ':memory:')"
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) as process:
        try:
            session = requests.Session()
            session.trust_env = False
            retry = requests.adapters.Retry(total=30, backoff_factor=0.02, backoff_max=0.2)
            session.mount("http://", requests.adapters.HTTPAdapter(max_retries=retry))
            with session:
                answer = session.get(f"http://127.0.0.1:{port}/fhir/metadata", timeout=10)
            assert answer.json()["fhirVersion"] == "4.0.1"
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) in (0, -signal.SIGTERM)
        finally:
            process.kill()


def test_requests_and_writes_are_counted_where_they_happen() -> None:
    with Sandbox() as sandbox, client_of(sandbox) as fhir:
        assert (sandbox.requests, sandbox.writes) == (0, 0)
        fhir.get("metadata")
        fhir.get("Observation?code=x")
        fhir.send(
            "POST",
            "Observation/_search",
            b"code=x",
            content_type="application/x-www-form-urlencoded",
        )
        fhir.batch(get_entry("Patient/a"))
        assert (sandbox.requests, sandbox.writes, sandbox.counts.versions) == (4, 0, 0)
        fhir.put(patient(id="a"))
        fhir.put(patient(id="a"))
        assert (sandbox.writes, sandbox.counts.versions) == (2, 1)
        fhir.transaction(
            create_entry(patient()), update_entry(patient(id="b")), delete_entry("Patient/a")
        )
        assert (sandbox.writes, sandbox.counts.versions) == (5, 4)


def test_a_write_that_is_refused_was_still_asked_for() -> None:
    with Sandbox() as sandbox, client_of(sandbox) as fhir:
        fhir.put(patient(id="a"), if_match='W/"1"')
        fhir.transaction(create_entry(patient()), update_entry(patient(id="a"), ifMatch='W/"1"'))
        fhir.send("POST", "Patient", b"{")
        assert (sandbox.writes, sandbox.counts.versions) == (4, 0)


def test_the_counts_are_shown_beside_the_fhir_base_and_not_counted() -> None:
    with Sandbox() as sandbox, client_of(sandbox) as fhir:
        fhir.put(patient(id="a"))
        fhir.get("Patient/a")
        url = sandbox.base_url.removesuffix("/fhir") + "/_sandbox/counts"
        for _ in range(2):
            assert fhir.get(url).json() == {
                "requests": 2,
                "writes": 1,
                "versions": 1,
                "interactions": {"read": 1, "update": 1},
            }


def test_a_body_beyond_the_limit_is_refused_and_the_server_goes_on() -> None:
    with Sandbox(rules=ServerRules(max_body_bytes=1000)) as sandbox, client_of(sandbox) as fhir:
        large = patient(id="a", name=[{"text": "x" * 2_000_000}])
        answer = fhir.put(large)
        assert answer.status_code == 413
        assert issue(answer)["code"] == "too-long"
        assert fhir.get("Patient/a").status_code == 404
        assert fhir.put(patient(id="a")).status_code == 201


def test_deletes_of_what_others_refer_to_can_be_refused() -> None:
    rules = ServerRules(refuse_delete_of_referenced=True, refuse_reference_to_deleted=True)
    with Sandbox(rules=rules) as sandbox, client_of(sandbox) as fhir:
        fhir.put(patient(id="a"))
        result = observation(id="o", subject=reference(patient(id="a")))
        fhir.put(result)
        assert fhir.delete("Patient/a").status_code == 409
        assert fhir.get("Patient/a").status_code == 200
        both = fhir.transaction(delete_entry("Patient/a"), delete_entry("Observation/o"))
        assert both.status_code == 200
        answer = fhir.put(result)
        assert (answer.status_code, issue(answer)["code"]) == (400, "deleted")


def test_by_default_a_delete_leaves_references_that_may_be_kept() -> None:
    with Sandbox() as sandbox, client_of(sandbox) as fhir:
        fhir.put(observation(id="source"))
        derived = observation(id="derived", derivedFrom=[reference(observation(id="source"))])
        fhir.put(derived)
        assert fhir.delete("Observation/source").status_code == 204
        assert fhir.put({**derived, "status": "entered-in-error"}).status_code == 200


def test_an_error_of_the_server_itself_is_an_outcome_that_tells_nothing() -> None:
    def broken(_request: FhirRequest, _answer: Answer) -> FhirResponse:
        raise ZeroDivisionError("a secret of the inside")

    with Sandbox(layers=[broken]) as sandbox, client_of(sandbox) as fhir:
        answer = fhir.get("metadata")
        assert answer.status_code == 500
        assert issue(answer)["code"] == "exception"
        assert "secret" not in answer.text


def test_layers_see_the_request_first_and_the_answer_last_the_first_outermost() -> None:
    seen: list[str] = []

    def named(name: str) -> Layer:
        def layer(request: FhirRequest, answer: Answer) -> FhirResponse:
            seen.append(f"{name} {request.method} {request.path}")
            response = answer(request)
            seen.append(f"{name} {response.status}")
            return response

        return layer

    with Sandbox(layers=[named("outer"), named("inner")]) as sandbox, client_of(sandbox) as fhir:
        fhir.get("Patient/a")
    assert seen == ["outer GET Patient/a", "inner GET Patient/a", "inner 404", "outer 404"]


def test_a_layer_can_answer_in_the_servers_place() -> None:
    def unavailable(request: FhirRequest, answer: Answer) -> FhirResponse:
        if request.method == "GET":
            return answer(request)
        return FhirResponse(503, "", {"Retry-After": "7"})

    with Sandbox(layers=[unavailable]) as sandbox, client_of(sandbox) as fhir:
        answer = fhir.put(patient(id="a"))
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
        assert fhir.get("Patient/a").status_code == 404
        assert (sandbox.requests, sandbox.writes) == (2, 0)


def test_it_shares_no_code_with_the_client() -> None:
    imported = set()
    for file in Path(adapter.sandbox.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                imported.add(node.module or "")
            elif isinstance(node, ast.Import):
                imported.update(name.name for name in node.names)
    ours = {name for name in imported if name.startswith("adapter")}
    assert {name for name in ours if not name.startswith("adapter.sandbox")} == {"adapter.errors"}
    others = {name.split(".")[0] for name in imported - ours} - sys.stdlib_module_names
    assert others == {"starlette", "uvicorn", "pytest"}  # the last in the plugin alone
