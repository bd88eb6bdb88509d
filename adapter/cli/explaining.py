"""`explain`: one sample's way from the laboratory's words to a category, readable by a pathologist."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from adapter.cli.inputs import read_input
from adapter.cli.printing import Block, Output, print_blocks, safe, say, terminal
from adapter.cli.shared import Shared
from adapter.errors import InputError

if TYPE_CHECKING:
    from adapter.offline.answers import Answers

_REFERENCE: Final = re.compile(r"Observation/[A-Za-z0-9.\-]{1,64}")

What = Annotated[
    str,
    typer.Argument(
        metavar="FILE|Observation/ID",
        help="A FHIR file (- for stdin), or an Observation on the configured server.",
        show_default=False,
    ),
]


def explain(shared: Shared, what: What) -> None:
    """Explain how results became a category: what was read, by which rule, what was set aside.

    An Observation may be the laboratory's or a derived one; the server is only read. What is shown
    holds the laboratory's own words, so it is as confidential as they are.
    """
    from adapter.bootstrap import catalogue_of, links_of, policy_of
    from adapter.cli.explanation import (
        chosen_cases,
        explanations,
        left_over,
        patients_together,
    )
    from adapter.offline.answers import answer

    settings = shared.settings()
    if _REFERENCE.fullmatch(what) and not Path(what).exists():
        answers = _from_server(shared, what)
        told = explanations(answers, chosen_cases(answers, what))
        aside = [one for one in left_over(answers, told) if one["observation"] == what and not told]
    else:
        documents = read_input([what]).documents.documents
        answers = answer(
            documents, catalogue_of(settings), policy_of(settings), links=links_of(settings)
        )
        told = explanations(answers, answers.answers)
        aside = left_over(answers, told)
    if not told and not aside:
        raise InputError(f"{what}: there is no Observation to explain", code="nothing-to-explain")
    if shared.form in (Output.JSON, Output.NDJSON):
        print_blocks(shared.form, [Block("", {}, [*told, *aside])])
    elif shared.form is Output.CSV:
        raise typer.BadParameter("an explanation is no table; use table, json or ndjson")
    else:
        _print(terminal(), told, aside)
    say(*patients_together(answers), *(link.sentence for link in answers.unused_links))


def _from_server(shared: Shared, reference: str) -> Answers:
    """Read everything about the patient of an Observation; nothing is written, not even state."""
    from adapter.bootstrap import open_adapter
    from adapter.offline.live import answers_around

    settings = shared.settings(quiet=True, store__url="sqlite://")
    with open_adapter(settings, Event()) as adapter:
        return answers_around(adapter.parts, reference, adapter.options.read)


def _print(
    console: Console, told: Sequence[dict[str, Any]], aside: Sequence[dict[str, Any]]
) -> None:
    for one in told:
        _print_sample(console, one)
    if aside:
        console.print(Text("In no sample", style="bold"))
    for one in aside:
        _line(console, f"{one['observation']}: {one['outcome']}, {one['sentence']}", 2)
        if one["words"]:
            _line(console, f"words: {_quoted(one['words'])}", 4)


def _print_sample(console: Console, one: dict[str, Any]) -> None:
    look = " · review" if one["review"] else ""
    status = one["asco_cap"] or "none while pending or in review"
    console.print(Text(f"{one['subject']} · {one['specimen'] or one['key']}", style="bold"))
    _line(console, f"HER2 category: {one['category']}{look}", 2, "bold")
    _line(console, f"ASCO/CAP status: {status}", 2)
    rule = one["rule"]
    _line(console, f"Rule {rule['id']} [{rule['basis']}]: {rule['sentence']}", 2)
    _line(console, f"Source: {rule['citation']} (policy {one['policy']})", 4)
    for heading, key in (("Why", "reasons"), ("Comment", "comments"), ("Limits", "limits")):
        for reason in one[key]:
            _line(console, f"{heading}: {reason['sentence']} ({reason['code']})", 2)
    if one["joined"]:
        _line(console, f"One sample because: {one['joined']}", 2)
    for result in one["results"]:
        _print_result(console, result)
    console.print()


def _print_result(console: Console, result: dict[str, Any]) -> None:
    dated = f", {result['effective']}" if result["effective"] else ""
    head = f"{result['observation']} ({result['test']}, {result['status']}{dated}): "
    _line(console, head + result["outcome"], 2, "bold")
    _line(console, f"words: {_quoted(result['words']) or 'none'}", 4)
    _line(console, f"read as: {'; '.join(result['read_as']) or 'nothing'}", 4)
    if result["outcome"] != "used":
        _line(console, f"not used: {result['sentence']} ({result['reason']})", 4)
    for row in result["rows"]:
        display = f" {row['display']}" if row["display"] else ""
        _line(
            console, f"{row['map']}: {row['system']} {row['code']}{display} = {row['meaning']}", 4
        )


def _line(console: Console, text: str, indent: int, style: str = "") -> None:
    console.print(Padding(Text(safe(text), style=style), (0, 0, 0, indent), expand=False))


def _quoted(words: Sequence[str]) -> str:
    return " · ".join(f"“{word}”" for word in words)
