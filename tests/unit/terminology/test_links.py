"""A person's links are read whole or refused whole, with every defect named."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from adapter.errors import MappingError
from adapter.her2.model import Link
from adapter.terminology.links import LONGEST_TEXT, load_links

GOOD = """
[[link]]
first = "Specimen/core-1"
second = "Observation/fish.7"
by = " Dr A. Example "
on = 2026-11-01
because = "One tumour"
"""


def defects(folder: Path, text: str) -> list[str]:
    (folder / "links.toml").write_text(text, encoding="utf-8")
    with pytest.raises(MappingError) as refused:
        load_links((folder,))
    return list(refused.value.defects)


def changed(line: str, by: str) -> str:
    assert line in GOOD
    return GOOD.replace(line, by)


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "byte-order-mark"])
def test_a_link_names_two_ids_who_when_and_why(tmp_path: Path, mark: str) -> None:
    (tmp_path / "links.toml").write_text(mark + GOOD, encoding="utf-8")

    assert load_links((tmp_path,)) == (
        Link(
            "Specimen/core-1",
            "Observation/fish.7",
            "Dr A. Example",
            date(2026, 11, 1),
            "One tumour",
        ),
    )


def test_without_a_file_or_a_folder_there_are_no_links(tmp_path: Path) -> None:
    assert load_links() == load_links((tmp_path,)) == ()


@pytest.mark.parametrize(
    ("text", "defect"),
    [
        ("[[link]", "$: cannot be read as TOML"),
        ("link = [1]", "link: is a list of sections"),
        (GOOD + "[[links]]", "links: unknown; a link is a [[link]]"),
        (changed("because", "why"), "link 1: because: missing"),
        (changed("because", "why"), "link 1: why: unknown"),
        (changed("Specimen/core-1", "Patient/1"), "link 1: first: not Observation/<id>"),
        (changed("Specimen/core-1", "core-1"), "link 1: first: not Observation/<id>"),
        (
            changed("Specimen/core-1", "Specimen/c/_history/2"),
            "link 1: first: not Observation/<id>",
        ),
        (changed("Specimen/core-1", "https://a/Specimen/c"), "link 1: first: not Observation/<id>"),
        (changed('"Observation/fish.7"', "7"), "link 1: second: not Observation/<id>"),
        (changed("Observation/fish.7", "Specimen/core-1"), "link 1: second: the same as first"),
        (changed("2026-11-01", '"2026-11-01"'), "link 1: on: not a date"),
        (changed("2026-11-01", "2026-11-01T10:00:00Z"), "link 1: on: not a date"),
        (changed('" Dr A. Example "', '" "'), "link 1: by: says nothing"),
        (changed('"One tumour"', "true"), "link 1: because: says nothing"),
        (changed("One tumour", "One\\ntumour"), "link 1: because: holds a line break"),
        (changed("One tumour", "x" * (LONGEST_TEXT + 1)), "link 1: because: longer than"),
        (GOOD + GOOD, "link: Observation/fish.7 and Specimen/core-1 are linked more than once"),
    ],
)
def test_what_is_wrong_with_a_link_is_named(tmp_path: Path, text: str, defect: str) -> None:
    found = defects(tmp_path, text)

    assert any(one.startswith(f"links.toml: {defect}") for one in found), found


def test_the_same_pair_the_other_way_round_is_a_second_link_of_it(tmp_path: Path) -> None:
    turned = (
        GOOD.replace("Specimen/core-1", "X")
        .replace("Observation/fish.7", "Specimen/core-1")
        .replace("X", "Observation/fish.7")
    )

    assert len(defects(tmp_path, GOOD + turned)) == 1


def test_the_same_pair_in_two_folders_is_named_once(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
        (folder / "links.toml").write_text(GOOD, encoding="utf-8")

    with pytest.raises(MappingError) as refused:
        load_links(folders)

    assert len(refused.value.defects) == 1


def test_every_defect_of_every_link_is_named_at_once(tmp_path: Path) -> None:
    wrong = changed("Specimen/core-1", "?") + changed("2026-11-01", "1")

    assert [one.split(":")[1:3] for one in defects(tmp_path, wrong)] == [
        [" link 1", " first"],
        [" link 2", " on"],
    ]


def test_the_lines_of_the_worklist_are_refused_until_a_person_signs_them(tmp_path: Path) -> None:
    blank = (
        'link = [{ first = "Specimen/a", second = "Specimen/b", by = "", on = "", because = "" }]'
    )

    assert [one.split(":")[2] for one in defects(tmp_path, blank)] == [" by", " because", " on"]
