"""Protects that another policy, vocabulary or version takes effect at the next pass, and is asked for once only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapter.fhir.identity import category_of
from adapter.fhir.record.derive import DeriveContext
from adapter.sync.cycle import Cycle, Parts, PassKind, PassOutcome
from adapter.sync.options import BrakeLimits, SyncOptions
from adapter.sync.scope import SWEPT_WITH
from adapter.terminology.catalogue import load_catalogue
from tests.fakes.site import Site
from tests.unit.terminology.mapping_sets import SITE, overlay, site_map, site_toml, site_words


def changed(site: Site, **parts: Any) -> None:
    """Begin a new process with other parts."""
    site.cycle = Cycle(replace(site.parts, **parts), site.options, interrupts=site.interrupts)


def with_overlay(parts: Parts, folder: Path) -> dict[str, Any]:
    catalogue = load_catalogue(overlays=[folder])
    context = replace(parts.context, overlay_versions=catalogue.overlay_versions)
    return {"catalogue": catalogue, "context": context}


def other_choice(context: DeriveContext) -> DeriveContext:
    return replace(context, policy=replace(context.policy, zero_plus="zero"))


CHANGES: dict[str, Callable[[Parts, Path], dict[str, Any]]] = {
    "a-choice": lambda parts, _: {"context": other_choice(parts.context)},
    "policy-version": lambda parts, _: {
        "context": replace(parts.context, policy=replace(parts.context.policy, version="2.0.0"))
    },
    "software": lambda parts, _: {"context": replace(parts.context, software_version="9.9.9")},
    "shipped-mappings": lambda parts, _: {
        "context": replace(parts.context, mappings_version="2.0.0+0")
    },
    "an-overlay": lambda parts, folder: with_overlay(
        parts, overlay(folder, site_map("ihc-answers", (f"{SITE}/CodeSystem/x", "a", "1+")))
    ),
    "a-site-toml": lambda parts, folder: with_overlay(parts, site_toml(folder)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_what_answers_depend_on_has_changed_so_everything_is_read_once(
    change: Callable[[Parts, Path], dict[str, Any]], tmp_path: Path
) -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    site.settle()
    assert site.run().kind is PassKind.INCREMENTAL

    changed(site, **change(site.parts, tmp_path))

    assert [site.run().kind for _ in range(2)] == [PassKind.SWEEP, PassKind.INCREMENTAL]


def test_a_restart_with_the_same_reads_only_what_changed() -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    site.settle()
    site.restart()

    assert site.run().kind is PassKind.INCREMENTAL


def test_a_sites_word_is_understood_in_results_that_were_read_before(tmp_path: Path) -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    site.laboratory.ihc("berta", "schwach wolkig")
    site.settle()
    assert set(site.categories()) == {"anna"}

    changed(
        site,
        **with_overlay(
            site.parts, overlay(tmp_path, site_words("ihc-score", "1+", "schwach wolkig"))
        ),
    )
    site.run()

    assert site.categories() == {"anna": "low", "berta": "low"}


def test_a_sites_choice_reaches_results_that_stand() -> None:
    site = Site()
    site.laboratory.ihc("anna", "0+")
    site.settle()
    assert category_of(site.only()) == "ultralow"

    changed(site, context=other_choice(site.context))
    report = site.run()

    assert report.actions == {"update": 1}
    assert category_of(site.only()) == "negative"
    assert any(
        text.endswith("/zero-plus|zero") for text in site.provenances(site.only())[-1]["policy"]
    )


def test_a_dry_run_shows_the_change_and_remembers_nothing() -> None:
    site = Site()
    site.laboratory.ihc("anna", "0+")
    site.settle()
    before = site.store.setting(SWEPT_WITH)
    changed(site, context=other_choice(site.context))

    reports = [site.run(dry_run=True) for _ in range(2)]

    assert [one.kind for one in reports] == [PassKind.SWEEP] * 2
    assert [one.actions for one in reports] == [{"update": 1}] * 2
    assert site.store.setting(SWEPT_WITH) == before


def test_a_change_of_too_much_is_held_back_and_not_forgotten() -> None:
    site = Site(options=SyncOptions(brakes=BrakeLimits(change_floor=1, change_percent=1)))
    for number in range(4):
        site.laboratory.ihc(f"p{number}", "0+")
    site.settle()
    changed(site, context=other_choice(site.context))

    assert [site.run().outcome for _ in range(2)] == [PassOutcome.BRAKED] * 2
    assert set(site.categories().values()) == {"ultralow"}
    site.cycle.show_brake()
    site.run(released_by="Dr. A. Sample")
    assert set(site.categories().values()) == {"negative"}


def test_a_pass_over_some_patients_is_no_sweep() -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    site.settle()
    changed(site, context=other_choice(site.context))

    assert site.run(patients=["anna"]).kind is PassKind.PATIENTS
    assert site.run().kind is PassKind.SWEEP


def test_a_look_back_over_some_days_is_not_all_that_the_change_needs() -> None:
    site = Site()
    site.laboratory.ihc("anna", "0+")
    site.settle()
    site.clock.advance(40 * 86400)
    site.settle()
    changed(site, context=other_choice(site.context))
    site.run(since=site.clock.now() - timedelta(days=1))
    assert set(site.categories().values()) == {"ultralow"}

    assert site.run().kind is PassKind.SWEEP
    assert set(site.categories().values()) == {"negative"}


def test_a_site_that_began_on_a_day_is_read_from_that_day_once() -> None:
    site = Site()
    began = site.clock.now()
    site.laboratory.ihc("anna", "0+")
    site.run(since=began)
    site.settle()
    changed(site, context=other_choice(site.context))
    before = site.store.setting(SWEPT_WITH)

    site.run()
    assert set(site.categories().values()) == {"negative"}
    assert site.store.setting(SWEPT_WITH) != before
    assert before is not None
