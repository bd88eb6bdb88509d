"""Protects the one reader and writer of FHIR JSON: what is doubtful is refused, digits survive."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.errors import InputError
from adapter.fhir.strict_json import (
    MAX_DEPTH,
    canonical,
    read_any,
    read_json,
    read_ndjson,
    write_json,
)

REFUSED = {
    "same key twice": (b'{"status": "final", "status": "entered-in-error"}', "duplicate-key"),
    "same key twice, deep": (b'{"a": [{"b": {"c": 1, "c": 1}}]}', "duplicate-key"),
    "same key by escape": (b'{"a": 1, "\\u0061": 2}', "duplicate-key"),
    "NaN": (b'{"value": NaN}', "not-a-number"),
    "Infinity": (b'{"value": -Infinity}', "not-a-number"),
    "huge exponent": (b'{"value": 1e400}', "number-out-of-range"),
    "tiny exponent": (b'{"value": 1e-400}', "number-out-of-range"),
    "exponent beyond Decimal": (b'{"value": 1e99999999999999999999}', "number-out-of-range"),
    "5000 digits": (b'{"value": ' + b"9" * 5000 + b"}", "number-out-of-range"),
    "2 to the 63": (b'{"value": 9223372036854775808}', "number-out-of-range"),
    "long fraction": (b'{"value": 0.' + b"1" * 60 + b"}", "number-out-of-range"),
    "lone surrogate": (b'{"a": "\\ud800"}', "lone-surrogate"),
    "lone surrogate in a key": (b'{"\\udfff": 1}', "lone-surrogate"),
    "surrogates in wrong order": (b'{"a": ["x", "\\ude00\\ud83d"]}', "lone-surrogate"),
    "escaped NUL": (b'{"a": {"b": "x\\u0000"}}', "nul-character"),
    "raw NUL": (b'{"a": "\x00"}', "malformed-json"),
    "byte order mark": (b"\xef\xbb\xbf{}", "byte-order-mark"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "not-utf8"),
    "Latin-1": ('{"a": "Müller"}'.encode("latin-1"), "not-utf8"),
    "encoded surrogate": (b'{"a": "\xed\xa0\x80"}', "not-utf8"),
    "array": (b"[]", "not-an-object"),
    "null": (b"null", "not-an-object"),
    "text": (b'"HER2"', "not-an-object"),
    "nothing": (b"", "malformed-json"),
    "cut off": (b'{"a": [1, 2', "malformed-json"),
    "single quotes": (b"{'a': 1}", "malformed-json"),
    "trailing comma": (b'{"a": 1,}', "malformed-json"),
    "leading zero": (b'{"a": 01}', "malformed-json"),
    "comment": (b'{"a": 1 /* x */}', "malformed-json"),
    "two objects": (b'{"a": 1} {"b": 2}', "trailing-text"),
    "deep arrays": (b'{"a": ' + b"[" * 64 + b"]" * 64 + b"}", "too-deep"),
    "deep objects": (b'{"a":' * 65 + b"1" + b"}" * 65, "too-deep"),
    "100,000 opening brackets": (b"[" * 100_000, "too-deep"),
    "deep after an escaped quote": (
        b'{"a": "\\"", "b": ' + b"[" * 70 + b"]" * 70 + b"}",
        "too-deep",
    ),
}


@pytest.mark.parametrize(("data", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_doubtful_json_is_refused_with_a_stable_code(data: bytes, code: str) -> None:
    with pytest.raises(InputError) as refused:
        read_json(data)
    assert refused.value.code == code


def test_a_document_over_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(InputError) as refused:
        read_json(b'{"a": 1}', max_bytes=7)
    assert refused.value.code == "too-large"
    assert read_json(b'{"a": 1}', max_bytes=8) == {"a": 1}


@pytest.mark.parametrize("depth", [1, 2, 63, MAX_DEPTH])
def test_nesting_up_to_the_limit_is_read(depth: int) -> None:
    data = b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)
    assert isinstance(read_json(data), dict)


@pytest.mark.parametrize(
    "text", ["[" * 200, "{[" * 100, '\\"' + "[" * 200, "\\\\"], ids=["[", "{[", "quote", "slash"]
)
def test_brackets_inside_a_text_are_no_nesting(text: str) -> None:
    data = write_json({"a": text, "b": ["]" * 200]})
    assert read_json(data)["a"] == text


def test_what_is_too_deep_for_the_parser_itself_is_refused_too() -> None:
    deep = b'{"a":' * 50_000 + b"1" + b"}" * 50_000
    with pytest.raises(InputError) as refused:
        read_json(deep, max_depth=10**6)
    assert refused.value.code == "too-deep"


def test_an_escaped_backslash_before_u0000_is_text() -> None:
    assert read_json(b'{"a": "\\\\u0000 \\ud83d\\ude00"}') == {"a": "\\u0000 \U0001f600"}


@pytest.mark.parametrize(
    "digits", ["2.00", "1.9999999999999998", "0.0000001", "-0.50", "1.50E+3", "123456789.123456789"]
)
def test_a_decimal_keeps_the_digits_it_came_with(digits: str) -> None:
    data = b'{"value":' + digits.encode() + b"}"
    value = read_json(data)["value"]
    assert isinstance(value, Decimal)
    assert write_json({"value": value}) == data
    assert canonical({"value": value}) == data


@pytest.mark.parametrize(("digits", "number"), [("7", 7), ("-0", 0), ("20e-1", Decimal("2.0"))])
def test_numbers_are_read_as_what_they_are(digits: str, number: object) -> None:
    value = read_json(b'{"value":' + digits.encode() + b"}")["value"]
    assert (value, type(value)) == (number, type(number))


def test_a_float_is_never_written() -> None:
    with pytest.raises(TypeError):
        write_json({"value": 2.0})


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), "\ud800"])
def test_what_is_not_json_is_never_written(value: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        write_json({"value": value})


def test_the_canonical_form_sorts_keys_and_has_no_blanks() -> None:
    value = {"b": [True, None, {"z": "é", "a": Decimal("1.0")}], "a": [], "c": {}}
    assert canonical(value) == '{"a":[],"b":[true,null,{"a":1.0,"z":"é"}],"c":{}}'.encode()


def test_writing_keeps_the_order_of_keys() -> None:
    assert write_json({"b": 1, "a": [2, 3]}) == b'{"b":1,"a":[2,3]}'


@pytest.mark.parametrize("code", ["malformed-json", "not-utf8", "duplicate-key"])
def test_messages_and_their_causes_hold_nothing_of_the_document(code: str) -> None:
    secret = {
        "malformed-json": b'{"family": "Mustermann", }',
        "not-utf8": b'{"family": "Mustermann\xff"}',
        "duplicate-key": b'{"Mustermann": 1, "Mustermann": 2}',
    }[code]
    with pytest.raises(InputError) as refused:
        read_json(secret)
    assert refused.value.code == code
    assert "Mustermann" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_ndjson_gives_one_object_a_line_and_skips_blank_lines() -> None:
    lines = [b'{"a": 1}\n', b"\n", b'  {"a": 2.50}\r\n']
    assert list(read_ndjson(lines)) == [{"a": 1}, {"a": Decimal("2.50")}]


def test_a_bad_line_of_ndjson_is_named_by_its_number() -> None:
    with pytest.raises(InputError, match="line 3") as refused:
        list(read_ndjson([b"{}", b"", b'{"a": NaN}']))
    assert refused.value.code == "not-a-number"


BUNDLE = b'{"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient"}}]}'


@pytest.mark.parametrize(
    ("data", "types"),
    [
        (BUNDLE, ["Bundle"]),
        (b'{\n "resourceType":\n "Observation"\n}\n', ["Observation"]),
        (b'{"resourceType": "A"}\n{"resourceType": "B"}\n', ["A", "B"]),
        (b'\n{"resourceType": "A"}\n\n{"resourceType": "B"}', ["A", "B"]),
    ],
    ids=["Bundle", "resource over several lines", "NDJSON", "NDJSON with blank lines"],
)
def test_a_file_may_be_a_resource_a_bundle_or_ndjson(data: bytes, types: list[str]) -> None:
    assert [resource["resourceType"] for resource in read_any(data)] == types


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b" \n", "empty"),
        (b'{"id": "1"}', "not-fhir"),
        (b'{"resourceType": 7}', "not-fhir"),
        (b'{"resourceType": "A"}\n{"id": "1"}', "not-fhir"),
        (b'{"resourceType": "A"}\n{"resourceType": ', "malformed-json"),
        (b'{"resourceType": "A"} trailing', "trailing-text"),
        (b"\xef\xbb\xbf{}", "byte-order-mark"),
    ],
    ids=["empty", "no type", "type a number", "second no type", "cut", "trailing", "mark"],
)
def test_a_file_that_is_not_fhir_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(InputError) as refused:
        read_any(data)
    assert refused.value.code == code


TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12)
INTEGERS = st.integers(-(10**18) + 1, 10**18 - 1)
DECIMALS = st.builds(
    lambda digits, exponent: Decimal(digits).scaleb(exponent),
    st.integers(-(10**15), 10**15),
    st.integers(-15, -1),
)
SCALARS = st.none() | st.booleans() | INTEGERS | DECIMALS | TEXTS
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=5))
def test_reading_what_was_written_gives_the_same_again(resource: dict[str, Any]) -> None:
    again = read_json(write_json(resource))
    assert again == resource
    assert write_json(again) == write_json(resource)
    assert canonical(again) == canonical(resource)


@given(st.binary(max_size=60) | TEXTS.map(str.encode) | VALUES.map(write_json))
def test_any_bytes_are_read_or_refused_with_a_code(data: bytes) -> None:
    with suppress(InputError):  # anything else that is raised fails the test
        assert isinstance(read_json(data), dict)
