"""`python -m tests.soak --minutes 480`: whether a service grows in hours; ends in 1 when it does."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.soak.life import soak

MEGABYTES_AN_HOUR: Final = 1.0


def main() -> int:
    """Soak and tell."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=480.0)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="her2-soak-") as folder:
        ended = soak(asked.minutes, Path(folder), seed=asked.seed)
    sys.stdout.write(f"{ended.sentence}\n")
    sys.stdout.writelines(f"    {one}\n" for one in (*ended.verdict.wrong, *ended.verdict.unpaired))
    is_right = not ended.verdict.wrong and not ended.verdict.unpaired and ended.queue_left == 0
    return 0 if is_right and ended.slope < MEGABYTES_AN_HOUR and ended.exit_code == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
