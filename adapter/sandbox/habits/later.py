"""Habits of sending a client elsewhere, or away until later."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from adapter.sandbox.exchange import Answer, FhirRequest, FhirResponse
from adapter.sandbox.habits.asking import interaction_of, is_write, resource_in, url_of
from adapter.sandbox.habits.habit import Habit, Scene, Sometimes, seconds
from adapter.sandbox.json_text import JsonObject
from adapter.sandbox.outcomes import not_found
from adapter.sandbox.replies import plain_response

_jobs_path = "_async/"


@dataclass(slots=True)
class _Job:
    result: JsonObject
    asked: int = field(default=0)


class AcceptedForLater(Sometimes):
    """202, and an address at which to ask."""

    name = "accepted-for-later"
    does = (
        "one write in OFTEN is carried out and answered 202 with Content-Location; that address is 202 twice and then "
        "has the result (done), is always 202 (never), or is on another host (foreign)"
    )
    seen = (
        "FHIR R4 async.html; servers that queue bundles (Azure, smart-fetch against Oracle Health)"
    )
    takes = "OFTEN[:done|never|foreign]"
    kinds = ("done", "never", "foreign")

    def __init__(self, value: str, scene: Scene) -> None:
        super().__init__(value, scene)
        self._jobs: dict[str, _Job] = {}

    def concerns(self, request: FhirRequest) -> bool:
        """Concern writes only."""
        return is_write(request)

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Tell of a job, or answer as always."""
        if request.path.startswith(_jobs_path):
            return self._told(request.path.removeprefix(_jobs_path))
        return super().around(request, answer)

    def spoiled(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Do it, and say that it will be done."""
        name = str(uuid.UUID(int=self.scene.random.getrandbits(128), version=4))
        self._jobs[name] = _Job(_as_batch_response(answer(request)))
        base = "http://elsewhere.invalid/fhir" if self.kind == "foreign" else request.base_url
        return FhirResponse(202, "", {"Content-Location": f"{base}/{_jobs_path}{name}"})

    def _told(self, name: str) -> FhirResponse:
        job = self._jobs.get(name)
        if job is None:
            return plain_response(404, not_found("this job").outcome())
        job.asked += 1
        if job.asked <= 2 or self.kind == "never":
            return FhirResponse(202, "", {"X-Progress": "at work", "Retry-After": "1"})
        return plain_response(200, job.result)


def _as_batch_response(answer: FhirResponse) -> JsonObject:
    found = resource_in(answer)
    if found is not None and str(found.get("type", "")).endswith("-response"):
        return found
    response: dict[str, Any] = {"status": str(answer.status)}
    for header, element in (("Location", "location"), ("ETag", "etag")):
        if header in answer.headers:
            response[element] = answer.headers[header]
    is_outcome = found is not None and found["resourceType"] == "OperationOutcome"
    entry: JsonObject = {"response": {**response, "outcome": found} if is_outcome else response}
    if found is not None and not is_outcome:
        entry = {"resource": found, **entry}
    return {"resourceType": "Bundle", "type": "batch-response", "entry": [entry]}


class Redirects(Sometimes):
    """Somewhere else, please."""

    name = "redirects"
    does = "one read or search in OFTEN is answered 307 to itself (same), or to another host (host)"
    seen = "load balancers; CVE-2026-33180 (credentials sent along on redirects)"
    takes = "OFTEN[:same|host]"
    kinds = ("same", "host")

    def concerns(self, request: FhirRequest) -> bool:
        """Concern what is asked with GET."""
        return request.method == "GET" and interaction_of(request) != "capabilities"

    def spoiled(self, request: FhirRequest, _answer: Answer) -> FhirResponse:
        """Send the client there."""
        url = url_of(request)
        if self.kind == "host":
            url = url.replace(request.base_url, "http://elsewhere.invalid/fhir")
        return FhirResponse(307, "", {"Location": url})


class SlowAnswers(Habit):
    """Time goes by first."""

    name = "slow-answers"
    does = "every answer begins after SECONDS only"
    seen = "every server under load"
    takes = "SECONDS"
    default = "1"

    def __init__(self, value: str, scene: Scene) -> None:
        super().__init__(value, scene)
        self._pause = seconds(value)

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Wait first."""
        time.sleep(self._pause)
        return answer(request)


HABITS: tuple[type[Habit], ...] = (SlowAnswers, Redirects, AcceptedForLater)
