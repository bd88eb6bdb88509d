"""An authorisation server on loopback, with a few FHIR resources behind it.

It verifies assertions by itself, with the primitives of `cryptography` and the words of the SMART
specification, and shares nothing with the adapter. Every refusal has its reason in `refusals`.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
Reply = tuple[int, dict[str, Any]]


class Refused(Exception):
    """An assertion that is not what SMART asks for."""


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _verify(key: PublicKey, algorithm: str, signed: bytes, signature: bytes) -> None:
    if isinstance(key, rsa.RSAPublicKey) and algorithm == "RS384":
        key.verify(signature, signed, padding.PKCS1v15(), SHA384())
    elif isinstance(key, ec.EllipticCurvePublicKey) and algorithm == "ES384":
        half = len(signature) // 2
        r, s = int.from_bytes(signature[:half]), int.from_bytes(signature[half:])
        key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(SHA384()))
    else:
        raise Refused(f"algorithm {algorithm}")


@dataclass
class AuthorisationServer:
    """What it knows and what it saw; `keys` are the registered public keys by kid."""

    client_id: str = "her2"
    keys: dict[str, PublicKey] = field(default_factory=dict)
    scope: str | None = "as asked"
    token_answer: dict[str, Any] = field(default_factory=lambda: {"expires_in": 300})
    discovery: dict[str, Any] = field(default_factory=dict)
    outages: list[Reply] = field(default_factory=list)
    clock_ahead: float = 0.0
    seconds_per_answer: float = 0.0
    pages: int = 3
    # seen
    assertions: list[str] = field(default_factory=list)
    jtis: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    fhir: list[tuple[str, int]] = field(default_factory=list)
    valid_tokens: set[str] = field(default_factory=set)
    origin: str = ""
    _used: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def base(self) -> str:
        return f"{self.origin}/fhir"

    @property
    def token_url(self) -> str:
        return f"{self.origin}/oauth/token"

    def check(self, assertion: str) -> None:
        """Hold an assertion against the specification; raises Refused."""
        try:
            head, body, signature = assertion.split(".")
            header, claims = json.loads(_decoded(head)), json.loads(_decoded(body))
        except ValueError as error:
            raise Refused("no JWT") from error
        if set(header) != {"alg", "kid", "typ"} or header["typ"] != "JWT":
            raise Refused("header")
        if header["alg"] not in ("RS384", "ES384"):
            raise Refused("algorithm")
        if header["kid"] not in self.keys:
            raise Refused("kid")
        try:
            key = self.keys[header["kid"]]
            _verify(key, header["alg"], f"{head}.{body}".encode(), _decoded(signature))
        except InvalidSignature as error:
            raise Refused("signature") from error
        if not claims.get("iss") == claims.get("sub") == self.client_id:
            raise Refused("iss or sub")
        if claims.get("aud") != self.token_url:
            raise Refused("aud")
        now = time.time() + self.clock_ahead
        if claims["exp"] <= now:
            raise Refused("expired")
        if claims["exp"] > now + 300:
            raise Refused("exp more than 300 s away")
        if not claims.get("jti") or claims["jti"] in self._used:
            raise Refused("jti")
        self._used.add(claims["jti"])
        self.jtis.append(claims["jti"])

    def _check_form(self, form: dict[str, str]) -> None:
        if form.get("grant_type") != "client_credentials":
            raise Refused("grant_type")
        if form.get("client_assertion_type") != JWT_BEARER:
            raise Refused("client_assertion_type")

    def token(self, form: dict[str, str]) -> Reply:
        time.sleep(self.seconds_per_answer)
        with self._lock:
            self.forms.append(form)
            self.assertions.append(form.get("client_assertion", ""))
            try:
                self._check_form(form)
                self.check(form.get("client_assertion", ""))
            except Refused as refused:
                self.refusals.append(str(refused))
                return 400, {"error": "invalid_client", "error_description": "CANARY-description"}
            if self.outages:
                return self.outages.pop(0)
            token = f"token-{len(self.jtis)}"
            self.valid_tokens.add(token)
            granted = form.get("scope", "") if self.scope == "as asked" else self.scope
            told = {} if granted is None else {"scope": granted}
            return 200, {"access_token": token, "token_type": "bearer", **told, **self.token_answer}

    def configuration(self) -> Reply:
        stated = {
            "token_endpoint": self.token_url,
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"],
            "jwks_uri": f"{self.origin}/never/jwks",
        } | self.discovery
        return 200, stated

    def resource(self, path: str, query: str, token: str) -> Reply:
        if token not in self.valid_tokens:
            self.fhir.append((f"{path}?{query}", 401))
            return 401, {}
        self.fhir.append((f"{path}?{query}", 200))
        if path.endswith("/Observation"):
            return 200, self._page(int(parse_qs(query).get("page", ["1"])[0]))
        kind, _, logical_id = path.removeprefix("/fhir/").partition("/")
        return 200, {"resourceType": kind, "id": logical_id}

    def _page(self, number: int) -> dict[str, Any]:
        link = [{"relation": "next", "url": f"{self.base}/Observation?page={number + 1}"}]
        resource = {"resourceType": "Observation", "id": f"page-{number}"}
        return {
            "resourceType": "Bundle",
            "type": "searchset",
            "link": link if number < self.pages else [],
            "entry": [{"resource": resource, "search": {"mode": "match"}}],
        }


@contextmanager
def serving(server: AuthorisationServer) -> Iterator[AuthorisationServer]:
    """Serve it on a free port of loopback for as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/fhir/.well-known/smart-configuration":
                self._reply(server.configuration())
            elif parts.path.startswith("/fhir/"):
                token = self.headers.get("Authorization", "").removeprefix("Bearer ")
                self._reply(server.resource(parts.path, parts.query, token))
            else:
                server.refusals.append(f"GET {parts.path}")
                self._reply((404, {}))

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(text).items()}
            if self.path == "/oauth/token":
                self._reply(server.token(form))
            else:
                server.refusals.append(f"POST {self.path}")
                self._reply((404, {}))

        def _reply(self, reply: Reply) -> None:
            status, content = reply
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/fhir+json")
            self.send_header("Content-Length", str(len(body)))
            for name, value in content.get("headers", {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    server.origin = f"http://127.0.0.1:{listener.server_address[1]}"
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()
