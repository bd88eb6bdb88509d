"""Habits of paging, seen by a plain HTTP client."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import pytest

from adapter.sandbox.habits.paging import FOREIGN_KINDS
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
