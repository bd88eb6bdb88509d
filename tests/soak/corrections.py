"""A laboratory whose patients stay the same, and whose results never do: what grows here is not its content."""

from __future__ import annotations

import random
from typing import Final

import requests

from tests.workloads.content import ANSWERS, STATUSES, Json, patient, reference, result, specimen

PATIENTS: Final = 100
AT_ONCE: Final = 5
SLOTS: Final = ("ihc", "ish")


class Corrections:
    """Puts patients with a specimen and two results each, and then changes results at random, for ever."""

    def __init__(self, base_url: str, seed: int) -> None:
        self.made = 0
        self._base_url, self._dice = base_url, random.Random(seed)
        self._session = requests.Session()
        self._session.trust_env = False
        for number in range(PATIENTS):
            self._put(patient(f"soak-{number}"))
            self._put(specimen(f"soak-s{number}", f"soak-{number}"))
            for slot in SLOTS:
                self._put(self._result(number, slot))

    def several(self) -> None:
        """Change some results."""
        for _ in range(AT_ONCE):
            self._put(self._result(self._dice.randrange(PATIENTS), self._dice.choice(SLOTS)))
            self.made += 1

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._session.close()

    def _result(self, number: int, slot: str) -> Json:
        answer = self._dice.choice(ANSWERS[slot])
        status = self._dice.choice((*STATUSES, "entered-in-error"))
        return result(slot, answer, of=f"soak-{number}", sample=f"soak-s{number}", status=status)

    def _put(self, resource: Json) -> None:
        url = f"{self._base_url}/{reference(resource)}"
        self._session.put(url, json=resource, timeout=60).raise_for_status()
