"""POST /sync: somebody names patients, and hears what changed.

The patients are put into the durable queue before anything is answered: when this process is killed, or another one
writes, the next pass looks at them. So asking again is always safe, and never needed.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Final, TypeGuard

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from adapter.errors import AdapterError, InputError, ServerError, StoreError, TemporaryServerError
from adapter.ports import JsonReader, StateStore
from adapter.sync.inbox import (
    ASKED,
    OBSERVED,
    AnotherWrites,
    Ask,
    Inbox,
    InboxClosed,
    InboxFull,
)
from adapter.sync.planning.plan import Action
from adapter.sync.references import patient_reference
from adapter.sync.report import CaseRow, PassOutcome, PassReport
from adapter.web.access import Role
from adapter.web.answers import NOTICE, Refused, json_answer
from adapter.web.limits import read_body
from adapter.web.routes import Route

BODY_BYTES: Final = 64 * 1024
QUEUED: Final = 10_000
"""Patients whom callers may have queued at once, at least; the store of one that stands by would else grow for ever."""
QUEUE_FULL_SECONDS: Final = 60
KEPT: Final = 256
"""Requests whose outcome can be asked for later: each holds the report of its pass."""
_REFERENCE = re.compile(r"(Patient/)?[A-Za-z0-9\-.]{1,64}")  # FHIR R4, datatypes: id
_WAIT = re.compile(r"\bwait=(\d{1,4})\b")  # RFC 7240, section 4.3
_KEY = re.compile(r"[0-9a-f]{32}")


@dataclass
class SyncRoute:
    """The route and the requests it remembers.

    `patients`: most in one request; `wait_seconds`: for an answer; `observes`: nothing may be written.
    """

    inbox: Inbox
    store: StateStore
    read_json: JsonReader
    patients: int
    wait_seconds: float
    observes: bool = False
    _asked: OrderedDict[str, Ask] = field(default_factory=OrderedDict)

    def routes(self) -> tuple[Route, ...]:
        """Give the rows of this room."""
        at_once = 2 * self.inbox.limits.asks
        return (
            Route(
                "/sync",
                ("POST",),
                Role.SYNC,
                self.post,
                "Look at some patients now: gather, decide, write the difference, tell what changed.",
                at_once=at_once,
                operation=_POST,
            ),
            Route(
                "/sync/{key}",
                ("GET",),
                Role.SYNC,
                self.look,
                "What became of an earlier request that was not waited for.",
                at_once=at_once,
                operation=_LOOK,
            ),
        )

    async def post(self, request: Request) -> Response:
        """Queue the patients, wait for the pass over them, and tell what it did."""
        patients = self._patients(await read_body(request, BODY_BYTES))
        try:
            with self.inbox.place() as place:
                # Queued before a pass can begin over them: that pass then finds them queued, and takes them off.
                await run_in_threadpool(self._queue, patients)
                ask = place(patients)
        except InboxFull as full:
            raise Refused(
                429,
                "queue-full",
                "As many requests wait as may; come again.",
                {"Retry-After": str(full.retry_after_seconds)},
            ) from None
        except InboxClosed:
            raise _STOPPING from None
        except StoreError:
            raise Refused(
                503, "state-store", "The request cannot be kept now.", {"Retry-After": "30"}
            ) from None
        return await self._told(ask, self._patience(request))

    def _queue(self, patients: Sequence[str]) -> None:
        """Queue patients durably; who only looks marks them so, because nothing of them waits to be written."""
        reason = OBSERVED if self.observes else ASKED
        if self.store.queue_length(reason) >= max(QUEUED, self.inbox.limits.asks * self.patients):
            raise InboxFull(QUEUE_FULL_SECONDS)
        self.store.enqueue(patients, reason=reason)

    async def look(self, request: Request) -> Response:
        """Tell what became of a request, without waiting."""
        key = request.path_params["key"]
        ask = self._asked.get(key) if _KEY.fullmatch(key) else None
        if ask is None:
            raise Refused(404, "not-found", "No such request is remembered; ask again.")
        if await run_in_threadpool(self._is_done_elsewhere, ask):
            raise Refused(
                404, "not-found", "Another process has looked at it, and told nobody; ask again."
            )
        return await self._told(ask, 0.0)

    def _is_done_elsewhere(self, ask: Ask) -> bool:
        """Tell whether a request that another process was to do has left the queue; its outcome is not here."""
        report = ask.report
        if not report.done() or not isinstance(report.exception(0), AnotherWrites):
            return False
        return not self.store.queued(ask.patients)

    async def _told(self, ask: Ask, seconds: float) -> Response:
        try:
            report = await _arriving(ask, seconds) if seconds else _now(ask)
        except TimeoutError:
            return self._accepted(ask)
        except AnotherWrites:
            return json_answer(_ELSEWHERE, status=202, headers={"Retry-After": "5"})
        except InboxClosed:
            raise _STOPPING from None
        except AdapterError as error:
            raise _failed(error) from None
        if (
            report.outcome is PassOutcome.STOPPED
        ):  # before these patients were looked at, or some of them
            raise _STOPPING
        return json_answer(answer(report, ask.patients))

    def _patience(self, request: Request) -> float:
        """Seconds to wait: as configured, less when the client prefers so (RFC 7240)."""
        prefer = request.headers.get("prefer", "").lower()
        if "respond-async" in prefer:
            return 0.001
        asked = _WAIT.search(prefer)
        return min(self.wait_seconds, float(asked[1])) if asked else self.wait_seconds

    def _patients(self, body: bytes) -> tuple[str, ...]:
        try:
            content = self.read_json(body)
        except InputError as error:
            raise Refused(400, error.code, "The body is not one JSON object.") from None
        named = content.get("patients", content.get("patient"))
        listed = [named] if isinstance(named, str) else named
        if set(content) - {"patient", "patients"} or len(content) != 1 or not _are_ids(listed):
            raise Refused(
                400,
                "patients",
                'Send {"patient": "ID"} or {"patients": ["ID", …]}, with ids as FHIR has them.',
            )
        if len(listed) > self.patients:
            raise Refused(413, "too-many-patients", f"Name {self.patients} patients at most.")
        return tuple(dict.fromkeys(map(patient_reference, listed)))

    def _accepted(self, ask: Ask) -> Response:
        """Tell where the outcome will stand; only such requests are remembered, the latest of them."""
        self._asked[ask.key] = ask
        while len(self._asked) > KEPT:
            self._asked.popitem(last=False)
        return json_answer(
            {"status": "waiting", "message": "It waits for its turn.", "request": ask.key},
            status=202,
            headers={"Location": f"/sync/{ask.key}", "Retry-After": "5"},
        )


def answer(report: PassReport, patients: Sequence[str]) -> dict[str, Any]:
    """Tell what a pass did about some patients: every sample, what was set aside, what is refused.

    `changed` counts the samples whose derived result was written; the same request again changes nothing.
    `unfinished` names the patients of whom something is left to do: they stay queued; `withoutResults` those of whom
    the server shows no result, be it that there is none, that the index is late or that the id is wrong. Ids,
    categories and reason codes only.
    """
    wanted = frozenset(patients)
    rows = [row for row in report.rows if row.patient in wanted]
    derived = {row.derived.rpartition("/")[2] for row in rows}
    parked = {key: reason for key, reason in report.parked.items() if key in derived}
    unfinished = report.unfinished & wanted
    return {
        "status": report.outcome.value,
        "notice": NOTICE,
        "changed": sum(_is_written(row, report, unfinished, parked) for row in rows),
        "unfinished": sorted(unfinished),
        "withoutResults": sorted(report.without_results(patients)),
        "samples": [
            {
                "patient": row.patient,
                "sample": row.sample,
                "derived": row.derived,
                "category": row.category,
                "before": row.before,
                "action": row.action.value,
                "rule": row.rule,
                "review": row.review,
                "reasons": list(row.reasons),
                "sources": list(row.sources),
            }
            for row in rows
        ],
        "setAside": [
            {"observation": one.observation, "outcome": one.outcome, "reason": one.reason}
            for one in report.set_aside
            if one.subject in wanted
        ],
        "parked": parked,
        "warnings": [one for one in report.warnings if _concerns(one, wanted)],
    }


def _is_written(
    row: CaseRow, report: PassReport, unfinished: frozenset[str], parked: Mapping[str, str]
) -> bool:
    """Whether a sample's result was written, and not only decided."""
    return (
        report.outcome is PassOutcome.DONE
        and row.action not in (Action.SKIP, Action.WAIT)
        and row.patient not in unfinished
        and row.derived.rpartition("/")[2] not in parked
    )


