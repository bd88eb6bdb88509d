"""Beside the FHIR base: a backup and its return, and a log that names nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapter.errors import ConfigError
from adapter.sandbox.accesses import KEPT, AccessLog
from adapter.sandbox.exchange import FhirRequest, FhirResponse
from adapter.sandbox.server import Sandbox
from tests.unit.sandbox.client import Client, Json, link, observation, reference

PLAIN = {"content_type": "application/json"}


def _admin(fhir: Client, name: str) -> str:
    return fhir.base_url.removesuffix("/fhir") + f"/_sandbox/{name}"


def test_a_restored_backup_goes_back_in_versions_and_uses_them_again(
    sandbox: Sandbox, fhir: Client, new_id: str
) -> None:
    fhir.put(observation(id=new_id, valueString="0"))
    number = sandbox.service.snapshot()
    fhir.put(observation(id=new_id, valueString="1+"))
    fhir.put(observation(id=f"{new_id}-new"))
    sandbox.service.restore(number)

    back = fhir.get(f"Observation/{new_id}").json()
    assert (back["valueString"], back["meta"]["versionId"]) == ("0", "1")
    assert fhir.get(f"Observation/{new_id}-new").status_code == 404
    assert fhir.found("Observation", ("_id", f"{new_id},{new_id}-new")) == [new_id]
    again = fhir.put(observation(id=new_id, valueString="3+")).json()
    assert again["meta"]["versionId"] == "2", "the number of another content"
    sandbox.service.restore(number)
    assert fhir.get(f"Observation/{new_id}").json() == back


def test_pages_are_lost_when_a_server_is_restored(
    sandbox: Sandbox, fhir: Client, woman: Json
) -> None:
    for _ in range(3):
        fhir.stored(observation(subject=reference(woman)))
    page = fhir.search("Observation", ("patient", woman["id"]), ("_count", "1")).json()
    sandbox.service.snapshot()
    sandbox.service.restore()

    assert fhir.get(str(link(page, "next"))).status_code == 410


def test_a_database_in_a_file_is_restored_too(tmp_path: Path) -> None:
    where = str(tmp_path / "sandbox.sqlite")
    with Sandbox(database=where) as sandbox:
        fhir = Client(sandbox.base_url)
        with fhir.session:
            fhir.put(observation(id="kept"))
            sandbox.service.snapshot()
            fhir.put(observation(id="lost"))
            sandbox.service.restore()
    with Sandbox(database=where) as sandbox:
        fhir = Client(sandbox.base_url)
        with fhir.session:
            assert fhir.get("Observation/kept").status_code == 200
            assert fhir.get("Observation/lost").status_code == 404


def test_a_backup_that_is_not_there_cannot_be_restored() -> None:
    with Sandbox() as sandbox:
        for number in (None, 0, 1):
            with pytest.raises(ConfigError, match="no snapshot"):
                sandbox.service.restore(number)


def test_another_process_can_back_up_and_restore(
    sandbox: Sandbox, fhir: Client, new_id: str
) -> None:
    taken = fhir.send("POST", _admin(fhir, "snapshot"), {}, **PLAIN)
    fhir.put(observation(id=new_id))
    for body in ({"snapshot": 1000}, {"snapshot": "last"}):
        assert fhir.send("POST", _admin(fhir, "restore"), body, **PLAIN).status_code == 400
    assert fhir.get(f"Observation/{new_id}").status_code == 200
    assert fhir.send("POST", _admin(fhir, "restore"), taken.json(), **PLAIN).status_code == 200
    assert fhir.get(f"Observation/{new_id}").status_code == 404


def test_the_accesses_name_kinds_and_parameters_and_never_an_id_or_a_value(
    sandbox: Sandbox, fhir: Client, woman: Json
) -> None:
    sandbox.service.accesses.forget()
    fhir.get(f"Patient/{woman['id']}")
    fhir.get(f"Observation?patient={woman['id']}&_count=5", cache_control="no-cache")
    fhir.send(
        "POST",
        "Observation/_search",
        f"patient={woman['id']}&code=x".encode(),
        content_type="application/x-www-form-urlencoded",
    )
    fhir.put(woman)
    fhir.get("Nonsense/1")
    shown = fhir.get(_admin(fhir, "accesses"))

    seen = [
        (
            one["interaction"],
            one["resource_type"],
            one["parameters"],
            one["no_cache"],
            one["status"],
        )
        for one in shown.json()
    ]
    assert seen == [
        ("read", "Patient", [], False, 200),
        ("search-type", "Observation", ["patient", "_count"], True, 200),
        ("search-type", "Observation", ["patient", "code"], False, 200),
        ("update", "Patient", [], False, 200),
        ("", "", [], False, 404),
    ]
    assert woman["id"] not in shown.text
    assert [one.method for one in sandbox.service.accesses.all] == [
        "GET",
        "GET",
        "POST",
        "PUT",
        "GET",
    ]


def test_the_log_is_bounded() -> None:
    log = AccessLog()
    for _ in range(KEPT + 5):
        log.add(FhirRequest("GET", "metadata"), FhirResponse(200))

    assert len(log.all) == KEPT
