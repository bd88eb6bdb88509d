"""An overlay's folder: read with the shipped set, checked whole in memory, and only then written.

Each file is written beside its old one and takes its place in one step, so that a reader never sees half a
file. A crash between two files leaves two versions in one overlay, which the check at the next start tells.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from adapter.errors import MappingError
from adapter.terminology import rules
from adapter.terminology.additions import ANSWER_TARGETS, Meanings
from adapter.terminology.catalogue import Catalogue, load_catalogue
from adapter.terminology.layers import Layer, read_layers
from adapter.terminology.mapping_files import MappingFile
from adapter.terminology.overlay import Addition, Stamp, extended

_UNFINISHED: Final = ".new"


def holds_files(folder: Path) -> bool:
    """Tell whether a folder holds anything of an overlay already; one that is not there holds none."""
    return any(any(folder.glob(pattern)) for pattern in ("*.json", "*.toml"))


def catalogue_with(folder: Path) -> Catalogue:
    """Load the vocabulary as it is before a change; raises MappingError with every defect."""
    return load_catalogue(overlays=(folder,) if holds_files(folder) else ())


def overlay_files(folder: Path) -> Sequence[MappingFile]:
    """Give the overlay's files; raises MappingError where one cannot be read."""
    return _overlay(folder).files


def possible_meanings() -> Meanings:
    """Give what an answer can mean under each kind of test, from the shipped value sets."""
    layers, _ = read_layers()
    listed = rules.value_sets(layers[0].files)
    return {
        kind: frozenset(code for _, code in listed.get(target, ()))
        for kind, target in ANSWER_TARGETS.items()
    }


def add_rows(
    folder: Path, additions: Iterable[Addition], stamp: Stamp
) -> tuple[Sequence[MappingFile], Sequence[MappingFile]]:
    """Add rows to an overlay, after the whole set with them was found to be without a defect.

    Returns:
        The files before and after.

    Raises:
        MappingError: the set would have defects, or a file cannot be written; in the first case nothing was
            written.

    """
    from adapter.terminology.check import (
        check_layers,  # needs fhir.resources, which is slow to import
    )

    before = _overlay(folder)
    after = extended(before.files, additions, stamp)
    shipped, unreadable = read_layers()
    defects = (*unreadable, *check_layers([*shipped, replace(before, files=after)]))
    if defects:
        raise MappingError(defects)
    _write(folder, after)
    return before.files, after


def _overlay(folder: Path) -> Layer:
    """Read an overlay, an empty one where the folder holds none; raises MappingError."""
    if not holds_files(folder):
        return Layer((), folder)
    layers, defects = read_layers(overlays=(folder,))
    if defects:
        raise MappingError(defects)
    return layers[1]


def _write(folder: Path, files: Iterable[MappingFile]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = [(_written(folder / file.name, file), folder / file.name) for file in files]
        for unfinished, path in written:
            unfinished.replace(path)
    except OSError as error:
        raise MappingError([f"{folder}: cannot be written: {error.strerror}"]) from error


def _written(path: Path, file: MappingFile) -> Path:
    """Write a file under another name, down to the disk."""
    unfinished = path.with_name(path.name + _UNFINISHED)
    with unfinished.open("w", encoding="utf-8") as stream:
        json.dump(file.resource, stream, ensure_ascii=False, indent=2)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())
    return unfinished
