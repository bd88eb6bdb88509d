"""The printed grid: every cell as the specification prints it, and independent of everything else."""

from __future__ import annotations

import pytest

from adapter.her2.grid import IHC_KINDS, ISH_KINDS, cell_text, grid
from adapter.her2.policy import ASCO_CAP_2023, BASIC

COLUMNS = [
    "none",
    "G1",
    "G2",
    "G3",
    "G4",
    "G5",
    "positive",
    "negative",
    "equivocal",
    "indeterm.",
    "single≥6",
    "single4–5.9",
    "single<4",
]
# n negative, u ultralow, l low, p positive, x negative-unspecified, e equivocal, i indeterminate,
# s pending-second-review, d pending-dual-probe, h pending-ihc, r needs-review, o no-result; * review
GRID = """
none           o  p  h  h  h  x  p  x  h  i* p* h  x
0              n  p* n  n  n  n  p* n  n  n  p* n  n
0+             u  p* u  u  u  u  p* u  u  u  p* u  u
1+             l  p* l  l  l  l  p* l  l  l  p* l  l
2+             e  p  s* s* s* l  p  l  s* i* p  d  l
3+             p  p  p  p  p  p* p  p* p  p  p  p  p*
indeterminate  i* p  h  h  h  x  p  x  h  i* p* h  x
"negative"     x  p* x  x  x  x  p* x  x  x  p* x  x
"positive"     p  p  r* r* r* r* p  r* r* p  p  r* r*
"equivocal"    e  p  s* s* s* l  p  l  s* i* p  d  l
0–1+           x  p* x  x  x  x  p* x  x  x  p* x  x
1+–2+          e  p* s* s* s* l  p* l  s* i* p* d  l
2+–3+          e* p  s* s* s* r* p  r* s* i* p  d* r*
"""
LETTERS = {
    "n": "negative",
    "u": "ultralow",
    "l": "low",
    "p": "positive",
    "x": "negative-unspecified",
    "e": "equivocal",
    "i": "indeterminate",
    "s": "pending-second-review",
    "d": "pending-dual-probe",
    "h": "pending-ihc",
    "r": "needs-review",
    "o": "no-result",
}
CELLS = [
    (line.split()[0], column, LETTERS[cell[0]] + cell[1:])
    for line in GRID.strip().splitlines()
    for column, cell in zip(COLUMNS, line.split()[1:], strict=True)
]
COMPUTED = {
    (row, column.replace(" ", "")): verdict
    for (row, column), verdict in grid(ASCO_CAP_2023).items()
}


def test_the_grid_has_13_by_13_cells() -> None:
    assert (len(IHC_KINDS), len(ISH_KINDS), len(CELLS)) == (13, 13, 169)


@pytest.mark.parametrize(("row", "column", "expected"), CELLS)
def test_cell_of_the_grid(row: str, column: str, expected: str) -> None:
    assert cell_text(COMPUTED[row, column]) == expected


@pytest.mark.parametrize(("row", "column", "expected"), CELLS)
def test_every_cell_names_its_rule_and_every_review_its_reason(
    row: str, column: str, expected: str
) -> None:
    verdict = COMPUTED[row, column]

    assert verdict.rule.sentence
    assert verdict.rule.citation
    assert not verdict.review or verdict.reasons


@pytest.mark.parametrize(
    ("row", "column", "status"),
    [
        ("1+", "none", "negative"),
        ("0+", "G3", "negative"),
        ("2+", "none", "equivocal"),
        ("2+", "G5", "negative"),
        ("3+", "G5", "positive"),
        ("2+", "G4", None),
        ("2+", "single4–5.9", None),
        ("none", "G2", None),
        ("indeterminate", "none", "indeterminate"),
        ('"positive"', "G5", None),
        ('"negative"', "none", "negative"),
    ],
)
def test_asco_cap_status_beside_the_category(row: str, column: str, status: str | None) -> None:
    assert COMPUTED[row, column].asco_cap == status


@pytest.mark.parametrize(
    ("column", "comment"),
    [
        ("G2", "comment-ish-group-2"),
        ("G3", "comment-ish-group-3"),
        ("G4", "comment-ish-group-4"),
        ("equivocal", "comment-ish-equivocal"),
    ],
)
def test_groups_2_to_4_with_ihc_1_plus_carry_their_comment(column: str, comment: str) -> None:
    assert [c.code for c in COMPUTED["1+", column].comments] == [comment]


@pytest.mark.parametrize("column", ["positive", "negative", "equivocal", "single≥6"])
def test_a_word_or_a_single_probe_names_no_ish_group(column: str) -> None:
    assert COMPUTED["2+", column].group is None


def test_the_grid_of_the_policy_basic_holds_the_five_lines_alone() -> None:
    basic = {cell: cell_text(verdict) for cell, verdict in grid(BASIC).items()}

    assert {column: basic["2+", column] for column in ("none", "positive", "negative")} == {
        "none": "equivocal",
        "positive": "positive",
        "negative": "low",
    }
    assert basic["3+", "negative"] == "positive*"
    assert basic["1+", "positive"] == basic["0+", "none"] == basic["2+", "G5"] == "needs-review*"
