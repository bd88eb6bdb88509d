"""The one rule about real parts that are not there: skip loudly, or fail where they are required.

A test suite that quietly leaves out its real servers looks green and proves little. So whoever
needs such a part raises `MissingPartError`, which names it and how to get it, and the fixtures turn
that into a skip, or into a failure when `REQUIRE_REAL=1` is set, as it is in continuous
integration. `announcements` holds one line for each missing part, to be printed at the end.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest


class MissingPartError(Exception):
    """Something that the project does not install itself is not on this machine."""

    def __init__(self, part: str, how_to_get: str) -> None:
        super().__init__(f"{part} is missing; to get it: {how_to_get}")


class Announcements:
    """Collects each missing part once, however many tests skip because of it."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(self, line: str) -> None:
        """Remember a line unless it is known already."""
        if line not in self._lines:
            self._lines.append(line)

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)


announcements = Announcements()


@contextmanager
def skip_or_fail(
    environment: Mapping[str, str] = os.environ, told: Announcements = announcements
) -> Iterator[None]:
    """Turn a `MissingPartError` raised inside into a skip; with REQUIRE_REAL=1 into a failure."""
    try:
        yield
    except MissingPartError as missing:
        line = f"NOT TESTED: {missing}"
        told.add(line)
        if environment.get("REQUIRE_REAL") == "1":
            raise pytest.fail.Exception(f"{line} (REQUIRE_REAL=1)", pytrace=False) from None
        raise pytest.skip.Exception(line) from None


def executable(name: str, how_to_get: str) -> str:
    """Return the path of a command of this machine.

    Raises:
        MissingPartError: when it is not on the PATH.
    """
    found = shutil.which(name)
    if found is None:
        raise MissingPartError(f"the command {name}", how_to_get)
    return found
