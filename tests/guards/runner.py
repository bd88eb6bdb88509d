"""Removes guards, each in a copy of the checkout and never in the checkout itself.

A guard is proved when its tests pass as the code stands and fail without it. A removal after which
the tests cannot even be collected proves nothing, and is told as such.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from tests.guards.listed import ROOT, Guard

AT_ONCE = 2
_FORKS = Path(__file__).with_name("forks.py")
LONGEST_SECONDS = 300
EVERY_GUARD_SECONDS = 3600  # the tests of all guards in one run, before any is removed
WHOLE_SUITE_SECONDS = 3 * 3600
# Plugins of pytest that take longer to import than most of these tests take to run; none of them needs one.
_NOT_LOADED = ("hypothesispytest", "anyio", "pytest_cov")
WHOLE_SUITE = ("tests",)
_NOT_COPIED = (
    ".git",
    ".venv",
    ".cache",
    ".*_cache",
    "__pycache__",
    ".hypothesis",
    "dist",
    "*.sqlite*",
)
_FAILED = 1


@dataclass(frozen=True)
class Verdict:
    """What became of one removal. `green`: tests that should have turned red and did not."""

    guard: Guard
    green: tuple[str, ...] = ()
    trouble: str = ""

    @property
    def bites(self) -> bool:
        """Whether every test named noticed."""
        return not self.green and not self.trouble


class Checkout:
    """A copy of the checkout, to be spoilt, and a process that runs its tests."""

    def __init__(self, place: Path) -> None:
        shutil.copytree(ROOT, place, ignore=shutil.ignore_patterns(*_NOT_COPIED), symlinks=True)
        self._place = place
        self._forks = subprocess.Popen(
            # -P: the copy's own folders alone are looked in, not the script's.
            [sys.executable, "-P", str(place / _FORKS.relative_to(ROOT))],
            cwd=place,
            env={**os.environ, "PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        """End its process; the copy stays."""
        self._forks.communicate()

    def run(
        self, tests: Sequence[str], *options: str, seconds: float = LONGEST_SECONDS
    ) -> tuple[int | None, set[str]]:
        """Run tests here; give pytest's exit code, None for a hang, and the ids of those that failed."""
        junit = self._place / "guard.xml"
        junit.unlink(missing_ok=True)
        arguments = [
            "-q",
            *("-p", "no:cacheprovider"),
            *(word for plugin in _NOT_LOADED for word in ("-p", f"no:{plugin}")),
            f"--junitxml={junit}",
            "--override-ini=junit_family=xunit1",  # the family that knows record_property
            *options,
            *tests,
        ]
        asked, answers = self._forks.stdin, self._forks.stdout
        assert asked is not None
        assert answers is not None
        asked.write(json.dumps({"arguments": arguments, "seconds": seconds}) + "\n")
        asked.flush()
        answer = answers.readline()
        if not answer:
            raise RuntimeError(f"the process that runs tests ended: {self._forks.wait()}")
        code: int | None = json.loads(answer)
        if code is None:
            return None, set()
        failed = set(_failed(junit.read_text("utf-8"))) if junit.exists() else set()
        return code, failed

    def without(self, guard: Guard, *, whole_suite: bool) -> Verdict:
        """Remove a guard, run what has to notice, and put the guard back."""
        file = self._place / guard.file
        source = file.read_text("utf-8")
        file.write_text(guard.removed_from(source), "utf-8")
        try:
            if whole_suite:
                # Its own tests first: the first red one ends the run, and all are run only where none is.
                code, _ = self.run((*guard.tests, *WHOLE_SUITE), "-x", seconds=WHOLE_SUITE_SECONDS)
                return Verdict(guard, () if code == _FAILED else WHOLE_SUITE)
            code, failed = self.run(guard.tests)
        finally:
            file.write_text(source, "utf-8")
        if code is None:
            return Verdict(guard)  # a test that never ends is not green
        if code not in (0, _FAILED):
            return Verdict(guard, trouble=f"the tests could not be run (pytest ended with {code})")
        return Verdict(guard, tuple(one for one in guard.tests if not _is_among(one, failed)))


def remove_each(
    chosen: Iterable[Guard], folder: Path, *, whole_suite: bool = False, are_green: bool = False
) -> Iterator[Verdict]:
    """Remove guards, two at a time, and give a verdict for each, in order.

    Args:
        chosen: guards of the list.
        folder: where the copies are made; empty.
        whole_suite: let the whole suite notice, instead of the tests that each guard names; that it is green as
            the code stands is what CI shows.
        are_green: the tests that guards name are run as the code stands by somebody else; else they are run here first.

    Raises: NotTheSourceError; RuntimeError when the tests fail as the code stands.

    """
    wanted = list(chosen)
    free: SimpleQueue[Checkout] = SimpleQueue()

    def remove(guard: Guard) -> Verdict:
        checkout = free.get()
        try:
            return checkout.without(guard, whole_suite=whole_suite)
        finally:
            free.put(checkout)

    with ExitStack() as running:
        copies = [
            running.enter_context(closing(Checkout(folder / f"checkout{number}")))
            for number in range(AT_ONCE)
        ]
        if not are_green:
            named = sorted({test for one in wanted for test in one.tests})
            code, failed = copies[0].run(named, seconds=EVERY_GUARD_SECONDS)
            if code != 0:
                raise RuntimeError(
                    f"not green with every guard in place ({code}): {sorted(failed)}"
                )
        for copy in copies:
            free.put(copy)
        workers = running.enter_context(ThreadPoolExecutor(AT_ONCE))
        yield from workers.map(remove, wanted)


def _failed(junit: str) -> Iterator[str]:
    for case in ET.fromstring(junit).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            path = case.get("classname", "").replace(".", "/")
            yield f"{path}.py::{case.get('name', '')}"


def _is_among(test: str, failed: Iterable[str]) -> bool:
    return any(one == test or one.startswith((f"{test}[", f"{test}::")) for one in failed)
