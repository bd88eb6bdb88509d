"""Settles what a call is about (conditional or not), and carries it out in one unit of work."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import parse_qsl

from adapter.sandbox.calls import Call
from adapter.sandbox.capability import capability_statement
from adapter.sandbox.counts import Counts
from adapter.sandbox.json_text import JsonObject
from adapter.sandbox.outcomes import Refused, bad_request, several_match
from adapter.sandbox.reading import Reading
from adapter.sandbox.replies import Reply
from adapter.sandbox.routing import Route, route
from adapter.sandbox.rules import Clock, ServerRules
from adapter.sandbox.seams import Seams
from adapter.sandbox.search import Pairs, read_criteria
from adapter.sandbox.storage import Key, Storage
from adapter.sandbox.validation import checked_body_id
from adapter.sandbox.writing import Writer


class Interactions:
    """All interactions of the server but the bundles."""

    def __init__(
        self, storage: Storage, rules: ServerRules, seams: Seams, *, clock: Clock, counts: Counts
    ) -> None:
        self._storage = storage
        self._rules = rules
        self._clock = clock
        self._counts = counts
        self._started = clock()
        self.seams = seams
        self.reading = Reading(storage, rules, seams)

    def perform(self, call: Call) -> Reply:
        """Carry out one call, whole or not at all.

        Raises: Refused with the status and outcome to send; nothing was stored.
        """
        settled = self.settled_beforehand([call])
        with self.unit_of_work(call.base_url) as writer:
            return self.carry_out(settled[0] if settled else self.settle(call), writer)

    def settled_beforehand(self, calls: Sequence[Call]) -> list[Call]:
        """Settle conditional calls outside the unit of work that writes them, and let time go by.

        Empty for a good server: it settles and writes in one unit of work, so that two clients with
        the same criteria cannot both create.
        """
        gap = self.seams.gap_seconds()
        if not gap or not any(call.is_conditional for call in calls):
            return []
        with self._storage.transaction():
            settled = [self.settle(call) for call in calls]
        time.sleep(gap)
        return settled

    @contextmanager
    def unit_of_work(self, base_url: str) -> Iterator[Writer]:
        """Hold the storage alone; everything written inside lands together or not at all."""
        with self._storage.transaction():
            now = self._clock()
            writer = Writer(self._storage, self._rules, self.seams, now=now, base_url=base_url)
            yield writer
            writer.check_consistency()
        self._counts.versions_made(writer.versions_made)

    def settle(self, call: Call) -> Call:
        """Return the call with its target: the id it will write, found, given or new.

        Raises: Refused with 412 when several resources match its criteria, 400 when they are wrong, 409
            when a conditional update brings the id of a resource that does not match.
        """
        call = self.seams.call(call)
        asked = route(call.method, call.path)
        match asked.interaction:
            case "create":
                return self._settled_create(asked.resource_type, call)
            case "update" if not asked.logical_id:
                return self._settled_conditional_update(asked.resource_type, call)
            case "update" | "delete":
                if call.query:
                    raise bad_request("parameters have no meaning for a write to one id")
                if asked.interaction == "update" and self._storage.current(asked.key) is None:
                    self.seams.client_id(asked.key)
                return replace(call, target=asked.key)
            case _:
                return call

    def carry_out(self, call: Call, writer: Writer) -> Reply:
        """Carry out a settled call inside a unit of work.

        Raises: Refused with the status and outcome to send.
        """
        asked = route(call.method, call.path)
        if call.target is None:
            return self._read(asked, call)
        if call.is_there:
            there = self._storage.current(call.target)
            return Reply(HTTPStatus.OK, None, there, is_write=True)
        if asked.interaction == "delete":
            return writer.delete(call.target, call.if_match)
        resource = _resource(call)
        if call.by_criteria and self._creates(call.target) and self.seams.creates_twice():
            twin = str(uuid.uuid4())
            writer.update((call.target[0], twin), {**resource, "id": twin}, None)
        if asked.interaction == "create":
            return writer.create(call.target, resource)
        return writer.update(call.target, resource, call.if_match)

    def one_match(self, resource_type: str, criteria: Pairs, base_url: str) -> str | None:
        """Return the id of the one resource that matches, or None.

        Raises: Refused with 412 when several match, 400 for criteria that are not understood.
        """
        matches = read_criteria(resource_type, criteria, base_url)
        found = self._storage.find(resource_type, matches, "logical_id")
        if len(found) > 1:
            raise several_match(resource_type)
        return found[0] if found else None

    def _creates(self, target: Key) -> bool:
        return self._storage.current(target) is None

    def _read(self, asked: Route, call: Call) -> Reply:
        reading = self.reading
        match asked.interaction:
            case "read":
                return reading.read(asked, call)
            case "vread":
                return reading.vread(asked, call)
            case "search-type":
                return reading.search(asked, call)
            case "page":
                return reading.page(call)
            case "capabilities":
                statement = capability_statement(call.base_url, self._started)
                return Reply(HTTPStatus.OK, self.seams.statement(statement))
            case _:  # of an instance, a type or the server; routing lets nothing else through
                return reading.history(asked, call)

    def _settled_create(self, resource_type: str, call: Call) -> Call:
        if call.query:
            raise bad_request("parameters have no meaning for a create; see If-None-Exist")
        found = None
        if call.if_none_exist is not None:
            criteria = criteria_pairs(call.if_none_exist)
            found = self.one_match(resource_type, criteria, call.base_url)
        target = (resource_type, found or str(uuid.uuid4()))
        is_conditional = call.if_none_exist is not None
        return replace(call, target=target, is_there=found is not None, by_criteria=is_conditional)

    def _settled_conditional_update(self, resource_type: str, call: Call) -> Call:
        found = self.one_match(resource_type, call.query, call.base_url)
        resource = _resource(call)
        body_id = checked_body_id(resource)
        if found is not None and body_id not in (None, found):
            raise bad_request("the id of the body is not that of the matching resource")
        if found is None and body_id and self._storage.current((resource_type, body_id)):
            raise Refused(
                409, "conflict", f"{resource_type}/{body_id} exists and does not match the criteria"
            )
        if found is None and body_id:
            self.seams.client_id((resource_type, body_id))
        logical_id = found or body_id or str(uuid.uuid4())
        return replace(
            call,
            path=f"{resource_type}/{logical_id}",
            query=(),
            resource={**resource, "id": logical_id},
            target=(resource_type, logical_id),
            by_criteria=True,
        )


def criteria_pairs(query: str) -> Pairs:
    """Read a query string as decoded pairs, blank values kept so that they can be refused."""
    return tuple(parse_qsl(query.removeprefix("?"), keep_blank_values=True))


def _resource(call: Call) -> JsonObject:
    assert call.resource is not None, "a create or update was read with its resource"
    return call.resource
