"""Protects the catalogue as a whole: loaded at once or refused with every defect, and a site's overlay on top."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from adapter.errors import MappingError
from adapter.terminology.catalogue import load_catalogue
from adapter.terminology.vocabulary import AnswerKind, TestRole
from tests.unit.terminology.mapping_sets import (
    SITE,
    change,
    copy_of_shipped,
    overlay,
    site_map,
    site_toml,
    site_words,
)

LOCAL = f"{SITE}/CodeSystem/her2"
LINK = """
[[link]]
first = "Specimen/core"
second = "Specimen/block"
by = "Dr A. Example"
on = 2026-11-01
because = "One tumour"
"""


def test_the_shipped_set_loads_without_being_told_where_it_is() -> None:
    catalogue = load_catalogue()

    version, _, digest = catalogue.version.partition("+")
    assert version.count(".") == 2
    assert len(digest) == 8
    assert catalogue.overlay_versions == ()
    assert not any(character.isspace() for character in catalogue.version)


def test_loading_needs_no_fhir_library() -> None:
    program = (
        "import sys; from adapter.terminology.catalogue import load_catalogue; load_catalogue();"
        "sys.exit(any(name.split('.')[0] in {'fhir', 'pydantic'} for name in sys.modules))"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_version_follows_the_content(tmp_path: Path) -> None:
    folder = copy_of_shipped(tmp_path)
    before = load_catalogue(folder).version
    change(folder, "conceptmap-genes.json", lambda r: r.update(description="Another sentence."))

    assert load_catalogue(folder).version != before


def test_files_that_say_the_same_give_the_same_catalogue(tmp_path: Path) -> None:
    folder = copy_of_shipped(tmp_path)
    first = load_catalogue(folder)
    assert load_catalogue(folder) is first is load_catalogue()

    change(folder, "conceptmap-genes.json", lambda r: r.update(description="Another sentence."))
    changed = load_catalogue(folder)
    assert changed is not first
    local = overlay(tmp_path / "site", site_map("ihc-answers", (LOCAL, "zwei", "2+")))
    assert load_catalogue(folder, [local]) is not changed


def test_an_invalid_set_is_refused_with_every_defect(tmp_path: Path) -> None:
    folder = copy_of_shipped(tmp_path)
    change(folder, "conceptmap-genes.json", lambda r: r.pop("version"))
    change(folder, "conceptmap-sides.json", lambda r: r.pop("publisher"))
    (folder / "broken.json").write_text("{", encoding="utf-8")

    with pytest.raises(MappingError) as refused:
        load_catalogue(folder)

    found = refused.value.defects
    assert any(defect.startswith("broken.json: $: ") for defect in found)
    assert "conceptmap-genes.json: $.version: missing" in found
    assert "conceptmap-sides.json: $.publisher: missing" in found


def test_the_files_are_listed_with_their_rows() -> None:
    listed = {file.name: file for file in load_catalogue().files}
    tests = listed["conceptmap-test-codes.json"]

    assert (tests.kind, tests.version) == ("ConceptMap", load_catalogue().version.partition("+")[0])
    assert tests.title
    assert tests.rows > 50
    assert listed["codesystem-her2-category.json"].rows == 13
    assert listed["namingsystem-loinc.json"].rows > 3
    assert listed["valueset-genes.json"].rows == 0


def test_an_overlay_adds_a_sites_own_codes(tmp_path: Path) -> None:
    local = overlay(tmp_path, site_map("ihc-answers", (LOCAL, "zwei", "2+")))

    catalogue = load_catalogue(overlays=[local])
    row = catalogue.answer(AnswerKind.IHC, LOCAL, "zwei")

    assert row is not None
    assert (row.meaning, row.map) == ("2+", f"{SITE}/ConceptMap/local")
    assert catalogue.version == load_catalogue().version
    assert [version.partition("+")[0] for version in catalogue.overlay_versions] == ["0.1.0"]


def test_an_overlay_replaces_a_shipped_row(tmp_path: Path) -> None:
    local = overlay(tmp_path, site_map("ihc-answers", ("http://loinc.org", "LA11840-8", "0")))

    row = load_catalogue(overlays=[local]).answer(AnswerKind.IHC, "http://loinc.org", "LA11840-8")

    assert row is not None
    assert row.meaning == "0"


def test_a_later_overlay_wins(tmp_path: Path) -> None:
    first = overlay(tmp_path / "1", site_map("ihc-answers", (LOCAL, "x", "1+")))
    second = overlay(
        tmp_path / "2",
        site_map("ihc-answers", (LOCAL, "x", "2+"), url=f"{SITE}/ConceptMap/other"),
    )

    row = load_catalogue(overlays=[first, second]).answer(AnswerKind.IHC, LOCAL, "x")

    assert row is not None
    assert row.meaning == "2+"


def test_an_overlay_can_name_a_test_and_is_searched_for(tmp_path: Path) -> None:
    local = overlay(
        tmp_path, site_map("test-roles", (LOCAL, "H2", "ihc"), code_system="her2-test-role")
    )

    catalogue = load_catalogue(overlays=[local])
    found = catalogue.test_code(LOCAL, "H2")

    assert found is not None
    assert found.role is TestRole.IHC
    assert (LOCAL, "H2") in catalogue.search_codes()


def test_an_overlay_adds_words_as_a_supplement(tmp_path: Path) -> None:
    words = site_words("result", "negative", "negativa assoluta")
    found = load_catalogue(overlays=[overlay(tmp_path, words)]).words()

    (word,) = (word for word in found if word.phrase == "negativa assoluta")
    assert (word.language, word.meaning) == ("*", "negative")
    assert word.row.map == f"{SITE}/CodeSystem/words"


def test_an_overlay_cannot_make_a_result_of_a_serum_test(tmp_path: Path) -> None:
    local = overlay(
        tmp_path,
        site_map(
            "test-roles", ("http://loinc.org", "51981-9", "ihc"), code_system="her2-test-role"
        ),
    )

    with pytest.raises(MappingError, match="51981-9 is excluded and cannot become ihc"):
        load_catalogue(overlays=[local])


def test_an_empty_overlay_is_a_slip_and_refused(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="holds no mappings"):
        load_catalogue(overlays=[tmp_path])


def test_an_overlay_may_be_a_site_toml_alone(tmp_path: Path) -> None:
    catalogue = load_catalogue(overlays=[site_toml(tmp_path, version="2.1.0")])

    (version,) = catalogue.overlay_versions
    assert version.startswith("2.1.0+")
    assert catalogue.overlay_names == ("St. Example's",)
    (listed,) = (file for file in catalogue.files if file.layer != "shipped")
    assert (listed.layer, listed.name) == ("St. Example's", "site.toml")


def test_without_a_site_toml_the_folder_names_the_overlay_and_its_maps_the_version(
    tmp_path: Path,
) -> None:
    catalogue = load_catalogue(
        overlays=[overlay(tmp_path / "lab", site_map("ihc-answers", (LOCAL, "x", "1+")))]
    )

    assert catalogue.overlay_names == ("lab",)
    assert catalogue.overlay_versions[0].startswith("0.1.0+")


def test_links_alone_have_a_version_too(tmp_path: Path) -> None:
    (tmp_path / "links.toml").write_text("")

    assert load_catalogue(overlays=[tmp_path]).overlay_versions[0].startswith("0.0.0+")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("site.toml", 'name = "x"\nversion = "1.0.0"\n[policy]\nzero_plus = "zero"\n'),
        ("links.toml", LINK),
    ],
)
def test_the_overlays_version_follows_its_toml_files(tmp_path: Path, name: str, text: str) -> None:
    local = overlay(tmp_path, site_map("ihc-answers", (LOCAL, "x", "1+")))
    before = load_catalogue(overlays=[local])
    (local / name).write_text(text)
    after = load_catalogue(overlays=[local])

    assert before.overlay_versions != after.overlay_versions
    assert before.version == after.version


def test_a_broken_site_toml_is_refused_with_the_defects_of_the_maps(tmp_path: Path) -> None:
    local = overlay(tmp_path, site_map("ihc-answers", (LOCAL, "x", "9+")))
    (local / "site.toml").write_text("colour = 1")
    (local / "other.toml").write_text("")
    (local / "links.toml").write_text("[[link]]")

    with pytest.raises(MappingError) as refused:
        load_catalogue(overlays=[local])

    assert {defect.partition(":")[0] for defect in refused.value.defects} == {
        "0.json",
        "site.toml",
        "links.toml",
        "other.toml",
    }


def test_a_sites_name_of_a_code_system_is_known(tmp_path: Path) -> None:
    alias = "urn:lab,1|2"
    local = site_toml(tmp_path, f'[code_systems]\n"{alias}" = "http://loinc.org"')
    catalogue = load_catalogue(overlays=[local])

    found = catalogue.test_code(alias.upper(), "85319-2")
    assert found is not None
    assert found.role is TestRole.IHC
    assert catalogue.names.names_of("http://loinc.org")[-1] == alias
    assert load_catalogue().test_code(alias, "85319-2") is None
