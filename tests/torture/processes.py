"""Adapter processes: forked from one that has everything imported, so that a life costs little.

Python's own fork server does it: each life is a process with nothing of the last one in it but code.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Final

from tests.torture.mortal import Life

LONGEST_SECONDS: Final = 120.0
"""A life that should end and does not within this time hangs."""

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.torture.preload"])


class HungError(Exception):
    """A process did not end when it had to."""


class Process:
    """One adapter process."""

    def __init__(self, life: Life, body: Callable[[Life, Connection], None]) -> None:
        ours, theirs = _context.Pipe(duplex=False)
        self._ready = ours
        self._process: Any = _context.Process(target=body, args=(life, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def wait_until_ready(self) -> None:
        """Wait until it is put together; returns also when it has died before."""
        try:
            if self._ready.poll(LONGEST_SECONDS):
                self._ready.recv_bytes()
        except EOFError:
            pass

    def wait(self) -> int:
        """Wait for its end; the exit code, or minus the signal that ended it."""
        self._process.join(LONGEST_SECONDS)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
            raise HungError(f"a process did not end within {LONGEST_SECONDS:.0f} s")
        self._ready.close()
        return int(self._process.exitcode)

    def kill(self) -> int:
        """End it with SIGKILL, wherever it is."""
        self._process.kill()
        return self.wait()

    def stop(self, by: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Ask it to end in good order; its exit code and how many seconds it took."""
        started = time.monotonic()
        os.kill(self._process.pid, by)
        code = self.wait()
        return code, time.monotonic() - started

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return bool(self._process.is_alive())
