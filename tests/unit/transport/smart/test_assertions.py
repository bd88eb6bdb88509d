"""S1: every assertion is what SMART asks for, by a server's own reading; and the fake can refuse."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from adapter.errors import NotAuthorised
from adapter.fhir.strict_json import read_json
from adapter.transport.smart import KeyFile
from tests.servers.authorisation import AuthorisationServer, Refused
from tests.unit.transport.smart.conftest import MakeAuth, PrivateKey, jwk, pem, write_keys


@pytest.mark.parametrize("kind", ["RS384", "ES384"])
@pytest.mark.parametrize("form", ["pem", "jwks"])
def test_a_server_takes_our_assertions_of_both_kinds(
    kind: str,
    form: str,
    server: AuthorisationServer,
    make_auth: MakeAuth,
    key_file: Path,
    rsa_key: rsa.RSAPrivateKey,
    ec_key: ec.EllipticCurvePrivateKey,
) -> None:
    key: PrivateKey = rsa_key if kind == "RS384" else ec_key
    server.keys = {"one": key.public_key()}
    write_keys(key_file, pem(key) if form == "pem" else [jwk(key, "one")])
    sent = make_auth(key_id="one").headers()
    assert sent == {"Authorization": "Bearer token-1"}
    assert (server.refusals, len(server.jtis)) == ([], 1)
    header = json.loads(base64.urlsafe_b64decode(server.assertions[0].split(".")[0] + "=="))
    assert header == {"alg": kind, "kid": "one", "typ": "JWT"}


def test_a_pem_without_a_key_id_is_named_by_its_thumbprint(
    server: AuthorisationServer,
    make_auth: MakeAuth,
    key_file: Path,
    ec_key: ec.EllipticCurvePrivateKey,
) -> None:
    thumbprint = ECKey.import_key(pem(ec_key)).thumbprint()
    server.keys = {thumbprint: ec_key.public_key()}
    write_keys(key_file, pem(ec_key))
    make_auth().headers()
    assert server.refusals == []


def test_ten_thousand_assertions_have_ten_thousand_ids(
    server: AuthorisationServer,
    make_auth: MakeAuth,
    record_property: Any,
    monkeypatch: pytest.MonkeyPatch,
    ec_key: ec.EllipticCurvePrivateKey,
) -> None:
    """The requests stop before the network; each assertion goes through the server's own check."""

    def straight(_http: object, call: Any, accept: Any) -> Any:
        from urllib.parse import parse_qs

        from adapter.transport.http import Answer

        if call.method == "GET":
            status, content = server.configuration()
        else:
            form = {name: text[0] for name, text in parse_qs(call.body.decode()).items()}
            status, content = server.token(form)
        return accept(Answer(status, {}, json.dumps(content).encode()))

    monkeypatch.setattr("adapter.transport.http.Http.send", straight)
    auth = make_auth()
    given: dict[str, str] = {}
    for _ in range(10_000):
        given = dict(auth.headers(refused=given or None))
    assert server.refusals == []
    assert len(set(server.jtis)) == 10_000
    record_property("promise", "assertions")
    record_property("figure", "10,000 signed assertions, 10,000 distinct jti, 0 refused")


def _claims(server: AuthorisationServer, **changed: Any) -> dict[str, Any]:
    return {
        "iss": "her2",
        "sub": "her2",
        "aud": server.token_url,
        "exp": int(time.time()) + 200,
        "jti": f"{time.time_ns()}",
    } | changed


