"""Protects who is who: ids, hashes and fingerprints are a contract with hospitals' records.

A changed id would write every result a second time; a fingerprint that sees too much would write
for ever, one that sees too little would leave a wrong category standing.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.fhir.identity import (
    case_identifier,
    category_of,
    content_hash,
    derived_id,
    device_id,
    fingerprint,
    is_own,
    is_safe_id,
    provenance_id,
    relative_reference,
)
from adapter.fhir.strict_json import read_json
from adapter.her2.model import Category, Reason
from adapter.transport.bundles import split_reference
from tests.unit.fhir.record_builders import (
    IHC,
    LATER,
    Json,
    answer,
    as_stored,
    case,
    component,
    facts,
    ihc_only,
    number,
    observation,
    record,
)

BASE = ("http://fhir.local/r4",)
ID = derived_id("default", "asco-cap", "Patient/1", "specimen:Specimen/s1")


def test_the_id_of_a_case_never_changes_between_releases() -> None:
    # Written into hospitals' records: these literals may not be edited.
    assert ID == "a308772f-fb93-89b4-b264-21642a4be117"
    assert provenance_id(ID, "1", "f") == "7e1c9de7-17f5-822e-9ed3-e115db3f156c"
    assert provenance_id(ID, None, "f") == provenance_id(ID, "new", "f")
    assert record()["id"] == ID
    assert uuid.UUID(ID).version == 8
    assert uuid.UUID(ID).variant == uuid.RFC_4122
    assert is_safe_id(ID)


@pytest.mark.parametrize(
    "other",
    [
        ("demo", "asco-cap", "Patient/1", "specimen:Specimen/s1"),
        ("default", "basic", "Patient/1", "specimen:Specimen/s1"),
        ("default", "asco-cap", "Patient/2", "specimen:Specimen/s1"),
        ("default", "asco-cap", "Patient/1", "specimen:Specimen/s2"),
        ("default", "asco-cap", "Patient/1specimen:", "Specimen/s1"),
    ],
    ids=["namespace", "policy family", "subject", "sample", "moved boundary"],
)
def test_another_case_has_another_id(other: tuple[str, str, str, str]) -> None:
    assert derived_id(*other) != ID


def test_a_to_b_to_a_gives_three_provenances_and_a_retry_repeats_its_own() -> None:
    low, equivocal = "fingerprint-low", "fingerprint-equivocal"
    versions = [(None, low), ("1", equivocal), ("2", low)]
    ids = [provenance_id(ID, replaced, said) for replaced, said in versions]
    assert len(set(ids)) == 3
    assert provenance_id(ID, "2", low) == ids[2]


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.0.0", "her2-adapter-1.0.0"),
        ("1.0.0rc1+local_build", "her2-adapter-1.0.0rc1-local-build"),
    ],
)
def test_the_device_id_is_safe_on_every_server(version: str, expected: str) -> None:
    assert device_id(version) == expected
    assert is_safe_id(device_id(version))
    assert is_safe_id(device_id("9" * 200))


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("abc-1.0", True),
        ("a" * 64, True),
        ("a" * 65, False),
        ("12345", False),
        ("a_b", False),
        ("", False),
        ("a\n", False),
        ("ä", False),
    ],
)
def test_ids_that_some_server_refuses_are_not_safe(text: str, safe: bool) -> None:
    assert is_safe_id(text) is safe


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("Observation/1", "Observation/1"),
        ("Observation/1/_history/2", "Observation/1"),
        ("http://fhir.local/r4/Observation/1", "Observation/1"),
        ("http://fhir.local/r4x/Observation/1", None),
        ("http://other.local/r4/Observation/1", None),
        ("#contained", None),
        ("urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", None),
        ("Observation?identifier=1", None),
        ("Specimen/..", None),
        ("Specimen/.", None),
        ("Specimen/../_history/1", None),
        ("Specimen/..a", "Specimen/..a"),
        (f"{'T' * 65}/1", None),
        (None, None),
        (7, None),
    ],
)
def test_only_literal_references_of_ours_are_made_relative(
    reference: object, expected: str | None
) -> None:
    assert relative_reference(reference, BASE) == expected


@given(
    st.from_regex(
        r"[A-Z][A-Za-z]{0,70}/[A-Za-z0-9.\-]{0,70}(/_history/[a-z0-9.]{0,3})?", fullmatch=True
    )
)
def test_what_is_followed_can_be_asked_for(reference: str) -> None:
    relative = relative_reference(reference)
    assert relative is None or split_reference(relative) is not None


def test_meta_text_and_contained_narrative_do_not_change_the_content_hash() -> None:
    plain = observation(contained=[{"resourceType": "Specimen", "id": "c"}])
    dressed = observation(
        meta={"versionId": "9"},
        text={"status": "generated", "div": "<div/>"},
        contained=[{"resourceType": "Specimen", "id": "c", "text": {"div": "<div/>"}}],
    )
    assert content_hash(plain) == content_hash(dressed)
    assert len(content_hash(plain)) == 64


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "amended"},
        {"valueString": "1+"},
        {"contained": [{"resourceType": "Specimen", "id": "other"}]},
    ],
    ids=["status", "value", "contained"],
)
def test_any_other_change_of_a_source_changes_its_content_hash(changes: Json) -> None:
    assert content_hash(observation(**changes)) != content_hash(observation())


def test_the_content_hash_sees_the_digits_of_a_decimal_and_not_the_order_of_keys() -> None:
    exact, longer = b'{"a":1,"value":2.0}', b'{"a":1,"value":2.00}'
    turned = b'{ "value": 2.0, "a": 1 }'
    assert content_hash(read_json(exact)) != content_hash(read_json(longer))
    assert content_hash(read_json(exact)) == content_hash(read_json(turned))


def _absolute(stored: Json) -> None:
    stored["subject"]["reference"] = "http://fhir.local/r4/Patient/1"
    stored["specimen"]["reference"] = "http://fhir.local/r4/Specimen/s1"
    for source in stored["derivedFrom"]:
        source["reference"] = f"http://fhir.local/r4/{source['reference']}/_history/1"


def _decimals_shortened(stored: Json) -> None:
    component(stored, "ratio-used")[0]["valueQuantity"]["value"] = Decimal("1.4")


def _ids_and_extensions(stored: Json) -> None:
    stored["component"][0]["id"] = "x1"
    stored["component"][0]["extension"] = [{"url": "http://vendor", "valueString": "x"}]
    stored["component"][0]["valueCodeableConcept"]["id"] = "x2"
    stored["component"][0]["valueCodeableConcept"]["coding"][0]["userSelected"] = False
    stored["component"][0]["valueCodeableConcept"]["coding"][0]["display"] = "renamed"
    stored["extension"] = [{"url": "http://vendor", "valueString": "x"}]
    stored["note"][0]["time"] = "2026-03-01T09:30:00Z"
    stored["meta"]["security"] = [{"code": "R"}]


def _reordered(stored: Json) -> None:
    stored["component"].reverse()
    stored["derivedFrom"].reverse()


def _instants_respelled(stored: Json) -> None:
    stored["effectiveDateTime"] = "2026-01-05T09:00:00.000Z"  # 10:00+01:00 as sent


def _not_ours_to_compare(stored: Json) -> None:
    stored["issued"] = "2020-01-01T00:00:00Z"
    stored["device"] = {"reference": "Device/her2-adapter-0.9"}
    stored["text"]["div"] = "<div/>"
    stored["status"] = "corrected"


@pytest.mark.parametrize(
    "server_habit",
    [
        _absolute,
        _decimals_shortened,
        _ids_and_extensions,
        _reordered,
        _instants_respelled,
        _not_ours_to_compare,
    ],
)
def test_what_servers_do_to_a_stored_record_does_not_change_its_fingerprint(
    server_habit: Callable[[Json], None],
) -> None:
    sent = record()
    stored = copy.deepcopy(as_stored(sent))
    server_habit(stored)
    assert fingerprint(stored, base_urls=BASE) == fingerprint(sent, base_urls=BASE)


def _edit(name: str, value: object) -> Callable[[Json], None]:
    def edit(stored: Json) -> None:
        stored[name] = value

    return edit


def _other_category(stored: Json) -> None:
    stored["valueCodeableConcept"]["coding"][0]["code"] = "positive"


def _other_ratio(stored: Json) -> None:
    component(stored, "ratio-used")[0]["valueQuantity"]["value"] = Decimal("1.41")


def _comparator(stored: Json) -> None:
    component(stored, "ratio-used")[0]["valueQuantity"]["comparator"] = "<"


def _component_lost(stored: Json) -> None:
    stored["component"].pop()


def _note_lost(stored: Json) -> None:
    stored["note"].pop()


def _source_lost(stored: Json) -> None:
    stored["derivedFrom"].pop()


@pytest.mark.parametrize(
    "edit",
    [
        _other_category,
        _other_ratio,
        _comparator,
        _component_lost,
        _note_lost,
        _source_lost,
        _edit("valueCodeableConcept", {"text": "HER2-low"}),
        _edit("status", "entered-in-error"),
        _edit("status", "preliminary"),
        _edit("status", "cancelled"),
        _edit("status", {"not": "a code"}),
        _edit("subject", {"reference": "Patient/2"}),
        _edit("subject", {"reference": "http://other.local/r4/Patient/1"}),
        _edit("subject", None),
        _edit("specimen", {"reference": "Specimen/s2"}),
        _edit("focus", [{"reference": "Condition/1"}]),
        _edit("effectiveDateTime", "2026-01-05"),
        _edit("effectiveDateTime", "not a date"),
        _edit("effectiveDateTime", "2026-13-45T10:00:00Z"),
        _edit("effectivePeriod", {"start": "2026-01-05"}),
        _edit("component", "broken"),
    ],
)
def test_an_edit_of_what_the_record_says_changes_its_fingerprint(
    edit: Callable[[Json], None],
) -> None:
    sent = record()
    stored = copy.deepcopy(as_stored(sent))
    edit(stored)
    assert fingerprint(stored, base_urls=BASE) != fingerprint(sent, base_urls=BASE)


def test_an_open_result_that_somebody_made_final_is_noticed() -> None:
    sent = record(ihc_only(Category.EQUIVOCAL, "2+"))
    assert fingerprint({**sent, "status": "final"}) != fingerprint(sent)
    assert fingerprint({**sent, "status": "amended"}) == fingerprint(sent)


def test_a_new_source_version_that_changes_nothing_has_the_same_fingerprint() -> None:
    again = facts(
        observation(IHC, meta={"versionId": "2"}, valueString="2 +"),
        observation("Observation/ish-1", meta={"versionId": "7"}),
    )
    assert fingerprint(record(sources=again)) == fingerprint(record())


def test_an_upgrade_of_software_and_mappings_has_the_same_fingerprint() -> None:
    upgraded = record(now=LATER, software_version="2.0.0", mappings_version="2.0.0")
    assert fingerprint(upgraded) == fingerprint(record())


@pytest.mark.parametrize(
    "changed",
    [
        answer(review=True),
        answer(reasons=(Reason("new", "A new reason."),)),
        answer(limits=()),
        answer(ihc_used=None),
        answer(used=(IHC,)),
        answer(ish_used=None),
    ],
)
def test_a_change_of_the_answer_changes_the_fingerprint(changed: object) -> None:
    assert fingerprint(record(changed)) != fingerprint(record())  # type: ignore[arg-type]


def test_fingerprints_do_not_depend_on_trailing_zeros_in_the_answer() -> None:
    def ratio(text: str) -> Json:
        parts = answer()
        assert parts.ish_used is not None
        used = type(parts.ish_used)(word=parts.ish_used.word, ratio=number(text))
        return {"component": record(answer(ish_used=used))["component"]}

    assert fingerprint(ratio("2.0")) == fingerprint(ratio("2.00")) == fingerprint(ratio("2"))
    assert fingerprint(ratio("2.0")) != fingerprint(ratio("20"))


def _only(*names: str) -> Json:
    made = record()
    kept = {name: made[name] for name in names}
    return {"resourceType": "Observation", "id": "copy", "status": "final", **kept}


@pytest.mark.parametrize("mark", ["meta", "identifier", "code"])
def test_our_output_is_known_by_any_one_of_its_marks(mark: str) -> None:
    assert is_own(_only(mark))


def test_a_laboratory_result_is_not_our_output() -> None:
    from_laboratory = observation(
        identifier=[{"system": "http://lab", "value": "1"}],
        code={"coding": record()["code"]["coding"][:1]},
    )
    assert not is_own(from_laboratory)
    assert not is_own({"resourceType": "Observation", "meta": None, "code": "x", "identifier": {}})


def test_an_identifier_or_category_of_another_system_is_not_ours() -> None:
    foreign = {"system": "http://lab", "value": "1", "code": "low"}
    ours = record()
    mixed = {
        **ours,
        "identifier": [foreign, *ours["identifier"]],
        "valueCodeableConcept": {"coding": [foreign, *ours["valueCodeableConcept"]["coding"]]},
    }
    assert case_identifier(mixed) == ours["id"]
    assert category_of(mixed) == "low"
    assert case_identifier({"identifier": [foreign]}) is None
    assert category_of({"valueCodeableConcept": {"coding": [foreign]}}) is None


def test_case_and_category_are_read_back_from_a_record() -> None:
    made = record()
    assert case_identifier(made) == made["id"]
    assert category_of(made) == "low"
    assert case_identifier(observation()) is None
    assert category_of(observation()) is None
    assert case().key == "specimen:Specimen/s1"
