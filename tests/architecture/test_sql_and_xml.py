"""S23 and S25 by reading the code: no SQL is put together from values, and no XML is ever parsed.

The sandbox server writes SQL of its own: lists of question marks and columns of its one table. Ruff's
S608 marks each such place; it serves synthetic patients on loopback and is no part of a pass.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import adapter

ROOT = Path(adapter.__path__[0])
FILES = sorted(ROOT.rglob("*.py"))
# Words of SQL as a statement begins, or as they stand in its middle.
SQL = re.compile(
    r"\b(SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|CREATE\s+(TABLE|INDEX|UNIQUE)"
    r"|DROP\s+\w+|ALTER\s+TABLE|PRAGMA\s+\w+|ATTACH\s+|BEGIN;|WHERE\s+\w+\s*(=|IN\b))",
    re.DOTALL,
)
XML = {"xml", "lxml", "defusedxml", "xmltodict", "bs4", "html5lib", "xmlsec", "zeep"}


def literals(node: ast.AST) -> str:
    """Join the constant texts within an expression."""
    parts = [
        one.value
        for one in ast.walk(node)
        if isinstance(one, ast.Constant) and isinstance(one.value, str)
    ]
    return " ".join(parts)


def built_from_values(tree: ast.Module) -> Iterator[ast.expr]:
    """Yield expressions that put SQL together from something that is no constant of the module."""
    constants = {
        target.id
        for statement in tree.body
        if isinstance(statement, ast.Assign | ast.AnnAssign)
        for target in (
            statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        )
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts: list[ast.expr] = [
                one.value for one in node.values if isinstance(one, ast.FormattedValue)
            ]
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
            parts = [node.left, node.right]
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("format", "format_map", "join", "replace")
        ):
            parts = [*node.args, *(one.value for one in node.keywords)]
        else:
            continue
        fixed = all(
            isinstance(part, ast.Constant | ast.JoinedStr)
            or (isinstance(part, ast.Name) and part.id in constants)
            for part in parts
        )
        if not fixed and SQL.search(literals(node)):
            yield node


PRODUCT = [file for file in FILES if "sandbox" not in file.relative_to(ROOT).parts]


@pytest.mark.parametrize("file", PRODUCT, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_sql_is_put_together_from_values(file: Path) -> None:
    found = [node.lineno for node in built_from_values(ast.parse(file.read_text("utf-8")))]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        'x.execute(f"SELECT a FROM {table}")',
        "x.execute(\"SELECT a FROM t WHERE b = '%s'\" % name)",
        'x.execute("DELETE FROM t WHERE b = " + name)',
        'x.execute("UPDATE t SET a = {}".format(name))',
        'text("INSERT INTO t VALUES (%s)" % ",".join(values))',
    ],
)
def test_the_check_finds_sql_that_is_put_together(code: str) -> None:
    assert list(built_from_values(ast.parse(code)))


def test_no_module_of_ours_imports_an_xml_parser() -> None:
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            assert not {name.split(".")[0] for name in names} & XML, file
