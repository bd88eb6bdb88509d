"""Protects replay over HTTP: sources are read in the versions that Provenance names, on HAPI too."""

from __future__ import annotations

from adapter.offline.replay import Replayer
from adapter.offline.verdict import Agreement
from tests.live.adapter_under_test import AdapterUnderTest
from tests.live.laboratory import Laboratory
from tests.live.records import Records


def test_results_agree_with_the_versions_they_name_after_amendments_too(
    laboratory: Laboratory, records: Records, adapter: AdapterUnderTest
) -> None:
    laboratory.ihc("p1", "2+")
    fish = laboratory.fish("p1", "Positive")
    laboratory.ihc("p2", "1+")
    adapter.settle()
    laboratory.amend(fish, "Negative")
    adapter.settle()
    laboratory.amend(fish, "Positive")  # and nothing has read it yet

    replayer = Replayer(adapter.adapter.parts, adapter.adapter.options.read)
    verdicts = [replayer.verify(name) for name in replayer.all_of_ours()]

    assert [(one.agreement, one.reason, one.elements) for one in verdicts] == [
        (Agreement.AGREES, "", ())
    ] * 2
    assert sorted(str(one.derived) for one in verdicts) == ["low", "low"]
    assert all("/_history/" in source for one in verdicts for source in one.sources)
