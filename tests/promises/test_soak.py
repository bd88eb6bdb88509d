"""A service that is worked and asked without rest holds on to nothing (C8); eight hours by hand: tests/soak."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.soak.life import soak

MINUTES = 0.75


def test_a_service_at_work_keeps_no_file_no_thread_and_no_backlog(
    record_property: Callable[[str, object], None], tmp_path: Path
) -> None:
    ended = soak(MINUTES, tmp_path)
    record_property("promise", "soak")
    record_property("figure", ended.sentence)
    middle, last = ended.warm[len(ended.warm) // 2], ended.warm[-1]
    assert last.files <= middle.files + 3
    assert last.threads <= middle.threads + 3
    assert ended.queue_left == 0
    assert (ended.verdict.wrong, ended.verdict.unpaired) == ((), ())
    assert ended.exit_code == 0
