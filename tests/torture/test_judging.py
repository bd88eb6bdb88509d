"""The judgement finds what it is there to find: each wrong is made once, and seen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapter.sandbox.server import Sandbox
from tests.live.adapter_under_test import AdapterUnderTest
from tests.live.laboratory import Laboratory
from tests.live.records import Records
from tests.torture.judging import is_intact, judge


@pytest.fixture
def laboratory() -> Iterator[Laboratory]:
    """A laboratory whose server nobody else writes to."""
    with Sandbox() as sandbox:
        made = Laboratory(sandbox.base_url)
        yield made
        made.close()


@pytest.fixture
def records(laboratory: Laboratory, tmp_path: Path) -> Iterator[Records]:
    """Two patients with their categories written, one of them amended."""
    first = laboratory.ihc("anna", "1+")
    laboratory.ihc("berta", "3+")
    adapter = AdapterUnderTest(laboratory.base_url, tmp_path / "state.sqlite")
    adapter.settle()
    laboratory.amend(first, "3+")
    adapter.settle()
    adapter.stop()
    made = Records(laboratory.base_url)
    yield made
    made.close()


def test_what_is_right_is_found_right(laboratory: Laboratory, records: Records) -> None:
    verdict = judge(laboratory.base_url)
    assert (verdict.wrong, verdict.unpaired, verdict.cases) == ((), (), 2)


def test_a_category_that_is_not_there_is_lost(laboratory: Laboratory, records: Records) -> None:
    laboratory.ihc("clara", "2+")
    assert judge(laboratory.base_url).count("lost") == 1


def test_a_category_that_stands_twice_is_doubled(laboratory: Laboratory, records: Records) -> None:
    (derived, *_) = records.derived()
    laboratory.put({**derived, "id": f"{derived['id'][:-1]}x"})
    verdict = judge(laboratory.base_url)
    assert verdict.count("doubled") == 1
    assert len(verdict.unpaired) == 1


def test_a_version_without_its_provenance_is_unpaired(
    laboratory: Laboratory, records: Records
) -> None:
    derived = records.only(laboratory.patient("anna"))
    laboratory.delete(f"Provenance/{records.provenances(derived)[0]['id']}")
    (sentence,) = judge(laboratory.base_url).unpaired
    assert sentence.endswith("has 2 versions and 1 Provenances")


def test_a_result_changed_behind_the_adapter_is_wrong(
    laboratory: Laboratory, records: Records
) -> None:
    laboratory.amend(f"Observation/{laboratory.prefix}-berta-a-ihc", "0")
    assert judge(laboratory.base_url).count("wrong") == 1


def test_a_state_whose_pages_are_overwritten_is_damaged(records: Records, tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite"
    assert is_intact(state)
    content = bytearray(state.read_bytes())
    content[4096 : 4096 * 4] = bytes(4096 * 3)
    state.write_bytes(content)
    for name in ("state.sqlite-wal", "state.sqlite-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    assert not is_intact(state)
