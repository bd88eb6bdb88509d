"""The section `http`: where `run --http` listens, and who may ask for what."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from adapter.settings.section import ExistingFile, LongSecret, Seconds, Section, is_loopback
from adapter.settings.webhook import WebhookSettings

DEFAULT_ADDRESS = "127.0.0.1:8765"
"""Where `run --http` listens when nobody says where."""

_HOST = re.compile(r"[A-Za-z0-9.:-]{1,253}")
_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]+")
_TOKENS = ("watch_token", "derive_token", "sync_token")


@dataclass(frozen=True)
class Address:
    """Where a server listens: a host's name or address, and a port, 0 for a free one."""

    host: str
    port: int

    @classmethod
    def of(cls, text: str) -> Address:
        """Read HOST:PORT; an IPv6 address stands in brackets. Raises ValueError saying what is wrong."""
        host, _, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
        is_bare_ipv6 = ":" in host and not text.startswith("[")
        if not _HOST.fullmatch(host) or is_bare_ipv6 or not port.isascii() or not port.isdigit():
            raise ValueError("must be HOST:PORT, such as 127.0.0.1:8765 or [::1]:8765")
        if int(port) > 65535:
            raise ValueError("must have a port of 0 to 65535")
        return cls(host, int(port))


def _address(text: str) -> str:
    Address.of(text)
    return text


def _fits_header(secret: SecretStr) -> SecretStr:
    if not _VISIBLE_ASCII.fullmatch(secret.get_secret_value()):
        raise ValueError("holds a character that no header can carry")
    return secret


_Token = Annotated[LongSecret, AfterValidator(_fits_header)]


class HttpSettings(Section):
    """What `run --http` offers. A role without a token is not offered beyond loopback.

    `watch_token`: for /readyz, /metrics and the descriptions. `derive_token`: for the FHIR operation. `sync_token`:
    for POST /sync, which is offered nowhere without it. `cert_file`, `key_file`: TLS; `allow_http`: other
    machines may come without, because a proxy before us ends it. `derive_megabytes`: the largest Bundle.
    `sync_queue`: requests that may wait; `sync_patients`: patients in one; `sync_wait_seconds`: how long an
    answer is waited for before it is given as a place to look. `settle_seconds`: a pass begins when no notification
    came for so long, `settle_most_seconds` after the first at the latest.
    """

    watch_token: _Token | None = None
    derive_token: _Token | None = None
    sync_token: _Token | None = None
    cert_file: ExistingFile | None = None
    key_file: ExistingFile | None = None
    allow_http: bool = False
    derive_megabytes: int = Field(default=4, ge=1, le=1024)
    sync_queue: int = Field(default=100, ge=1, le=10_000)
    sync_patients: int = Field(
        default=100, ge=1, le=800
    )  # their ids fit the 64 KiB that a body may have
    sync_wait_seconds: Seconds = 30.0
    settle_seconds: Seconds = 1.0
    settle_most_seconds: Seconds = 10.0
    webhook: WebhookSettings = WebhookSettings()
    address: Annotated[str, AfterValidator(_address)] | None = None

    @field_validator("derive_token", "sync_token")
    @classmethod
    def _is_its_own(cls, token: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if token is not None and token in [info.data.get(name) for name in _TOKENS]:
            raise ValueError("is the token of another role too; give each role one of its own")
        return token

    @field_validator("webhook")
    @classmethod
    def _has_its_own_secret(cls, webhook: WebhookSettings, info: ValidationInfo) -> WebhookSettings:
        secrets = [one for one in (webhook.secret, webhook.earlier_secret) if one is not None]
        if any(info.data.get(name) in secrets for name in _TOKENS):
            raise ValueError(
                "has the token of a role as its secret, which stands in the Subscription on the server; "
                "give it one of its own"
            )
        return webhook

    @field_validator("key_file")
    @classmethod
    def _has_certificate(cls, file: object, info: ValidationInfo) -> object:
        if file is not None and info.data.get("cert_file", file) is None:
            raise ValueError("is given without cert_file; set both")
        return file

    @field_validator("address")
    @classmethod
    def _is_guarded(cls, address: str | None, info: ValidationInfo) -> str | None:
        if address is None or is_loopback(Address.of(address).host):
            return address
        given = info.data
        webhook = given.get("webhook")
        has_none = all(name in given and given[name] is None for name in _TOKENS)
        if has_none and webhook is not None and webhook.secret is None:
            raise ValueError(
                "is open to other machines, and nobody would be asked who they are; "
                "set http.watch_token, http.derive_token, http.sync_token or http.webhook.secret"
            )
        if given.get("cert_file", "") is None and given.get("allow_http") is False:
            raise ValueError(
                "would answer other machines unencrypted; set http.cert_file, or http.allow_http "
                "where a proxy before it ends TLS"
            )
        return address
