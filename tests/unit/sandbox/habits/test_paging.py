"""Habits of paging, seen by a plain HTTP client."""

from __future__ import annotations

from itertools import chain
from urllib.parse import urljoin, urlsplit

import pytest

from adapter.sandbox.habits.links import FOREIGN_KINDS
from adapter.sandbox.server import Sandbox
from tests.unit.sandbox.client import Client, Json, ids, issue, link, observation, reference
from tests.unit.sandbox.habits.conftest import MovedClock


@pytest.fixture
def five(fhir: Client, woman: Json) -> list[str]:
    """The ids of five results of one woman."""
    return [fhir.stored(observation(subject=reference(woman)))["id"] for _ in range(5)]


def first_page(fhir: Client, woman: Json, size: int = 2) -> Json:
    answer = fhir.search("Observation", ("patient", woman["id"]), ("_count", str(size)))
    assert answer.status_code == 200
    page: Json = answer.json()
    return page


def next_of(page: Json) -> str:
    url = link(page, "next")
    assert url is not None
    return url


def test_expiring_pages_are_gone_after_a_time(
    sandbox: Sandbox, fhir: Client, clock: MovedClock, woman: Json, five: list[str]
) -> None:
    sandbox.habits.choose({"expiring-pages": 30})
    page = first_page(fhir, woman)
    second = fhir.get(next_of(page)).json()
    clock.go_on(31)
    for url in (next_of(page), next_of(second)):
        answer = fhir.get(url)
        assert (answer.status_code, issue(answer)["code"]) == (410, "expired")
    again = first_page(fhir, woman)
    assert fhir.get(next_of(again)).status_code == 200


def test_lost_pages_are_answered_410_now_and_then(
    sandbox: Sandbox, fhir: Client, woman: Json, five: list[str]
) -> None:
    sandbox.habits.choose({"lost-pages": 2})
    url = next_of(first_page(fhir, woman))

    assert [fhir.get(url).status_code for _ in range(4)] == [200, 410, 200, 410]


@pytest.mark.parametrize("kind", FOREIGN_KINDS)
def test_foreign_next_links_lead_elsewhere(
    sandbox: Sandbox, fhir: Client, woman: Json, five: list[str], kind: str
) -> None:
    true = urlsplit(next_of(first_page(fhir, woman)))
    sandbox.habits.choose({"foreign-next-links": kind})
    url = next_of(first_page(fhir, woman))

    if kind in ("relative", "absolute-path"):
        assert not urlsplit(url).scheme
        second = fhir.get(urljoin(f"{fhir.base_url}/Observation?x", url))
        assert len(ids(second.json())) == 2, "a relative link leads home when it is resolved"
    else:
        led = urlsplit(url)
        assert (led.scheme, led.netloc, led.path) != (true.scheme, true.netloc, true.path)
        assert led.query.startswith("_page=")


def test_foreign_next_links_lead_to_an_origin_of_ones_own(
    sandbox: Sandbox, fhir: Client, woman: Json, five: list[str]
) -> None:
    sandbox.habits.choose({"foreign-next-links": "http://127.0.0.1:9"})

    assert next_of(first_page(fhir, woman)).startswith("http://127.0.0.1:9/fhir?_page=")
    assert link(first_page(fhir, woman), "self").startswith(fhir.base_url)  # type: ignore[union-attr]


def pages(fhir: Client, page: Json, most: int = 12) -> list[list[str]]:
    """Follow next links, `most` pages at most, and return the ids of each page."""
    found = [ids(page)]
    while (url := link(page, "next")) is not None and len(found) < most:
        answer = fhir.get(url)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found.append(ids(page))
    return found


def test_without_habits_a_result_set_is_paged_as_it_was(
    fhir: Client, woman: Json, five: list[str]
) -> None:
    page = first_page(fhir, woman)
    fhir.delete(f"Observation/{ids(page)[0]}")

    assert sorted(chain.from_iterable(pages(fhir, page))) == sorted(five)


def test_shifting_pages_pass_over_what_moved_up(
    sandbox: Sandbox, fhir: Client, woman: Json, five: list[str]
) -> None:
    sandbox.habits.choose({"shifting-pages": True})
    page = first_page(fhir, woman)
    for logical_id in ids(page):
        fhir.delete(f"Observation/{logical_id}")

    assert len(list(chain.from_iterable(pages(fhir, page)))) == 3, "two of five are never seen"


def test_empty_pages_stand_before_every_further_page(
    sandbox: Sandbox, fhir: Client, woman: Json, five: list[str]
) -> None:
    sandbox.habits.choose({"empty-pages": True})
    found = pages(fhir, first_page(fhir, woman))

    assert [len(page) for page in found] == [2, 0, 2, 0, 1]
    assert sorted(chain.from_iterable(found)) == sorted(five)


def test_an_empty_last_page_comes_after_the_last(
    sandbox: Sandbox, fhir: Client, woman: Json, five: list[str]
) -> None:
    sandbox.habits.choose({"empty-last-page": True})

    assert [len(page) for page in pages(fhir, first_page(fhir, woman))] == [2, 2, 1, 0]
    assert [len(page) for page in pages(fhir, first_page(fhir, woman, 9))] == [5, 0]


@pytest.mark.parametrize(("length", "loop"), [(1, [2] * 6), (2, [2] * 6), (9, [2, 2, 1])])
def test_link_loops_lead_back_to_the_first_page(
    sandbox: Sandbox, fhir: Client, woman: Json, five: list[str], length: int, loop: list[int]
) -> None:
    sandbox.habits.choose({"link-loops": length})
    found = pages(fhir, first_page(fhir, woman), most=6)

    assert [len(page) for page in found] == loop
    assert found[0] == found[length % len(found)] or length > 3


def test_endless_pages_go_on_with_links_never_seen_before(
    sandbox: Sandbox, fhir: Client, woman: Json, five: list[str]
) -> None:
    sandbox.habits.choose({"endless-pages": True})
    page, seen = first_page(fhir, woman), set[str]()
    found = pages(fhir, page, most=20)
    for _ in range(20):
        seen.add(next_of(page))
        page = fhir.get(next_of(page)).json()

    assert [len(one) for one in found] == [2, 2, 1] + [0] * 17
    assert len(seen) == 20
