"""Habits of the CapabilityStatement, seen by a plain HTTP client."""

from __future__ import annotations

from adapter.sandbox.server import Sandbox
from tests.unit.sandbox.client import Client, Json, create_entry, patient


def _statement(fhir: Client) -> Json:
    rest: Json = fhir.get("metadata").json()["rest"][0]
    return rest


def test_unstated_client_ids_work_all_the_same(sandbox: Sandbox, fhir: Client, new_id: str) -> None:
    sandbox.habits.choose({"unstated-client-ids": True})

    assert all("updateCreate" not in one for one in _statement(fhir)["resource"])
    assert fhir.put(patient(id=new_id)).status_code == 201


def test_a_boasting_statement_promises_what_is_refused(
    sandbox: Sandbox, fhir: Client, new_id: str
) -> None:
    refusing = {"no-client-ids": 405, "no-conditional-update": 405, "no-transactions": 405}
    sandbox.habits.choose({**refusing, "boasting-statement": True})
    stated = _statement(fhir)

    assert "transaction" in [one["code"] for one in stated["interaction"]]
    assert all(one["updateCreate"] and one["conditionalUpdate"] for one in stated["resource"])
    assert fhir.put(patient(id=new_id)).status_code == 405
    assert fhir.transaction(create_entry(patient())).status_code == 405
