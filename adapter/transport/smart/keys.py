"""The private keys with which the adapter proves who it is, read from a file.

The file is read for every token, so a key that was exchanged counts from the next token on. It is
PEM (one key) or JSON: a JWK, or a JWKS with several keys while one follows another. What it holds
never reaches a message. SMART asks for RS384 and ES384; a key for anything else is refused.

Source: SMART App Launch 2.2, client-confidential-asymmetric; RFC 7517 (JWK), RFC 7638 (thumbprint).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, RSAKey

from adapter.errors import InputError, NotAuthorised
from adapter.ports import JsonReader
from adapter.transport.tls import rights_problem

ALGORITHMS: Final = ("RS384", "ES384")
_SHORTEST_RSA: Final = 2048
# The library warns of short RSA keys; where warnings are errors that ends in the same refusal.
_UNREADABLE: Final = (JoseError, ValueError, TypeError, KeyError, SecurityWarning)


@dataclass(frozen=True)
class SigningKey:
    """One private key: its `kid` at the server, its algorithm, and the key itself, never shown."""

    key_id: str
    algorithm: str
    key: RSAKey | ECKey = field(repr=False)

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Make a signed assertion of these claims (compact JWS, header `alg`, `kid`, `typ`)."""
        header = {"alg": self.algorithm, "kid": self.key_id, "typ": "JWT"}
        return jwt.encode(header, dict(claims), self.key, algorithms=[self.algorithm])


@dataclass(frozen=True)
class KeyFile:
    """A file of private keys.

    `key_id`: the one key of a JWKS to use, or the `kid` under which a PEM is registered; without it
    all keys of the file may be tried in their order, and a PEM is named by its thumbprint.
    """

    path: Path
    read_json: JsonReader = field(repr=False)
    key_id: str | None = None

    def keys(self) -> tuple[SigningKey, ...]:
        """Read the keys that can sign, in the order of the file; at least one.

        Raises: NotAuthorised (status 401) when there is none, or others can read the file.
        """
        try:
            if problem := rights_problem(self.path):
                raise self._problem(problem)
            content = self.path.read_bytes()
        except OSError as error:
            raise self._problem("cannot be read") from error
        found = tuple(self._signing_keys(content))
        if not found:
            named = f" with the kid {self.key_id}" if self.key_id else ""
            raise self._problem(
                f"holds no private key{named} for {' or '.join(ALGORITHMS)}: it takes RSA of at "
                f"least {_SHORTEST_RSA} bits or EC on P-384, as PEM without a password or as JWKS"
            )
        return found

    def _signing_keys(self, content: bytes) -> Iterator[SigningKey]:
        is_json = content.lstrip().startswith(b"{")
        for stated, key in self._jwks(content) if is_json else _pem(content):
            algorithm = _algorithm_of(key)
            if algorithm is None or stated.get("alg", algorithm) != algorithm:
                continue
            if stated.get("use", "sig") != "sig":
                continue
            own_id = stated.get("kid")
            if is_json and self.key_id and own_id != self.key_id:
                continue
            named = self.key_id or own_id
            yield SigningKey(named if isinstance(named, str) else key.thumbprint(), algorithm, key)

    def _jwks(self, content: bytes) -> Iterator[tuple[Mapping[str, Any], RSAKey | ECKey]]:
        try:
            document = self.read_json(content)
        except InputError as error:
            raise self._problem(f"is no JSON that can be read ({error.code})") from None
        listed = document.get("keys", [document])
        for stated in listed if isinstance(listed, list) else ():
            kind = stated.get("kty") if isinstance(stated, dict) else None
            try:
                if kind == "RSA":
                    yield stated, RSAKey.import_key(stated)
                elif kind == "EC":
                    yield stated, ECKey.import_key(stated)
            except _UNREADABLE:
                continue  # another key of the file may do; none at all is told

    def _problem(self, what: str) -> NotAuthorised:
        return NotAuthorised(f"the key file {self.path} {what}", status=401)


def _pem(content: bytes) -> Iterator[tuple[Mapping[str, Any], RSAKey | ECKey]]:
    for kind in (RSAKey, ECKey):
        try:
            key: RSAKey | ECKey = kind.import_key(content)
        except _UNREADABLE:
            continue
        yield {}, key
        return


def _algorithm_of(key: RSAKey | ECKey) -> str | None:
    if not key.is_private:
        return None
    if isinstance(key, RSAKey):
        return "RS384" if key.raw_value.key_size >= _SHORTEST_RSA else None
    return "ES384" if key.curve_name == "P-384" else None
