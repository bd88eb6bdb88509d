"""The tables in docs/sandbox.md, out of the registry: `python -m tests.unit.sandbox.habits.page` writes them anew."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from adapter.sandbox.habits.profiles import PROFILES
from adapter.sandbox.habits.registry import HABITS, THEMES

PAGE = Path(__file__).parents[4] / "docs" / "sandbox.md"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _valued(name: str, value: str) -> str:
    return f"`{name}={value}`" if value else f"`{name}`"


def habits_section() -> str:
    """Return one table for each theme, the habits in alphabetical order."""
    assert {kind for kinds in THEMES.values() for kind in kinds} == set(HABITS)
    parts = []
    for theme, kinds in THEMES.items():
        rows = [
            [_valued(one.name, one.default), _cell(one.takes), _cell(one.does), _cell(one.seen)]
            for one in sorted(kinds, key=lambda kind: kind.name)
        ]
        headings = ["habit, with its default", "value", "what a client sees", "who does so"]
        parts.append(f"### {theme}\n\n{_table(headings, rows)}")
    return "\n\n".join(parts)


def profiles_section() -> str:
    """Return the table of profiles."""
    rows = [
        [
            f"`{one.name}`",
            one.says,
            ", ".join(_valued(name, value) for name, value in one.habits.items()),
            one.source,
        ]
        for one in PROFILES
    ]
    return _table(["profile", "what it is like", "habits", "known from"], rows)


def filled(page: str) -> str:
    """Return the page with everything between its marks written anew."""
    for name, content in (("profiles", profiles_section()), ("habits", habits_section())):
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        assert begin in page
        assert end in page
        inner = f"{begin}\n\n{content}\n\n{end}"
        page = re.sub(f"{begin}.*{end}", lambda _, new=inner: new, page, flags=re.DOTALL)  # type: ignore[misc]
    return page


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
