"""One HTTP exchange, made to be relied on: read Retry-After, try once, try many.

What it refuses: redirects, proxies and `.netrc` of the environment, answers without bound, waiting
without bound, and sending a write again when nobody knows whether the first one landed. What an
answer means in FHIR is decided by the caller's `accept`, inside each attempt, so that a body that
is not what it should be can be asked for again.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

import requests
import structlog
import urllib3.exceptions
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    wait_exponential,
    wait_random,
)

from adapter.errors import (
    PermanentServerError,
    ServerError,
    TemporaryServerError,
    UnknownOutcome,
)
from adapter.ports import Clock
from adapter.renewed import Renewed
from adapter.traffic import Exchange, Fate, Meter, fate_of
from adapter.transport import tls
from adapter.transport.auth import Auth
from adapter.transport.body import read_body
from adapter.transport.server_config import ServerConfig
from adapter.transport.time_limit import LimitedAdapter, TimeLimit, at_most

_log = structlog.get_logger("adapter.transport")
_T = TypeVar("_T")

RETRYABLE_STATUSES: Mapping[int, str] = {
    408: "the server gave up waiting for the request",
    425: "the server will not risk an early replay; the same request may come again",
    429: "too many requests; later there is room again",
    500: "many servers answer this to a passing fault: a lock, a lost database connection",
    502: "a proxy did not reach the server, as during its restart",
    503: "the server says itself that it is temporarily not there",
    504: "a proxy waited too long for the server",
}
"""Answers worth another attempt, each with the reason."""

SAFE_TO_RESEND_STATUSES: Mapping[int, str] = {
    425: "the server says that it did not carry the request out",
    429: "refused before it was carried out",
    503: "refused before it was carried out; were it not so, the same bytes change nothing",
}
"""Answers after which a *write* is sent again; after another 5xx nobody knows whether it landed."""

_BACKOFF = wait_exponential(multiplier=0.5, max=30) + wait_random(0, 0.5)
_SPREAD = wait_random(0, 1)  # so that many clients told the same time do not all come back at once


@dataclass(frozen=True)
class Call:
    """One request. The body is sent as these very bytes.

    `writes`: it may change the server. `interaction`: what it is counted as, see `traffic.Exchange`.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    writes: bool = False
    interaction: str = "read"


@dataclass(frozen=True)
class Answer:
    """A complete answer, unpacked; header names compare without regard to case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def server_time(self) -> datetime | None:
        """The Date header as aware UTC, or None."""
        return _http_date(self.headers.get("Date"))


def parse_retry_after(
    value: str | None, *, now: datetime, cap_seconds: float = 900.0
) -> float | None:
    """Read a Retry-After header: seconds to wait, at most `cap_seconds`.

    Args:
        value: the header, in seconds or as an HTTP date, or None.
        now: what a date is compared with; best the Date of the same answer, aware.
        cap_seconds: the longest wait that is believed.

    Returns: seconds, or None when there is no header, or it is junk, negative or in the past.
    Source: RFC 9110, section 10.2.3.

    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), cap_seconds) if len(text) <= 12 else cap_seconds
    instant = _http_date(text)
    if instant is None or instant < now:
        return None
    return min((instant - now).total_seconds(), cap_seconds)


@dataclass
class _Heard:
    """What was heard of a request so far."""

    fate: Fate = Fate.NO_ANSWER
    wire_bytes: int = 0


class _Session(requests.Session):
    """A session that knows no redirects.

    With `allow_redirects=False` requests still works the next request out: it reads the whole body of
    a redirect, without any cap, and an address that is none ends in a ValueError.
    """

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002
        """Say that no answer leads anywhere."""
        return None  # wherever it points


