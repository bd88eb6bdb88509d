"""Brings the tables of a database to this release's schema; refuses what it does not know."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect

from adapter.errors import StoreError
from adapter.store.engine import write_transaction
from adapter.store.schema import SCHEMA_VERSION, VERSION_TABLE

_ONE_AT_A_TIME = Lock()  # Alembic keeps the running migration in module variables


def migration_config(connection: Connection) -> Config:
    """Return Alembic's configuration for the migrations of this package on an open connection."""
    config = Config()
    # Alembic interpolates %, and an installation path may hold one.
    config.set_main_option("script_location", str(_migrations()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _migrations() -> Path:
    return Path(__file__).parent / "migrations"


def migrate(engine: Engine, *, where: str) -> None:
    """Run the missing migrations in one transaction; several processes may do so at once.

    Args:
        engine: the database, empty or of any schema up to ours.
        where: the store's address without its password, for messages.

    Raises:
        StoreError: the schema is newer than this release, or a SQLite file holds something else.

    """
    with _ONE_AT_A_TIME, write_transaction(engine) as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        present = context.get_current_heads()
        if present == (SCHEMA_VERSION,):
            return
        config = migration_config(connection)
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if not known.issuperset(present):
            raise StoreError(
                f"The state store {where} has schema {', '.join(present)}, and this release knows "
                f"none beyond {SCHEMA_VERSION}: install the newer her2-adapter again, or name a "
                "new store in store.url (it is rebuilt from the server)."
            )
        if (
            not present
            and connection.dialect.name == "sqlite"
            and inspect(connection).get_table_names()
        ):
            raise StoreError(
                f"The file {where} is a database of another program: name a file of its own "
                "in store.url."
            )
        command.upgrade(config, SCHEMA_VERSION)
