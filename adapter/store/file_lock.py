"""Who has a SQLite state open: everybody shares the lock of a file beside it, and whoever sets it aside has it alone.

So a damaged file is never renamed away from under a process that goes on writing into it. The lock ends with the
process that holds it. It lies beside the state and not on it: closing a file drops SQLite's own locks on it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Final

SUFFIX: Final = ".lock"
_LOOK_SECONDS: Final = 0.1


class FileLock:
    """One opener's hold on a state file. Raises: OSError where the file beside it cannot be made."""

    def __init__(self, state: Path) -> None:
        self._file = _opened(state)
        self._close = weakref.finalize(self, os.close, self._file)

    def share(self, seconds: float) -> bool:
        """Hold it with others; False where somebody had it alone for so long."""
        return self._taken(fcntl.LOCK_SH, seconds)

    def have_alone(self, seconds: float) -> bool:
        """Hold it alone; False where others had it open for so long, or it cannot be locked: then it is not held."""
        fcntl.flock(self._file, fcntl.LOCK_UN)
        return self._taken(fcntl.LOCK_EX, seconds)

    def release(self) -> None:
        """Hold it no more."""
        self._close()

    def _taken(self, kind: int, seconds: float) -> bool:
        ends = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(self._file, kind | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.EACCES, errno.EINTR):
                    # A file system without locks: shared by nobody, and never had alone.
                    return kind == fcntl.LOCK_SH
            else:
                return True
            if time.monotonic() >= ends:
                return False
            time.sleep(_LOOK_SECONDS)


def _opened(state: Path) -> int:
    beside = state.with_name(state.name + SUFFIX)
    handle = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with suppress(
        OSError
    ):  # made by root for a service that is none: as SQLite does with its journal
        owner = state.stat()
        if os.geteuid() == 0 and os.fstat(handle).st_uid != owner.st_uid:
            os.fchown(handle, owner.st_uid, owner.st_gid)
    return handle
