"""The section `http.webhook`: where a FHIR server reaches us, and what its notifications are known by."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr, ValidationInfo, field_validator

from adapter.settings.section import SHORTEST_KEY, Section, is_loopback

_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, section 5.6.2
_SECRET = re.compile(r"[A-Za-z0-9._~+/=-]+")
_LONGEST_SECRET = 512


def _url(text: str) -> str:
    """Check where a server reaches us; raises ValueError saying what is wrong, never quoting it."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in {"http", "https"} or not text.isascii():
        raise ValueError("must be a whole URL; it looks like https://her2.example.org/webhook")
    if not text.isprintable() or {" ", "\\", "@", "?", "#"} & set(text):
        raise ValueError("must not hold a user, a query, a fragment, or what no URL holds")
    return text.rstrip("/")


def _fits_header(secret: SecretStr) -> SecretStr:
    # Medplum parts a header at every colon, proxies strip blanks: such a secret would arrive as another.
    text = secret.get_secret_value()
    if not _SECRET.fullmatch(text) or not SHORTEST_KEY <= len(text) <= _LONGEST_SECRET:
        raise ValueError(
            f"takes {SHORTEST_KEY} to {_LONGEST_SECRET} letters, digits and ._~+/=-: "
            "openssl rand -hex 32"
        )
    return secret


_OF_HTTP = frozenset(
    {
        "accept",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "expect",
        "host",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)
"""Headers, in small letters, whose content HTTP determines (RFC 9110), so that no secret can stand in them."""


def _header_name(text: str) -> str:
    if not _HEADER_NAME.fullmatch(text):
        raise ValueError("is not the name of a header")
    if text.lower() in _OF_HTTP:
        raise ValueError(
            "is a header that HTTP itself needs; name one of your own, such as X-Webhook-Secret"
        )
    return text


_Secret = Annotated[SecretStr, AfterValidator(_fits_header)]


class WebhookSettings(Section):
    """How a FHIR server notifies us of changes; a notification only wakes the poller.

    `endpoint`: the URL under which the server reaches us. `secret`: what its notifications are known by;
    `earlier_secret` is taken too, while a new one is on its way to the server. `header_name`: the header that carries
    it. `allow_http`: the server may send the secret unencrypted beyond loopback.
    """

    allow_http: bool = False
    endpoint: Annotated[str, AfterValidator(_url)] | None = None
    secret: _Secret | None = None
    earlier_secret: _Secret | None = None
    header_name: Annotated[str, AfterValidator(_header_name)] = "X-Webhook-Secret"

    @field_validator("earlier_secret")
    @classmethod
    def _has_a_later_one(cls, secret: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if secret is not None and info.data.get("secret", secret) is None:
            raise ValueError("is given without secret; set both, or the earlier one as secret")
        return secret

    @field_validator("endpoint")
    @classmethod
    def _is_encrypted(cls, url: str | None, info: ValidationInfo) -> str | None:
        if url is None or url.startswith("https:") or info.data.get("allow_http"):
            return url
        if not is_loopback(urlsplit(url).hostname or ""):
            raise ValueError(
                "would let the secret travel unencrypted; use https, or set allow_http where the "
                "network itself is protected"
            )
        return url
