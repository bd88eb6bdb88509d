"""Protects includes and paging: nothing lost, nothing twice, and a result set that holds still."""

from __future__ import annotations

import pytest

from adapter.sandbox.rules import ServerRules
from adapter.sandbox.server import Sandbox
from tests.unit.sandbox.client import (
    Client,
    Json,
    create_entry,
    ids,
    issue,
    link,
    observation,
    reference,
    update_entry,
)


def _pages(fhir: Client, path: str) -> list[Json]:
    pages = [fhir.get(path).json()]
    while following := link(pages[-1], "next"):
        answer = fhir.get(following)
        assert answer.status_code == 200, answer.text
        pages.append(answer.json())
    return pages


@pytest.fixture
def sample(fhir: Client, woman: Json) -> dict[str, Json]:
    """A block from a specimen of a woman, a result on it, its report and its provenance."""
    specimen = fhir.stored({"resourceType": "Specimen", "subject": reference(woman)})
    block = fhir.stored({"resourceType": "Specimen", "parent": [reference(specimen)]})
    result = fhir.stored(observation(subject=reference(woman), specimen=reference(block)))
    report = fhir.stored({"resourceType": "DiagnosticReport", "result": [reference(result)]})
    provenance = fhir.stored({"resourceType": "Provenance", "target": [reference(result)]})
    return {
        "woman": woman,
        "specimen": specimen,
        "block": block,
        "result": result,
        "report": report,
        "provenance": provenance,
    }


@pytest.mark.parametrize(
    ("includes", "expected"),
    [
        ("", ""),
        ("_include=Observation:specimen", "block"),
        ("_include=Observation:patient", "woman"),
        ("_include=Observation:subject:Patient", "woman"),
        ("_include=Observation:subject:Group", ""),
        ("_include=Observation:specimen&_include:iterate=Specimen:parent", "block specimen"),
        (
            "_include=Observation:specimen&_include:iterate=Specimen:parent"
            "&_include:iterate=Specimen:patient",
            "block specimen woman",
        ),
        ("_revinclude=Provenance:target", "provenance"),
        ("_revinclude=DiagnosticReport:result", "report"),
        ("_revinclude=Provenance:target:Observation", "provenance"),
        ("_revinclude=Provenance:target:Patient", ""),
        ("_revinclude=Provenance:entity", ""),
        ("_revinclude=Provenance:target&_include=Observation:specimen", "block provenance"),
    ],
)
def test_includes_follow_the_references_asked_for(
    fhir: Client, sample: dict[str, Json], includes: str, expected: str
) -> None:
    bundle = fhir.get(f"Observation?_id={sample['result']['id']}&{includes}").json()
    assert ids(bundle) == [sample["result"]["id"]]
    assert set(ids(bundle, "include")) == {sample[name]["id"] for name in expected.split()}
    assert bundle["total"] == 1


def test_reverse_includes_iterate(fhir: Client, sample: dict[str, Json]) -> None:
    path = f"Specimen?_id={sample['block']['id']}&_revinclude=Observation:specimen"
    assert ids(fhir.get(path).json(), "include") == [sample["result"]["id"]]
    both = fhir.get(f"{path}&_revinclude:iterate=Provenance:target").json()
    included = {sample["result"]["id"], sample["provenance"]["id"]}
    assert set(ids(both, "include")) == included


def test_what_several_matches_share_is_included_once(fhir: Client, sample: dict[str, Json]) -> None:
    block, woman = sample["block"], sample["woman"]
    fhir.stored(observation(subject=reference(woman), specimen=reference(block)))
    bundle = fhir.get(f"Observation?patient={woman['id']}&_include=Observation:specimen").json()
    assert ids(bundle, "include") == [block["id"]]


def test_what_was_included_is_followed_further_only_when_asked_to(
    fhir: Client, woman: Json
) -> None:
    first = fhir.stored(observation(subject=reference(woman)))
    second = fhir.stored(observation(derivedFrom=[reference(first)]))
    third = fhir.stored(observation(derivedFrom=[reference(second)]))
    path = f"Observation?_id={third['id']}&_include"
    once = fhir.get(f"{path}=Observation:derived-from").json()
    assert ids(once, "include") == [second["id"]]
    further = fhir.get(f"{path}:iterate=Observation:derived-from").json()
    assert set(ids(further, "include")) == {first["id"], second["id"]}


