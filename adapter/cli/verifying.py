"""`verify`: whether a derived result still follows from the very sources that it names."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import asdict
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from adapter.cli.exit_codes import DONE, NEEDS_OPERATOR
from adapter.cli.printing import Block, counted, print_blocks, say
from adapter.cli.shared import Shared

if TYPE_CHECKING:
    from adapter.offline.verdict import Verdict

_REFERENCE: Final = re.compile(r"Observation/[A-Za-z0-9.\-]{1,64}")
_COLUMNS: Final = {
    "reference": "Derived result",
    "agreement": "Outcome",
    "stored": "Category",
    "derived": "Derived again",
    "elements": "Differs in",
    "why": "Why",
}

Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="Observation/ID", help="A derived result on the server.", show_default=False
    ),
]
Everything = Annotated[bool, typer.Option("--all", help="Every derived result of ours.")]


def verify(shared: Shared, names: Names = None, everything: Everything = False) -> int:
    """Derive results again from the exact source versions in their Provenance, and compare the bytes.

    Sources are read as they were then; specimens, reports and other results as they are now. Nothing
    is written. Ends with 5 when one differs or cannot be verified.
    """
    from adapter.bootstrap import open_adapter
    from adapter.offline.replay import Replayer
    from adapter.offline.verdict import Agreement

    if bool(names) == everything:
        raise typer.BadParameter("name the derived results (Observation/ID), or give --all")
    wrong = [name for name in names or () if not _REFERENCE.fullmatch(name)]
    if wrong:
        raise typer.BadParameter("a derived result is named Observation/ID")
    settings = shared.settings(quiet=True, store__url="sqlite://")
    with open_adapter(settings, Event()) as adapter:
        replayer = Replayer(adapter.parts, adapter.options.read)
        chosen = names or list(replayer.all_of_ours())
        verdicts = [replayer.verify(name) for name in chosen]
    print_blocks(shared.form, [Block("Verified", _COLUMNS, list(map(_row, verdicts)))])
    found = Counter(one.agreement for one in verdicts)
    told = counted((str(one).replace("-", " "), found[one]) for one in Agreement)
    say(
        told or "There is no derived result of ours",
        "Specimens, reports and the patients' other results were read as they are now",
    )
    return DONE if found[Agreement.AGREES] == len(verdicts) else NEEDS_OPERATOR


def _row(verdict: Verdict) -> dict[str, Any]:
    from adapter.offline.verdict import SENTENCES

    row = asdict(verdict)
    codes = [code for code in (verdict.reason, *verdict.notes) if code]
    return {**row, "why": " ".join(SENTENCES[code] for code in codes)}
