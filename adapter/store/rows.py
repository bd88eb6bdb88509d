"""Rows of the state store to the records of ports.py and back."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping

from adapter.ports import (
    FrozenBundle,
    ListedEntry,
    ParkedCase,
    PassRecord,
    WorklistEntry,
    WorklistKind,
)

_KINDS = frozenset(map(str, WorklistKind))


def storable(text: str) -> str:
    """Replace what a database refuses in a text: NUL (PostgreSQL) and lone surrogates (both)."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def frozen_row(bundle: FrozenBundle) -> dict[str, Any]:
    """Return the outbox row of a bundle, with the digest that proves it at reading."""
    row = {
        "key": bundle.key,
        "body": bundle.body,
        "expected": dict(bundle.expected),
        "fingerprints": dict(bundle.fingerprints),
        "patients": sorted(bundle.patients),
        "frozen_at": bundle.frozen_at,
    }
    return row | {"digest": _frozen_digest(bundle)}


def frozen_bundle(row: RowMapping) -> FrozenBundle:
    """Return the bundle of an outbox row.

    Raises:
        ValueError: the row is not what was frozen; sending it could put a damaged result on the
            server.

    """
    kinds = {"body": bytes, "expected": dict, "fingerprints": dict, "patients": list}
    if not all(isinstance(row[name], kind) for name, kind in kinds.items()):
        raise ValueError("a frozen bundle is not of the kind that was stored")
    bundle = FrozenBundle(
        key=row["key"],
        body=row["body"],
        expected=row["expected"],
        fingerprints=row["fingerprints"],
        patients=frozenset(row["patients"]),
        frozen_at=row["frozen_at"],
    )
    if _frozen_digest(bundle) != row["digest"]:
        raise ValueError("a frozen bundle is not what was stored")
    return bundle


def _frozen_digest(bundle: FrozenBundle) -> str:
    expectations = [
        bundle.key,
        dict(bundle.expected),
        dict(bundle.fingerprints),
        sorted(bundle.patients),
        bundle.frozen_at.timestamp(),
    ]
    head = json.dumps(expectations, sort_keys=True).encode()
    return hashlib.sha256(len(head).to_bytes(8, "big") + head + bundle.body).hexdigest()


def parked_row(case: ParkedCase) -> dict[str, Any]:
    """Return the row of a parked case."""
    return {
        "key": case.key,
        "patient": case.patient,
        "reason": storable(case.reason),
        "fingerprint": case.fingerprint,
        "parked_at": case.parked_at,
        "attempts": case.attempts,
    }


def parked_case(row: RowMapping) -> ParkedCase:
    """Return the parked case of a row."""
    return ParkedCase(**row)


def worklist_row(entry: WorklistEntry, *, first_seen: datetime, at: datetime) -> dict[str, Any]:
    """Return the row of a worklist entry that was looked at now."""
    texts = {name: storable(str(value)) for name, value in vars(entry).items()}
    return {**texts, "first_seen": first_seen, "last_seen": at}


def listed_entry(row: RowMapping) -> ListedEntry | None:
    """Return the worklist entry of a row; None where it is of a kind that this release does not know."""
    if row["kind"] not in _KINDS:
        return None
    texts = {name: value for name, value in row.items() if name not in ("first_seen", "last_seen")}
    entry = WorklistEntry(**texts | {"kind": WorklistKind(row["kind"])})
    return ListedEntry(entry, row["first_seen"], row["last_seen"])


def pass_row(record: PassRecord) -> dict[str, Any]:
    """Return the audit row of a pass."""
    return {
        "started_at": record.started_at,
        "ended_at": record.ended_at,
        "kind": record.kind,
        "outcome": record.outcome,
        "counts": dict(record.counts),
    }


def pass_record(row: RowMapping) -> PassRecord:
    """Return the pass of an audit row."""
    return PassRecord(**{name: value for name, value in row.items() if name != "seq"})
