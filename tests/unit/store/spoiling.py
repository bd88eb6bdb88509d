"""Damage as a disk does it: one page of a state file, under whoever has it open."""

from __future__ import annotations

from pathlib import Path

from adapter.store import SqlStateStore


def spoil_a_page(store: SqlStateStore, path: Path, table: str = "her2_parked") -> bytes:
    """Spoil a page that only one table has, under a process that has the file open; return what lies there then."""
    with store._outside_transactions() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        number, size = (
            connection.exec_driver_sql(one).scalar_one()
            for one in (
                f"SELECT rootpage FROM sqlite_master WHERE name = '{table}'",
                "PRAGMA page_size",
            )
        )
    with path.open("r+b") as file:
        file.seek((number - 1) * size)
        file.write(b"\xff" * size)
    return path.read_bytes()
