"""Named cut-offs: unit, inclusive or not, guideline, edition, figure. Nothing is decided here.

[G] marks what the guideline says, [P] what is this product's own policy.
"""

from __future__ import annotations

from decimal import Decimal

RATIO_POSITIVE_FROM = Decimal("2.0")
"""HER2/CEP17 ratio, inclusive: >= 2.0 [G ASCO/CAP 2018 Fig 3]."""

COPIES_EQUIVOCAL_FROM = Decimal("4.0")
"""HER2 copies per cell, inclusive: >= 4.0 [G ASCO/CAP 2018 Fig 2, 3]."""

COPIES_POSITIVE_FROM = Decimal("6.0")
"""HER2 copies per cell, inclusive: >= 6.0 [G ASCO/CAP 2018 Fig 2, 3]."""

STAINED_CELLS_ABOVE_PERCENT = Decimal(10)
"""Percent of tumour cells, exclusive: 1+, 2+ and 3+ need > 10 % [G ASCO/CAP 2018 Fig 1]."""

SECOND_POPULATION_ABOVE_PERCENT = Decimal(10)
"""Percent of cells, exclusive: a second population with more signals counts above 10 % [G ASCO/CAP 2013]."""

COPIES_IMPLAUSIBLE_ABOVE = Decimal(50)
"""Copies per cell, exclusive: more is a total of signals, not an average [P]."""

RATIO_TOLERANCE_ABSOLUTE = Decimal("0.1")
RATIO_TOLERANCE_RELATIVE = Decimal("0.05")
"""A reported ratio may differ from HER2/CEP17 copies by 0.1 or by 5 % without review [P]."""

OLD_RATIO_NEGATIVE_BELOW = Decimal("1.8")
OLD_RATIO_POSITIVE_ABOVE = Decimal("2.2")
"""Cut-offs of ASCO/CAP 2007, exclusive: "<1.8" and ">2.2" alone are that edition's words [P]."""

EDITION_2013_FROM = "2013-10"
"""FHIR date: results before it were read under ASCO/CAP 2007 [P]."""

ZERO_PLUS_MEANS_ULTRALOW_FROM = "2024"
"""FHIR date: "0+" before it meant 0, staining not stated [P]."""
