"""A state lost, damaged or old ends where an untouched one ends: the oracle judges the server (C3).

What the oracle names as lost, doubled, stale or without its Provenance is a failure, however the state was treated.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path

import pytest

from adapter.store import open_store
from adapter.sync.writing.ladder import FOUND

from .mid_life import MidLife, Revived, mid_life, put

FULL = os.environ.get("HER2_PROVE") == "full"
FLIPS = 1000 if FULL else 100


def damaged(kind: str, life: MidLife) -> tuple[bytes, bytes] | None:
    """The file and its journal, as each kind of misfortune leaves them; None for no file at all."""
    half = len(life.state) // 2
    return {
        "untouched": (life.state, life.journal),
        "deleted": None,
        "zeroed": (b"\0" * len(life.state), b""),
        "empty": (b"", b""),
        "half": (life.state[:half], b""),
        "without its journal": (life.state, b""),
        "an old copy": (life.earlier_state, b""),
        "an old copy beside a newer journal": (life.earlier_state, life.journal),
        "another program's text": (b"no database " * 1000, life.journal),
    }[kind]


KINDS = (
    *("untouched", "deleted", "zeroed", "empty", "half", "without its journal", "an old copy"),
    *("an old copy beside a newer journal", "another program's text"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_lost_or_replaced_ends_where_the_oracle_says(kind: str, sqlite_path: Path) -> None:
    life = mid_life()
    files = damaged(kind, life)
    if files is not None:
        put(sqlite_path, *files)
    assert Revived.of(life, sqlite_path).converges() == "at once"


@pytest.mark.usefixtures("quick_disk")
def test_flipped_bytes_in_the_state_end_where_the_oracle_says(
    tmp_path: Path, record_property: pytest.RecordProperty
) -> None:
    life, chance, ends = mid_life(), random.Random(3), Counter[str]()
    for turn in range(FLIPS):
        folder = tmp_path / str(turn)
        folder.mkdir()
        state, journal = bytearray(life.state), bytearray(life.journal)
        for _ in range(chance.choice((1, 1, 1, 5, 50))):
            hit = state if chance.random() < 0.5 or not journal else journal
            hit[chance.randrange(len(hit))] ^= 1 << chance.randrange(8)
        put(folder / "state.sqlite", bytes(state), bytes(journal))
        revived = Revived.of(life, folder / "state.sqlite")
        try:
            ends[revived.converges()] += 1
        except Exception as error:
            raise AssertionError(f"flip {turn}: {error}") from error
    record_property("promise", "damaged state")
    record_property(
        "figure",
        f"{FLIPS} states with flipped bytes: 0 lost, 0 doubled; {ends['at once']} right at once, "
        f"{ends['with the next sweep']} with the next sweep",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("last-sweep", "no instant"),
        ("last-sweep", "9026-03-01T08:00:00+00:00"),
        ("last-sweep", "2026-03-01T08:00:00"),
        ("derived-count", "many"),
        ("derived-count", "-1"),
        ("newest-seen", "{"),
        ("newest-seen", '{"Observation": 1}'),
        ("since", "no instant"),
        ("swept-with", ""),
        ("brake", "{"),
        ("foreign-edits", "{"),
        ("foreign-edits", '{"a": ["no instant"]}'),
        (FOUND, "{"),
        (FOUND, '{"url": 7}'),
    ],
)
def test_a_fact_that_says_nonsense_ends_where_the_oracle_says(
    name: str, value: str, sqlite_path: Path
) -> None:
    """SQLite checks its structure, not our values: a flipped byte in one must not blind or stop the passes."""
    life = mid_life()
    put(sqlite_path, life.state, life.journal)
    with open_store(f"sqlite:///{sqlite_path}") as store:
        store.set_setting(name, value)
    Revived.of(life, sqlite_path).converges()


def test_a_watermark_in_the_future_hides_nothing_beyond_the_next_sweep(sqlite_path: Path) -> None:
    life = mid_life()
    put(sqlite_path, life.state, life.journal)
    with open_store(f"sqlite:///{sqlite_path}") as store:
        for name in ("Observation", "own", "Specimen"):
            store.set_watermark(name, life.now.replace(year=9026))
    Revived.of(life, sqlite_path).converges()
