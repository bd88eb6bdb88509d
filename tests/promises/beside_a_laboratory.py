"""Two adapters beside a laboratory on one server, in any order of mishaps: a Hypothesis state machine at the port.

What happens is chosen by rules; what must hold after each step stands in the invariants; at the end the mishaps stop,
an operator releases brakes, and the server must hold what the oracle says. No HTTP, no threads, no real time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import combinations
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from adapter.errors import (
    ServerError,
    TemporaryServerError,
    UnknownOutcome,
    VersionConflict,
)
from adapter.sync.cycle import SyncOptions
from adapter.sync.options import BrakeLimits, ReadLimits, SendLimits
from adapter.sync.releasing import engaged
from tests.fakes.clock import FakeClock
from tests.fakes.crash import CrashPoints, Killed
from tests.fakes.server import FakeFhirServer, Fault
from tests.fakes.site import Site
from tests.fakes.store import MemoryStore
from tests.oracle import Content, content_of_fake, differences, expected
from tests.oracle.reading import is_own
from tests.workloads.content import (
    ANSWERS,
    STATUSES,
    Json,
    merged,
    patient,
    reference,
    result,
    specimen,
)

OPTIONS = SyncOptions(
    read=ReadLimits(page_size=3, patients_at_once=2, absence_confirm_seconds=600),
    send=SendLimits(batch_cases=2, attempts=2, wait_seconds=0, max_wait_seconds=0),
    brakes=BrakeLimits(withdraw_floor=1, change_floor=2),
)
FAULTS: tuple[Callable[[], Fault], ...] = (
    lambda: Fault(UnknownOutcome("cut off before it was carried out")),
    lambda: Fault(UnknownOutcome("cut off after it was carried out"), landed=True),
    lambda: Fault(TemporaryServerError("too many requests", status=429)),
    lambda: Fault(TemporaryServerError("failed after it was carried out", status=500), landed=True),
    lambda: Fault(VersionConflict("another writer was there", status=409)),
)
SAMPLES = {"p0-a": None, "p0-b": "p0-a", "p1-a": None, "p1-b": None}
"""Specimen → the one that it was taken from. Two patients, each with two."""
PATIENTS = ("p0", "p1")
SAID = [(slot, answer) for slot, answers in ANSWERS.items() for answer in answers]

said = st.sampled_from(SAID)
samples = st.sampled_from(sorted(SAMPLES))
statuses = st.sampled_from(["final", "final", "final", *STATUSES, "entered-in-error"])
numbers = st.integers(0, 11)
which = st.integers(0, 1)
Fact = tuple[str | None, str | None, frozenset[str]]
"""Subject, category, sources."""


class BesideALaboratory(RuleBasedStateMachine):
    """The rules; `examples`, `happened` count over all runs."""

    examples: ClassVar[int] = 0
    happened: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.server = FakeFhirServer(self.clock)
        self.sites = [Site(server=self.server, options=OPTIONS) for _ in range(2)]
        self.late: dict[str, tuple[Any, Json]] = {}
        self.foreign: set[tuple[str, str]] = set()
        self.may_say: set[Fact] = set()
        BesideALaboratory.examples += 1

    def note(self, what: str) -> None:
        """Count what happened, and what may be said from now on, whatever is hidden from a search."""
        BesideALaboratory.happened[what] += 1
        content = content_of_fake(self.server).resources
        hidden = sorted(self.server.hidden)
        for number in range(len(hidden) + 1):
            for unseen in combinations(hidden, number):
                seen = [one for one in content if reference(dict(one)) not in unseen]
                for must in expected(seen).records:
                    self.may_say.add((must.subject, must.category, must.derived_from))

    # What a laboratory does.

    @initialize(begun=st.lists(st.tuples(said, samples), min_size=1, max_size=4))
    def open(self, begun: list[tuple[tuple[str, str], str]]) -> None:
        for name in PATIENTS:
            self.server.put(patient(name))
        for name, parent in SAMPLES.items():
            self.server.put(specimen(name, name[:2], parent=parent))
        for said, sample in begun:
            self.report(said, sample, "final", False)

    def owner(self, sample: str) -> str:
        found = self.server.get(f"Specimen/{sample}")
        assert found is not None
        return str(found["subject"]["reference"]).removeprefix("Patient/")

    def results(self) -> list[Json]:
        """Every HER2 result that stands, in a fixed order."""
        found = (one for one in self.server.all("Observation") if not is_own(one))
        return sorted(found, key=lambda one: str(one["id"]))

    @rule(said=said, sample=samples, status=statuses, repeat=st.booleans())
    def report(self, said: tuple[str, str], sample: str, status: str, repeat: bool) -> None:
        slot, answer = said
        repeat = repeat and slot.endswith("2")
        of = self.owner(sample)
        made = result(slot, answer, of=of, sample=sample, status=status, repeat=repeat)
        self.server.put(made)
        self.late.pop(reference(made), None)
        self.note("report")

    @rule(said=said, sample=samples)
    def report_late(self, said: tuple[str, str], sample: str) -> None:
        """It is written now, and becomes visible later with the time of now."""
        made = result(said[0], said[1], of=self.owner(sample), sample=sample)
        self.late[reference(made)] = (self.clock.now(), made)

    @precondition(lambda self: self.late)
    @rule()
    def show_what_is_late(self) -> None:
        for written_at, made in self.late.values():
            of = self.owner(made["id"].rpartition("-")[0])
            subject = {"reference": f"Patient/{of}"}
            self.server.put({**made, "subject": subject}, last_updated=written_at)
        self.late.clear()
        self.note("late")

    def chosen(self, number: int) -> Json | None:
        found = self.results()
        return found[number % len(found)] if found else None

    @rule(number=numbers, status=statuses)
    def change_status(self, number: int, status: str) -> None:
        one = self.chosen(number)
        if one is not None:
            self.server.change(reference(one), status=status)
            self.note("entered-in-error" if status == "entered-in-error" else "status")

    @rule(number=numbers)
    def delete(self, number: int) -> None:
        one = self.chosen(number)
        if one is not None:
            self.server.delete(reference(one))
            self.note("delete")

    @rule(of=st.sampled_from(PATIENTS), merge=st.booleans())
    def move_or_merge(self, of: str, merge: bool) -> None:
        """All that is one patient's becomes the other's; after a merge the record says so."""
        (to,) = {*PATIENTS} - {of}
        theirs = [*self.server.all("Specimen"), *self.results()]
        for one in theirs:
            if one["subject"] == {"reference": f"Patient/{of}"}:
                self.server.change(reference(one), subject={"reference": f"Patient/{to}"})
        if merge:
            self.server.put(merged(of, to))
        self.note("merge" if merge else "move")

    # What servers and people do.

    @precondition(lambda self: len(self.server.hidden) < 2)
    @rule(number=numbers)
    def hide(self, number: int) -> None:
        """The search index lags, or does not show one of our own."""
        there = [reference(one) for one in (*self.results(), *self.sites[0].derived())]
        if there:
            self.server.hidden.add(there[number % len(there)])
            self.note("hide")

    @rule()
    def show_all(self) -> None:
        self.server.hidden.clear()

    @rule(fault=st.sampled_from(FAULTS))
    def fail_a_write(self, fault: Callable[[], Fault]) -> None:
        self.server.faults.append(fault())
        self.note("fault")

    @rule(at=st.integers(1, 40))
    def fail_a_search(self, at: int) -> None:
        left = iter(range(at, 0, -1))

        def refuse(_: object) -> bool:
            if next(left, 0) == 1:
                raise TemporaryServerError("the search failed", status=503)
            return False

        self.server.refuse_search = refuse
        self.note("search-fault")

    @rule(number=numbers, category=st.sampled_from(["low", "positive"]))
    def edit_ours(self, number: int, category: str) -> None:
        """Somebody changes a derived Observation by hand."""
        active = [one for one in self.sites[0].derived() if one["status"] != "entered-in-error"]
        if active:
            one = active[number % len(active)]
            value = {"coding": [{**one["valueCodeableConcept"]["coding"][0], "code": category}]}
            self.server.change(reference(one), valueCodeableConcept=value)
            edited = self.server.get(reference(one))
            assert edited is not None
            self.foreign.add((reference(one), edited["meta"]["versionId"]))
            self.note("foreign-edit")

    @rule(minutes=st.sampled_from([1, 5, 11, 60, 60 * 25]))
    def wait(self, minutes: int) -> None:
        self.clock.advance(60 * minutes)

    # What the adapters do.

    def run(self, site: Site, **asked: Any) -> None:
        try:
            site.run(**asked)
        except ServerError:
            BesideALaboratory.happened["failed-pass"] += 1

    @rule(which=which)
    def poll(self, which: int) -> None:
        self.run(self.sites[which])
        BesideALaboratory.happened["poll"] += 1

    @rule(which=which, release=st.booleans())
    def sweep(self, which: int, release: bool) -> None:
        self.run(self.sites[which], full_sweep=True, released_by="the operator" if release else "")
        BesideALaboratory.happened["sweep"] += 1

    @rule(which=which, at=st.integers(1, 60), sweeps=st.booleans())
    def kill(self, which: int, at: int, sweeps: bool) -> None:
        """The process dies at a step of a pass; a new one begins with what the store holds."""
        site, crash = self.sites[which], CrashPoints(at)
        self.server.crash = site.store.crash = crash
        try:
            self.run(site, full_sweep=sweeps)
        except Killed:
            BesideALaboratory.happened["kill"] += 1
        finally:
            self.server.crash = site.store.crash = CrashPoints()
        site.restart()

    @rule(which=which)
    def restart(self, which: int) -> None:
        self.sites[which].restart()

    @rule(which=which)
    def lose_state(self, which: int) -> None:
        self.sites[which].store = MemoryStore()
        self.sites[which].restart()
        BesideALaboratory.happened["lose-state"] += 1

    @rule(which=which, said=said, sample=samples)
    def race(self, which: int, said: tuple[str, str], sample: str) -> None:
        """Right before one adapter writes, a result arrives and the other adapter runs a whole pass."""
        other = self.sites[1 - which]

        def meanwhile() -> None:
            self.server.before_transaction = lambda: None
            self.report(said, sample, "final", False)
            self.run(other)

        self.server.before_transaction = meanwhile
        self.run(self.sites[which])
        self.server.before_transaction = lambda: None
        BesideALaboratory.happened["second-instance"] += 1

    # What must hold.

    def content(self) -> Content:
        """The server's content, without the versions that people made of ours."""
        content = content_of_fake(self.server)
        assert content.versions is not None
        versions = {
            name: [one for one in each if (name, one["meta"]["versionId"]) not in self.foreign]
            for name, each in content.versions.items()
        }
        return Content(content.resources, versions)

    @invariant()
    def never_two_of_one_identity(self) -> None:
        for site in self.sites[:1]:
            active = [one for one in site.derived() if one["status"] != "entered-in-error"]
            identities = Counter(one["identifier"][0]["value"] for one in active)
            assert set(identities.values()) <= {1}, identities

    @invariant()
    def each_version_of_ours_has_its_provenance(self) -> None:
        said = [line for line in differences(self.content()) if line.startswith(_PAIRS)]
        assert said == []

    @invariant()
    def nothing_is_said_that_no_content_ever_asked_for(self) -> None:
        for one in self.sites[0].derived():
            name = (reference(one), one["meta"]["versionId"])
            if one["status"] == "entered-in-error" or name in self.foreign:
                continue
            assert _fact(one) in self.may_say, one

    def teardown(self) -> None:
        """Let the mishaps end, and an operator do what the pages say; then all must be as the oracle says."""
        self.server.faults.clear()
        self.server.hidden.clear()
        self.server.refuse_search = lambda _: False
        if self.server.get("Patient/p0") is None:
            return
        self.show_what_is_late()
        for _ in range(12):
            if sum(self._attend(site) for site in self.sites) == 0:
                break
        else:
            raise AssertionError("the adapters do not come to rest")
        versions = {name: len(history) for name, history in self.server.versions.items()}
        assert sum(self._attend(site) for site in self.sites) == 0
        assert versions == {name: len(each) for name, each in self.server.versions.items()}
        assert differences(self.content()) == []

    def _attend(self, site: Site) -> int:
        """Run a sweep as an operator does who releases brakes and retries; returns what is left to do."""
        self.clock.advance(700)
        parked = site.store.parked()
        site.store.enqueue([one.patient for one in parked], reason="retry")
        site.store.unpark([one.key for one in parked])
        if engaged(site.store) is not None:
            site.cycle.show_brake()
        report = site.run(full_sweep=True, released_by="the operator")
        return report.writes + report.queue_left + len(report.parked) + report.brake.engaged


_PAIRS = ("provenance: 0", "provenance: none for", "orphan", "doubled")


def _fact(derived: Json) -> Fact:
    codings: Iterable[Json] = derived["valueCodeableConcept"]["coding"]
    sources = frozenset(str(one["reference"]) for one in derived.get("derivedFrom", []))
    return str(derived["subject"]["reference"]), str(next(iter(codings))["code"]), sources