def _concerns(warning: str, patients: frozenset[str]) -> bool:
    """Whether a warning is about these patients, or about nobody; one pass may serve several callers."""
    named = set(re.findall(r"Patient/[A-Za-z0-9\-.]{1,64}", warning))
    return not named or bool(named & patients)


def _are_ids(listed: object) -> TypeGuard[list[str]]:
    return (
        isinstance(listed, list)
        and bool(listed)
        and all(isinstance(one, str) and _REFERENCE.fullmatch(one) for one in listed)
    )


async def _arriving(ask: Ask, seconds: float) -> PassReport:
    """Wait for the pass; the request itself goes on when nobody waits any more."""
    arriving = asyncio.wrap_future(ask.report)
    # Who has stopped waiting hears of a failure where it is looked at later; asyncio need not print it.
    arriving.add_done_callback(lambda done: done.cancelled() or done.exception())
    return await asyncio.wait_for(asyncio.shield(arriving), seconds)


def _now(ask: Ask) -> PassReport:
    if not ask.report.done():
        raise TimeoutError
    return ask.report.result(0)


def _failed(error: AdapterError) -> Refused:
    """Say what became of a request whose pass failed: the patients are still queued."""
    queued = "The patients stay queued; the next pass looks at them."
    if isinstance(error, TemporaryServerError):
        seconds = str(ceil(error.retry_after_seconds or 30))
        return Refused(
            503, "fhir-server", f"The FHIR server is away. {queued}", {"Retry-After": seconds}
        )
    if isinstance(error, ServerError):
        return Refused(502, "fhir-server", f"The FHIR server refuses. {queued}")
    return Refused(503, "adapter", f"The pass ended early. {queued}", {"Retry-After": "30"})


