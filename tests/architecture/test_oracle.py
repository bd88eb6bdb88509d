"""The oracle judges the adapter, so it shares no code with it; nor does what makes its workloads."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
INDEPENDENT = sorted(
    file
    for room in ("oracle", "workloads")
    for file in (TESTS / room).rglob("*.py")
    if not file.name.startswith("test_")
)
_OWN = ("tests.oracle", "tests.workloads")


def imported(file: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "" if node.level == 0 else "a relative import")
    return names


@pytest.mark.parametrize("file", INDEPENDENT, ids=lambda file: file.name)
def test_the_oracle_imports_nothing_of_the_adapter(file: Path) -> None:
    ours = {name for name in imported(file) if name.split(".")[0] in ("adapter", "tests")}

    assert {name for name in ours if not name.startswith(_OWN)} == set()
    assert "a relative import" not in imported(file)
