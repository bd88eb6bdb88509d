"""A site's folders looked at without being understood, to see whether anything has changed.

Files are saved one after another, and reading a folder takes a while. Who reads between two equal looks has read what
stands there now, and no mixture of two states: an inode and the time of its last change do not come back.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ENDINGS: Final = (".json", ".toml")
"""What is read of a site's folder (mapping_files.py); signatures and unfinished files are not."""

Marks = tuple[tuple[str | int, ...], ...]
"""Of each file its path, size, times and inode, or its path and why it has none; cheap to ask for."""


@dataclass(frozen=True)
class Look:
    """What stood in the folders.

    `content`: SHA-256 of the names and bytes of all files. `unreadable`: defects as "file: $: what is wrong".
    """

    marks: Marks
    content: str
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True)
class SiteFolders:
    """The folders of a site's overlays, as often as one wants to look at them."""

    folders: Sequence[Path] = ()

    def marks(self) -> Marks:
        """Ask for names, sizes and times alone. Raises nothing: what cannot be asked for is a mark too."""
        return tuple(_mark(path) for folder in self.folders for path in _files(folder))

    def look(self) -> Look:
        """Read every file; what cannot be read is told, and part of the content. Raises nothing."""
        marks, digest = self.marks(), hashlib.sha256()
        unreadable: list[str] = []
        for path in (path for folder in self.folders for path in _files(folder)):
            read, problem = _read(path)
            if problem:
                unreadable.append(f"{path.name}: $: cannot be read: {problem}")
            for part in (str(path).encode(), read, problem.encode()):
                digest.update(b"%d " % len(part) + part)
        return Look(marks, digest.hexdigest(), tuple(unreadable))


def _files(folder: Path) -> Iterator[Path]:
    """Give the files of a folder by name; the folder itself where it cannot be listed."""
    try:
        paths = sorted(folder.iterdir())
    except OSError:
        yield folder
        return
    yield from (path for path in paths if path.name.endswith(ENDINGS))


def _mark(path: Path) -> tuple[str | int, ...]:
    try:
        found = path.stat()
    except OSError as error:
        return (str(path), error.errno or 0)
    return (
        str(path),
        found.st_mode,
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
        found.st_ino,
    )


def _read(path: Path) -> tuple[bytes, str]:
    """Give the bytes of a file, or none and why."""
    try:
        # A pipe would be waited for without end.
        if not stat.S_ISREG(path.stat().st_mode):
            return b"", "not a file"
        return path.read_bytes(), ""
    except OSError as error:
        return b"", error.strerror or type(error).__name__
