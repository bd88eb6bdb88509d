"""The worklist's likely partners: an open case, and the one sample elsewhere that may complete it. Pure.

A person who finds that the two are of one tumour writes the suggested lines into the site's `links.toml`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from adapter.her2.model import LINK_END, Case, Classification
from adapter.her2.partners import LikelyPartner, likely_pairs
from adapter.ports import WorklistEntry, WorklistKind
from adapter.sync.planning.plan import Desired

REASON: Final = "likely-partner"


def likely_partners(desired: Iterable[Desired]) -> list[WorklistEntry]:
    """Make the worklist's entries of likely partners, one for each open case that has one.

    Args:
        desired: every case of some patients with its answer (`Reconciled.desired`).

    Returns:
        Entries that name logical ids only. `reference` and `partner` are laboratory results of the two samples;
        `suggestion` is what `links.toml` would have to hold to join them, in one line and for a person to sign.

    """
    return [
        _entry(pair) for pair in likely_pairs([(one.case, one.classification) for one in desired])
    ]


def _entry(pair: LikelyPartner) -> WorklistEntry:
    case, answer = pair.open
    return WorklistEntry(
        kind=WorklistKind.LIKELY_PARTNER,
        subject=case.subject,
        reference=_result(case, answer),
        reason=REASON,
        suggestion=_link(_end(case, answer), _end(*pair.partner)),
        partner=_result(*pair.partner),
    )


def _result(case: Case, answer: Classification) -> str:
    return next(iter(answer.used), case.evidence[0].source.reference)


def _end(case: Case, answer: Classification) -> str:
    """Name a sample for a link: by its specimen, or by a result where that has no id of its own."""
    is_named = case.specimen is not None and LINK_END.fullmatch(case.specimen)
    return case.specimen if case.specimen and is_named else _result(case, answer)


def _link(first: str, second: str) -> str:
    """Write the entry with what only the person knows left blank; it is refused until that is filled in."""
    return f'{{ first = "{first}", second = "{second}", by = "", on = "", because = "" }}'
