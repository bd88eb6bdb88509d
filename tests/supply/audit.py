"""Asks an advisory source about every locked dependency, and says when none answered.

    python -m tests.supply.audit [LOCK]     # ends in 0 audited or NOT AUDITED, 1 vulnerable

Without `--strict` pip-audit says "No known vulnerabilities found" of dependencies that it could not
look up. So an answer counts here only if it names every entry of the lock.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

LOCK = Path(__file__).parents[2] / "requirements.lock"
_ENTRY = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==(\S+)", re.MULTILINE)
_SECONDS = 300


@dataclass(frozen=True)
class Audit:
    """`audited`: how many dependencies an advisory source knew; `found`: "name version: id" each.

    `reason`: why it is no audit, or "".
    """

    audited: int
    found: tuple[str, ...] = ()
    reason: str = ""

    @property
    def sentence(self) -> str:
        if self.reason:
            return f"NOT AUDITED: {self.reason}"
        if self.found:
            return f"VULNERABLE: {'; '.join(self.found)}"
        return f"{self.audited} locked dependencies, 0 known vulnerabilities"


def entries_of(lock: Path) -> dict[str, str]:
    """Give the locked versions by normalised name."""
    found = _ENTRY.findall(lock.read_text("utf-8"))
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def audit(lock: Path = LOCK) -> Audit:
    """Run the pip-audit that is first on the PATH over a lock."""
    command = shutil.which("pip-audit")
    if command is None:
        return Audit(0, reason="pip-audit is not on the PATH")
    options = ["--strict", "--disable-pip", "--require-hashes", "--progress-spinner=off"]
    try:
        ended = subprocess.run(
            [command, *options, "--format=json", "-r", lock],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return Audit(0, reason=f"no advisory source answered within {_SECONDS} s")
    try:
        told = json.loads(ended.stdout)["dependencies"]
    except (ValueError, KeyError):
        said = ended.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        return Audit(0, reason=f"no advisory source answers here ({said[0]})")
    return _judged(told, lock)


def _judged(told: list[dict[str, object]], lock: Path) -> Audit:
    known = {str(one["name"]).lower().replace("_", "-") for one in told if "vulns" in one}
    found = tuple(
        f"{one['name']} {one['version']}: {', '.join(str(v['id']) for v in one['vulns'])}"  # type: ignore[attr-defined,index]
        for one in told
        if one.get("vulns")
    )
    left_out = sorted(entries_of(lock).keys() - known)
    if found or not left_out:
        return Audit(len(known), found)
    return Audit(len(known), reason=f"no advisory source knows {', '.join(left_out)}")


if __name__ == "__main__":
    done = audit(*map(Path, sys.argv[1:]))
    sys.stdout.write(done.sentence + "\n")
    sys.exit(1 if done.found else 0)
