"""The search forms in use: which ones this server is trusted with, and how they are asked.

A form is proved on a resource known to match, because HAPI answers an unknown modifier, and Medplum
an unknown parameter, with an empty 200. One that fails is not used, and `warnings` says so in
words. Nothing here decides what a result means.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from adapter.errors import PermanentServerError
from adapter.fhir.identity import is_own, relative_reference
from adapter.fhir.shapes import child, codings, objects, string
from adapter.ports import FhirServer, JsonObject, SearchPage, SearchParams
from adapter.terminology.systems import ADAPTER_SYSTEM, CASE_IDENTIFIER_SYSTEM

Params = list[tuple[str, str]]

VALUE_BUDGET: Final = 3000
"""Characters of one parameter's value: two of them stay below the 8 KB at which HAPI refuses a
URL.
"""
INCLUDES: Final[Params] = [
    ("_include", "Observation:specimen"),
    ("_revinclude", "DiagnosticReport:result"),
    ("_revinclude", "Observation:has-member"),
]
"""What is asked along with results; what a server does not bring is read by id where it is
named.
"""


@dataclass
class Searches:
    """How HER2 results and our own derived Observations are found on one pair of servers.

    `patient_param`, `component_param` and `own_params` start as the best form and change when a
    proof fails; None for `patient_param` means that results cannot be asked by patient, so that
    every pass is a sweep.
    """

    source: FhirServer
    target: FhirServer
    codes: tuple[str, ...]
    page_size: int = 500
    incremental: bool = True
    own_incremental: bool = True
    own_by_source: bool = False
    patient_param: str | None = "patient"
    component_param: str | None = None
    own_params: Params = field(
        default_factory=lambda: [("identifier", f"{CASE_IDENTIFIER_SYSTEM}|")]
    )
    includes: Params = field(default_factory=lambda: list(INCLUDES))
    warnings: list[str] = field(default_factory=list)
    proved: bool = False

    def prepare(self) -> None:
        """Choose the forms by what the server says it has, then prove them once.

        Nothing can be proved on a server without a HER2 result: it is tried again at the next pass.
        """
        if self.proved:
            return
        self.warnings.clear()
        self._ask_capability()
        self.prove_own()
        sample = self._sample()
        if sample is not None:
            self._prove_results(sample)
            self.proved = True

    def results(
        self, restriction: SearchParams = (), *, alone: bool = False
    ) -> Iterator[SearchPage]:
        """Find HER2 results by code and by component code, with what is around them unless `alone`."""
        forms = ["code", *([self.component_param] if self.component_param else [])]
        count = ("_count", str(self.page_size))
        for form in forms:
            for codes in within_budget(self.codes):
                params = [(form, codes), *restriction, count]
                if alone:
                    yield from self.source.search("Observation", params)
                else:
                    yield from self._with_includes(params)

    def own(self, restriction: SearchParams = ()) -> Iterator[SearchPage]:
        """Find derived Observations of this adapter, of any namespace and policy."""
        params = [*self.own_params, *restriction, ("_count", str(self.page_size))]
        return self.target.search("Observation", params)

    def changed(self, resource_type: str, window: str) -> Iterator[SearchPage]:
        """Find resources by `_lastUpdated`; where that is refused, find nothing and warn."""
        params = [("_lastUpdated", window), ("_count", str(self.page_size))]
        try:
            yield from self.source.search(resource_type, params)
        except PermanentServerError as error:
            if error.status not in (400, 404):
                raise
            self._warn(
                f"changes of {resource_type} cannot be asked for: they are noticed by full sweeps only"
            )

    def _ask_capability(self) -> None:
        known = self.source.capability().search_params
        is_one = self.source.base_url == self.target.base_url
        of_target = known if is_one else self.target.capability().search_params
        self.own_by_source = "derived-from" in of_target.get("Observation", frozenset())
        observation = known.get("Observation", frozenset())
        self.component_param = next(
            (name for name in ("component-code", "combo-code") if name in observation), None
        )
        if known and self.component_param is None:
            self._warn(
                "the server cannot search components: a HER2 result inside another test may be missed"
            )
        if known and "result" not in known.get("DiagnosticReport", frozenset()):
            self._drop_include("DiagnosticReport:result")
        if "has-member" not in observation:
            self._drop_include("Observation:has-member")

    def _sample(self) -> JsonObject | None:
        """One HER2 result that is not our own, with an id, a subject and a time of change."""
        for codes in within_budget(self.codes):
            for page in self.source.search("Observation", [("code", codes), ("_count", "20")]):
                for resource in page.matches:
                    if not is_own(resource) and last_updated(resource):
                        return resource
        return None

    def _prove_results(self, sample: JsonObject) -> None:
        by_id = ("_id", str(sample["id"]))
        changed = last_updated(sample)
        assert changed is not None  # _sample saw it
        if not self._finds(self.source, [by_id, ("_lastUpdated", at_or_after(changed))]):
            self.incremental = False
            self._warn("the server does not search by _lastUpdated: every pass is a full sweep")
        self._prove_patient(sample, by_id)
        self._prove_component(sample, by_id)

    def _prove_patient(self, sample: JsonObject, by_id: tuple[str, str]) -> None:
        reference = string(child(sample, "subject"), "reference")
        subject = relative_reference(reference, (self.source.base_url,))
        if subject is None:
            return
        for name in ("patient", "subject"):
            if self._finds(self.source, [by_id, (name, subject)]):
                self.patient_param = name
                return
        self.patient_param = None
        self._warn("the server does not search results by patient: every pass is a full sweep")

    def _prove_component(self, sample: JsonObject, by_id: tuple[str, str]) -> None:
        """Prove it on a result with such a component; combo-code matches its own code too."""
        if self.component_param is None:
            return
        parts = (
            sample if self.component_param == "combo-code" else {"code": _component_concept(sample)}
        )
        token = _token(parts.get("code"))
        if token and not self._finds(self.source, [by_id, (self.component_param, token)]):
            self._warn(f"the server does not search by {self.component_param}: not used")
            self.component_param = None

    def prove_own(self) -> None:
        """Prove how our own results are found, on one of them; else find them by their tag.

        Raises: ServerError as the port says.
        """
        tag: Params = [("_tag", f"{ADAPTER_SYSTEM}|derived")]
        sample = self._first(self.target, self.own_params) or self._first(self.target, tag)
        if sample is None:
            return
        by_id = ("_id", str(sample["id"]))
        if not self._finds(self.target, [*self.own_params, by_id]):
            self.own_params = tag
            self._warn(
                "the server does not search identifiers by system: our own results are found by tag"
            )
        changed = last_updated(sample)
        self.own_incremental = changed is not None and self._finds(
            self.target, [*self.own_params, by_id, ("_lastUpdated", at_or_after(changed))]
        )

    def _finds(self, server: FhirServer, params: SearchParams) -> bool:
        return self._first(server, params) is not None

    def _first(self, server: FhirServer, params: SearchParams) -> JsonObject | None:
        """Give the first match; None also where the server refuses the parameter."""
        try:
            for page in server.search("Observation", [*params, ("_count", "1")]):
                if page.matches:
                    return page.matches[0]
        except PermanentServerError as error:
            if error.status != 400:
                raise
        return None

    def _with_includes(self, params: Params) -> Iterator[SearchPage]:
        while True:
            try:
                yield from self.source.search("Observation", [*params, *self.includes])
            except PermanentServerError as error:
                # Pages already given are given again: gathering keeps one version of each resource.
                if error.status != 400 or not self.includes:
                    raise
                self._warn(f"the server refuses {self.includes[-1][1]}: not asked for")
                self.includes = self.includes[:-1]
            else:
                return

    def _drop_include(self, value: str) -> None:
        self.includes = [include for include in self.includes if include[1] != value]

    def _warn(self, words: str) -> None:
        if words not in self.warnings:
            self.warnings.append(words)


def within_budget(values: Iterable[str], limit: int | None = None) -> Iterator[str]:
    """Join values by commas into parameter values that fit a URL, at most `limit` each."""
    part: list[str] = []
    length = 0
    for value in values:
        # Escaped, a separator takes three characters; a token holds at most half a dozen of them.
        cost = len(value) + 2 * sum(not char.isalnum() for char in value) + 3
        if part and (length + cost > VALUE_BUDGET or (limit is not None and len(part) >= limit)):
            yield ",".join(part)
            part, length = [], 0
        part.append(value)
        length += cost
    if part:
        yield ",".join(part)


def last_updated(resource: JsonObject) -> datetime | None:
    """Read meta.lastUpdated as an aware UTC instant; None when it is absent or no instant."""
    try:
        instant = datetime.fromisoformat(string(child(resource, "meta"), "lastUpdated"))
        return instant.astimezone(UTC) if instant.tzinfo else None
    except (ValueError, OverflowError):
        return None


def at_or_after(instant: datetime) -> str:
    """Write the value of `_lastUpdated` that includes ties: `ge`, milliseconds cut, UTC."""
    return f"ge{instant.astimezone(UTC).strftime('%Y-%m-%dT%H:%M:%S')}.{instant.microsecond // 1000:03d}Z"


def _component_concept(resource: JsonObject) -> JsonObject | None:
    concepts = (child(part, "code") for part in objects(resource.get("component")))
    return next((concept for concept in concepts if _token(concept)), None)


def _token(concept: object) -> str | None:
    for coding in codings(concept):
        if string(coding, "system") and string(coding, "code"):
            return f"{string(coding, 'system')}|{string(coding, 'code')}"
    return None