WRONG = {
    "exp 301 s": ({"exp": 305}, {}, "exp more than 300 s away"),
    "expired": ({"exp": -1}, {}, "expired"),
    "aud": ({"aud": "https://else.example/token"}, {}, "aud"),
    "iss": ({"iss": "other"}, {}, "iss or sub"),
    "kid": ({}, {"kid": "two"}, "kid"),
    "jku": ({}, {"jku": "https://evil.example/jwks"}, "header"),
    "typ": ({}, {"typ": "at+jwt"}, "header"),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_fake_server_refuses_what_smart_forbids(
    name: str, server: AuthorisationServer, ec_key: ec.EllipticCurvePrivateKey
) -> None:
    claims, header, reason = WRONG[name]
    if "exp" in claims:
        claims = {"exp": int(time.time()) + claims["exp"]}
    key = ECKey.import_key(pem(ec_key))
    full = {"alg": "ES384", "kid": "one", "typ": "JWT"} | header
    text = jwt.encode(full, _claims(server, **claims), key, algorithms=["ES384"])
    with pytest.raises(Refused, match=reason):
        server.check(text)


def test_the_fake_server_refuses_a_second_use_another_algorithm_and_another_key(
    server: AuthorisationServer, ec_key: ec.EllipticCurvePrivateKey, rsa_key: rsa.RSAPrivateKey
) -> None:
    head = {"kid": "one", "typ": "JWT"}
    key = ECKey.import_key(pem(ec_key))
    good = jwt.encode(head | {"alg": "ES384"}, _claims(server), key, algorithms=["ES384"])
    server.check(good)
    with pytest.raises(Refused, match="jti"):
        server.check(good)
    with pytest.raises(Refused, match="signature"):
        server.check(good[:-8] + ("AAAAAAAA" if good[-8:] != "AAAAAAAA" else "BBBBBBBB"))
    for algorithm, other in (
        ("RS256", RSAKey.import_key(pem(rsa_key))),
        ("HS256", OctKey.import_key("0" * 32)),
    ):
        text = jwt.encode(head | {"alg": algorithm}, _claims(server), other, algorithms=[algorithm])
        with pytest.raises(Refused, match="algorithm"):
            server.check(text)
    parts = [json.dumps(part).encode() for part in (head | {"alg": "none"}, _claims(server))]
    unsigned = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
    with pytest.raises(Refused, match="algorithm"):
        server.check(unsigned + ".")


BAD_KEYS = {
    "open to the group": (0o640, "can be read by others"),
    "open to all": (0o604, "can be read by others"),
    "short RSA": (0o600, "holds no private key"),
    "P-256": (0o600, "holds no private key"),
    "public only": (0o600, "holds no private key"),
    "RS256 stated": (0o600, "holds no private key"),
    "for encryption": (0o600, "holds no private key"),
    "no key at all": (0o600, "holds no private key"),
    "broken JSON": (0o600, "is no JSON that can be read"),
    "another kid": (0o600, "holds no private key with the kid two"),
}


@pytest.mark.parametrize("name", BAD_KEYS)
def test_a_key_file_that_cannot_be_used_is_refused_with_what_to_do(
    name: str, tmp_path: Path, ec_key: ec.EllipticCurvePrivateKey, rsa_key: rsa.RSAPrivateKey
) -> None:
    mode, says = BAD_KEYS[name]
    content: dict[str, Any] = {
        "short RSA": pem(rsa.generate_private_key(65537, 1024)),
        "P-256": pem(ec.generate_private_key(ec.SECP256R1())),
        "public only": [ECKey.import_key(pem(ec_key)).as_dict(private=False) | {"kid": "one"}],
        "RS256 stated": [jwk(rsa_key, "one", alg="RS256")],
        "for encryption": [jwk(rsa_key, "one", use="enc")],
        "no key at all": b"SECRET-CANARY",
        "broken JSON": b'{"keys": [{"d": "SECRET-CANARY", "d": 1}]}',
    }
    file = write_keys(tmp_path / "keys", content.get(name, [jwk(ec_key, "one")]), mode)
    with pytest.raises(NotAuthorised, match=says) as raised:
        KeyFile(file, read_json, "two" if name == "another kid" else None).keys()
    assert raised.value.status == 401
    assert "CANARY" not in str(raised.value)


def test_a_key_file_that_is_not_there_is_no_authorisation(tmp_path: Path) -> None:
    with pytest.raises(NotAuthorised, match="cannot be read"):
        KeyFile(tmp_path / "none", read_json).keys()


def test_of_several_keys_the_named_one_signs(
    server: AuthorisationServer,
    make_auth: MakeAuth,
    key_file: Path,
    ec_key: ec.EllipticCurvePrivateKey,
    rsa_key: rsa.RSAPrivateKey,
) -> None:
    server.keys = {"two": rsa_key.public_key()}
    write_keys(key_file, [jwk(ec_key, "one"), jwk(rsa_key, "two")])
    make_auth(key_id="two").headers()
    assert (server.refusals, len(server.jtis)) == ([], 1)


def test_a_key_of_an_algorithm_that_the_server_does_not_take_is_not_tried(
    server: AuthorisationServer,
    make_auth: MakeAuth,
    key_file: Path,
    ec_key: ec.EllipticCurvePrivateKey,
    rsa_key: rsa.RSAPrivateKey,
) -> None:
    server.keys["two"] = rsa_key.public_key()
    server.discovery = {"token_endpoint_auth_signing_alg_values_supported": ["RS384"]}
    write_keys(key_file, [jwk(ec_key, "one"), jwk(rsa_key, "two")])
    make_auth().headers()
    assert len(server.assertions) == 1
    server.discovery = {"token_endpoint_auth_signing_alg_values_supported": ["RS256"]}
    with pytest.raises(NotAuthorised, match="register a key"):
        make_auth().headers()


def test_a_key_does_not_show(
    key_file: Path, make_auth: MakeAuth, ec_key: ec.EllipticCurvePrivateKey
) -> None:
    keys = KeyFile(key_file, read_json)
    secret = jwk(ec_key, "one")["d"]
    shown = repr(keys) + repr(keys.keys()) + repr(make_auth()) + repr(make_auth().__dict__)
    assert secret not in shown
