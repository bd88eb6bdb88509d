"""The core reads like the printed guideline: standard library only, nothing that depends on the moment.

Also: no code of LOINC or SNOMED CT stands in Python; the vocabulary is data.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

ADAPTER = Path(__file__).parents[2] / "adapter"
CORE = sorted((ADAPTER / "her2").glob("*.py"))
EVERYTHING = sorted(ADAPTER.rglob("*.py"))
VOCABULARY_CODE = re.compile(r"['\"](\d{4,5}-\d|LA\d{3,5}-\d|\d{8,})['\"]")


def imported(file: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def short(file: Path) -> str:
    return file.relative_to(ADAPTER).as_posix()


@pytest.mark.parametrize("file", CORE, ids=short)
def test_the_core_imports_the_standard_library_and_itself_only(file: Path) -> None:
    outside = {
        name
        for name in imported(file)
        if not name.startswith("adapter.her2") and name.split(".")[0] not in sys.stdlib_module_names
    }

    assert outside == set()


@pytest.mark.parametrize("file", CORE, ids=short)
def test_the_core_knows_no_clock_chance_log_or_file(file: Path) -> None:
    forbidden = {"os", "random", "logging", "time", "pathlib", "socket", "locale", "io"}
    calls = {
        node.attr
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
    }

    assert not imported(file) & forbidden
    assert not calls & {"now", "utcnow", "today"}


@pytest.mark.parametrize("file", EVERYTHING, ids=short)
def test_no_vocabulary_code_stands_in_python(file: Path) -> None:
    assert VOCABULARY_CODE.findall(file.read_text("utf-8")) == []


def catches_everything(handler: ast.ExceptHandler) -> bool:
    """Whether it takes any exception and does not pass it on; cleaning up and raising again is fine."""
    last = handler.body[-1]
    passes_on = isinstance(last, ast.Raise) and last.exc is None
    name = handler.type.id if isinstance(handler.type, ast.Name) else None
    return (handler.type is None or name in ("Exception", "BaseException")) and not passes_on


def test_only_the_loop_the_cli_and_the_door_of_http_catch_everything() -> None:
    found = {
        short(file)
        for file in EVERYTHING
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.ExceptHandler) and catches_everything(node)
    }

    assert found == {"sync/loop.py", "cli/main.py", "web/app.py"}
