"""What is built or downloaded once and kept between runs, in a folder that git ignores."""

import fcntl
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.servers.required import MissingPartError

CACHE = Path(__file__).resolve().parents[2] / ".cache"

_FIRST_LINES = 3


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Return the folder, filled by `make` unless an earlier run has done so.

    Two test runs do not work at once, and one that is interrupted leaves nothing half-made:
    `make` gets a folder beside it that is renamed at the end.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = folder.with_name(f"{folder.name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            make(unfinished)
            unfinished.rename(folder)
    return folder


def download(command: Sequence[str], *, what: str, folder: Path) -> None:
    """Run a command that only fetches `what` from a package registry.

    Raises:
        MissingPartError: when it does not succeed, with the first lines of what it said.
    """
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        said = " / ".join((ran.stdout + ran.stderr).strip().splitlines()[:_FIRST_LINES])
        raise MissingPartError(what, f"a connection to its package registry ({said})")
