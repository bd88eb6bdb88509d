"""Habits of sending a client elsewhere, or away until later, seen by a plain HTTP client."""

from __future__ import annotations

import time

import pytest

from adapter.sandbox.server import Sandbox
from tests.unit.sandbox.client import Client, Json, create_entry, observation, patient, update_entry


def _asked(fhir: Client, url: str, times: int) -> list[int]:
    return [fhir.get(url).status_code for _ in range(times)]


def test_accepted_for_later_tells_the_result_at_another_address(
    sandbox: Sandbox, fhir: Client, new_id: str
) -> None:
    sandbox.habits.choose({"accepted-for-later": 1})
    answer = fhir.transaction(update_entry(patient(id=new_id)))
    url = answer.headers["Content-Location"]

    assert (answer.status_code, answer.content) == (202, b"")
    assert url.startswith(fhir.base_url)
    assert _asked(fhir, url, 3) == [202, 202, 200]
    bundle: Json = fhir.get(url).json()
    assert bundle["type"] == "transaction-response"
    assert bundle["entry"][0]["response"]["status"] == "201 Created"
    assert fhir.get(f"Patient/{new_id}").status_code == 200
    assert fhir.get(f"{url}-other").status_code == 404


@pytest.mark.parametrize(("status", "is_good"), [("200", True), ("400", False)])
def test_accepted_for_later_tells_of_a_single_write_as_a_batch_of_one(
    sandbox: Sandbox, fhir: Client, new_id: str, status: str, is_good: bool
) -> None:
    fhir.put(patient(id=new_id))
    sandbox.habits.choose({"accepted-for-later": "1:done"})
    changed = patient(id=new_id, active=True) if is_good else patient(id=new_id, meta=[])
    url = fhir.put(changed).headers["Content-Location"]
    _asked(fhir, url, 2)
    (entry,) = fhir.get(url).json()["entry"]

    assert entry["response"]["status"] == status
    assert ("resource" in entry) == is_good
    assert ("outcome" in entry["response"]) != is_good


def test_accepted_for_later_may_never_be_done_or_be_told_elsewhere(
    sandbox: Sandbox, fhir: Client
) -> None:
    sandbox.habits.choose({"accepted-for-later": "1:never"})
    url = fhir.transaction(create_entry(patient())).headers["Content-Location"]
    assert _asked(fhir, url, 5) == [202] * 5
    sandbox.habits.choose({"accepted-for-later": "1:foreign"})
    url = fhir.transaction(create_entry(patient())).headers["Content-Location"]
    assert url.startswith("http://elsewhere.invalid/")


def test_redirects_lead_to_the_same_or_to_another_host(
    sandbox: Sandbox, fhir: Client, new_id: str
) -> None:
    fhir.put(observation(id=new_id))
    url = f"{fhir.base_url}/Observation?_id={new_id}"
    sandbox.habits.choose({"redirects": "2:same"})
    assert _asked(fhir, url, 2) == [200, 200], "a client that follows gets there"
    sandbox.habits.choose({"redirects": "1:same"})
    answer = fhir.session.get(url, allow_redirects=False, timeout=10)
    assert (answer.status_code, answer.headers["Location"]) == (307, url)
    sandbox.habits.choose({"redirects": "1:host"})
    answer = fhir.session.get(url, allow_redirects=False, timeout=10)
    assert answer.headers["Location"] == f"http://elsewhere.invalid/fhir/Observation?_id={new_id}"


def test_slow_answers_begin_after_a_time(sandbox: Sandbox, fhir: Client) -> None:
    sandbox.habits.choose({"slow-answers": 0.3})
    begun = time.monotonic()

    assert fhir.get("metadata").status_code == 200
    assert time.monotonic() - begun >= 0.3
