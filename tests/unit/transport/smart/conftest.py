"""Keys, a served authorisation server, and clients of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import ECKey, RSAKey

from adapter.fhir.strict_json import read_json
from adapter.transport.server_config import ServerConfig
from adapter.transport.smart import KeyFile, SmartAuth, SmartClient, TokenEndpoint
from tests.servers.authorisation import AuthorisationServer, serving

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
SCOPES = ("system/Observation.rs", "system/Patient.r")


class WallClock:
    """The real time, shifted; its sleeps take none."""

    def __init__(self, ahead: float = 0.0) -> None:
        self.ahead = ahead

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time() + self.ahead, UTC)

    def sleep(self, seconds: float) -> None:
        pass


class Seconds:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="session")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="session")
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP384R1())


def pem(key: PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def jwk(key: PrivateKey, kid: str, **more: str) -> dict[str, Any]:
    kind = RSAKey if isinstance(key, rsa.RSAPrivateKey) else ECKey
    return {**kind.import_key(pem(key)).as_dict(private=True), "kid": kid, **more}


def write_keys(file: Path, content: bytes | list[dict[str, Any]], mode: int = 0o600) -> Path:
    raw = content if isinstance(content, bytes) else json.dumps({"keys": content}).encode()
    file.write_bytes(raw)
    file.chmod(mode)
    return file


@pytest.fixture
def server(ec_key: ec.EllipticCurvePrivateKey) -> Iterator[AuthorisationServer]:
    with serving(AuthorisationServer(keys={"one": ec_key.public_key()})) as served:
        yield served


@pytest.fixture
def key_file(tmp_path: Path, ec_key: ec.EllipticCurvePrivateKey) -> Path:
    return write_keys(tmp_path / "keys.json", [jwk(ec_key, "one")])


MakeAuth = Callable[..., SmartAuth]


@pytest.fixture
def make_auth(server: AuthorisationServer, key_file: Path) -> MakeAuth:
    def make(
        *,
        seconds: Seconds | None = None,
        ahead: float = 0.0,
        key_id: str | None = None,
        **client: Any,
    ) -> SmartAuth:
        who = SmartClient(**{"client_id": "her2", "scopes": SCOPES} | client)
        endpoint = TokenEndpoint(
            ServerConfig(server.base), who, clock=WallClock(ahead), read_json=read_json
        )
        keys = KeyFile(key_file, read_json, key_id)
        return SmartAuth(who, keys=keys, endpoint=endpoint, monotonic=seconds or Seconds())

    return make
