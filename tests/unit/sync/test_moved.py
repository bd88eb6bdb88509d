"""A result that is moved to another patient takes its category from the first one, whatever the server searches by.

Where derived results cannot be asked for by their sources, all of ours are looked at once in a process.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from adapter.ports import ListedPatients
from adapter.sync.options import DiscoverBy, ReadLimits, SendLimits, SyncOptions
from tests.fakes.crash import CrashPoints
from tests.fakes.server import FakeFhirServer
from tests.fakes.site import Site

BY_SOURCE: frozenset[str] = frozenset()
NOT_BY_SOURCE = frozenset({"derived-from"})
every_server = pytest.mark.parametrize(
    "unsupported", [BY_SOURCE, NOT_BY_SOURCE], ids=["by-source", "not-by-source"]
)
BEFORE: dict[str, Callable[[Site], None]] = {
    "nothing": lambda _: None,
    "restarted": lambda site: site.restart(),
}
"""What happens between the move and the next pass."""


def site_of(
    unsupported: frozenset[str], *, target: bool = False, options: SyncOptions | None = None
) -> Site:
    """A site with anna's result, and some others'."""
    site = Site(options=options)
    site.server.unsupported = unsupported
    if target:
        site.target = FakeFhirServer(site.clock, base_url="https://results.test/fhir")
        site.target.unsupported = unsupported
        site.restart()
    site.laboratory.ihc("anna", "3+")
    for name in ("carla", "dora", "edda"):
        site.laboratory.ihc(name, "1+")
    site.settle()
    return site


def move(site: Site, source: str = "Observation/ihc-anna-a", to: str = "berta") -> None:
    site.server.change(
        source,
        subject={"reference": site.laboratory.patient(to)},
        specimen={"reference": site.laboratory.specimen(to)},
    )


def moved(site: Site) -> dict[str, str | None]:
    shown = {name.rpartition("/")[2]: category for name, category in site.categories().items()}
    return {name: shown[name] for name in ("anna", "berta") if name in shown}


@every_server
@pytest.mark.parametrize("target", [False, True], ids=["one-server", "two-servers"])
@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE.keys())
def test_the_next_pass_takes_it_from_the_first_patient(
    before: Callable[[Site], None], target: bool, unsupported: frozenset[str]
) -> None:
    site = site_of(unsupported, target=target)
    move(site)
    before(site)
    site.run()
    assert moved(site) == {"berta": "positive"}
    site.settle()
    site.assert_sound()


@every_server
def test_so_it_is_for_one_that_is_asked_for(unsupported: frozenset[str]) -> None:
    site = site_of(unsupported)
    site.restart()
    move(site)
    site.run(patients=["berta"])
    assert moved(site) == {"berta": "positive"}


@every_server
def test_and_back_again(unsupported: frozenset[str]) -> None:
    site = site_of(unsupported)
    for to in ("berta", "anna", "berta"):
        move(site, to=to)
        site.run()
        assert moved(site) == {to: "positive"}
    site.settle()
    site.assert_sound()


@every_server
def test_one_that_joined_what_stood_before_is_known_as_a_source(
    unsupported: frozenset[str],
) -> None:
    """What was derived since the look at all of ours is known too."""
    site = Site()
    site.server.unsupported = unsupported
    site.laboratory.ihc("carla", "1+")
    site.settle()
    site.laboratory.ihc("anna", "2+")
    site.run()
    fish = site.laboratory.fish("anna", "Amplified")
    site.run()
    assert moved(site) == {"anna": "positive"}
    move(site, fish)
    site.settle()
    assert moved(site)["anna"] != "positive"


@every_server
def test_a_kill_on_the_way_leaves_it_to_the_next_pass(unsupported: frozenset[str]) -> None:
    """The second patient's category may stand already, so that nothing asks for the first one's any more."""
    options = SyncOptions(send=SendLimits(batch_cases=1, writers=1))

    def moving() -> Site:
        site = site_of(unsupported, options=options)
        site.clock.advance(7200)  # no overlap shows the first patient's any more
        site.laboratory.ihc("frida", "1+")
        site.settle()
        move(site)
        return site

    counting = CrashPoints()
    moving().run_with(counting)
    assert counting.steps > 10
    for step in range(1, counting.steps + 1):
        site = moving()
        site.die_at(step)
        for _ in range(4):
            site.run()
        assert moved(site) == {"berta": "positive"}, f"killed at step {step}"


@pytest.mark.parametrize("does", ["finds-nothing", "finds-all"])
@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE.keys())
def test_a_server_that_says_it_and_does_not_is_found_out(
    before: Callable[[Site], None], does: str
) -> None:
    """Also in the process that wrote the first of ours, on which it is proved."""
    site = Site()
    said = site.server.capability()
    site.server.capability = lambda: said  # type: ignore[method-assign]
    if does == "finds-all":
        site.server.ignored = NOT_BY_SOURCE
    else:
        site.server.unsupported = NOT_BY_SOURCE
    for name, score in (("anna", "3+"), ("carla", "1+"), ("dora", "1+")):
        site.laboratory.ihc(name, score)
    site.settle()
    move(site)
    before(site)
    report = site.run()
    assert moved(site) == {"berta": "positive"}
    assert report.patients == 2 or before is BEFORE["restarted"]


def test_all_of_ours_are_looked_at_once_in_a_process() -> None:
    site = site_of(NOT_BY_SOURCE)
    site.restart()
    everything: list[int] = []
    for number in range(3):
        before = len(site.server.calls)
        site.laboratory.ihc(f"new-{number}", "1+")
        site.run()
        asked = [one for one in site.server.calls[before:] if "identifier=" in one]
        everything.append(
            len([one for one in asked if "_lastUpdated" not in one and "patient=" not in one])
        )
    once, *later = everything
    assert once > later[0] == later[1]


def test_a_quiet_pass_looks_at_nothing_of_it() -> None:
    site = site_of(NOT_BY_SOURCE)
    site.restart()
    site.run()
    quiet = len(site.server.calls)
    site.run()
    assert not any(
        "identifier=" in one and "_lastUpdated" not in one for one in site.server.calls[quiet + 1 :]
    )


def test_a_walk_knows_whom_it_came_to() -> None:
    class Listed:
        def read(self) -> ListedPatients:
            return ListedPatients(tuple(f"Patient/{one}" for one in ("anna", "berta", "carla")))

    site = Site(options=SyncOptions(read=ReadLimits(discovery=DiscoverBy.PATIENTS)))
    site.server.unsupported = NOT_BY_SOURCE
    site.listed = Listed()
    site.restart()
    site.laboratory.patient("berta")
    site.laboratory.ihc("anna", "3+")
    site.settle()
    move(site)
    site.run(patients=["berta"])
    assert moved(site) == {"berta": "positive"}


def test_what_was_withdrawn_or_is_gone_wakes_nobody() -> None:
    site = site_of(NOT_BY_SOURCE)
    move(site)
    site.settle()
    calls = len(site.server.calls)
    site.laboratory.amend("Observation/ihc-anna-a", "1+")
    site.run()
    assert not any("Patient/anna" in one for one in site.server.calls[calls:])
