"""A site's folder read again between two passes: all of it or nothing, and never what is broken or half written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from adapter.audit import AuditEvent
from adapter.errors import MappingError, StoreError, TemporaryServerError
from adapter.fhir.identity import category_of
from adapter.sync.cycle import Parts, PassKind, PassOutcome, SyncOptions
from adapter.sync.in_force import MAPPINGS, kept
from adapter.sync.options import BrakeLimits
from adapter.sync.reloading import REST_SECONDS
from adapter.terminology.looks import Look, SiteFolders
from tests.unit.sync.reloading import Running, a_site
from tests.unit.terminology.mapping_sets import overlay, site_toml, site_words

LINKED = """
[[link]]
first = "Specimen/s-anna-a"
second = "Specimen/s-anna-b"
by = "Dr A. Example"
on = 2026-11-01
because = "One tumour"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return site_toml(tmp_path / "lab")


def add_word(folder: Path, meaning: str = "1+") -> None:
    overlay(folder, site_words("ihc-score", meaning, "schwach wolkig"))


def break_it(folder: Path, with_: str = "x") -> None:
    site_toml(folder, f'[policy]\nzero_plus = "{with_}"')


def running(folder: Path, **settings: str) -> Running:
    """A site that has come to rest: anna is read, berta is not."""
    site, _ = a_site()
    site.laboratory.ihc("anna", "0+")
    site.laboratory.ihc("berta", "schwach wolkig")
    one = Running(site, folder, **settings)
    one.run(4)
    assert site.categories() == {"anna": "ultralow"}
    return one


def kinds(one: Running, rounds: int = 1) -> list[PassKind]:
    return [report.kind for report in one.run(rounds)]


def actions(one: Running) -> list[tuple[str, str]]:
    """What the trail says of mappings."""
    trail = [(event.action.value, event.outcome) for event in one.site.store.trail]
    return [row for row in trail if row[0].startswith("mappings")]


def test_a_word_that_is_added_is_read_by_one_sweep(folder: Path) -> None:
    one = running(folder)
    before = one.refresh.in_force
    add_word(folder)

    assert kinds(one, 3) == [PassKind.SWEEP, PassKind.INCREMENTAL, PassKind.INCREMENTAL]
    assert one.site.categories() == {"anna": "ultralow", "berta": "low"}
    assert one.refresh.in_force.versions[0] == before.versions[0]
    assert one.refresh.in_force.versions[1] != before.versions[1]
    assert one.refresh.in_force.loaded_at > before.loaded_at
    assert actions(one) == [("mappings-reloaded", "in-force")]
    [row] = [e for e in one.site.store.trail if e.action == "mappings-reloaded"]
    assert row.facts["mappings"] == " ".join(one.refresh.in_force.versions)
    assert row.facts["before"] == " ".join(before.versions)


def test_maps_policy_and_links_are_taken_together(folder: Path) -> None:
    one = running(folder)
    one.site.laboratory.ihc("anna", "2+", sample="b")
    one.run(3)
    add_word(folder)
    site_toml(folder, '[policy]\nzero_plus = "zero"', version="1.1.0")
    (folder / "links.toml").write_text(LINKED)
    one.run(2)

    parts = one.loop.parts
    assert parts.context.policy.zero_plus == "zero"
    assert [link.by for link in parts.links] == ["Dr A. Example"]
    assert one.site.categories()["berta"] == "low"
    assert one.loop.cycle.parts is parts
    joined = [d for d in one.site.derived() if "Joined by a person" in str(d.get("note"))]
    assert len(joined) == 1


def test_a_setting_that_was_given_wins_over_a_reloaded_site_toml(folder: Path) -> None:
    one = running(folder, **{"policy.zero_plus": "ultralow"})
    site_toml(folder, '[policy]\nzero_plus = "zero"\ntumour_site = "optional"')
    one.run(2)

    assert one.loop.parts.context.policy.zero_plus == "ultralow"
    assert len(actions(one)) == 1
    assert category_of(one.site.only()) == "ultralow"


def test_a_choice_that_is_taken_back_is_that_of_the_settings_again(folder: Path) -> None:
    site_toml(folder, '[policy]\nzero_plus = "zero"')
    site, _ = a_site()
    site.laboratory.ihc("anna", "0+")
    one = Running(site, folder)
    one.run(2)
    assert site.categories() == {"anna": "negative"}
    site_toml(folder)
    one.run(2)

    assert site.categories() == {"anna": "ultralow"}


def break_links(folder: Path) -> None:
    add_word(folder)
    (folder / "links.toml").write_text(LINKED.replace("2026-11-01", '"yesterday"'))


def break_json(folder: Path) -> None:
    (folder / "0.json").write_text('{"resourceType": "ConceptMap"')


