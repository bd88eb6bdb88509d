"""Transactions as they are sent: each case with its Provenance, frozen before they leave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from adapter.errors import InvalidRecord
from adapter.fhir.identity import device_id
from adapter.fhir.record.derive import DeriveContext
from adapter.fhir.record.provenance import (
    check_record,
    conditional_entry,
    device,
    frozen_bundle_body,
    keyed_by_time,
    missing_provenance,
    provenance,
    transaction_entry,
)
from adapter.fhir.references import reference_to, with_references
from adapter.ports import FrozenBundle, JsonObject
from adapter.sync.planning.plan import Action, Planned
from adapter.sync.references import made_absolute
from adapter.sync.strategy import WriteStrategy
from adapter.sync.writing.sent import URN


@dataclass(frozen=True)
class BundleMaker:
    """Makes bundles for one pass.

    `source_url`, `target_url`: base URLs; where they differ, references to the source's resources
    become absolute. `strategy`: how a new result gets its id. `device_reference`: what the target
    calls the Device of this software version, where it has given the id itself.
    """

    context: DeriveContext
    source_url: str
    target_url: str
    strategy: WriteStrategy = WriteStrategy.CLIENT_IDS
    device_reference: str | None = None

    def entries(self, planned: Planned) -> list[JsonObject]:
        """Make the entries of a case: the Observation, held to the version that the plan saw, and its Provenance.

        A case to complete has its Provenance alone.

        Raises:
            InvalidRecord: when one of them is not valid FHIR R4; the case is to be parked.

        """
        if planned.body is None:
            raise ValueError(f"nothing is written for {planned.key}")
        made = self._provenance(planned, planned.body)
        if planned.action is Action.COMPLETE:
            return [self._entry(self._for_target(made, planned.key), planned.key)]
        body = planned.body
        if self.source_url != self.target_url:
            # Checked while references are relative, so that their types are seen; then made absolute.
            for resource in (body, made):
                problems = check_record(resource)
                if problems:
                    raise InvalidRecord(reference_to(resource), problems)
        body = self._for_target(body, planned.key)
        made = self._for_target(made, planned.key)
        if planned.action is Action.CREATE and not self.strategy.chooses_ids:
            is_update = self.strategy is WriteStrategy.CONDITIONAL_UPDATE
            first = conditional_entry(body, update=is_update)
        else:
            first = transaction_entry(body, planned.replaced)
        return [first, self._entry(made, None if "fullUrl" in first else planned.key)]

    def frozen(self, batch: Sequence[Planned], entries: Sequence[JsonObject]) -> FrozenBundle:
        """Freeze a batch: one body, and what each case expects to stand on the server."""
        body = frozen_bundle_body(entries)
        return FrozenBundle(
            key=sha256(body).hexdigest(),
            body=body,
            expected={planned.key: planned.replaced for planned in batch},
            fingerprints={planned.key: planned.fingerprint for planned in batch},
            patients=frozenset(planned.patient for planned in batch),
            frozen_at=self.context.now,
        )

    def device(self) -> JsonObject:
        """Make the entry that writes the Device of this software version."""
        version = self.context.software_version
        if self.strategy.chooses_ids:
            return transaction_entry(device(version))
        is_update = self.strategy is WriteStrategy.CONDITIONAL_UPDATE
        return conditional_entry(device(version, is_identified=True), update=is_update)

    def device_again(self) -> JsonObject:
        """Make an entry that changes nothing, whatever the server makes of conditions: the Device again."""
        if self.strategy.chooses_ids:
            return self.device()
        return conditional_entry(device(self.context.software_version, is_identified=True))

    def harmless(self) -> bytes:
        """Make a transaction, as long as that of one case, that changes nothing: the Device again, and a search."""
        name = device_id(self.context.software_version)
        search = {"request": {"method": "GET", "url": f"Device?_id={name}"}}
        return frozen_bundle_body([self.device(), search])

    def _provenance(self, planned: Planned, body: JsonObject) -> JsonObject:
        context = replace(self.context, server_assigns_ids=not self.strategy.chooses_ids)
        if planned.action is Action.COMPLETE:
            return missing_provenance(
                body, version=planned.replaced, sources=planned.sources, context=context
            )
        made = provenance(
            body,
            replaced=planned.replaced,
            sources=planned.sources,
            context=context,
            joined_by=planned.joined_by,
        )
        if planned.action is Action.CREATE and self.strategy is WriteStrategy.CONDITIONAL_UPDATE:
            return keyed_by_time(made, body, context)
        return made

    def _entry(self, made: JsonObject, stands_as: str | None) -> JsonObject:
        """Make the entry of a Provenance; `stands_as`: id of its Observation, None where it has yet to get one."""
        if self.strategy.chooses_ids:
            return transaction_entry(made)
        if stands_as is not None:
            made = with_references(
                made, lambda one: f"Observation/{stands_as}" if one.startswith(URN) else one
            )
        return conditional_entry(made)

    def _for_target(self, resource: JsonObject, key: str) -> JsonObject:
        """Name everything as the target knows it."""
        if self.source_url != self.target_url:
            resource = made_absolute(resource, self.source_url, keep=self._stands_on_target(key))
        named = self.device_reference
        if named is None:
            return resource
        ours = reference_to(device(self.context.software_version))
        return with_references(resource, lambda one: named if one == ours else one)

    def _stands_on_target(self, key: str) -> Callable[[str], bool]:
        """Tell what the target itself holds: what we write, and the configured Organization."""
        return lambda reference: (
            reference.startswith(("Device/", "Organization/")) or reference == f"Observation/{key}"
        )
