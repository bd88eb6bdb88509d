"""The list of guards, `guards.toml`: what each one is, how it is removed, and which tests must notice."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("guards.toml")


class NotTheSourceError(Exception):
    """The text of a guard does not stand in its file exactly once: the list has to follow the code."""


@dataclass(frozen=True)
class Guard:
    """One guard. `text` stands in `file` exactly once, `removed` stands there without the guard."""

    id: str
    sentence: str
    file: str
    text: str
    removed: str
    tests: tuple[str, ...]

    def removed_from(self, source: str) -> str:
        """Give the source without the guard.

        Raises: NotTheSourceError when its text is not there exactly once.
        """
        found = source.count(self.text)
        if found != 1:
            raise NotTheSourceError(f"{self.id}: its text stands {found} times in {self.file}")
        return source.replace(self.text, self.removed)


def guards(file: Path = LIST) -> list[Guard]:
    """Read the list."""
    rows = tomllib.loads(file.read_text("utf-8"))["guard"]
    return [Guard(**{**row, "tests": tuple(row["tests"])}) for row in rows]
