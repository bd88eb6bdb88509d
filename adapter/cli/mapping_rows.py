"""`mappings add`: from a row of the worklist to a row of the site's overlay."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit

import typer

from adapter.cli.printing import Block, print_blocks, say
from adapter.cli.shared import Shared

if TYPE_CHECKING:
    from adapter.ports import StateStore
    from adapter.sync.planning.worklist import WorklistGroup
    from adapter.terminology.overlay import Addition, Stamp

ANY_LANGUAGE: Final = "*"


class RowKind(StrEnum):
    """What can be added; a test holds that these, and the tests below, are those of the vocabulary."""

    TEST = "test"
    ANSWER = "answer"
    WORD = "word"
    SYSTEM = "system"


class UnderTest(StrEnum):
    """The tests that an answer can stand under."""

    IHC = "ihc"
    ISH = "ish"
    OVERALL = "overall"


WorklistRow = Annotated[
    str | None,
    typer.Argument(metavar="[ROW]", help="A row of `unmapped`: its code is what is mapped."),
]
Means = Annotated[
    str,
    typer.Option(
        "--means",
        metavar="MEANING",
        help="What it means: ihc, ish, ratio … for a test; 2+, positive, group-4 … for an answer; a code of "
        "her2-word for a phrase; a url for a code system.",
    ),
]
By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so.")]
Because = Annotated[str, typer.Option("--because", metavar="TEXT", help="Why, or from where.")]
As = Annotated[
    RowKind | None,
    typer.Option("--as", help="What it is; told by the meaning where that is clear."),
]
Under = Annotated[
    list[UnderTest] | None,
    typer.Option("--under", help="Under which test the answer stands; several times for several."),
]
System = Annotated[
    str, typer.Option("--system", metavar="S", help="The code system, where no row is given.")
]
Code = Annotated[str, typer.Option("--code", metavar="C", help="The code, where no row is given.")]
Display = Annotated[str, typer.Option("--display", metavar="TEXT", help="The code's own name.")]
Phrase = Annotated[
    str, typer.Option("--phrase", metavar="TEXT", help="The phrase, of nothing but itself.")
]
Language = Annotated[
    str, typer.Option("--language", metavar="L", help="The phrase's language: en, de …; * for any.")
]
OverlayFolder = Annotated[
    Path | None,
    typer.Option(
        "--overlay",
        metavar="DIR",
        help="The site's folder; without it, that of the settings.",
        file_okay=False,
    ),
]
SiteUrl = Annotated[
    str,
    typer.Option(
        "--site-url", metavar="URL", help="Base of the site's own urls; for the first row only."
    ),
]


def add(  # noqa: PLR0913 - each parameter is an option of the command
    shared: Shared,
    row: WorklistRow = None,
    *,
    means: Means,
    by: By,
    because: Because = "",
    kind: As = None,
    under: Under = None,
    system: System = "",
    code: Code = "",
    display: Display = "",
    phrase: Phrase = "",
    language: Language = ANY_LANGUAGE,
    overlay: OverlayFolder = None,
    site_url: SiteUrl = "",
) -> None:
    """Add a row to the site's overlay: what a code, a phrase or a code system of the site means.

    The whole vocabulary is checked with the new row first; with any defect nothing is written.
    """
    from adapter.terminology import additions as meant
    from adapter.terminology.overlay_folder import add_rows, catalogue_with, possible_meanings
    from adapter.terminology.vocabulary import AnswerKind

    if bool(row) == bool(system or code or (phrase and not row)):
        raise typer.BadParameter("give a row of the worklist, or --system and --code, or --phrase")
    folder = _folder(shared, overlay)
    if row is not None:
        named = _named_row(shared, row)
        system, code = named.system, named.code
    asked = meant.Asked(
        means=means,
        kind=meant.RowKind(kind) if kind else None,
        system=system,
        code=code,
        display=display,
        phrase=phrase,
        language=language,
        under=tuple(map(AnswerKind, under or ())),
    )
    additions = meant.additions_of(asked, catalogue_with(folder), possible_meanings())
    stamp = _stamp(folder, by=by, because=because, site_url=site_url)
    before, after = add_rows(folder, additions, stamp)
    version = after[0].metadata("version")
    rows = [{**_shown(one), "source": stamp.said, "version": version} for one in additions]
    print_blocks(shared.form, [Block(f"Added to {folder}", _COLUMNS, rows)])
    was = f" (was {before[0].metadata('version')})" if before else ""
    say(
        f"{folder} has version {version}{was}; the next `her2-adapter sync` reads everything with it, "
        "and a running adapter before its next pass"
    )


_COLUMNS = {
    "added": "Added",
    "system": "System",
    "code": "Code or phrase",
    "means": "Means",
    "under": "Under",
    "source": "Source",
}


def _folder(shared: Shared, overlay: Path | None) -> Path:
    folder = overlay or shared.settings(quiet=True).policy.site_mappings
    if folder is None:
        raise typer.BadParameter(
            "no folder of the site's own maps: give --overlay, or policy.site_mappings in the settings"
        )
    return folder


def _named_row(shared: Shared, row: str) -> WorklistGroup:
    """Find the row of the worklist by its id."""
    from adapter.bootstrap import open_state
    from adapter.ports import WorklistKind

    with open_state(shared.settings(quiet=True)) as store:
        found = _group(store, row)
    if found is None:
        raise typer.BadParameter(
            f"no row {row} on the worklist now: look at `her2-adapter unmapped` again"
        )
    if found.kind is not WorklistKind.NOT_READ:
        raise typer.BadParameter(f"row {row} is of kind {found.kind.value}: no mapping reads it")
    return found


def _group(store: StateStore, row: str) -> WorklistGroup | None:
    from adapter.sync.planning.worklist import grouped

    groups = grouped(store.worklist())
    return next((group for group in groups if group.row == row.strip().lower()), None)


def _stamp(folder: Path, *, by: str, because: str, site_url: str) -> Stamp:
    """Say who adds the row; the site's url and publisher are those of the files that are there."""
    from adapter.terminology.overlay import Stamp, site_url_of
    from adapter.terminology.overlay_folder import overlay_files

    if not by.strip():
        raise typer.BadParameter("--by: a row must say who says so")
    files = overlay_files(folder)
    base = site_url_of(files) or site_url.rstrip("/")
    host = urlsplit(base).hostname
    if not host:
        raise typer.BadParameter(
            "--site-url: the first row needs the base of the site's own urls, such as "
            "https://pathology.hospital.example/fhir"
        )
    publisher = next(filter(None, (file.metadata("publisher") for file in files)), host)
    return Stamp(
        by=" ".join(by.split()),
        because=" ".join(because.split()),
        on=datetime.now(UTC).date(),
        site_url=base,
        publisher=publisher,
    )


def _shown(addition: Addition) -> dict[str, Any]:
    from adapter.terminology.overlay import NewCode, NewName

    if isinstance(addition, NewCode):
        under = addition.target.rsplit("/", 1)[1]
        return {
            "added": "code",
            "system": addition.system,
            "code": addition.code,
            "means": addition.meaning,
            "under": under,
        }
    if isinstance(addition, NewName):
        return {"added": "system", "system": addition.name, "code": "", "means": addition.system}
    return {"added": "phrase", "system": "", "code": addition.phrase, "means": addition.concept}
