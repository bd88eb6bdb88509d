"""The whole adapter as it is shipped, put together by its own composition root, against a URL."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import Any

from adapter.bootstrap import Adapter, open_adapter
from adapter.ports import FhirServer
from adapter.settings import load_settings
from adapter.sync.cycle import Cycle, PassOptions, PassReport

MOST_PASSES = 8


class AdapterUnderTest:
    """One installation: a state file of its own, and a process that can be restarted.

    Settings are given by dotted name with two underscores for the dot, as in `brake__first_pass=3`.
    """

    def __init__(
        self,
        url: str,
        state: Path,
        *,
        watched: Callable[[FhirServer], FhirServer] = lambda server: server,
        stop: Event | None = None,
        **settings: Any,
    ) -> None:
        said = {"source__url": url, "store__url": f"sqlite:///{state}", **settings}
        self._settings = load_settings(
            None, {name.replace("__", "."): value for name, value in said.items()}
        )
        self._watched = watched
        self._stop = stop or Event()
        self._opened = ExitStack()
        self.start()

    def start(self) -> None:
        """Begin a new process: what was only in memory is lost."""
        self._opened.close()
        self.adapter: Adapter = self._opened.enter_context(
            open_adapter(self._settings, self._stop, watched=self._watched, sets_aside=True)
        )
        self.cycle = Cycle(self.adapter.parts, self.adapter.options)

    def stop(self) -> None:
        """End the process in good order."""
        self._opened.close()

    def run(self, **asked: Any) -> PassReport:
        """Run one pass; every candidate it fetched must be accounted for."""
        report = self.cycle.run_pass(PassOptions(**asked))
        assert report.fetched == sum(report.outcomes.values()), report.outcomes
        return report

    def settle(self) -> PassReport:
        """Run passes until one has nothing left to do; returns that one."""
        for _ in range(MOST_PASSES):
            report = self.run()
            if report.writes == 0 and report.queue_left == 0:
                return report
        raise AssertionError(f"{MOST_PASSES} passes do not come to rest: {report.counts()}")
