"""What is made of files, made anew once one of them changes: certificates, keys and tokens that something else renews.

Where the new files cannot be used (a certificate without its key, half of a file) what was made before stays, and it is
said: once in the log, and for as long as it is so in `refusal`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Generic, TypeVar

import structlog

from adapter.errors import AdapterError

_T = TypeVar("_T")
_log = structlog.get_logger(__name__)
_UNUSABLE: Final = (OSError, ValueError, AdapterError)
"""How making something of files fails; errors of TLS are OSErrors, those of settings ValueErrors."""


class Renewed(Generic[_T]):
    """One thing made of files; safe to ask from several threads, as often as it is used."""

    def __init__(self, name: str, files: Sequence[Path], make: Callable[[], _T]) -> None:
        """Make nothing yet.

        Args:
            name: what it is, as a code for the log ("http-certificate").
            files: what it is made of, in any number.
            make: makes it, or raises; what is wrong at the first time is the caller's to hear.

        """
        self._name = name
        self._files = tuple(files)
        self._make = make
        self._made: list[_T] = []
        self._stamps: object = None
        self._is_refused = False
        self._lock = threading.Lock()

    @property
    def refusal(self) -> str:
        """One sentence while what the files hold now cannot be used, else ""."""
        named = ", ".join(map(str, self._files))
        return (
            f"{named}: cannot be used as renewed; what was read before is used" * self._is_refused
        )

    def now(self) -> _T:
        """Give it as the files have it, or as they last had it when it could be used.

        Raises: what `make` does, as long as it was never made.
        """
        with self._lock:
            stamps = [_stamp(file) for file in self._files]
            if not self._made or stamps != self._stamps:
                self._renew(stamps)
            return self._made[0]

    def _renew(self, stamps: object) -> None:
        try:
            made = self._make()
        except _UNUSABLE as error:
            if not self._made:
                raise
            self._is_refused = True
            _log.warning("files_not_renewed", kind=self._name, error=error, files=self._named)
        else:
            if self._made:
                _log.info("files_renewed", kind=self._name, files=self._named)
            self._made, self._is_refused = [made], False
        # Taken before they were read: what changes meanwhile is read once more.
        self._stamps = stamps

    @property
    def _named(self) -> list[str]:
        return [str(file) for file in self._files]


def _stamp(file: Path) -> tuple[int, ...] | None:
    """Tell one state of a file from another, also one that came by a rename or behind a link; None without any."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
