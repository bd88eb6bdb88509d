"""`torture` runs from a checkout and says in one sentence where it cannot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import adapter
from adapter.cli import torturing
from tests.cli.conftest import Run


def test_a_torture_of_one_kill_holds_and_says_so_in_one_line() -> None:
    asked = ["torture", "--kills", "1", "--seed", "3", "--output", "json"]
    # What a site has set must reach nobody: here a server that is not there.
    site = {**os.environ, "HER2_TARGET__URL": "http://127.0.0.1:9/fhir"}
    command = [sys.executable, "-m", "adapter", *asked]
    ran = subprocess.run(command, capture_output=True, text=True, env=site, check=False)
    said = json.loads(ran.stdout)
    assert ran.returncode == 0
    assert (said["held"], said["kills"], said["server"]) == (True, 1, "sandbox")


def test_without_the_packages_of_the_tests_it_names_the_target_that_installs_them(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torturing, "find_spec", lambda _name: None)
    ran = run("torture")
    assert (ran.code, "make .venv/.dev" in ran.err) == (2, True)


def test_without_the_repository_it_says_that_it_needs_it(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(adapter, "__file__", str(tmp_path / "adapter" / "__init__.py"))
    ran = run("torture")
    assert ran.code == 2
    assert "needs the source repository" in ran.err
