"""One life of an adapter process: the shipped composition, its ports watched, its death arranged.

The product has no hook to be killed by. Here its own composition root puts it together, and a thin
layer around each port counts the calls and ends the process with SIGKILL at the one that was chosen.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from adapter.bootstrap import Adapter, open_adapter
from adapter.cli.exit_codes import DONE, INTERRUPTED
from adapter.cli.main import main
from adapter.cli.signals import stop_on_signals
from adapter.errors import PermanentServerError
from adapter.logs import configure
from adapter.ports import SingleWrite
from adapter.settings import load_settings
from adapter.sync.loop import Loop, LoopOptions
from adapter.sync.pulse import Pulse
from tests.torture.points import PORTS, CrashPoint, Moment, methods_of

LEASE_SECONDS: Final = 1.0
INTERVAL_SECONDS: Final = 0.05


@dataclass(frozen=True)
class Death:
    """Where a process kills itself: at the n-th time (from 1) that it comes to the point."""

    point: CrashPoint
    time: int = 1


@dataclass(frozen=True)
class Life:
    """What one process is told.

    `settings`: by dotted name. `log`: receives both of its output streams. `death`: None for one that is
    killed from outside or ends by itself. `passes`: after so many it ends; None for a service. `refused`:
    the server refuses what this pattern is found in; "" for nothing.
    """

    settings: Mapping[str, Any]
    log: Path
    death: Death | None = None
    passes: int | None = None
    refused: str = ""


class Doom:
    """Counts how often each point was come to, and ends the process at the chosen one."""

    def __init__(self, death: Death | None) -> None:
        self._death = death
        self._times: Counter[CrashPoint] = Counter()
        self._counting = threading.Lock()

    def reached(self, point: CrashPoint) -> None:
        """Say that the process is here; called from several threads."""
        with self._counting:
            self._times[point] += 1
            time = self._times[point]
        if self._death == Death(point, time):
            os.kill(os.getpid(), signal.SIGKILL)


class Watched:
    """A port, passed through call by call; every call is a point at which the process can die."""

    def __init__(self, port: str, real: Any, reached: Callable[[CrashPoint], None]) -> None:
        self._port = port
        self._real = real
        self._reached = reached
        self._methods = frozenset(methods_of(PORTS[port]))

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._real, name)
        if name not in self._methods:
            return member

        def call(*given: Any, **named: Any) -> Any:
            self._reached(CrashPoint(self._port, name, Moment.BEFORE))
            answer = member(*given, **named)
            if isinstance(answer, Iterator):
                return self._piecewise(name, answer)
            self._reached(CrashPoint(self._port, name, Moment.AFTER))
            return answer

        return call

    def _piecewise(self, name: str, pieces: Iterator[Any]) -> Iterator[Any]:
        for piece in pieces:
            yield piece
            self._reached(CrashPoint(self._port, name, Moment.BETWEEN))
        self._reached(CrashPoint(self._port, name, Moment.AFTER))


class Picky:
    """A server that takes nothing in which a pattern is found."""

    def __init__(self, server: Any, pattern: str) -> None:
        self._server = server
        self._pattern = re.compile(pattern.encode())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    def transact(self, bundle: bytes) -> Any:
        """Refuse for good, or pass on."""
        if self._pattern.search(bundle):
            raise PermanentServerError("a value is wrong", status=422)
        return self._server.transact(bundle)

    def write(self, one: SingleWrite) -> Any:
        """Refuse it alone too, as a server does."""
        if self._pattern.search(one.body):
            raise PermanentServerError("a value is wrong", status=422)
        return self._server.write(one)


def live(life: Life, ready: Connection) -> None:
    """Run the adapter's loop until it dies, is stopped, or has made its passes; ends the process."""
    _begin(life)
    settings = load_settings(None, dict(life.settings))
    with stop_on_signals() as stop, open_adapter(settings, stop.event, sets_aside=True) as adapter:
        adapter = _watched(adapter, life)
        pulse = Pulse(adapter.parts.clock.now())

        def is_done() -> bool:
            """Count passes that failed too: a server that takes no case fails them all."""
            return life.passes is not None and sum(pulse.beat.passes.values()) >= life.passes

        options = LoopOptions(interval_seconds=INTERVAL_SECONDS, lease_seconds=LEASE_SECONDS)
        ready.send_bytes(b"ready")
        Loop(
            adapter.parts,
            adapter.options,
            options,
            stopped=lambda: stop.is_set() or is_done(),
            pulse=pulse,
        ).run()
    sys.exit(INTERRUPTED if stop.was_interrupted else DONE)


def command(life: Life, ready: Connection) -> None:
    """Run `her2-adapter run` itself, by its own command line, with settings from the environment."""
    _begin(life)
    for name, value in life.settings.items():
        os.environ["HER2_" + name.upper().replace(".", "__")] = str(value)
    ready.send_bytes(b"ready")
    sys.exit(main(["run"]))


def _begin(life: Life) -> None:
    """Send what is printed to the log, and end as soon as whoever tortures is gone."""
    log = os.open(life.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)
    configure("json", "info", base_urls=[life.settings["source.url"]])
    threading.Thread(target=_follow_to_the_grave, daemon=True).start()


def _follow_to_the_grave() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGKILL)


def _watched(adapter: Adapter, life: Life) -> Adapter:
    doom, parts = Doom(life.death), adapter.parts
    real: Any = Picky(parts.source, life.refused) if life.refused else parts.source
    server: Any = Watched("server", real, doom.reached)
    store: Any = Watched("store", parts.store, doom.reached)
    clock: Any = Watched("clock", parts.clock, doom.reached)
    return replace(
        adapter, parts=replace(parts, source=server, target=server, store=store, clock=clock)
    )
