"""Measure the promises and write `docs/promises.md` anew; `make prove`.

Exit code: that of pytest, so that a promise that does not hold fails the command too.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.promises.measured import Circumstances, keep, load, merged, read_junit
from tests.promises.page import page

ROOT = Path(__file__).parents[2]
FIGURES = ROOT / "docs" / "promises.json"
PAGE = ROOT / "docs" / "promises.md"
MEASURED_PARTS = ("adapter", "mappings", "tests", "requirements.lock")


def circumstances() -> Circumstances:
    """Say where we are: a checkout with changes is not its commit, and says so."""
    commit = _git("rev-parse", "--short=12", "HEAD")
    changed = " with changes" if _git("status", "--porcelain", "--", *MEASURED_PARTS) else ""
    return Circumstances(
        share="full" if os.environ.get("HER2_PROVE") == "full" else "ci",
        commit=f"{commit}{changed}",
        machine=f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}",
        date=datetime.now(UTC).date().isoformat(),
    )


def measuring() -> list[str]:
    """Name the files whose tests record what they measured, wherever they stand."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    return [
        str(one.relative_to(ROOT))
        for one in files
        if 'record_property("promise"' in one.read_text("utf-8")
    ]


def measure(junit: Path, targets: list[str]) -> int:
    """Run the measuring tests; give pytest's exit code."""
    junit.parent.mkdir(parents=True, exist_ok=True)
    # Only the family xunit1 knows record_property; with another one pytest warns, and a warning fails.
    family = "--override-ini=junit_family=xunit1"
    command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={junit}", family, *targets]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def main() -> int:
    """Measure, keep, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.promises", description=__doc__)
    parser.add_argument("targets", nargs="*", help="tests to run; by default all that measure")
    parser.add_argument(
        "--render", action="store_true", help="measure nothing, only write the page"
    )
    parser.add_argument(
        "--from",
        dest="junit",
        type=Path,
        nargs="+",
        help="measure nothing, take the JUnit files of a run of this very commit on this machine",
    )
    asked = parser.parse_args()
    figures, code = load(FIGURES), 0
    if not asked.render:
        files, at = asked.junit or [ROOT / ".cache" / "promises.xml"], circumstances()
        if asked.junit is None:
            code = measure(files[0], asked.targets or measuring())
        for file in files:
            figures = merged(figures, read_junit(file.read_text("utf-8"), at))
        keep(figures, FIGURES)
    PAGE.write_text(page(figures), "utf-8")
    return code


def _git(*arguments: str) -> str:
    ran = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return ran.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
