"""Protects what a site.toml may say: every key known, every value possible, every alias without a lie."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from adapter.her2.policy import CHOICES
from adapter.terminology.code_systems import CodeSystemNames
from adapter.terminology.site import Site, alias_defects, read_site

LOINC, SNOMED, LOCAL = "http://loinc.org", "http://snomed.info/sct", "https://lab.test/Codes"
NAMES = CodeSystemNames(
    exact={LOINC: LOINC, "loinc": LOINC, SNOMED: SNOMED}, prefixes=((f"{SNOMED}/", SNOMED),)
)
SYSTEMS = frozenset({LOINC, SNOMED, LOCAL})


def read(text: str) -> tuple[Site, list[str]]:
    return read_site(tomllib.loads(text))


def test_a_whole_file_is_read() -> None:
    site, defects = read(
        """
        name = "St. Example's"
        version = "1.2.0"
        [policy]
        zero_plus = "ultralow"
        earlier_editions = "strict"
        tumour_site = "required"
        [code_systems]
        "urn:oid:1.2.3" = "http://loinc.org"
        """
    )

    assert defects == []
    assert (site.name, site.version) == ("St. Example's", "1.2.0")
    assert site.policy == {
        "zero_plus": "ultralow",
        "earlier_editions": "strict",
        "tumour_site": "required",
    }
    assert site.aliases == {"urn:oid:1.2.3": LOINC}


def test_name_and_version_are_enough() -> None:
    assert read('name = "Us"\nversion = "1.0.0"') == (Site("Us", "1.0.0"), [])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": None}, 'name: missing; write name = "…", the name of the site'),
        ({"name": "  "}, 'name: missing; write name = "…", the name of the site'),
        ({"name": 7}, 'name: missing; write name = "…", the name of the site'),
        ({"name": "a\x1b[1m"}, "name: takes up to 80 characters that can be printed"),
        ({"name": "a" * 81}, "name: takes up to 80 characters that can be printed"),
        ({"version": None}, 'version: missing; write version = "1.0.0"'),
        ({"version": "spring"}, "version: not a version such as 1.0.0"),
        ({"version": 1.0}, "version: not a version such as 1.0.0"),
        ({"colour": "red"}, "colour: unknown; knows name, version, policy, code_systems"),
        ({"policy": "strict"}, "policy: is a section; write [policy] and its keys below"),
        ({"code_systems": []}, "code_systems: is a section; write [code_systems] and its keys"),
        ({"policy": {"zero_plus": 0}}, "policy.zero_plus: must be text in quotes"),
        ({"policy": {"zeroplus": "zero"}}, "policy.zeroplus: unknown; knows earlier_editions, z"),
        ({"policy": {"zero_plus": "low"}}, "policy.zero_plus: 'low' is none of dated, ultralow"),
        ({"policy": {"name": "basic"}}, "policy.name: unknown; knows"),
        ({"code_systems": {"x": {"y": "z"}}}, "code_systems.x: must be text in quotes"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(changed: dict[str, Any], said: str) -> None:
    table = {"name": "Us", "version": "1.0.0", **changed}
    _, defects = read_site({key: value for key, value in table.items() if value is not None})

    assert len(defects) == 1
    assert defects[0].startswith(f"site.toml: {said}")


def test_all_defects_are_named_at_once() -> None:
    _, defects = read('[policy]\nzero_plus = "x"\nb = "c"\n[other]\n[code_systems]\na = 1')

    assert len(defects) == 6


def test_a_wrong_choice_is_not_taken_over() -> None:
    site, _ = read('name = "Us"\nversion = "1.0.0"\n[policy]\nzero_plus = "low"')

    assert site.policy == {}


@pytest.mark.parametrize("name", CHOICES)
def test_every_value_of_every_choice_can_be_said(name: str) -> None:
    for value in CHOICES[name]:
        site, defects = read_site({"name": "n", "version": "1.0.0", "policy": {name: value}})
        assert (site.policy, defects) == ({name: value}, [])


def found(alias: str, system: str) -> list[str]:
    return list(alias_defects(Site(aliases={alias: system}), NAMES, SYSTEMS))


@pytest.mark.parametrize(
    ("alias", "system"),
    [
        ("urn:oid:1.2.3", LOINC),
        ("LN", LOINC),
        ("local codes", LOCAL),
        ("loinc", LOINC),
        (LOINC, LOINC),
        (f"{SNOMED}/9000", SNOMED),
    ],
    ids=["oid", "short", "of-a-local-system", "known-already", "itself", "known-by-prefix"],
)
def test_a_name_for_a_system_that_is_used_is_taken(alias: str, system: str) -> None:
    assert found(alias, system) == []


@pytest.mark.parametrize(
    ("alias", "system", "said"),
    [
        ("urn:oid:1.2.3", "http://nowhere.test", "'http://nowhere.test' is no code system that"),
        ("urn:oid:1.2.3", "loinc", f"'loinc' is not canonical; write '{LOINC}'"),
        (LOINC, SNOMED, f"names {LOINC} already, and cannot name '{SNOMED}'"),
        ("HTTP://LOINC.ORG", SNOMED, f"names {LOINC} already, and cannot name '{SNOMED}'"),
        ("LOINC", SNOMED, f"names {LOINC} already"),
        (f"{SNOMED}/9000", LOINC, f"names {SNOMED} already"),
        (LOCAL, LOINC, f"names {LOCAL} already"),
        (LOCAL.upper(), LOINC, f"names {LOCAL} already"),
        (" ", LOINC, "a name without a letter"),
    ],
    ids=[
        "unknown-system",
        "not-canonical",
        "canonical-name",
        "canonical-name-in-capitals",
        "known-name",
        "known-prefix",
        "system-without-a-list-of-names",
        "the-same-in-capitals",
        "blank",
    ],
)
def test_a_name_cannot_be_taken_from_another_system(alias: str, system: str, said: str) -> None:
    (defect,) = found(alias, system)

    assert defect.startswith("site.toml: code_systems.")
    assert said in defect
