"""The server that is measured against: a real HAPI FHIR of our own, or any other that is empty.

It is emptied and loaded again before every measurement, so that each begins from the same state.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import requests

from adapter.terminology.systems import ADAPTER_SYSTEM
from benchmarks.patients import transactions
from tests.servers import hapi, postgres
from tests.servers.required import MissingPartError

TIMEOUT_SECONDS = 300
H2 = "H2 in memory (no PostgreSQL here: H2's planner makes patient lists ten times dearer)"
_FRESH = {"Cache-Control": "no-cache"}
# Whatever refers to others goes before them: servers refuse to delete what is referred to.
_EMPTIED = (
    "Provenance?",
    f"Observation?_tag={ADAPTER_SYSTEM}|derived&",
    "Observation?",
    "Specimen?",
    "Device?",
    "Patient?",
)


class NotEmptyError(Exception):
    """The server holds something that a benchmark must not touch."""


@dataclass(frozen=True)
class Server:
    """A running FHIR server; `database` says what it stores in, as far as is known."""

    base_url: str
    software: str
    database: str
    empty: Callable[[], None]

    def load(self, patients: int) -> None:
        """Empty it, then put this many synthetic patients onto it."""
        self.empty()
        with requests.Session() as session:
            for bundle in transactions(patients):
                session.post(self.base_url, json=bundle, timeout=TIMEOUT_SECONDS).raise_for_status()

    def derived(self) -> int:
        """Count the derived Observations that stand on it."""
        answer = _get(f"{self.base_url}/Observation?_tag={ADAPTER_SYSTEM}|derived&_summary=count")
        return int(answer["total"])


@contextmanager
def own_hapi() -> Iterator[Server]:
    """Run HAPI on PostgreSQL, or on H2 where there is none; both stop at the end.

    Raises:
        MissingPartError: without Java 17, or when HAPI has to be built and cannot be.

    """
    with ExitStack() as cleanup:
        try:
            database = cleanup.enter_context(postgres.running()).new_database()
        except MissingPartError:
            database = None
        server = cleanup.enter_context(hapi.running(database=database, is_brief=False))
        kind = H2 if database is None else f"PostgreSQL {_version_of(database)}"
        yield Server(server.base_url, _software(server.base_url), kind, server.empty)


def given(base_url: str) -> Server:
    """Use a server that runs already and asks nobody who they are.

    Raises:
        NotEmptyError: when it holds a patient or a result; what a benchmark loads and has written
            is deleted, so the server must be there for nothing else.

    """
    base_url = base_url.rstrip("/")
    for resource_type in ("Patient", "Observation", "Provenance"):
        if _get(f"{base_url}/{resource_type}?_count=1").get("entry"):
            raise NotEmptyError(f"{base_url} holds a {resource_type}: name an empty server")
    return Server(
        base_url, _software(base_url), "its own database", lambda: _delete_everything(base_url)
    )


def _delete_everything(base_url: str) -> None:
    for what in _EMPTIED:
        while found := _get(f"{base_url}/{what}_count=200").get("entry"):
            deletions = [
                {
                    "request": {
                        "method": "DELETE",
                        "url": f"{each['resource']['resourceType']}/{each['resource']['id']}",
                    }
                }
                for each in found
            ]
            bundle = {"resourceType": "Bundle", "type": "transaction", "entry": deletions}
            requests.post(base_url, json=bundle, timeout=TIMEOUT_SECONDS).raise_for_status()


def _get(url: str) -> Any:
    answer = requests.get(url, headers=_FRESH, timeout=TIMEOUT_SECONDS)
    answer.raise_for_status()
    return answer.json()


def _software(base_url: str) -> str:
    software = _get(f"{base_url}/metadata").get("software", {})
    return f"{software.get('name', 'unnamed server')} {software.get('version', '')}".strip()


def _version_of(database: postgres.Database) -> str:
    with psycopg.connect(
        host=database.host, port=database.port, user=database.user, dbname=database.name
    ) as connection:
        row = connection.execute("SHOW server_version").fetchone()
    return str(row[0]) if row else "of unknown version"
