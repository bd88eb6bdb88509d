"""The bench: one server under measurement, asked so that a denied interaction names the scope it wants."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from adapter.errors import (
    ForeignOrigin,
    NotAuthorised,
    PermanentServerError,
    ServerError,
    UnknownOutcome,
    VersionConflict,
)
from adapter.ports import (
    Clock,
    EntryOutcome,
    FhirServer,
    JsonObject,
    SearchPage,
    SearchParams,
    SingleWrite,
)

_UNAUTHORISED: Final = 401
_FIRST_WAIT: Final = 0.05
_LONGEST_WAIT: Final = 5.0


@dataclass
class Bench:
    """Asks one server. Every method raises ServerError as the port says.

    `patience_seconds`: how long something written is waited for. `stopped`: a person wants an end. `is_slow`: search
    was seen to be so late that only what is needed is waited for. `is_unsure`: a write under an id of the server's got
    no good answer. `denied` and `foreign_links` grow while it is asked.
    """

    server: FhirServer
    clock: Clock
    patience_seconds: float = 300.0
    stopped: Callable[[], bool] = lambda: False
    is_slow: bool = False
    is_unsure: bool = False
    denied: set[str] = field(default_factory=set)
    foreign_links: bool = False
    _denied_once: set[str] = field(default_factory=set)

    def read(self, reference: str) -> JsonObject | None:
        """Read one resource; None for 404 and 410."""
        with self._named(reference, "r"):
            return self.server.read(reference)

    def search(self, resource_type: str, params: SearchParams) -> Iterator[SearchPage]:
        """Search, page by page."""
        with self._named(resource_type, "s") as answered:
            for page in self.server.search(resource_type, params):
                answered()
                yield page

    def first(self, resource_type: str, params: SearchParams) -> JsonObject | None:
        """Give the first match of a search, if any."""
        return next(
            (one for page in self.search(resource_type, params) for one in page.matches), None
        )

    def put(self, resource: JsonObject, *, if_match: str | None = None) -> EntryOutcome:
        """Update, or create under the resource's own id."""
        url = f"{resource['resourceType']}/{resource['id']}"
        with self._named(url, "u"):
            return self.server.write(SingleWrite("PUT", url, as_bytes(resource), if_match))

    def put_where(self, resource: JsonObject, criteria: str) -> EntryOutcome:
        """Update conditionally; the body has no id."""
        kind = str(resource["resourceType"])
        with self._named(kind, "u"), self._may_have_landed():
            body = as_bytes(without_id(resource))
            return self.server.write(SingleWrite("PUT", f"{kind}?{criteria}", body))

    def post(self, resource: JsonObject, *, unless: str | None = None) -> EntryOutcome:
        """Create under an id of the server's; with `unless`, only where these criteria find nothing."""
        kind = str(resource["resourceType"])
        with self._named(kind, "c"), self._may_have_landed():
            body = as_bytes(without_id(resource))
            return self.server.write(SingleWrite("POST", kind, body, None, unless))

    def delete(self, reference: str) -> EntryOutcome:
        """Delete one resource; the adapter itself never needs to, so that no scope is asked for it."""
        return self.server.write(SingleWrite("DELETE", reference))

    def transact(self, entries: list[JsonObject]) -> tuple[EntryOutcome, ...]:
        """Send entries as one transaction."""
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        with self._may_have_landed():
            return self.server.transact(as_bytes(bundle))

    def seconds_until(self, seen: Callable[[], bool]) -> float | None:
        """Ask again and again until something is seen; None when patience or the person ran out."""
        began, wait = self.clock.now(), _FIRST_WAIT
        while not seen():
            spent = (self.clock.now() - began).total_seconds()
            if spent >= self.patience_seconds or self.stopped():
                return None
            self.clock.sleep(min(wait, self.patience_seconds - spent))
            wait = min(wait * 1.5, _LONGEST_WAIT)
        return (self.clock.now() - began).total_seconds()

    @contextmanager
    def _may_have_landed(self) -> Iterator[None]:
        """Note that something may stand under an id that nobody told us."""
        try:
            yield
        except UnknownOutcome:
            self.is_unsure = True
            raise

    @contextmanager
    def _named(self, reference: str, letter: str) -> Iterator[Callable[[], None]]:
        """Note a denial under its scope; gives what to call once the server has answered well."""
        scope = f"system/{reference.partition('/')[0]}.{letter}"
        try:
            yield lambda: self._denied_once.discard(scope)
        except NotAuthorised as error:
            # A 401 may be a token that has just ended; a second one in a row is not.
            if error.status != _UNAUTHORISED or scope in self._denied_once:
                self.denied.add(scope)
            self._denied_once.add(scope)
            raise
        except ForeignOrigin:
            self.foreign_links = True
            raise
        self._denied_once.discard(scope)
        self._denied_once.discard(scope)


def is_refusal(error: ServerError) -> bool:
    """Tell whether the server refused what was asked, and for good.

    No refusal are a denial, a conflict with somebody else, and what never got an answer of the server itself.
    """
    is_other = isinstance(error, NotAuthorised | VersionConflict | ForeignOrigin)
    return isinstance(error, PermanentServerError) and not is_other and error.status is not None


def as_bytes(resource: JsonObject) -> bytes:
    """Write a resource of our own as it is sent."""
    return json.dumps(resource, ensure_ascii=False).encode()


def without_id(resource: JsonObject) -> JsonObject:
    """Copy a resource without its id: a conditional write must not hold one."""
    return {name: value for name, value in resource.items() if name != "id"}


def criteria_of(identifier: JsonObject) -> str:
    """Write the search for an identifier as it stands in an address."""
    return f"identifier={quote(identifier['system'] + '|' + identifier['value'], safe='')}"