class Http:
    """Sends calls to one server; safe to use from several threads."""

    def __init__(
        self,
        config: ServerConfig,
        *,
        clock: Clock,
        auth: Auth,
        monotonic: Callable[[], float] = time.monotonic,
        meter: Meter = lambda _: None,
    ) -> None:
        """Open nothing yet.

        Args:
            config: the server and every bound.
            clock: for waits and dates.
            auth: how requests are authorised.
            monotonic: gives seconds that never step, for `request_seconds`.
            meter: is told of every request, however it ended.

        """
        self._config = config
        self._clock = clock
        self._auth = auth
        self._monotonic = monotonic
        self._meter = meter
        self._session = _Session()
        # Without this, a matching ~/.netrc entry replaces our Authorization header, and a proxy of
        # the environment gets to see patients.
        self._session.trust_env = False
        self._connecting = LimitedAdapter()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, self._connecting)
        files = (config.ca_file, config.client_cert_file, config.client_key_file)
        self._tls = Renewed(
            "tls", [Path(one) for one in files if one is not None], lambda: tls.context_of(*files)
        )
        self._has_tls_files = any(files)
        self._paused_until: datetime | None = None
        self._pause_lock = threading.Lock()

    def close(self) -> None:
        """Close the connections that are kept open between requests."""
        self._session.close()

    def send(self, call: Call, accept: Callable[[Answer], _T]) -> _T:
        """Send a call until its answer is accepted, it fails for good, or attempts or time run out.

        Args:
            call: what to send; each attempt sends the same bytes.
            accept: turns the answer into what is wanted, or raises a ServerError. A
                TemporaryServerError is tried again when its status is retryable, when it has none
                (no whole answer came), or when the status is 2xx with a body that cannot be used.

        Raises: what `accept` raised last, or TemporaryServerError when no whole answer came, or,
            for a write that may have reached the server, UnknownOutcome at once.

        """
        started = self._clock.now()

        def has_tried_enough(state: RetryCallState) -> bool:
            spent = (self._clock.now() - started).total_seconds()
            out_of_time = spent + state.upcoming_sleep > self._config.total_seconds
            return out_of_time or state.attempt_number >= self._config.attempts

        def note(state: RetryCallState) -> None:
            _log.warning(
                "request_retried",
                method=call.method,
                path=urlsplit(call.url).path,  # never the query: it may name patients
                attempt=state.attempt_number,
                wait_seconds=round(state.upcoming_sleep, 1),
                error=type(_error_of(state)).__name__,
                status=getattr(_error_of(state), "status", None),
                reason=getattr(_error_of(state), "code", "") or None,
            )

        attempts = Retrying(
            sleep=self._clock.sleep,
            retry=retry_if_exception(_is_worth_another_attempt),
            wait=_wait_seconds,
            stop=has_tried_enough,
            before_sleep=note,
            reraise=True,
        )
        return attempts(lambda: self._try_once(call, accept))

    def retry_after_seconds(self, answer: Answer) -> float | None:
        """Give the wait that an answer asks for, capped; a date is held against its own Date."""
        return parse_retry_after(
            answer.headers.get("Retry-After"),
            now=answer.server_time or self._clock.now(),
            cap_seconds=self._config.retry_after_cap_seconds,
        )

    def _try_once(self, call: Call, accept: Callable[[Answer], _T]) -> _T:
        self._wait_while_paused()
        credentials = self._auth.headers()
        answer = self._exchange(call, credentials)
        if answer.status == requests.codes.unauthorized:
            # Tokens live for minutes. A 401 means that nothing was done, so a write may go again.
            renewed = self._auth.headers(refused=credentials)
            if renewed != credentials:
                answer = self._exchange(call, renewed)
        try:
            return accept(answer)
        except TemporaryServerError as error:
            self._pause(error.retry_after_seconds)
            raise

    def _exchange(self, call: Call, credentials: Mapping[str, str]) -> Answer:
        seconds = self._config.request_seconds
        deadline = self._monotonic() + seconds
        with (
            self._metered(call) as heard,
            at_most(seconds) as limit,
            self._answered(call, credentials, limit) as response,
        ):
            try:
                out_of_time = lambda: limit.ran_out or self._monotonic() > deadline  # noqa: E731
                body = self._body(call, response, out_of_time)
            finally:
                heard.wire_bytes = response.raw.tell()
            heard.fate = fate_of(response.status_code)
            return Answer(response.status_code, response.headers, body)

    @contextmanager
    def _metered(self, call: Call) -> Iterator[_Heard]:
        """Tell the meter of a request, however it ends."""
        started, heard = self._monotonic(), _Heard()
        try:
            yield heard
        finally:
            seconds, sent = self._monotonic() - started, len(call.body or b"")
            self._meter(Exchange(call.interaction, heard.fate, sent, heard.wire_bytes, seconds))

    def _answered(
        self, call: Call, credentials: Mapping[str, str], limit: TimeLimit
    ) -> requests.Response:
        """Send it, and give the answer with its body still to come."""
        headers = {
            "User-Agent": "her2-adapter",
            "Accept-Encoding": "gzip, deflate",  # no others: only these are unpacked
            **call.headers,
            **credentials,
        }
        try:
            if self._has_tls_files:
                self._connecting.use(self._tls.now())
            return self._session.request(
                call.method,
                call.url,
                headers=headers,
                data=call.body,
                timeout=(self._config.connect_timeout_seconds, self._config.read_timeout_seconds),
                allow_redirects=False,
                stream=True,
            )
        except (OSError, urllib3.exceptions.HTTPError) as error:  # requests' own are OSErrors
            if limit.ran_out:
                raise self._too_slow(call) from error
            raise self._no_answer(call, error) from error

    def _body(
        self, call: Call, response: requests.Response, out_of_time: Callable[[], bool]
    ) -> bytes:
        try:
            return read_body(
                response.raw,
                response.headers.get("Content-Encoding", ""),
                max_bytes=self._config.max_body_bytes,
                out_of_time=out_of_time,
            )
        except ServerError as error:
            if response.status_code >= requests.codes.bad_request:
                return b""  # the status says enough; the body would only have explained it
            if call.writes:
                raise UnknownOutcome(
                    f"the write was answered with {response.status_code}, but {error}",
                    status=response.status_code,
                    code=error.code,
                ) from error
            raise

    def _too_slow(self, call: Call) -> ServerError:
        what = f"{urlsplit(call.url).hostname} took longer than one request may take"
        if call.writes:
            return UnknownOutcome(f"{what}; the write may have landed", code="too-slow")
        return TemporaryServerError(what, code="too-slow")

    def _no_answer(self, call: Call, error: Exception) -> ServerError:
        # Only the error's class: its text holds the URL with its query.
        asked = urlsplit(call.url)
        port = asked.port or (443 if asked.scheme == "https" else 80)
        what = f"{asked.hostname} gave no usable answer on port {port}: {type(error).__name__}"
        # What requests cannot send is a ValueError; so is a server's header that makes no sense.
        of_the_server = _has_cause(error, urllib3.exceptions.InvalidHeader)
        if isinstance(error, ValueError) and not of_the_server:
            return PermanentServerError(f"the request could not be built: {type(error).__name__}")
        if (why := tls.advice(error) or _why_unreachable(error)) is not None:
            what += f" ({why})"
        if call.writes and not _has_cause(error, *_BEFORE_SENDING):
            return UnknownOutcome(f"{what}; the write may have landed")
        return TemporaryServerError(what)

    def _pause(self, seconds: float | None) -> None:
        """Hold back every thread, not only the one that was told: the limit is the server's."""
        if seconds is not None:
            until = self._clock.now() + timedelta(seconds=seconds)
            with self._pause_lock:
                self._paused_until = max(until, self._paused_until or until)

    def _wait_while_paused(self) -> None:
        with self._pause_lock:
            until = self._paused_until
        if until is not None:
            left = (until - self._clock.now()).total_seconds()
            left = min(left, self._config.retry_after_cap_seconds)  # the clock may be set back
            if left > self._config.total_seconds:
                raise TemporaryServerError(
                    "the server asked for a pause that is not over", retry_after_seconds=left
                )
            if left > 0:
                self._clock.sleep(left)


