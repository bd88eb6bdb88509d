"""One resource that is no strict JSON leaves its page and its batch readable; it is asked for twice, and told.

The second time is for what was damaged on its way: a stored defect comes again, a passing one does not.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapter.errors import ResourceRefused, TemporaryServerError
from adapter.ports import RefusedResource
from adapter.transport.bundles import page_of
from tests.unit.transport.conftest import MakeServer
from tests.unit.transport.loopback import Loopback, answer

SUBJECT = {"reference": "Patient/p"}
REFUSED = RefusedResource(
    {"resourceType": "Observation", "id": "b", "subject": SUBJECT},
    "not-a-number",
    frozenset({"Patient/p"}),
)


def observation(logical_id: str, value: Any = 1) -> dict[str, Any]:
    """`value` may be NaN, which Python writes and no strict reader takes."""
    known = {"resourceType": "Observation", "id": logical_id, "subject": SUBJECT}
    return {**known, "valueInteger": value}


def page(*resources: Any, mode: str = "match") -> dict[str, Any]:
    entries = [{"resource": one, "search": {"mode": mode}} for one in resources]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries}


SPOILT = page(observation("a"), observation("b", float("nan")), observation("c"))


def test_a_page_keeps_all_but_the_one(make_server: MakeServer, loopback: Loopback) -> None:
    loopback.will(answer(SPOILT), answer(SPOILT))
    (found,) = make_server(loopback.base).search("Observation", [])
    assert [one["id"] for one in found.matches] == ["a", "c"]
    assert found.refused == (REFUSED,)
    assert found.warnings == ("1 search entries refused: no strict JSON (not-a-number)",)
    assert [one.target for one in loopback.requests] == ["/fhir/Observation?_count=500"] * 2


def test_what_was_damaged_on_its_way_comes_whole(
    make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(answer(SPOILT), answer(page(*map(observation, "abc"))))
    (found,) = make_server(loopback.base).search("Observation", [])
    assert [one["id"] for one in found.matches] == ["a", "b", "c"]
    assert found.refused == ()


@pytest.mark.parametrize(
    "second",
    [
        answer(page()),
        answer(page(observation("a"), observation("b"))),
        answer(b"", status="410 Gone"),
        answer(b"", status="403 Forbidden"),
    ],
)
def test_a_second_answer_that_shows_less_is_not_taken(
    second: bytes, make_server: MakeServer, loopback: Loopback
) -> None:
    """The address of a page may be good for one time only; what it showed must not be lost."""
    loopback.will(answer(SPOILT), second)
    (found,) = make_server(loopback.base).search("Observation", [])
    assert [one["id"] for one in found.matches] == ["a", "c"]
    assert found.refused == (REFUSED,)


@pytest.mark.parametrize("mode", ["match", "include", "outcome", "unheard-of"])
def test_a_refused_resource_counts_whatever_its_entry_says(mode: str) -> None:
    found = page_of(page(REFUSED, mode=mode), "Observation")
    assert (found.matches, found.included, found.refused) == ((), (), (REFUSED,))


def test_a_single_resource_is_refused_with_its_code(
    make_server: MakeServer, loopback: Loopback
) -> None:
    bad = answer(observation("b", float("nan")))
    loopback.will(bad, bad)
    with pytest.raises(ResourceRefused, match=r"^Observation/b is no strict JSON") as refused:
        make_server(loopback.base).read("Observation/b")
    assert (refused.value.code, refused.value.status) == ("not-a-number", 200)
    assert len(loopback.requests) == 2


def test_a_single_resource_that_comes_whole_at_last_is_taken(
    make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(answer(observation("b", float("nan"))), answer(observation("b")))
    assert make_server(loopback.base).read("Observation/b") == observation("b")


def test_a_batch_gives_all_but_the_one(make_server: MakeServer, loopback: Loopback) -> None:
    stored = [observation("a"), observation("b", float("nan")), observation("c")]
    entries = [{"resource": one, "response": {"status": "200"}} for one in stored]
    batch = {"resourceType": "Bundle", "type": "batch-response", "entry": entries}
    alone = answer(stored[1])
    loopback.will(answer(batch), alone, alone)
    names = [f"Observation/{name}" for name in "abc"]
    assert make_server(loopback.base).read_all(names) == {
        "Observation/a": stored[0],
        "Observation/b": RefusedResource(
            {"resourceType": "Observation", "id": "b"}, "not-a-number"
        ),
        "Observation/c": stored[2],
    }


def test_a_page_that_is_cut_beside_a_refused_resource_is_no_page(
    make_server: MakeServer, loopback: Loopback
) -> None:
    cut = answer(json.dumps(SPOILT).encode()[:-20])
    loopback.will(cut, cut)
    with pytest.raises(TemporaryServerError) as refused:
        list(make_server(loopback.base, attempts=2).search("Observation", []))
    assert refused.value.code == "malformed-json"