def nest(folder: Path) -> None:
    (folder / "0.json").write_text("[" * 200_000)


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "a choice": (break_it, "site.toml: policy.zero_plus"),
    "links": (break_links, "links.toml: link 1"),
    "json": (break_json, "0.json: $"),
    "toml": (lambda folder: (folder / "site.toml").write_text("name ="), "site.toml: $"),
    "an unknown file": (lambda folder: (folder / "sites.toml").touch(), "sites.toml: $"),
    "gone": (lambda folder: folder.rename(folder.with_name("old")), "lab: $"),
    "empty": (lambda folder: (folder / "site.toml").unlink(), ""),
    "not a file": (lambda folder: (folder / "0.json").mkdir(), "0.json: $"),
    "nowhere": (lambda folder: (folder / "0.json").symlink_to("nowhere"), "0.json: $"),
    "a pipe": (lambda folder: os.mkfifo(folder / "0.json"), "0.json: $"),
    "too deep": (nest, ""),
}


@pytest.mark.parametrize(("change", "place"), BROKEN.values(), ids=BROKEN.keys())
def test_what_is_broken_leaves_the_old_in_force_and_is_said_once(
    folder: Path, change: Callable[[Path], object], place: str
) -> None:
    one = running(folder)
    before, parts = one.refresh.in_force, one.loop.parts
    change(folder)
    with capture_logs() as logs:
        assert kinds(one, 3) == [PassKind.INCREMENTAL] * 3

    now = one.refresh.in_force
    assert one.loop.parts is parts
    assert (now.versions, now.loaded_at) == (before.versions, before.loaded_at)
    assert now.refused
    assert now.refused_at is not None
    [told] = [entry for entry in logs if entry["event"] == "mappings_refused"]
    assert (told["log_level"], told["count"]) == ("warning", len(now.refused))
    assert place in told["files"] or not place
    assert actions(one) == [("mappings-refused", "defects")]
    one.site.laboratory.ihc("carla", "3+")
    one.run(2)
    assert one.site.categories() == {"anna": "ultralow", "carla": "positive"}


def test_each_other_broken_content_is_said_and_the_first_instant_stays(folder: Path) -> None:
    one = running(folder)
    with capture_logs() as logs:
        for text in ("x", "y", "y", "x"):
            break_it(folder, text)
            one.run()
    refused = [entry for entry in logs if entry["event"] == "mappings_refused"]

    assert len(refused) == 3
    rows = [e for e in one.site.store.trail if e.action == "mappings-refused"]
    assert one.refresh.in_force.refused_at == rows[0].at
    assert rows[0].facts["defects"] == 1


def test_another_content_with_the_same_defect_is_said_too(folder: Path) -> None:
    one = running(folder)
    break_it(folder)
    one.run(2)
    with (folder / "site.toml").open("a") as file:
        file.write("\n# is it right now?\n")
    one.run(2)

    assert actions(one) == [("mappings-refused", "defects")] * 2


def test_what_was_refused_without_a_defect_of_its_own_is_tried_again(folder: Path) -> None:
    one = running(folder)
    read, refused = one.refresh.load, ["0.json: $: cannot be read as JSON: Too many open files"]

    def no_more_files() -> Parts:
        raise MappingError(refused)

    one.refresh.load = no_more_files
    add_word(folder)
    one.run(15)
    assert actions(one) == [("mappings-refused", "defects")]
    one.refresh.load = read
    one.run(10)

    assert one.site.categories()["berta"] == "low"
    assert one.refresh.in_force.refused == ()


def test_a_folder_that_never_rests_is_told_once_and_taken_when_it_does(folder: Path) -> None:
    one = running(folder)
    add_word(folder)
    one.while_reading = lambda: add_word(folder)
    assert set(kinds(one, 9)) == {PassKind.INCREMENTAL}
    assert one.refresh.in_force.refused == ()
    one.run(5)
    [defect] = one.refresh.in_force.refused
    assert defect.endswith("never stays as it is for as long as it takes to read it")
    assert actions(one) == [("mappings-refused", "defects")]
    one.while_reading = lambda: None

    assert kinds(one) == [PassKind.SWEEP]
    assert one.refresh.in_force.refused == ()


def test_a_folder_is_changed_whole_by_turning_a_link(folder: Path, tmp_path: Path) -> None:
    link = tmp_path / "current"
    link.symlink_to(folder)
    one = running(link)
    add_word(site_toml(tmp_path / "next", version="2.0.0"))
    (tmp_path / "turned").symlink_to(tmp_path / "next")
    (tmp_path / "turned").replace(link)

    assert kinds(one) == [PassKind.SWEEP]
    assert one.refresh.in_force.versions[1].startswith("2.0.0+")


