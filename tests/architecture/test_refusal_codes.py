"""The page of limits lists every reason code that an answer can be refused with."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NOT_OF_ANSWERS = {"empty", "not-fhir"}
"""Codes of files given to a command."""
NOT_FOR_A_CALLER_OF_IT = {"gone", "method", "not-found"}
"""Who went away reads nothing; the others are of another path or method."""


def codes_in(*files: str) -> set[str]:
    texts = [(ROOT / file).read_text("utf-8") for file in files]
    return {code for text in texts for code in re.findall(r'code="([a-z][a-z-]+)"', text)}


def test_every_code_of_a_refused_answer_is_on_the_page() -> None:
    given = codes_in(
        "adapter/fhir/strict_json.py",
        *(str(one.relative_to(ROOT)) for one in (ROOT / "adapter/transport").glob("*.py")),
    )
    page = (ROOT / "docs/limits.md").read_text("utf-8")
    listed = set(re.findall(r"`([a-z-]+)`", page[page.index("| code |") :]))
    assert len(given) > 15
    assert given - NOT_OF_ANSWERS == listed


def test_every_code_of_the_operation_is_on_its_page() -> None:
    given = codes_in("adapter/offline/operation.py", "adapter/web/derive_operation.py")
    for file in ("derive_operation", "limits", "access", "app"):
        text = (ROOT / "adapter" / "web" / f"{file}.py").read_text("utf-8")
        given |= set(re.findall(r'Refused\(\s*\d{3},\s*"([a-z-]+)"', text))
    page = (ROOT / "docs" / "derive-operation.md").read_text("utf-8")
    listed = set(re.findall(r"`([a-z-]+)`", page))
    assert len(given) > 20
    assert given - NOT_FOR_A_CALLER_OF_IT <= listed