_UNREACHABLE: Final = (
    (socket.gaierror, "the name is not known: check the host in the URL, and DNS"),
    (ConnectionRefusedError, "refused: nothing listens there; check the port in the URL"),
    (urllib3.exceptions.ConnectTimeoutError, "timed out: a firewall, or nothing has this address"),
    (ConnectionResetError, "it hung up"),
    (TimeoutError, "timed out"),
)
"""What a person can do about a server that is not reached, by what led to it, the most telling first."""


def _why_unreachable(error: BaseException) -> str | None:
    return next((says for kind, says in _UNREACHABLE if _has_cause(error, kind)), None)


_BEFORE_SENDING = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    ssl.SSLCertVerificationError,
)


def _is_worth_another_attempt(error: BaseException) -> bool:
    if not isinstance(error, TemporaryServerError) or isinstance(error, UnknownOutcome):
        return False
    return error.status is None or error.status < 300 or error.status in RETRYABLE_STATUSES


def _wait_seconds(state: RetryCallState) -> float:
    asked = getattr(_error_of(state), "retry_after_seconds", None)
    backoff = _BACKOFF(state)
    return backoff if asked is None else max(backoff, asked + _SPREAD(state))


def _error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None


def _has_cause(error: BaseException, *classes: type[BaseException]) -> bool:
    """Look for a class among everything that led to this error."""
    return any(isinstance(cause, classes) for cause in tls.chain(error))


def _http_date(text: str | None) -> datetime | None:
    try:
        instant = parsedate_to_datetime(text or "")
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
