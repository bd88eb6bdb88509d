"""A laboratory that reports HER2 results to a FHIR server over HTTP, as a hospital's engine would.

It shares no code with the adapter. A patient is named by a short word; ids on the server carry a
prefix of their own, so that no test meets the patients of another.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import requests
from tenacity import RetryCallState, retry, retry_if_result, stop_after_attempt, wait_fixed

Json = dict[str, Any]

LOINC = "http://loinc.org"
IHC, FISH, OVERALL = "85319-2", "85318-4", "48676-1"
_ANSWERS = {
    "0": "LA6111-4",
    "1+": "LA11841-6",
    "2+": "LA11842-4",
    "3+": "LA11843-2",
    "Positive": "LA6576-8",
    "Negative": "LA6577-6",
}
"""The answers of LOINC's list LL4396-9; any other text is sent as text alone."""
_TIMEOUT_SECONDS = 60.0
_MET_ITS_NOTIFIER = "HAPI-0826"
"""What HAPI with REST hooks answers to about one write in 7,000 of its own accord, nothing done."""
_ENTRIES_AT_ONCE = 50  # Medplum takes no more in one transaction


class Laboratory:
    """Reports, amends, withdraws and deletes; what it sends must be taken, or the test fails."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.prefix = f"t{uuid.uuid4().hex[:8]}"
        self._session = requests.Session()
        self._session.trust_env = False
        self._registered: set[str] = set()

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._session.close()

    def patient(self, name: str) -> str:
        """Give the reference of a patient; nothing is sent."""
        return f"Patient/{self.prefix}-{name}"

    def sample(self, name: str, letter: str = "a") -> str:
        """Give the reference of a patient's specimen; nothing is sent."""
        return f"Specimen/{self.prefix}-{name}-{letter}"

    def ihc(self, name: str, score: str, **elements: Any) -> str:
        """Report an IHC score of a patient's sample; returns "Observation/<id>"."""
        return self.report(self.result(name, IHC, score, **elements))

    def fish(self, name: str, word: str, **elements: Any) -> str:
        """Report a FISH word of a patient's sample; returns "Observation/<id>"."""
        return self.report(self.result(name, FISH, word, **elements))

    def report(self, *results: Json) -> str:
        """Send results in one transaction, each with its patient and specimens before it.

        Returns the reference of the last one.
        """
        wanted: dict[str, Json] = {}
        for result in results:
            for needed in (*self._surroundings(result), result):
                wanted[_reference(needed)] = needed
        resources = list(wanted.values())
        for start in range(0, len(resources), _ENTRIES_AT_ONCE):
            self.transact(resources[start : start + _ENTRIES_AT_ONCE])
        self._registered |= wanted.keys()
        return _reference(results[-1])

    def result(
        self, name: str, code: str, answer: str, *, letter: str = "a", **elements: Any
    ) -> Json:
        """Make a final result without sending it; elements given as None are left out."""
        test = {IHC: "ihc", FISH: "fish", OVERALL: "overall"}.get(code, code)
        made = {
            "resourceType": "Observation",
            "id": f"{self.prefix}-{name}-{letter}-{test}",
            "status": "final",
            "code": {"coding": [{"system": LOINC, "code": code}]},
            "subject": {"reference": self.patient(name)},
            "specimen": {"reference": self.sample(name, letter)},
            "effectiveDateTime": "2026-01-10",
            "valueCodeableConcept": answer_concept(answer),
            **elements,
        }
        return {key: value for key, value in made.items() if value is not None}

    def amend(self, reference: str, answer: str, status: str = "corrected") -> None:
        """Report another answer for a result that was sent before."""
        self.change(reference, status=status, valueCodeableConcept=answer_concept(answer))

    def withdraw(self, reference: str) -> None:
        """Enter a result in error."""
        self.change(reference, status="entered-in-error")

    def change(self, reference: str, **elements: Any) -> None:
        """Replace elements of any resource; one given as None is removed."""
        changed = {**self.read(reference), **elements}
        self.put({key: value for key, value in changed.items() if value is not None})

    def delete(self, reference: str) -> None:
        """Delete a resource."""
        self._good(self._send("DELETE", self._url(reference)))

    def put(self, resource: Json) -> str:
        """Store a resource under its own id; returns its reference."""
        self._good(self._send("PUT", self._url(_reference(resource)), resource))
        return _reference(resource)

    def read(self, reference: str) -> Json:
        """Read a resource as it stands."""
        return self._good(self._session.get(self._url(reference), timeout=_TIMEOUT_SECONDS))

    def transact(self, resources: Iterable[Json]) -> None:
        """Store resources in one transaction."""
        entries = [
            {"resource": one, "request": {"method": "PUT", "url": _reference(one)}}
            for one in resources
        ]
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        self._good(self._send("POST", self.base_url, bundle))

    def women(self, number: int) -> list[str]:
        """Report IHC and FISH of that many patients, every category among them; their names."""
        names = [f"w{one:03}" for one in range(number)]
        self.report(*(result for one in range(number) for result in self._pair(names[one], one)))
        return names

    def _pair(self, name: str, turn: int) -> Sequence[Json]:
        score = ("0", "1+", "2+", "3+", "2+")[turn % 5]
        if score != "2+":
            return [self.result(name, IHC, score)]
        word = "Positive" if turn % 5 == 4 else "Negative"
        return [self.result(name, IHC, score), self.result(name, FISH, word)]

    def _surroundings(self, result: Json) -> list[Json]:
        subject, specimen = result.get("subject"), result.get("specimen")
        made = []
        for named in (subject, specimen):
            if named is None or named["reference"] in self._registered:
                continue
            kind, _, logical_id = named["reference"].partition("/")
            resource: Json = {"resourceType": kind, "id": logical_id}
            made.append({**resource, "subject": subject} if kind == "Specimen" else resource)
        return made

    def _url(self, reference: str) -> str:
        return f"{self.base_url}/{reference}"

    def _send(self, method: str, url: str, body: Json | None = None) -> requests.Response:
        """Send a write, and once more what met the server's notifier, as any sender of results does."""
        return _again(self._session.request)(method, url, json=body, timeout=_TIMEOUT_SECONDS)

    def _good(self, answer: requests.Response) -> Json:
        if not answer.ok:
            raise AssertionError(f"the server refused the laboratory: {answer.text[:2000]}")
        body: Json = answer.json() if answer.content else {}
        return body


def _met_the_notifier(answer: requests.Response) -> bool:
    return answer.status_code == requests.codes.conflict and _MET_ITS_NOTIFIER in answer.text


def _last_answer(state: RetryCallState) -> requests.Response:
    assert state.outcome is not None
    answer: requests.Response = state.outcome.result()
    return answer


_again = retry(
    retry=retry_if_result(_met_the_notifier),
    stop=stop_after_attempt(3),
    wait=wait_fixed(0.1),
    retry_error_callback=_last_answer,
)


def answer_concept(answer: str) -> Json:
    """Make a coded answer where LOINC has one, else text."""
    if answer not in _ANSWERS:
        return {"text": answer}
    return {"coding": [{"system": LOINC, "code": _ANSWERS[answer], "display": answer}]}


def _reference(resource: Json) -> str:
    return f"{resource['resourceType']}/{resource['id']}"
