"""S2–S5, D18: a token is asked for once, renewed in time, and outlives its key and its endpoint."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from adapter.errors import NotAuthorised, TemporaryServerError
from tests.servers.authorisation import AuthorisationServer
from tests.unit.transport.conftest import MakeServer
from tests.unit.transport.loopback import Loopback
from tests.unit.transport.smart.conftest import (
    SCOPES,
    MakeAuth,
    Seconds,
    jwk,
    pem,
    write_keys,
)

UNAVAILABLE = (503, {"error": "temporarily_unavailable"})


def test_one_token_serves_until_four_fifths_of_its_life(
    server: AuthorisationServer, make_auth: MakeAuth
) -> None:
    seconds = Seconds()
    auth = make_auth(seconds=seconds)
    for _ in range(3):
        auth.headers()
    seconds.now += 239
    assert auth.headers() == {"Authorization": "Bearer token-1"}
    seconds.now += 2
    assert auth.headers() == {"Authorization": "Bearer token-2"}
    assert len(server.forms) == 2


@pytest.mark.parametrize(
    ("stated", "holds"),
    [(1, 0.7), ("300", 239), (0, 47), (-5, 47), (None, 47), ("soon", 47), (True, 47), (1e9, 2879)],
    ids=str,
)
def test_any_stated_life_is_borne(
    stated: Any, holds: float, server: AuthorisationServer, make_auth: MakeAuth
) -> None:
    server.token_answer = {} if stated is None else {"expires_in": stated}
    seconds = Seconds()
    auth = make_auth(seconds=seconds)
    auth.headers()
    seconds.now += holds
    assert auth.headers() == {"Authorization": "Bearer token-1"}
    seconds.now += holds
    assert auth.headers() == {"Authorization": "Bearer token-2"}


@pytest.mark.parametrize("ahead", [-120, -60, 60, 120])
def test_a_clock_two_minutes_off_is_borne(
    ahead: float, server: AuthorisationServer, make_auth: MakeAuth
) -> None:
    make_auth(ahead=ahead).headers()
    assert server.refusals == []


def _together(number: int, work: Any) -> list[Any]:
    start = threading.Barrier(number)

    def one() -> Any:
        start.wait(timeout=60)
        return work()

    with ThreadPoolExecutor(number) as pool:
        return [made.result() for made in [pool.submit(one) for _ in range(number)]]


def test_a_hundred_threads_ask_for_one_token(
    server: AuthorisationServer, make_auth: MakeAuth
) -> None:
    server.seconds_per_answer = 0.2
    auth = make_auth()
    given = _together(100, auth.headers)
    assert len(server.forms) == 1
    assert given == [{"Authorization": "Bearer token-1"}] * 100


def test_a_hundred_threads_whose_token_was_refused_ask_for_one_new_token(
    server: AuthorisationServer, make_auth: MakeAuth
) -> None:
    auth = make_auth()
    old = auth.headers()
    server.seconds_per_answer = 0.2
    given = _together(100, lambda: auth.headers(refused=old))
    assert len(server.forms) == 2
    assert given == [{"Authorization": "Bearer token-2"}] * 100


def test_threads_that_wait_share_a_failure(
    server: AuthorisationServer, make_auth: MakeAuth
) -> None:
    server.outages = [UNAVAILABLE] * 100
    server.seconds_per_answer = 0.5
    auth = make_auth()

    def status() -> int | None:
        with pytest.raises(TemporaryServerError) as raised:
            auth.headers()
        return raised.value.status

    assert _together(20, status) == [503] * 20
    assert len(server.forms) < 20


def test_another_attempt_is_another_assertion(
    server: AuthorisationServer, make_auth: MakeAuth, make_server: MakeServer
) -> None:
    server.outages = [UNAVAILABLE]
    client = make_server(server.base, auth=make_auth())
    assert client.read("Patient/a") == {"resourceType": "Patient", "id": "a"}
    assert len(server.jtis) == len(set(server.jtis)) == 2
    assert server.refusals == []


def test_a_token_that_ends_in_mid_crawl_is_renewed_and_the_same_page_is_asked_for_again(
    server: AuthorisationServer, make_auth: MakeAuth, make_server: MakeServer
) -> None:
    server.pages = 4
    client = make_server(server.base, auth=make_auth())
    found = []
    for page in client.search("Observation", []):
        found += [resource["id"] for resource in page.matches]
        if len(found) == 2:
            server.valid_tokens.clear()
    assert found == ["page-1", "page-2", "page-3", "page-4"]
    asked = [(target.partition("?")[2], status) for target, status in server.fhir]
    assert asked[1:] == [("page=2", 200), ("page=3", 401), ("page=3", 200), ("page=4", 200)]
    assert len(server.forms) == 2


def test_an_endpoint_that_is_down_does_not_stop_a_token_that_lives(
    server: AuthorisationServer, make_auth: MakeAuth
) -> None:
    seconds = Seconds()
    auth = make_auth(seconds=seconds)
    auth.headers()
    server.outages = [UNAVAILABLE] * 10
    seconds.now += 250
    assert auth.headers() == auth.headers() == {"Authorization": "Bearer token-1"}
    assert len(server.forms) == 2  # one renewal was tried, and not for every request
    seconds.now += 60
    with pytest.raises(TemporaryServerError):
        auth.headers()
    server.outages = []
    assert auth.headers()["Authorization"] != "Bearer token-1"


def test_a_key_that_is_exchanged_in_mid_run_fails_no_poll(
    server: AuthorisationServer,
    make_auth: MakeAuth,
    make_server: MakeServer,
    key_file: Path,
    ec_key: ec.EllipticCurvePrivateKey,
    rsa_key: rsa.RSAPrivateKey,
) -> None:
    """Both ways round: the file has both keys first, or the server forgets the old one first."""
    seconds = Seconds()
    client = make_server(server.base, auth=make_auth(seconds=seconds))

    def poll() -> None:
        assert client.read("Patient/a") is not None
        seconds.now += 241

    poll()
    write_keys(key_file, [jwk(ec_key, "one"), jwk(rsa_key, "two")])
    poll()
    server.keys = {"one": ec_key.public_key(), "two": rsa_key.public_key()}
    poll()
    server.keys = {"two": rsa_key.public_key()}
    server.valid_tokens.clear()
    poll()
    assert server.refusals == ["kid"]
    write_keys(key_file, [jwk(rsa_key, "two")])
    poll()
    assert server.refusals == ["kid"]
    assert len(server.jtis) == 5


def test_a_key_file_replaced_whole_is_read_for_the_next_token(
    server: AuthorisationServer,
    make_auth: MakeAuth,
    key_file: Path,
    rsa_key: rsa.RSAPrivateKey,
) -> None:
    auth = make_auth(key_id="one")
    old = auth.headers()
    server.keys = {"one": rsa_key.public_key()}
    write_keys(key_file, pem(rsa_key))
    assert auth.headers(refused=old) == {"Authorization": "Bearer token-2"}
    assert server.refusals == []


OBSERVATION, PATIENT = SCOPES
GRANTS = [
    ("as asked", "as-asked", (), ()),
    ("system/Patient.r system/Observation.s system/Observation.r", "as-asked", (), ()),
    ("system/Observation.read system/Patient.r", "as-asked", (), ()),
    ("system/Observation.r", "fewer", ("system/Observation.s", "system/Patient.r"), ()),
    ("system/Observation.rs?category=laboratory system/Patient.r", "fewer", (OBSERVATION,), ()),
    ("system/*.rs", "more", (), ("system/*.rs",)),
    ("system/*.*", "more", (), ("system/*.cruds",)),
    (f"{OBSERVATION} {PATIENT} system/Observation.d", "more", (), ("system/Observation.d",)),
    ("openid", "fewer", (OBSERVATION, PATIENT), ("openid",)),
    ("", "not-told", (), ()),
    (None, "not-told", (), ()),
]


@pytest.mark.parametrize(("scope", "state", "missing", "extra"), GRANTS, ids=str)
def test_what_is_granted_is_held_against_what_was_asked(
    scope: str | None,
    state: str,
    missing: tuple[str, ...],
    extra: tuple[str, ...],
    server: AuthorisationServer,
    make_auth: MakeAuth,
) -> None:
    server.scope = scope
    auth = make_auth()
    assert auth.scopes is None
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            auth.headers(refused=auth.headers())
    assert server.forms[0]["scope"] == " ".join(SCOPES)
    assert auth.scopes is not None
    assert (auth.scopes.state, auth.scopes.missing, auth.scopes.extra) == (state, missing, extra)
    told = [line["outcome"] for line in logs if line["event"] == "token_scopes_differ"]
    assert told == ([] if state == "as-asked" else [state])  # once, until it changes


FOREIGN = [
    "{canary}/token",
    "http://127.0.0.1:1@{canary_host}/token",
    "//{canary_host}/token",
    "http://localhost:{port}/token",
    "http://127.0.0.1:{port}/a/../../token",
    "http://user@127.0.0.1:{port}/token",
    "http://127.0.0.1.:{port}/token",
    "https://127.0.0.1:{port}/token",
    "http://2130706433:{port}/token",
    "http://[::ffff:127.0.0.1]:{port}/token",
    "http:\\\\{canary_host}/token",
    "http://127.0.0.1:{port}\\@{canary_host}/token",
    "/oauth/token",
    "file:///etc/passwd",
    "",
    None,
    7,
]


@pytest.mark.parametrize("stated", FOREIGN, ids=ascii)
def test_a_token_endpoint_at_another_origin_is_never_called(
    stated: Any, server: AuthorisationServer, make_auth: MakeAuth
) -> None:
    canary = Loopback()
    places = {
        "canary": canary.origin,
        "canary_host": canary.origin.removeprefix("http://"),
        "port": server.origin.rpartition(":")[2],
    }
    url = stated.format(**places) if isinstance(stated, str) else stated
    server.discovery = {"token_endpoint": url}
    with pytest.raises(NotAuthorised, match="token endpoint") as raised:
        make_auth().headers()
    canary.stop()
    assert (canary.connections, server.forms, server.refusals) == (0, [], [])
    assert raised.value.status == 401


def test_a_configured_token_endpoint_is_called_wherever_it_is(
    server: AuthorisationServer, make_auth: MakeAuth
) -> None:
    server.discovery = {"token_endpoint": "https://evil.example/token"}
    make_auth(token_url=server.token_url).headers()
    assert len(server.jtis) == 1


def test_a_redirect_of_the_token_endpoint_is_not_followed(
    server: AuthorisationServer, make_auth: MakeAuth
) -> None:
    canary = Loopback()
    for status in (301, 302, 307, 308):
        server.outages = [(status, {"headers": {"Location": f"{canary.origin}/token"}})]
        with pytest.raises(NotAuthorised, match="redirects are never followed"):
            make_auth().headers()
    canary.stop()
    assert canary.connections == 0


def test_nothing_else_that_discovery_names_is_called(
    server: AuthorisationServer, make_auth: MakeAuth
) -> None:
    make_auth().headers()
    assert server.refusals == []  # a GET of jwks_uri would stand here


@pytest.mark.parametrize("code", ["invalid_client", "invalid_scope", "CANARY made up"])
def test_a_refusal_says_the_known_code_and_nothing_else(
    code: str, server: AuthorisationServer, make_auth: MakeAuth
) -> None:
    server.outages = [(400, {"error": code, "error_description": "CANARY-description"})]
    with pytest.raises(NotAuthorised) as raised:
        make_auth().headers()
    assert "CANARY" not in str(raised.value)
    assert (code in str(raised.value)) == (not code.startswith("CANARY"))
    assert raised.value.status == 401


@pytest.mark.parametrize(
    "answer",
    [
        {"access_token": "", "token_type": "bearer"},
        {"access_token": "a\r\nX: 1", "token_type": "bearer"},
        {"access_token": 7, "token_type": "bearer"},
        {"access_token": "CANARY", "token_type": "mac"},
        {"access_token": "CANARY"},
    ],
    ids=str,
)
def test_what_is_no_bearer_token_is_not_used(
    answer: dict[str, Any], server: AuthorisationServer, make_auth: MakeAuth
) -> None:
    server.outages = [(200, answer)]
    with pytest.raises((NotAuthorised, TemporaryServerError)) as raised:
        make_auth().headers()
    assert "CANARY" not in str(raised.value)


def test_a_server_that_takes_no_signed_assertions_is_told(
    server: AuthorisationServer, make_auth: MakeAuth
) -> None:
    server.discovery = {"token_endpoint_auth_methods_supported": ["client_secret_basic"]}
    with pytest.raises(NotAuthorised, match="private_key_jwt"):
        make_auth().headers()
