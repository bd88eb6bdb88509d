"""A result that is moved to another patient, on servers that cannot be asked what was derived from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapter.sandbox.server import Sandbox
from tests.live.adapter_under_test import AdapterUnderTest
from tests.live.laboratory import Laboratory
from tests.live.records import Records, category_of

HABITS: dict[str, dict[str, str]] = {
    "searched": {},
    "left-out": {"dropped-parameters": "derived-from"},
    "left-out-in-silence": {"dropped-parameters": "derived-from", "lying-self-links": ""},
}


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("habits", HABITS.values(), ids=HABITS.keys())
def test_a_moved_result_takes_its_category_along(
    habits: dict[str, str], restarted: bool, tmp_path: Path
) -> None:
    with Sandbox() as sandbox:
        sandbox.habits.choose(habits)
        laboratory, records = Laboratory(sandbox.base_url), Records(sandbox.base_url)
        anna, berta = laboratory.patient("anna"), laboratory.patient("berta")
        laboratory.ihc("berta", "0", letter="b")
        moved = laboratory.result("anna", "85319-2", "3+")
        laboratory.report(moved)
        adapter = AdapterUnderTest(sandbox.base_url, tmp_path / "state.sqlite")
        try:
            adapter.settle()
            assert category_of(records.only(anna)) == "positive"
            of_berta = laboratory.result("berta", "85319-2", "3+")
            laboratory.report({**of_berta, "id": moved["id"]})
            if restarted:
                adapter.start()
            adapter.run()
            assert [one["status"] for one in records.derived(anna)] == ["entered-in-error"]
            assert "positive" in map(category_of, records.derived(berta))
        finally:
            adapter.stop()
            laboratory.close()
            records.close()
