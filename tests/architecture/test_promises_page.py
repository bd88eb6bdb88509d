"""`docs/promises.md` says what was measured, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.promises.__main__ import FIGURES, PAGE, measure, measuring
from tests.promises.measured import Circumstances, Figure, keep, load, merged, read_junit
from tests.promises.page import page
from tests.promises.rows import ROWS

CI = Circumstances("ci", "abc123", "2 cores, Linux x86_64, Python 3.11.2", "2026-11-25")
JUNIT = """<?xml version="1.0"?><testsuites><testsuite name="pytest">
<testcase classname="tests.promises.test_kills" name="test_killed[sandbox]" time="61.4"><properties>
 <property name="promise" value="kills" /><property name="figure" value="120 kills: 0 lost" />
</properties></testcase>
<testcase classname="tests.promises.test_fuzz" name="test_fuzz" time="9"><properties>
 <property name="promise" value="fuzz" /><property name="figure" value="7 of 100 raised" />
</properties><failure message="7 != 0">trace</failure></testcase>
<testcase classname="tests.promises.test_audit" name="test_audit" time="0.1"><properties>
 <property name="promise" value="vulnerabilities" />
</properties><skipped message="no advisory source answers" /></testcase>
<testcase classname="tests.promises.test_x" name="test_x" time="1"><properties>
 <property name="promise" value="interleavings" /><property name="figure" value="10 tried" />
</properties></testcase>
<testcase classname="tests.promises.test_y" name="test_without_figure" time="1"><properties>
 <property name="promise" value="shuffles" /></properties></testcase>
<testcase classname="tests.unit.test_z" name="test_plain" time="1" />
</testsuite></testsuites>"""


@pytest.fixture
def figures() -> list[Figure]:
    return list(read_junit(JUNIT, CI))


def part(text: str, title: str) -> str:
    return text.split(f"## {title}\n")[1].split("\n## ")[0]


def test_a_figure_stands_with_its_command_its_commit_its_machine_and_its_day(
    figures: list[Figure],
) -> None:
    kills = part(page(figures), "Kills")

    assert "- 120 kills: 0 lost" in kills
    assert "`pytest tests/promises/test_kills.py::test_killed[sandbox]` (CI share, 61 s;" in kills
    assert "commit abc123; 2 cores, Linux x86_64, Python 3.11.2; 2026-11-25)" in kills


def test_a_promise_that_did_not_hold_says_failed(figures: list[Figure]) -> None:
    assert "**failed**: 7 of 100 raised" in part(page(figures), "Fuzz")


def test_a_skipped_measurement_says_why_and_gives_no_number(figures: list[Figure]) -> None:
    assert "not measured: no advisory source answers" in part(page(figures), "Vulnerabilities")


def test_what_nobody_measured_says_so(figures: list[Figure]) -> None:
    text = page(figures)

    assert "- not measured\n" in part(text, "Shuffles")
    assert page([]).count("- not measured\n") == len(ROWS)


def test_a_measurement_that_is_no_row_of_the_table_is_not_dropped(figures: list[Figure]) -> None:
    assert "- interleavings: 10 tried" in part(page(figures), "Measured besides")


def test_a_run_replaces_its_own_figures_only(figures: list[Figure]) -> None:
    by_hand = replace(figures[0], figure="1,000 kills: 0 lost", at=replace(CI, share="full"))
    again = replace(figures[0], figure="121 kills: 0 lost")

    kept = merged([by_hand, *figures], [again])

    assert {one.figure for one in kept if one.promise == "kills"} == {
        "1,000 kills: 0 lost",
        "121 kills: 0 lost",
    }
    assert "HER2_PROVE=full pytest tests/promises/test_kills.py" in page(kept)


def test_a_skip_takes_no_figure_away(figures: list[Figure]) -> None:
    skipped = replace(figures[0], outcome="skipped", figure="no Java")

    assert merged(figures, [skipped]) == sorted(figures)


def test_what_is_kept_is_read_again(figures: list[Figure], tmp_path: Path) -> None:
    keep(figures, tmp_path / "kept.json")

    assert load(tmp_path / "kept.json") == figures


def test_every_row_is_found_by_its_own_name() -> None:
    for row in ROWS:
        assert [one.name for one in ROWS if one.means(row.name)] == [row.name]


def test_the_page_in_the_repository_is_the_page_of_the_figures_kept() -> None:
    assert PAGE.read_text("utf-8") == page(load(FIGURES))


def test_a_run_reads_back_what_a_test_measured(tmp_path: Path) -> None:
    test = tmp_path / "test_measures.py"
    test.write_text(
        "def test_it(record_property):\n"
        "    record_property('promise', 'kills')\n"
        "    record_property('figure', '3 kills: 0 lost')\n"
    )

    code = measure(tmp_path / "promises.xml", [str(test)])
    (figure,) = read_junit((tmp_path / "promises.xml").read_text("utf-8"), CI)

    assert (code, figure.figure, figure.outcome) == (0, "3 kills: 0 lost", "passed")


def test_every_file_that_measures_is_run_wherever_it_stands() -> None:
    found = measuring()

    assert "tests/promises/test_guards.py" in found
    assert any(not one.startswith("tests/promises/") for one in found)
    assert "tests/architecture/test_promises_page.py" not in found
