"""Writing a file whole or not at all: a reader never meets half of one, whatever interrupts us."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from adapter.errors import InputError


def write_whole(path: Path, content: bytes, *, new_mode: int = 0o666) -> None:
    """Replace a file, or make it, in one step; what a link points to is replaced, not the link.

    `new_mode`: who may read one that is made, less what the umask takes away; one that stands keeps its own.

    Raises:
        InputError: when it cannot be written there; the file is as it was.

    """
    place = path.resolve()
    beside = place.with_name(f".{place.name}.{uuid.uuid4().hex}")
    try:
        made = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, new_mode)
        with os.fdopen(made, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if place.exists():
            beside.chmod(place.stat().st_mode & 0o777)
        beside.replace(place)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise InputError(
            f"{path}: cannot be written ({error.strerror})", code="not-writable"
        ) from error
