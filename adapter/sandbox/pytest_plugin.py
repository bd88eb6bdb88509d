"""A pytest plugin: the fixture `hostile_fhir`, a FHIR server with bad habits for anyone's client.

pytest finds it by itself wherever this package is installed, so importing it is cheap: the server
is loaded by the first test that asks for the fixture. docs/sandbox.md shows how to use it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from adapter.sandbox.accesses import Access
    from adapter.sandbox.habits.active import ActiveHabits
    from adapter.sandbox.server import Sandbox

MARKER = "hostile_fhir"


class HostileFhir:
    """A running FHIR R4 server on loopback, empty, without authentication, in this process."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    @property
    def base_url(self) -> str:
        """The FHIR base, `http://127.0.0.1:NNNN/fhir`."""
        return self._sandbox.base_url

    @property
    def habits(self) -> ActiveHabits:
        """The habits that are on; `choose(…)` and `switch(…)` change them at any time."""
        return self._sandbox.habits

    def behave(self) -> None:
        """Put all habits off: from now on it is a good server, with the same content."""
        self.habits.choose()

    def snapshot(self) -> int:
        """Take a backup of the whole content; return its number."""
        return self._sandbox.service.snapshot()

    def restore(self, number: int | None = None) -> None:
        """Go back to a backup, the last one for None: versions and ids of since then never were.

        Raises: ConfigError when there is no such backup.
        """
        self._sandbox.service.restore(number)

    @property
    def requests(self) -> int:
        """HTTP requests so far."""
        return self._sandbox.requests

    @property
    def writes(self) -> int:
        """Creates, updates and deletes asked for so far, those inside bundles included."""
        return self._sandbox.writes

    @property
    def counts(self) -> Mapping[str, Any]:
        """`requests`, `writes`, `versions` made, and `interactions` by R4's codes."""
        return self._sandbox.counts.as_json()

    @property
    def accesses(self) -> tuple[Access, ...]:
        """What was asked, in order: kinds, parameter names and statuses, never an id or a value."""
        return self._sandbox.service.accesses.all


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the options that choose what a test does not say."""
    group = parser.getgroup("hostile_fhir", "a FHIR server with bad habits")
    group.addoption(
        "--hostile-fhir-profile",
        metavar="NAME",
        help="Habits of hostile_fhir in tests that name no profile: hapi, medplum, healthlake, epic, evil.",
    )
    group.addoption(
        "--hostile-fhir-seed",
        metavar="N",
        type=int,
        default=0,
        help="Repeats what habits do at random, in tests that name no seed (default: 0).",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(profile=None, habits=None, seed=None): the bad habits with which the server of the "
        "fixture hostile_fhir begins; the marker nearest to the test wins, habit by habit.",
    )


@pytest.fixture
def hostile_fhir(request: pytest.FixtureRequest) -> Iterator[HostileFhir]:
    """Run an empty FHIR server with the habits that the test's markers name, for one test."""
    from adapter.sandbox.server import Sandbox

    profile, habits, seed = _chosen(request)
    with Sandbox() as sandbox:
        sandbox.habits.choose(habits, profile=profile, seed=seed)
        told = f"profile {profile}, seed {seed}, habits {sandbox.habits.on}"
        request.node.add_report_section("setup", MARKER, told)
        yield HostileFhir(sandbox)


def _chosen(request: pytest.FixtureRequest) -> tuple[str | None, dict[str, object], int]:
    profile: str | None = request.config.getoption("--hostile-fhir-profile")
    seed: int = request.config.getoption("--hostile-fhir-seed")
    habits: dict[str, object] = {}
    for marker in reversed(list(request.node.iter_markers(MARKER))):
        unknown = set(marker.kwargs) - {"profile", "habits", "seed"}
        if marker.args or unknown:
            raise pytest.UsageError(f"{MARKER} takes profile=, habits= and seed= only")
        profile = marker.kwargs.get("profile", profile)
        seed = marker.kwargs.get("seed", seed)
        habits |= marker.kwargs.get("habits", {})
    return profile, habits, seed
