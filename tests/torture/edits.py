"""The laboratory at work while adapters die: a seeded workload, sent to a server over HTTP."""

from __future__ import annotations

import itertools
from typing import Any, Final

import requests

from tests.workloads.content import reference
from tests.workloads.seeded import Edit, Workload

FIRST_PATIENTS: Final = 5
_ALWAYS: Final = frozenset({"create", "correct", "delete"})
_MOST_AT_ONCE: Final = 25
_ENTRIES_AT_ONCE: Final = 40
_SECONDS: Final = 60.0


class Edits:
    """Sends what the workload asks for; what the server must take and does not is an error."""

    def __init__(self, base_url: str, seed: int) -> None:
        self.made = 0
        self._base_url = base_url
        self._workload = Workload(seed, prefix=f"t{seed}")
        self._session = requests.Session()
        self._session.trust_env = False

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._session.close()

    def begin(self) -> None:
        """Report the first patients."""
        put = self._workload.begin(FIRST_PATIENTS).put
        for some in _portions(put):
            entries = [
                {"resource": one, "request": {"method": "PUT", "url": reference(one)}}
                for one in some
            ]
            bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
            self._good(self._session.post(self._base_url, json=bundle, timeout=_SECONDS))

    def several(self) -> None:
        """Make edits until something was created, something corrected and something deleted."""
        seen: set[str] = set()
        for _ in range(_MOST_AT_ONCE):
            seen.add(self.one())
            if seen >= _ALWAYS:
                break

    def one(self) -> str:
        """Make one edit; its kind."""
        edit: Edit = self._workload.edit()
        edit.apply(self._put, self._delete)
        self.made += 1
        return edit.kind

    def _put(self, resource: dict[str, Any]) -> None:
        where = f"{self._base_url}/{reference(resource)}"
        self._good(self._session.put(where, json=resource, timeout=_SECONDS))

    def _delete(self, name: str) -> None:
        """Delete; a server that keeps what others refer to (409) has it entered in error instead."""
        where = f"{self._base_url}/{name}"
        answer = self._session.delete(where, timeout=_SECONDS)
        if answer.status_code == requests.codes.conflict:
            standing = self._session.get(where, timeout=_SECONDS).json()
            self._put({**standing, "status": "entered-in-error"})
        else:
            self._good(answer)

    def _good(self, answer: requests.Response) -> None:
        assert answer.ok, f"the server refused the laboratory: {answer.status_code}"


def _portions(resources: tuple[dict[str, Any], ...]) -> list[list[dict[str, Any]]]:
    waiting = iter(resources)
    return list(iter(lambda: list(itertools.islice(waiting, _ENTRIES_AT_ONCE)), []))
