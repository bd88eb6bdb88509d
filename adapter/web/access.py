"""Who may use which route: a bearer token for each role, compared in constant time.

A role without a token is offered on loopback alone, and `sync` nowhere: it makes the adapter write. `derive` without a
token is offered on loopback only where nobody else has a token or secret: who has one may come through a proxy, and
then everybody comes from loopback. What is not offered looks like what does not exist.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol


class Role(StrEnum):
    """What somebody may do here."""

    OPEN = "open"
    """Anybody: whether the process lives, and nothing else."""
    WATCH = "watch"
    """How it goes: readiness, metrics, the description of the routes."""
    DERIVE = "derive"
    """Have Bundles decided; nothing is stored."""
    SYNC = "sync"
    """Have patients looked at now, so that the adapter writes."""
    NOTIFY = "notify"
    """Say that something may have changed; the route itself asks who says so."""


class Verdict(StrEnum):
    """What becomes of a request before its route sees it."""

    ALLOWED = "allowed"
    NOT_OFFERED = "not-offered"
    NOT_KNOWN = "not-known"
    NOT_ALLOWED = "not-allowed"


class Door(Protocol):
    """Lets in who may come in."""

    def verdict(self, role: Role, authorization: str | None) -> Verdict:
        """Judge an Authorization header (RFC 6750, section 2.1) for a route of this role."""
        ...


_ASKED_BY_THE_ROUTE: Final = frozenset({Role.OPEN, Role.NOTIFY})
_SCHEME: Final = "bearer "


@dataclass(frozen=True)
class Access:
    """The tokens of this service by role, whether other machines can reach it, and whether the webhook has a secret."""

    tokens: Mapping[Role, str]
    is_loopback: bool
    takes_notifications: bool = False

    def verdict(self, role: Role, authorization: str | None) -> Verdict:
        """Judge an Authorization header (RFC 6750, section 2.1) for a route of this role."""
        if role in _ASKED_BY_THE_ROUTE:
            return Verdict.ALLOWED
        wanted = self.tokens.get(role)
        if wanted is None:
            return Verdict.ALLOWED if self._is_open(role) else Verdict.NOT_OFFERED
        shown = authorization or ""
        if shown[: len(_SCHEME)].lower() != _SCHEME:
            return Verdict.NOT_KNOWN
        token = shown[len(_SCHEME) :].strip()
        # Every token is compared, so that the time taken does not tell whose it was.
        holds = {one for one, known in self.tokens.items() if _is_same(token, known)}
        if role in holds:
            return Verdict.ALLOWED
        return Verdict.NOT_ALLOWED if holds else Verdict.NOT_KNOWN

    def _is_open(self, role: Role) -> bool:
        if not self.is_loopback:
            return False
        is_alone = not self.tokens and not self.takes_notifications
        return role is Role.WATCH or (role is Role.DERIVE and is_alone)


@dataclass(frozen=True)
class RenewedAccess:
    """The same with the tokens of the moment; `now` gives them, and is asked at each request."""

    now: Callable[[], Access]

    def verdict(self, role: Role, authorization: str | None) -> Verdict:
        """As `Access.verdict`."""
        return self.now().verdict(role, authorization)


def _is_same(shown: str, known: str) -> bool:
    return hmac.compare_digest(shown.encode("utf-8", "surrogateescape"), known.encode())
