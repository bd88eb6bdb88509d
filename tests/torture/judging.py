"""What stands on the server after a run, held against the oracle, and what the state's file says of itself."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.live.records import Records
from tests.oracle import Content, content_of, differences
from tests.oracle.reading import is_own

Json = dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """How a server differs from what must stand; all empty where it does not.

    `wrong`: the oracle's sentences. `unpaired`: derived Observations whose versions and Provenances are not one
    to one. `cases`: how many derived Observations there are, the withdrawn ones too.
    """

    wrong: tuple[str, ...]
    unpaired: tuple[str, ...]
    cases: int

    def count(self, kind: str) -> int:
        """Count the oracle's sentences of one kind, such as "lost" or "doubled"."""
        return sum(one.startswith(f"{kind}:") for one in self.wrong)


def judge(base_url: str) -> Verdict:
    """Read all of a server and hold it against the oracle.

    Versions and Provenances are counted by what they say: a server that is sent the same bytes again, by a
    process that cannot know what became of the first ones, may make an equal version of both.
    """
    content = content_of(base_url, history=False)
    records = Records(base_url)
    try:
        own = [one for one in content.resources if is_own(one)]
        derived = [dict(one) for one in own if one["resourceType"] == "Observation"]
        unpaired = tuple(_unpaired(records, derived))
    finally:
        records.close()
    return Verdict(tuple(differences(Content(content.resources))), unpaired, len(derived))


def _unpaired(records: Records, derived: Iterable[Json]) -> Iterable[str]:
    said: Counter[str] = Counter()
    for provenance in records.search("Provenance", _count="500"):
        target = provenance["target"][0]["reference"].partition("/_history/")[0]
        said[target] += len(_different(records.history(provenance)))
    for one in derived:
        name = f"Observation/{one['id']}"
        versions = len(_different(records.history(one)))
        if said[name] != versions:
            yield f"{name} has {versions} versions and {said[name]} Provenances"


def _different(versions: Iterable[Json]) -> list[Json]:
    """Drop each version that says what the one before it says."""
    kept: list[Json] = []
    for version in versions:
        said = {key: value for key, value in version.items() if key != "meta"}
        if not kept or said != kept[-1]:
            kept.append(said)
    return kept


def is_intact(database: Path, *, in_use: bool = False) -> bool:
    """Ask SQLite whether a state file is whole, as a kill left it.

    A copy is asked, so that it is the adapter that recovers the real one; where another process is still at
    work on it, the file itself, under SQLite's own locks.
    """
    if not database.exists():
        return True
    with tempfile.TemporaryDirectory() as folder:
        asked = database
        if not in_use:
            for suffix in ("", "-wal"):
                part = database.with_name(database.name + suffix)
                if part.exists():
                    shutil.copy(part, folder)
            asked = Path(folder) / database.name
        connection = sqlite3.connect(asked, timeout=30)
        try:
            return bool(connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)])
        except sqlite3.DatabaseError:
            return False
        finally:
            connection.close()
