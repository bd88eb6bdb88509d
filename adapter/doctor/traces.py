"""The doctor's own resources: made under our tag, and taken away again whatever happens.

They name no patient: an Observation's subject is a Device of our own. What a killed doctor left is found by the tag
and by the identifier's system, and only what carries the tag is ever touched. Where the server deletes nothing they
are marked entered-in-error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from adapter.doctor.bench import Bench
from adapter.errors import PermanentServerError, ServerError
from adapter.fhir.references import reference_to
from adapter.fhir.shapes import child, objects, string
from adapter.ports import EntryOutcome, JsonObject
from adapter.terminology.systems import ADAPTER_SYSTEM, DOCTOR_IDENTIFIER_SYSTEM

TAG: Final[JsonObject] = {"system": ADAPTER_SYSTEM, "code": "doctor"}
KINDS: Final = ("Provenance", "Observation", "Device")
"""In this order: HAPI deletes nothing that another resource refers to."""
_TEXT: Final = "Probe of a FHIR server by the HER2 adapter's doctor; not a result"


@dataclass(frozen=True)
class Removed:
    """What became of own resources: how many were deleted, how many only marked, and what still stands as it was.

    `earlier`: so many of them were another doctor's.
    """

    deleted: int
    marked: int
    earlier: int
    left: tuple[str, ...]


@dataclass
class Traces:
    """What one run of the doctor wrote. `run`: what its ids begin with.

    `chooses_ids`: the server takes ids of ours. `device`, `first`: the subject of every probe, and the first probe.
    `standing`: what it wrote, by reference; `gone`: what it took away again. `deletes`: whether the server was seen
    to delete; None before it was tried. `index_seconds`: in so much time search finds what was written.
    """

    bench: Bench
    run: str
    chooses_ids: bool = True
    device: str = ""
    first: JsonObject = field(default_factory=dict)
    standing: dict[str, JsonObject] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    deletes: bool | None = None
    index_seconds: float = 60.0

    def probe(self, name: str, **elements: Any) -> JsonObject:
        """Make an Observation of ours, without sending it; it is cancelled, so that nobody takes it for a result."""
        return {
            "resourceType": "Observation",
            "id": self.id_of(name),
            "meta": {"tag": [TAG]},
            "identifier": [self.identifier(name)],
            "status": "cancelled",
            "code": {"coding": [TAG], "text": _TEXT},
            "subject": {"reference": self.device},
            **elements,
        }

    def software(self) -> JsonObject:
        """Make the Device that every probe has as its subject, without sending it."""
        return {
            "resourceType": "Device",
            "id": self.id_of("device"),
            "meta": {"tag": [TAG]},
            "identifier": [self.identifier("device")],
            "status": "inactive",
            "deviceName": [{"name": _TEXT, "type": "user-friendly-name"}],
        }

    def id_of(self, name: str) -> str:
        """Give the id of a probe; the same name is the same id."""
        return f"her2-doctor-{self.run}-{name}"

    def identifier(self, name: str) -> JsonObject:
        """Give the identifier of a probe."""
        return {"system": DOCTOR_IDENTIFIER_SYSTEM, "value": f"{self.run}-{name}"}

    def create(self, resource: JsonObject) -> JsonObject:
        """Write a new probe, under its own id where the server takes it; gives it with the id it has.

        Raises: ServerError. What may have landed all the same is remembered, and taken away at the end.
        """
        if not self.chooses_ids:
            return self.landed(resource, self.bench.post(resource))
        is_new = reference_to(resource) not in self.standing
        self.standing[reference_to(resource)] = resource
        try:
            return self.landed(resource, self.bench.put(resource))
        except PermanentServerError:
            if is_new:
                del self.standing[reference_to(resource)]
            raise

    def landed(self, resource: JsonObject, outcome: EntryOutcome) -> JsonObject:
        """Note a probe that a write put on the server; gives it with the id it has there.

        Raises: PermanentServerError when the server does not say which id it gave.
        """
        stored = outcome.resource if outcome.resource is not None else {}
        logical_id = string(stored, "id") or (str(resource["id"]) if self.chooses_ids else "")
        if not logical_id:
            raise PermanentServerError(
                "the server does not say under which id it stored a resource"
            )
        known = {**resource, "id": logical_id}
        self.standing[reference_to(known)] = known
        return known

    def left_over(self) -> dict[str, JsonObject]:
        """Find what an earlier doctor left, by tag and by identifier; what is withdrawn already is left alone.

        What cannot be searched is not found, and raises nothing.
        """
        found: dict[str, JsonObject] = {}
        tag = f"{TAG['system']}|{TAG['code']}"
        by_identifier = ("identifier", f"{DOCTOR_IDENTIFIER_SYSTEM}|")
        for kind in KINDS:
            searches = [("_tag", tag)] if kind == "Provenance" else [("_tag", tag), by_identifier]
            for search in searches:
                found.update(self._tagged(kind, search))
        return found

    def take_away(self, earlier: Mapping[str, JsonObject]) -> Removed:
        """Take away what this run wrote, what an earlier one left, and what is found by its tag only now.

        Those that refer to others go first. Where the server deletes nothing they are marked entered-in-error.
        """
        wanted = {**earlier, **self.left_over(), **self.standing}
        left = self._delete_all(wanted)
        if self.bench.is_unsure:  # what landed unseen is found once the index has had its time
            self.bench.clock.sleep(min(self.bench.patience_seconds, self.index_seconds))
        wanted |= (late := self.left_over())
        left = self._delete_all({reference: wanted[reference] for reference in (*late, *left)})
        marked = [reference for reference in left if self._mark(wanted[reference])]
        return Removed(
            deleted=len(wanted) - len(left),
            marked=len(marked),
            earlier=len(earlier),
            left=tuple(reference for reference in left if reference not in marked),
        )

    def _delete_all(self, wanted: Mapping[str, JsonObject]) -> list[str]:
        """Delete all of these; gives those that still stand."""
        ordered = sorted(wanted, key=lambda reference: KINDS.index(reference.partition("/")[0]))
        return [reference for reference in ordered if not self._delete(reference)]

    def _delete(self, reference: str) -> bool:
        if self.deletes is False:
            return False
        with suppress(ServerError):  # it may have landed all the same
            self.bench.delete(reference)
        try:
            gone = self.bench.read(reference) is None
        except ServerError:
            return False
        if gone:
            self.forget(reference)
        return gone

    def forget(self, reference: str) -> None:
        """Note that a resource is taken away."""
        self.standing.pop(reference, None)
        self.gone.add(reference)

    def _mark(self, resource: JsonObject) -> bool:
        """Mark one as entered-in-error; a Provenance has no status."""
        if resource["resourceType"] == "Provenance":
            return False
        try:
            self.bench.put({**resource, "status": "entered-in-error"})
        except ServerError:
            return False
        self.forget(reference_to(resource))
        return True

    def _tagged(self, kind: str, search: tuple[str, str]) -> Iterator[tuple[str, JsonObject]]:
        """Find probes by one search; one that fails is asked once more, since what it hides would stay."""
        for _ in range(2):
            with suppress(ServerError):
                for page in self.bench.search(kind, [search]):
                    for resource in page.matches:
                        # A server that deletes nothing keeps what was withdrawn for ever.
                        is_withdrawn = string(resource, "status") == "entered-in-error"
                        is_done = reference_to(resource) in self.gone or (
                            is_withdrawn and not self.deletes
                        )
                        if is_probe(resource) and not is_done:
                            yield reference_to(resource), resource
                return


def is_probe(resource: JsonObject) -> bool:
    """Tell whether a resource is a doctor's own: it carries the tag."""
    tags = objects(child(resource, "meta").get("tag"))
    return any(
        string(one, "system") == TAG["system"] and string(one, "code") == TAG["code"]
        for one in tags
    )
