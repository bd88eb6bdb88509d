"""Reading the files that a command is given, or stdin for `-` and for none."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from adapter.cli.printing import complain
from adapter.errors import InputError

if TYPE_CHECKING:
    from adapter.offline.reading import Documents

STDIN: Final = "-"

Files = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[FILE …|-]",
        help="FHIR R4 JSON: Bundles, resources, arrays or NDJSON; - or nothing for stdin.",
        show_default=False,
    ),
]


@dataclass(frozen=True)
class Input:
    """What was read: the documents, and the files that hold no FHIR at all."""

    documents: Documents
    refused: tuple[str, ...] = ()


def read_input(files: Sequence[str] | None) -> Input:
    """Read files; what is no FHIR is told and left out, and the rest is read.

    Raises:
        InputError: when none of them holds any FHIR.

    """
    from adapter.offline.reading import Documents, read_documents

    found, refused = Documents(()), []
    names = list(files or [STDIN])
    for name in names:
        try:
            found = found.and_also(read_documents(_bytes_of(name), _shown(name)))
        except InputError as error:
            if len(names) == 1:
                raise
            refused.append(name)
            complain(str(error))
    if not found.documents:
        raise InputError("none of the files holds FHIR JSON", code="not-fhir")
    for defect in found.defects:
        complain(defect)
    return Input(found, tuple(refused))


def _shown(name: str) -> str:
    return "stdin" if name == STDIN else name


def _bytes_of(name: str) -> bytes:
    if name == STDIN:
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror})", code="no-file") from error
