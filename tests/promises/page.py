"""`docs/promises.md`: each promise with what was measured of it, or "not measured"."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby

from tests.promises.measured import Circumstances, Figure
from tests.promises.rows import ROWS

FEW = 3
"""So many figures of one test are told one by one, with the command of each."""

_HEAD = """# What is promised, and what was measured

Written by `make prove` from what tests measured while they ran: nothing here was typed in.
`HER2_PROVE=full make prove` asks for the shares "by hand", which take hours; a run replaces the figures of the
tests it ran and leaves the others, each with the commit, machine and day of its own measurement. What is not
promised: [limits.md](limits.md).
"""


def page(figures: Iterable[Figure]) -> str:
    """Render the page; a promise without a figure says so."""
    left = list(figures)
    parts = [_HEAD]
    for row in ROWS:
        own = [one for one in left if row.means(one.promise)]
        left = [one for one in left if one not in own]
        parts.append(f"## {row.name[0].upper()}{row.name[1:]}\n\n{_sentence(row.test)}\n")
        parts.append(f"To reach: {row.target}.\n")
        parts.append("".join(map(_told, _of_one_test(own))) or "- not measured\n")
    if left:
        parts.append("## Measured besides\n")
        parts.append("".join(f"{_line(one, name=one.promise)}" for one in left))
    return "\n".join(parts)


def _of_one_test(figures: Iterable[Figure]) -> Iterator[tuple[Figure, ...]]:
    """Put together what one test measured with several parameters in one run."""

    def run(one: Figure) -> tuple[str, str, Circumstances]:
        return _function(one), one.outcome, one.at

    for _, together in groupby(sorted(figures, key=run), key=run):
        yield tuple(together)


def _told(together: tuple[Figure, ...]) -> str:
    """Tell a figure; those of one test with one command, and what each parameter gave below it."""
    first = together[0]
    if len(together) <= FEW or first.outcome != "passed":
        return "".join(map(_line, together))
    whole = replace(
        first,
        test=_function(first),
        figure=f"{len(together)} cases",
        seconds=sum(one.seconds for one in together),
    )
    return _line(whole) + "".join(f"  - {one.figure}\n" for one in together)


def _function(one: Figure) -> str:
    return one.test.partition("[")[0]


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _line(one: Figure, *, name: str = "") -> str:
    said = {
        "passed": one.figure,
        "failed": "**failed**" + (f": {one.figure}" if one.figure else ""),
        "skipped": f"not measured: {one.figure}",
    }[one.outcome]
    named = f"{name}: " if name else ""
    share = "by hand" if one.at.share == "full" else "CI share"
    return (
        f"- {named}{said}\n  `{one.command}` ({share}, {one.seconds} s; commit {one.at.commit}; "
        f"{one.at.machine}; {one.at.date})\n"
    )
