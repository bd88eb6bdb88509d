"""A site to run passes at: fake servers, store and clock, and the real rules and vocabulary."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

from adapter.fhir.identity import category_of, is_own
from adapter.fhir.record.derive import DeriveContext
from adapter.her2.model import Link, Policy
from adapter.her2.policy import ASCO_CAP_2023
from adapter.ports import JsonObject, PatientList
from adapter.sync.cycle import Cycle, Interrupts, Parts, PassOptions, PassReport, SyncOptions
from adapter.terminology.catalogue import Catalogue, load_catalogue
from adapter.traffic import Traffic

from .clock import FakeClock
from .crash import CrashPoints, Killed
from .laboratory import Laboratory
from .server import FakeFhirServer
from .store import MemoryStore


@cache
def catalogue() -> Catalogue:
    """Load the shipped vocabulary once."""
    return load_catalogue()


class Site:
    """One installation. `restart` begins a new process on the same server and store."""

    def __init__(
        self,
        *,
        server: FakeFhirServer | None = None,
        options: SyncOptions | None = None,
        policy: Policy = ASCO_CAP_2023,
        **context: Any,
    ) -> None:
        self.clock = server.clock if server else FakeClock()
        self.server = server or FakeFhirServer(self.clock)
        self.target = self.server
        self.store = MemoryStore()
        self.laboratory = Laboratory(self.server)
        self.options = options or SyncOptions()
        self.context = DeriveContext(
            now=self.clock.now(),
            policy=policy,
            output=catalogue().output,
            software_version="0.1.0",
            mappings_version=catalogue().version,
            **context,
        )
        self.interrupts = Interrupts()
        self.traffic = Traffic()
        self.links: tuple[Link, ...] = ()
        self.listed: PatientList | None = None
        self.restart()

    @property
    def parts(self) -> Parts:
        """What a process is composed of."""
        return Parts(
            self.server,
            self.target,
            self.store,
            self.clock,
            catalogue(),
            self.context,
            links=self.links,
            traffic=self.traffic,
            listed=self.listed,
        )

    def restart(self) -> None:
        """Begin a new process: what was only in memory is lost."""
        self.cycle = Cycle(self.parts, self.options, interrupts=self.interrupts)

    def run(self, *, release_brake: bool = False, **asked: Any) -> PassReport:
        """Run one pass a minute after the last; the numbers must always add up.

        `release_brake`: an operator looks at what a brake would hold back, and lets it go.
        """
        self.clock.advance(60)
        if release_brake:
            self.cycle.show_brake()
            asked["released_by"] = "Dr. A. Sample"
        report = self.cycle.run_pass(PassOptions(**asked))
        assert report.fetched == sum(report.outcomes.values()), report.outcomes
        assert "unaccounted" not in report.signals
        return report

    def run_with(self, crash: CrashPoints, **asked: Any) -> PassReport:
        """Run one pass whose steps, at the server and at the store, are counted and can be the last."""
        self.server.crash = self.store.crash = crash
        try:
            return self.run(**asked)
        finally:
            self.server.crash = self.store.crash = CrashPoints()

    def die_at(self, step: int, **asked: Any) -> None:
        """Run a pass that is killed at that step, as it must be, and begin a new process."""
        try:
            self.run_with(CrashPoints(at=step), **asked)
        except Killed:
            self.restart()
        else:
            raise AssertionError(f"nothing was killed at step {step}")

    def settle(self) -> PassReport:
        """Run passes until one has nothing left to do; returns that one."""
        for _ in range(6):
            report = self.run()
            if report.writes == 0 and report.queue_left == 0:
                return report
        raise AssertionError("the passes do not come to rest")

    def derived(self) -> list[JsonObject]:
        """All derived Observations that stand on the target, also withdrawn ones."""
        return [one for one in self.target.all("Observation") if is_own(one)]

    def only(self) -> JsonObject:
        """The one derived Observation there is."""
        (one,) = self.derived()
        return one

    def categories(self) -> dict[str, str | None]:
        """Patient → category of what stands and is not withdrawn; one sample each."""
        return {
            one["subject"]["reference"].removeprefix("Patient/"): category_of(one)
            for one in self.derived()
            if one["status"] != "entered-in-error"
        }

    def provenances(self, derived: JsonObject) -> list[JsonObject]:
        """The Provenances of a derived Observation, in the order they were recorded."""
        return self._provenances().get(f"Observation/{derived['id']}", [])

    def assert_sound(self) -> None:
        """One Observation for each identity, and one Provenance for each of its versions."""
        derived, provenances = self.derived(), self._provenances()
        identities = Counter(one["identifier"][0]["value"] for one in derived)
        assert set(identities.values()) <= {1}, identities
        for one in derived:
            reference = f"Observation/{one['id']}"
            found = provenances.get(reference, [])
            assert len(found) == len(self.target.history(reference)), one["id"]
            for provenance in found:
                assert len(self.target.history(f"Provenance/{provenance['id']}")) == 1

    def _provenances(self) -> dict[str, list[JsonObject]]:
        """Target → its Provenances."""
        found: dict[str, list[JsonObject]] = {}
        for one in sorted(self.target.all("Provenance"), key=lambda one: str(one["recorded"])):
            found.setdefault(one["target"][0]["reference"], []).append(one)
        return found
