"""Keeps our Subscriptions on one server as they are wanted: looks first, writes the difference, waits.

Found by their tag and, because a search index can lag, by the ids they get from us. What is not ours is never
touched. Running it again is always safe.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from itertools import count
from typing import Final

from adapter.errors import NotAuthorised, PermanentServerError, ResourceRefused, VersionConflict
from adapter.fhir.identity import subscription_id
from adapter.fhir.references import reference_to
from adapter.fhir.shapes import child, string
from adapter.ports import Clock, FhirServer, JsonObject, RefusedResource, SingleWrite
from adapter.subscriptions.hook import (
    REQUESTED,
    Hook,
    is_ours,
    says_the_same,
    signing_of,
    tag,
    without_secret,
)

MOST: Final = 16
"""So many ids of ours are looked for; a vocabulary needs one or two Subscriptions."""
_LOOK_SECONDS: Final = 1.0
_UNAUTHORISED: Final = 401


class Done(StrEnum):
    """What was done about one Subscription."""

    FOUND = "found"
    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REMOVED = "removed"
    SWITCHED_OFF = "switched-off"


@dataclass(frozen=True)
class Standing:
    """A Subscription of ours as it stands, without its secret.

    `error` is the server's own text about its trouble, not fit to be shown.
    """

    reference: str
    done: Done
    status: str = ""
    criteria: str = ""
    endpoint: str = ""
    signing: str = ""
    payload: str = ""
    end: str = ""
    error: str = ""

    @classmethod
    def of(cls, stored: JsonObject, done: Done) -> Standing:
        """Read what may be shown of a stored Subscription."""
        channel = child(stored, "channel")
        return cls(
            reference=reference_to(stored),
            done=done,
            status=string(stored, "status"),
            criteria=string(stored, "criteria"),
            endpoint=string(channel, "endpoint"),
            signing=signing_of(stored),
            payload=string(channel, "payload"),
            end=string(stored, "end"),
            error=string(stored, "error"),
        )


@dataclass(frozen=True)
class Keeper:
    """Manages the Subscriptions of one namespace. Every method raises ServerError as the port says.

    `stopped`: a person wants an end to the waiting.
    """

    server: FhirServer
    clock: Clock
    namespace: str
    stopped: Callable[[], bool] = lambda: False

    def show(self) -> tuple[Standing, ...]:
        """Give ours as they stand."""
        return tuple(Standing.of(one, Done.FOUND) for one in self._standing())

    def establish(self, hook: Hook, criteria: Sequence[str]) -> tuple[Standing, ...]:
        """Create what is missing, update what differs, and take away what is not wanted any more."""
        found, is_searchable = self._found()
        standing = {name: one for name, one in found.items() if is_ours(one, self.namespace)}
        done: list[Standing] = []
        free = (number for number in count() if self._own(number) not in found)
        open_criteria = list(dict.fromkeys(criteria))
        for one in list(standing.values()):  # each keeps its criteria, where these are still wanted
            if string(one, "criteria") in open_criteria:
                open_criteria.remove(string(one, "criteria"))
                done.append(self._renewed(one, hook.subscription(string(one, "criteria"))))
                del standing[reference_to(one)]
        for wanted in map(hook.subscription, open_criteria):
            if standing:
                _, one = standing.popitem()
                done.append(self._renewed(one, wanted))
            else:
                done.append(self._created(wanted, next(free), is_searchable=is_searchable))
        # Last, so that a failure on the way leaves rather too many than none.
        return (*done, *(self._removed(one) for one in standing.values()))

    def remove(self) -> tuple[Standing, ...]:
        """Take ours away; where the server deletes none, switch them off without their secret."""
        return tuple(map(self._removed, self._standing()))

    def settled(self, done: Sequence[Standing], seconds: float) -> tuple[Standing, ...]:
        """Wait until the server has decided about what was only requested, for so many seconds at most."""
        until = self.clock.now() + timedelta(seconds=seconds)
        found = list(done)
        while any(one.status == REQUESTED for one in found) and not self.stopped():
            left = (until - self.clock.now()).total_seconds()
            if left <= 0:
                break
            self.clock.sleep(min(left, _LOOK_SECONDS))
            for index, one in enumerate(found):
                stored = self.server.read(one.reference) if one.status == REQUESTED else None
                found[index] = Standing.of(stored, one.done) if stored else one
        return tuple(found)

    def _standing(self) -> list[JsonObject]:
        return [one for one in self._found()[0].values() if is_ours(one, self.namespace)]

    def _found(self) -> tuple[dict[str, JsonObject], bool]:
        """Find by reference whatever has our tag or an id of ours; somebody may have taken it over.

        Returns:
            What was found, and whether one under an id of the server's would have been.

        """
        searched = self._searched()
        found = dict(searched or {})
        read = self.server.read_all(self._own(number) for number in range(MOST))
        for reference, one in read.items():
            if isinstance(one, RefusedResource):
                # It stands all the same: another in its place would be a second one.
                raise ResourceRefused(f"{reference} is no strict JSON ({one.code})", code=one.code)
            if one is not None:
                found[reference] = one
        return found, searched is not None

    def _searched(self) -> dict[str, JsonObject] | None:
        """Find ours by our tag, and where that finds none, among all; None where the server searches neither way."""
        own = tag(self.namespace)
        answered: dict[str, JsonObject] | None = None
        for params in ([("_tag", f"{own['system']}|{own['code']}")], []):
            try:
                for page in self.server.search("Subscription", params):
                    answered = answered or {}
                    for one in page.matches:
                        if is_ours(one, self.namespace):
                            answered[reference_to(one)] = one
            except NotAuthorised:
                raise
            except PermanentServerError as error:
                if error.status not in (400, 422, 501):
                    raise
            if answered:
                break
        return answered

    def _own(self, number: int) -> str:
        return f"Subscription/{subscription_id(self.namespace, number)}"

    def _created(self, wanted: JsonObject, number: int, *, is_searchable: bool) -> Standing:
        """Create under an id of ours, or else under one of the server's, where it can be found again."""
        reference = self._own(number)
        with_id = {**wanted, "id": reference.partition("/")[2]}
        try:
            outcome = self.server.write(SingleWrite("PUT", reference, _as_bytes(with_id)))
        except VersionConflict:
            raise
        except PermanentServerError as error:
            if error.status is None or error.status == _UNAUTHORISED:
                raise
            if not is_searchable:
                raise PermanentServerError(
                    "the server lets nobody choose the id of a Subscription, and searches none: what is made there "
                    "could not be found again, and would be made anew each time",
                    status=error.status,
                ) from error
            return self._posted(wanted)
        stored = outcome.resource or self.server.read(reference) or with_id
        return Standing.of(stored, Done.CREATED)

    def _posted(self, wanted: JsonObject) -> Standing:
        """Create under an id of the server's, which the answer or a search names."""
        before = self._searched() or {}
        outcome = self.server.write(SingleWrite("POST", "Subscription", _as_bytes(wanted)))
        stored = outcome.resource
        if stored is None and outcome.reference is not None:
            named = {**wanted, "id": outcome.reference.partition("/")[2]}
            stored = self.server.read(outcome.reference) or named
        if stored is None:
            made = [one for name, one in (self._searched() or {}).items() if name not in before]
            stored = next((one for one in made if says_the_same(one, wanted)), None)
        if stored is None:
            raise PermanentServerError(
                "the server made a Subscription and did not say which: look for it there, and take it away"
            )
        return Standing.of(stored, Done.CREATED)

    def _renewed(self, stored: JsonObject, wanted: JsonObject) -> Standing:
        if says_the_same(stored, wanted):
            return Standing.of(stored, Done.UNCHANGED)
        written = self._put({**wanted, "id": stored["id"]})
        return Standing.of(written, Done.UPDATED)

    def _removed(self, stored: JsonObject) -> Standing:
        reference = reference_to(stored)
        try:
            self.server.write(SingleWrite("DELETE", reference))
        except PermanentServerError as error:
            if error.status is None or error.status == _UNAUTHORISED:
                raise
            return Standing.of(self._put(without_secret(stored)), Done.SWITCHED_OFF)
        return Standing(reference, Done.REMOVED, criteria=string(stored, "criteria"))

    def _put(self, resource: JsonObject) -> JsonObject:
        """Update whatever version stands: all that is in it is ours, and servers change the status by themselves."""
        reference = reference_to(resource)
        outcome = self.server.write(SingleWrite("PUT", reference, _as_bytes(resource)))
        return outcome.resource or self.server.read(reference) or resource


def _as_bytes(resource: JsonObject) -> bytes:
    return json.dumps(resource, ensure_ascii=False).encode()
