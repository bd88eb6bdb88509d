"""Read the values of search parameters: escapes, comma lists, tokens, references, dates.

Source: FHIR R4, search.html (escaping, prefixes, token, reference, string).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from adapter.sandbox.matching import IdMatch, IndexMatch, Match, UpdatedMatch
from adapter.sandbox.outcomes import Refused, bad_request
from adapter.sandbox.references import local_target
from adapter.sandbox.resource_types import RESOURCE_TYPES, is_logical_id
from adapter.sandbox.search_parameters import Kind, SearchParameter, folded, parameters_of
from adapter.sandbox.storage import microseconds

MAX_ALTERNATIVES = 5000
MAX_DATE_ALTERNATIVES = 100

_date = re.compile(
    r"(?P<prefix>eq|ne|gt|lt|ge|le|sa|eb|ap)?"
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)"
    r"(?:T(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d+))?)?"
    r"(?P<zone>Z|[+-]\d\d:\d\d)?)?)?)?"
)


def match_of(resource_type: str, name: str, value: str, base_url: str) -> Match:
    """Return the condition that one search parameter sets.

    `name` is as the client wrote it, `subject:Patient` say; `value` is decoded, alternatives
    separated by commas; absolute references below `base_url` are local.

    Raises: Refused with 400 for an unknown parameter or modifier, or a value that is none of its
        kind.
    """
    plain, _, modifier = name.partition(":")
    parameter = parameters_of(resource_type).get(plain)
    if parameter is None:
        known = ", ".join(parameters_of(resource_type))
        raise bad_request(
            f"unknown search parameter {plain!r} for {resource_type}; known: {known}",
            code="not-supported",
        )
    alternatives = split_escaped(value, ",")
    limit = MAX_DATE_ALTERNATIVES if parameter.kind is Kind.DATE else MAX_ALTERNATIVES
    if len(alternatives) > limit:
        raise bad_request(f"{name}: more than {limit} alternatives", code="too-costly")
    if not all(alternatives):
        raise bad_request(f"{name}: an empty value")
    if parameter.kind is Kind.REFERENCE:
        return _reference_match(parameter, modifier, alternatives, base_url)
    if parameter.kind is Kind.TOKEN and modifier == "text" and parameter.paths:
        prefixes = tuple(folded(_unescaped(one)) for one in alternatives)
        return IndexMatch(f"{plain}:text", prefixes=prefixes)
    if modifier:
        raise _unknown_modifier(name)
    return _plain_match(parameter, alternatives)


def split_escaped(text: str, separator: str) -> list[str]:
    r"""Split where the separator is not escaped; the parts keep their escapes (`\,` `\|` `\\`)."""
    parts = [""]
    for piece in re.findall(r"\\.|.", text, re.DOTALL):
        if piece == separator:
            parts.append("")
        else:
            parts[-1] += piece
    return parts


def _plain_match(parameter: SearchParameter, alternatives: list[str]) -> Match:
    if parameter.name == "_id":
        return IdMatch(tuple(_unescaped(one) for one in alternatives))
    match parameter.kind:
        case Kind.DATE:
            ranges = [span for one in alternatives for span in _ranges(parameter.name, one)]
            return UpdatedMatch(tuple(ranges))
        case Kind.CODE:
            return _code_match(parameter.name, alternatives)
        case Kind.URI:
            return IndexMatch(parameter.name, values=tuple(map(_unescaped, alternatives)))
        case _:
            return _token_match(parameter.name, alternatives)


def _code_match(name: str, alternatives: list[str]) -> IndexMatch:
    if any(len(split_escaped(one, "|")) > 1 for one in alternatives):
        raise bad_request(f"{name} is a code: its system is implied, search for the code alone")
    return IndexMatch(name, values=tuple(map(_unescaped, alternatives)))


def _token_match(name: str, alternatives: list[str]) -> IndexMatch:
    pairs, values, systems = [], [], []
    for one in alternatives:
        match [_unescaped(part) for part in split_escaped(one, "|")]:
            case [code]:
                values.append(code)
            case [system, ""] if system:
                systems.append(system)
            case [system, code] if code:
                pairs.append((system, code))
            case _:
                raise bad_request(f"{name}: a token is code, system|code, |code or system|")
    return IndexMatch(name, pairs=tuple(pairs), values=tuple(values), systems=tuple(systems))


def _reference_match(
    parameter: SearchParameter, modifier: str, alternatives: list[str], base_url: str
) -> IndexMatch:
    allowed = parameter.targets or tuple(RESOURCE_TYPES)
    if modifier and modifier not in allowed:
        raise _unknown_modifier(f"{parameter.name}:{modifier}")
    pairs, values = [], []
    for one in map(_unescaped, alternatives):
        target = local_target(one, base_url)
        if target is not None and target.version is None:
            if target.resource_type not in allowed or modifier not in ("", target.resource_type):
                raise bad_request(f"{parameter.name} cannot refer to a {target.resource_type}")
            pairs.append(target.key)
        elif is_logical_id(one) and modifier:
            pairs.append((modifier, one))
        elif is_logical_id(one):
            values.append(one)
        elif target is None and ":" in one and not modifier:
            pairs.append(("", one))
        else:
            raise bad_request(f"{parameter.name}: a reference is id, Type/id or an absolute URL")
    return IndexMatch(parameter.name, pairs=tuple(pairs), values=tuple(values))


def _unknown_modifier(name: str) -> Refused:
    return bad_request(f"unknown search modifier {name!r}", code="not-supported")


def _unescaped(text: str) -> str:
    return re.sub(r"\\([\\,|$])", r"\1", text)


def instant_range(text: str) -> tuple[int, int]:
    """Return what a date covers, as microseconds: first moment, and first moment after.

    A date without a zone is taken as UTC. Raises ValueError when it is no date.
    """
    found = _date.fullmatch(text)
    if found is None or found["prefix"]:
        raise ValueError("not a date")
    return _covered(found)


def _ranges(name: str, text: str) -> list[tuple[int | None, int | None]]:
    found = _date.fullmatch(text)
    if found is None:
        raise bad_request(f"{name}: not a date (is a + in the URL escaped as %2B?)")
    try:
        start, end = _covered(found)
    except ValueError as error:  # a 13th month, a year beyond the calendar
        raise bad_request(f"{name}: there is no such date") from error
    match found["prefix"]:
        case None | "eq":
            return [(start, end)]
        case "ne":
            return [(None, start), (end, None)]
        case "ge":
            return [(start, None)]
        case "gt" | "sa":
            return [(end, None)]
        case "le":
            return [(None, end)]
        case "lt" | "eb":
            return [(None, start)]
        case _:
            raise bad_request(f"{name}: the prefix ap is not supported", code="not-supported")


def _covered(found: re.Match[str]) -> tuple[int, int]:
    year, month = int(found["year"]), int(found["month"] or 1)
    zone = found["zone"] or "Z"
    fraction = (found["fraction"] or "")[:6]
    start = datetime.fromisoformat(
        f"{year:04}-{month:02}-{found['day'] or '01'}T{found['hour'] or '00'}"
        f":{found['minute'] or '00'}:{found['second'] or '00'}.{fraction:0<6}{zone}"
    ).astimezone(UTC)
    first = microseconds(start)
    if found["month"] is None:
        return first, microseconds(start.replace(year=year + 1))
    if found["day"] is None:
        after = start.replace(year=year + month // 12, month=month % 12 + 1)
        return first, microseconds(after)
    return first, first + _width_after_day(found, fraction)


def _width_after_day(found: re.Match[str], fraction: str) -> int:
    if found["hour"] is None:
        width = timedelta(days=1)
    elif found["second"] is None:
        width = timedelta(minutes=1)
    else:
        return int(10 ** (6 - len(fraction)))
    return width // timedelta(microseconds=1)
