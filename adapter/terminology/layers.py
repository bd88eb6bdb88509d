"""The shipped mappings and a site's overlays, each read as one layer; a later one wins.

Reads folders, strictly, and names every defect; what must hold of the layers together is in
rules.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

from adapter.terminology import rules
from adapter.terminology.conceptmap import JsonObject
from adapter.terminology.links import read_links
from adapter.terminology.mapping_files import (
    LINKS_TABLE,
    SITE_TABLE,
    MappingFile,
    content_digest,
    read_folder,
    read_tables,
    shipped_folder,
)
from adapter.terminology.site import Site, read_site

SHIPPED: Final = "shipped"
"""The name of the layer that came with the adapter."""
_VERSION_DIGITS: Final = 8


@dataclass(frozen=True)
class Layer:
    """One folder: its maps, and of a site's folder what else it holds.

    `folder`: None for the shipped mappings. `tables`: its TOML files, parsed, by name.
    """

    files: Sequence[MappingFile]
    folder: Path | None = None
    site: Site = field(default_factory=Site)
    tables: Mapping[str, JsonObject] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What a person calls it: the site's name, else the folder's."""
        return SHIPPED if self.folder is None else self.site.name or self.folder.resolve().name

    @property
    def version(self) -> str:
        """Give the version and eight digits of the content's hash: "1.0.0+1a2b3c4d".

        The version is that of site.toml, else of the maps; "0.0.0" where nothing states one.
        """
        stated = self.site.version or (self.files[0].metadata("version") if self.files else "")
        return f"{stated or '0.0.0'}+{self.digest[:_VERSION_DIGITS]}"

    @cached_property
    def digest(self) -> str:
        """Give the SHA-256 of all that it says."""
        return content_digest(self.files, self.tables)


def read_layers(
    folder: Path | None = None, overlays: Sequence[Path] = ()
) -> tuple[list[Layer], list[str]]:
    """Read the shipped folder and each overlay as one layer each, and what cannot be read.

    Args:
        folder: the mappings; None for those that came with the adapter.
        overlays: folders of a site's own maps.

    """
    files, defects = read_folder(folder or shipped_folder())
    layers = [Layer(files)]
    for path in overlays:
        layer, unreadable = _overlay(path)
        layers.append(layer)
        defects += unreadable
    return layers, defects


def defects_of(layers: Sequence[Layer]) -> list[str]:
    """List every defect of layers that could be read: rules.defects, sites included."""
    return rules.defects([layer.files for layer in layers], [layer.site for layer in layers])


def all_defects(overlays: Sequence[Path]) -> list[str]:
    """List every defect of the shipped mappings with these overlays, unreadable files included."""
    layers, defects = read_layers(None, overlays)
    return [*defects, *defects_of(layers)]


def read_site_of(folder: Path) -> tuple[Site, list[str]]:
    """Read the site.toml of a folder alone, and what is wrong with it by itself."""
    tables, defects = read_tables(folder)
    if SITE_TABLE not in tables:
        return Site(), defects
    site, wrong = read_site(tables[SITE_TABLE])
    return site, [*defects, *wrong]


def _overlay(folder: Path) -> tuple[Layer, list[str]]:
    tables, defects = read_tables(folder)
    files, unreadable = read_folder(folder, may_be_empty=bool(tables or defects))
    site = Site()
    if SITE_TABLE in tables:
        site, wrong = read_site(tables[SITE_TABLE])
        defects += wrong
    if LINKS_TABLE in tables:
        defects += read_links(tables[LINKS_TABLE])[1]
    return Layer(files, folder, site, tables), [*unreadable, *defects]
