"""`torture`: kill the adapter at every point and compare with an oracle; for a source checkout."""

from __future__ import annotations

import subprocess
import sys
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

import adapter
from adapter.cli.shared import Shared
from adapter.errors import ConfigError

_MODULE = "tests.torture"


class TortureOutput(StrEnum):
    """Forms of the one result line."""

    TEXT = "text"
    JSON = "json"


Kills = Annotated[int, typer.Option("--kills", min=1, help="How many processes to kill.")]
Server = Annotated[
    str,
    typer.Option(
        "--server", help="sandbox, hapi, medplum, or the URL of an empty server that nobody needs."
    ),
]
Seed = Annotated[int, typer.Option("--seed", help="The same seed, the same choices.")]


def torture(shared: Shared, kills: Kills = 100, server: Server = "sandbox", seed: Seed = 1) -> int:
    """Kill the adapter, again and again, and prove that nothing is lost and nothing doubled.

    While a laboratory reports, amends and deletes results, adapter processes die by SIGKILL: at random instants, and
    before and after every call to the server and to the state store; alone, in pairs on one state, in pairs on two.
    SQLite must call the state whole after each death. In the end an oracle that shares no code with the adapter reads
    all of the server: every category must stand once, and each of its versions must have one Provenance. Some processes
    are stopped by SIGTERM and SIGINT instead, and must end well within 10 seconds.

    It needs the source repository with its tests. Ends with 0 only if all held; else says how to repeat it.
    """
    checkout = Path(adapter.__file__).resolve().parents[1]
    if not (checkout / "tests" / "torture" / "__main__.py").is_file():
        raise ConfigError(["torture needs the source repository: its oracle and servers are tests"])
    if find_spec("pytest") is None:
        raise ConfigError(
            ["torture needs the tests' own packages: `make .venv/.dev` installs them"]
        )
    asked = ["--kills", str(kills), "--server", server, "--seed", str(seed)]
    form = ["--output", shared.output or TortureOutput.TEXT]
    # Nothing of it is a shell's: the program is this Python, and what was asked are its arguments.
    ran = subprocess.run([sys.executable, "-m", _MODULE, *asked, *form], cwd=checkout, check=False)  # noqa: S603
    return ran.returncode
