"""`mappings package` writes the FHIR package of a sound set, and of nothing else."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from adapter.terminology.catalogue import load_catalogue
from tests.cli.conftest import Run
from tests.unit.terminology.mapping_sets import overlay, site_map

LOCAL = "https://lab.hospital.test/codes"


def manifest(path: Path) -> dict[str, object]:
    with tarfile.open(path) as archive:
        member = archive.extractfile("package/package.json")
        assert member is not None
        found: dict[str, object] = json.load(member)
        return found


def test_the_shipped_mappings_become_one_file_named_by_its_content(
    run: Run, tmp_path: Path
) -> None:
    ended = run("mappings", "package")

    [line] = ended.lines
    version = load_catalogue().version.partition("+")[0]
    path = tmp_path / f"her2-adapter.mappings-{version}.tgz"
    assert (ended.code, line["resources"]) == (0, len(load_catalogue().files))
    assert line["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert str(manifest(path)["description"]).endswith(f"Content: {load_catalogue().version}.")
    assert [one.name for one in tmp_path.iterdir()] == [path.name], "nothing half-written stays"


def test_the_same_mappings_give_the_same_bytes_wherever_they_go(run: Run, tmp_path: Path) -> None:
    (tmp_path / "dist").mkdir()
    run("mappings", "package", "--to", "dist")
    run("mappings", "package", "--to", "mine.tgz")

    [made] = (tmp_path / "dist").iterdir()
    assert (tmp_path / "mine.tgz").read_bytes() == made.read_bytes()


def test_a_sites_overlay_is_packed_under_its_own_name(run: Run, tmp_path: Path) -> None:
    folder = overlay(tmp_path / "site", site_map("ihc-answers", (LOCAL, "pos3", "3+")))
    ended = run("mappings", "package", "--overlay", folder)

    [line] = ended.lines
    assert (line["name"], line["resources"]) == ("test.hospital.pathology.her2-mappings", 1)
    (version,) = load_catalogue(overlays=(folder,)).overlay_versions
    assert version in str(manifest(tmp_path / line["file"])["description"])


@pytest.mark.parametrize(
    ("meaning", "changes", "told"),
    [
        ("4+", {}, "unknown target '4+'"),
        ("3+", {"experimental": "perhaps"}, "0.json: $.experimental"),
    ],
    ids=["a-meaning-that-is-none", "no-fhir"],
)
def test_a_set_with_a_defect_is_not_packed(
    run: Run, tmp_path: Path, meaning: str, changes: dict[str, Any], told: str
) -> None:
    resource = site_map("ihc-answers", (LOCAL, "pos3", meaning), **changes)
    ended = run("mappings", "package", "--overlay", overlay(tmp_path / "site", resource))

    assert ended.code == 2
    assert told in ended.err
    assert list(tmp_path.glob("*.tgz")) == []


def test_a_place_that_cannot_be_written_is_said(run: Run) -> None:
    ended = run("mappings", "package", "--to", "nowhere/package.tgz")

    assert ended.code == 2
    assert "nowhere/package.tgz: cannot be written" in ended.err
