"""Protects credentials: the configured ones are sent, no others, and none are ever shown."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

import pytest
import responses
import trustme

import adapter
from adapter.errors import ConfigError, NotAuthorised
from adapter.transport.auth import Auth, BasicAuth, BearerAuth, HeaderAuth, NoAuth, TokenFileAuth
from tests.unit.transport.conftest import BASE, MakeServer
from tests.unit.transport.loopback import Loopback, answer

PATIENT = {"resourceType": "Patient", "id": "a"}


@pytest.mark.parametrize(
    ("auth", "name", "value"),
    [
        (BearerAuth("t0ken"), "authorization", "Bearer t0ken"),
        (BasicAuth("üser", "pa:ss"), "authorization", "Basic w7xzZXI6cGE6c3M="),
        (HeaderAuth("X-Api-Key", "k3y"), "x-api-key", "k3y"),
    ],
    ids=["bearer", "basic", "header"],
)
def test_each_way_sends_its_header(
    auth: Auth, name: str, value: str, make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(answer(PATIENT))
    make_server(loopback.base, auth=auth).read("Patient/a")
    assert loopback.requests[0].headers[name] == value


def test_without_credentials_none_are_sent(make_server: MakeServer, loopback: Loopback) -> None:
    loopback.will(answer(PATIENT))
    make_server(loopback.base, auth=NoAuth()).read("Patient/a")
    assert "authorization" not in loopback.requests[0].headers


@pytest.mark.parametrize(
    "auth",
    [
        BearerAuth("CANARY"),
        BasicAuth("user", "CANARY"),
        HeaderAuth("X-Key", "CANARY"),
    ],
)
def test_a_secret_does_not_show(auth: Auth) -> None:
    assert "CANARY" not in repr(auth) + str(auth) + f"{auth!r:>50}"


@pytest.mark.parametrize("secret", ["", " ", "a\r\nX-Evil: 1", "a\nb", "tökén", "a\x00"])
def test_a_secret_that_no_header_can_carry_is_refused_unseen(secret: str) -> None:
    for make in (BearerAuth, lambda value: HeaderAuth("X-Key", value)):
        with pytest.raises(ConfigError) as raised:
            make(secret)
        assert not secret.strip() or secret not in str(raised.value)


@pytest.mark.parametrize("name", ["", "X Key", "X:Key", "Host", "content-length", "Accept"])
def test_a_header_that_is_not_ours_to_set_is_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        HeaderAuth(name, "value")


def test_a_user_name_with_a_colon_is_refused() -> None:
    with pytest.raises(ConfigError):
        BasicAuth("a:b", "c")


def test_a_token_file_is_read_again_for_each_request(
    make_server: MakeServer, loopback: Loopback, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    server = make_server(loopback.base, auth=TokenFileAuth(file))
    loopback.will(answer(PATIENT), answer(PATIENT))
    for token in ("first", "second"):
        file.write_text(token + "\n")
        server.read("Patient/a")
    sent = [request.headers["authorization"] for request in loopback.requests]
    assert sent == ["Bearer first", "Bearer second"]


@pytest.mark.parametrize("content", [None, "", "two\nlines", "tökén"])
def test_a_token_file_without_a_token_is_no_authorisation(
    content: str | None, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(NotAuthorised, match="token file"):
        TokenFileAuth(file).headers()


class RenewingAuth:
    """Gives a new token each time that the old one was refused."""

    def __init__(self) -> None:
        self.number = 1

    def headers(self, *, refused: Mapping[str, str] | None = None) -> dict[str, str]:
        self.number += refused is not None
        return {"Authorization": f"Bearer {self.number}"}


def test_an_expired_token_is_renewed_once_and_the_request_goes_on(
    make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(answer(status="401 Unauthorized"), answer(PATIENT))
    assert make_server(loopback.base, auth=RenewingAuth()).read("Patient/a") == PATIENT
    sent = [request.headers["authorization"] for request in loopback.requests]
    assert sent == ["Bearer 1", "Bearer 2"]


def test_a_token_refused_twice_is_no_authorisation(
    make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(*[answer(status="401 Unauthorized")] * 3)
    with pytest.raises(NotAuthorised):
        make_server(loopback.base, auth=RenewingAuth()).read("Patient/a")
    assert len(loopback.requests) == 2


def test_a_netrc_entry_does_not_replace_our_credentials(
    make_server: MakeServer, loopback: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login canary password canary\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    loopback.will(answer(PATIENT), answer(PATIENT))
    make_server(loopback.base, auth=BearerAuth("ours")).read("Patient/a")
    make_server(loopback.base).read("Patient/a")
    assert loopback.requests[0].headers["authorization"] == "Bearer ours"
    assert "authorization" not in loopback.requests[1].headers


def test_a_proxy_of_the_environment_is_not_used(
    make_server: MakeServer, loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = Loopback()
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, canary.origin)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    loopback.will(answer(PATIENT))
    make_server(loopback.base).read("Patient/a")
    canary.stop()
    assert canary.connections == 0


@pytest.mark.parametrize("named", [True, False], ids=["own authority", "built-in authorities"])
def test_certificates_are_always_checked(
    named: bool,
    make_server: MakeServer,
    mocked: responses.RequestsMock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    authority = tmp_path / "authority.pem"
    trustme.CA().cert_pem.write_to_path(str(authority))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/bundle.pem")  # only ca_file counts
    mocked.get(f"{BASE}/Patient/a", json=PATIENT, content_type="application/fhir+json")
    make_server(ca_file=str(authority) if named else None).read("Patient/a")
    sent = mocked.calls[0].request.req_kwargs
    assert sent["verify"] is True  # which authorities: test_tls.py
    assert sent["timeout"] == (10.0, 60.0)


UNCHECKED = (
    "CERT_NONE",
    "CERT_OPTIONAL",
    "_create_unverified_context",
    "check_hostname",
    "disable_warnings",
)


def test_nothing_in_the_product_switches_the_check_of_certificates_off() -> None:
    files = list(Path(adapter.__path__[0]).rglob("*.py"))
    assert len(files) > 200
    for file in files:
        text = file.read_text()
        assert not [word for word in UNCHECKED if word in text], file
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.keyword) and node.arg == "verify":
                assert not (isinstance(node.value, ast.Constant) and not node.value.value), file
