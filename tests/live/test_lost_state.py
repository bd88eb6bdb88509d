"""Protects the promise that the state is a cache: lost or broken, it is rebuilt with 0 writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from adapter.sync.cycle import PassOutcome
from tests.live.conftest import Adapters
from tests.live.laboratory import Laboratory
from tests.live.records import Records
from tests.live.servers import LiveServer


def _delete(state: Path) -> None:
    for file in state.parent.glob(f"{state.name}*"):
        file.unlink()


def _overwrite(state: Path) -> None:
    state.write_bytes(b"this is no database any more" * 400)


def _tear(state: Path) -> None:
    """Lose the second half, as a full disk or a bad copy does."""
    content = state.read_bytes()
    state.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    "lose", [_delete, _overwrite, _tear], ids=["deleted", "overwritten", "torn"]
)
def test_lost_state_is_rebuilt_without_a_write(
    server: LiveServer,
    laboratory: Laboratory,
    records: Records,
    install: Adapters,
    tmp_path: Path,
    lose: Callable[[Path], None],
) -> None:
    laboratory.women(10)
    first = install("state")
    first.settle()
    first.stop()
    lose(tmp_path / "state.sqlite")

    quiet = server.mark()
    second = install("state")
    assert second.run().outcome is PassOutcome.DONE
    second.settle()
    assert server.since(quiet).writes == 0
    records.assert_sound(patients=10)
