"""What is found changes while its pages are read: nothing that stood all the while is passed over.

Protects row A8 of the failure modes, and servers whose totals are estimates, of a page only, or none at all.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from adapter.errors import TemporaryServerError
from adapter.ports import JsonObject, SearchPage, SearchParams
from adapter.sync.cycle import PassKind
from adapter.sync.reading.slices import REPEATS, WholeSearch
from adapter.sync.reading.totals import MISCOUNTED, MOST_IN_VAIN, UNSETTLED, Totals
from tests.fakes.clock import FakeClock
from tests.fakes.server import FakeFhirServer
from tests.fakes.site import Site


class Shifting(FakeFhirServer):
    """Pages by offset into what it finds when the page is asked for; `between`: told of each page that was sent."""

    between: Callable[[SearchParams, int], None] = lambda *_: None
    oldest_first = False

    def search(self, resource_type: str, params: SearchParams) -> Iterator[SearchPage]:
        number = 0
        while number < len(pages := list(super().search(resource_type, params))):
            yield self.counted(pages[number], number)
            number += 1
            self.between(params, number)

    def counted(self, page: SearchPage, number: int) -> SearchPage:
        """Say a total: the true one."""
        return page

    def _stored(self, resource_type: str) -> list[JsonObject]:
        stored = list(super()._stored(resource_type))
        if self.oldest_first:
            stored.sort(key=lambda one: one["meta"]["lastUpdated"])
        return stored


def result(name: str) -> JsonObject:
    return {"resourceType": "Observation", "id": name}


def server_with(number: int, kind: type[Shifting] = Shifting) -> Shifting:
    server = kind(FakeClock(), page_size=3)
    for one in range(number):
        server.clock.advance(1)
        server.put(result(f"o{one:03}"))
    server.clock.advance(3600)
    return server


def read(server: FakeFhirServer, totals: Totals) -> tuple[set[str], int]:
    """Read a whole search; gives the ids and the number of pages."""
    search = WholeSearch(server, "Observation", [], server.clock, has_times=True, totals=totals)
    pages = list(search.pages())
    return {str(one["id"]) for page in pages for one in page.matches}, len(pages)


@pytest.mark.parametrize("page", [1, 2, 3, 4])
def test_a_row_that_is_deleted_between_two_pages_hides_no_other(page: int) -> None:
    server, totals, deleted = server_with(15), Totals(), []

    def delete(_: SearchParams, number: int) -> None:
        if number == page and not deleted:
            deleted.append("o000")
            server.delete("Observation/o000")

    server.between = delete
    shown, _ = read(server, totals)
    assert (shown, totals.said) == ({f"o{one:03}" for one in range(15)}, {})


def test_a_row_that_moves_behind_the_others_hides_none() -> None:
    server, moved = server_with(15), []
    server.oldest_first = True

    def change(_: SearchParams, number: int) -> None:
        if number == 2 and not moved:
            moved.append("o000")
            server.change("Observation/o000", note=[{"text": "changed"}])

    server.between = change
    assert read(server, Totals())[0] == {f"o{one:03}" for one in range(15)}


@pytest.mark.parametrize("oldest_first", [False, True])
@pytest.mark.parametrize("seed", range(100))
def test_what_stood_all_the_while_is_shown_whatever_else_happens(
    seed: int, oldest_first: bool
) -> None:
    server, chance = server_with(30), random.Random(seed)
    server.oldest_first = oldest_first
    stood, events = {f"o{one:03}" for one in range(30)}, iter(range(6))

    def happen(*_: object) -> None:
        if chance.random() < 0.4 and next(events, None) is not None:
            server.clock.advance(1)
            one = chance.choice(sorted(stood))
            match chance.choice(["insert", "update", "delete"]):
                case "insert":
                    server.put(result(f"{chance.choice('np')}{chance.random()}"))
                case "update":
                    server.change(f"Observation/{one}", note=[{"text": str(chance.random())}])
                case _:
                    stood.remove(one)
                    server.delete(f"Observation/{one}")

    server.between = happen
    shown, _ = read(server, Totals())
    assert stood - shown == set()


@pytest.mark.parametrize("status", [410, 503])
def test_a_search_that_breaks_off_while_it_is_read_again_is_begun_anew(status: int) -> None:
    server, totals, left = server_with(15), Totals(), ["o000"]
    broken: list[int] = []

    def delete(_: SearchParams, number: int) -> None:
        if number == 1 and left:
            server.delete(f"Observation/{left.pop()}")

    def break_off(_: SearchParams, page: int, __: int) -> TemporaryServerError | None:
        if left or broken or len(server.calls) < 30 or page != 1:
            return None
        broken.append(page)
        return TemporaryServerError("the search expired", status=status)

    server.between, server.break_off = delete, break_off
    shown, _ = read(server, totals)
    assert (shown, broken) == ({f"o{one:03}" for one in range(15)}, [1])
    assert (totals.said, totals.unsettled, totals.in_vain) == ({}, 0, 0)


def test_new_rows_alone_ask_for_nothing_again() -> None:
    server, totals = server_with(30), Totals()

    def insert(_: SearchParams, number: int) -> None:
        server.clock.advance(1)
        if number <= 3:
            server.put(result(f"p{number}"))

    server.between = insert
    shown, pages = read(server, totals)
    assert (len(shown), pages, totals) == (33, 11, Totals())


class NewestFirst(Shifting):
    def _stored(self, resource_type: str) -> list[JsonObject]:
        stored = super()._stored(resource_type)
        return sorted(stored, key=lambda one: one["meta"]["lastUpdated"], reverse=True)


def test_a_busy_server_is_read_at_most_twice_and_its_totals_are_believed() -> None:
    """Each search comes upon a new row, and one that moves to a page which was read before."""
    server, totals = server_with(30, NewestFirst), Totals()

    def happen(_: SearchParams, number: int) -> None:
        server.clock.advance(1)
        if number == 2:
            server.put(result(f"p{len(server.calls)}"))
        if number == 4:
            oldest = server.all("Observation")[-1]
            server.change(f"Observation/{oldest['id']}", note=[{"text": str(len(server.calls))}])

    server.between = happen
    for _ in range(20):
        there = {str(one["id"]) for one in server.all("Observation")}
        shown, pages = read(server, totals)
        assert there <= shown
        assert pages <= 2 * (len(shown) // 3 + 2)
        server.clock.advance(3600)
    assert totals == Totals()


class AlwaysMore(Shifting):
    def counted(self, page: SearchPage, number: int) -> SearchPage:
        return replace(page, total=(page.total or 0) + 5)


class OfOnePage(Shifting):
    def counted(self, page: SearchPage, number: int) -> SearchPage:
        return replace(page, total=len(page.matches))


class Guessed(Shifting):
    chance = random.Random(1)

    def counted(self, page: SearchPage, number: int) -> SearchPage:
        return replace(page, total=self.chance.randrange(1000))


class OfNone(Shifting):
    def counted(self, page: SearchPage, number: int) -> SearchPage:
        return replace(page, total=None)


class OfFirst(Shifting):
    def counted(self, page: SearchPage, number: int) -> SearchPage:
        return replace(page, total=None if number else page.total)


class KnownLate(Shifting):
    """As HAPI: it sends the first page before it has counted, and the total with those after it."""

    def counted(self, page: SearchPage, number: int) -> SearchPage:
        return replace(page, total=page.total if number else None)


class Fewer(Shifting):
    def counted(self, page: SearchPage, number: int) -> SearchPage:
        return replace(page, total=1)


@pytest.mark.parametrize("kind", [AlwaysMore, OfOnePage, Guessed])
def test_wrong_totals_cost_a_few_searches_and_are_believed_no_more(kind: type[Shifting]) -> None:
    server, totals = server_with(10, kind), Totals()
    for _ in range(MOST_IN_VAIN):
        totals.said.clear()
        assert read(server, totals) == ({f"o{one:03}" for one in range(10)}, 8)
    for _ in range(3):
        totals.said.clear()
        assert read(server, totals) == ({f"o{one:03}" for one in range(10)}, 4)
        assert list(totals.said) == [MISCOUNTED]
    assert totals.unsettled == 0


@pytest.mark.parametrize("kind", [Shifting, OfNone, OfFirst, KnownLate, Fewer])
def test_a_search_that_shows_what_its_totals_say_is_read_once(kind: type[Shifting]) -> None:
    server, totals = server_with(10, kind), Totals()
    assert [read(server, totals)[1] for _ in range(5)] == [4] * 5
    assert totals == Totals()


def test_new_rows_do_not_keep_a_search_going_whose_totals_are_wrong() -> None:
    server, totals = server_with(10, AlwaysMore), Totals()

    def insert(_: SearchParams, number: int) -> None:
        server.clock.advance(1)
        if number == 2:
            server.put(result(f"p{server.clock.now().timestamp()}"))

    server.between = insert
    for _ in range(MOST_IN_VAIN):
        read(server, totals)
    assert (totals.unsettled, totals.in_vain) == (0, MOST_IN_VAIN)


class Losing(Shifting):
    """Shows with each reading of a sweep one more of what it hides, and counts all."""

    hides: list[str] = []  # noqa: RUF012 -- set anew by each test

    def counted(self, page: SearchPage, number: int) -> SearchPage:
        return replace(
            page, matches=tuple(one for one in page.matches if one["id"] not in self.hides)
        )


def showing_one_more(server: Losing) -> Callable[[SearchParams, int], None]:
    def between(params: SearchParams, number: int) -> None:
        if number == 1 and ("patient" not in dict(params)):
            del server.hides[:1]

    return between


def test_a_server_without_times_whose_totals_are_wrong_never_keeps_a_search_going() -> None:
    server, totals = server_with(10, AlwaysMore), Totals()
    server.show = lambda one: {**one, "meta": {}}

    def insert(_: SearchParams, number: int) -> None:
        if number == 2:
            server.put(result(f"p{len(server.calls)}"))

    server.between = insert
    for _ in range(MOST_IN_VAIN):
        read(server, totals)
    assert (totals.unsettled, totals.in_vain) == (0, MOST_IN_VAIN)


def test_what_is_shown_in_no_usable_form_counts_as_shown() -> None:
    server, totals = server_with(10), Totals()
    server.show = lambda one: {**one, "id": "no id"} if one["id"] == "o004" else one
    assert (read(server, totals)[1], totals) == (4, Totals())


def test_rows_that_never_rest_are_not_read_for_ever() -> None:
    server, totals = server_with(30, Losing), Totals()
    server.hides = [f"o{one:03}" for one in range(10, 20)]
    server.between = showing_one_more(server)
    _, pages = read(server, totals)
    assert pages == 10 * (REPEATS + 1)
    assert (list(totals.said), totals.unsettled) == ([UNSETTLED], 1)


def shifting_site(kind: type[Shifting] = Shifting) -> Site:
    site = Site(server=kind(FakeClock(), page_size=3))
    for patient in "abcdefgh":
        site.clock.advance(hours=2)
        site.laboratory.ihc(patient, "3+")
    return site


def is_of_a_sweep(params: SearchParams) -> bool:
    return ("_count", "500") in params and not {"patient", "_lastUpdated"} & dict(params).keys()


def test_a_result_that_a_deletion_hides_while_a_sweep_pages_is_decided_in_the_same_pass() -> None:
    site, left = shifting_site(), ["Observation/ihc-a-a"]

    def delete(params: SearchParams, number: int) -> None:
        if number == 1 and left and is_of_a_sweep(params):
            site.server.delete(left.pop())

    site.server.between = delete
    report = site.run()
    assert (report.kind, left) == (PassKind.SWEEP, [])
    assert sorted(site.categories()) == list("abcdefgh")
    assert site.run().kind is PassKind.INCREMENTAL


def test_a_sweep_whose_rows_never_rest_does_not_count_and_the_next_pass_is_one_again() -> None:
    site = shifting_site(Losing)
    server = site.server
    assert isinstance(server, Losing)
    site.settle()
    assert sorted(site.categories()) == list("abcdefgh")
    for number in range(9):
        site.laboratory.ihc(f"y{number}", "3+")
    site.clock.advance(hours=2)
    site.laboratory.ihc("z", "3+")
    server.hides = [f"ihc-y{number}-a" for number in range(6)]

    def show_one_more(params: SearchParams, number: int) -> None:
        if number == 2 and is_of_a_sweep(params) and any(name == "_include" for name, _ in params):
            del server.hides[:1]

    server.between = show_one_more
    report = site.run(full_sweep=True)
    assert (report.kind, UNSETTLED in report.warnings) == (PassKind.SWEEP, True)
    assert sorted(site.categories()) == [
        *"abcdefgh",
        *(f"y{one}" for one in (0, 1, 2, 3, 6, 7, 8)),
        "z",
    ]
    report = site.run()
    assert (report.kind, UNSETTLED in report.warnings) == (PassKind.SWEEP, False)
    assert sorted(site.categories()) == [*"abcdefgh", *(f"y{one}" for one in range(9)), "z"]
    assert site.run().kind is PassKind.INCREMENTAL
