"""Asks a server where its tokens are given, and for one token.

Discovery decides where a signed assertion goes, so what a server states there is believed only at
the FHIR base's own origin; a token endpoint elsewhere has to be configured. Nothing redirects us,
and neither `jku` nor `jwks_uri` is ever used. One call is one attempt: an assertion is a thing to
be used once, so whoever tries again comes here again and gets a new one.

Every refusal is NotAuthorised with status 401, whatever the token endpoint said: a 400 or 404 from
here must not be taken for the FHIR server's answer to what was asked of it.

Source: SMART App Launch 2.2, conformance and backend-services; RFC 6749, RFC 7523.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode

from adapter.errors import (
    ForeignOrigin,
    InputError,
    NotAuthorised,
    ServerError,
    TemporaryServerError,
)
from adapter.ports import Clock, JsonObject, JsonReader
from adapter.transport.auth import NoAuth
from adapter.transport.http import RETRYABLE_STATUSES, Answer, Call, Http
from adapter.transport.origin import endpoint_at, normal_base, origin_of
from adapter.transport.server_config import ServerConfig
from adapter.transport.smart.keys import SigningKey

ASSERTION_SECONDS: Final = 150
"""How long an assertion holds. SMART allows 300; half of it bears a clock 150 s off either way."""
UNSTATED_SECONDS: Final = 60.0
"""How long a token is used whose life was not stated, or not believably; a 401 ends it sooner."""
LONGEST_SECONDS: Final = 3600.0
"""No token is used longer, so that rights that were taken away are noticed."""

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")
# RFC 6749, section 5.2, and RFC 7523; another text of the server is not repeated.
_ERRORS = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
    }
)


@dataclass(frozen=True)
class SmartClient:
    """Who asks, for what, and where. `token_url`: configured, or None for the server's own word."""

    client_id: str
    scopes: tuple[str, ...]
    token_url: str | None = None


@dataclass(frozen=True)
class Grant:
    """A token: how many seconds it holds from the request on, and the scopes stated with it."""

    token: str = field(repr=False)
    seconds: float
    scope: str | None


@dataclass(frozen=True)
class _Endpoint:
    url: str
    audience: str  # as the server writes it: it compares texts
    algorithms: frozenset[str] | None = None


