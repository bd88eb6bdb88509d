"""A16, B11: where nothing happened nothing is written, however often one looks."""

from __future__ import annotations

from collections.abc import Callable

from adapter.sync.cycle import SyncOptions
from adapter.sync.options import BrakeLimits
from tests.fakes.site import Site
from tests.oracle import content_of_fake, differences
from tests.workloads.seeded import Workload

PATIENTS, PASSES = 1_000, 10


def test_further_passes_over_quiet_patients_write_nothing(
    record_property: Callable[[str, object], None],
) -> None:
    record_property("promise", "quiet pass")
    site = Site(options=SyncOptions(brakes=BrakeLimits(first_pass=2 * PATIENTS)))
    Workload(1).begin(PATIENTS).apply(site.server.put, site.server.delete)
    site.run()
    written = site.server.writes
    versions = {name: len(history) for name, history in site.server.versions.items()}
    assert differences(content_of_fake(site.server)) == []

    swept = site.run(full_sweep=True)
    reports = [site.run() for _ in range(PASSES)]

    fresh = sum(map(len, site.server.versions.values())) - sum(versions.values())
    record_property(
        "figure",
        f"{len(site.derived()):,} results of {PATIENTS:,} patients; a full sweep and {PASSES} further passes: "
        f"{site.server.writes - written} writes, {fresh} new versions",
    )
    assert swept.patients == PATIENTS
    assert (site.server.writes, fresh) == (written, 0)
    assert sum(report.writes for report in reports) == 0
