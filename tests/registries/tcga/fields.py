"""The columns of the file that speak of HER2, and one patient's row of them.

Tab-separated, one line a patient. Empty is `[Not Available]`; a test that was not done is
`[Not Evaluated]`; two forms that disagree are `[Discrepancy]`. What the columns hold:

- `initial_pathologic_dx_year`: 1988 to 2013, a year and no more. The forms ran over three editions of
  ASCO/CAP; most scores were read under 2007.
- `method_initial_path_dx`: core needle biopsy, tumor resection, cytology and so on.
- `her2_status_by_ihc`: the word on IHC: Positive, Negative, Equivocal, Indeterminate. Filled in from
  the report, often without a score (1 in 4), sometimes against it.
- `her2_ihc_percent_positive`: a class of stained cells, `<10%`, `10-19%` to `90-99%`; no pattern.
- `her2_ihc_score`: `0`, `1+`, `2+`, `3+`.
- `her2_positivity_scale_other`: meant for another scale; holds `0`, `10-75%`, or a kit or method name.
- `her2_positivity_method_text`: how positivity was judged. Kits in eight spellings, guidelines, and
  `3+ Positive`, which says what counts as positive and is no result of this patient.
- `her2_fish_status`: the word on FISH.
- `her2_copy_number`, `cent17_copy_number`: copies a cell in some hospitals, totals of all cells counted
  in others (816); also `>6.0`, `<4.0`, `not amplified` and, of chromosome 17, `polisomy`.
- `her2_and_cent17_cells_count`: cells counted, 20 to 569.
- `her2_cent17_ratio`: a plain number, often beside no counts.
- `her2_and_cent17_scale_other`, `her2_fish_method`: kits, guidelines and cut-offs of three editions
  (`>=2.0 Positive`, `RATIO > 2.2`, `ratio of HER2/Centromere 17 >= 2.1 is amplified`): no results.
- `nte_…`: the same word, score and FISH word of a *new tumour event*: another sample, later.
- `er_status_by_ihc`, `pr_status_by_ihc`, `histological_type`, `history_neoadjuvant_treatment`: not HER2.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
VARIABLE = "TCGA_BRCA_FILE"
USUAL_PLACE = "../shared/data/tcga_brca_her2.tsv"

NOT_AVAILABLE = "[Not Available]"
NOT_EVALUATED = "[Not Evaluated]"
DISCREPANCY = "[Discrepancy]"
NO_ENTRY = (NOT_AVAILABLE, NOT_EVALUATED, DISCREPANCY, "")

COLUMNS = {
    "status": "her2_status_by_ihc",
    "percent": "her2_ihc_percent_positive",
    "score": "her2_ihc_score",
    "ihc_scale": "her2_positivity_scale_other",
    "ihc_method": "her2_positivity_method_text",
    "fish": "her2_fish_status",
    "copies": "her2_copy_number",
    "cep17": "cent17_copy_number",
    "cells": "her2_and_cent17_cells_count",
    "ratio": "her2_cent17_ratio",
    "fish_scale": "her2_and_cent17_scale_other",
    "fish_method": "her2_fish_method",
}
"""What each field of a sample is called in the file."""
_LATER = {
    "status": "nte_her2_status",
    "score": "nte_her2_positivity_ihc_score",
    "fish": "nte_her2_fish_status",
}


class FileMissingError(Exception):
    """The file is not there; nobody can install it, so this never fails a run."""


@dataclass(frozen=True)
class Sample:
    """What one tumour sample's fields say, word for word; "" where the field holds no entry.

    `not_evaluated`: names of fields that say `[Not Evaluated]`. `number` and `is_later` stand for the
    patient, who is never named: the row's place in the file, and whether it is the new tumour event.
    """

    number: int
    is_later: bool = False
    year: str = ""
    procedure: str = ""
    status: str = ""
    percent: str = ""
    score: str = ""
    ihc_scale: str = ""
    ihc_method: str = ""
    fish: str = ""
    copies: str = ""
    cep17: str = ""
    cells: str = ""
    ratio: str = ""
    fish_scale: str = ""
    fish_method: str = ""
    not_evaluated: frozenset[str] = field(default_factory=frozenset)

    @property
    def states_ihc(self) -> bool:
        """Whether any field states an IHC result."""
        return bool(self.status or self.score or self.percent)

    @property
    def states_ish(self) -> bool:
        """Whether any field states an ISH result."""
        return bool(self.fish or self.copies or self.cep17 or self.ratio)


def file() -> Path:
    """Give the place of the file.

    Raises:
        FileMissingError: when there is none; the message says where it was looked for.
    """
    place = ROOT / os.environ.get(VARIABLE, USUAL_PLACE)
    if not place.is_file():
        raise FileMissingError(
            f"TCGA-BRCA: there is no {os.environ.get(VARIABLE, USUAL_PLACE)}. It is data that cannot"
            f" be installed, so this is skipped in continuous integration too; {VARIABLE} names another place"
        )
    return place


def samples(place: Path) -> list[Sample]:
    """Read every sample of the file: one for each patient, and one for each new tumour event tested."""
    with place.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened, delimiter="\t"))
    return [sample for number, row in enumerate(rows, 1) for sample in _of_row(number, row)]


def _of_row(number: int, row: Mapping[str, str]) -> Iterator[Sample]:
    first = Sample(
        number,
        year=_entry(row["initial_pathologic_dx_year"]),
        procedure=_entry(row["method_initial_path_dx"]),
        not_evaluated=_not_evaluated(row, COLUMNS),
    )
    yield replace(first, **_entries(row, COLUMNS))
    if later := {name: entry for name, entry in _entries(row, _LATER).items() if entry}:
        not_evaluated = _not_evaluated(row, _LATER)
        yield replace(Sample(number, is_later=True, not_evaluated=not_evaluated), **later)


def _entries(row: Mapping[str, str], columns: Mapping[str, str]) -> dict[str, Any]:
    return {name: _entry(row[column]) for name, column in columns.items()}


def _entry(text: str) -> str:
    return "" if text in NO_ENTRY else text


def _not_evaluated(row: Mapping[str, str], columns: Mapping[str, str]) -> frozenset[str]:
    return frozenset(name for name, column in columns.items() if row[column] == NOT_EVALUATED)
