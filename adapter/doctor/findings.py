"""What was measured of one server: one finding for each topic, and whether it was measured at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final


class Topic(StrEnum):
    """What can be measured, in the order in which a page shows it; the value is its name there."""

    ACCESS = "reading is allowed"
    FORMS = "searches for HER2 results"
    LAST_UPDATED = "search by _lastUpdated"
    UNKNOWN_PARAMETER = "a parameter it does not know"
    PAGE_SIZE = "results on one page"
    CLOCK = "clock"
    CLIENT_IDS = "PUT of a new id"
    INDEX_LAG = "written, then found by search"
    SEARCH_CACHE = "Cache-Control: no-cache"
    PAGING = "pages while others write"
    NO_OP_UPDATE = "update that changes nothing"
    IF_MATCH = "If-Match"
    DELETE = "delete"
    CONDITIONAL_UPDATE = "conditional update"
    UPDATE_RACE = "8 conditional updates at once"
    CONDITIONAL_CREATE = "conditional create"
    CREATE_RACE = "8 conditional creates at once"
    TRANSACTION = "transaction"
    ATOMIC = "transaction with a bad entry"
    ENTRIES = "entries in one transaction"
    VERSIONS_KEPT = "versions in references"
    FOREIGN_REFERENCES = "references to another server"
    REMOVAL = "own resources afterwards"


REFUSED: Final = "refused"
"""Value of FORMS: searches that name no patient are refused."""


class Standing(StrEnum):
    """Whether a finding may be relied on."""

    MEASURED = "measured"
    REFUSED = "refused"
    """The server answered 401 or 403: what it can do stays unknown."""
    NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Finding:
    """One topic: what was seen, in a sentence and as a value.

    `works`: whether the adapter can rely on it; None where that is no question or not known. `value`: seconds, a
    number, a word, as each measurement says; None where there is none.
    """

    topic: Topic
    standing: Standing
    says: str
    works: bool | None = None
    value: bool | int | float | str | None = None


def measured(
    topic: Topic,
    says: str,
    *,
    works: bool | None,
    value: bool | int | float | str | None = None,
) -> Finding:
    """Make the finding of something that was seen; without a value it is `works`."""
    return Finding(topic, Standing.MEASURED, says, works, works if value is None else value)


def not_measured(topic: Topic, why: str) -> Finding:
    """Make the finding of something that nobody saw."""
    return Finding(topic, Standing.NOT_MEASURED, why)


@dataclass(frozen=True)
class Examination:
    """Everything found on one server.

    `is_source`, `is_target`: what the adapter uses it for. `denied`: SMART scopes without which something was
    refused. `foreign_links`: it gave links that leave it. `left`: own resources that could not be removed.
    """

    base_url: str
    software: str
    fhir_version: str
    at: datetime
    is_source: bool
    is_target: bool
    findings: Mapping[Topic, Finding] = field(default_factory=dict)
    denied: frozenset[str] = frozenset()
    foreign_links: bool = False
    left: tuple[str, ...] = ()

    def value(self, topic: Topic) -> bool | int | float | str | None:
        """Give what was measured; None where it was not."""
        finding = self.findings.get(topic)
        is_known = finding is not None and finding.standing is Standing.MEASURED
        return finding.value if finding is not None and is_known else None

    def was_measured(self, topic: Topic) -> bool:
        """Tell whether a topic was measured."""
        finding = self.findings.get(topic)
        return finding is not None and finding.standing is Standing.MEASURED

    def fails(self, topic: Topic) -> bool:
        """Tell whether a topic was measured and cannot be relied on."""
        return self.was_measured(topic) and not self.works(topic)

    def works(self, topic: Topic) -> bool:
        """Tell whether a topic was measured and can be relied on."""
        finding = self.findings.get(topic)
        return finding is not None and finding.works is True
