"""Habits with the text of JSON, seen by a plain HTTP client."""

from __future__ import annotations

import json

import pytest

from adapter.sandbox.server import Sandbox
from tests.unit.sandbox.client import Client, Json, observation, reference


def keys_in(text: str) -> list[str]:
    """Return every key of every object in a JSON text, repeated ones too."""
    keys: list[str] = []
    json.loads(text, object_pairs_hook=lambda pairs: keys.extend(name for name, _ in pairs))
    return keys


@pytest.mark.parametrize("key", ["status", "subject"])
def test_duplicate_keys_stand_in_single_resources_and_in_pages(
    sandbox: Sandbox, fhir: Client, woman: Json, key: str
) -> None:
    stored = fhir.stored(observation(subject=reference(woman)))
    sandbox.habits.choose({"duplicate-keys": f"1:{key}"})

    for path in (f"Observation/{stored['id']}", f"Observation?patient={woman['id']}"):
        text = fhir.get(path).text
        assert keys_in(text).count(key) == 2
        wrong = {"status": "entered-in-error", "subject": "Patient/someone-else"}[key]
        assert wrong in text


@pytest.mark.parametrize(
    ("kind", "sign"),
    [
        ("nan", "NaN"),
        ("infinity", "1e400"),
        ("surrogate", '"\\ud800"'),
        ("control", '"\\u0000"'),
        ("depth", "[" * 3000),
        ("digits", "9" * 5000),
    ],
)
def test_broken_json_holds_what_some_readers_take(
    sandbox: Sandbox, fhir: Client, new_id: str, kind: str, sign: str
) -> None:
    fhir.put(observation(id=new_id))
    sandbox.habits.choose({"broken-json": f"1:{kind}"})

    assert sign in fhir.get(f"Observation/{new_id}").text
    sandbox.habits.choose({"broken-json": "1:cut"})
    cut = fhir.get(f"Observation/{new_id}")
    assert int(cut.headers["Content-Length"]) == len(cut.content)
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(cut.text)


@pytest.mark.parametrize(
    ("kind", "sign"),
    [
        ("key", '"meta":{},'),
        ("subject", '"Patient/someone-else"'),
        ("nan", "NaN"),
        ("digits", "9" * 500),
        ("surrogate", '"\\ud800"'),
        ("control", '"\\u0000"'),
        ("depth", "[" * 100),
    ],
)
def test_a_spoilt_resource_is_so_wherever_it_is_shown_and_alone(
    sandbox: Sandbox, fhir: Client, woman: Json, kind: str, sign: str
) -> None:
    bad, good = (fhir.stored(observation(subject=reference(woman))) for _ in range(2))
    sandbox.habits.choose({"spoilt-resource": f"{bad['id']}:{kind}"})

    for path in (f"Observation/{bad['id']}", f"Observation?patient={woman['id']}"):
        assert fhir.get(path).text.count(sign) == 1
    assert fhir.get(f"Observation/{good['id']}").json() == good
    page = fhir.get(f"Observation?patient={woman['id']}").text
    assert json.dumps(good, separators=(",", ":")) in page
