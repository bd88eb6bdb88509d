"""The one reader and the one writer of FHIR JSON.

Python's own reader accepts what must not decide a treatment: a key given twice (the last one
wins, silently), NaN, 1e400, half of a surrogate pair, nesting that ends in a crash. Here each of
these is refused with a stable code, and a number with a fraction stays a Decimal with the digits it
came with. The writer is the counterpart: it never rounds. Messages name the place and the defect,
never what the document says: it may be a patient's.

Source: FHIR R4, json.html, and datatypes.html#decimal (the precision of a value is significant).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from itertools import accumulate
from json.encoder import encode_basestring
from typing import Any, Final

from adapter.errors import InputError

JsonObject = dict[str, Any]

MAX_BYTES: Final = 64 * 1024 * 1024
"""Default limit of one document, in bytes."""
MAX_DEPTH: Final = 64
"""Default limit of nested objects and arrays; real FHIR stays below 30."""
MAX_DIGITS: Final = 40
"""Most characters of one number; FHIR asks for 18 digits."""
MAX_EXPONENT: Final = 40
"""Largest power of ten; beyond it a short number takes unbounded memory to write out."""
MAX_INTEGER_DIGITS: Final = 18
"""Whole numbers stay below 10^18, so that every database can hold them as 64 bits."""

_BLANKS: Final = " \t\r\n"
_BOM: Final = b"\xef\xbb\xbf"
_ESCAPED_PAIR: Final = re.compile(rb"\\.", re.DOTALL)
_STRING: Final = re.compile(rb'"[^"]*"')
_NOT_STRUCTURE: Final = bytes(set(range(256)) - set(b'[]{}"'))
_NEST: Final = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1, ord('"'): 0}
_SUSPECT_ESCAPE: Final = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_FORBIDDEN: Final = re.compile("[\x00\ud800-\udfff]")


def read_json(data: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> JsonObject:
    """Read one JSON object strictly.

    `data` is UTF-8 without a byte order mark, at most `max_bytes` long and `max_depth` nested;
    both are checked before anything is parsed. Whole numbers come as int, numbers with a fraction
    or an exponent as Decimal with their digits.

    Raises InputError with one of these codes: too-large, too-deep, byte-order-mark, not-utf8,
    malformed-json, trailing-text, duplicate-key, not-a-number, number-out-of-range,
    lone-surrogate, nul-character, not-an-object.
    """
    value, rest = _first_value(data, max_bytes=max_bytes, max_depth=max_depth)
    if rest:
        raise InputError("text follows the end of the JSON object", code="trailing-text")
    return value


def read_ndjson(
    lines: Iterable[bytes], *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH
) -> Iterator[JsonObject]:
    """Read newline-delimited JSON, one object a line; blank lines are skipped.

    An open binary file will do for `lines`; `max_bytes` and `max_depth` hold for each line.

    Raises InputError as `read_json`, its message beginning with the number of the line.
    """
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield read_json(line, max_bytes=max_bytes, max_depth=max_depth)
            except InputError as error:
                raise InputError(f"line {number}: {error}", code=error.code) from error


def read_any(
    data: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH
) -> tuple[JsonObject, ...]:
    """Read a file that holds one resource (a Bundle is one) or NDJSON.

    Bundles come whole: their fullUrls are needed to follow the references inside.

    Raises InputError as `read_json`; also with code not-fhir for an object that names no
    resourceType, and empty where there is nothing to read.
    """
    _check_bytes(data, max_bytes)
    if not data.strip():
        raise InputError("the input is empty", code="empty")
    value, rest = _first_value(data, max_bytes=max_bytes, max_depth=max_depth)
    lines = read_ndjson(data.splitlines(), max_bytes=max_bytes, max_depth=max_depth)
    resources = tuple(lines) if rest else (value,)
    for number, resource in enumerate(resources, start=1):
        if not isinstance(resource.get("resourceType"), str):
            raise InputError(f"object {number} has no resourceType: not FHIR", code="not-fhir")
    return resources


def write_json(value: Any) -> bytes:
    """Write JSON as UTF-8, keys in the order given, decimals with their digits (2.00 stays 2.00).

    Raises TypeError for a float (its digits are already lost) or anything else JSON does not know,
    ValueError for a Decimal that is not finite and for text that is not valid Unicode.
    """
    parts: list[str] = []
    _write(value, parts, sort=False)
    return "".join(parts).encode()


def canonical(value: Any) -> bytes:
    """Write JSON in the one form that hashes are made of: keys sorted, no blanks, digits kept.

    Keys are sorted by code point. Raises as `write_json`.
    """
    parts: list[str] = []
    _write(value, parts, sort=True)
    return "".join(parts).encode()


def _first_value(data: bytes, *, max_bytes: int, max_depth: int) -> tuple[JsonObject, bool]:
    """Parse the first JSON object of a document; tell whether more than blanks follow it."""
    value, rest = first_value(data, _DECODER, max_bytes=max_bytes, max_depth=max_depth)
    if not isinstance(value, dict):
        raise InputError("JSON, but not an object", code="not-an-object")
    if _SUSPECT_ESCAPE.search(data):
        _check_texts(value)
    return value, rest


def first_value(
    data: bytes, decoder: json.JSONDecoder, *, max_bytes: int, max_depth: int
) -> tuple[Any, bool]:
    """Parse what a document begins with; tell whether more than blanks follow it.

    The decoder decides what becomes of keys and numbers.

    Raises InputError as `read_json` for whatever is no JSON, too large or too deep.
    """
    _check_bytes(data, max_bytes)
    if _nesting(data) > max_depth:
        raise InputError(f"nested more than {max_depth} levels deep", code="too-deep")
    try:
        text = data.decode("utf-8").lstrip(_BLANKS)
    except UnicodeDecodeError as error:
        # Not chained: the decoder's error carries the whole document.
        raise InputError(f"byte {error.start} is not UTF-8", code="not-utf8") from None
    try:
        value, end = decoder.raw_decode(text)
    except json.JSONDecodeError as error:
        # Not chained, for the same reason.
        message = f"not JSON at line {error.lineno} column {error.colno}"
        raise InputError(message, code="malformed-json") from None
    except RecursionError:
        raise InputError("nested too deep to be read", code="too-deep") from None
    return value, bool(text[end:].strip(_BLANKS))


def _check_bytes(data: bytes, max_bytes: int) -> None:
    if len(data) > max_bytes:
        raise InputError(f"longer than {max_bytes} bytes", code="too-large")
    if data.startswith(_BOM):
        raise InputError("begins with a byte order mark", code="byte-order-mark")


def _nesting(data: bytes) -> int:
    """Count the deepest nesting on the bytes: the parser must not be the one to find out.

    Brackets between quotes do not count. Where the bytes are no JSON, the parser stops before it
    is deeper than this count.
    """
    if data.count(b"[") + data.count(b"{") <= 1:
        return 1
    bare = _ESCAPED_PAIR.sub(b"", data) if b"\\" in data else data
    structure = _STRING.sub(b"", bare.translate(None, _NOT_STRUCTURE).replace(b'""', b""))
    return max(accumulate(map(_NEST.__getitem__, structure)), default=0)


def _check_texts(value: Any) -> None:
    """Refuse NUL and halves of surrogate pairs in any key or text; only escapes can make them."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            pending.extend(item)
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, str):
            check_text(item)


