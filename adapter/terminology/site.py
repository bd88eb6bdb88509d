"""A site's `site.toml`: who it is, its choices within the policy, its names of code systems.

Pure: takes the parsed file, gives frozen values and every defect as "site.toml: path: what is
wrong". A key that nobody knows is a defect, never skipped: a policy that is misspelt would be
without effect.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from adapter.her2.policy import CHOICES
from adapter.terminology.code_systems import CodeSystemNames, system_named
from adapter.terminology.conceptmap import JsonObject
from adapter.terminology.mapping_files import SITE_TABLE

_KEYS: Final = ("name", "version", "policy", "code_systems")
_VERSION: Final = re.compile(r"\d+\.\d+\.\d+")
_LONGEST_NAME: Final = 80


@dataclass(frozen=True)
class Site:
    """What a site says of itself; everything is empty without a `site.toml`.

    `policy`: choice → value, as her2.policy.CHOICES names them. `aliases`: a name under which the
    site's servers send a code system → its canonical url.
    """

    name: str = ""
    version: str = ""
    policy: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)


def read_site(table: JsonObject) -> tuple[Site, list[str]]:
    """Read the parsed file.

    Args:
        table: what stands in `site.toml`; not changed.

    Returns:
        The site, without what is wrong, and the defects. Whether an alias names a system that
        exists is told by `alias_defects`, which needs all maps.

    """
    defects = [f"{key}: unknown; knows {', '.join(_KEYS)}" for key in table if key not in _KEYS]
    defects += _name_defects(table)
    defects += _version_defects(table)
    policy, wrong_choices = _texts(table, "policy")
    aliases, wrong_aliases = _texts(table, "code_systems")
    defects += [*wrong_choices, *_choice_defects(policy), *wrong_aliases]
    site = Site(
        name=str(table.get("name", "")),
        version=str(table.get("version", "")),
        policy={name: value for name, value in policy.items() if value in CHOICES.get(name, ())},
        aliases=aliases,
    )
    return site, [f"{SITE_TABLE}: {defect}" for defect in defects]


def alias_defects(site: Site, names: CodeSystemNames, systems: Collection[str]) -> Iterator[str]:
    """Check a site's names of code systems.

    Args:
        site: see Site.
        names: every name that is known without this site.
        systems: the canonical urls that some row or NamingSystem uses.

    """
    for alias, system in site.aliases.items():
        at = f"{SITE_TABLE}: code_systems.{alias!r}"
        if not alias.strip():
            yield f"{at}: a name without a letter"
            continue
        if names.canonical(system) != system:
            yield f"{at}: {system!r} is not canonical; write {names.canonical(system)!r}"
        elif system not in systems:
            yield f"{at}: {system!r} is no code system that a map uses"
        if system_named(alias, names, systems) not in (None, system):
            named = system_named(alias, names, systems)
            yield f"{at}: names {named} already, and cannot name {system!r}"


def _name_defects(table: JsonObject) -> Iterator[str]:
    name = table.get("name")
    if not isinstance(name, str) or not name.strip():
        yield 'name: missing; write name = "…", the name of the site'
    elif len(name) > _LONGEST_NAME or not name.isprintable():
        yield f"name: takes up to {_LONGEST_NAME} characters that can be printed"


def _version_defects(table: JsonObject) -> Iterator[str]:
    version = table.get("version")
    if version is None:
        yield 'version: missing; write version = "1.0.0"'
    elif not isinstance(version, str) or not _VERSION.fullmatch(version):
        yield "version: not a version such as 1.0.0"


def _texts(table: JsonObject, section: str) -> tuple[dict[str, str], list[str]]:
    """Give the texts of a section by key, and what of it is no text."""
    found: Any = table.get(section, {})
    if not isinstance(found, Mapping):
        return {}, [f"{section}: is a section; write [{section}] and its keys below"]
    wrong = [
        f"{section}.{key}: must be text in quotes"
        for key, value in found.items()
        if not isinstance(value, str)
    ]
    return {key: value for key, value in found.items() if isinstance(value, str)}, wrong


def _choice_defects(policy: Mapping[str, str]) -> Iterator[str]:
    for name, value in policy.items():
        if name not in CHOICES:
            yield f"policy.{name}: unknown; knows {', '.join(CHOICES)}"
        elif value not in CHOICES[name]:
            yield f"policy.{name}: {value!r} is none of {', '.join(CHOICES[name])}"
