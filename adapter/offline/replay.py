"""`verify`: derive a result again from the exact source versions that its Provenance names.

Sources are read in the version they were read in then. What else the decision needs (specimens,
reports, the patient's other results) is read as it is now: Provenance names no version of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from adapter.errors import ResourceRefused
from adapter.fhir.identity import category_of, content_hash, is_own
from adapter.fhir.record.derive import DeriveContext, derive, record_id, sources_used
from adapter.fhir.record.provenance import policies_of
from adapter.fhir.references import reference_to
from adapter.fhir.shapes import string
from adapter.fhir.strict_json import JsonObject
from adapter.offline.recorded import (
    RecordedSource,
    basis_in,
    differing,
    newest,
    sources_in,
    version_before,
    with_status_of,
)
from adapter.offline.verdict import Agreement, Verdict
from adapter.sync.cycle import Parts
from adapter.sync.options import ReadLimits
from adapter.sync.planning.ownership import is_ours, marked, namespace_of
from adapter.sync.planning.plan import WITHDRAWN, Desired
from adapter.sync.planning.reconcile import reconcile
from adapter.sync.reading.gather import Gatherer
from adapter.sync.reading.pool import Gathered, Pool
from adapter.sync.reading.proving import Proving
from adapter.sync.reading.search_params import last_updated
from adapter.sync.reading.searches import Searches
from adapter.sync.references import made_relative, patient_of, version_of


class _CannotTell(Exception):
    """It cannot be verified; the text is the reason code."""


@dataclass
class Replayer:
    """Derives results again. Reads both servers, and writes nothing to them.

    `parts`: a whole adapter; its store is written to only about sources that could not be read.
    `limits`: those of the passes, so that the same results are found.
    """

    parts: Parts
    limits: ReadLimits
    searches: Searches = field(init=False)

    def __post_init__(self) -> None:
        """Search as the passes do."""
        self.searches = Searches.of(self.parts, self.limits)

    def all_of_ours(self) -> Iterator[str]:
        """Name every derived Observation of this namespace and policy that is not withdrawn.

        Raises: ServerError as the port says.
        """
        Proving(self.searches).prove_own()
        seen: set[str] = set()
        for page in self.searches.own():
            # No strict JSON: whether it is of this policy and stands cannot be told, but it is not left out.
            unread = {reference_to(one.known) for one in page.refused} - seen
            seen |= unread
            yield from sorted(unread)
            for one in page.matches:
                name = reference_to(one)
                if name not in seen and self._is_ours(one) and one.get("status") != WITHDRAWN:
                    seen.add(name)
                    yield name

    def verify(self, reference: str) -> Verdict:
        """Derive one again, and compare.

        Args:
            reference: "Observation/<id>" of a derived result on the target.

        Raises: ServerError as the port says.

        """
        try:
            stored = self.parts.target.read(reference)
        except ResourceRefused:
            return Verdict(reference, Agreement.CANNOT, "patient-not-readable")
        if stored is None:
            return Verdict(reference, Agreement.CANNOT, "not-found")
        verdict = Verdict(
            reference, Agreement.CANNOT, stored=category_of(stored) if is_own(stored) else None
        )
        if not self._is_ours(stored):
            return replace(verdict, reason="not-ours")
        if stored.get("status") == WITHDRAWN:
            return replace(verdict, reason="withdrawn")
        attempt = _Attempt(self, made_relative(stored, self.parts.source.base_url), verdict)
        try:
            attempt.run()
        except _CannotTell as reason:
            attempt.verdict = replace(attempt.verdict, reason=str(reason))
        except ResourceRefused:
            attempt.verdict = replace(attempt.verdict, reason="patient-not-readable")
        return replace(attempt.verdict, notes=tuple(dict.fromkeys(attempt.notes)))

    def _is_ours(self, resource: JsonObject) -> bool:
        context = self.parts.context
        return is_ours(resource, namespace=context.namespace, policy=context.policy)


@dataclass
class _Attempt:
    """Deriving one result again; `verdict` says that it cannot be verified until it was compared."""

    of: Replayer
    stored: JsonObject
    verdict: Verdict
    notes: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Read, decide, compare; raises _CannotTell."""
        provenances = self._provenances()
        if not provenances:
            raise _CannotTell("no-provenance")
        latest = provenances[0]
        named = sources_in(latest, self._urls)
        self.verdict = replace(
            self.verdict,
            provenance=reference_to(latest),
            sources=tuple(one.versioned for one in named),
        )
        context = self._context(latest)
        if not named:
            raise _CannotTell("no-source-named")
        sources = {one.reference: self._source(one) for one in named}
        desired = self._desired(sources, self._around(latest, sources), context)
        if desired is None:
            self.verdict = replace(
                self.verdict, agreement=Agreement.DIFFERS, reason="no-such-sample"
            )
            return
        self._compare(desired, self._before(provenances), context)

    @property
    def _urls(self) -> tuple[str, ...]:
        parts = self.of.parts
        return tuple(dict.fromkeys((parts.source.base_url, parts.target.base_url)))

    def _provenances(self) -> list[JsonObject]:
        reference = self.verdict.reference
        pages = self.of.parts.target.search("Provenance", [("target", reference)])
        return newest((one for page in pages for one in page.matches), reference)

    def _context(self, provenance: JsonObject) -> DeriveContext:
        """Take the policy that was named, with the vocabulary of this build."""
        basis = basis_in(provenance)
        if basis.policy is None:
            raise _CannotTell("policy-unknown")
        context = replace(
            self.of.parts.context,
            policy=basis.policy,
            namespace=namespace_of(self.stored),
            base_urls=self._urls,
        )
        if sorted(basis.named) != sorted(policies_of(context)):
            self.notes.append("other-versions")
        return context

    def _source(self, wanted: RecordedSource) -> JsonObject:
        """Read a source as it was read then."""
        source = self.of.parts.source
        found = source.read(wanted.versioned) if wanted.version is not None else None
        if found is not None:
            if wanted.content_hash not in (None, content_hash(found)):
                raise _CannotTell("source-not-as-hashed")
            return found
        now = source.read(wanted.reference)
        if now is None:
            raise _CannotTell("source-gone")
        if wanted.content_hash != content_hash(now):
            raise _CannotTell("source-version-gone")
        self.notes.append("current-content")
        return now

    def _around(self, provenance: JsonObject, sources: dict[str, JsonObject]) -> Gathered:
        """Gather the patient as it is now, with the sources as they were then."""
        parts = self.of.parts
        base_url = parts.source.base_url
        patient = patient_of(self.stored, base_url)
        Proving(self.of.searches).prepare([patient] if patient else [])
        gatherer = Gatherer(self.of.searches, parts.store, parts.clock, self.of.limits)
        found = gatherer.patients([patient] if patient else [])
        now = next((one for one in found if patient in one.patients), None)
        if patient is None or now is None or now.unread:
            raise _CannotTell("patient-not-readable")
        results = {reference_to(one): one for one in now.results}
        recorded = last_updated({"meta": {"lastUpdated": string(provenance, "recorded")}})
        changed = (last_updated(one) for name, one in results.items() if name not in sources)
        if any(at is not None and recorded is not None and at > recorded for at in changed):
            self.notes.append("others-changed")
        whole = Pool()
        for resource in now.related:
            whole.add_related(resource, base_url)
        part = Pool({**results, **sources})
        (completed,) = gatherer.completed(frozenset({patient}), part, whole)
        if completed.unread:
            raise _CannotTell("patient-not-readable")
        return completed

    def _desired(
        self, sources: dict[str, JsonObject], gathered: Gathered, context: DeriveContext
    ) -> Desired | None:
        """Decide again: the sample that rests on just these sources, else the one of this identity."""
        parts = self.of.parts
        decided = reconcile(
            gathered,
            parts.catalogue,
            context.policy,
            base_url=parts.source.base_url,
            links=parts.links,
        )
        written = [one for one in decided.desired if one.classification.category.is_written]
        for one in written:
            if set(sources_used(one.case, one.classification)) == sources.keys():
                return one
        own_id = self.stored.get("id")
        return next((one for one in written if record_id(one.case, context) == own_id), None)

    def _before(self, provenances: list[JsonObject]) -> JsonObject | None:
        """Read the version that this one replaced; None where it was the first, or is not known."""
        version = version_of(self.stored)
        numbered = str(int(version) - 1) if version and version.isdecimal() else "0"
        candidates = [None, numbered] if numbered != "0" else [None]
        replaced, is_certain = version_before(self.stored, provenances[0], candidates, self._urls)
        if not is_certain and len(provenances) > 1 and numbered != "0":
            replaced = numbered
        before = None
        if replaced is not None:
            name = f"{self.verdict.reference}/_history/{replaced}"
            before = self.of.parts.target.read(name)
        is_known = replaced is not None or is_certain or len(provenances) == 1
        if not is_known or (replaced is not None and before is None):
            self.notes.append("version-before-unknown")
        return made_relative(before, self.of.parts.source.base_url) if before else None

    def _compare(self, desired: Desired, before: JsonObject | None, context: DeriveContext) -> None:
        body = derive(
            desired.case,
            desired.classification,
            facts=desired.facts,
            existing=before,
            context=context,
        )
        made = marked(body, context.namespace)
        if "version-before-unknown" in self.notes:
            made = with_status_of(made, self.stored)
        elements = differing(self.stored, made)
        self.verdict = replace(
            self.verdict,
            agreement=Agreement.DIFFERS if elements else Agreement.AGREES,
            reason="elements-differ" if elements else "",
            elements=elements,
            derived=category_of(made),
        )
