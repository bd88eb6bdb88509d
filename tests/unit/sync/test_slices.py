"""A search is read to its end: begun again where it broke off, cut in time where it is too much.

Protects rows A7 (page tokens die) and A2b (windows too large) of the failure modes.
"""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta

import pytest

from adapter.errors import NotAuthorised, SearchExpired, ServerError, TemporaryServerError
from adapter.ports import JsonObject, SearchParams
from adapter.sync.reading.search_params import at_or_after
from adapter.sync.reading.slices import MAX_IN_THE_DARK, RESTARTS, WholeSearch
from adapter.sync.reading.unread import TICK, Slice, Unread
from tests.fakes.clock import FakeClock
from tests.fakes.poison import Poison
from tests.fakes.server import FakeFhirServer
from tests.fakes.site import Site

PAGE = 7


def server_with(number: int, *, seed: int = 1, days: float = 400) -> FakeFhirServer:
    """A server with results changed at random instants of some days."""
    clock, chance = FakeClock(), random.Random(seed)
    server = FakeFhirServer(clock, page_size=PAGE)
    for one in range(number):
        ago = timedelta(seconds=chance.uniform(0, days * 86_400))
        result: JsonObject = {"resourceType": "Observation", "id": f"o{one}"}
        server.put(result, last_updated=clock.now() - ago)
    return server


def ids_read(server: FakeFhirServer, *, has_times: bool = True) -> set[str]:
    search = WholeSearch(server, "Observation", [], server.clock, has_times)
    return {str(one["id"]) for page in search.pages() for one in page.matches}


def everything(number: int) -> set[str]:
    return {f"o{one}" for one in range(number)}


@pytest.mark.parametrize("has_times", [True, False])
@pytest.mark.parametrize("page", range(1, 51))
def test_a_token_that_dies_once_at_any_page_loses_nothing(page: int, has_times: bool) -> None:
    server, died = server_with(51 * PAGE), Counter[int]()

    def dies(_: SearchParams, number: int, __: int) -> ServerError | None:
        died[number] += 1
        return SearchExpired("gone", status=410) if number == page and died[page] == 1 else None

    server.break_off = dies
    assert ids_read(server, has_times=has_times) == everything(51 * PAGE)


@pytest.mark.parametrize("lives", [1, 2, 5])
def test_tokens_that_never_live_long_are_met_by_shorter_slices(lives: int) -> None:
    server = server_with(300)
    server.break_off = lambda _, page, __: SearchExpired("gone") if page >= lives else None
    assert ids_read(server) == everything(300)


def test_a_server_that_fails_at_large_windows_is_read_in_smaller_ones() -> None:
    server = server_with(3000, days=9000)
    too_much = TemporaryServerError("too much", status=500)
    server.break_off = lambda _, __, found: too_much if found > 90 else None
    assert ids_read(server) == everything(3000)


def test_results_that_all_came_in_the_last_minutes_are_found_from_the_dark() -> None:
    server = server_with(400, days=0.01)
    too_much = TemporaryServerError("too much", status=500)
    server.break_off = lambda _, __, found: too_much if found > 90 else None
    assert ids_read(server) == everything(400)


def test_what_is_changed_while_slices_are_read_is_not_lost() -> None:
    server = server_with(200)
    server.break_off = lambda _, page, __: SearchExpired("gone") if page >= 3 else None
    search = WholeSearch(server, "Observation", [], server.clock, has_times=True)
    read: set[str] = set()
    for number, page in enumerate(search.pages()):
        read.update(str(one["id"]) for one in page.matches)
        server.clock.advance(1)
        if number % 10 == 0:
            server.put({"resourceType": "Observation", "id": f"o{number % 200}", "note": [{}]})
    assert read == everything(200)


def test_a_search_with_a_window_of_its_own_stays_within_it() -> None:
    server = server_with(120)
    since = server.clock.now() - timedelta(days=100)
    window = [("_lastUpdated", f"ge{since.isoformat()}")]
    server.break_off = lambda _, page, __: SearchExpired("gone") if page >= 1 else None
    search = WholeSearch(server, "Observation", window, server.clock, has_times=True)
    found = {str(one["id"]) for page in search.pages() for one in page.matches}
    server.break_off = lambda *_: None
    asked = server.search("Observation", window)
    assert found == {str(one["id"]) for page in asked for one in page.matches} != set()


def test_more_of_one_instant_than_a_token_lives_for_is_an_error_and_no_silent_end() -> None:
    server = server_with(0)
    for one in range(5 * PAGE):
        server.put({"resourceType": "Observation", "id": f"o{one}"})
    server.clock.advance(3600)
    server.break_off = lambda _, page, __: SearchExpired("gone") if page >= 2 else None
    with pytest.raises(SearchExpired):
        ids_read(server)


