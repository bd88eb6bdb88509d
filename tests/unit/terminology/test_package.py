"""Protects the FHIR package: what its readers expect of it, the same bytes everywhere, nothing lost."""

from __future__ import annotations

import gzip
import io
import json
import re
import tarfile
from dataclasses import replace
from typing import Any

import pytest

from adapter.errors import MappingError
from adapter.terminology.mapping_files import MappingFile, read_folder
from adapter.terminology.package import Package, overlay_head, pack, shipped_head
from tests.unit.terminology.mapping_sets import SHIPPED, SITE, site_map

CONTENT = "1.0.0+1a2b3c4d"


@pytest.fixture(scope="module")
def shipped() -> list[MappingFile]:
    files, defects = read_folder(SHIPPED)
    assert defects == []
    return files


@pytest.fixture(scope="module")
def packed(shipped: list[MappingFile]) -> Package:
    return pack(shipped, shipped_head(), content=CONTENT)


def unpacked(package: Package) -> dict[str, Any]:
    with tarfile.open(fileobj=io.BytesIO(package.content), mode="r:gz") as archive:
        contents = {one.name: archive.extractfile(one) for one in archive.getmembers()}
        return {name: json.load(file) for name, file in contents.items() if file is not None}


def overlay(*resources: dict[str, Any]) -> list[MappingFile]:
    return [MappingFile(f"{number}.json", one) for number, one in enumerate(resources)]


def test_the_manifest_has_what_the_specification_asks_of_a_package(packed: Package) -> None:
    manifest = unpacked(packed)["package/package.json"]

    # A name has at least one namespace, in lower case.
    assert re.fullmatch(r"[a-z][a-z0-9-]*(\.[a-z0-9-]+)+", manifest["name"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", manifest["version"])
    assert manifest["canonical"] == "https://w3id.org/her2-adapter"
    assert manifest["fhirVersions"] == ["4.0.1"]
    assert manifest["dependencies"]["hl7.fhir.r4.core"] == "4.0.1"
    assert manifest["license"] == "Apache-2.0"
    assert manifest["author"] == "The HER2 adapter's authors"
    assert re.fullmatch(r"\d{14}", manifest["date"])
    assert manifest["title"]
    assert manifest["url"]


def test_the_manifest_names_the_content_as_a_provenance_names_it(packed: Package) -> None:
    assert CONTENT in unpacked(packed)["package/package.json"]["description"]


def test_the_file_is_named_as_readers_expect(packed: Package) -> None:
    assert packed.file_name == f"her2-adapter.mappings-{packed.version}.tgz"


def test_every_resource_is_in_the_package_as_it_was(
    packed: Package, shipped: list[MappingFile]
) -> None:
    contents = unpacked(packed)

    for file in shipped:
        name = f"package/{file.kind}-{file.resource['id']}.json"
        assert contents.pop(name) == file.resource
    assert set(contents) == {"package/package.json", "package/.index.json"}


def test_the_index_repeats_each_resource_truly(packed: Package) -> None:
    contents = unpacked(packed)
    index = contents["package/.index.json"]

    assert index["index-version"] == 2
    assert [row["filename"] for row in index["files"]] == list(packed.files)
    for row in index["files"]:
        resource = contents[f"package/{row.pop('filename')}"]
        assert row["resourceType"]
        assert row["id"]
        assert row == {key: resource.get(key) for key in row}
    profile = next(row for row in index["files"] if row["id"] == "her2-category-observation")
    assert (profile["kind"], profile["type"], profile["derivation"]) == (
        "resource",
        "Observation",
        "constraint",
    )


def test_nothing_in_the_bytes_comes_from_a_clock_a_user_or_an_order(
    packed: Package, shipped: list[MappingFile]
) -> None:
    again = pack(list(reversed(shipped)), shipped_head(), content=CONTENT)

    assert again.content == packed.content
    assert packed.content[4:8] == b"\0\0\0\0", "the time in gzip's head"
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed.content))) as archive:
        assert {(one.mtime, one.uid, one.uname) for one in archive} == {(499_162_500, 0, "")}


def test_an_overlay_is_named_by_the_host_of_its_urls() -> None:
    files = overlay(site_map("ihc-answers", ("urn:x", "a", "0")))
    made = pack(files, overlay_head(files, "1.0.0"), content="0.1.0+1a2b3c4d")
    manifest = unpacked(made)["package/package.json"]

    assert made.file_name == "test.hospital.pathology.her2-mappings-0.1.0.tgz"
    assert manifest["canonical"] == SITE
    assert manifest["dependencies"]["her2-adapter.mappings"] == "1.0.0"
    assert (manifest["license"], manifest["author"]) == ("not-open-source", "Hospital")


def test_a_resource_without_an_id_gets_the_end_of_its_url() -> None:
    files = overlay(site_map("ihc-answers", ("urn:x", "a", "0")))
    made = pack(files, overlay_head(files, "1.0.0"), content="")

    assert made.files == ("ConceptMap-local.json",)
    assert unpacked(made)["package/ConceptMap-local.json"]["id"] == "local"


@pytest.mark.parametrize(
    "urls",
    [
        (f"{SITE}/ConceptMap/a", "https://other.test/fhir/ConceptMap/b"),
        ("urn:oid:1.2.3",),
        ("https://10.0.0.1/ConceptMap/a",),
        (),
    ],
    ids=["two-hosts", "no-host", "a-number-for-a-host", "no-map"],
)
def test_an_overlay_that_nothing_names_is_refused(urls: tuple[str, ...]) -> None:
    with pytest.raises(MappingError, match="named by the host"):
        overlay_head(overlay(*(site_map("ihc-answers", url=url) for url in urls)), "1.0.0")


@pytest.mark.parametrize(
    ("ids", "told"),
    [(("a", "a"), "in the package already"), (("a_b",), "no id of a resource")],
    ids=["two-of-one-name", "no-id-of-fhir"],
)
def test_resources_that_cannot_be_named_are_refused_with_their_file(
    ids: tuple[str, ...], told: str
) -> None:
    files = overlay(*(site_map("ihc-answers", id=one, url=f"{SITE}/ConceptMap/x") for one in ids))
    head = replace(shipped_head(), name="a.b")

    with pytest.raises(MappingError) as refused:
        pack(files, head, content="")
    assert [defect.partition(":")[0] for defect in refused.value.defects] == [
        f"{len(ids) - 1}.json"
    ]
    assert told in refused.value.defects[0]
