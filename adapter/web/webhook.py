"""/webhook: a FHIR server says that something may have changed, and the poller looks.

A notification is never believed for more than that: the body is counted and hashed as it arrives, and never kept or
parsed; the path below /webhook is not looked at. Whoever shows no secret of ours is answered like everybody else and
wakes nobody, so that nothing tells a forger whether a guess was right (S17).

HAPI sends an empty POST, or with a payload a PUT to /webhook/Observation/<id>. Medplum sends a POST with X-Signature.
"""

from __future__ import annotations

import asyncio
import hmac
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from time import monotonic
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import Response

from adapter.web.access import Role
from adapter.web.answers import HEADERS, Refused
from adapter.web.limits import take_body
from adapter.web.routes import Route

log = structlog.get_logger(__name__)

BODY_BYTES: Final = 64 * 1024
BODY_SECONDS: Final = 10.0
"""A notification that takes longer holds a place that others need."""
AT_ONCE: Final = 200
"""On each of the two rows; together less than the server takes connections."""
SIGNATURE_HEADER: Final = b"x-signature"
TOLD_SECONDS: Final = 60.0
"""Notifications that were refused are told of in the log once in so many seconds, by number."""

Later = Callable[[float, Callable[[], None]], object]
"""Calls a function after some seconds, in the thread of the event loop."""


def _in_the_loop(seconds: float, call: Callable[[], None]) -> object:
    return asyncio.get_running_loop().call_later(seconds, call)


@dataclass(frozen=True)
class Secrets:
    """What a notification is known by: one of several secrets, in a header or as the key of its body's HMAC.

    `header_name`: as the settings have it. `known`: those that count now; two while one replaces the other.
    """

    header_name: str
    known: Sequence[bytes] = field(repr=False)

    def judge(self, headers: Sequence[tuple[bytes, bytes]]) -> Judging:
        """Begin to judge a request by its headers as they arrived."""
        return Judging(
            shown=_only(headers, self.header_name.lower().encode()),
            signature=_only(headers, SIGNATURE_HEADER).lower(),
            known=self.known,
            digests=[hmac.new(one, digestmod=sha256) for one in self.known],
        )


@dataclass(frozen=True)
class RenewedSecrets:
    """The same with the secrets of the moment; `now` gives them, and is asked at each notification."""

    now: Callable[[], Secrets]

    def judge(self, headers: Sequence[tuple[bytes, bytes]]) -> Judging:
        """As `Secrets.judge`."""
        return self.now().judge(headers)


@dataclass(frozen=True)
class Judging:
    """A request while its body arrives."""

    shown: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    known: Sequence[bytes] = field(repr=False)
    digests: Sequence[hmac.HMAC] = field(repr=False)

    def take(self, piece: bytes) -> None:
        """Hash a piece of the body."""
        for one in self.digests:
            one.update(piece)

    @property
    def is_ours(self) -> bool:
        """Whether a secret of ours was shown; takes equally long for every wrong one."""
        found = [hmac.compare_digest(self.shown, one) for one in self.known]
        found += [
            hmac.compare_digest(self.signature, one.hexdigest().encode()) for one in self.digests
        ]
        return any(found)


@dataclass
class Throttle:
    """Passes wake-ups on, `burst` at once and `per_second` in the long run; what is beyond that comes a little later.

    None is lost: after each `wake` comes a call of `passed_on` that is not earlier, at once or as soon as the
    bucket holds a token again; one such call stands for all that came meanwhile. They are closer together than
    wake-ups take to settle, so that a flood holds a pass off and does not make many. For one thread.
    """

    passed_on: Callable[[], None]
    per_second: float = 20.0
    burst: int = 20
    seconds_now: Callable[[], float] = monotonic
    later: Later = _in_the_loop
    _tokens: float = field(init=False)
    _filled_at: float = field(init=False)
    _is_due: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self._tokens, self._filled_at = float(self.burst), self.seconds_now()

    def wake(self) -> bool:
        """Pass a wake-up on, or have it come later; False where one that is due stands for it."""
        if self._is_due:
            return False
        self._fill()
        if self._tokens < 1:
            self._is_due = True
            self.later((1 - self._tokens) / self.per_second, self._pass_on)
        else:
            self._pass_on()
        return True

    def _pass_on(self) -> None:
        self._fill()
        self._tokens -= 1
        self._is_due = False
        self.passed_on()

    def _fill(self) -> None:
        now = self.seconds_now()
        self._tokens += (now - self._filled_at) * self.per_second
        self._tokens, self._filled_at = min(self._tokens, float(self.burst)), now


@dataclass
class Webhook:
    """The route. `wake`: says that something may have changed, for instance `Inbox.wake`.

    `body_seconds`: a body must have arrived by then.
    """

    secrets: Secrets | RenewedSecrets
    wake: Callable[[], None]
    later: Later = _in_the_loop
    body_seconds: float = BODY_SECONDS
    _throttle: Throttle = field(init=False)
    _counts: Counter[str] = field(init=False, default_factory=Counter)
    _untold: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._throttle = Throttle(self.wake, later=self.later)

    @property
    def counts(self) -> Mapping[str, int]:
        """Notifications so far: taken, merged into one that was due already, refused."""
        return {name: self._counts[name] for name in ("taken", "merged", "refused")}

    def routes(self) -> tuple[Route, ...]:
        """Give the rows of this room: the path, and everything below it."""
        return tuple(
            Route(
                path,
                ("POST", "PUT"),
                Role.NOTIFY,
                self.notified,
                "A FHIR server's notification (R4 rest-hook): wakes the poller, and says nothing else.",
                at_once=AT_ONCE,
                operation=_NOTIFIED,
            )
            for path in ("/webhook", "/webhook/{rest:path}")
        )

    async def notified(self, request: Request) -> Response:
        """Take a notification; the answer is the same whoever sent it, once its body is short enough."""
        judging = self.secrets.judge(request.scope["headers"])
        try:
            await take_body(request, BODY_BYTES, judging.take, seconds=self.body_seconds)
        except Refused:
            self._refuse()
            raise
        if not judging.is_ours:
            self._refuse()
        else:
            self._counts["taken" if self._throttle.wake() else "merged"] += 1
        return Response(status_code=202, headers=HEADERS)

    def _refuse(self) -> None:
        self._counts["refused"] += 1
        self._untold += 1
        if self._untold == 1:
            self.later(TOLD_SECONDS, self._tell)

    def _tell(self) -> None:
        count, self._untold = self._untold, 0
        log.warning("notifications_refused", count=count, seconds=TOLD_SECONDS)


def _only(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> bytes:
    """Give the value of a header that stands exactly once, else b"", which no secret is."""
    values = [value for found, value in headers if found.lower() == name]
    return values[0] if len(values) == 1 else b""


_NOTIFIED: Final = {
    "responses": {
        "202": {"description": "Always, whether the secret was right or not."},
        "413": {"description": "The body is longer than 64 KiB."},
    }
}
