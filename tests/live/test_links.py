"""A person's link in the site's overlay: two samples become one result, and two again without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.conftest import Adapters
from tests.live.laboratory import Laboratory
from tests.live.records import Records, category_of
from tests.unit.terminology.mapping_sets import overlay, site_map

LINK = """
[[link]]
first = "{first}"
second = "{second}"
by = "Dr A. Example"
on = 2026-11-01
because = "FISH was done on the excision"
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """An overlay without links."""
    return overlay(tmp_path / "overlay", site_map("ihc-answers", ("urn:local", "A", "1+")))


def test_a_link_joins_two_results_and_parts_them_when_it_is_taken_back(
    laboratory: Laboratory, records: Records, install: Adapters, site: Path
) -> None:
    patient = laboratory.patient("anna")
    laboratory.ihc("anna", "2+", letter="a")
    laboratory.fish("anna", "Negative", letter="b")

    def after_a_start() -> dict[str, tuple[str, str]]:
        """Start anew with the overlay as it is; id → category and status of what then stands."""
        adapter = install(policy__site_mappings=str(site))
        adapter.run(patients=[patient])
        adapter.settle()
        adapter.stop()
        return {one["id"]: (category_of(one), one["status"]) for one in records.derived(patient)}

    apart = after_a_start()
    assert sorted(apart.values()) == [
        ("equivocal", "preliminary"),
        ("negative-unspecified", "final"),
    ]
    [of_ihc] = [name for name, said in apart.items() if said[0] == "equivocal"]
    [of_fish] = apart.keys() - {of_ihc}

    ends = {"first": laboratory.sample("anna", "a"), "second": laboratory.sample("anna", "b")}
    (site / "links.toml").write_text(LINK.format(**ends), encoding="utf-8")
    assert after_a_start() == {
        of_ihc: ("low", "final"),
        of_fish: ("negative-unspecified", "entered-in-error"),
    }
    reasons = [
        reason["text"]
        for one in records.provenances({"resourceType": "Observation", "id": of_ihc})
        for reason in one.get("reason", [])
    ]
    assert reasons == [
        f"Joined by a person: {ends['first']} and {ends['second']}, "
        "by Dr A. Example on 2026-11-01: FISH was done on the excision"
    ]

    (site / "links.toml").unlink()
    assert after_a_start() == {
        of_ihc: ("equivocal", "amended"),
        of_fish: ("negative-unspecified", "amended"),
    }
    for name in apart:
        records.story_of({"resourceType": "Observation", "id": name})
    records.assert_sound()
