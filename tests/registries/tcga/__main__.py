"""Run all of TCGA-BRCA through the adapter's pure parts and write `docs/tcga-brca.md`, or print it.

Exit code 1 when a sample ends definite against its own fields (its kinds are named, nothing of the
row), 2 when the file is not there.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from adapter.terminology.catalogue import load_catalogue
from tests.registries.tcga.fields import ROOT, FileMissingError, file, samples
from tests.registries.tcga.page import page
from tests.registries.tcga.run import ENCODINGS, Run, against_their_fields, run


def runs_of(place: Path) -> list[Run]:
    """Answer the whole file in every encoding."""
    catalogue = load_catalogue(ROOT / "mappings")
    read = samples(place)
    return [run(read, encoding, catalogue) for encoding in ENCODINGS]


def main() -> int:
    """Write or print the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.registries.tcga", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page here")
    asked = parser.parse_args()
    try:
        runs = runs_of(file())
    except FileMissingError as missing:
        sys.stderr.write(f"{missing}\n")
        return 2
    written = page(runs)
    if asked.write:
        asked.write.write_text(written, encoding="utf-8")
    else:
        sys.stdout.write(written)
    wrong = [line for one in runs for line in against_their_fields(one)]
    sys.stderr.writelines(f"{line}\n" for line in wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
