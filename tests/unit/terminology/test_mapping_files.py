"""Protects reading the folder: a doubtful file is named, never skipped, and a hash follows the content."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapter.terminology import mapping_files
from adapter.terminology.mapping_files import (
    MappingFile,
    content_digest,
    extension,
    read_folder,
    read_tables,
    shipped_folder,
)


def write(folder: Path, name: str, text: str | bytes) -> None:
    content = text.encode() if isinstance(text, str) else text
    (folder / name).write_bytes(content)


def test_files_are_read_in_the_order_of_their_names_and_subfolders_are_not(tmp_path: Path) -> None:
    write(tmp_path, "b.json", '{"resourceType": "ValueSet", "url": "http://b.test"}')
    write(tmp_path, "a.json", '{"resourceType": "CodeSystem"}')
    write(tmp_path, "README.md", "no mapping")
    (tmp_path / "sites").mkdir()
    write(tmp_path / "sites", "c.json", "{}")

    files, defects = read_folder(tmp_path)

    assert [(file.name, file.kind, file.url) for file in files] == [
        ("a.json", "CodeSystem", ""),
        ("b.json", "ValueSet", "http://b.test"),
    ]
    assert defects == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param('{"a": ', "cannot be read as JSON", id="cut off"),
        pytest.param("[]", "not a JSON object", id="a list"),
        pytest.param('{"code": "a", "code": "b"}', "repeated key code", id="a key twice"),
        pytest.param(b'{"a": "\xff"}', "cannot be read as JSON", id="not UTF-8"),
    ],
)
def test_a_doubtful_file_is_a_defect_with_its_name(
    tmp_path: Path, content: str | bytes, said: str
) -> None:
    write(tmp_path, "bad.json", content)

    files, defects = read_folder(tmp_path)

    assert files == []
    assert len(defects) == 1
    assert defects[0].startswith("bad.json: $: ")
    assert said in defects[0]


def test_a_folder_that_is_not_there_or_empty_is_a_defect(tmp_path: Path) -> None:
    assert read_folder(tmp_path / "none")[1] == [f"{tmp_path / 'none'}: $: no such folder"]
    assert read_folder(tmp_path)[1] == [f"{tmp_path}: $: holds no mappings (*.json)"]


def test_the_shipped_folder_is_the_checkouts_unless_the_wheel_has_its_own() -> None:
    package = Path(mapping_files.__file__).resolve().parents[1]
    packed = package / "_data" / "mappings"

    assert shipped_folder() == (packed if packed.is_dir() else package.parent / "mappings")
    assert (shipped_folder() / "conceptmap-test-codes.json").is_file()


def test_the_hash_follows_the_content_and_not_its_layout() -> None:
    one = MappingFile("a.json", {"a": 1, "b": 2})
    two = MappingFile("b.json", {"c": 3})

    assert content_digest([one, two]) == content_digest(
        [two, MappingFile("z.json", {"b": 2, "a": 1})]
    )
    assert content_digest([one]) != content_digest([two])
    assert len(content_digest([one])) == 64


def test_the_hash_follows_what_toml_files_say_and_not_their_layout(tmp_path: Path) -> None:
    write(tmp_path, "links.toml", "when = 2026-01-01\n")
    dated, defects = read_tables(tmp_path)
    write(tmp_path, "links.toml", "# why\nwhen   = 2026-01-01\n")
    commented, _ = read_tables(tmp_path)
    write(tmp_path, "links.toml", "when = 2026-01-02\n")
    changed, _ = read_tables(tmp_path)

    assert defects == []
    assert content_digest([], dated) == content_digest([], commented) != content_digest([])
    assert content_digest([], dated) != content_digest([], changed)
    assert content_digest([], dated) != content_digest([], {"site.toml": dated["links.toml"]})


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("sites.toml", "", "sites.toml: $: is none of links.toml, site.toml"),
        ("site.toml", "a = ", "site.toml: $: cannot be read as TOML: "),
        ("site.toml", "a = 1\na = 2", "site.toml: $: cannot be read as TOML: "),
        ("site.toml", b"\xff", "site.toml: $: cannot be read as TOML: "),
    ],
    ids=["a-name-that-nobody-reads", "half-a-line", "said-twice", "not-utf-8"],
)
def test_a_doubtful_toml_file_is_a_defect(
    tmp_path: Path, name: str, content: str | bytes, said: str
) -> None:
    write(tmp_path, name, content)
    tables, defects = read_tables(tmp_path)

    assert tables == {}
    assert len(defects) == 1
    assert defects[0].startswith(said)


def test_a_naming_system_keeps_its_metadata_as_extensions() -> None:
    url = "http://hl7.org/fhir/StructureDefinition/artifact-url"
    file = MappingFile(
        "n.json",
        {
            "resourceType": "NamingSystem",
            "name": "Names",
            "extension": [{"url": "http://other.test"}, {"url": url, "valueUri": "http://n.test"}],
        },
    )

    assert (file.url, file.metadata("name"), file.metadata("version")) == (
        "http://n.test",
        "Names",
        "",
    )


def test_an_element_that_is_no_text_is_no_metadata() -> None:
    assert MappingFile("a.json", {"resourceType": "ValueSet", "url": 7}).url == ""


def test_an_extension_without_a_value_says_nothing() -> None:
    element = {"extension": [{"url": "http://a.test"}, {"url": "http://b.test", "valueCode": "x"}]}

    assert extension(element, "http://a.test") is None
    assert extension(element, "http://b.test") == "x"
    assert extension({}, "http://b.test") is None
