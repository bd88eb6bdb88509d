"""docs/clinical-input.md is made from the data and by the reader, and lists every row, word and reason there is.

Protects a pathologist's review: what the page says is what the adapter does.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adapter.fhir.reasons import SENTENCES
from adapter.terminology import systems
from adapter.terminology.catalogue import load_catalogue
from tests.cli.conftest import Run

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/clinical-input.md").read_text("utf-8")


def test_the_page_of_the_documentation_is_what_the_command_prints(run: Run) -> None:
    ended = run("mappings", "list", "--output", "markdown")
    assert ended.code == 0
    assert ended.out == PAGE, "run `make docs`"


@pytest.mark.parametrize(
    "target",
    [
        systems.TEST_ROLES,
        systems.TEST_METHODS,
        systems.IHC_ANSWERS,
        systems.ISH_ANSWERS,
        systems.OVERALL_ANSWERS,
    ],
)
def test_every_row_stands_on_the_page(target: str) -> None:
    rows = load_catalogue().maps[target]
    assert [code for _, code in rows if f"| {code} |" not in PAGE] == []


def test_every_phrase_and_every_reason_stands_on_the_page() -> None:
    missing = [
        w.phrase for w in load_catalogue().words() if w.phrase.replace("|", "\\|") not in PAGE
    ]
    assert missing == []
    assert [code for code in SENTENCES if f"| `{code}` |" not in PAGE] == []


def test_no_example_that_is_not_understood_gives_a_category() -> None:
    texts = PAGE[PAGE.index("## Texts") : PAGE.index("## Structures")]
    rows = [line for line in texts.splitlines() if re.match(r"\| (IHC|ISH|overall) ", line)]
    assert len(rows) > 60
    for row in rows:
        _, _, _, read_as, outcome, _ = (cell.strip() for cell in row.split("|"))
        assert bool(read_as) != outcome.startswith("not read"), row
