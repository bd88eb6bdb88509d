"""A page holds nothing that could be obeyed, asks nobody for anything, and has one hash in every form."""

from __future__ import annotations

import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from adapter.cli.documents import Page, PageOutput, Part, as_html, as_markdown, printed, text_of
from adapter.cli.printing import Block

HOSTILE = "<script>alert(1)</script> | [x](http://evil.example) `a` \x1b[31m *b*\n# c"


def a_page(text: str = "fine") -> Page:
    rows = [{"kind": "row", "name": text, "number": 3}, {"kind": "row", "name": "", "number": None}]
    block = Block(text, {"name": text, "number": "Number"}, rows)
    empty = Block("Nothing here", {"name": "Name"}, [])
    return Page(text, text, (Part(text, (text,), (block, empty)),), (text,))


class _Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, _: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_hostile_text_is_only_shown() -> None:
    seen = _Seen()
    seen.feed(as_html(a_page(HOSTILE)))
    assert "script" not in seen.tags
    assert sum("<script>alert(1)</script>" in text for text in seen.texts) >= 5
    assert "\x1b" not in as_html(a_page(HOSTILE))


def test_hostile_text_keeps_markdown_whole() -> None:
    shown = as_markdown(a_page(HOSTILE))
    assert "\x1b" not in shown
    assert not re.search(r"(?<!\\)<script|(?<!\\)\[x\]|^# c", shown, re.MULTILINE)
    table = [line for line in shown.splitlines() if re.match(r"\| ", line)]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {3}


def test_the_html_asks_nobody_for_anything() -> None:
    shown = as_html(a_page())
    assert "default-src 'none'" in shown
    assert not re.search(r"\b(src|href|url)\s*[=(]", shown)


def test_a_table_without_rows_is_not_shown() -> None:
    for shown in (as_html(a_page()), as_markdown(a_page())):
        assert "Nothing here" not in shown


@pytest.mark.parametrize("form", [PageOutput.NDJSON, PageOutput.JSON])
def test_the_hash_can_be_worked_out_from_the_rows(form: PageOutput) -> None:
    page = a_page("ü")
    text = text_of(page, form)
    rows = json.loads(text) if form is PageOutput.JSON else list(map(json.loads, text.splitlines()))
    *content, footer = rows
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in content)
    assert footer["sha256"] == page.sha256() == hashlib.sha256(lines.encode()).hexdigest()


def test_another_content_has_another_hash() -> None:
    assert a_page("a").sha256() != a_page("b").sha256()


def test_on_a_terminal_everything_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    printed(a_page("some words"), PageOutput.TABLE)
    assert capsys.readouterr().out.count("some words") >= 6
