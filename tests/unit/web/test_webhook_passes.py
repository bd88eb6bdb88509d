"""What notifications make of a whole service: how many passes, and that none of them is missed.

The service polls once an hour here: every pass beyond the first was woken.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.unit.web.running import Running, running, until

SECRET = "correct-horse-battery-staple-0001"
RIGHT = {"X-Webhook-Secret": SECRET}
SETTLES = 1.0


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path, http__webhook__secret=SECRET, http__settle_seconds=SETTLES) as one:
        yield one


def notified(served: Running, number: int, headers: dict[str, str]) -> set[tuple[int, bytes]]:
    """Notify so many times from eight connections at once; give the different answers."""

    def notify(share: int) -> set[tuple[int, bytes]]:
        with requests.Session() as session:
            session.trust_env = False
            url = f"{served.url}/webhook"
            answers = (session.post(url, headers=headers, timeout=30) for _ in range(share))
            return {(one.status_code, one.content) for one in answers}

    with ThreadPoolExecutor(8) as pool:
        return set().union(*pool.map(notify, [number // 8] * 8))


def settled(served: Running) -> int:
    """How many passes there were, when no more comes."""
    time.sleep(3 * SETTLES)
    return len(served.reports)


def test_a_notification_makes_a_pass_at_once(served: Running) -> None:
    served.put_result("anna", "1+")
    assert notified(served, 8, RIGHT) == {(202, b"")}
    until(lambda: served.categories() == {"anna": "low"})


@pytest.mark.parametrize(
    "headers", [{}, {"X-Webhook-Secret": "wrong"}, {"X-Signature": "0" * 64}], ids=str
)
def test_no_number_of_forgeries_makes_a_pass(served: Running, headers: dict[str, str]) -> None:
    served.put_result("anna", "1+")
    assert notified(served, 160, headers) == {(202, b"")}
    assert settled(served) == 1
    assert served.categories() == {}


def test_a_hundred_replays_are_one_wake(served: Running) -> None:
    """One pass, or two where the machine was too slow to send them within the time they settle in."""
    notified(served, 104, RIGHT)
    assert settled(served) in (2, 3)


def test_a_burst_ends_in_two_passes_at_most_and_nothing_is_missed(served: Running) -> None:
    """A share of 10,000, which benchmarks/notifications.py sends."""
    for number in range(10):
        served.put_result(f"w{number}", "1+")
    assert notified(served, 800, RIGHT) == {(202, b"")}
    assert 2 <= settled(served) <= 3
    assert served.categories() == {f"w{number}": "low" for number in range(10)}


def test_what_is_written_during_a_burst_is_in_its_last_pass(served: Running) -> None:
    with ThreadPoolExecutor(1) as pool:
        flood = pool.submit(notified, served, 400, RIGHT)
        served.put_result("late", "3+")
        notified(served, 8, RIGHT)
        flood.result()
    until(lambda: served.categories() == {"late": "positive"})


def test_forgeries_do_not_hold_a_right_one_off(served: Running) -> None:
    served.put_result("anna", "1+")
    with ThreadPoolExecutor(1) as pool:
        flood = pool.submit(notified, served, 400, {"X-Webhook-Secret": "wrong"})
        notified(served, 8, RIGHT)
        until(lambda: served.categories() == {"anna": "low"})
        flood.result()


def test_without_a_secret_there_is_no_webhook(tmp_path: Path) -> None:
    with running(tmp_path) as one:
        assert one.post("/webhook", headers=RIGHT).status_code == 404
        assert one.post("/webhook/Observation/1").status_code == 404


def test_while_a_secret_is_exchanged_both_count(tmp_path: Path) -> None:
    later = SECRET[:-1] + "2"
    secrets = {"http__webhook__secret": later, "http__webhook__earlier_secret": SECRET}
    with running(tmp_path, **secrets) as one:
        for number, secret in enumerate((SECRET, later)):
            one.put_result(f"w{number}", "1+")
            one.post("/webhook", headers={"X-Webhook-Secret": secret})
            until(lambda: len(one.categories()) == number + 1)  # noqa: B023 - it is over before the next
