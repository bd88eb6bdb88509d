"""Protects bundles: a transaction lands whole or not at all, a batch entry by entry."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import requests

from adapter.sandbox.server import Sandbox
from tests.unit.sandbox.client import (
    Client,
    Json,
    create_entry,
    delete_entry,
    get_entry,
    ids,
    issue,
    observation,
    patient,
    reference,
    update_entry,
)

SYSTEM = "http://hospital.test/mrn"


def _statuses(answer: requests.Response) -> list[str]:
    return [entry["response"]["status"].split()[0] for entry in answer.json()["entry"]]


def _urn() -> str:
    return f"urn:uuid:{uuid.uuid4()}"


def test_a_transaction_answers_entry_by_entry_in_the_order_sent(
    fhir: Client, woman: Json, new_id: str
) -> None:
    doomed = fhir.stored(patient())
    answer = fhir.transaction(
        get_entry(f"Observation?patient={woman['id']}"),
        update_entry(observation(id=new_id, subject=reference(woman))),
        create_entry(patient()),
        delete_entry(f"Patient/{doomed['id']}"),
    )
    body = answer.json()
    assert (answer.status_code, body["type"]) == (200, "transaction-response")
    assert _statuses(answer) == ["200", "201", "201", "204"]
    read, updated, created, deleted = body["entry"]
    assert ids(read["resource"]) == [new_id], "reads see what the transaction wrote"
    assert updated["response"]["location"] == f"Observation/{new_id}/_history/1"
    assert updated["response"]["etag"] == 'W/"1"'
    stored = fhir.get(f"Observation/{new_id}").json()
    assert updated["response"]["lastModified"] == stored["meta"]["lastUpdated"]
    assert "resource" not in updated
    assert fhir.get(created["response"]["location"]).status_code == 200
    assert "location" not in deleted["response"]


@pytest.mark.parametrize(
    ("prefer", "shown"),
    [
        ("return=representation", "resource"),
        ("return=minimal", None),
        ("return=OperationOutcome", "outcome"),
    ],
)
def test_prefer_says_what_each_entry_returns(
    fhir: Client, new_id: str, prefer: str, shown: str | None
) -> None:
    answer = fhir.transaction(update_entry(patient(id=new_id)), prefer=prefer)
    (entry,) = answer.json()["entry"]
    assert ("resource" in entry) is (shown == "resource")
    assert ("outcome" in entry["response"]) is (shown == "outcome")
    if shown == "resource":
        assert entry["resource"] == fhir.get(f"Patient/{new_id}").json()


def test_all_versions_of_a_transaction_have_the_same_time(fhir: Client) -> None:
    answer = fhir.transaction(*(create_entry(patient()) for _ in range(5)))
    assert len({entry["response"]["lastModified"] for entry in answer.json()["entry"]}) == 1


BAD_ENTRIES: dict[str, tuple[Json, int]] = {
    "a reference to nobody": (
        create_entry(observation(subject={"reference": "Patient/nobody"})),
        400,
    ),
    "a URN of no entry": (create_entry(observation(subject={"reference": _urn()})), 400),
    "no status": (create_entry({"resourceType": "Observation", "code": {"text": "x"}}), 422),
    "a wrong If-Match": (update_entry(patient(id="absent"), ifMatch='W/"3"'), 412),
    "another type": (
        {"resource": patient(), "request": {"method": "POST", "url": "Specimen"}},
        400,
    ),
    "another id": (
        {"resource": patient(id="a"), "request": {"method": "PUT", "url": "Patient/b"}},
        400,
    ),
    "no id": ({"resource": patient(), "request": {"method": "PUT", "url": "Patient/b"}}, 400),
    "no resource": ({"request": {"method": "PUT", "url": "Patient/b"}}, 400),
    "no request": ({"resource": patient()}, 400),
    "no entry": ("Patient", 400),  # type: ignore[dict-item]
    "a method of R4 that is not supported": (
        {"resource": patient(), "request": {"method": "PATCH", "url": "Patient/b"}},
        405,
    ),
    "no method": ({"resource": patient(), "request": {"method": "SAVE", "url": "Patient/b"}}, 400),
    "an unknown type": (get_entry("Woman/1"), 404),
    "a read of nothing": (get_entry("Patient/nobody"), 404),
    "a search that is not understood": (get_entry("Patient?name=x"), 400),
    "a search by POST": (
        {"resource": patient(), "request": {"method": "POST", "url": "Patient/_search"}},
        400,
    ),
    "conditions of a wrong kind": (
        {"resource": patient(), "request": {"method": "POST", "url": "Patient", "ifMatch": 3}},
        400,
    ),
    "a full URL of a wrong kind": ({**create_entry(patient()), "fullUrl": 3}, 400),
    "a conditional reference to nobody": (
        create_entry(observation(subject={"reference": f"Patient?identifier={SYSTEM}|nobody"})),
        400,
    ),
}


@pytest.mark.parametrize("name", BAD_ENTRIES)
@pytest.mark.parametrize("position", [0, 2], ids=["first", "last"])
def test_one_bad_entry_undoes_the_whole_transaction(
    fhir: Client, sandbox: Sandbox, new_id: str, name: str, position: int
) -> None:
    bad, status = BAD_ENTRIES[name]
    fhir.put(patient(id=new_id))
    good = [update_entry(patient(id=new_id, active=True)), create_entry(patient())]
    before = sandbox.counts.versions
    answer = fhir.transaction(*good[:position], bad, *good[position:])
    assert answer.status_code == status
    assert issue(answer)["diagnostics"]
    assert fhir.get(f"Patient/{new_id}").json()["meta"]["versionId"] == "1"
    assert sandbox.counts.versions == before
    history = fhir.get("_history?_count=1").json()
    assert history["entry"][0]["resource"]["id"] == new_id


def test_the_entry_at_fault_is_named(fhir: Client) -> None:
    bad, _ = BAD_ENTRIES["no status"]
    said = issue(fhir.transaction(create_entry(patient()), bad))
    assert said["diagnostics"].startswith("Bundle.entry[1]: ")
    assert said["expression"] == ["Observation.status"]


def test_the_index_is_rolled_back_with_the_rest(fhir: Client, woman: Json, new_id: str) -> None:
    of_her = ("patient", woman["id"])
    fhir.put(observation("1-1", id=new_id, subject=reference(woman)))
    bad, _ = BAD_ENTRIES["a reference to nobody"]
    fhir.transaction(update_entry(observation("2-2", id=new_id)), bad)
    assert fhir.found("Observation", of_her, ("code", "1-1")) == [new_id]
    assert fhir.found("Observation", ("_id", new_id), ("code", "2-2")) == []


def test_references_between_entries_become_those_of_the_stored_resources(fhir: Client) -> None:
    her, block = _urn(), _urn()
    answer = fhir.transaction(
        create_entry(
            observation(
                subject={"reference": her},
                specimen={"reference": block},
                extension=[{"url": "http://x.test", "valueUri": block}],
                note=[{"text": her}],
            )
        ),
        create_entry({"resourceType": "Specimen", "subject": {"reference": her}}, block),
        create_entry(patient(), her),
        prefer="return=representation",
    )
    result, specimen, woman = (entry["resource"] for entry in answer.json()["entry"])
    assert result["subject"] == reference(woman)
    assert result["specimen"] == reference(specimen)
    assert specimen["subject"] == reference(woman)
    assert result["extension"][0]["valueUri"] == f"Specimen/{specimen['id']}"
    assert result["note"] == [{"text": her}], "text is not a link"
    assert fhir.found("Observation", ("patient", woman["id"])) == [result["id"]]


def test_an_entry_can_be_referred_to_by_the_id_it_will_have(fhir: Client, new_id: str) -> None:
    answer = fhir.transaction(
        create_entry(
            {"resourceType": "Provenance", "target": [{"reference": f"Observation/{new_id}"}]}
        ),
        update_entry(observation(id=new_id)),
    )
    assert _statuses(answer) == ["201", "201"]


def test_relative_references_mean_the_neighbours_on_the_server_they_came_from(
    fhir: Client,
) -> None:
    root = "http://elsewhere.test/fhir"
    answer = fhir.transaction(
        create_entry(patient(id="7"), f"{root}/Patient/7"),
        create_entry(observation(subject={"reference": "Patient/7"}), f"{root}/Observation/1"),
        prefer="return=representation",
    )
    woman, result = (entry["resource"] for entry in answer.json()["entry"])
    assert result["subject"] == reference(woman)


def test_references_of_the_updated_resource_may_lead_to_a_conditional_create(
    fhir: Client, new_id: str
) -> None:
    known = fhir.stored(patient(identifier=[{"system": SYSTEM, "value": new_id}]))
    criteria = f"identifier={SYSTEM}|{new_id}"
    her = _urn()
    answer = fhir.transaction(
        create_entry(patient(), her, ifNoneExist=criteria),
        update_entry(observation(id=new_id, subject={"reference": her})),
        prefer="return=representation",
    )
    assert _statuses(answer) == ["200", "201"]
    first, second = answer.json()["entry"]
    assert first["resource"] == known
    assert first["response"]["location"] == f"Patient/{known['id']}/_history/1"
    assert second["resource"]["subject"] == reference(known)


def test_a_conditional_reference_is_resolved_to_the_one_match(fhir: Client, new_id: str) -> None:
    identifier = [{"system": SYSTEM, "value": new_id}]
    known = fhir.stored(patient(identifier=identifier))
    entry = create_entry(
        observation(subject={"reference": f"Patient?identifier={SYSTEM}|{new_id}"})
    )
    answer = fhir.transaction(entry, prefer="return=representation")
    assert answer.json()["entry"][0]["resource"]["subject"] == reference(known)
    fhir.stored(patient(identifier=identifier))
    assert fhir.transaction(entry).status_code == 412


def test_if_match_guards_an_update_inside_a_transaction(fhir: Client, new_id: str) -> None:
    fhir.put(patient(id=new_id))
    right = update_entry(patient(id=new_id, active=True), ifMatch='W/"1"')
    assert fhir.transaction(right).status_code == 200
    late = update_entry(patient(id=new_id, active=False), ifMatch='W/"1"')
    answer = fhir.transaction(create_entry(patient()), late)
    assert answer.status_code == 412
    assert fhir.get(f"Patient/{new_id}").json()["active"] is True


def test_conditional_updates_work_inside_a_transaction(fhir: Client, new_id: str) -> None:
    content = patient(identifier=[{"system": SYSTEM, "value": new_id}])
    url = f"Patient?identifier={SYSTEM}%7C{new_id}"
    entry = {"resource": content, "request": {"method": "PUT", "url": url}}
    assert _statuses(fhir.transaction(entry)) == ["201"]
    assert _statuses(fhir.transaction(entry)) == ["200"]
    assert len(fhir.found("Patient", ("identifier", f"{SYSTEM}|{new_id}"))) == 1


@pytest.mark.parametrize(
    "entries",
    [
        [update_entry(patient(id="same")), update_entry(patient(id="same", active=True))],
        [update_entry(patient(id="same")), delete_entry("Patient/same")],
        [
            create_entry(patient(), ifNoneExist="identifier=twin"),
            create_entry(patient(), ifNoneExist="identifier=twin"),
        ],
        [
            create_entry(patient(), ifNoneExist="identifier=twin"),
            {"resource": patient(), "request": {"method": "PUT", "url": "Patient?identifier=twin"}},
        ],
        [create_entry(patient(), "urn:uuid:1"), create_entry(patient(), "urn:uuid:1")],
    ],
    ids=["PUT twice", "PUT and DELETE", "POST twice", "POST and PUT", "full URL twice"],
)
def test_one_identity_may_stand_in_a_transaction_once(fhir: Client, entries: list[Json]) -> None:
    answer = fhir.transaction(*entries)
    assert answer.status_code == 400
    assert issue(answer)["diagnostics"].startswith("Bundle.entry[1]: ")
    assert fhir.get("Patient/same").status_code == 404


def test_the_same_transaction_sent_again_makes_no_new_versions(
    fhir: Client, sandbox: Sandbox, new_id: str
) -> None:
    entries = [
        update_entry(observation(id=new_id)),
        update_entry(
            {
                "resourceType": "Provenance",
                "id": new_id,
                "target": [{"reference": f"Observation/{new_id}"}],
            }
        ),
    ]
    assert _statuses(fhir.transaction(*entries)) == ["201", "201"]
    before = sandbox.counts.versions
    again = fhir.transaction(*entries)
    assert _statuses(again) == ["200", "200"]
    assert sandbox.counts.versions == before


def test_deletes_come_before_creates_and_updates(fhir: Client, new_id: str) -> None:
    known = fhir.stored(patient(identifier=[{"system": SYSTEM, "value": new_id}]))
    specimen = {"resourceType": "Specimen", "id": new_id}
    answer = fhir.transaction(
        get_entry(f"Patient?identifier={SYSTEM}|{new_id}"),
        update_entry(specimen),
        delete_entry(f"Patient/{known['id']}"),
    )
    assert _statuses(answer) == ["200", "201", "204"]
    assert answer.json()["entry"][0]["resource"]["total"] == 0


def test_absolute_urls_of_this_server_are_understood_in_entries(fhir: Client, woman: Json) -> None:
    url = f"{fhir.base_url}/Patient/{woman['id']}"
    assert _statuses(fhir.transaction(get_entry(url), get_entry(f"Patient/{woman['id']}"))) == [
        "200",
        "200",
    ]


@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_an_empty_bundle_is_answered_with_an_empty_one(fhir: Client, kind: str) -> None:
    body = {"resourceType": "Bundle", "type": kind}
    answer = fhir.send("POST", "", body)
    assert answer.status_code == 200
    assert answer.json() == {"resourceType": "Bundle", "type": f"{kind}-response"}


@pytest.mark.parametrize(
    "body",
    [
        patient(),
        {"resourceType": "Bundle"},
        {"resourceType": "Bundle", "type": "collection", "entry": []},
        {"resourceType": "Bundle", "type": "transaction", "entry": {}},
        [],
    ],
    ids=["no bundle", "no type", "a collection", "entry no list", "a list"],
)
def test_the_base_takes_batches_and_transactions_only(fhir: Client, body: Any) -> None:
    assert fhir.send("POST", "", body).status_code == 400


def test_a_stored_bundle_keeps_its_own_references(fhir: Client) -> None:
    inner = {"resource": observation(subject={"reference": "urn:uuid:none"})}
    stored = fhir.stored({"resourceType": "Bundle", "type": "collection", "entry": [inner]})
    assert stored["entry"] == [inner]


def test_a_batch_carries_out_each_entry_for_itself(fhir: Client, woman: Json, new_id: str) -> None:
    answer = fhir.batch(
        update_entry(patient(id=new_id)),
        get_entry("Patient/nobody"),
        create_entry(observation(subject={"reference": "Patient/nobody"})),
        get_entry(f"Patient/{woman['id']}"),
        get_entry(f"Patient?_id={woman['id']}"),
        update_entry(patient(id=new_id, active=True), ifMatch='W/"9"'),
        delete_entry(f"Patient/{new_id}"),
        "nonsense",  # type: ignore[arg-type]
        prefer="return=representation",
    )
    assert (answer.status_code, answer.json()["type"]) == (200, "batch-response")
    assert _statuses(answer) == ["201", "404", "400", "200", "200", "412", "204", "400"]
    entries = answer.json()["entry"]
    for failed in (1, 2, 5, 7):
        assert entries[failed]["response"]["outcome"]["resourceType"] == "OperationOutcome"
        assert "resource" not in entries[failed]
    assert entries[3]["resource"] == woman
    assert ids(entries[4]["resource"]) == [woman["id"]]
    assert fhir.get(f"Patient/{new_id}").status_code == 410


def test_a_batch_does_not_join_its_entries(fhir: Client) -> None:
    her = _urn()
    answer = fhir.batch(
        create_entry(patient(), her), create_entry(observation(subject={"reference": her}))
    )
    assert _statuses(answer) == ["201", "400"]
