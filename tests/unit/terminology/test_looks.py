"""A look at a site's folder sees each change of what is read of it, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from adapter.terminology.layers import read_layers
from adapter.terminology.looks import SiteFolders
from tests.unit.terminology.mapping_sets import overlay, site_map, site_toml

LOCAL = "https://lab.hospital.test/codes"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return site_toml(overlay(tmp_path / "lab", site_map("ihc-answers", (LOCAL, "x", "1+"))))


def same_size_and_time(folder: Path) -> None:
    path = folder / "0.json"
    times = path.stat()
    path.write_text(path.read_text().replace('"1+"', '"2+"'))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


CHANGES: dict[str, Callable[[Path], object]] = {
    "a byte": lambda folder: (folder / "site.toml").write_text("#"),
    "same size and time": same_size_and_time,
    "another file": lambda folder: (folder / "links.toml").touch(),
    "a file less": lambda folder: (folder / "0.json").unlink(),
    "another name": lambda folder: (folder / "0.json").rename(folder / "1.json"),
    "no folder": lambda folder: folder.rename(folder.with_name("old")),
    "a hidden file": lambda folder: (folder / ".x.toml").touch(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_shows_in_marks_and_content(
    folder: Path, change: Callable[[Path], object]
) -> None:
    folders = SiteFolders((folder,))
    before = folders.look()
    change(folder)
    after = folders.look()

    assert folders.marks() == after.marks != before.marks
    assert after.content != before.content


UNREAD: dict[str, Callable[[Path], object]] = {
    "signature": lambda folder: (folder / "signatures.jsonl").write_text("{}\n"),
    "unfinished": lambda folder: (folder / "0.json.new").write_text("{"),
    "a subfolder": lambda folder: overlay(folder / "draft", site_map("ihc-answers")),
    "a note": lambda folder: (folder / "README.md").write_text("ours"),
}


@pytest.mark.parametrize("change", UNREAD.values(), ids=UNREAD.keys())
def test_what_is_no_mapping_is_not_looked_at(
    folder: Path, change: Callable[[Path], object]
) -> None:
    folders = SiteFolders((folder,))
    before = folders.look()
    change(folder)

    assert folders.look() == before


def test_a_touched_file_has_the_same_content(folder: Path) -> None:
    folders = SiteFolders((folder,))
    before = folders.look()
    os.utime(folder / "0.json", ns=(0, 0))
    after = folders.look()

    assert after.marks != before.marks
    assert after.content == before.content


def test_what_the_maps_are_read_from_is_what_is_looked_at(folder: Path) -> None:
    (folder / ".x.toml").touch()
    layers, defects = read_layers(overlays=[folder])
    read = {file.name for file in layers[1].files} | set(layers[1].tables) | {".x.toml"}

    assert {Path(str(mark[0])).name for mark in SiteFolders((folder,)).marks()} == read
    assert defects == [".x.toml: $: is none of links.toml, site.toml"]


def test_a_link_that_is_turned_to_another_folder_is_a_change(folder: Path, tmp_path: Path) -> None:
    link = tmp_path / "current"
    link.symlink_to(folder)
    other = site_toml(tmp_path / "other", version="2.0.0")
    folders = SiteFolders((link,))
    before = folders.look()
    link.unlink()
    link.symlink_to(other)

    assert folders.marks() != before.marks
    assert folders.look().content != before.content


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda path: path.mkdir(), "not a file"),
        (lambda path: os.mkfifo(path), "not a file"),
        (lambda path: path.symlink_to("nowhere"), "No such file or directory"),
    ],
    ids=["a folder", "a pipe", "a link to nowhere"],
)
def test_what_cannot_be_read_is_told_and_waited_for_by_nobody(
    folder: Path, make: Callable[[Path], None], told: str
) -> None:
    make(folder / "broken.json")
    look = SiteFolders((folder,)).look()

    assert look.unreadable == (f"broken.json: $: cannot be read: {told}",)


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    look = SiteFolders((tmp_path / "gone",)).look()

    assert look.unreadable == ("gone: $: cannot be read: No such file or directory",)


def test_without_folders_there_is_nothing_to_see() -> None:
    look = SiteFolders().look()

    assert (look.marks, look.unreadable) == ((), ())
