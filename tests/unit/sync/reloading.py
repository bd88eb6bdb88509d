"""A running loop whose site has a folder of mappings: what the tests of a reload start from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from adapter.bootstrap import overlays_of, reread
from adapter.settings import load_settings
from adapter.sync.cycle import Parts, PassReport
from adapter.sync.loop import Loop, LoopOptions
from adapter.sync.reloading import Reloading
from adapter.terminology.looks import SiteFolders
from tests.fakes.clock import FakeClock
from tests.fakes.server import FakeFhirServer
from tests.fakes.site import Site

INTERVAL = 60


class BusyClock(FakeClock):
    """A clock during whose next sleep something happens."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], object] | None = None
        self.is_cut_short = False

    def sleep(self, seconds: float) -> None:
        happens, self.meanwhile = self.meanwhile, None
        if happens is not None:
            happens()
        super().sleep(0 if self.is_cut_short else seconds)


def a_site() -> tuple[Site, BusyClock]:
    """A site whose clock things happen by."""
    clock = BusyClock()
    return Site(server=FakeFhirServer(clock)), clock


class Running:
    """One process of a site with a folder; a second one on the same site is a restart or another adapter."""

    def __init__(
        self,
        site: Site,
        folder: Path,
        *,
        actor: str = "her2@one",
        interval: float = INTERVAL,
        **settings: str,
    ) -> None:
        self.site, self.folder = site, folder
        given = {"source.url": "https://fhir.test/r4", "policy.site_mappings": str(folder)}
        self.settings = load_settings(None, {**given, **settings})
        folders = SiteFolders(overlays_of(self.settings))
        self.parts = reread(self.settings, replace(site.parts, actor=actor))
        self.refresh = Reloading(self.parts, folders, folders.look(), load=self.load)
        self.reports: list[PassReport] = []
        self.while_reading: Callable[[], object] = lambda: None
        self._rounds = 0
        self.loop = Loop(
            self.parts,
            site.options,
            LoopOptions(interval_seconds=interval, holder=actor),
            stopped=self.stopped,
            tell=self.reports.append,
            refresh=self.refresh,
        )

    def load(self) -> Parts:
        parts = reread(self.settings, self.parts)
        self.while_reading()
        return parts

    def stopped(self) -> bool:
        return self._rests() >= self._rounds

    def _rests(self) -> int:
        """Count the waits between two passes, and not those for a folder to rest."""
        return sum(seconds >= INTERVAL for seconds in self.site.clock.sleeps)

    def run(self, rounds: int = 1) -> list[PassReport]:
        """Run some rounds and stop; returns the reports of those passes that ended well."""
        self._rounds = self._rests() + rounds
        before = len(self.reports)
        self.loop.run()
        return self.reports[before:]
