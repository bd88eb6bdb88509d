"""Read and write FHIR JSON without losing a digit; refuse what two readers could read differently.

Python's own reader accepts duplicate keys (the last one wins), NaN and lone surrogates, and turns
2.00 into 2.0. A result's precision is part of the result (FHIR R4, datatypes, decimal), so a number
with a point or an exponent stays the text that it was.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any, NoReturn

MAX_DEPTH = 64
"""Levels of nesting that are read; R4 resources stay far below."""

JsonObject = dict[str, Any]

_escaped_refused = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
"""Characters that a FHIR string may not hold, and that only an escape can bring in."""


class NotJson(ValueError):
    """The bytes are not the JSON that FHIR allows; the message says why and quotes nothing."""


@dataclass(frozen=True, slots=True)
class JsonText:
    """JSON that is kept and written exactly as it came: a decimal, or a whole stored resource."""

    text: str


def read_json(body: bytes) -> Any:
    """Read one JSON text strictly; the bytes are UTF-8 without a byte order mark.

    Gives dicts, lists, strings, ints, bools and None; decimals as JsonText with their digits.

    Raises: NotJson for what is not UTF-8 or not JSON, a repeated key, NaN or infinity, a control
        character or lone surrogate in a string, more than MAX_DEPTH levels.
    """
    try:
        value = json.loads(
            body.decode("utf-8"),
            parse_float=JsonText,
            parse_constant=_refuse_constant,
            object_pairs_hook=_object_with_unique_keys,
        )
    except NotJson:
        raise
    except UnicodeDecodeError as error:
        raise NotJson("the body is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise NotJson(f"the body is not JSON: line {error.lineno} column {error.colno}") from error
    except RecursionError as error:
        raise NotJson(f"more than {MAX_DEPTH} levels of nesting") from error
    except ValueError as error:  # an integer of thousands of digits
        raise NotJson("the body holds a number that cannot be read") from error
    _refuse_deep_or_unprintable(value, check_strings=b"\\u" in body)
    return value


def write_json(value: Any) -> str:
    """Write a value made by read_json, or out of the same types, as compact JSON text.

    Raises: TypeError for a value of another type, a float among them: its digits would be made up
        here.
    """
    parts: list[str] = []
    _write(value, parts)
    return "".join(parts)


def _write(value: Any, parts: list[str]) -> None:
    match value:
        case str():
            parts.append(encode_basestring(value))
        case dict():
            parts.append("{")
            for position, (key, item) in enumerate(value.items()):
                parts.append(("," if position else "") + encode_basestring(key) + ":")
                _write(item, parts)
            parts.append("}")
        case list() | tuple():
            parts.append("[")
            for position, item in enumerate(value):
                if position:
                    parts.append(",")
                _write(item, parts)
            parts.append("]")
        case True | False | None:
            parts.append({True: "true", False: "false", None: "null"}[value])
        case int():
            parts.append(str(value))
        case JsonText():
            parts.append(value.text)
        case _:
            raise TypeError(f"cannot be written as JSON: {type(value).__name__}")


def _object_with_unique_keys(pairs: list[tuple[str, Any]]) -> JsonObject:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise NotJson("an object has the same key twice")
    return content


def _refuse_constant(_name: str) -> NoReturn:
    raise NotJson("NaN and infinity are not JSON")


def _refuse_deep_or_unprintable(value: Any, *, check_strings: bool) -> None:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        below: list[Any] = []
        for item in level:
            match item:
                case dict():
                    below.extend(item.values())
                    if check_strings:
                        below.extend(item.keys())
                case list():
                    below.extend(item)
                case str() if check_strings and _escaped_refused.search(item):
                    raise NotJson("a string holds a control character or a lone surrogate")
        if not below:
            return
        level = below
    raise NotJson(f"more than {MAX_DEPTH} levels of nesting")
