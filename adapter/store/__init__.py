"""The adapter's durable state in SQLite or PostgreSQL: open it with `open_store`.

It is a cache: everything in it can be rebuilt from the FHIR server. It holds logical ids,
fingerprints and frozen bundles, and no copy of a source.
"""

from adapter.store.opening import is_kept, open_store, place_of
from adapter.store.sql_store import SqlStateStore

__all__ = ["SqlStateStore", "is_kept", "open_store", "place_of"]
