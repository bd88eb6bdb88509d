"""Runs pytest again and again, each time in a fork of one process that has imported what others wrote.

A script, started with a copy of the checkout as working folder and first in PYTHONPATH: nothing of the
product or of its tests is imported before the fork, so that each run reads the files as they then stand.

Reads a line of JSON for each run, {"arguments": [...], "seconds": n}, and writes one: pytest's exit code,
or null for a run that had to be ended. Stops when its standard input ends.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
from importlib import import_module

# What takes longest to import of what the tests of guards need; one that is missing here only costs time.
# No plugin of pytest, nor what imports one: pytest warns of it.
_IMPORTED = (
    "pytest",
    "_pytest.assertion.rewrite",
    "_pytest.junitxml",
    "fhir.resources.R4B.device",
    "fhir.resources.R4B.observation",
    "fhir.resources.R4B.provenance",
    "fhir.resources.R4B.specimen",
    "joserfc.jwt",
    "jsonschema",
    "psycopg",
    "requests",
    "responses",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.sqlite",
    "structlog.dev",
    "tenacity",
    "uvicorn",
    "yaml",
)


def _run(arguments: list[str]) -> None:
    """Be a process of its own, with a group of its own, that says nothing."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    import pytest

    code = pytest.ExitCode.INTERNAL_ERROR
    try:
        code = pytest.ExitCode(pytest.main(arguments))
    finally:
        os._exit(code)  # an exception would end a process with the code of a red test


def _in_a_fork(arguments: list[str], seconds: float) -> int | None:
    """Give the exit code, None after `seconds`: whatever it has started ends with it then."""
    run = multiprocessing.get_context("fork").Process(target=_run, args=(arguments,))
    run.start()
    run.join(seconds)
    if run.exitcode is None and run.pid is not None:
        os.killpg(run.pid, signal.SIGKILL)
        run.join()
        return None
    return run.exitcode


def main() -> None:
    """Answer line by line."""
    for module in _IMPORTED:
        import_module(module)
    ours = sorted({name.partition(".")[0] for name in sys.modules} & {"adapter", "tests"})
    if ours:
        raise RuntimeError(f"imported before a guard is removed: {', '.join(ours)}")
    for line in sys.stdin:
        asked = json.loads(line)
        code = _in_a_fork(asked["arguments"], asked["seconds"])
        sys.stdout.write(f"{json.dumps(code)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
