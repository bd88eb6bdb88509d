"""A person's links in a site's overlay: `links.toml`, read strictly, every defect named at once.

    [[link]]
    first = "Specimen/core-1"        # or an Observation
    second = "Specimen/block-7"
    by = "Dr A. Example"
    on = 2026-11-01
    because = "One tumour; FISH was done on the excision"

What a link does is for the core to say (adapter/her2/joins.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Final

from adapter.errors import MappingError
from adapter.her2.model import LINK_END, Link
from adapter.terminology.conceptmap import JsonObject
from adapter.terminology.mapping_files import LINKS_TABLE, read_table

FILE_NAME: Final = LINKS_TABLE
LONGEST_TEXT: Final = 500
"""Characters of `by` and `because`: they are copied into a note that people read."""
_ENDS: Final = ("first", "second")
_TEXTS: Final = ("by", "because")
_KEYS: Final = (*_ENDS, "by", "on", "because")


def load_links(overlays: Sequence[Path] = ()) -> tuple[Link, ...]:
    """Read the links of a site's overlay folders; a folder without `links.toml` has none.

    Raises:
        MappingError: with every defect, as "links.toml: path: what is wrong".

    """
    links: list[Link] = []
    defects: list[str] = []
    for path in (folder / FILE_NAME for folder in overlays):
        table, unreadable = read_table(path) if path.exists() else ({}, [])
        read, wrong = read_links(table)
        links += read
        defects += [*unreadable, *wrong]
    # Once more, because two folders may name one pair.
    defects += [defect for defect in _repeated(links) if defect not in defects]
    if defects:
        raise MappingError(defects)
    return tuple(links)


def read_links(table: JsonObject) -> tuple[list[Link], list[str]]:
    """Read a parsed `links.toml`: its links, and every defect as "links.toml: path: what is wrong"."""
    defects = [f"{key}: unknown; a link is a [[link]]" for key in table if key != "link"]
    entries = table.get("link", [])
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        defects.append("link: is a list of sections; write [[link]] above each")
        entries = []
    links: list[Link] = []
    for number, entry in enumerate(entries, start=1):
        wrong = [f"link {number}: {defect}" for defect in _defects_of(entry)]
        defects += wrong
        if not wrong:
            links.append(Link(**{**entry, **{key: entry[key].strip() for key in _TEXTS}}))
    return links, [*(f"{FILE_NAME}: {defect}" for defect in defects), *_repeated(links)]


def _defects_of(entry: JsonObject) -> Iterator[str]:
    yield from (f"{key}: missing" for key in _KEYS if key not in entry)
    yield from (f"{key}: unknown; knows {', '.join(_KEYS)}" for key in entry if key not in _KEYS)
    for key in _ENDS:
        end = entry.get(key, "Specimen/x")
        if not isinstance(end, str) or LINK_END.fullmatch(end) is None:
            yield f"{key}: not Observation/<id> or Specimen/<id>"
    if entry.get("first", 1) == entry.get("second", 2):
        yield "second: the same as first"
    for key in _TEXTS:
        yield from (f"{key}: {problem}" for problem in _text_problems(entry.get(key, "x")))
    # A date with a time is a date in Python too, and not in TOML.
    if type(entry.get("on", date.min)) is not date:
        yield "on: not a date such as 2026-11-01, without quotes"


def _text_problems(value: object) -> Iterator[str]:
    if not isinstance(value, str) or not value.strip():
        yield "says nothing"
    elif len(value) > LONGEST_TEXT:
        yield f"longer than {LONGEST_TEXT} characters"
    elif not value.isprintable():
        yield "holds a line break or another sign that cannot be printed"


def _repeated(links: Sequence[Link]) -> Iterator[str]:
    pairs = [link.ends for link in links]
    for first, second in sorted({pair for pair in pairs if pairs.count(pair) > 1}):
        yield f"{FILE_NAME}: link: {first} and {second} are linked more than once"
