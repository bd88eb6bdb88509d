"""Software of others that the adapter runs on is known by exact version: the lock is the list (H19).

Source: IEC 62304, 8.1.2: software of unknown provenance is identified by title, maker and version.
"""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_PIN = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(?P<version>[^\s;\\]+)", re.MULTILINE
)


def locked(file: str) -> dict[str, str]:
    """Name in its normal form → version."""
    text = (ROOT / file).read_text("utf-8")
    return {normal(found["name"]): found["version"] for found in _PIN.finditer(text)}


def only_on_windows(name: str) -> bool:
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    row = re.search(rf"^{re.escape(name)}(?:\[[^\]]*\])?==[^\n]*", lock, re.MULTILINE)
    return row is not None and "sys_platform == 'win32'" in row.group()


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported() -> set[str]:
    """Top-level names that the adapter imports as it runs and that are neither ours nor Python's."""
    found: set[str] = set()
    # The plugin is imported by pytest, where somebody has it, and by nothing of ours.
    files = set((ROOT / "adapter").rglob("*.py")) - {ROOT / "adapter/sandbox/pytest_plugin.py"}
    for file in files:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                found.add(node.module.partition(".")[0])
    return found - {"adapter"} - set(sys.stdlib_module_names)


LOCKED = locked("requirements.lock")


def test_the_list_is_not_empty() -> None:
    assert len(imported()) > 5
    assert len(LOCKED) > 10


@pytest.mark.parametrize("module", sorted(imported()))
def test_everything_imported_is_on_the_list(module: str) -> None:
    distributions = packages_distributions().get(module, [module])

    assert {normal(one) for one in distributions} & set(LOCKED), module


@pytest.mark.parametrize("name", sorted(one for one in LOCKED if not only_on_windows(one)))
def test_what_runs_here_is_the_version_on_the_list(name: str) -> None:
    assert version(name) == LOCKED[name]


def test_every_row_of_the_list_is_held_by_a_hash() -> None:
    blocks = re.split(r"(?m)^(?=[A-Za-z0-9])", (ROOT / "requirements.lock").read_text("utf-8"))
    pinned = [block for block in blocks if _PIN.match(block)]

    assert len(pinned) == len(LOCKED)
    assert [block.split("\n")[0] for block in pinned if "--hash=sha256:" not in block] == []
