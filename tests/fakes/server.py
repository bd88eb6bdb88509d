"""FakeFhirServer: a FHIR R4 server at the port, in memory, with faults on demand.

It shares no code with the adapter. A test programs faults by assigning: `refuse` (a reason to
refuse an entry for good), `refuse_search` (the same of a search), `break_off` (a search that fails
at a page), `faults` (errors raised by the next transactions, before or after they are carried out),
`hidden` (in the store, not in the search index), `unsupported` (parameters that silently match
nothing), `ignored` (that silently match everything), `alter` (what the server does to a resource it
stores), `show` (what it shows of one), `crash` (the client dies at the n-th step).
`habits` says what kind of server it is.
"""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from adapter.errors import (
    AmbiguousMatch,
    PartlyCarriedOut,
    PermanentServerError,
    ResourceRefused,
    ServerError,
    VersionConflict,
)
from adapter.ports import (
    Capability,
    EntryOutcome,
    JsonObject,
    Read,
    RefusedResource,
    SearchPage,
    SearchParams,
    SingleWrite,
)

from .clock import FakeClock
from .crash import CrashPoints
from .habits import Habits, Transactions, criteria_of, linked
from .search import INCLUDES, REVERSE, matches

Refusal = Callable[[JsonObject], str | None]
BreakOff = Callable[[SearchParams, int, int], ServerError | None]
"""Search parameters, number of the page from 0, matches in all → the error instead of that page."""
SEARCH_PARAMS = {
    "Observation": frozenset(
        [
            "_id",
            "_lastUpdated",
            "_tag",
            "identifier",
            "code",
            "component-code",
            "combo-code",
            "category",
            "patient",
            "subject",
            "has-member",
            "derived-from",
        ]
    ),
    "DiagnosticReport": frozenset({"_lastUpdated", "patient", "result"}),
    "Specimen": frozenset({"_lastUpdated", "patient"}),
    "Patient": frozenset({"_lastUpdated", "_id"}),
    "Provenance": frozenset({"target", "_lastUpdated"}),
}


@dataclass(frozen=True)
class Fault:
    """An error of one transaction; `landed` says whether it was carried out all the same."""

    error: ServerError
    landed: bool = False


def _copied(value: Any) -> Any:
    """Copy JSON whole, as fast as can be: every page of every pass is copied."""
    return pickle.loads(pickle.dumps(value, pickle.HIGHEST_PROTOCOL))


