"""Remove each guard of the product in turn and see whether the tests notice; `make guards`.

Exit code 1 when a test stays green without the guard that it is named for.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.guards.listed import guards
from tests.guards.runner import remove_each


def main() -> int:
    """Remove, tell, count."""
    parser = argparse.ArgumentParser(prog="python -m tests.guards", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="ID", help="these guards alone")
    parser.add_argument(
        "--whole-suite",
        action="store_true",
        help="let the whole suite notice, until its first red test",
    )
    asked = parser.parse_args()
    chosen = [one for one in guards() if not asked.only or one.id in asked.only]
    unnoticed = 0
    with tempfile.TemporaryDirectory(prefix="her2-guards-") as folder:
        for verdict in remove_each(chosen, Path(folder), whole_suite=asked.whole_suite):
            said = "noticed" if verdict.bites else f"NOT NOTICED {verdict.trouble}"
            sys.stdout.write(f"{verdict.guard.id}: {said}\n")
            sys.stdout.writelines(f"    stays green: {test}\n" for test in verdict.green)
            sys.stdout.flush()
            unnoticed += not verdict.bites
    sys.stdout.write(f"{len(chosen)} guards removed, {unnoticed} of them not noticed\n")
    return 1 if unnoticed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