@pytest.mark.parametrize("name", ["", "site.toml"])
def test_what_may_not_be_read_leaves_the_old_in_force(folder: Path, name: str) -> None:
    one = running(folder)
    add_word(folder)
    (folder / name).chmod(0)
    with as_nobody():
        assert one.run(2)
        assert one.loop.parts is one.parts
        assert any("Permission denied" in defect for defect in one.refresh.in_force.refused)
    (folder / name).chmod(0o700)

    assert kinds(one) == [PassKind.SWEEP]


def test_what_is_repaired_is_taken(folder: Path) -> None:
    one = running(folder)
    break_links(folder)
    one.run(2)
    (folder / "links.toml").write_text(LINKED)
    one.run(2)

    assert one.site.categories()["berta"] == "low"
    assert one.refresh.in_force.refused == ()
    assert one.refresh.in_force.refused_at is None
    assert actions(one) == [("mappings-refused", "defects"), ("mappings-reloaded", "in-force")]


def test_what_was_in_force_and_is_put_back_needs_no_sweep(folder: Path) -> None:
    one = running(folder)
    before = one.refresh.in_force
    break_it(folder)
    one.run()
    site_toml(folder)

    assert kinds(one, 2) == [PassKind.INCREMENTAL] * 2
    assert one.refresh.in_force == before
    assert actions(one)[-1] == ("mappings-reloaded", "as-before")


def test_another_layout_is_no_other_vocabulary(folder: Path) -> None:
    one = running(folder)
    with (folder / "site.toml").open("a") as file:
        file.write("\n# reviewed\n")
    cycle = one.loop.cycle

    assert kinds(one, 2) == [PassKind.INCREMENTAL] * 2
    assert one.loop.cycle is cycle
    assert actions(one) == []


def test_what_is_still_being_written_is_left_alone(folder: Path) -> None:
    one = running(folder)
    clock = one.site.clock
    site_toml(folder, version="1.1.0")
    clock.meanwhile = lambda: add_word(folder)  # type: ignore[attr-defined]

    assert kinds(one) == [PassKind.INCREMENTAL]
    assert actions(one) == []
    one.run()
    assert clock.sleeps.count(REST_SECONDS) == 2
    assert one.site.categories()["berta"] == "low"


def test_a_change_while_it_is_read_is_not_taken(folder: Path) -> None:
    one = running(folder)
    add_word(folder)
    one.while_reading = lambda: site_toml(folder, '[policy]\nzero_plus = "zero"')
    assert kinds(one) == [PassKind.INCREMENTAL]
    one.while_reading = lambda: None

    assert kinds(one) == [PassKind.SWEEP]
    assert one.site.categories() == {"anna": "negative", "berta": "low"}
    assert len(actions(one)) == 1


def test_a_change_and_back_while_it_is_read_is_seen(folder: Path) -> None:
    one = running(folder)
    add_word(folder)

    def there_and_back() -> None:
        path = folder / "site.toml"
        said, times = path.read_text(), path.stat()
        path.write_text(said.replace("1.0.0", "2.0.0"))
        path.write_text(said)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    one.while_reading = there_and_back

    assert kinds(one) == [PassKind.INCREMENTAL]
    assert actions(one) == []


def test_defects_of_a_folder_that_changed_meanwhile_are_not_told(folder: Path) -> None:
    one = running(folder)
    break_it(folder)

    def half_read() -> None:
        site_toml(folder)
        raise MappingError(["site.toml: policy.zero_plus: 'x' is none of dated"])

    one.load = half_read  # type: ignore[method-assign, assignment]
    one.refresh.load = half_read  # type: ignore[assignment]
    one.run()

    assert one.refresh.in_force.refused == ()
    assert actions(one) == []


def test_a_wait_that_a_stop_cut_short_proves_no_rest(folder: Path) -> None:
    one = running(folder)
    add_word(folder)
    one.site.clock.is_cut_short = True  # type: ignore[attr-defined]

    assert one.refresh() is None
    one.site.clock.is_cut_short = False  # type: ignore[attr-defined]
    assert one.refresh() is not None


def test_nothing_is_read_where_nothing_changed(folder: Path) -> None:
    class Counted(SiteFolders):
        looks = 0

        def look(self) -> Look:
            Counted.looks += 1
            return super().look()

    one = running(folder)
    one.refresh.folders = Counted((folder,))
    one.run(5)
    assert Counted.looks == 0
    os.utime(folder / "site.toml")
    one.run(5)

    assert Counted.looks == 1


def test_a_folder_that_changed_while_the_adapter_started_is_read_again(folder: Path) -> None:
    one = running(folder)
    one.refresh._seen = None
    add_word(folder)

    assert kinds(one) == [PassKind.SWEEP]


