"""Transactions as they are sent: each case with its Provenance, frozen before they leave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from adapter.errors import InvalidRecord
from adapter.fhir.record.derive import DeriveContext
from adapter.fhir.record.provenance import (
    check_record,
    device,
    frozen_bundle_body,
    provenance,
    transaction_entry,
)
from adapter.fhir.references import reference_to
from adapter.ports import FrozenBundle, JsonObject
from adapter.sync.plan import Planned
from adapter.sync.references import made_absolute


@dataclass(frozen=True)
class BundleMaker:
    """Makes bundles for one pass.

    `source_url`, `target_url`: base URLs; where they differ, references to the source's resources
    become absolute.
    """

    context: DeriveContext
    source_url: str
    target_url: str

    def entries(self, planned: Planned) -> list[JsonObject]:
        """Make the two entries of a case, the Observation held to the version that the plan saw.

        Raises:
            InvalidRecord: when one of them is not valid FHIR R4; the case is to be parked.

        """
        if planned.body is None:
            raise ValueError(f"nothing is written for {planned.key}")
        made = provenance(
            planned.body,
            replaced=planned.replaced,
            sources=planned.sources,
            context=self.context,
            joined_by=planned.joined_by,
        )
        if self.source_url == self.target_url:
            return [transaction_entry(planned.body, planned.replaced), transaction_entry(made)]
        # Checked while references are relative, so that their types are seen; then made absolute.
        for resource in (planned.body, made):
            problems = check_record(resource)
            if problems:
                raise InvalidRecord(reference_to(resource), problems)
        keep = self._stands_on_target(planned.key)
        return [
            transaction_entry(self._for_target(planned.body, keep), planned.replaced),
            transaction_entry(self._for_target(made, keep)),
        ]

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

    def device(self) -> tuple[str, bytes]:
        """Make the Device of this software version: its reference, and a transaction."""
        made = device(self.context.software_version)
        return reference_to(made), frozen_bundle_body([transaction_entry(made)])

    def _stands_on_target(self, key: str) -> Callable[[str], bool]:
        """Tell what the target itself holds: what we write, and the configured Organization."""
        return lambda reference: (
            reference.startswith(("Device/", "Organization/")) or reference == f"Observation/{key}"
        )

    def _for_target(self, resource: JsonObject, keep: Callable[[str], bool]) -> JsonObject:
        return made_absolute(resource, self.source_url, keep=keep)
