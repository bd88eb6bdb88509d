"""A page with one resource that is no strict JSON keeps the others; what is not beyond doubt is refused whole.

A key given twice can hide another patient, status or test, so nothing of such a resource may be read but
whom it is about, and that only where it is said once.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapter.errors import InputError
from adapter.fhir.refused_alone import read_bundle
from adapter.fhir.strict_json import read_json
from adapter.ports import REFUSED_ALONE, RefusedResource

GOOD = '{"resourceType":"Observation","id":"good","subject":{"reference":"Patient/p"},"valueInteger":2}'
HEAD = '"resourceType":"Observation","id":"bad","subject":{"reference":"Patient/q"}'
BAD = '{"resourceType":"Observation","id":"bad","subject":{"reference":"Patient/q"},%s}'
KNOWN = {"resourceType": "Observation", "id": "bad", "subject": {"reference": "Patient/q"}}


def page(*resources: str, kind: str = "searchset", around: str = "") -> bytes:
    entries = ",".join(f'{{"resource":{one},"search":{{"mode":"match"}}}}' for one in resources)
    return f'{{"resourceType":"Bundle","type":"{kind}"{around},"entry":[{entries}]}}'.encode()


DEFECTS = {
    "duplicate-key": '"status":"final","status":"entered-in-error"',
    "not-a-number": '"valueQuantity":{"value":NaN}',
    "number-out-of-range": '"valueQuantity":{"value":1e400}',
    "lone-surrogate": r'"note":[{"text":"\ud800"}]',
    "nul-character": r'"note":[{"text":"\u0000"}]',
    "too-deep": '"extension":' + "[" * 70 + "]" * 70,
}


@pytest.mark.parametrize("kind", ["searchset", "batch-response"])
@pytest.mark.parametrize("code", DEFECTS)
def test_one_bad_resource_is_refused_alone(code: str, kind: str) -> None:
    assert DEFECTS.keys() == REFUSED_ALONE
    data = page(GOOD, BAD % DEFECTS[code], GOOD, kind=kind)
    with pytest.raises(InputError) as refused:
        read_json(data)
    assert refused.value.code == code
    first, bad, last = [entry["resource"] for entry in read_bundle(data)["entry"]]
    assert first == last == json.loads(GOOD)
    assert bad == RefusedResource(KNOWN, code, frozenset({"Patient/q"}))


def test_a_good_page_is_read_as_ever() -> None:
    data = page(GOOD, BAD % '"status":"final"')
    assert read_bundle(data) == read_json(data)


DOUBTFUL = {
    "two subjects": f'{{{HEAD},"subject":{{"reference":"Patient/p"}}}}',
    "two subjects, equal": f'{{{HEAD},"subject":{{"reference":"Patient/q"}}}}',
    "two subjects, one escaped": f'{{{HEAD},"s\\u0075bject":{{"reference":"Patient/p"}}}}',
    "two references": BAD.replace('"Patient/q"}', '"Patient/q","reference":"Patient/p"}') % '"a":1',
    "a subject with NaN": BAD.replace('"Patient/q"}', '"Patient/q","identifier":NaN}') % '"a":1',
    "no subject": '{"resourceType":"Observation","id":"bad","a":NaN}',
    "a subject by identifier": '{"resourceType":"Observation","id":"bad","subject":{"identifier":{}},"a":NaN}',
    "a subject that is a list": '{"resourceType":"Observation","id":"bad","subject":[],"a":NaN}',
    "an empty reference": BAD.replace("Patient/q", "") % '"a":NaN',
    "half a surrogate in the reference": BAD.replace("Patient/q", r"Patient/\ud800") % '"a":1',
    "two ids": f'{{{HEAD},"id":"other"}}',
    "two types": f'{{{HEAD},"resourceType":"Specimen"}}',
    "no id": '{"resourceType":"Observation","subject":{"reference":"Patient/q"},"a":NaN}',
    "an id that is none": BAD.replace('"bad"', '"../x"') % '"a":NaN',
    "dots for an id": BAD.replace('"bad"', '".."') % '"a":NaN',
    "a type that is none": BAD.replace('"Observation"', '"o b"') % '"a":NaN',
    "an outcome": '{"resourceType":"OperationOutcome","id":"bad","issue":[{"severity":NaN}]}',
    "a list": "[NaN]",
    "no more than NaN": "NaN",
}


@pytest.mark.parametrize("what", DOUBTFUL)
def test_a_resource_of_which_it_is_not_known_whose_it_is_spoils_the_page(what: str) -> None:
    assert_refused_whole(page(GOOD, DOUBTFUL[what]))


SPOILT_AROUND = {
    "two links": page(GOOD, BAD % '"a":NaN', around=',"link":[],"link":[]'),
    "two totals": page(GOOD, BAD % '"a":NaN', around=',"total":1,"total":2'),
    "NaN for a total": page(GOOD, around=',"total":NaN'),
    "a deep link": page(GOOD, around=',"link":' + "[" * 70 + "]" * 70),
    "two resources in an entry": page(GOOD).replace(b'"search"', b'"resource":{},"search"'),
    "two searches in an entry": page(GOOD, GOOD).replace(b'"search"', b'"search":{},"search"'),
    "half a surrogate in a link": page(GOOD, around=r',"link":[{"url":"\ud800"}]'),
    "another bundle": page(BAD % '"a":NaN', kind="transaction-response"),
    "two types": page(BAD % '"a":NaN', around=',"type":"batch-response"'),
    "no bundle": (BAD % '"a":NaN').encode(),
    "entries that are no list": b'{"resourceType":"Bundle","type":"searchset","entry":{"a":NaN}}',
    "an entry that is NaN": b'{"resourceType":"Bundle","type":"searchset","entry":[NaN]}',
    "text after the end": page(BAD % '"a":NaN') + b"x",
    "far too deep": page(GOOD, BAD % ('"extension":' + "[" * 3000 + "]" * 3000)),
}


@pytest.mark.parametrize("what", SPOILT_AROUND)
def test_a_defect_around_the_resources_spoils_the_page(what: str) -> None:
    assert_refused_whole(SPOILT_AROUND[what])


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (page(BAD % '"a":NaN')[:-20], "malformed-json"),
        (page(BAD % '"a":NaN').replace(b"good", b"\xff"), "not-a-number"),
        (b"\xef\xbb\xbf" + page(BAD % '"a":NaN'), "byte-order-mark"),
    ],
)
def test_an_answer_that_is_no_json_stays_none(data: bytes, code: str) -> None:
    if code == "not-a-number":
        assert isinstance(read_bundle(data)["entry"][0]["resource"], RefusedResource)
        return
    with pytest.raises(InputError) as refused:
        read_bundle(data)
    assert refused.value.code == code


def test_the_limits_of_a_body_hold_for_a_page_with_a_refused_resource() -> None:
    data = page(GOOD, BAD % '"a":NaN')
    with pytest.raises(InputError) as refused:
        read_bundle(data, max_bytes=len(data) - 1)
    assert refused.value.code == "too-large"


def test_a_refused_patient_is_its_own_and_says_no_more() -> None:
    data = page('{"resourceType":"Patient","id":"q","name":[{"text":"CANARY"}],"a":NaN}')
    refused = read_bundle(data)["entry"][0]["resource"]
    assert refused == RefusedResource({"resourceType": "Patient", "id": "q"}, "not-a-number")


def test_what_a_refused_resource_mentions_is_given_whole() -> None:
    """Also where a key stands twice: either could be what another reader sees."""
    results = '"result":[{"reference":"Observation/1"}],"result":[{"reference":"Observation/2"}]'
    report = BAD.replace("Observation", "DiagnosticReport") % results
    refused = read_bundle(page(report))["entry"][0]["resource"]
    assert refused.mentions == {"Patient/q", "Observation/1", "Observation/2"}


def assert_refused_whole(data: bytes) -> None:
    with pytest.raises(InputError) as strictly:
        read_json(data)
    with pytest.raises(InputError) as refused:
        read_bundle(data)
    assert refused.value.code == strictly.value.code


def test_nothing_of_a_refused_resource_stands_in_a_message() -> None:
    resource: Any = read_bundle(page(BAD % '"note":[{"text":"CANARY"}],"a":NaN'))["entry"][0]
    assert "CANARY" not in repr(resource)
