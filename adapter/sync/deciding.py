"""What to do for the patients that were gathered: reconcile, then plan against what really stands.

A creation is only believed after the id was read: search may not show yet, or not at all, what stands already, and a
creation cannot be held to a version. Reads the target, writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from adapter.fhir.identity import case_identifier
from adapter.fhir.record.derive import DeriveContext
from adapter.fhir.references import reference_to
from adapter.her2.model import Link
from adapter.ports import JsonObject, RefusedResource
from adapter.sync.planning.ownership import is_ours
from adapter.sync.planning.plan import WITHDRAWN, Action, Planned, plan
from adapter.sync.planning.reconcile import Reconciled, reconcile
from adapter.sync.reading.pool import Gathered
from adapter.sync.reading.reads import Reads
from adapter.sync.references import made_relative, patient_of
from adapter.sync.writing.ladder import Ladder
from adapter.sync.writing.lookup import Lookup
from adapter.sync.writing.proved import unproved_of
from adapter.terminology.catalogue import Catalogue


@dataclass(frozen=True)
class Decided:
    """The decisions for some patients; `existing`: active derived results of ours that stand for them.

    `hidden`: how many of ours stood without a search showing them. `held_back`: patients of whom one of ours stands
    that is no strict JSON or not shown; nothing is planned for them.
    """

    reconciled: Reconciled
    planned: Sequence[Planned]
    existing: int
    hidden: int = 0
    held_back: Mapping[str, Sequence[RefusedResource]] = field(default_factory=dict)


@dataclass
class Decider:
    """Decides for one pass.

    `trusts_search`: a server that shows none of ours at all is believed after a first probe, so that a first pass need
    not read thousands of ids that are not there; it is set once by the pass, as is `woken_by`: patient → what woke it.
    """

    lookup: Lookup
    ladder: Ladder
    catalogue: Catalogue
    context: DeriveContext
    base_url: str
    links: Sequence[Link] = ()
    trusts_search: bool = False
    woken_by: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    _is_probed: bool = False

    def is_ours(self, resource: JsonObject) -> bool:
        """Tell whether a derived Observation is of this namespace and policy family."""
        return is_ours(resource, namespace=self.context.namespace, policy=self.context.policy)

    def decide(self, gathered: Gathered) -> Decided:
        """Decide for some patients.

        Raises: ServerError as the port says.
        """
        ours = self._relative(gathered.derived)
        reconciled = reconcile(
            replace(gathered, derived=ours),
            self.catalogue,
            self.context.policy,
            base_url=self.base_url,
            links=self.links,
        )
        standing = replace(reconciled.standing, touched=self._touched(ours))
        reconciled = replace(reconciled, standing=standing)
        planned = plan(reconciled.desired, reconciled.standing, self.context)
        created = [one.key for one in planned if one.action is Action.CREATE]
        hidden, refused = self._hidden(created, map(reference_to, ours))
        if hidden:
            standing = replace(reconciled.standing, derived=(*ours, *hidden))
            planned = plan(reconciled.desired, standing, self.context)
        standing = replace(reconciled.standing, derived=(*ours, *hidden))
        quiet = [one.key for one in planned if one.action is Action.SKIP]
        unproved = self._unproved(quiet, standing.derived)
        if unproved:
            standing = replace(standing, unproved=unproved)
            planned = plan(reconciled.desired, standing, self.context)
        existing = sum(one.get("status") != WITHDRAWN for one in standing.derived)
        held_back: dict[str, list[RefusedResource]] = {}
        for one in planned:
            if one.key in refused:
                held_back.setdefault(one.patient, []).append(refused[one.key])
        planned = tuple(one for one in planned if one.patient not in held_back)
        return Decided(reconciled, planned, existing, len(hidden), held_back)

    def _touched(self, derived: Sequence[JsonObject]) -> frozenset[str]:
        """Name ours that alone woke their patient."""
        return frozenset(
            str(one["id"])
            for one in derived
            if set(self.woken_by.get(patient_of(one, self.base_url) or "", ()))
            == {reference_to(one)}
        )

    def _unproved(self, quiet: Sequence[str], derived: Sequence[JsonObject]) -> frozenset[str]:
        """Name what stands as it ought to, but without the Provenance of its present version.

        Asked only where it is not known that a pair lands as one.
        """
        if self.ladder.pairs_are_whole:
            return frozenset()
        looked_at = [one for one in derived if {str(one["id"]), case_identifier(one)} & set(quiet)]
        return unproved_of(looked_at, self.lookup, self.context)

    def _hidden(
        self, keys: Sequence[str], shown: Iterable[str]
    ) -> tuple[tuple[JsonObject, ...], Mapping[str, RefusedResource]]:
        """Read what a search did not show of what is to be created; and, by key, what stands and cannot be had."""
        if not keys or (self.trusts_search and self._is_probed):
            return (), {}
        self._is_probed = True
        refused: dict[str, RefusedResource] = {}
        if self.ladder.manner.strategy.chooses_ids:
            names = {key: f"Observation/{key}" for key in keys}
            said = Reads(self.lookup.target).read_all(list(names.values()), shown)
            read = {key: said[name] for key, name in names.items()}
            refused = {key: one for key, one in read.items() if isinstance(one, RefusedResource)}
            found = tuple(one for one in read.values() if isinstance(one, dict))
        else:
            copies = self.lookup.by_identifier(keys).values()
            found = tuple(resource for several in copies for resource in several)
        if found or refused:
            self.trusts_search = False
        return self._relative(found), refused

    def _relative(self, derived: Sequence[JsonObject]) -> tuple[JsonObject, ...]:
        return tuple(made_relative(one, self.base_url) for one in derived if self.is_ours(one))
