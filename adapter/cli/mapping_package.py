"""`mappings package`: the vocabulary as an npm-style FHIR package, so that others can load it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import typer

from adapter.cli.printing import Block, number_of, print_blocks, say
from adapter.cli.shared import Shared

Overlay = Annotated[
    Path | None,
    typer.Option(
        "--overlay",
        metavar="FOLDER",
        help="Pack a site's own maps instead of those that came with the adapter.",
        exists=True,
        file_okay=False,
        show_default=False,
    ),
]
To = Annotated[
    Path,
    typer.Option("--to", metavar="PATH", help="The file, or a folder where it gets its own name."),
]


def package(shared: Shared, overlay: Overlay = None, to: To = Path()) -> None:
    """Pack the mappings as a FHIR package: one file for terminology servers and other tools.

    The same mappings give the same bytes. A set with a defect is not packed.
    """
    from adapter.errors import MappingError
    from adapter.offline.whole_files import write_whole
    from adapter.terminology.catalogue import load_catalogue
    from adapter.terminology.check import check_mappings
    from adapter.terminology.mapping_files import read_folder, shipped_folder
    from adapter.terminology.package import overlay_head, pack, shipped_head

    overlays = (overlay,) if overlay else ()
    if defects := check_mappings(overlays=overlays):
        raise MappingError(defects)
    catalogue = load_catalogue(overlays=overlays)
    files, _ = read_folder(overlay or shipped_folder())
    head = shipped_head()
    if overlay:
        head = overlay_head(files, catalogue.version.partition("+")[0])
    made = pack(files, head, content=(catalogue.version, *catalogue.overlay_versions)[-1])
    path = to / made.file_name if to.is_dir() else to
    write_whole(path, made.content)
    row = {
        "kind": "package",
        "file": str(path),
        "name": made.name,
        "version": made.version,
        "resources": len(made.files),
        "sha256": hashlib.sha256(made.content).hexdigest(),
    }
    columns = {"file": "File", "name": "Package", "version": "Version", "resources": "Resources"}
    print_blocks(shared.form, [Block("", columns, [row])])
    say(f"{path}: {number_of(len(made.files), 'resource')} of FHIR 4.0.1")
