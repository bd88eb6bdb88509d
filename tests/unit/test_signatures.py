"""Protects the signed table: what is signed, when it counts as changed, and a file that is never spoilt."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapter.cli.grid_pages import cell_line, cells
from adapter.errors import InputError
from adapter.her2.policy import ASCO_CAP_2023, choices
from adapter.offline import signatures
from adapter.offline.signatures import (
    Signature,
    SignedTable,
    Standing,
    add_signature,
    cleaned_name,
    differences,
    grid_hash,
    read_signatures,
    standing,
)
from adapter.terminology.mapping_files import content_digest, read_folder
from tests.unit.terminology.mapping_sets import overlay, site_map

MONDAY = datetime(2026, 2, 2, 9, 30, tzinfo=UTC)
TABLE = SignedTable(
    policy="asco-cap-2023",
    policy_version="1.0.0",
    choices={"zero_plus": "dated", "tumour_site": "optional"},
    grid_sha256="a" * 64,
    mappings="1.0.0+1a2b3c4d",
    overlays=("0.1.0+99999999",),
)


def signature(name: str = "Dr. A", days: int = 0, **changes: Any) -> Signature:
    return Signature(name, MONDAY + timedelta(days=days), replace(TABLE, **changes), "0.1.0")


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    return [cell_line(*cell) for cell in cells(ASCO_CAP_2023)]


def test_the_order_of_the_cells_does_not_change_the_hash(lines: list[dict[str, Any]]) -> None:
    assert grid_hash(reversed(lines)) == grid_hash(lines)


@pytest.mark.parametrize(
    ("name", "other"),
    [("category", "low"), ("review", True), ("asco_cap", "positive"), ("rule", "another")],
    ids=lambda value: str(value),
)
def test_any_answer_of_any_cell_changes_the_hash(
    lines: list[dict[str, Any]], name: str, other: object
) -> None:
    hashes = {
        grid_hash([*lines[:n], {**lines[n], name: other}, *lines[n + 1 :]])
        for n in range(169)
        if lines[n][name] != other
    }
    assert grid_hash(lines) not in hashes
    assert len(hashes) == sum(line[name] != other for line in lines)


def test_a_corrected_wording_of_a_rule_needs_no_new_signature(lines: list[dict[str, Any]]) -> None:
    assert grid_hash([{**line, "sentence": "x"} for line in lines]) == grid_hash(lines)


def test_the_choices_of_a_policy_are_all_that_a_site_can_set() -> None:
    assert choices(ASCO_CAP_2023) == {
        "earlier_editions": "limit",
        "zero_plus": "dated",
        "tumour_site": "optional",
    }


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"policy": "basic"}, "policy basic, now asco-cap-2023"),
        ({"policy_version": "0.9.0"}, "version 0.9.0, now 1.0.0"),
        (
            {"choices": {"zero_plus": "zero", "tumour_site": "optional"}},
            "zero_plus zero, now dated",
        ),
        ({"choices": {"zero_plus": "dated"}}, "tumour_site not stated, now optional"),
        ({"grid_sha256": "b" * 64}, "other answers in the table"),
    ],
    ids=["policy", "version", "choice", "choice-unknown-then", "grid"],
)
def test_what_decides_otherwise_is_changed_and_named(changed: dict[str, Any], told: str) -> None:
    signed = signature(**changed)

    assert standing([signed], TABLE) == (Standing.CHANGED, signed)
    assert differences(signed.table, TABLE) == (told,)


def test_another_vocabulary_leaves_the_table_signed() -> None:
    signed = signature(mappings="1.1.0+ffffffff", overlays=())

    assert standing([signed], TABLE) == (Standing.CURRENT, signed)
    assert signatures.has_other_vocabulary(signed.table, TABLE)
    assert not signatures.has_other_vocabulary(TABLE, TABLE)


def test_the_newest_signature_of_this_very_table_counts() -> None:
    first, second = signature("Dr. A"), signature("Dr. B", days=1)
    of_another = signature("Dr. C", days=2, policy="basic")

    assert standing([second, first, of_another], TABLE) == (Standing.CURRENT, second)


def test_without_one_of_this_table_the_newest_tells_since_when() -> None:
    old, newer = signature("Dr. A", grid_sha256="b"), signature("Dr. B", days=1, grid_sha256="c")

    assert standing([newer, old], TABLE) == (Standing.CHANGED, newer)
    assert standing([], TABLE) == (Standing.NONE, None)


def test_signatures_are_added_and_read_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "signatures.jsonl"
    both = (signature("Dr. Ä"), signature("Dr. B", days=1))
    assert read_signatures(path) == ()
    for one in both:
        add_signature(path, one)

    assert read_signatures(path) == both
    assert [json.loads(line)["statement"] for line in path.read_text("utf-8").splitlines()] == [
        "read",
        "read",
    ]
    assert list(tmp_path.iterdir()) == [path], "nothing half-written stays"


def test_a_last_line_without_an_end_is_not_joined_with_the_next(tmp_path: Path) -> None:
    path = tmp_path / "signatures.jsonl"
    add_signature(path, signature("Dr. A"))
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    add_signature(path, signature("Dr. B"))

    assert [one.name for one in read_signatures(path)] == ["Dr. A", "Dr. B"]


def _without(element: str) -> Callable[[dict[str, Any]], object]:
    return lambda line: line.pop(element)


@pytest.mark.parametrize(
    "spoil",
    [
        *(pytest.param(_without(key), id=f"without-{key}") for key in ("name", "choices")),
        pytest.param(lambda line: line.update(signed_at="yesterday"), id="no-time"),
        pytest.param(lambda line: line.update(signed_at="2026-02-02T09:30:00"), id="no-time-zone"),
        pytest.param(lambda line: line.update(signed_at=20260202), id="a-number-for-a-time"),
        pytest.param(lambda line: line.update(statement="validated"), id="another-statement"),
        pytest.param(lambda line: line.update(choices="dated"), id="choices-no-object"),
    ],
)
def test_a_spoilt_line_is_named_and_nothing_is_added_to_it(
    tmp_path: Path, spoil: Callable[[dict[str, Any]], object]
) -> None:
    path = tmp_path / "signatures.jsonl"
    line = signatures.line_of(signature())
    spoil(line)
    path.write_text(f"\n{json.dumps(line)}\n", "utf-8")
    before = path.read_bytes()

    with pytest.raises(InputError, match="line 2 is no signature"):
        add_signature(path, signature())
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "text", [b"no json\n", b"[1]\n", b"\xff\xfe\n"], ids=["text", "list", "bytes"]
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "signatures.jsonl"
    path.write_bytes(text)

    with pytest.raises(InputError, match=r"signatures\.jsonl"):
        read_signatures(path)


@pytest.mark.parametrize(
    "name", ["", "  \t ", "Dr.\x1b[2J A", "x" * 201], ids=["empty", "blanks", "control", "long"]
)
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="the name of who has read"):
        cleaned_name(name)


def test_blanks_of_a_name_are_single() -> None:
    assert cleaned_name("  Dr.  A \n Pathologist ") == "Dr. A Pathologist"


def test_signing_does_not_change_the_vocabulary_it_signs(tmp_path: Path) -> None:
    folder = overlay(tmp_path / "site", site_map("ihc-answers", ("urn:x", "a", "0")))
    before = content_digest(read_folder(folder)[0])
    add_signature(folder / signatures.FILE_NAME, signature())
    files, defects = read_folder(folder)

    assert (content_digest(files), defects) == (before, [])
