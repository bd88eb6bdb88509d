"""The page of limits lists every reason code that an answer can be refused with."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NOT_OF_ANSWERS = {"empty", "not-fhir"}
"""Codes of files given to a command."""


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
