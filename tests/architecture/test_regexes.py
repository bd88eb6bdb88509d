"""S26: no pattern of ours takes more than a second of the processor on a text made to hurt it."""

from __future__ import annotations

import ast
import re
import time
from pathlib import Path

import pytest

import adapter

ROOT = Path(adapter.__path__[0])
CAP_SECONDS = 1.0
# So long that a pattern of cubic time, or worse, needs more than the cap.
LONG = 3_000
FUNCTIONS = {
    "compile",
    "fullmatch",
    "match",
    "search",
    "sub",
    "split",
    "findall",
    "finditer",
    "subn",
}


def patterns_of(file: Path) -> list[tuple[int, str, int]]:
    """Give the patterns that stand as constants in calls of `re`: line, pattern, flags."""
    found = []
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "re"
            and node.func.attr in FUNCTIONS
            and node.args
            and isinstance(node.args[0], ast.Constant)
            and isinstance(node.args[0].value, str)
        ):
            flags = 0
            for part in [*node.args[1:], *(one.value for one in node.keywords)]:
                for name in ast.walk(part):
                    if isinstance(name, ast.Attribute) and isinstance(
                        value := getattr(re, name.attr, None), re.RegexFlag
                    ):
                        flags |= value
            found.append((node.lineno, node.args[0].value, flags))
    return found


def compiled_ones() -> list[tuple[str, str, int]]:
    """Give the patterns that modules hold compiled, however they were put together."""
    import importlib
    import pkgutil

    found = []
    for module in pkgutil.walk_packages(adapter.__path__, "adapter."):
        if ".migrations" in module.name or module.name.endswith("__main__"):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            members = value if isinstance(value, tuple | list) else [value]
            for one in members:
                if isinstance(one, re.Pattern) and isinstance(one.pattern, str):
                    found.append((f"{module.name}.{name}", one.pattern, one.flags))
    return found


def _all() -> dict[tuple[str, int], str]:
    found: dict[tuple[str, int], str] = {}
    for file in sorted(ROOT.rglob("*.py")):
        for line, pattern, flags in patterns_of(file):
            found.setdefault((pattern, int(flags)), f"{file.relative_to(ROOT)}:{line}")
    for place, pattern, flags in compiled_ones():
        found.setdefault((pattern, flags & ~int(re.UNICODE)), place)
    return found


ALL = _all()


def texts_against(pattern: str) -> list[str]:
    """Make texts that repeat what the pattern itself is made of, and then do not match."""
    letters = re.sub(r"\\[a-zA-Z]|[^\w\s.,:;/<>=%+\-'\"|?#&*()\[\]{}]", "", pattern)
    own = sorted(set(letters))[:40]
    units = [
        *own,
        "a",
        "0",
        "A",
        " ",
        "a ",
        "0.",
        "1,",
        "a.",
        ".",
        "-",
        "%41",
        "\\",
        '"',
        "<a",
        "'a' ",
    ]
    units += [f"{first}{second}" for first in own[:8] for second in own[:8]]
    ends = ("!", "\x00", "")
    made = [
        f"{unit * (LONG // len(unit))}{end}" for unit in dict.fromkeys(units) for end in ends[:1]
    ]
    made += [f"{own[0] if own else 'a'}{unit * 200}{end}" for unit in units for end in ends]
    return made


@pytest.mark.parametrize(("pattern", "flags"), ALL, ids=list(ALL.values()))
def test_no_text_keeps_a_pattern_busy(pattern: str, flags: int) -> None:
    compiled = re.compile(pattern, flags)
    for text in texts_against(pattern):
        for work in (compiled.fullmatch, compiled.search):
            began = time.process_time()
            work(text)
            assert time.process_time() - began < CAP_SECONDS, (pattern, text[:40])


def test_there_are_patterns_to_look_at_and_a_bad_one_is_found() -> None:
    assert len(ALL) > 80
    bad = re.compile(r"(a+)+b")
    began = time.process_time()
    bad.fullmatch("a" * 24 + "!")
    assert time.process_time() - began > 0.1  # and 2^n from there on
    assert any("aaaaaaaaaaaaaaaa" in text for text in texts_against(bad.pattern))
