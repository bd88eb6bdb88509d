"""Transactions: whether they are taken, whether they are whole, how long they may be; versions in references."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from typing import Final

from adapter.doctor.bench import Bench, criteria_of, without_id
from adapter.doctor.findings import Finding, Topic, measured, not_measured
from adapter.doctor.single_writes import NEVER_GIVEN
from adapter.doctor.traces import TAG, Traces
from adapter.errors import NotAuthorised, PermanentServerError, UnknownOutcome
from adapter.fhir.record.provenance import KEEP_VERSIONS
from adapter.fhir.references import reference_to
from adapter.fhir.shapes import child, objects, string
from adapter.ports import JsonObject
from adapter.sync.strategy import WriteStrategy

_REFUSED: Final = (PermanentServerError, UnknownOutcome)


@dataclass(frozen=True)
class Sender:
    """Sends probes as a transaction in the way the adapter would."""

    bench: Bench
    traces: Traces
    strategy: WriteStrategy

    def entry(self, probe: JsonObject) -> JsonObject:
        """Make the entry that writes a probe."""
        kind, criteria = probe["resourceType"], criteria_of(probe["identifier"][0])
        match self.strategy:
            case WriteStrategy.CLIENT_IDS:
                return {"resource": probe, "request": {"method": "PUT", "url": reference_to(probe)}}
            case WriteStrategy.CONDITIONAL_UPDATE:
                request = {"method": "PUT", "url": f"{kind}?{criteria}"}
            case WriteStrategy.CONDITIONAL_CREATE:
                request = {"method": "POST", "url": kind, "ifNoneExist": criteria}
        return {"resource": without_id(probe), "request": request}

    def send(self, probes: list[JsonObject], *further: JsonObject) -> None:
        """Send probes, and further entries after them; notes what landed.

        Raises: ServerError.
        """
        outcomes = self.bench.transact([*map(self.entry, probes), *further])
        sent = [*probes, *(one["resource"] for one in further)]
        for probe, outcome in zip(sent, outcomes, strict=True):
            if self.strategy is WriteStrategy.CLIENT_IDS or outcome.resource is not None:
                self.traces.landed(probe, outcome)
            else:
                self.stands(probe)

    def stands(self, probe: JsonObject) -> bool:
        """Look whether a probe landed, and note it if so: by read, or by search after the index had its time."""
        if self.strategy is WriteStrategy.CLIENT_IDS:
            found = self.bench.read(reference_to(probe))
        else:
            self.bench.clock.sleep(self.traces.index_seconds)
            identifier = probe["identifier"][0]
            search = [("identifier", f"{identifier['system']}|{identifier['value']}")]
            found = self.bench.first("Observation", search)
        if found is not None:
            self.traces.standing[reference_to(found)] = found
        return found is not None


def transactions(sender: Sender, known: JsonObject, *, entries: int) -> Iterator[Finding]:
    """Send a good transaction, then bad ones, then long ones.

    Args:
        sender: how the adapter would send.
        known: a probe that stands, to be updated with an outdated version.
        entries: so many as the adapter would put into one.

    Yields: whether they are taken, whether they are whole, how many entries pass.

    """
    traces = sender.traces
    try:
        sender.send([traces.probe("both-1"), traces.probe("both-2")])
    except NotAuthorised:
        raise
    except _REFUSED as error:
        for name in ("both-1", "both-2"):
            sender.stands(traces.probe(name))
        says = f"is not carried out ({error.status or 'no usable answer'}): single writes"
        yield measured(Topic.TRANSACTION, says, works=False)
        why = "there are no transactions"
        yield not_measured(Topic.ATOMIC, why)
        yield not_measured(Topic.ENTRIES, why)
        return
    yield measured(Topic.TRANSACTION, "is taken; both of two entries landed", works=True)
    yield _wholeness(sender, known)
    yield _length(sender, entries)


def _wholeness(sender: Sender, known: JsonObject) -> Finding:
    """Put something wrong behind something good; the good one must not land."""
    refused: list[str] = []
    taken: list[str] = []
    torn: list[str] = []
    for name, bad in _bad_entries(sender, known).items():
        good = sender.traces.probe(f"good-{name.replace(' ', '-')}")
        try:
            sender.send([good], bad)
        except NotAuthorised:
            raise
        except _REFUSED:
            (torn if sender.stands(good) else refused).append(name)
        else:
            taken.append(name)
    passed = f"; accepted: {_listed(taken)}" if taken else ""
    if torn:
        says = f"lands in part (tried: {_listed(torn)}): it is a batch by another name"
        return measured(Topic.ATOMIC, says, works=False)
    if not refused:
        return not_measured(Topic.ATOMIC, f"nothing was refused{passed}")
    return measured(
        Topic.ATOMIC, f"is refused whole (tried: {_listed(refused)}{passed})", works=True
    )


def _bad_entries(sender: Sender, known: JsonObject) -> dict[str, JsonObject]:
    """Make entries that a server should refuse, each for another reason."""
    traces = sender.traces
    lost = traces.probe("lost", subject={"reference": f"Device/{traces.id_of('nowhere')}"})
    empty = {
        key: value for key, value in traces.probe("empty").items() if key not in ("status", "code")
    }
    outdated = {"method": "PUT", "url": reference_to(known), "ifMatch": NEVER_GIVEN}
    return {
        "an outdated version": {"resource": {**known, "valueInteger": 3}, "request": outdated},
        "a reference to nothing": sender.entry(lost),
        "a resource without status and code": sender.entry(empty),
    }


def _length(sender: Sender, wanted: int) -> Finding:
    """Send as many entries as the adapter would; where they are refused, narrow down how many pass, in pairs."""
    topic = Topic.ENTRIES
    if sender.traces.deletes is False:
        return not_measured(topic, f"its {wanted} probes could not be deleted again")
    if _pass(sender, wanted):
        return measured(topic, f"{wanted} pass, as many as are sent", works=True, value=wanted)
    passing, failing = 1, -(-wanted // 2)  # pairs: two entries landed before
    while failing - passing > 1:
        middle = (passing + failing) // 2
        if _pass(sender, 2 * middle):
            passing = middle
        else:
            failing = middle
    says = f"{2 * passing} pass, {min(2 * failing, wanted)} do not"
    return measured(topic, says, works=False, value=2 * passing)


def _pass(sender: Sender, size: int) -> bool:
    try:
        sender.send([sender.traces.probe(f"many-{number}") for number in range(size)])
    except NotAuthorised:
        raise
    except _REFUSED:
        return False
    return True


def _listed(names: list[str]) -> str:
    return ", ".join(names)


def versions_kept(bench: Bench, traces: Traces, known: JsonObject) -> Finding:
    """Write a Provenance of one version, with and without asking that the version be kept."""
    if traces.deletes is False:
        return not_measured(Topic.VERSIONS_KEPT, "a Provenance could not be deleted again")
    version = string(child(bench.read(reference_to(known)) or {}, "meta"), "versionId")
    named = {"reference": f"{reference_to(known)}/_history/{version}"}
    paths = [{"url": KEEP_VERSIONS, "valueString": path} for path in ("entity.what", "target")]
    answers = {}
    for name, meta in {"plain": {}, "asking": {"extension": paths}}.items():
        made = traces.create(_provenance(traces, name, named, meta))
        stored = bench.read(reference_to(made)) or {}
        targets, sources = objects(stored.get("target")), objects(stored.get("entity"))
        said = [*targets, *(child(one, "what") for one in sources)]
        answers[name] = len(said) == 2 and all(
            string(one, "reference").endswith(f"/_history/{version}") for one in said
        )
    topic = Topic.VERSIONS_KEPT
    if answers["plain"]:
        return measured(topic, "are kept", works=True, value="always")
    if answers["asking"]:
        says = "are kept where the resource asks for it, as ours do; stripped otherwise"
        return measured(topic, says, works=True, value="when-asked")
    return measured(
        topic, "are stripped, even where the resource asks to keep them", works=False, value="never"
    )


def _provenance(traces: Traces, name: str, named: JsonObject, meta: JsonObject) -> JsonObject:
    recorded = traces.bench.clock.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "resourceType": "Provenance",
        "id": traces.id_of(f"provenance-{name}"),
        "meta": {"tag": [TAG], **meta},
        "target": [named],
        "recorded": recorded,
        "agent": [{"who": {"reference": traces.device}}],
        "entity": [{"role": "source", "what": named}],
    }