def _as_read(value: Any) -> Any:
    """Copy JSON as the strict reader gives it: a number with digits after the point is a decimal."""
    if isinstance(value, dict):
        return {key: _as_read(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_read(item) for item in value]
    return Decimal(repr(value)) if isinstance(value, float) else value


class FakeFhirServer:
    """`writes` counts entries carried out by `transact`, `calls` names every request."""

    def __init__(
        self, clock: FakeClock, *, base_url: str = "https://ehr.test/fhir", page_size: int = 50
    ) -> None:
        self.clock = clock
        self._base_url = base_url
        self.page_size = page_size
        self.crash = CrashPoints()
        self.versions: dict[str, list[JsonObject | None]] = {}
        self.calls: list[str] = []
        self.bundles: list[bytes] = []
        self.writes = 0
        self.given = 0
        self.hidden: set[str] = set()
        self.unsupported: frozenset[str] = frozenset()
        self.ignored: frozenset[str] = frozenset()
        self.refuse: Refusal = lambda _: None
        self.refuse_search: Callable[[SearchParams], bool] = lambda _: False
        self.break_off: BreakOff = lambda _params, _page, _found: None
        self.alter: Callable[[JsonObject], JsonObject] = lambda resource: resource
        self.show: Callable[[JsonObject], JsonObject] = lambda resource: resource
        self.no_strict_json: dict[str, str] = {}
        """Reference → the code with which the reader refuses what stands there now."""
        self.unreadable: dict[str, ServerError] = {}
        """Reference → the error that a read of it ends in."""
        self.faults: list[Fault | None] = []
        self.before_transaction: Callable[[], None] = lambda: None
        self.check_if_match = True
        self.habits = Habits()
        self.returns_representation = True
        self.says_total = True

    @property
    def base_url(self) -> str:
        return self._base_url

    def capability(self) -> Capability:
        """What the server says it can do."""
        self._call("capability")
        params = {kind: names - self.unsupported for kind, names in SEARCH_PARAMS.items()}
        return Capability("4.0.1", "fake 1", search_params=params)

    # What a laboratory does, beside the port.

    def put(self, resource: JsonObject, *, last_updated: datetime | None = None) -> str:
        """Store a resource as another client would; returns its reference."""
        stored = _as_read(resource)
        reference = f"{stored['resourceType']}/{stored['id']}"
        history = self.versions.setdefault(reference, [])
        meta = stored.setdefault("meta", {})
        meta["versionId"] = str(len(history) + 1)
        meta["lastUpdated"] = (last_updated or self.clock.now()).isoformat()
        history.append(stored)
        return reference

    def change(self, reference: str, **elements: Any) -> None:
        """Make a new version of a stored resource with these elements replaced."""
        present = self.get(reference)
        assert present is not None, reference
        self.put({**present, **elements})

    def delete(self, reference: str) -> None:
        """Delete as FHIR does: a version that is gone."""
        self.versions[reference].append(None)

    def get(self, reference: str) -> JsonObject | None:
        """The present version, uncounted and visible even when hidden from search."""
        return _copied(self._present(reference))

    def all(self, resource_type: str) -> list[JsonObject]:
        """Every present resource of a type."""
        return _copied(self._stored(resource_type))

    def history(self, reference: str) -> list[JsonObject | None]:
        """Every version, oldest first."""
        return list(self.versions.get(reference, []))

    def snapshot(self) -> dict[str, list[JsonObject | None]]:
        """Make a backup."""
        return {reference: list(history) for reference, history in self.versions.items()}

    def restore(self, backup: dict[str, list[JsonObject | None]]) -> None:
        """Put the content back to a backup: what came after it is lost, its version numbers are given anew."""
        self.versions = {reference: list(history) for reference, history in backup.items()}

    # The port.

    def read(self, reference: str) -> JsonObject | None:
        """Read the present version, or `_history/v`."""
        self._call(f"read {reference}")
        found = self._read(reference)
        if isinstance(found, RefusedResource):
            raise ResourceRefused(f"{reference} ({found.code})", status=200, code=found.code)
        return found

    def read_all(self, references: Iterable[str]) -> dict[str, Read]:
        """Read many in one request."""
        wanted = list(references)
        self._call(f"read_all {len(wanted)}")
        return {reference: self._read(reference) for reference in wanted}

    def search(self, resource_type: str, params: SearchParams) -> Iterator[SearchPage]:
        """Search in pages, includes on each page."""
        if self.refuse_search(params):
            raise PermanentServerError("HAPI-0524: the search is refused", status=400)
        asked = [
            (name, value)
            for name, value in params
            if name not in {*self.ignored, "_total", "_summary"}
        ]
        found = [
            resource
            for resource in self._stored(resource_type)
            if f"{resource_type}/{resource['id']}" not in self.hidden
            and matches(resource, asked, unsupported=self.unsupported)
        ]
        if ("_summary", "count") in params:
            self._call(f"search {resource_type} for their number")
            yield SearchPage((), (), (), self.clock.now(), self._total(len(found)))
            return
        counts = [int(value) for name, value in params if name == "_count"]
        size = min([self.page_size, *counts])
        for start in range(0, max(len(found), 1), size):
            if error := self.break_off(params, start // size, len(found)):
                raise error
            self._call(f"search {resource_type}?" + "&".join(f"{n}={v}" for n, v in params))
            page = tuple(_copied(found[start : start + size]))
            around = self._included(page, params)
            refused = tuple(filter(None, map(self._refusal, (*page, *around))))
            included = tuple(self.show(one) for one in around if not self._refusal(one))
            shown = [self.show(one) for one in page if not self._refusal(one)]
            spoiled = tuple(one for one in shown if _is_unusable(one))
            page = tuple(one for one in shown if not _is_unusable(one))
            total = self._total(len(found))
            yield SearchPage(
                page, included, (), self.clock.now(), total, unusable=spoiled, refused=refused
            )

    def _total(self, number: int) -> int | None:
        return number if self.says_total else None

    def transact(self, bundle: bytes) -> tuple[EntryOutcome, ...]:
        """Carry out a transaction, whole or not at all, or as the server's habit is."""
        self.before_transaction()
        self.crash.step()
        self.calls.append("transact")
        self.bundles.append(bundle)
        fault = self.faults.pop(0) if self.faults else None
        if fault and not fault.landed:
            raise fault.error
        entries = json.loads(bundle, parse_float=Decimal)["entry"]
        self.habits.refuse_bundle(len(entries))
        is_batch = self.habits.transactions is Transactions.BATCH
        writes = [entry for entry in entries if entry["request"]["method"] != "GET"]
        written = iter(self._as_batch(writes) if is_batch else self._whole(writes))
        outcomes = tuple(
            next(written) if entry in writes else EntryOutcome(200, None) for entry in entries
        )
        self.crash.step()
        if fault:
            raise fault.error
        return outcomes

    def write(self, one: SingleWrite) -> EntryOutcome:
        """Carry out one PUT, POST or DELETE."""
        self._call(f"{one.method} {one.url}")
        fault = self.faults.pop(0) if self.faults else None
        if fault and not fault.landed:
            raise fault.error
        if one.method == "DELETE":
            stood = self.get(one.url) is not None
            if stood:
                self.delete(one.url)
            outcome = EntryOutcome(204 if stood else 404, None)
        else:
            request = {"method": one.method, "url": one.url, "ifMatch": one.if_match}
            resource = json.loads(one.body, parse_float=Decimal)
            entry = {
                "resource": resource,
                "request": {**request, "ifNoneExist": one.if_none_exist},
            }
            self._check([entry])
            url = self._settled(entry, is_blind=self.habits.is_blind())
            outcome = self._store(entry, url)
        self.crash.step()
        if fault:
            raise fault.error
        return outcome

    def _whole(self, entries: list[JsonObject]) -> tuple[EntryOutcome, ...]:
        self._check(entries)
        blind = self.habits.is_blind()
        urls = [self._settled(entry, is_blind=blind) for entry in entries]
        names = {entry.get("fullUrl"): url for entry, url in zip(entries, urls, strict=True)}
        return tuple(
            self._store({**entry, "resource": linked(entry["resource"], names)}, url)
            for entry, url in zip(entries, urls, strict=True)
        )

    def _as_batch(self, entries: list[JsonObject]) -> tuple[EntryOutcome, ...]:
        """Carry out each entry for itself: Medplum's habit, with the refusals inside a 200."""
        outcomes: list[EntryOutcome] = []
        names: dict[str | None, str] = {}
        for entry in entries:
            resource = linked(entry["resource"], names)
            try:
                self._check([{**entry, "resource": resource}])
                url = self._settled(entry, is_blind=self.habits.is_blind())
                names[entry.get("fullUrl")] = url
                outcomes.append(self._store({**entry, "resource": resource}, url))
            except PermanentServerError as error:
                outcomes.append(EntryOutcome(error.status or 400, None))
        if any(one.status >= 400 for one in outcomes):
            raise PartlyCarriedOut("as a batch", [one.status for one in outcomes])
        return tuple(outcomes)

    def _check(self, entries: list[JsonObject]) -> None:
        urls = [(entry["request"]["url"], entry["request"].get("ifNoneExist")) for entry in entries]
        if len(urls) != len(set(urls)):
            raise PermanentServerError("the same id twice in a bundle", status=400)
        for entry in entries:
            url = entry["request"]["url"]
            present = self.get(url)
            wanted = entry["request"].get("ifMatch")
            if self.check_if_match and wanted is not None:
                version = present["meta"]["versionId"] if present else None
                if wanted != f'W/"{version}"':
                    raise VersionConflict(f"{url} has another version", status=409)
            reason = self.refuse(entry["resource"])
            if reason:
                raise PermanentServerError(reason, status=422)
            self.habits.refuse_entry(entry, is_new=present is None)

    def _settled(self, entry: JsonObject, *, is_blind: bool) -> str:
        """The reference under which an entry is stored: its URL, what its criteria find, or a new id."""
        criteria = criteria_of(entry)
        if criteria is None:
            return str(entry["request"]["url"])
        kind, params = criteria
        found = [
            resource
            for resource in self._stored(kind)
            if params and matches(resource, params, unsupported=frozenset())
        ]
        if is_blind:
            found = []
        if len(found) > 1:
            raise AmbiguousMatch("multiple matches", status=412)
        if found:
            return f"{kind}/{found[0]['id']}"
        self.given += 1
        return f"{kind}/srv-{self.given}"

    def _store(self, entry: JsonObject, url: str) -> EntryOutcome:
        resource = entry["resource"]
        if criteria_of(entry) is None:
            assert url == f"{resource['resourceType']}/{resource['id']}", "id differs from the URL"
        else:
            assert "id" not in resource, "an id in the body of a conditional write"
        created = not self.versions.get(url)
        changed = self.alter({**_copied(resource), "id": url.partition("/")[2]})
        is_kept = entry["request"]["method"] == "POST" and not created
        if not is_kept and not self._is_what_stands(url, changed):
            self.put(changed)
        self.writes += 1
        stored = self.get(url)
        assert stored is not None
        returned = stored if self.returns_representation else None
        return EntryOutcome(201 if created else 200, stored["meta"]["versionId"], returned)

    def _is_what_stands(self, reference: str, resource: JsonObject) -> bool:
        """Whether the very same content stands already: a server makes no new version of it."""
        present = self.get(reference)
        if present is None:
            return False
        meta = {key: present["meta"].get(key) for key in ("versionId", "lastUpdated")}
        return present == {**resource, "meta": {**resource.get("meta", {}), **meta}}

    def _present(self, reference: str) -> JsonObject | None:
        history = self.versions.get(reference)
        return history[-1] if history else None

    def _stored(self, resource_type: str) -> list[JsonObject]:
        """Every present resource of a type, not to be changed or handed out."""
        found = (
            history[-1]
            for name, history in list(self.versions.items())
            if history and name.startswith(resource_type + "/")
        )
        return [resource for resource in found if resource]

    def _call(self, what: str) -> None:
        self.crash.step()
        self.calls.append(what)

    def _refusal(self, resource: JsonObject) -> RefusedResource | None:
        """What the transport makes of a resource that is no strict JSON."""
        code = self.no_strict_json.get(f"{resource['resourceType']}/{resource['id']}")
        if code is None:
            return None
        known = {
            name: resource[name] for name in ("resourceType", "id", "subject") if name in resource
        }
        mentions = re.findall(r'"reference": "([^"]*)"', json.dumps(resource, default=str))
        return RefusedResource(known, code, frozenset(mentions))

    def _read(self, reference: str) -> Read:
        plain, _, version = reference.partition("/_history/")
        if plain.partition("/")[2].strip(".") == "":
            raise PermanentServerError(f"{reference} is no reference: nothing is sent")
        if plain in self.unreadable:
            raise self.unreadable[plain]
        found = self.get(plain)
        if version:
            history = self.versions.get(plain, [])
            found = _copied(history[int(version) - 1]) if int(version) <= len(history) else None
        refused = self._refusal(found) if found else None
        return refused or (self.show(found) if found else None)

    def _included(
        self, page: tuple[JsonObject, ...], params: SearchParams
    ) -> tuple[JsonObject, ...]:
        found: dict[str, JsonObject] = {}
        references = {f"{resource['resourceType']}/{resource['id']}" for resource in page}
        for name, value in params:
            if name in self.unsupported:
                continue
            if name == "_include" and value in INCLUDES:
                for resource in page:
                    self._add(found, resource.get(INCLUDES[value]))
            if name == "_revinclude" and value in REVERSE:
                kind, element = REVERSE[value]
                for resource in self._stored(kind):
                    if any(
                        item.get("reference") in references for item in resource.get(element, [])
                    ):
                        found[f"{kind}/{resource['id']}"] = resource
        return tuple(
            _copied(resource)
            for reference, resource in found.items()
            if reference not in references
        )

    def _add(self, found: dict[str, JsonObject], element: Any) -> None:
        for item in [element] if isinstance(element, dict) else element or []:
            resource = self._present(item.get("reference", ""))
            if resource:
                found[item["reference"]] = resource


def _is_unusable(resource: JsonObject) -> bool:
    """Whether the transport would refuse it: shown without an id, or shortened."""
    tags = resource.get("meta", {}).get("tag", [])
    return "id" not in resource or any(tag.get("code") == "SUBSETTED" for tag in tags)
