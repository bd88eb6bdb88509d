"""Habits of refusing for a while: too many requests, no token any more, errors after the fact."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime

from adapter.sandbox.exchange import Answer, FhirRequest, FhirResponse
from adapter.sandbox.habits.asking import is_metadata, is_write
from adapter.sandbox.habits.habit import Habit, Scene, Sometimes
from adapter.sandbox.outcomes import outcome
from adapter.sandbox.replies import plain_response

_waits: dict[str, Callable[[Scene], str | None]] = {
    "seconds": lambda _scene: "1",
    "date": lambda scene: format_datetime(scene.clock() + timedelta(seconds=2), usegmt=True),
    "past-date": lambda scene: format_datetime(scene.clock() - timedelta(hours=1), usegmt=True),
    "zero": lambda _scene: "0",
    "negative": lambda _scene: "-5",
    "fraction": lambda _scene: "0.5",
    "huge": lambda _scene: "18000",
    "overflow": lambda _scene: "9" * 40,
    "junk": lambda _scene: "soon",
    "empty": lambda _scene: "",
    "missing": lambda _scene: None,
}
WAIT_KINDS = tuple(_waits)
"""Every way in which Retry-After is given, or is not."""


class _Waiting(Sometimes):
    takes = f"OFTEN[:KIND], KIND one of {', '.join(WAIT_KINDS)}"
    default = "5"
    kinds = WAIT_KINDS
    refusal = (429, "throttled", "too many requests")

    def concerns(self, request: FhirRequest) -> bool:
        """Concern everything but metadata, which a client asks for once and cannot start without."""
        return not is_metadata(request)

    def spoiled(self, _request: FhirRequest, _answer: Answer) -> FhirResponse:
        """Refuse, nothing done."""
        wait = _waits[self.kind](self.scene)
        headers = {} if wait is None else {"Retry-After": wait}
        status, code, said = self.refusal
        return plain_response(status, outcome(code, said), headers)


class Throttled(_Waiting):
    """Too many requests."""

    name = "throttled"
    does = "one request in OFTEN is answered 429, nothing done, with a Retry-After of this KIND"
    seen = "every hosted server; Oracle Health asked smart-fetch to wait 5 hours (huge); Azure"


class Unavailable(_Waiting):
    """A server that restarts."""

    name = "unavailable"
    does = "one request in OFTEN is answered 503, nothing done, with a Retry-After of this KIND"
    seen = "every server behind a load balancer; Microsoft FHIR Server issue 674 (502, 500)"
    refusal = (503, "transient", "not available just now")


class Unauthorised(Sometimes):
    """A token that ends in mid-crawl."""

    name = "unauthorised"
    does = "one request in OFTEN is answered 401, nothing done, as if the access token had ended"
    seen = "SMART Backend Services: tokens live 300 s at most, so every long crawl meets it"
    default = "7"

    def concerns(self, request: FhirRequest) -> bool:
        """Concern everything but metadata, which needs no token."""
        return not is_metadata(request)

    def spoiled(self, _request: FhirRequest, _answer: Answer) -> FhirResponse:
        """Ask for another token."""
        challenge = 'Bearer error="invalid_token", error_description="The access token expired"'
        headers = {"WWW-Authenticate": challenge}
        return plain_response(401, outcome("expired", "the access token expired"), headers)


class ErrorsAfterCommit(Sometimes):
    """It was done, and 500."""

    name = "errors-after-commit"
    does = "one write in OFTEN is carried out and answered 500"
    seen = "Microsoft FHIR Server pull request 5592 (a conflict answered 500); proxies that give up"

    def concerns(self, request: FhirRequest) -> bool:
        """Concern writes only."""
        return is_write(request)

    def spoiled(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Do it and deny it."""
        answer(request)
        return plain_response(500, outcome("exception", "an error of the server itself"))


class _RefusedWrites(Sometimes):
    default = "5"
    refusal = (409, "conflict", "another transaction holds this")

    def concerns(self, request: FhirRequest) -> bool:
        """Concern writes only."""
        return is_write(request)

    def spoiled(self, _request: FhirRequest, _answer: Answer) -> FhirResponse:
        """Refuse it, nothing done."""
        status, code, said = self.refusal
        return plain_response(status, outcome(code, said))


class Conflicts(_RefusedWrites):
    """Someone else was at it."""

    name = "conflicts"
    does = "one write in OFTEN is answered 409, nothing done, as when two transactions meet"
    seen = (
        "HAPI FHIR (HAPI-0550, HAPI-0825; issue 6815), healed by sending the same once more; "
        "HAPI FHIR 8.8 with REST hooks, one write in about 7,000 (HAPI-0826, measured)"
    )


class RejectedWrites(_RefusedWrites):
    """A profile that nobody told of."""

    name = "rejected-writes"
    does = (
        "one write in OFTEN is answered 422, nothing done, as if it broke a profile of the server"
    )
    seen = "servers that validate profiles on write"
    refusal = (422, "invariant", "a profile of this server is not met")


HABITS: tuple[type[Habit], ...] = (
    Unauthorised,
    Throttled,
    Unavailable,
    Conflicts,
    RejectedWrites,
    ErrorsAfterCommit,
)
