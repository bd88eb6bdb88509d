"""What became of deriving a result again, in ids, codes and names of elements only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Agreement(StrEnum):
    """What became of deriving a result again."""

    AGREES = "agrees"
    DIFFERS = "differs"
    CANNOT = "cannot-be-verified"


SENTENCES: Final = {
    "not-found": "There is no such Observation on the server.",
    "not-ours": "It is no derived result of this namespace and policy.",
    "withdrawn": "It is withdrawn; a withdrawal follows from what is no longer there.",
    "no-provenance": "No Provenance of it can be found.",
    "no-source-named": "Its Provenance names no source.",
    "policy-unknown": "It was derived by a policy, or a choice in it, that this version does not know.",
    "source-version-gone": "A source's version is no longer kept, and what stands now is other content.",
    "source-gone": "A source is no longer on the server.",
    "source-not-as-hashed": "A source's version is not the content that was hashed when it was read.",
    "patient-not-readable": "The patient's results cannot be read.",
    "no-such-sample": "These sources make no sample with a category any more.",
    "elements-differ": "Derived again, it would say something else.",
    "other-versions": "This version has other rules or mappings than those it was derived with.",
    "others-changed": "Another result of the patient changed after it was derived.",
    "version-before-unknown": "What it replaced is not known, so amended and corrected are not told apart.",
    "current-content": "A source was read as it stands now: its content is the one that was hashed.",
}
"""Reason and note → what it means."""


@dataclass(frozen=True)
class Verdict:
    """The outcome for one derived Observation; ids, codes and names of elements only.

    `reason`: why it differs or cannot be verified, else "". `elements`: those that differ.
    `stored`, `derived`: the category that stands and the one that was derived again. `notes`:
    reason codes of what a reader of the verdict should know.
    """

    reference: str
    agreement: Agreement
    reason: str = ""
    elements: tuple[str, ...] = ()
    stored: str | None = None
    derived: str | None = None
    provenance: str = ""
    sources: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