def check_text(text: str) -> None:
    """Refuse NUL and halves of surrogate pairs in one text; raises InputError as `read_json`."""
    if found := _FORBIDDEN.search(text):
        if found.group() == "\x00":
            raise InputError("a text holds a NUL character", code="nul-character")
        raise InputError("a text holds half of a surrogate pair", code="lone-surrogate")


def _object_of_unique_keys(pairs: list[tuple[str, Any]]) -> JsonObject:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise InputError("an object has the same key twice", code="duplicate-key")
    return made


def read_integer(literal: str) -> int:
    """Read a whole number; raises InputError (number-out-of-range)."""
    if len(literal) > MAX_INTEGER_DIGITS + 1 or len(literal.lstrip("-")) > MAX_INTEGER_DIGITS:
        raise _out_of_range(f"has more than {MAX_INTEGER_DIGITS} digits")
    return int(literal)


def read_decimal(literal: str) -> Decimal | int:
    """Read a number with a fraction or an exponent, digits kept; raises InputError (number-out-of-range)."""
    if len(literal) > MAX_DIGITS:
        raise _out_of_range(f"is written with more than {MAX_DIGITS} characters")
    try:
        number = Decimal(literal)
    except InvalidOperation:
        raise _out_of_range("has an exponent beyond every limit") from None
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or abs(number.adjusted()) > MAX_EXPONENT:
        raise _out_of_range(f"is beyond ten to the power of {MAX_EXPONENT}")
    return int(number) if exponent == 0 else number


def _out_of_range(what: str) -> InputError:
    return InputError(f"a number {what}", code="number-out-of-range")


def _refuse_constant(_: str) -> None:
    raise InputError("NaN and Infinity are not JSON", code="not-a-number")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object_of_unique_keys,
    parse_float=read_decimal,
    parse_int=read_integer,
    parse_constant=_refuse_constant,
)


def _write(value: Any, parts: list[str], *, sort: bool) -> None:
    match value:
        case str():
            parts.append(encode_basestring(value))
        case dict():
            _write_object(value, parts, sort=sort)
        case list() | tuple():
            opening = "["
            for item in value:
                parts.append(opening)
                _write(item, parts, sort=sort)
                opening = ","
            parts.append("]" if value else "[]")
        case None:
            parts.append("null")
        case bool():
            parts.append("true" if value else "false")
        case int():
            parts.append(str(value))
        case Decimal():
            parts.append(_written_decimal(value))
        case _:
            raise TypeError(f"{type(value).__name__} is not written as FHIR JSON")


def _write_object(value: JsonObject, parts: list[str], *, sort: bool) -> None:
    opening = "{"
    for key in sorted(value) if sort else value:
        parts.append(f"{opening}{encode_basestring(key)}:")
        _write(value[key], parts, sort=sort)
        opening = ","
    parts.append("}" if value else "{}")


def _written_decimal(value: Decimal) -> str:
    """Write all digits; an exponent only where the zeros before the point are not significant."""
    if not value.is_finite():
        raise ValueError("a number that is not finite is not JSON")
    exponent = value.as_tuple().exponent
    return str(value) if isinstance(exponent, int) and exponent > 0 else format(value, "f")
