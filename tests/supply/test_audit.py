"""The audit says "0 known" only of what was looked up, and is red where something was found."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.servers.required import announcements
from tests.supply.audit import LOCK, audit, entries_of

ROOT = Path(__file__).parents[2]


def fake(folder: Path, *, out: str = "", err: str = "", code: int = 0) -> None:
    command = folder / "pip-audit"
    command.write_text(
        f"#!{sys.executable}\nimport sys\n"
        f"assert '--strict' in sys.argv and '--require-hashes' in sys.argv\n"
        f"sys.stdout.write({out!r})\nsys.stderr.write({err!r})\nsys.exit({code})\n"
    )
    command.chmod(0o755)


def report(**vulnerable: list[str]) -> str:
    dependencies = [
        {
            "name": name,
            "version": version,
            "vulns": [{"id": one} for one in vulnerable.get(name, [])],
        }
        for name, version in entries_of(LOCK).items()
    ]
    return json.dumps({"dependencies": dependencies})


def run(folder: Path) -> tuple[int, str]:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.supply.audit"],
        cwd=ROOT,
        env={"PATH": str(folder)},
        capture_output=True,
        text=True,
    )
    assert ended.stderr == ""
    return ended.returncode, ended.stdout.strip()


def test_what_was_looked_up_and_is_clean_says_so(tmp_path: Path) -> None:
    fake(tmp_path, out=report())
    number = len(entries_of(LOCK))
    assert run(tmp_path) == (0, f"{number} locked dependencies, 0 known vulnerabilities")


def test_a_vulnerability_is_red(tmp_path: Path) -> None:
    fake(tmp_path, out=report(requests=["GHSA-9wx4-h78v-vm56"]), code=1)
    code, said = run(tmp_path)
    assert code == 1
    assert said.startswith("VULNERABLE: requests ")
    assert said.endswith("GHSA-9wx4-h78v-vm56")


@pytest.mark.parametrize(
    ("out", "err", "code"),
    [
        (
            "",
            "ERROR:pip_audit._cli:alembic: Dependency not found on PyPI and could not be audited",
            1,
        ),
        ("", "ERROR:pip_audit._cli:Could not connect to PyPI's vulnerability feed", 1),
        ("", "", 0),
        ("No known vulnerabilities found", "", 0),
        ('{"dependencies": []}', "", 0),
        ('{"dependencies": [{"name": "requests", "skip_reason": "not found"}]}', "", 0),
        ('{"dependencies": [{"name": "requests", "version": "1", "vulns": []}]}', "", 0),
    ],
    ids=["strict", "no feed", "nothing", "without strict", "empty", "left out", "one of many"],
)
def test_what_was_not_looked_up_is_a_loud_skip_in_one_line(
    out: str, err: str, code: int, tmp_path: Path
) -> None:
    fake(tmp_path, out=out, err=err, code=code)
    ended, said = run(tmp_path)
    assert ended == 0
    assert said.startswith("NOT AUDITED: ")
    assert "\n" not in said
    assert "0 known" not in said


def test_without_pip_audit_nothing_is_claimed(tmp_path: Path) -> None:
    assert run(tmp_path) == (0, "NOT AUDITED: pip-audit is not on the PATH")


def test_the_locked_dependencies_have_no_known_vulnerability(
    monkeypatch: pytest.MonkeyPatch, record_property: Any
) -> None:
    import os

    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    done = audit()
    record_property(
        "promise", "vulnerabilities"
    )  # before a skip, so that its reason is on the page
    if done.reason:
        announcements.add(done.sentence)
        pytest.skip(done.sentence)
    record_property("figure", done.sentence)
    assert done.found == ()
