"""`mappings check` and `mappings list`: the vocabulary, as its reviewer sees it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from adapter.cli.exit_codes import DONE, WRONG_USAGE
from adapter.cli.printing import Block, number_of, print_blocks, say, write_out
from adapter.cli.shared import Shared

Overlays = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[OVERLAY …]",
        help="Folders of a site's own maps; without one, that of the settings.",
        exists=True,
        file_okay=False,
        show_default=False,
    ),
]


class ListOutput(StrEnum):
    """The forms of output of `mappings list`: those of all, and the page of the documentation."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    MARKDOWN = "markdown"


def check(shared: Shared, overlays: Overlays = None) -> int:
    """Check the mappings: valid FHIR R4, whole, without contradiction; list every defect.

    What a site's overlay overrides is listed too; that is no defect.
    """
    from adapter.cli.site_text import DIFFERENCE_COLUMNS, difference_line, number_of_changes
    from adapter.terminology.catalogue import load_catalogue
    from adapter.terminology.check import check_mappings
    from adapter.terminology.differences import differences

    layers = _overlays(shared, overlays)
    defects = check_mappings(overlays=layers)
    if defects:
        rows = [{"kind": "defect", "defect": defect} for defect in defects]
        print_blocks(shared.form, [Block("Defects", {"defect": "Defect"}, rows)])
        say(f"{number_of(len(defects), 'defect')}; an adapter with these mappings does not start")
        return WRONG_USAGE
    catalogue = load_catalogue(overlays=layers)
    found = differences(load_catalogue(), catalogue)
    notes = [difference_line(one, "override") for one in found if one.overrides]
    print_blocks(shared.form, [Block("Overridden by the overlay", DIFFERENCE_COLUMNS, notes)])
    if layers:
        say(f"The overlay {number_of_changes(found)}")
    versions = ", overlay ".join((catalogue.version, *catalogue.overlay_versions))
    say(f"{number_of(len(catalogue.files), 'file')} without a defect, version {versions}")
    return DONE


def list_files(shared: Shared, overlays: Overlays = None) -> None:
    """List the files of the mappings: what each is, its version, how many rows it has.

    With markdown it is the page docs/clinical-input.md: everything that is read, and what is refused.
    """
    from adapter.terminology.catalogue import load_catalogue

    catalogue = load_catalogue(overlays=_overlays(shared, overlays))
    if shared.output == ListOutput.MARKDOWN:
        from adapter.cli.input_page import page

        write_out(page(catalogue).rstrip("\n"))
        return
    rows = [
        {
            "layer": file.layer,
            "name": file.name,
            "kind": file.kind,
            "rows": file.rows,
            "version": file.version,
            "title": file.title,
            "url": file.url,
        }
        for file in catalogue.files
    ]
    columns = {
        "layer": "Layer",
        "name": "File",
        "kind": "Kind",
        "rows": "Rows",
        "version": "Version",
        "title": "Title",
    }
    print_blocks(shared.form, [Block(f"Mappings {catalogue.version}", columns, rows)])


def _overlays(shared: Shared, named: list[Path] | None) -> tuple[Path, ...]:
    from adapter.bootstrap import overlays_of

    return tuple(named) if named else overlays_of(shared.settings())