def test_a_match_is_not_included_once_more(fhir: Client, woman: Json) -> None:
    source = fhir.stored(observation(subject=reference(woman)))
    fhir.stored(observation(subject=reference(woman), derivedFrom=[reference(source)]))
    path = f"Observation?patient={woman['id']}&_include=Observation:derived-from"
    bundle = fhir.get(path).json()
    assert len(ids(bundle)) == 2
    assert ids(bundle, "include") == []


def test_a_circle_of_references_ends(fhir: Client, new_id: str) -> None:
    other = new_id[::-1]
    for one, parent in ((new_id, None), (other, new_id), (new_id, other)):
        parents = [{"reference": f"Specimen/{parent}"}] if parent else []
        fhir.put({"resourceType": "Specimen", "id": one, "parent": parents})
    bundle = fhir.get(f"Specimen?_id={new_id}&_include:iterate=Specimen:parent").json()
    assert ids(bundle, "include") == [other]


def test_what_was_deleted_is_not_included(fhir: Client, sample: dict[str, Json]) -> None:
    fhir.delete(f"Specimen/{sample['block']['id']}")
    path = f"Observation?_id={sample['result']['id']}&_include=Observation:specimen"
    assert ids(fhir.get(path).json(), "include") == []


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7, 100])
def test_pages_give_every_resource_once_in_order(fhir: Client, woman: Json, size: int) -> None:
    stored = [fhir.stored(observation(subject=reference(woman)))["id"] for _ in range(7)]
    pages = _pages(fhir, f"Observation?patient={woman['id']}&_sort=_lastUpdated,_id&_count={size}")
    assert len(pages) == -(-7 // size)
    assert sorted(one for page in pages for one in ids(page)) == sorted(stored)
    assert {page["total"] for page in pages} == {7}
    assert all(len(ids(page)) == size for page in pages[:-1])


def test_resources_of_one_moment_are_paged_by_id(fhir: Client) -> None:
    names = [f"{number:02}-{'z' if number % 2 else 'a'}" for number in (7, 3, 9, 1, 5, 0, 8)]
    fhir.transaction(*(update_entry({"resourceType": "Slot", "id": name}) for name in names))
    for sort, expected in (("_lastUpdated", sorted(names)), ("-_lastUpdated", sorted(names))):
        pages = _pages(fhir, f"Slot?_sort={sort}&_count=2")
        assert [one for page in pages for one in ids(page)] == expected


def test_each_page_brings_its_own_includes(fhir: Client, woman: Json) -> None:
    for _ in range(3):
        block = fhir.stored({"resourceType": "Specimen"})
        fhir.stored(observation(subject=reference(woman), specimen=reference(block)))
    path = f"Observation?patient={woman['id']}&_count=1&_include=Observation:specimen"
    for page in _pages(fhir, path):
        (entry,) = [one for one in page["entry"] if one["search"]["mode"] == "match"]
        assert entry["resource"]["specimen"]["reference"] == f"Specimen/{ids(page, 'include')[0]}"


def test_what_changes_while_a_client_pages_neither_shifts_nor_hides_the_rest(
    fhir: Client, woman: Json
) -> None:
    stored = [fhir.stored(observation(subject=reference(woman)))["id"] for _ in range(6)]
    path = f"Observation?patient={woman['id']}&_sort=_lastUpdated&_count=2"
    first = fhir.get(path).json()
    shown = ids(first)
    rest = [one for one in stored if one not in shown]
    fhir.put(observation(id=shown[0], subject=reference(woman), status="amended"))
    fhir.delete(f"Observation/{rest[0]}")
    fhir.put(observation(id=rest[1], subject=reference(woman), status="corrected"))
    fhir.stored(observation(subject=reference(woman)))
    following = _pages(fhir, str(link(first, "next")))
    entries = [entry["resource"] for page in following for entry in page.get("entry", [])]
    assert {entry["id"] for entry in entries} == set(rest[1:])
    assert next(one for one in entries if one["id"] == rest[1])["status"] == "corrected"


def test_a_page_can_be_read_again(fhir: Client, woman: Json) -> None:
    for _ in range(3):
        fhir.stored(observation(subject=reference(woman)))
    first = fhir.get(f"Observation?patient={woman['id']}&_count=1").json()
    url = str(link(first, "next"))
    once = fhir.get(url).json()
    assert fhir.get(url).json() == once
    assert link(once, "self") == url


def test_a_next_link_is_below_the_base_and_shows_nothing_of_the_search(
    fhir: Client, woman: Json
) -> None:
    for _ in range(2):
        fhir.stored(observation(subject=reference(woman)))
    first = fhir.get(f"Observation?patient={woman['id']}&_count=1").json()
    url = str(link(first, "next"))
    assert url.startswith(f"{fhir.base_url}?_page=")
    assert woman["id"] not in url


@pytest.mark.parametrize("token", ["", "x", "a.b", "../../etc", "A" * 22, "A" * 22 + ".-1"])
def test_what_is_no_page_token_is_refused(fhir: Client, token: str) -> None:
    assert fhir.get(f"?_page={token}").status_code == 400


def test_a_page_that_is_no_longer_kept_is_gone(sandbox: Sandbox, fhir: Client, woman: Json) -> None:
    for _ in range(2):
        fhir.stored(observation(subject=reference(woman)))
    first = fhir.get(f"Observation?patient={woman['id']}&_count=1").json()
    sandbox.service.interactions.reading.pages.forget()
    answer = fhir.get(str(link(first, "next")))
    assert answer.status_code == 410
    assert issue(answer)["code"] == "expired"


def test_only_so_many_result_sets_are_kept() -> None:
    with Sandbox(rules=ServerRules(kept_result_sets=3)) as sandbox:
        fhir = Client(sandbox.base_url)
        with fhir.session:
            fhir.transaction(*(create_entry({"resourceType": "Slot"}) for _ in range(2)))
            following = [str(link(fhir.get("Slot?_count=1").json(), "next")) for _ in range(4)]
            assert [fhir.get(url).status_code for url in following] == [410, 200, 200, 200]


def test_the_history_of_a_resource_shows_every_version_newest_first(
    fhir: Client, new_id: str
) -> None:
    fhir.put(observation(id=new_id))
    fhir.put(observation(id=new_id, status="amended"))
    fhir.delete(f"Observation/{new_id}")
    fhir.put(observation(id=new_id))
    bundle = fhir.get(f"Observation/{new_id}/_history").json()
    assert (bundle["type"], bundle["total"]) == ("history", 4)
    requests = [entry["request"]["method"] for entry in bundle["entry"]]
    assert requests == ["PUT", "DELETE", "PUT", "PUT"]
    assert [entry["response"]["etag"] for entry in bundle["entry"]] == [
        'W/"4"',
        'W/"3"',
        'W/"2"',
        'W/"1"',
    ]
    assert ["resource" in entry for entry in bundle["entry"]] == [True, False, True, True]
    assert bundle["entry"][2]["resource"]["status"] == "amended"


def test_a_deleted_resource_still_has_its_history(fhir: Client, new_id: str) -> None:
    fhir.put(observation(id=new_id))
    fhir.delete(f"Observation/{new_id}")
    assert fhir.get(f"Observation/{new_id}/_history").json()["total"] == 2
    assert fhir.get(f"Observation/{new_id}-never/_history").status_code == 404


def test_the_history_of_a_type_and_of_the_server_are_paged(fhir: Client, new_id: str) -> None:
    for number in range(3):
        fhir.put({"resourceType": "Goal", "id": f"{new_id[:30]}-{number}"})
    pages = _pages(fhir, "Goal/_history?_count=2")
    shown = [entry["resource"]["id"][-1] for page in pages for entry in page["entry"]]
    assert shown == ["2", "1", "0"]
    whole = fhir.get("_history?_count=3").json()
    assert [entry["resource"]["resourceType"] for entry in whole["entry"]] == ["Goal"] * 3


def test_a_history_can_begin_at_a_moment(fhir: Client) -> None:
    first = fhir.stored({"resourceType": "Flag"})
    since = first["meta"]["lastUpdated"]
    assert fhir.get(f"Flag/_history?_since={since}").json()["total"] == 1
    assert fhir.get("Flag/_history?_since=2999-01-01").json()["total"] == 0
    assert fhir.get("Flag/_history?_since=soon").status_code == 400
    assert fhir.get("Flag/_history?_at=2024").status_code == 400
    assert fhir.get("Flag/_history?_count=0").status_code == 400