def test_where_times_are_not_searched_by_nothing_is_sliced() -> None:
    server, asked = server_with(100), list[SearchParams]()

    def dies(params: SearchParams, page: int, _: int) -> ServerError | None:
        asked.append(params)
        return SearchExpired("gone") if page >= 2 else None

    server.break_off = dies
    with pytest.raises(SearchExpired):
        ids_read(server, has_times=False)
    assert len(asked) == 3 * (RESTARTS + 1)
    assert not any(name == "_lastUpdated" for params in asked for name, _ in params)


def test_a_server_that_fails_at_everything_is_soon_left_alone() -> None:
    server, tries = server_with(10), Counter[str]()

    def is_down(*_: object) -> ServerError:
        tries["all"] += 1
        return TemporaryServerError("down", status=500)

    server.break_off = is_down
    with pytest.raises(TemporaryServerError):
        ids_read(server)
    assert tries["all"] == MAX_IN_THE_DARK + 1


@pytest.mark.parametrize(
    "error",
    [NotAuthorised("no", status=403), TemporaryServerError("busy", status=503)],
    ids=["not authorised", "not there"],
)
def test_other_failures_are_passed_on_at_once(error: ServerError) -> None:
    server, tries = server_with(10), Counter[str]()

    def fails(*_: object) -> ServerError:
        tries["all"] += 1
        return error

    server.break_off = fails
    with pytest.raises(type(error)):
        ids_read(server)
    assert tries["all"] == 1


def test_a_sweep_of_a_server_with_short_lived_pages_decides_everybody() -> None:
    site = Site()
    site.server.page_size = 5
    site.laboratory.ihc("first", "1+")
    site.settle()
    for number in range(60):
        site.clock.advance(61)
        site.laboratory.ihc(f"p{number}", "3+")
    site.clock.advance(3600)
    site.restart()
    site.server.break_off = lambda _, page, __: SearchExpired("gone") if page >= 2 else None
    site.run(full_sweep=True)
    assert len(site.categories()) == 61
    site.server.break_off = lambda *_: None
    assert site.settle().writes == 0
    site.assert_sound()


@pytest.mark.parametrize(
    "after",
    [0, 1, 2, 999, 1000, 300_000, 599_999, 600_000, 600_001, 660_000, 50_000_000],
    ids=lambda after: f"{after} ms after the window begins",
)
def test_what_a_server_cannot_give_is_left_out_to_the_millisecond(after: int) -> None:
    server = server_with(0)
    begin = server.clock.now() - timedelta(minutes=10)
    moment = begin + timedelta(milliseconds=after)
    for name, instant in (
        ("before", moment - timedelta(milliseconds=1)),
        ("poison", moment),
        ("beside", moment),
        ("after", moment + timedelta(milliseconds=1)),
    ):
        server.put({"resourceType": "Observation", "id": name}, last_updated=instant)
    poison, unread = Poison(server, {"Observation/poison"}), Unread(lambda: True)
    window = [("_lastUpdated", at_or_after(begin))]

    def read() -> set[str]:
        search = WholeSearch(
            server, "Observation", window, server.clock, has_times=True, unread=unread
        )
        return {str(one["id"]) for page in search.pages() for one in page.matches}

    assert read() == {"before", "after"} - ({"before"} if after == 0 else set())
    assert unread.in_pass == {("Observation", Slice(moment, moment + TICK))}
    poison.asked.clear()
    unread.begin_pass()
    assert read() == {"before", "after"} - ({"before"} if after == 0 else set())
    assert len(poison.asked) == len(unread.in_pass) == 1
    poison.references.clear()
    unread.begin_pass()
    assert {"poison", "beside"} <= read()
    assert not unread.in_pass


@pytest.mark.parametrize(
    ("gives_others", "params"),
    [(False, [("_lastUpdated", "ge2020-01-01T00:00:00.000Z")]), (True, [])],
)
def test_nothing_is_left_out_of_a_server_that_gives_nothing_nor_of_a_full_search(
    gives_others: bool, params: SearchParams
) -> None:
    server = server_with(3)
    Poison(server, {"Observation/o1"})
    unread = Unread(lambda: gives_others)
    search = WholeSearch(server, "Observation", params, server.clock, True, unread=unread)
    with pytest.raises(TemporaryServerError):
        list(search.pages())


def test_a_part_that_could_still_be_cut_is_not_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapter.sync.reading.slices.MAX_HALVINGS", 3)
    server = server_with(0)
    begin = server.clock.now() - timedelta(minutes=10)
    server.put(
        {"resourceType": "Observation", "id": "o0"}, last_updated=begin + timedelta(minutes=3)
    )
    Poison(server, {"Observation/o0"})
    window = [("_lastUpdated", at_or_after(begin))]
    unread = Unread(lambda: True)
    search = WholeSearch(server, "Observation", window, server.clock, True, unread=unread)
    with pytest.raises(TemporaryServerError):
        list(search.pages())
    assert not unread.in_pass
