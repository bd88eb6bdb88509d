"""Ways to spoil FHIR JSON, each with what may be said of it afterwards. Seeded; used by the fuzz.

In structure: one place of a sample's resources is given nonsense, taken out, or given what changes its meaning. In
bytes: what a strict reader must refuse, and single bytes changed, of which some still read well.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

Json = dict[str, Any]
Path = tuple[str | int, ...]

NONSENSE: Final[Sequence[Any]] = (
    *(None, True, False, 7, -1, 0, 10**17, 1.5, "", " ", "x", "\u200b", "\u202e+2", "é", "e\u0301"),
    *([], {}, [[]], [None], {"a": 1}, {"__proto__": {"x": 1}}, {"constructor": []}, ["x"], [{}]),
    *(
        "Patient/9",
        "#self",
        "urn:uuid:0",
        "http://foreign.example.org/x",
        "a" * 5000,
        {"value": {}},
    ),
)
WITHHELD: Final[Sequence[tuple[str, Json]]] = (
    (
        "modifier extension",
        {"modifierExtension": [{"url": "http://x.org/not", "valueBoolean": True}]},
    ),
    ("implicit rules", {"implicitRules": "http://x.org/rules"}),
    ("focus on a relative", {"focus": [{"reference": "RelatedPerson/1"}]}),
    ("focus on another patient", {"focus": [{"reference": "Patient/another"}]}),
    ("reason why absent", {"dataAbsentReason": {"text": "lost"}, "valueString": "1+"}),
    ("unknown status", {"status": "done"}),
    ("no status", {"status": None}),
    ("entered in error", {"status": "entered-in-error"}),
    ("cancelled", {"status": "cancelled"}),
    (
        "contained subject",
        {"subject": {"reference": "#p"}, "contained": [{"resourceType": "Patient"}]},
    ),
    ("subject in a list", {"subject": [{"reference": "Patient/p0"}]}),
    ("a group", {"subject": {"reference": "Group/1"}}),
    ("nobody", {"subject": {"display": "Anna"}}),
    ("two values", {"valueString": "1+", "valueInteger": 3}),
    ("another marker", {"code": {"coding": [{"system": "http://loinc.org", "code": "85337-4"}]}}),
    ("code as a list", {"code": [{"coding": [{"system": "http://loinc.org", "code": "85319-2"}]}]}),
    ("another resource", {"resourceType": "Basic"}),
)
"""Elements that leave nothing to say of an Observation, or leave it to a person."""
HARMLESS: Final[Sequence[tuple[str, Json]]] = (
    ("unknown keys", {"__proto__": {"status": "final"}, "constructor": 1, "zz": [[]]}),
    (
        "an attachment",
        {"contained": [{"resourceType": "Binary", "id": "b", "data": "QUJD" * 20_000}]},
    ),
    (
        "itself contained",
        {"contained": [{"resourceType": "Observation", "id": "c", "status": "final"}]},
    ),
    ("an extension", {"extension": [{"url": "http://x.org/y", "valueString": "3+"}]}),
    ("a long name", {"performer": [{"display": "a" * 50_000}]}),
    ("a narrative", {"text": {"status": "generated", "div": "<div>HER2 3+ <script/></div>"}}),
    ("other categories", {"category": [None, 7, {"coding": [{"code": "vital-signs"}]}]}),
    ("a language", {"language": "xx-YY"}),
)
"""Elements beside which the category must stay as it is."""


@dataclass(frozen=True)
class Spoilt:
    """A spoilt sample.

    `kind`: "place", with the `path` in resource `index` of the `original`; "withheld" and "harmless" of the first one.
    """

    kind: str
    name: str
    resources: list[Json]
    index: int = 0
    path: Path = ()
    original: Sequence[Json] = ()


def spoil_structure(resources: Sequence[Json], random: Random) -> Spoilt:
    """Spoil one place of a copy; resource 0 is a HER2 result, the last one a specimen."""
    made = copy.deepcopy(list(resources))
    kind = random.choices(("place", "withheld", "harmless"), (7, 2, 1))[0]
    if kind == "place":
        index = random.randrange(len(made))
        path = random.choice(list(_places(made[index])))
        if random.random() < 0.25:
            removed(made[index], path)
            return Spoilt(kind, "taken out", made, index, path, resources)
        _put(made[index], path, copy.deepcopy(random.choice(NONSENSE)))
        return Spoilt(kind, "nonsense", made, index, path, resources)
    name, elements = random.choice(WITHHELD if kind == "withheld" else HARMLESS)
    spoilt = {**made[0], **copy.deepcopy(elements)}
    made[0] = {key: value for key, value in spoilt.items() if value is not None}
    return Spoilt(kind, name, made)


def removed(resource: Json, path: Path) -> None:
    """Take one place out, in place."""
    inner: Any = resource
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]


def _put(resource: Json, path: Path, value: Any) -> None:
    inner: Any = resource
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value


def _places(value: Any, path: Path = ()) -> Iterator[Path]:
    inner: Iterator[tuple[str | int, Any]] = iter(())
    if isinstance(value, dict):
        inner = iter(value.items())
    elif isinstance(value, list):
        inner = iter(enumerate(value))
    for step, item in inner:
        yield (*path, step)
        yield from _places(item, (*path, step))


Refused = tuple[str, Callable[[bytes, Random], bytes]]


def _with(old: bytes, new: bytes) -> Callable[[bytes, Random], bytes]:
    return lambda data, _: data.replace(old, new, 1)


def _escape(text: bytes) -> Callable[[bytes, Random], bytes]:
    return _with(b'"status": "', b'"status": "' + text)


def _number(text: bytes) -> Callable[[bytes, Random], bytes]:
    return _with(b'{"resourceType"', b'{"zz": ' + text + b', "resourceType"')


def _cut(data: bytes, random: Random) -> bytes:
    return data[: random.randrange(1, len(data))]


def _within(text: bytes) -> Callable[[bytes, Random], bytes]:
    def inserted(data: bytes, random: Random) -> bytes:
        at = data.index(b'"') + 1
        return data[:at] + text + data[at:]

    return inserted


REFUSED: Final[Sequence[Refused]] = (
    ("status twice", _with(b'"status"', b'"status": "final", "status"')),
    ("subject twice", _with(b'"subject"', b'"subject": {"reference": "Patient/x"}, "subject"')),
    ("not a number", _number(b"NaN")),
    ("infinity", _number(b"-Infinity")),
    ("too large", _number(b"1e400")),
    ("2 to the 63", _number(b"9223372036854775808")),
    ("5,000 digits", _number(b"7" * 5000)),
    ("deep", _number(b"[" * 100 + b"]" * 100)),
    ("very deep", _number(b"[" * 100_000 + b"]" * 100_000)),
    ("objects, deep", _number(b'{"a":' * 90 + b"1" + b"}" * 90)),
    ("half a pair", _escape(rb"\ud800")),
    ("the other half", _escape(rb"\udc00")),
    ("nul", _escape(rb"\u0000")),
    ("nul, raw", _escape(b"\x00")),
    ("byte order mark", lambda data, _: b"\xef\xbb\xbf" + data),
    ("utf-16", lambda data, _: data.decode().encode("utf-16")),
    ("utf-16 without mark", lambda data, _: data.decode().encode("utf-16-le")),
    ("not utf-8", _within(b"\xff")),
    ("overlong", _within(b"\xc0\xaf")),
    ("surrogate bytes", _within(b"\xed\xa0\x80")),
    ("cut", _cut),
    ("more after the end", lambda data, _: data + b" {}"),
    ("a list", lambda data, _: b"[" + data + b"]"),
    ("nothing", lambda *_: b""),
)
"""What no document may be, and how it is made."""


def change_bytes(data: bytes, random: Random) -> bytes:
    """Change one to three bytes: what comes out may be refused, or read, and must then be judged."""
    made = bytearray(data)
    for _ in range(random.randint(1, 3)):
        at = random.randrange(len(made))
        match random.randrange(3):
            case 0:
                made[at] = random.randrange(256)
            case 1:
                made[at] ^= 1 << random.randrange(8)
            case _:
                made[at:at] = bytes([random.choice(b'0123456789+-"{}[]:, \\eE.\n')])
    return bytes(made)


def as_bytes(resource: Json) -> bytes:
    """Write a resource as a server would."""
    return json.dumps(resource, ensure_ascii=False).encode()
