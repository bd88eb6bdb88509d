"""Protects the list of patients in a file: what it names, what it says of the rest, and when it is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapter.errors import ListUnusable
from adapter.patient_file import LARGEST, PatientsOfFile

SECRET = "Doe, Jane 1960-01-01"


def listed(folder: Path, content: bytes) -> PatientsOfFile:
    file = folder / "patients.txt"
    file.write_bytes(content)
    return PatientsOfFile(file)


@pytest.mark.parametrize(
    "content",
    [
        b"b\na\n",
        b"\xef\xbb\xbfPatient/a\r\nb\r\n",
        b"  a  # first\n\n# nobody\nPatient/b\na\n",
        b"a\nb",
    ],
    ids=["plain", "byte-order-mark", "comments", "no-last-newline"],
)
def test_each_line_names_a_patient_once(tmp_path: Path, content: bytes) -> None:
    read = listed(tmp_path, content).read()
    assert (read.patients, read.warnings) == (("Patient/a", "Patient/b"), ())


def test_lines_that_are_no_id_are_counted_and_never_quoted(tmp_path: Path) -> None:
    read = listed(tmp_path, f"a\n{SECRET}\nb/c\nGroup/1\n{'x' * 65}\n".encode()).read()
    assert read.patients == ("Patient/a",)
    (said,) = read.warnings
    assert "4 lines" in said
    assert "line 2" in said
    assert SECRET not in said


@pytest.mark.parametrize("content", [b"", b"\n\n", b"# later\n", SECRET.encode(), b"\xff\xfe"])
def test_a_file_that_names_nobody_is_no_list(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ListUnusable) as refused:
        listed(tmp_path, content).read()
    assert SECRET not in str(refused.value)


def test_a_file_that_is_gone_or_too_large_is_no_list(tmp_path: Path) -> None:
    file = listed(tmp_path, b"a\n")
    with file.path.open("r+b") as stream:
        stream.truncate(LARGEST + 1)
    with pytest.raises(ListUnusable, match="larger"):
        file.read()
    file.path.unlink()
    with pytest.raises(ListUnusable, match="cannot be read"):
        file.read()


def test_it_is_read_anew_each_time(tmp_path: Path) -> None:
    file = listed(tmp_path, b"a\n")
    file.read()
    file.path.write_text("b\n", encoding="utf-8")
    assert file.read().patients == ("Patient/b",)
