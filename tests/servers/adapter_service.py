"""`her2-adapter run --http` as a process of its own: started, watched by its log, stopped, killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from adapter.store import open_store

LONGEST_SECONDS: Final = 90.0


class AdapterService:
    """One life of the process. Lives in one folder share the state and the log; each reads its own lines."""

    def __init__(
        self, server: str, folder: Path, *, address: str = "127.0.0.1:0", **settings: str
    ) -> None:
        """Start it.

        Args:
            server: base URL of the FHIR server.
            folder: where it works: its state, and its log as JSON lines.
            address: host and port; port 0 lets the system choose.
            settings: more settings as environment variables, HER2_POLL__INTERVAL_SECONDS="1" for instance.

        """
        self._log = folder / "service.log"
        self._begins = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "adapter", "run", "--http", address],
                env={**environment(server, folder), **settings},
                cwd=folder,
                stdout=subprocess.DEVNULL,
                stderr=output,
            )

    @property
    def url(self) -> str:
        """Where it answers, once it does."""
        self.wait_for("http_started")
        (told,) = self.events("http_started")
        return f"http://{told['host']}:{told['port']}"

    def events(self, name: str) -> list[dict[str, Any]]:
        """Give what it logged so far under one event's name."""
        whole = self.said.rpartition("\n")[0]
        found = [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
        return [one for one in found if one["event"] == name]

    def wait_for(self, event: str, number: int = 1) -> None:
        """Wait until an event was logged so often.

        Raises: AssertionError with its last words, when it ends before, or takes too long.
        """
        deadline = time.monotonic() + LONGEST_SECONDS
        while len(self.events(event)) < number:
            assert self.process.poll() is None, f"it ended before {event}: {self.said[-3000:]}"
            assert time.monotonic() < deadline, f"no {event}: {self.said[-3000:]}"
            time.sleep(0.05)

    def end(self, by: signal.Signals = signal.SIGTERM) -> int:
        """Send it a signal and wait for its end; gives its exit code. Of one that has ended, its exit code."""
        self.process.send_signal(by)
        return self.process.wait(LONGEST_SECONDS)

    @property
    def said(self) -> str:
        """All that it logged."""
        with self._log.open("rb") as log:
            log.seek(self._begins)
            return log.read().decode("utf-8", "replace")


def end_lease_of_the_dead(folder: Path) -> None:
    """Spare a test the minutes for which the next process would wait for the lease of one that was killed."""
    with open_store(f"sqlite:///{folder / 'state.sqlite'}") as store:
        held = store.held_lease()
        if held is not None:
            store.release_lease(held.holder)


def environment(server: str, folder: Path) -> dict[str, str]:
    """Give the variables of a process of ours: nobody else's HER2_ ones, the server, the state in the folder."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("HER2_")}
    return {
        **kept,
        "HER2_FHIR_URL": server,
        "HER2_STATE_URL": f"sqlite:///{folder / 'state.sqlite'}",
        "HER2_LOG__FORMAT": "json",
    }
