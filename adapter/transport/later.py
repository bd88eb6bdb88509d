"""A write that a server accepts for later (202): asked after where the server says, for a while, and only there (B10).

What does not come in time, or would have to be asked of another server, is an unknown outcome: it is read again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from adapter.errors import ForeignOrigin, ServerError, UnknownOutcome
from adapter.ports import Clock, EntryOutcome, JsonObject
from adapter.transport.bundles import transaction_outcomes
from adapter.transport.http import Answer, Call, Http
from adapter.transport.origin import resolve_link

ACCEPTED: Final = 202
LONGEST_SECONDS: Final = 300.0
"""So long a status is asked for: smart-fetch stops there too, since a server once asked for five hours."""
MOST_QUESTIONS: Final = 60
_FIRST_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 30.0


@dataclass(frozen=True)
class Later:
    """Asks after writes that were accepted for later; `resource` reads the resource of an answer or raises."""

    http: Http
    clock: Clock
    base_url: str
    resource: Callable[[Answer, Call], JsonObject]

    def outcomes(self, accepted: Answer, call: Call, *, sent: int) -> tuple[EntryOutcome, ...]:
        """Wait for what becomes of `sent` entries; of a single write there is one.

        Raises: UnknownOutcome for whatever else comes of it, because the write may land at any time.
        Source: FHIR R4, async.html.
        """
        try:
            response = _response_in(self._result(accepted, call))
            is_plain = response.get("type") == "batch-response"
            # What was done later comes as a batch-response from some servers, however it was done.
            kind = {"type": "transaction-response"} if is_plain else {}
            return transaction_outcomes({**response, **kind}, sent=sent)
        except UnknownOutcome:
            raise
        except ServerError as error:
            raise UnknownOutcome(
                f"the write was accepted for later, but {error}", status=error.status
            ) from error

    def _result(self, accepted: Answer, call: Call) -> JsonObject:
        where = self._address(accepted, call)
        status = Call("GET", where, {"Accept": "application/fhir+json"}, interaction="status")
        until = self.clock.now() + timedelta(seconds=LONGEST_SECONDS)
        wait = _FIRST_WAIT
        for _ in range(MOST_QUESTIONS):
            answer = self.http.send(status, lambda given: given)
            if answer.status != ACCEPTED:
                return self.resource(answer, status)
            asked = self.http.retry_after_seconds(answer)
            wait = min(_LONGEST_WAIT, max(wait, asked or 0.0))
            if self.clock.now() + timedelta(seconds=wait) > until:
                break
            self.clock.sleep(wait)
            wait *= 2
        raise UnknownOutcome(
            "the write was accepted for later and is not done yet", status=ACCEPTED
        )

    def _address(self, accepted: Answer, call: Call) -> str:
        link = accepted.headers.get("Content-Location")
        if not link:
            raise UnknownOutcome(
                "the write was accepted for later, without an address to ask at", status=ACCEPTED
            )
        try:
            return resolve_link(link, base_url=self.base_url, request_url=call.url)
        except ForeignOrigin as error:
            raise UnknownOutcome(
                "the write was accepted for later, to be asked after outside the configured server; "
                "nothing was asked there",
                status=ACCEPTED,
            ) from error


def _response_in(bundle: JsonObject) -> JsonObject:
    """Take the response to a transaction out of the Bundle in which some servers wrap what was done later."""
    entries = bundle.get("entry")
    if isinstance(entries, list) and len(entries) == 1 and isinstance(entries[0], dict):
        inner = entries[0].get("resource")
        if isinstance(inner, dict) and str(inner.get("type", "")).endswith("-response"):
            return inner
    return bundle
