"""The chain's key in a file beside the state, where the site keeps none elsewhere.

Whoever can write the state can mostly read this file too, so it shows damage and careless edits, and no forger. A key
in `store.audit_key`, from a secret that the account of the database cannot read, does both.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from adapter.errors import StoreError

SUFFIX = ".audit-key"
_SHORTEST = 32


def key_file(state: Path) -> Path:
    """Return where the key of a state file is."""
    return state.with_name(state.name + SUFFIX)


def load_or_make_key(file: Path) -> bytes:
    """Read the key, or make one in a file of its owner's alone; several processes may do so at once.

    Raises:
        StoreError: it cannot be read or made, or holds less than a key.

    """
    try:
        if not file.exists():
            _make(file)
        key = file.read_bytes().strip()
    except OSError as error:
        raise StoreError(
            f"The audit trail's key {file} cannot be read or made ({error.strerror}): "
            "the adapter's user must own it."
        ) from error
    if len(key) < _SHORTEST:
        raise StoreError(
            f"The audit trail's key {file} is cut off: put back the copy that was kept, or remove "
            "it; then a new key is made, and the trail says so."
        )
    return key


def _make(file: Path) -> None:
    draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.write(secrets.token_hex(32).encode() + b"\n")
            opened.flush()
            os.fsync(opened.fileno())
        # The file appears whole or not at all; of two processes the first one's key holds.
        with suppress(FileExistsError):
            file.hardlink_to(draft)
    finally:
        draft.unlink()
