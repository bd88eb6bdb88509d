"""Protects the digits of decimals and the strictness of the JSON reader: a 2.00 is not a 2.0."""

from __future__ import annotations

import pytest

from adapter.sandbox.json_text import MAX_DEPTH, JsonText, NotJson, read_json, write_json
from tests.unit.sandbox.client import Client, issue

DECIMALS = ["2.00", "1.10", "0.0000001", "1e2", "-0.0", "1.5E-3", "123456789.123456789123456789"]


@pytest.mark.parametrize("digits", DECIMALS)
def test_a_decimal_comes_back_with_the_digits_it_came_with(fhir: Client, digits: str) -> None:
    body = (
        '{"resourceType":"Observation","status":"final","code":{"text":"HER2/CEP17"},'
        f'"valueQuantity":{{"value":{digits}}}}}'
    )
    created = fhir.send("POST", "Observation", body.encode())
    read = fhir.get(f"Observation/{created.json()['id']}")
    searched = fhir.get(f"Observation?_id={created.json()['id']}")
    for answer in (created, read, searched):
        assert f'"valueQuantity":{{"value":{digits}}}' in answer.text


def test_another_number_of_digits_is_another_version(fhir: Client, new_id: str) -> None:
    def put(digits: str) -> str:
        body = (
            f'{{"resourceType":"Basic","id":"{new_id}","extension":[{{"valueDecimal":{digits}}}]}}'
        )
        answer = fhir.send("PUT", f"Basic/{new_id}", body.encode())
        return str(answer.json()["meta"]["versionId"])

    assert [put("2.0"), put("2.00"), put("2.00")] == ["1", "2", "2"]


@pytest.mark.parametrize(
    "text",
    [
        '{"a":[1,true,false,null,"x",{}],"b":-7}',
        '{"name":"Åsa \\u2264 \\"2+\\" \\\\ \\n"}',
        "[]",
        '"\U0001f9ec"',
    ],
)
def test_what_is_read_is_written_with_the_same_meaning(text: str) -> None:
    value = read_json(text.encode())
    assert read_json(write_json(value).encode()) == value


def test_text_kept_as_it_was_is_written_as_it_was() -> None:
    assert (
        write_json({"resource": JsonText('{"b": 2.00,  "a":1}')})
        == '{"resource":{"b": 2.00,  "a":1}}'
    )


@pytest.mark.parametrize("value", [2.0, object(), {"a": {1, 2}}], ids=["float", "object", "set"])
def test_what_has_no_json_form_here_is_a_programming_error(value: object) -> None:
    with pytest.raises(TypeError):
        write_json(value)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"a":1,}',
        b"{'a':1}",
        b'{"status":"final","status":"entered-in-error"}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":"\\ud800"}',
        b'{"\\udfff":1}',
        b'{"a":"\\u0000"}',
        b'{"a":"\xff"}',
        b'\xef\xbb\xbf{"a":1}',
        '{"a":1}'.encode("utf-16"),
        b'{"a":' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b"[" * (MAX_DEPTH + 1) + b"1" + b"]" * (MAX_DEPTH + 1),
    ],
    ids=[
        "nothing",
        "cut",
        "comma",
        "quotes",
        "key twice",
        "NaN",
        "infinity",
        "surrogate",
        "surrogate key",
        "NUL",
        "not UTF-8",
        "BOM",
        "UTF-16",
        "5000 digits",
        "100000 deep",
        "one level too deep",
    ],
)
def test_json_that_could_be_read_in_two_ways_is_refused(fhir: Client, body: bytes) -> None:
    with pytest.raises(NotJson):
        read_json(body)
    answer = fhir.send("POST", "Patient", body)
    assert answer.status_code == 400
    assert issue(answer)["code"] == "structure"


def test_the_deepest_allowed_nesting_is_read() -> None:
    assert read_json(b"[" * MAX_DEPTH + b"1" + b"]" * MAX_DEPTH)


def test_an_escaped_pair_of_surrogates_is_one_character() -> None:
    assert read_json(b'"\\ud83e\\uddec"') == "\U0001f9ec"
