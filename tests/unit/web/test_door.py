"""Every route and every role: who gets in, and what a stranger learns.

Protects S18 and S31: nothing but /healthz is open, what is not offered does not exist, and an error tells a code.
"""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest
import requests

from adapter.errors import ConfigError
from adapter.settings import load_settings
from adapter.web.access import Role
from adapter.web.answers import HEADERS
from tests.unit.web.running import TOKENS, Running, running

TABLE = {
    ("GET", "/healthz"): Role.OPEN,
    ("GET", "/readyz"): Role.WATCH,
    ("GET", "/metrics"): Role.WATCH,
    ("GET", "/openapi.json"): Role.WATCH,
    ("POST", "/sync"): Role.SYNC,
    ("GET", "/sync/{key}"): Role.SYNC,
    ("POST", "/fhir/$her2-derive"): Role.DERIVE,
    ("GET", "/fhir/metadata"): Role.DERIVE,
    ("GET", "/fhir/OperationDefinition/her2-derive"): Role.DERIVE,
    ("POST", "/webhook"): Role.NOTIFY,
    ("PUT", "/webhook"): Role.NOTIFY,
    ("POST", "/webhook/{rest:path}"): Role.NOTIFY,
    ("PUT", "/webhook/{rest:path}"): Role.NOTIFY,
}
"""Every route × role; a new route has to be written down here too."""

_SHOWN = (None, *TOKENS, "wrong", TOKENS["watch"][:-1], TOKENS["watch"] + "x", "ä" * 40)
_SECRETS = ("Traceback", "/adapter/", "site-packages", ".py", *TOKENS.values())


def rows(served: Running) -> dict[tuple[str, str], Role]:
    routes = served.service.routes()
    return {(method, row.path): row.role for row in routes for method in row.methods}


def test_the_table_holds_every_route_with_its_role(standing: Running) -> None:
    assert rows(standing) == TABLE


def test_the_description_names_every_part_of_a_path(standing: Running) -> None:
    paths = standing.get("/openapi.json", "watch").json()["paths"]
    assert "/webhook/{rest}" in paths
    for path, operations in paths.items():
        parts = re.findall(r"\{(\w+)\}", path)
        for operation in operations.values():
            told = [one for one in operation.get("parameters", []) if one["in"] == "path"]
            assert [(one["name"], one["required"]) for one in told] == [
                (one, True) for one in parts
            ]


@pytest.mark.parametrize("shown", _SHOWN)
@pytest.mark.parametrize(("method", "path"), sorted(TABLE))
def test_every_route_lets_in_its_role_and_nobody_else(
    standing: Running, method: str, path: str, shown: str | None
) -> None:
    role = TABLE[method, path]
    place = path.replace("{key}", "0" * 32).replace("{rest:path}", "Observation/1")
    answer = standing.ask(method, place, shown)
    if role is Role.OPEN:
        assert answer.status_code == 200
    elif role is Role.NOTIFY:  # it answers everybody alike, and no token of another role wakes
        assert (answer.status_code, answer.content) == (202, b"")
        assert standing.service.inbox.wakes == 0
    elif shown == role.value:
        assert answer.status_code not in (401, 403)
    elif shown in TOKENS:
        assert answer.status_code == 403
    else:
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    assert "server" not in answer.headers
    assert not any(secret in answer.text for secret in _SECRETS)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic eDp5", "bearer\t", "Token x"])
def test_a_header_of_another_kind_is_no_token(standing: Running, header: str) -> None:
    assert standing.get("/readyz", headers={"Authorization": header}).status_code == 401


@pytest.mark.parametrize(
    "path", ["/", "/metrics/..", "/admin", "/sync/a/b", "/.env", "//healthz", "/healthz/"]
)
def test_what_is_not_there_is_not_told(standing: Running, path: str) -> None:
    answer = standing.get(path, "watch")
    assert answer.status_code == 404
    assert answer.json()["error"] == "not-found"
    assert path.strip("/") == "" or path not in answer.text


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/healthz"), ("PUT", "/sync")])
def test_another_method_is_refused(standing: Running, method: str, path: str) -> None:
    answer = standing.ask(method, path, "sync")
    assert answer.status_code == 405
    assert answer.headers["Allow"]  # RFC 9110, 15.5.6


