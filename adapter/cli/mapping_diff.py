"""`mappings diff`: what another overlay would read differently, and which known cases it would alter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from adapter.cli.exit_codes import DONE, WRONG_USAGE
from adapter.cli.inputs import read_input
from adapter.cli.mappings import Overlays
from adapter.cli.printing import Block, complain, number_of, print_blocks, say
from adapter.cli.shared import Shared
from adapter.cli.site_text import DIFFERENCE_COLUMNS, difference_line
from adapter.errors import InputError

if TYPE_CHECKING:
    from adapter.offline.answers import Answer
    from adapter.offline.comparison import Altered, Basis
    from adapter.ports import JsonObject
    from adapter.settings import Settings

_FHIR_FILES: Final = frozenset({".json", ".ndjson"})
SHIPPED_CASES: Final = "examples"
"""What the cases that came with the adapter are called in the output."""

Against = Annotated[
    list[Path] | None,
    typer.Option(
        "--against",
        metavar="OVERLAY",
        help="Compare with this overlay instead; may be given again.",
        exists=True,
        file_okay=False,
    ),
]
Shipped = Annotated[
    bool, typer.Option("--shipped", help="Compare with the shipped mappings alone.")
]
Cases = Annotated[
    list[Path] | None,
    typer.Option(
        "--cases",
        metavar="PATH",
        help="FHIR files to answer with both, beside the shipped examples: a file, or a folder "
        "whose files belong together; may be given again.",
        exists=True,
    ),
]
FromServer = Annotated[
    bool,
    typer.Option("--server", help="Answer patients of the configured server too; read only."),
]
Limit = Annotated[
    int, typer.Option("--limit", min=1, metavar="N", help="With --server: at most N patients.")
]


@dataclass(frozen=True)
class _CaseSet:
    """Documents that are answered together. `refused`: files among them that hold no FHIR."""

    name: str
    documents: Sequence[JsonObject]
    base_url: str = ""
    refused: tuple[str, ...] = ()


def diff(  # noqa: PLR0913 - each parameter is an option of the command
    shared: Shared,
    overlays: Overlays = None,
    against: Against = None,
    shipped: Shipped = False,
    cases: Cases = None,
    server: FromServer = False,
    limit: Limit = 100,
) -> int:
    """Compare two sets of mappings: what they read differently, and which known cases that alters.

    Without a folder it compares the overlay of the settings with the shipped mappings alone; with
    one, that one with the overlay of the settings. A site.toml counts with its folder. Nothing is
    written anywhere.
    """
    from adapter.bootstrap import overlays_of

    if shipped and against:
        raise typer.BadParameter("--shipped and --against exclude each other")
    settings = shared.settings(quiet=True)
    configured = overlays_of(settings)
    old = tuple(against or (configured if overlays and not shipped else ()))
    before, after = _basis(settings, old), _basis(settings, tuple(overlays or configured))
    differing = list(_differing(before, after))
    altered, samples, is_whole = [], 0, True
    for one in _case_sets(shared, cases or [], (before, after), limit if server else 0):
        found, number = _altered(one, before, after)
        altered += found
        samples += number
        is_whole = is_whole and not one.refused
    print_blocks(
        shared.form,
        [
            Block("Read differently", DIFFERENCE_COLUMNS, differing),
            Block("Known cases that change", _ALTERED, altered),
        ],
    )
    say(
        f"{_named(before)} → {_named(after)}: {number_of(len(differing), 'difference')}; "
        f"{len(altered)} of {number_of(samples, 'known sample')} would change"
    )
    return DONE if is_whole else WRONG_USAGE


_ALTERED: Final = {
    "cases": "Cases",
    "subject": "Patient",
    "sample": "Sample",
    "before": "Before",
    "after": "After",
    "rule_before": "Rule before",
    "rule_after": "Rule after",
    "reasons_before": "Reasons before",
    "reasons_after": "Reasons after",
}


def _basis(settings: Settings, overlays: tuple[Path, ...]) -> Basis:
    from adapter.bootstrap import catalogue_of, links_of, policy_of
    from adapter.offline.comparison import Basis

    return Basis(
        catalogue_of(settings, overlays),
        policy_of(settings, overlays),
        links_of(settings, overlays),
    )


def _named(basis: Basis) -> str:
    catalogue = basis.catalogue
    pairs = zip(catalogue.overlay_names, catalogue.overlay_versions, strict=True)
    return " and ".join(f"{name} {version}" for name, version in pairs) or (
        f"shipped {catalogue.version}"
    )


def _differing(before: Basis, after: Basis) -> Iterator[dict[str, Any]]:
    """Give a line for each policy, link, row, phrase and name that differs."""
    from adapter.her2.policy import choices
    from adapter.terminology.differences import Difference, differences

    old, new = choices(before.policy), choices(after.policy)
    for name in old:
        if old[name] != new[name]:
            one = Difference("policy", "", name, old[name], new[name], "")
            yield difference_line(one, "difference")
    joined, joins = ({link.ends for link in basis.links} for basis in (before, after))
    for ends in sorted(joined ^ joins):
        was, becomes = ("joined", None) if ends in joined else (None, "joined")
        one = Difference("links", "", " and ".join(ends), was, becomes, "")
        yield difference_line(one, "difference")
    for one in differences(before.catalogue, after.catalogue):
        yield difference_line(one, "difference")


def _case_sets(
    shared: Shared, paths: Sequence[Path], both: tuple[Basis, Basis], limit: int
) -> Iterator[_CaseSet]:
    """Give the known cases; `limit`: patients of the server, 0 for none."""
    from adapter.demo import fixtures_folder

    for file in sorted(fixtures_folder().glob("*/input.json")):
        given = read_input([str(file)])
        yield _CaseSet(f"{SHIPPED_CASES}/{file.parent.name}", given.documents.documents)
    for path in paths:
        given = read_input(_files_of(path))
        yield _CaseSet(str(path), given.documents.documents, refused=given.refused)
    if limit:
        yield from _from_server(shared, both, limit)


def _files_of(path: Path) -> list[str]:
    """Give the FHIR files of a folder and its subfolders, or the one file."""
    if path.is_file():
        return [str(path)]
    found = sorted(
        str(one) for one in path.rglob("*") if one.is_file() and one.suffix in _FHIR_FILES
    )
    if not found:
        raise InputError(f"{path}: holds no .json or .ndjson file", code="no-file")
    return found


def _from_server(shared: Shared, both: tuple[Basis, Basis], limit: int) -> Iterator[_CaseSet]:
    """Read patients of the server; nothing is written, not even state."""
    from adapter.bootstrap import open_adapter
    from adapter.offline.live import documents_of, gathered_patients
    from adapter.sync.reading.wanted import Wanted

    wanted = Wanted.of(*(basis.catalogue for basis in both))
    settings = shared.settings(quiet=True, store__url="sqlite://")
    with open_adapter(settings, Event()) as adapter:
        base_url = adapter.parts.source.base_url
        limits = adapter.options.read
        for gathered in gathered_patients(adapter.parts, wanted, limits, patients=limit):
            if gathered.unread:
                complain(f"{', '.join(sorted(gathered.patients))}: {gathered.unread}")
            yield _CaseSet("server", documents_of(gathered), base_url)


def _altered(cases: _CaseSet, before: Basis, after: Basis) -> tuple[list[dict[str, Any]], int]:
    """Give a line for each sample that changes, and the number of all samples."""
    from adapter.offline.comparison import compare

    found = compare(cases.documents, before, after, base_url=cases.base_url)
    return [_altered_line(cases.name, one) for one in found.altered], found.samples


def _altered_line(cases: str, one: Altered) -> dict[str, Any]:
    said = {
        f"{name}{when}": value
        for when, answer in (("_before", one.before), ("_after", one.after))
        for name, value in _said(answer).items()
    }
    return {
        "kind": "altered",
        "cases": cases,
        "subject": one.subject,
        "sample": one.sample,
        "before": said.pop("category_before"),
        "after": said.pop("category_after"),
        **said,
    }


def _said(answer: Answer | None) -> dict[str, Any]:
    from adapter.cli.lines import reason_codes

    if answer is None:
        return dict.fromkeys(("category", "rule", "review", "reasons"))
    found = answer.classification
    return {
        "category": found.category.value,
        "rule": found.rule.id,
        "review": found.review,
        "reasons": reason_codes((*found.reasons, *found.limits)),
    }
