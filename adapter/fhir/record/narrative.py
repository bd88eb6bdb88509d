"""The words of the record: what a person reads in the note, and in the narrative of a result.

Everything here comes from the answer itself. The note is part of the fingerprint, so it names no
version of software, mappings or sources; the narrative is not. All text is escaped: a policy's name
or a laboratory's wording may hold anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from adapter.her2.model import Case, Classification, Reason
from adapter.her2.wording import ihc_text, ish_numbers, ish_text, measured

DISCLAIMER: Final = (
    "Derived by rule, not verified by a pathologist; "
    "the laboratory's report is the result of record."
)
_XHTML: Final = "http://www.w3.org/1999/xhtml"
_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def notes(case: Case, classification: Classification, category_text: str) -> list[str]:
    """Write the note's paragraphs: the answer and its rule, what to look at, limits, links, disclaimer.

    `category_text` is the category as displayed ("HER2-low").
    """
    rule = classification.rule
    paragraphs = [
        f"{category_text}: derived by rule from {_basis(classification)}. "
        f"{rule.sentence} [{rule.basis.value}: {rule.citation}]"
    ]
    lead = "Review: " if classification.review else "Remark: "
    for heading, reasons in (
        (lead, all_reasons(case, classification)),
        ("Comment: ", classification.comments),
        ("Limits: ", classification.limits),
    ):
        if reasons:
            paragraphs.append(heading + " ".join(_unique(reason.sentence for reason in reasons)))
    paragraphs += [f"Joined by a person: {link.sentence}" for link in case.joined_by]
    paragraphs.append(DISCLAIMER)
    return paragraphs


def all_reasons(case: Case, classification: Classification) -> tuple[Reason, ...]:
    """Give the reasons of the answer, then those for not joining results, each once."""
    return tuple(dict.fromkeys((*classification.reasons, *case.join_reasons)))


def narrative(rows: Sequence[tuple[str, str]], *, heading: str) -> dict[str, str]:
    """Make a generated Narrative: a heading, a table of label and text, and the disclaimer.

    Source: FHIR R4 narrative.html.
    """
    body = "".join(
        f"<tr><th>{_safe(label)}</th><td>{_safe(text)}</td></tr>" for label, text in rows
    )
    table = f"<table><tbody>{body}</tbody></table>" if rows else ""
    return {
        "status": "generated",
        "div": (
            f'<div xmlns="{_XHTML}"><p><b>{_safe(heading)}</b></p>{table}'
            f"<p>{_safe(DISCLAIMER)}</p></div>"
        ),
    }


def result_rows(
    case: Case,
    classification: Classification,
    *,
    asco_cap_text: str | None,
    sources: Sequence[str],
) -> list[tuple[str, str]]:
    """Make the table of a result's narrative: what was used, which rule, what to look at.

    `sources` are references; `asco_cap_text` is the status as displayed, None while there is none.
    """
    rule = classification.rule
    rows = [
        ("ASCO/CAP status", asco_cap_text or "none while pending or in review"),
        ("Derived from", _basis(classification)),
        ("Rule", f"{rule.id}: {rule.sentence} [{rule.basis.value}: {rule.citation}]"),
        ("Policy", f"{classification.policy} {classification.policy_version}"),
        ("Review", "yes" if classification.review else "no"),
        ("Reasons", _joined(all_reasons(case, classification))),
        ("Comments", _joined(classification.comments)),
        ("Limits", _joined(classification.limits)),
        ("Joined by a person", "; ".join(link.sentence for link in case.joined_by)),
        ("Sources", ", ".join(sources)),
        ("Not used", " ".join(f"{ref}: {why.sentence}" for ref, why in classification.set_aside)),
    ]
    return [(label, text) for label, text in rows if text]


def _basis(classification: Classification) -> str:
    """Say what the answer was made from, in a pathologist's words."""
    parts = []
    ihc = ihc_text(classification.ihc_used)
    if ihc is not None:
        parts.append(f"IHC {ihc}")
    ish = _ish_basis(classification)
    if ish is not None:
        parts.append(ish)
    if classification.overall_used is not None:
        parts.append(f"the laboratory's overall result {classification.overall_used.word.value}")
    return " and ".join(parts) if parts else "its sources"


def _ish_basis(classification: Classification) -> str | None:
    result = classification.ish_used
    if result is None:
        return None
    details = []
    if classification.ish_group is not None:
        details.append(f"group {classification.ish_group.value}")
    details += [f"{label} {measured(number)}" for label, number in ish_numbers(result)]
    word = ish_text(result)
    named = "ISH" if word is None else f"ISH {word}"
    return f"{named} ({', '.join(details)})" if details else named


def _joined(reasons: Iterable[Reason]) -> str:
    return " ".join(_unique(reason.sentence for reason in reasons))


def _unique(sentences: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(sentences))


def _safe(text: str) -> str:
    """Escape for XHTML; what XML cannot hold at all becomes the replacement character."""
    return escape(_NOT_XML.sub("\ufffd", text))
