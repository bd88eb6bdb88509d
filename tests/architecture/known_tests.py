"""Which tests there are, read from their files without importing them."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


def is_known(node_id: str) -> bool:
    """Tell whether a node id names a test: `file::test`, `file::Class::test`, or either with `[…]`."""
    file, _, name = node_id.partition("::")
    place = ROOT / file
    return place.is_file() and name.partition("[")[0] in _tests_in(place)


@cache
def _tests_in(file: Path) -> frozenset[str]:
    found: set[str] = set()
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            found |= {f"{node.name}::{one.name}" for one in node.body if _is_test(one)}
        elif isinstance(node, ast.Assign):  # a state machine: TestX = Machine.TestCase
            found |= {
                f"{target.id}::runTest"
                for target in node.targets
                if isinstance(target, ast.Name) and target.id.startswith("Test")
            }
    return frozenset(found)


def _is_test(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
