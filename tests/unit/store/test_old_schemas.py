"""A state of every earlier schema, with rows in it, is brought up to date and ends where the oracle says (C6)."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from adapter.store import open_store
from adapter.store.migrate import migration_config
from adapter.store.schema import VERSION_TABLE

from .mid_life import MidLife, Revived, mid_life, put


def revisions() -> list[str]:
    """Every schema there has been, the newest too."""
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        scripts = ScriptDirectory.from_config(migration_config(connection))
        found = [script.revision for script in scripts.walk_revisions()]
    engine.dispose()
    return sorted(found)


def of_schema(revision: str, path: Path, life: MidLife) -> None:
    """Make a state as the release of that schema left it, with the rows of a hospital in mid-life."""
    now = path.with_name("now.sqlite")
    put(now, life.state, life.journal)
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        command.upgrade(migration_config(connection), revision)
    engine.dispose()
    old = sqlite3.connect(path, isolation_level=None)
    old.execute("ATTACH ? AS now", (str(now),))
    tables = {
        schema: {
            name
            for (name,) in old.execute(
                f"SELECT name FROM {schema}.sqlite_master WHERE type = 'table'"
            )
        }
        for schema in ("main", "now")
    }
    for name in sorted(tables["main"] & tables["now"] - {VERSION_TABLE, "her2_lease"}):
        old.execute(f"INSERT INTO main.{name} SELECT * FROM now.{name}")
    if "her2_audit" not in tables["main"]:
        old.execute("DELETE FROM main.her2_setting WHERE name = 'audit-head'")
    assert old.execute("SELECT count(*) FROM main.her2_outbox").fetchone() == (1,)
    assert old.execute("SELECT count(*) FROM main.her2_known_patient").fetchone() == (8,)
    old.close()
    for part in now.parent.glob("now.sqlite*"):
        part.unlink()


@pytest.mark.parametrize("revision", revisions())
def test_a_state_of_every_schema_there_was_opens_and_ends_where_the_oracle_says(
    revision: str, sqlite_path: Path
) -> None:
    """With its rows, a bundle under way among them (C6)."""
    life = mid_life()
    of_schema(revision, sqlite_path, life)
    with open_store(f"sqlite:///{sqlite_path}") as store:
        assert len(store.outbox()) == 1
        assert store.recorded()[0].action == "trail-begun"
    assert Revived.of(life, sqlite_path).converges() == "at once"
    assert list(sqlite_path.parent.glob("*.corrupt-*")) == []
