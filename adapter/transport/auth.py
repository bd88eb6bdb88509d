"""Ways to prove who we are to a FHIR server; each one only makes request headers.

Secrets never show in `repr`, in messages or in logs. Nothing here switches the check of the
server's certificate off; an own authority is named by `ServerConfig.ca_file`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from adapter.errors import ConfigError, NotAuthorised

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, section 5.6.2
_VISIBLE_ASCII = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
# Set by the transport itself; a second value would change what is sent or how it is read.
_RESERVED_HEADERS = frozenset(
    {
        "accept",
        "accept-encoding",
        "cache-control",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "host",
        "prefer",
        "transfer-encoding",
    }
)


class Auth(Protocol):
    """Something that can authorise a request."""

    def headers(self, *, refused: Mapping[str, str] | None = None) -> Mapping[str, str]:
        """Give the headers to add to a request; called for each attempt, from several threads.

        Args:
            refused: headers to which the server has just answered 401. A way that can renew its
                credentials does so now, unless another thread has; the request is sent once more
                only if what is returned differs from what was refused.

        Raises: NotAuthorised (status 401) when there are no credentials to give;
            TemporaryServerError when they cannot be had now. Nothing was sent then.

        """
        ...


@dataclass(frozen=True)
class NoAuth:
    """No credentials: a server inside a trusted network, a sandbox."""

    def headers(self, *, refused: Mapping[str, str] | None = None) -> Mapping[str, str]:  # noqa: ARG002
        """Give no headers."""
        return {}


@dataclass(frozen=True)
class BearerAuth:
    """A token that does not change while the adapter runs (RFC 6750)."""

    token: str = field(repr=False)

    def __post_init__(self) -> None:
        _require_header_value(self.token, "the bearer token")

    def headers(self, *, refused: Mapping[str, str] | None = None) -> Mapping[str, str]:  # noqa: ARG002
        """Give the Authorization header."""
        return {"Authorization": f"Bearer {self.token}"}


@dataclass(frozen=True)
class TokenFileAuth:
    """A token in a file that something else renews (a mounted secret); read for each request."""

    path: Path

    def headers(self, *, refused: Mapping[str, str] | None = None) -> Mapping[str, str]:  # noqa: ARG002
        """Read the file and give the Authorization header.

        Raises: NotAuthorised when the file cannot be read or holds no token.
        """
        try:
            token = self.path.read_text(encoding="utf-8-sig").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise NotAuthorised(f"the token file {self.path} cannot be read") from error
        if not _VISIBLE_ASCII.fullmatch(token):
            raise NotAuthorised(f"the token file {self.path} holds no token")
        return {"Authorization": f"Bearer {token}"}


@dataclass(frozen=True)
class BasicAuth:
    """User name and password (RFC 7617, UTF-8)."""

    user: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        if ":" in self.user:
            raise ConfigError(["the user name of basic authentication must not contain a colon"])

    def headers(self, *, refused: Mapping[str, str] | None = None) -> Mapping[str, str]:  # noqa: ARG002
        """Give the Authorization header."""
        pair = base64.b64encode(f"{self.user}:{self.password}".encode()).decode("ascii")
        return {"Authorization": f"Basic {pair}"}


@dataclass(frozen=True)
class HeaderAuth:
    """Any one header, such as an API key of a gateway."""

    name: str
    value: str = field(repr=False)

    def __post_init__(self) -> None:
        if not _TOKEN.fullmatch(self.name) or self.name.lower() in _RESERVED_HEADERS:
            raise ConfigError(["the name of the authentication header cannot be used"])
        _require_header_value(self.value, f"the value of the header {self.name}")

    def headers(self, *, refused: Mapping[str, str] | None = None) -> Mapping[str, str]:  # noqa: ARG002
        """Give the header."""
        return {self.name: self.value}


def _require_header_value(value: str, what: str) -> None:
    """Refuse what would end the header and begin another one, without showing it."""
    if not _VISIBLE_ASCII.fullmatch(value):
        raise ConfigError([f"{what} is empty or has characters that a header cannot carry"])
