"""Protects Provenance, Device and the transaction: who made which version, from exactly what.

Also what the models of fhir.resources let pass: every rule of `check_record` is broken once.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from adapter.errors import InvalidRecord
from adapter.fhir.identity import content_hash
from adapter.fhir.record.derive import withdraw
from adapter.fhir.record.provenance import (
    KEEP_VERSIONS,
    check_record,
    conditional_entry,
    device,
    frozen_bundle_body,
    provenance,
    transaction_entry,
)
from adapter.fhir.strict_json import read_json
from adapter.her2.model import Category, Reason
from adapter.terminology.systems import BASE, SOURCE_CONTENT_HASH_EXTENSION
from tests.unit.fhir.record_builders import (
    IHC,
    ISH,
    LATER,
    LINK,
    Json,
    as_stored,
    context,
    facts,
    ihc_only,
    observation,
    record,
)

SOURCES = list(facts().values())


def made(resource: Json | None = None, replaced: str | None = None, **changes: object) -> Json:
    return provenance(
        resource or record(), replaced=replaced, sources=SOURCES, context=context(**changes)
    )


def test_each_link_of_a_person_is_a_reason_with_who_when_and_why() -> None:
    links = (LINK, replace(LINK, second="Observation/ish-1", because="<b>One</b> tumour"))
    written = provenance(
        record(), replaced=None, sources=SOURCES, context=context(), joined_by=links
    )
    assert [one["text"] for one in written["reason"]] == [
        "Joined by a person: Specimen/s1 and Specimen/s2, "
        "by Dr A. Example on 2026-02-20: FISH was done on the excision",
        "Joined by a person: Observation/ish-1 and Specimen/s1, "
        "by Dr A. Example on 2026-02-20: <b>One</b> tumour",
    ]
    assert [one["coding"] for one in written["reason"]] == [
        [
            {
                "system": f"{BASE}/CodeSystem/her2-adapter",
                "code": "joined-by-link",
                "display": "Joined by a person",
            }
        ]
    ] * 2
    assert check_record(written) == []


def test_without_a_link_there_is_no_reason() -> None:
    assert "reason" not in made()


def test_each_source_is_an_entity_with_its_version_and_content_hash() -> None:
    sources = facts(observation(IHC, meta={"versionId": "5"}), observation(ISH, meta=None))
    written = provenance(
        record(), replaced=None, sources=list(sources.values())[::-1], context=context()
    )
    expected = [
        (f"{IHC}/_history/5", content_hash(observation(IHC))),
        (ISH, content_hash(observation(ISH))),
    ]
    assert [
        (entity["what"]["reference"], entity["extension"][0]["valueString"])
        for entity in written["entity"]
    ] == expected
    assert {entity["role"] for entity in written["entity"]} == {"source"}
    assert {entity["extension"][0]["url"] for entity in written["entity"]} == {
        SOURCE_CONTENT_HASH_EXTENSION
    }
    assert all(set(entity["what"]) == {"reference"} for entity in written["entity"])


def test_the_time_of_the_pass_is_both_occurred_and_recorded() -> None:
    written = made(now=LATER)
    assert written["occurredDateTime"] == written["recorded"] == "2026-03-02T09:30:00.000Z"


def test_a_sites_choices_are_named_with_the_policy() -> None:
    changed = replace(context().policy, zero_plus="zero", tumour_site="required")
    written = made(policy=changed)

    assert written["policy"][1:3] == [
        "https://w3id.org/her2-adapter/policy/asco-cap-2023/zero-plus|zero",
        "https://w3id.org/her2-adapter/policy/asco-cap-2023/tumour-site|required",
    ]
    assert check_record(written) == []
    assert len(made()["policy"]) == 2, "the policy's version says what the defaults are"


def test_policies_are_uris_with_versions_and_without_blanks() -> None:
    changed = context().policy.__class__(
        name="our own policy", family="asco-cap", version="1.0 beta", guideline=""
    )
    written = made(policy=changed, overlay_versions=("2026.1+aa", "2+bb"))
    assert written["policy"] == [
        f"{BASE}/policy/our%20own%20policy|1.0%20beta",
        f"{BASE}/mappings|1.0.0",
        f"{BASE}/mappings/overlay|2026.1+aa",
        f"{BASE}/mappings/overlay|2+bb",
    ]
    assert check_record(written) == []


@pytest.mark.parametrize(
    ("status", "replaced", "code"),
    [
        ("final", None, "CREATE"),
        ("amended", "1", "UPDATE"),
        ("entered-in-error", "2", "NULLIFY"),
    ],
)
def test_the_activity_says_what_was_done(status: str, replaced: str | None, code: str) -> None:
    written = made({**record(), "status": status}, replaced)
    assert written["activity"]["coding"][0]["code"] == code


def test_the_device_is_the_agent_on_behalf_of_the_organization() -> None:
    (agent,) = made()["agent"]
    assert agent["type"]["coding"][0]["code"] == "assembler"
    assert agent["who"] == {"reference": "Device/her2-adapter-1.0.0"}
    assert agent["onBehalfOf"] == {"reference": "Organization/lab"}
    assert "onBehalfOf" not in made(organization=None)["agent"][0]


def test_versions_of_references_are_asked_to_be_kept() -> None:
    kept = made()["meta"]["extension"]
    assert kept == [
        {"url": KEEP_VERSIONS, "valueString": "entity.what"},
        {"url": KEEP_VERSIONS, "valueString": "target"},
    ]
    assert made(keep_target_version=False)["meta"]["extension"] == kept[:1]


def test_a_to_b_to_a_gives_three_provenances_and_a_retry_the_same() -> None:
    low, equivocal = record(), record(ihc_only(Category.EQUIVOCAL, "2+"))
    ids = [made(low)["id"], made(equivocal, "1")["id"], made(low, "2")["id"]]
    assert len(set(ids)) == 3
    assert made(low, "2", now=LATER, software_version="9")["id"] == ids[2]


def test_the_target_is_the_observation_without_a_version() -> None:
    assert made()["target"] == [{"reference": f"Observation/{record()['id']}"}]


def test_where_the_server_chooses_ids_the_key_is_a_tag_and_the_target_an_entry() -> None:
    written = made(server_assigns_ids=True)
    tag = {"system": f"{BASE}/CodeSystem/provenance-key", "code": written["id"]}
    assert written["meta"]["tag"] == [tag]
    assert written["target"] == [{"reference": f"urn:uuid:{record()['id']}"}]
    later = made(as_stored(record()), "1", server_assigns_ids=True)
    assert later["target"] == [{"reference": f"Observation/{record()['id']}"}]
    assert check_record(written) == []


def test_a_withdrawal_without_any_source_left_still_has_a_provenance() -> None:
    gone = withdraw(as_stored(record()), reason=Reason("r", "Gone."), context=context())
    written = provenance(gone, replaced="1", sources=[], context=context())
    assert "entity" not in written
    assert check_record(written) == []


def test_the_device_of_a_version_is_always_the_same() -> None:
    assert device("1.0.0") == device("1.0.0")
    assert device("1.0.0")["version"] == [{"value": "1.0.0"}]
    assert check_record(device("1.0.0+local build")) == []


def test_an_entry_puts_under_the_id_and_if_match_only_where_asked() -> None:
    resource = record()
    entry = transaction_entry(resource)
    assert entry["resource"] is resource
    assert entry["request"] == {"method": "PUT", "url": f"Observation/{resource['id']}"}
    assert transaction_entry(resource, "7")["request"]["ifMatch"] == 'W/"7"'


def test_a_conditional_entry_is_found_by_the_case_identifier() -> None:
    resource = record()
    query = f"identifier=https%3A%2F%2Fw3id.org%2Fher2-adapter%2Fsid%2Fcase%7C{resource['id']}"
    create = conditional_entry(resource)
    assert create["request"] == {"method": "POST", "url": "Observation", "ifNoneExist": query}
    assert create["fullUrl"] == f"urn:uuid:{resource['id']}"
    assert "id" not in create["resource"]
    update = conditional_entry(resource, update=True)
    assert update["request"] == {"method": "PUT", "url": f"Observation?{query}"}


def test_keys_of_other_systems_are_no_keys() -> None:
    resource = record()
    lab = {"system": "http://lab", "value": "7"}
    resource["identifier"] = [lab, *resource["identifier"]]
    assert "http%3A%2F%2Flab" not in conditional_entry(resource)["request"]["ifNoneExist"]
    resource["identifier"] = [lab]
    with pytest.raises(InvalidRecord, match="neither"):
        conditional_entry(resource)


def test_a_conditional_provenance_is_found_by_its_tag() -> None:
    written = made(server_assigns_ids=True)
    query = conditional_entry(written)["request"]["ifNoneExist"]
    assert query.startswith("_tag=https%3A%2F%2F")
    assert query.endswith(f"provenance-key%7C{written['id']}")


def test_what_has_no_key_cannot_be_written_conditionally() -> None:
    with pytest.raises(InvalidRecord, match="neither"):
        conditional_entry(made())


def test_the_body_is_a_transaction_with_decimals_as_they_were() -> None:
    body = frozen_bundle_body([transaction_entry(record()), transaction_entry(made())])
    bundle = read_json(body)
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "transaction")
    assert [entry["resource"] for entry in bundle["entry"]] == [record(), made()]
    assert b'"value":1.40,' in body


def test_the_same_resource_twice_in_a_transaction_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        frozen_bundle_body([transaction_entry(record()), transaction_entry(record(), "1")])


def _set(*path: object, to: object) -> Callable[[Json], None]:
    def broken(resource: Json) -> None:
        place: object = resource
        for step in path[:-1]:
            place = place[step]  # type: ignore[index]
        place[path[-1]] = to  # type: ignore[index]

    return broken


def _obs_7(resource: Json) -> None:
    resource["component"][0]["code"] = copy.deepcopy(resource["code"])


def _without_code(resource: Json) -> None:
    del resource["code"]


BROKEN = {
    "performer Device": (
        _set("performer", 0, "reference", to="Device/d"),
        "Observation.performer[0]: a reference to Device is not allowed",
    ),
    "absolute performer Device": (
        _set("performer", 0, "reference", to="http://x/r4/Device/d/_history/1"),
        "Observation.performer[0]: a reference to Device is not allowed",
    ),
    "subject Observation": (
        _set("subject", "reference", to="Observation/1"),
        "Observation.subject: a reference to Observation is not allowed",
    ),
    "bogus status": (_set("status", to="done"), "Observation.status: not a code of its list"),
    "status that we never write": (
        _set("status", to="registered"),
        "Observation.status: not a code of its list",
    ),
    "bogus narrative status": (
        _set("text", "status", to="handmade"),
        "Observation.text.status: not a code of its list",
    ),
    "relative system": (
        _set("identifier", 0, "system", to="sid/case"),
        "Observation.identifier[0].system: not an absolute URI without blanks",
    ),
    "profile with a blank": (
        _set("meta", "profile", to=["http://x/a b"]),
        "Observation.meta.profile[0]: not an absolute URI without blanks",
    ),
    "obs-6": (
        _set("dataAbsentReason", to={"text": "unknown"}),
        "dataAbsentReason: beside a value (obs-6)",
    ),
    "obs-7": (
        _obs_7,
        "component: has the code of the Observation, which has a value (obs-7)",
    ),
    "id with an underscore": (_set("id", to="a_b"), "id: "),
    "id of digits": (_set("id", to="123"), "id: "),
    "unknown element": (_set("surprise", to="Mustermann"), "surprise: "),
    "not a date": (_set("effectiveDateTime", to="Mustermann"), "effectiveDateTime: "),
    "two values": (_set("valueString", to="2+"), ""),
    "no code": (_without_code, "code: "),
    "null": (_set("specimen", to=None), "Observation.specimen: empty"),
    "empty list": (_set("focus", to=[]), "Observation.focus: empty"),
    "empty text": (_set("note", 0, "text", to=""), "Observation.note[0].text: empty"),
    "empty object": (_set("component", 0, "code", to={}), "Observation.component[0].code: empty"),
    "bogus comparator": (
        _set("component", 3, "valueQuantity", "comparator", to="~"),
        "Observation.component[3].valueQuantity.comparator: not a code of its list",
    ),
}


@pytest.mark.parametrize(("broken", "problem"), BROKEN.values(), ids=BROKEN.keys())
def test_what_breaks_fhir_is_found_and_never_sent(
    broken: Callable[[Json], None], problem: str
) -> None:
    resource = copy.deepcopy(record())
    broken(resource)
    problems = check_record(resource)
    assert [one for one in problems if one.startswith(problem)]
    with pytest.raises(InvalidRecord) as refused:
        transaction_entry(resource)
    assert refused.value.problems == tuple(problems)
    assert "Mustermann" not in str(refused.value)


def test_a_policy_with_blanks_is_found() -> None:
    written = {**made(), "policy": ["https://w3id.org/her2-adapter/policy/our policy"]}
    assert check_record(written) == ["Provenance.policy[0]: not an absolute URI without blanks"]


def test_an_agent_that_cannot_be_one_is_found() -> None:
    written = made()
    written["agent"][0]["who"]["reference"] = "Specimen/s1"
    written["entity"][0]["role"] = "witness"
    assert set(check_record(written)) == {
        "Provenance.agent[0].who: a reference to Specimen is not allowed",
        "Provenance.entity[0].role: not a code of its list",
    }


@pytest.mark.parametrize("kind", ["DiagnosticReport", "Patient", None])
def test_resources_that_are_not_ours_are_never_sent(kind: str | None) -> None:
    with pytest.raises(InvalidRecord, match="not one that the adapter writes"):
        transaction_entry({"resourceType": kind, "id": "x"})


def test_checking_does_not_change_what_is_sent() -> None:
    resource = record()
    before = copy.deepcopy(resource)
    assert check_record(resource) == []
    assert resource == before
    assert isinstance(resource["component"][3]["valueQuantity"]["value"], Decimal)
