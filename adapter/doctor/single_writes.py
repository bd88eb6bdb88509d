"""Single writes: ids of ours, updates that change nothing, If-Match, and conditional writes in a race."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from typing import Final

from adapter.doctor.bench import Bench, criteria_of, is_refusal
from adapter.doctor.findings import Finding, Topic, measured, not_measured
from adapter.doctor.traces import Traces, is_probe
from adapter.errors import ServerError, VersionConflict
from adapter.fhir.references import reference_to
from adapter.fhir.shapes import child, string
from adapter.ports import EntryOutcome, JsonObject

RACERS: Final = 8
RACES: Final = 5
_START_SECONDS: Final = 10.0
NEVER_GIVEN: Final = 'W/"99999"'
"""An ETag that no probe has had."""


def client_ids(bench: Bench, traces: Traces) -> Finding:
    """Write the Device and a first Observation under ids of ours; else let the server choose.

    Raises: ServerError when not even that can be written; then nothing can be.
    """
    topic = Topic.CLIENT_IDS
    try:
        traces.device = reference_to(traces.create(traces.software()))
        traces.first = traces.create(traces.probe("first"))
    except ServerError as error:
        if not is_refusal(error):
            raise
        traces.chooses_ids = False
        if not traces.device:
            traces.device = reference_to(traces.create(traces.software()))
        traces.first = traces.create(traces.probe("first"))
        return measured(topic, f"is refused ({error.status}): the server chooses ids", works=False)
    stored = bench.read(f"Observation/{traces.id_of('first')}")
    if stored is None or not is_probe(stored):
        traces.chooses_ids = False
        return measured(topic, "is answered well, and stored under another id", works=False)
    return measured(topic, "creates it under that id", works=True)


def foreign_references(bench: Bench, traces: Traces, elsewhere: str) -> Finding:
    """Write an Observation about a Device of another server, as the adapter names whatever it has read there.

    Args:
        bench: the server that is written to.
        traces: this doctor's own resources.
        elsewhere: base URL of the other server; nothing is asked of it.

    Raises: ServerError when it is neither taken nor refused.

    """
    topic = Topic.FOREIGN_REFERENCES
    named = f"{elsewhere}/Device/{traces.id_of('device')}"
    try:
        made = traces.create(traces.probe("elsewhere", subject={"reference": named}))
    except ServerError as error:
        if not is_refusal(error):
            raise
        return measured(topic, f"are refused ({error.status})", works=False)
    stored = bench.read(reference_to(made)) or {}
    if string(child(stored, "subject"), "reference") != named:
        return measured(topic, "are taken, and altered", works=False)
    return measured(topic, "are taken as they are", works=True)


def no_op_update(bench: Bench, probe: JsonObject) -> Finding:
    """Send what stands once more, and see whether that makes a new version."""
    before = _version(bench, probe)
    bench.put(probe)
    is_kept = _version(bench, probe) == before
    says = "keeps the version" if is_kept else "makes a new version; the adapter sends none"
    return measured(Topic.NO_OP_UPDATE, says, works=None, value=is_kept)


def if_match(bench: Bench, probe: JsonObject) -> Finding:
    """Update with a version that never stood."""
    topic = Topic.IF_MATCH
    try:
        bench.put({**probe, "valueInteger": 2}, if_match=NEVER_GIVEN)
    except VersionConflict as error:
        return measured(
            topic, f"is honoured: an outdated version is refused ({error.status})", works=True
        )
    except ServerError as error:
        if not is_refusal(error):
            raise
        return measured(topic, f"is honoured in its way: refused ({error.status})", works=True)
    return measured(topic, "is ignored: an outdated version overwrites what stands", works=False)


def _version(bench: Bench, probe: JsonObject) -> str:
    return string(child(bench.read(reference_to(probe)) or {}, "meta"), "versionId")


Send = Callable[[Bench, JsonObject, str], EntryOutcome]


@dataclass(frozen=True)
class Conditional:
    """One kind of conditional write: how it is sent, what the second of two does, and what it is called."""

    topic: Topic
    race: Topic
    name: str
    send: Send


UPDATE: Final = Conditional(
    Topic.CONDITIONAL_UPDATE,
    Topic.UPDATE_RACE,
    "cu",
    lambda bench, probe, criteria: bench.put_where(probe, criteria),
)
CREATE: Final = Conditional(
    Topic.CONDITIONAL_CREATE,
    Topic.CREATE_RACE,
    "cc",
    lambda bench, probe, criteria: bench.post(probe, unless=criteria),
)


def conditional(bench: Bench, traces: Traces, kind: Conditional) -> Iterator[Finding]:
    """Write twice with one identity, one after the other; then eight times at once.

    Yields: whether it works, then how many resources stand after the race.
    """
    if traces.chooses_ids and (traces.deletes is False or bench.is_slow):
        why = (
            "search is so late that it takes too long"
            if bench.is_slow
            else "its probes could not be deleted again"
        )
        why = f"not needed where ids can be chosen, and {why}"
        yield not_measured(kind.topic, why)
        yield not_measured(kind.race, why)
        return
    try:
        works = _second_is_the_first(bench, traces, kind)
    except ServerError as error:
        if not (is_refusal(error) or isinstance(error, VersionConflict)):
            raise
        yield measured(kind.topic, f"is refused ({error.status})", works=False)
        yield not_measured(kind.race, f"{kind.topic} does not work")
        return
    yield works
    if not works.works:
        yield not_measured(kind.race, f"{kind.topic} does not work")
        return
    yield _raced(bench, traces, kind)


def _second_is_the_first(bench: Bench, traces: Traces, kind: Conditional) -> Finding:
    name = f"{kind.name}-one"
    criteria = criteria_of(traces.identifier(name))
    if _finds_others(bench, traces, name):
        says = "is not tried: a search by identifier shows what does not have it, and it could be written over"
        return measured(kind.topic, says, works=False)
    kind.send(bench, traces.probe(name), criteria)
    first = _found(bench, traces, name)
    if not first:
        return not_measured(kind.topic, "what was written was not found by its identifier")
    if len(first) > 1:
        return measured(kind.topic, f"makes {len(first)} resources at once, alone", works=False)
    kind.send(bench, traces.probe(name, valueInteger=1), criteria)
    both = _found(bench, traces, name)
    if len(both) > 1:
        return measured(kind.topic, "makes a second resource of the same identity", works=False)
    return measured(kind.topic, "finds what stands by its identifier", works=True)


def _raced(bench: Bench, traces: Traces, kind: Conditional) -> Finding:
    """Race several times: HAPI FHIR 8.8 doubles a conditional update in one race of three (measured)."""
    races = 1 if traces.deletes is False else RACES
    standing, unanswered = [], 0
    for number in range(races):
        if bench.stopped():
            break
        one, failed = _race(bench, traces, kind, f"{kind.name}-race-{number}")
        standing.append(one)
        unanswered += failed
    if not all(standing):
        return not_measured(kind.race, "what was written is not found")
    number_of = f"{races} races" if races > 1 else "one race"
    doubled = sum(one > 1 for one in standing)
    failed_of = f"; {unanswered} of {races * RACERS} got no good answer" if unanswered else ""
    if not doubled:
        return measured(
            kind.race, f"left no second resource in {number_of}{failed_of}", works=True, value=1
        )
    most = max(standing)
    says = f"left up to {most} resources of one identity, in {doubled} of {races} races{failed_of}"
    return measured(kind.race, says, works=False, value=most)


def _race(bench: Bench, traces: Traces, kind: Conditional, name: str) -> tuple[int, int]:
    """Write with one identity from eight threads; gives how many resources stand, and how many writes failed."""
    criteria = criteria_of(traces.identifier(name))
    line = Barrier(RACERS, timeout=_START_SECONDS)

    def run(number: int) -> EntryOutcome | ServerError:
        line.wait()
        try:
            return kind.send(bench, traces.probe(name, valueInteger=number), criteria)
        except ServerError as error:
            return error

    with ThreadPoolExecutor(RACERS) as pool:
        ended = list(pool.map(run, range(RACERS)))
    answered = {
        string(one.resource, "id")
        for one in ended
        if isinstance(one, EntryOutcome) and one.resource is not None and is_probe(one.resource)
    }
    references = {f"Observation/{logical_id}" for logical_id in answered - {""}}
    for reference in references:
        logical_id = reference.partition("/")[2]
        traces.standing[reference] = {**traces.probe(name), "id": logical_id}
    references |= set(_found(bench, traces, name))
    return len(references), sum(not isinstance(one, EntryOutcome) for one in ended)


def _finds_others(bench: Bench, traces: Traces, name: str) -> bool:
    """Tell whether a search by the identifier of a probe that does not stand yet shows something."""
    identifier = traces.identifier(name)
    search = [("identifier", f"{identifier['system']}|{identifier['value']}")]
    shown = bench.first("Observation", search)
    return shown is not None and not is_probe(shown)


def _found(bench: Bench, traces: Traces, name: str) -> dict[str, JsonObject]:
    """Wait until a probe is found by its identifier, then once more as long; note and give all of them."""
    identifier = traces.identifier(name)
    search = [("identifier", f"{identifier['system']}|{identifier['value']}")]
    waited = bench.seconds_until(lambda: bench.first("Observation", search) is not None)
    if waited:
        bench.clock.sleep(waited)
    found = {
        reference_to(one): one
        for page in bench.search("Observation", search)
        for one in page.matches
        if is_probe(one)
    }
    traces.standing.update(found)
    return found