class TokenEndpoint:
    """The token endpoint of one FHIR server; for one thread at a time."""

    def __init__(
        self, config: ServerConfig, client: SmartClient, *, clock: Clock, read_json: JsonReader
    ) -> None:
        """Open nothing yet; `config` is the FHIR server's, with its authorities and certificate."""
        self._base_url = normal_base(config.base_url)
        self._client = client
        self._clock = clock
        self._read_json = read_json
        self._http = Http(replace(config, attempts=1), clock=clock, auth=NoAuth())
        self._found: _Endpoint | None = None

    def ask(self, keys: Iterable[SigningKey]) -> Grant:
        """Ask for a token with each key in turn until one is taken; each time a new assertion.

        Raises: NotAuthorised (status 401) when none is taken, or the endpoint is not to be called;
            TemporaryServerError.
        """
        try:
            return self._ask_in_turn(keys)
        except NotAuthorised:
            self._found = None  # the endpoint may have moved
            raise
        finally:
            self._http.close()  # the next token is minutes away

    def _ask_in_turn(self, keys: Iterable[SigningKey]) -> Grant:
        endpoint = self._endpoint()
        refusal = NotAuthorised(
            "the server takes none of the algorithms of our keys; register a key for RS384 or ES384",
            status=401,
        )
        for key in keys:
            if endpoint.algorithms is None or key.algorithm in endpoint.algorithms:
                try:
                    return self._ask_with(key, endpoint)
                except NotAuthorised as error:
                    refusal = error  # while one key follows another, the server may take the next
        raise refusal

    def _ask_with(self, key: SigningKey, endpoint: _Endpoint) -> Grant:
        claims = {
            "iss": self._client.client_id,
            "sub": self._client.client_id,
            "aud": endpoint.audience,
            "exp": int(self._clock.now().timestamp()) + ASSERTION_SECONDS,
            "jti": secrets.token_urlsafe(24),
        }
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": _ASSERTION_TYPE,
            "client_assertion": key.sign(claims),
        }
        if self._client.scopes:
            form["scope"] = " ".join(self._client.scopes)
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
            "Cache-Control": "no-store",
        }
        call = Call("POST", endpoint.url, headers, urlencode(form).encode("ascii"))
        return self._http.send(call, self._grant)

    def _endpoint(self) -> _Endpoint:
        if self._client.token_url is not None:
            origin = origin_of(self._client.token_url)
            return _Endpoint(endpoint_at(self._client.token_url, origin), self._client.token_url)
        if self._found is None:
            url = f"{self._base_url}/.well-known/smart-configuration"
            call = Call("GET", url, {"Accept": "application/json", "Cache-Control": "no-cache"})
            self._found = self._http.send(call, self._discovered)
        return self._found

    def _discovered(self, answer: Answer) -> _Endpoint:
        if answer.status != 200:
            raise self._failure(
                answer,
                "the server does not say where its tokens are given "
                "(.well-known/smart-configuration); set auth.token_url",
            )
        stated = self._object(answer, "the server's SMART configuration")
        url = stated.get("token_endpoint")
        if not isinstance(url, str) or not url:
            raise NotAuthorised(
                "the server's SMART configuration names no token endpoint", status=401
            )
        try:
            called = endpoint_at(url, origin_of(self._base_url))
        except ForeignOrigin as error:
            raise NotAuthorised(
                "the token endpoint of the server's SMART configuration is at another server and "
                "was not called; if it is the right one, set auth.token_url to it",
                status=401,
            ) from error
        methods = stated.get("token_endpoint_auth_methods_supported")
        if isinstance(methods, list) and "private_key_jwt" not in methods:
            raise NotAuthorised(
                "the server does not take signed assertions (private_key_jwt)", status=401
            )
        listed = stated.get("token_endpoint_auth_signing_alg_values_supported")
        algorithms = frozenset(map(str, listed)) if isinstance(listed, list) and listed else None
        return _Endpoint(called, url, algorithms)

    def _grant(self, answer: Answer) -> Grant:
        if answer.status != 200:
            code = self._error_code(answer)
            raise self._failure(
                answer,
                f"the token endpoint answered {answer.status}{f' {code}' if code else ''}; check "
                "client_id, the registered key and the scopes",
            )
        stated = self._object(answer, "the token endpoint's answer")
        token, kind = stated.get("access_token"), stated.get("token_type")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise TemporaryServerError("the token endpoint gave no token", status=200)
        if not isinstance(kind, str) or kind.lower() != "bearer":
            raise NotAuthorised(
                "the token endpoint gave a token that is no bearer token", status=401
            )
        scope = stated.get("scope")
        return Grant(
            token, _seconds(stated.get("expires_in")), scope if isinstance(scope, str) else None
        )

    def _object(self, answer: Answer, what: str) -> JsonObject:
        try:
            return self._read_json(answer.body)
        except InputError as error:
            raise TemporaryServerError(
                f"{what} cannot be read ({error.code})", status=200
            ) from None

    def _error_code(self, answer: Answer) -> str:
        try:
            code = self._read_json(answer.body).get("error")
        except InputError:
            return ""
        return code if isinstance(code, str) and code in _ERRORS else ""

    def _failure(self, answer: Answer, text: str) -> ServerError:
        if answer.status in RETRYABLE_STATUSES or answer.status >= 500:
            return TemporaryServerError(
                f"the server that gives tokens answered {answer.status}",
                status=answer.status,
                retry_after_seconds=self._http.retry_after_seconds(answer),
            )
        if 300 <= answer.status < 400:
            text = f"{text}; it redirects, and redirects are never followed"
        return NotAuthorised(text, status=401)


def _seconds(stated: Any) -> float:
    """Read `expires_in`; a number written as text counts, and what is no life at all does not."""
    if isinstance(stated, str) and stated.isascii() and stated.isdigit():
        stated = int(stated[:12])
    if isinstance(stated, bool) or not isinstance(stated, int | Decimal) or stated <= 0:
        return UNSTATED_SECONDS
    return min(float(stated), LONGEST_SECONDS)
