"""Keeps one token alive for all threads: asked for once, renewed in time, renewed when refused."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from adapter.errors import ServerError
from adapter.transport.smart.endpoint import Grant, SmartClient, TokenEndpoint
from adapter.transport.smart.keys import KeyFile
from adapter.transport.smart.scopes import ScopeReport, compare

_log = structlog.get_logger("adapter.transport")

RENEW_AT: Final = 0.8
"""The share of a token's life after which a new one is asked for."""
_EARLY_PAUSE_SECONDS: Final = 5.0  # so long the old token is used after a renewal in time failed


@dataclass(frozen=True)
class _Held:
    """A token and until when, by the monotonic clock, it is used, and is used at worst."""

    headers: Mapping[str, str] = field(repr=False)
    renew_at: float
    ends_at: float


class SmartAuth:
    """Authorises requests by SMART Backend Services; implements `Auth`.

    While a token lives, a token endpoint that is down does not stop anything. Threads that wait for
    a token share the outcome of the one that asks.
    """

    def __init__(
        self,
        client: SmartClient,
        *,
        keys: KeyFile,
        endpoint: TokenEndpoint,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask nothing yet; `monotonic` gives seconds that never step."""
        self._client = client
        self._keys = keys
        self._endpoint = endpoint
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._turns = 0
        self._failure: ServerError | None = None
        self._held: _Held | None = None
        self._scopes: ScopeReport | None = None

    @property
    def scopes(self) -> ScopeReport | None:
        """What the last token allows beside what was asked for; None before the first one."""
        return self._scopes

    @property
    def seconds_left(self) -> float | None:
        """How long the token still holds, negative once it has ended; None while there is none."""
        held = self._held
        return None if held is None else held.ends_at - self._monotonic()

    def headers(self, *, refused: Mapping[str, str] | None = None) -> Mapping[str, str]:
        """Give the Authorization header of a token that holds; asks for one when needed.

        Raises: NotAuthorised (status 401), TemporaryServerError.
        """
        turn, held, now = self._turns, self._held, self._monotonic()
        if held is None or held.headers == refused or now >= held.ends_at:
            return self._renewed(turn, refused)
        if now >= held.renew_at:
            return self._renewed_early(held)
        return held.headers

    def _renewed(self, turn: int, refused: Mapping[str, str] | None) -> Mapping[str, str]:
        """Ask for a token, or share what became of the asking of another thread since `turn`."""
        with self._lock:
            if self._turns == turn or self._is_useless(refused):
                self._held = None
                self._held = self._ask()
            if self._held is None:
                assert self._failure is not None  # a turn ends with a token or a failure
                raise self._failure
            return self._held.headers

    def _is_useless(self, refused: Mapping[str, str] | None) -> bool:
        """Tell whether the turn of another thread left the very token that was refused."""
        return self._held is not None and self._held.headers == refused

    def _renewed_early(self, held: _Held) -> Mapping[str, str]:
        """Renew a token that still lives; who finds another thread doing so goes on with the old."""
        if not self._lock.acquire(blocking=False):
            return held.headers
        try:
            if self._held is held:
                self._held = self._ask()
        except ServerError as error:
            _log.warning("token_not_renewed", error=error, status=error.status)
            pause_ends = self._monotonic() + _EARLY_PAUSE_SECONDS
            self._held = replace(held, renew_at=min(pause_ends, held.ends_at))
        finally:
            self._lock.release()
        return held.headers if self._held is None else self._held.headers

    def _ask(self) -> _Held:
        """Ask for a token while the lock is held; a failure is kept for those that wait."""
        started = self._monotonic()
        try:
            grant = self._endpoint.ask(self._keys.keys())
        except ServerError as error:
            self._failure = error
            self._turns += 1
            raise
        self._note_scopes(grant)
        self._failure = None
        self._turns += 1
        return _Held(
            headers={"Authorization": f"Bearer {grant.token}"},
            renew_at=started + RENEW_AT * grant.seconds,
            ends_at=started + grant.seconds,
        )

    def _note_scopes(self, grant: Grant) -> None:
        report = compare(self._client.scopes, grant.scope)
        if report != self._scopes and report.state != "as-asked":
            _log.warning(
                "token_scopes_differ",
                outcome=report.state,
                scopes_missing=report.missing,
                scopes_extra=report.extra,
            )
        self._scopes = report