def test_on_loopback_without_tokens_one_may_watch_and_nobody_may_write(tmp_path: Path) -> None:
    with running(tmp_path, tokens=False) as served:
        assert served.get("/readyz").status_code == 200
        assert served.post("/sync", json={"patient": "a"}).status_code == 404


def test_where_a_token_is_set_for_one_role_the_other_stays_as_it_is(tmp_path: Path) -> None:
    with running(tmp_path, tokens=False, http__watch_token=TOKENS["watch"]) as served:
        assert served.get("/readyz").status_code == 401
        assert served.get("/readyz", "watch").status_code == 200


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({}, 200),
        ({"http__sync_token": TOKENS["sync"]}, 404),
        ({"http__watch_token": TOKENS["watch"]}, 404),
        ({"http__webhook__secret": "w" * 40}, 404),
    ],
    ids=["nobody", "sync", "watch", "webhook"],
)
def test_where_somebody_has_a_credential_derive_is_not_open_to_all_who_come_by_a_proxy(
    tmp_path: Path, settings: dict[str, str], status: int
) -> None:
    with running(tmp_path, tokens=False, waits=False, **settings) as served:
        assert served.get("/fhir/metadata").status_code == status


def refused(**settings: object) -> str:
    with pytest.raises(ConfigError) as caught:
        load_settings(None, {name.replace("__", "."): value for name, value in settings.items()})
    return "\n".join(caught.value.problems)


@pytest.mark.parametrize("address", ["0.0.0.0:8765", "[::]:8765", "192.0.2.1:80", "fhir.example:1"])
def test_another_address_needs_tokens_and_encryption(address: str) -> None:
    assert "nobody would be asked" in refused(http__address=address)
    assert "unencrypted" in refused(http__address=address, http__sync_token="s" * 40)
    settings = load_settings(
        None,
        {"http.address": address, "http.sync_token": "s" * 40, "http.allow_http": True},
    )
    assert settings.http.address == address


@pytest.mark.parametrize(
    "address", ["8765", "localhost", ":1", "::1:80", "a b:1", "x:70000", "x:-1"]
)
def test_an_address_that_is_none_is_refused_at_start(address: str) -> None:
    assert "http.address" in refused(http__address=address)


@pytest.mark.parametrize("token", ["short", "ä" * 40, "with blank " * 5, "x\n" * 30])
def test_a_token_that_no_header_carries_or_anyone_guesses_is_refused(token: str) -> None:
    assert token not in refused(http__watch_token=token)


def test_a_port_that_is_taken_is_told_at_start(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(ConfigError, match=f"port {port}"),
            running(tmp_path, http__address=f"127.0.0.1:{port}"),
        ):
            pass


def test_a_defect_is_told_by_an_id_and_the_service_goes_on(
    served: Running, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a patient's name")

    monkeypatch.setattr(type(served.service.pulse), "beat", property(broken))
    answer = served.get("/readyz", "watch")
    assert answer.status_code == 500
    assert answer.json()["error"] == "defect"
    assert "name" not in answer.text
    monkeypatch.undo()
    assert served.get("/readyz", "watch").status_code == 200


def test_slow_and_broken_requests_hold_nobody_up(standing: Running) -> None:
    host, port = standing.url.removeprefix("http://").split(":")
    lines = []
    for said in (
        b"GET /healthz HTT",
        b"POST /sync HTTP/1.1\r\nContent-Length: 100\r\n\r\n{",
        b"\0" * 99,
    ):
        line = socket.create_connection((host, int(port)), timeout=10)
        line.sendall(said)
        lines.append(line)
    assert requests.get(standing.url + "/healthz", timeout=5).status_code == 200
    for line in lines:
        line.close()
