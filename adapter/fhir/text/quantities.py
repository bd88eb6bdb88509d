"""Which number in a clause is the ratio, which the copies per cell: binding numbers to quantities.

A clause's quantities and numbers come in the order written. Where they could be bound in two ways
they are not bound at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from adapter.her2.model import Measurement

RATIO: Final = "ratio"
HER2_COPIES: Final = "her2-copies"
CEP17_COPIES: Final = "cep17-copies"
PERCENT: Final = "percent"
QUOTIENT: Final = "quotient"
"""A number written as "1.8 : 1": a ratio where ISH is spoken of, and nowhere else."""
NAMES: Final = {
    RATIO: "HER2/CEP17 ratio",
    HER2_COPIES: "HER2 copies per cell",
    CEP17_COPIES: "CEP17 copies per cell",
}
"""What a quantity is called where a person reads of it."""
HIGHEST_RATIO: Final = 100
"""A larger bare number is a year, a count or an identifier, no ratio."""
FEWEST_COUNTED: Final = 20
"""Cells that an ISH count needs at least [G Fig 2-6]; no smaller number is taken for one."""
_CELLS: Final = "cells"

Items = Sequence[str | Measurement]


class Bound(NamedTuple):
    """Numbers with their quantity (None: bare), shares in percent; whether a quantity is unused."""

    numbers: list[tuple[str | None, Measurement]]
    percents: list[Measurement]
    unused: bool


def bind(items: Items) -> Bound | None:
    """Give each number its quantity: all stand before their numbers, or all behind.

    A single number may stand bare. How many cells were counted is no result and is left out. None
    where two numbers are bare, or one is bare beside one that is not ("1.4 copies 3.2"), and where
    so few cells are spoken of that they cannot be those counted ("3+ in 0 cells").
    """
    items = _without_cells_counted(items)
    numbers = [item for item in items if isinstance(item, Measurement)]
    quantities = [item for item in items if isinstance(item, str)]
    if not numbers:
        return Bound([], [], unused=any(quantity != _CELLS for quantity in quantities))
    if not quantities:
        return Bound([(None, numbers[0])], [], unused=False) if len(numbers) == 1 else None
    if len(numbers) != len(quantities) or not _alternate(items):
        return None
    pairs = list(zip(quantities, numbers, strict=True))
    if any(quantity == _CELLS and not _is_count(number) for quantity, number in pairs):
        return None
    return Bound(
        [pair for pair in pairs if pair[0] not in (PERCENT, _CELLS)],
        [number for quantity, number in pairs if quantity == PERCENT],
        unused=False,
    )


def _without_cells_counted(items: Items) -> Items:
    """Leave out a trailing "20 cells" whose number no quantity before it can claim."""
    if len(items) < 2 or items[-1] != _CELLS or not isinstance(items[-2], Measurement):
        return items
    is_free = len(items) == 2 or isinstance(items[-3], Measurement)
    return items[:-2] if is_free and _is_count(items[-2]) else items


def _is_count(number: Measurement) -> bool:
    return max(number.value, number.upper or number.value) >= FEWEST_COUNTED


def _alternate(items: Items) -> bool:
    return all(isinstance(a, str) is not isinstance(b, str) for a, b in pairwise(items))
