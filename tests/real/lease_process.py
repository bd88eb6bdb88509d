"""A service with a short lease, as a process of its own: `python -m tests.real.lease_process NAME SECONDS`.

Settings come from the environment, as for `her2-adapter run`; only the lease is shorter than any site would want it.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from threading import Event

from adapter import logs
from adapter.bootstrap import open_adapter
from adapter.settings import load_settings
from adapter.sync.cycle import PassReport
from adapter.sync.loop import Loop, LoopOptions


def _say(report: PassReport) -> None:
    sys.stdout.write(f"{report.outcome.value} {report.writes}\n")
    sys.stdout.flush()


def main(name: str, lease_seconds: float) -> None:
    """Run until killed; says on stdout what each pass did."""
    settings = load_settings(None, {})
    logs.configure("json", "error")
    with open_adapter(settings, Event(), sets_aside=True) as adapter:
        options = LoopOptions(interval_seconds=0.2, lease_seconds=lease_seconds, holder=name)
        # One lane: while a request is under way nothing of this process is in the middle of the database.
        send = replace(adapter.options.send, writers=1)
        Loop(
            adapter.parts,
            replace(adapter.options, send=send),
            options,
            stopped=lambda: False,
            tell=_say,
        ).run()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
