"""The audit of passes, the writer's lease, and small durable facts."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete, func, select, update

from adapter.errors import LeaseLost
from adapter.ports import HeldLease, PassRecord
from adapter.store import rows, schema
from adapter.store.database import Database

KEPT_PASSES = 100_000
"""How many passes the audit keeps: ten weeks at one a minute. Provenance keeps what was written."""
READ_AT_ONCE = 1_000
"""How many of them are held in memory while a period is read."""
LONGEST_LEASE_SECONDS = 3600.0
"""No lease is given for longer: one that would hold for more was taken by a clock that ran ahead, and holds no more."""

_log = structlog.get_logger()


class LedgerTables(Database):
    """Audit, lease and small facts."""

    def setting(self, name: str) -> str | None:
        """Return a small durable fact, or None."""
        value: str | None = self._value_of(schema.setting.c.value, schema.setting.c.name, name)
        return value

    def set_setting(self, name: str, value: str | None) -> None:
        """Set or, with None, forget a small durable fact."""
        with self._writing() as connection:
            if value is None:
                connection.execute(delete(schema.setting).where(schema.setting.c.name == name))
                return
            self._set_fact(connection, name, value)

    def record_pass(self, record: PassRecord) -> None:
        """Append one pass to the audit, which keeps the latest KEPT_PASSES."""
        table = schema.pass_record
        with self._writing() as connection:
            connection.execute(self._insert(table).values(**rows.pass_row(record)))
            newest = select(func.max(table.c.seq)).scalar_subquery()
            connection.execute(delete(table).where(table.c.seq <= newest - KEPT_PASSES))

    def passes(self, limit: int = 20) -> tuple[PassRecord, ...]:
        """Return the latest passes, newest first."""
        table = schema.pass_record
        with self._reading() as connection:
            found = connection.execute(select(table).order_by(table.c.seq.desc()).limit(limit))
            return tuple(rows.pass_record(row) for row in found.mappings())

    def latest_pass(self, kinds: Collection[str], outcomes: Collection[str]) -> PassRecord | None:
        """Return the latest pass of these kinds that ended in one of these ways, or None."""
        table = schema.pass_record
        wanted = (
            select(table)
            .where(table.c.kind.in_(sorted(kinds)), table.c.outcome.in_(sorted(outcomes)))
            .order_by(table.c.seq.desc())
            .limit(1)
        )
        with self._reading() as connection:
            found = connection.execute(wanted).mappings().one_or_none()
        return None if found is None else rows.pass_record(found)

    def passes_since(self, since: datetime | None = None) -> Iterator[PassRecord]:
        """Return the passes that ended from an instant on, oldest first, READ_AT_ONCE in one transaction.

        A pass that is recorded while they are read comes too.
        """
        table, last = schema.pass_record, 0
        wanted = select(table).order_by(table.c.seq).limit(READ_AT_ONCE)
        if since is not None:
            wanted = wanted.where(table.c.ended_at >= since)
        while True:
            with self._reading() as connection:
                found = connection.execute(wanted.where(table.c.seq > last)).mappings().all()
            yield from (rows.pass_record(row) for row in found)
            if len(found) < READ_AT_ONCE:
                return
            last = found[-1]["seq"]

    def acquire_lease(self, holder: str, *, now: datetime, seconds: float) -> int | None:
        """Take or renew the writer's lease.

        Args:
            holder: names this process, and no other one.
            now: the present instant; holders on several machines need clocks that agree within some minutes.
            seconds: how long the lease holds from now; LONGEST_LEASE_SECONDS at most.

        Returns:
            The fencing number: the same when a lease that is not over is renewed, a larger one than
            ever before when the lease is new. None when another holder has it and it is not over.

        """
        table = schema.lease
        with self._writing() as connection:
            row = connection.execute(select(table).where(table.c.id == schema.LEASE_ROW)).one()
            longest = now + timedelta(seconds=LONGEST_LEASE_SECONDS)
            running = row.holder is not None and now < row.expires_at <= longest
            if running and row.holder != holder:
                return None
            fencing: int = row.fencing if running else row.fencing + 1
            connection.execute(
                update(table)
                .where(table.c.id == schema.LEASE_ROW)
                .values(holder=holder, fencing=fencing, expires_at=now + timedelta(seconds=seconds))
            )
        if not running:
            _log.info("lease_taken", holder=holder, fencing=fencing)
        return fencing

    def held_lease(self) -> HeldLease | None:
        """Return who took the lease last and did not give it back, or None."""
        table = schema.lease
        with self._reading() as connection:
            row = connection.execute(select(table).where(table.c.id == schema.LEASE_ROW)).one()
        return None if row.holder is None else HeldLease(row.holder, row.expires_at)

    def check_lease(self, holder: str, fencing: int, *, now: datetime) -> None:
        """Raise LeaseLost unless this holder with this number still has the lease."""
        table = schema.lease
        with self._reading() as connection:
            row = connection.execute(select(table).where(table.c.id == schema.LEASE_ROW)).one()
        if (row.holder, row.fencing) != (holder, fencing):
            other = f"{row.holder} holds it" if row.holder else "nobody holds it"
            raise LeaseLost(
                f"The writer's lease {fencing} of {holder} is lost ({other}, number {row.fencing})"
                ": stop writing; one adapter per namespace is enough."
            )
        if row.expires_at <= now:
            raise LeaseLost(
                f"The writer's lease {fencing} of {holder} ran out at {row.expires_at.isoformat()}"
                ": stop writing and take it again."
            )

    def release_lease(self, holder: str) -> None:
        """Give the lease back if this holder has it; the fencing number stays."""
        table = schema.lease
        with self._writing() as connection:
            connection.execute(
                update(table).where(table.c.holder == holder).values(holder=None, expires_at=None)
            )
