"""What may be chosen about a sandbox: sizes, and two points on which good R4 servers differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the present time, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class ServerRules:
    """Sizes in bytes or resources, and how many result sets can be paged at one time.

    The two switches make the sandbox as strict as stock HAPI FHIR. FHIR R4 lets a server delete what
    others refer to and keep references to what was deleted; HAPI refuses both by default (409 on
    the delete, 400 on the write). They are off, so that a test can delete a source.
    """

    max_body_bytes: int = 16 * 1024 * 1024
    default_page: int = 50
    max_page: int = 1000
    kept_result_sets: int = 500
    refuse_delete_of_referenced: bool = False
    refuse_reference_to_deleted: bool = False
