"""Files that something else renews are taken up while the process runs, and spoilt ones change nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapter.renewed import Renewed


def number_in(file: Path) -> int:
    return int(file.read_text("utf-8"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "number"
    file.write_text("1", "utf-8")
    return file


@pytest.fixture
def number(file: Path) -> Renewed[int]:
    return Renewed("number", [file], lambda: number_in(file))


def test_it_is_made_once_for_each_state_of_its_files(file: Path) -> None:
    made: list[int] = []
    number = Renewed("number", [file], lambda: made.append(number_in(file)) or made[-1])
    assert [number.now() for _ in range(3)] == [1, 1, 1]
    file.write_text("22", "utf-8")
    assert [number.now() for _ in range(3)] == [22, 22, 22]
    assert made == [1, 22]


def test_a_file_that_comes_by_a_rename_or_behind_a_link_is_taken_up(
    file: Path, tmp_path: Path
) -> None:
    # Kubernetes mounts a link to a folder, and turns the link.
    link = tmp_path / "link"
    link.symlink_to(file)
    number = Renewed("number", [link], lambda: number_in(link))
    assert number.now() == 1
    other = tmp_path / "other"
    other.write_text("2", "utf-8")
    other.rename(file)
    assert number.now() == 2
    turned, beside = tmp_path / "turned", tmp_path / "beside"
    beside.write_text("3", "utf-8")
    turned.symlink_to(beside)
    turned.rename(link)
    assert number.now() == 3


@pytest.mark.parametrize("spoilt", ["no number", "", None])
def test_what_cannot_be_used_changes_nothing_and_is_said_once(
    spoilt: str | None, file: Path, number: Renewed[int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert (number.now(), number.refusal) == (1, "")
    if spoilt is None:
        file.unlink()
    else:
        file.write_text(spoilt, "utf-8")
    assert [number.now() for _ in range(3)] == [1, 1, 1]
    assert str(file) in number.refusal
    assert capsys.readouterr().out.count("files_not_renewed") == 1
    file.write_text("4", "utf-8")
    assert (number.now(), number.refusal) == (4, "")


def test_what_was_never_usable_is_an_error_until_it_is(file: Path, number: Renewed[int]) -> None:
    file.write_text("no number", "utf-8")
    for _ in range(2):
        with pytest.raises(ValueError, match="invalid literal"):
            number.now()
    file.write_text("5", "utf-8")
    assert number.now() == 5
