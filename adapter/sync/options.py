"""What a pass needs to know, as frozen values; settings.py says where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from adapter.sync.strategy import WriteStrategy

STALE_INTERVALS: Final = 3
"""Without a pass that took in everything for so many intervals, what stands is called stale."""


class LaboratorySweep(StrEnum):
    """Whether all laboratory results are read, to find HER2 results that no known code names.

    AUTO: where the server holds few of them, or patients are read one by one, unless it searches tests by any part
    of their name.
    """

    AUTO = "auto"
    ON = "on"
    OFF = "off"


class DiscoverBy(StrEnum):
    """How it is known whom to look at.

    CHANGES: by asking the source what changed. PATIENTS: by a list, each of them in turn. REQUESTS: by those who ask.
    """

    CHANGES = "changes"
    PATIENTS = "patients"
    REQUESTS = "requests"


@dataclass(frozen=True)
class ReadLimits:
    """How the source is read.

    `overlap_seconds`: how far behind the watermark every discovery starts, because a row can become
    visible after a later one was served. `sweep_hours`: at most so long between two full sweeps, or
    between two walks over the list of patients.
    `absence_confirm_seconds`: a source that cannot be read counts as gone only when it could not
    be read twice, at least so far apart. `laboratory_sweep`: see LaboratorySweep; it holds for
    sweeps, for what changed and for patients alike, or a result would come and go between passes.
    `narratives`: whether reports are searched for HER2 statements, as suggestions for the worklist.
    `incremental`: False where the doctor saw that what changed is not found: then every pass is a sweep.
    `discovery`: see DiscoverBy.
    """

    page_size: int = 500
    patients_at_once: int = 100
    overlap_seconds: float = 600.0
    sweep_hours: float = 24.0
    absence_confirm_seconds: float = 600.0
    laboratory_sweep: LaboratorySweep = LaboratorySweep.AUTO
    narratives: bool = False
    incremental: bool = True
    discovery: DiscoverBy = DiscoverBy.CHANGES

    @property
    def basis(self) -> str:
        """What decides which results and reports are found at all; a change of it asks for a sweep."""
        said = f"laboratory={self.laboratory_sweep} narratives={self.narratives}"
        is_usual = self.discovery is DiscoverBy.CHANGES
        return said if is_usual else f"{said} discovery={self.discovery}"


@dataclass(frozen=True)
class SendLimits:
    """How the target is written to.

    `batch_cases`: cases in one transaction. `attempts`: how often the same bytes are sent.
    `wait_seconds`: the first wait between two attempts, doubled each time up to `max_wait_seconds`,
    with jitter. `cases_per_minute`: None for as fast as the server takes them. `writers`: how many
    bundles are under way at once; with 1 the caller's own thread sends them one after the other.
    `strategy`, `atomic`: the manner of writing that was asked for, None where it is found out
    (adapter/sync/writing/ladder.py).
    """

    batch_cases: int = 25
    attempts: int = 5
    wait_seconds: float = 0.2
    max_wait_seconds: float = 30.0
    cases_per_minute: float | None = None
    writers: int = 1
    strategy: WriteStrategy | None = None
    atomic: bool | None = None


@dataclass(frozen=True)
class BrakeLimits:
    """When a pass stops before it writes.

    It may withdraw for absence the larger of `withdraw_floor` and `withdraw_percent` of what
    stands, and change the larger of `change_floor` and `change_percent`. `first_pass`: how many
    results may be created without being asked for on a server that holds none of ours. Creations
    never count otherwise.
    """

    withdraw_floor: int = 3
    withdraw_percent: float = 5.0
    change_floor: int = 20
    change_percent: float = 5.0
    first_pass: int = 500


@dataclass(frozen=True)
class SyncOptions:
    """Everything `sync` asks of the settings, beside the policy and the record's options."""

    read: ReadLimits = field(default_factory=ReadLimits)
    send: SendLimits = field(default_factory=SendLimits)
    brakes: BrakeLimits = field(default_factory=BrakeLimits)
    observe: bool = False


@dataclass(frozen=True)
class PassOptions:
    """What is asked of one pass.

    `patients`: only these ("Patient/<id>"); None for what discovery finds. `since`: look at what
    was updated from this instant on. `backfill`: a first pass may create any number. `dry_run`:
    compute and report, write nothing, and remember nothing but which sources could not be read.
    `full_sweep`: read everything now. `released_by`: who lets a brake go, as far as they were shown;
    "" for nobody. `in_detail`: also collect what only a report shows (sync/details.py).
    """

    patients: Sequence[str] | None = None
    since: datetime | None = None
    backfill: bool = False
    dry_run: bool = False
    full_sweep: bool = False
    released_by: str = ""
    in_detail: bool = False