_STOPPING = Refused(503, "stopping", "The adapter is stopping; come again.", {"Retry-After": "10"})

_ELSEWHERE: Final = {
    "status": "queued",
    "message": "Another process writes, and looks at it in its next pass.",
}

_ANSWER: Final = {
    "description": "What a pass did about these patients. " + NOTICE,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": [
                    *("status", "notice", "changed", "unfinished", "withoutResults"),
                    *("samples", "setAside", "parked"),
                ],
                "properties": {
                    "status": {"enum": ["done", "observed", "braked"]},
                    "notice": {"type": "string"},
                    "changed": {"type": "integer", "minimum": 0},
                    "unfinished": {"type": "array", "items": {"type": "string"}},
                    "withoutResults": {"type": "array", "items": {"type": "string"}},
                    "samples": {"type": "array", "items": {"type": "object"}},
                    "setAside": {"type": "array", "items": {"type": "object"}},
                    "parked": {"type": "object", "additionalProperties": {"type": "string"}},
                    "warnings": {"type": "array", "items": {"type": "string"}},
                },
            }
        }
    },
}
_ACCEPTED: Final = {
    "description": (
        "Queued durably. waiting: Location says where its outcome will stand. queued: another process writes and does "
        "it; its outcome is told by asking again."
    ),
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["status", "message"],
                "properties": {
                    "status": {"enum": ["waiting", "queued"]},
                    "message": {"type": "string"},
                    "request": {"type": "string"},
                },
            }
        }
    },
}
_LOOK: Final = {
    "parameters": [{"name": "key", "in": "path", "required": True, "schema": {"type": "string"}}],
    "responses": {"200": _ANSWER, "202": _ACCEPTED},
}
_POST: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "minProperties": 1,
                    "maxProperties": 1,
                    "additionalProperties": False,
                    "properties": {
                        "patient": {"type": "string"},
                        "patients": {"type": "array", "items": {"type": "string"}, "minItems": 1},
                    },
                }
            }
        },
    },
    "responses": {"200": _ANSWER, "202": _ACCEPTED},
}