def test_other_shipped_mappings_than_at_the_start_need_a_restart(folder: Path) -> None:
    one = running(folder)
    catalogue = replace(one.parts.catalogue, version="9.9.9+12345678")
    one.parts = replace(one.parts, catalogue=catalogue)
    add_word(folder)
    one.run()

    [defect] = one.refresh.in_force.refused
    assert defect.startswith("shipped mappings: $: are others than at the start")


def test_a_change_that_cannot_be_recorded_is_not_taken_and_found_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = running(folder)
    add_word(folder)
    store = one.site.store

    def full(events: Iterable[AuditEvent]) -> None:
        monkeypatch.undo()
        raise StoreError("disk full")

    monkeypatch.setattr(store, "record", full)
    assert one.refresh.in_force.refused == ()
    with pytest.raises(StoreError):
        one.refresh()

    assert kinds(one) == [PassKind.SWEEP]


def test_a_crash_between_reload_and_sweep_leaves_the_sweep_to_the_next_start(folder: Path) -> None:
    one = running(folder)
    site = one.site
    add_word(folder)
    site.server.refuse_search = _failing_once()
    assert one.run() == []
    assert actions(one) == [("mappings-reloaded", "in-force")]

    again = Running(site, folder)
    assert kinds(again, 2) == [PassKind.SWEEP, PassKind.INCREMENTAL]
    assert site.categories()["berta"] == "low"


def test_a_change_of_too_much_stops_at_the_brake_like_any_other(folder: Path) -> None:
    site, _ = a_site()
    site.options = SyncOptions(brakes=BrakeLimits(change_floor=1, change_percent=1))
    for number in range(4):
        site.laboratory.ihc(f"p{number}", "0+")
    one = Running(site, folder)
    one.run(3)
    site_toml(folder, '[policy]\nzero_plus = "zero"')

    assert [report.outcome for report in one.run(2)] == [PassOutcome.BRAKED] * 2
    assert set(site.categories().values()) == {"ultralow"}
    assert one.loop.parts.context.policy.zero_plus == "zero"


def test_who_waits_takes_over_with_what_lies_there_and_not_with_its_start(folder: Path) -> None:
    one = running(folder)
    site = one.site
    other = Running(site, folder, actor="her2@two")
    site.store.acquire_lease("her2@one", now=site.clock.now(), seconds=3600)
    add_word(folder)
    assert other.run() == []
    break_it(folder)
    assert other.run() == []
    site.store.release_lease("her2@one")

    assert kinds(other) == [PassKind.SWEEP]
    assert site.categories()["berta"] == "low"


def test_the_state_says_what_is_in_force_at_the_one_that_writes(folder: Path) -> None:
    one = running(folder)
    said = kept(one.site.store)
    assert said is not None
    assert (said.versions, said.by) == (one.refresh.in_force.versions, "her2@one")
    assert (said.defects, said.refused_at) == (0, None)
    break_it(folder)
    other = Running(one.site, site_toml(folder.with_name("other")), actor="her2@two")
    one.run()

    now = kept(one.site.store)
    assert now is not None
    assert (now.defects, now.refused_at) == (1, one.refresh.in_force.refused_at)
    other.run()
    taken_over = kept(one.site.store)
    assert taken_over is not None
    assert (taken_over.by, taken_over.defects) == ("her2@two", 0)


def test_who_takes_over_with_other_mappings_says_so(folder: Path, tmp_path: Path) -> None:
    one = running(folder)
    site = one.site
    same = Running(site, folder, actor="her2@two")
    with capture_logs() as logs:
        same.run(2)
    assert not [entry for entry in logs if entry["event"] == "other_mappings_before"]
    other = Running(site, site_toml(tmp_path / "other", version="0.9.0"), actor="her2@three")
    with capture_logs() as logs:
        assert kinds(other, 2) == [PassKind.SWEEP, PassKind.INCREMENTAL]

    [told] = [entry for entry in logs if entry["event"] == "other_mappings_before"]
    assert told["holder"] == "her2@two"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"versions": "x", "loaded_at": 1}', "\x00"])
def test_a_note_that_says_nonsense_counts_as_none(folder: Path, text: str) -> None:
    one = running(folder)
    one.site.store.set_setting(MAPPINGS, text)
    assert kept(one.site.store) is None
    one.run()

    assert kept(one.site.store) is not None


@contextmanager
def as_nobody() -> Iterator[None]:
    """Go on as an account that permissions hold for, where this one is root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def _failing_once() -> Callable[[Any], bool]:
    errors = iter([TemporaryServerError("503", status=503)])

    def refuse(_: object) -> bool:
        for error in errors:
            raise error
        return False

    return refuse
