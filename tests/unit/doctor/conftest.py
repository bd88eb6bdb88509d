"""A doctor and a sandbox that share one clock: it moves when the doctor waits, so that no test does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

import pytest

from adapter.doctor.bench import Bench
from adapter.doctor.examine import Examiner, Task
from adapter.doctor.findings import Examination
from adapter.fhir.refused_alone import read_bundle
from adapter.sandbox.exchange import Answer, FhirRequest, FhirResponse
from adapter.sandbox.server import Sandbox
from adapter.transport.auth import NoAuth
from adapter.transport.fhir_server import RestFhirServer
from adapter.transport.server_config import ServerConfig

Answering = Callable[[FhirRequest], FhirResponse | None]


class SharedClock:
    """The time of the doctor and of its server: the real one, further on by what was slept."""

    def __init__(self) -> None:
        self._slept = timedelta()
        self._lock = Lock()
        self.when_asleep: Callable[[], None] = lambda: None

    def now(self) -> datetime:
        return datetime.now(UTC) + self._slept

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._slept += timedelta(seconds=seconds)
        self.when_asleep()


@dataclass
class Clinic:
    """A sandbox with habits, what arrived there, and doctors for it.

    `instead` answers a request in the server's place, or gives None; `on_the_way` changes what arrives.
    """

    sandbox: Sandbox
    clock: SharedClock
    requests: list[FhirRequest] = field(default_factory=list)
    instead: Answering = lambda _: None
    on_the_way: Callable[[FhirRequest], FhirRequest] = lambda request: request

    def layer(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        self.requests.append(request)
        return self.instead(request) or answer(self.on_the_way(request))

    @property
    def writes(self) -> list[FhirRequest]:
        return [one for one in self.requests if one.method != "GET"]

    def examine(self, *, patience: float = 120.0, **asked: Any) -> Examination:
        """Examine the sandbox as source and target, unless asked otherwise."""
        with self.server() as server:
            return self.examiner(Bench(server, self.clock, patience), **asked).examine()

    def examiner(self, bench: Bench, **asked: Any) -> Examiner:
        return Examiner(bench, Task(**{"is_source": True, "is_target": True, **asked}))

    def server(self) -> RestFhirServer:
        config = ServerConfig(self.sandbox.base_url, attempts=2)
        return RestFhirServer(config, read_json=read_bundle, clock=self.clock, auth=NoAuth())

    def standing(self) -> list[dict[str, Any]]:
        """What stands on the server, of the types that a doctor writes."""
        with self.server() as server:
            return [
                one
                for kind in ("Observation", "Device", "Provenance", "Patient")
                for page in server.search(kind, [])
                for one in page.matches
            ]


@pytest.fixture
def clinic() -> Iterator[Clinic]:
    clock = SharedClock()
    made: list[Clinic] = []

    def layer(request: FhirRequest, answer: Answer) -> FhirResponse:
        return made[0].layer(request, answer)

    with Sandbox(clock=clock.now, layers=[layer]) as sandbox:
        made.append(Clinic(sandbox, clock))
        yield made[0]
