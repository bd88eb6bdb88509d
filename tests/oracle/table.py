"""The decision table as it is printed for pathologists, and the cut-offs of the ISH groups. Nothing else.

Source: the rules text's grid (ASCO/CAP 2018 figures 1, 3 to 6); docs/decision-table.md prints the adapter's own.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

OPEN: Final = frozenset(
    {"equivocal", "pending-ihc", "pending-second-review", "pending-dual-probe", "needs-review"}
)
"""Categories that wait for something; every other one is settled."""
NEGATIVE_KINDS: Final = frozenset({"negative", "ultralow", "low", "negative-unspecified"})

_GRID: Final = """
ihc           | none                 | G1       | G2                    | G3                    | G4                    | G5                   | indeterminate
none          | no-result            | positive | pending-ihc           | pending-ihc           | pending-ihc           | negative-unspecified | indeterminate
0             | negative             | positive | negative              | negative              | negative              | negative             | negative
0+            | ultralow             | positive | ultralow              | ultralow              | ultralow              | ultralow             | ultralow
1+            | low                  | positive | low                   | low                   | low                   | low                  | low
2+            | equivocal            | positive | pending-second-review | pending-second-review | pending-second-review | low                  | indeterminate
3+            | positive             | positive | positive              | positive              | positive              | positive             | positive
indeterminate | indeterminate        | positive | pending-ihc           | pending-ihc           | pending-ihc           | negative-unspecified | indeterminate
negative      | negative-unspecified | positive | negative-unspecified  | negative-unspecified  | negative-unspecified  | negative-unspecified | negative-unspecified
positive      | positive             | positive | needs-review          | needs-review          | needs-review          | needs-review         | positive
equivocal     | equivocal            | positive | pending-second-review | pending-second-review | pending-second-review | low                  | indeterminate
"""  # noqa: E501
_COLUMN_OF_WORD: Final = {"positive": "G1", "negative": "G5", "equivocal": "G4"}
"""N1: an ISH word without numbers reads as the column of a group."""


def _parsed() -> dict[tuple[str, str], str]:
    rows = [[cell.strip() for cell in line.split("|")] for line in _GRID.strip().splitlines()]
    return {
        (row[0], column): answer
        for row in rows[1:]
        for column, answer in zip(rows[0][1:], row[1:], strict=True)
    }


_TABLE: Final = _parsed()


def category(ihc: str, ish: str) -> str:
    """Look one cell up; `ihc` and `ish` are a row and a column, "none" where a test is absent."""
    return _TABLE[ihc, _COLUMN_OF_WORD.get(ish, ish)]


def group_of(ratio: Decimal, copies: Decimal) -> str:
    """Give the dual-probe ISH group (ASCO/CAP Fig 3)."""
    if ratio >= 2:
        return "G1" if copies >= 4 else "G2"
    if copies >= 6:
        return "G3"
    return "G4" if copies >= 4 else "G5"


def counted(ihc: str, groups: Iterable[str], word: str | None) -> str:
    """Give the category of an IHC row beside every group that the numbers allow, and the word beside them."""
    answers = {category(ihc, group) for group in groups if _word_fits(word, group, ihc)}
    return answers.pop() if len(answers) == 1 else "needs-review"


def _word_fits(word: str | None, group: str, ihc: str) -> bool:
    """Whether the laboratory's word can be said of this group; groups 2 to 4 end as the row of the table ends."""
    if word is None:
        return True
    if group in ("G2", "G3", "G4"):
        ends = category(ihc, group)
        return (
            word == "equivocal" or ends == word or (word == "negative" and ends in NEGATIVE_KINDS)
        )
    return word == {"G1": "positive", "G5": "negative"}[group]
