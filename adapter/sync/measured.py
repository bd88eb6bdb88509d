"""What the doctor measured of the servers, as the state store keeps it between two commands.

Two facts for each side. "measured-target" (JSON) holds exactly `strategy`, `atomic` and `max_entries`,
"measured-source" exactly `page_size`, `overlap_seconds` and `incremental`. "<name>-of" says which base URL was
measured and when: what was measured of one server is never believed of another.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from adapter.ports import StateStore
from adapter.sync.strategy import WriteStrategy

TARGET: Final = "measured-target"
SOURCE: Final = "measured-source"


@dataclass(frozen=True)
class MeasuredTarget:
    """How the target can be written to.

    `atomic`: a transaction lands whole or not at all. `max_entries`: so many entries of a transaction were taken and
    more were refused; None where no such limit was met.
    """

    strategy: WriteStrategy
    atomic: bool
    max_entries: int | None


@dataclass(frozen=True)
class MeasuredSource:
    """How the source can be read.

    `page_size`: results on one page. `overlap_seconds`: how far behind its watermark a discovery has to start.
    `incremental`: whether asking for what changed finds it; where not, every pass is a full sweep.
    """

    page_size: int
    overlap_seconds: float
    incremental: bool


@dataclass(frozen=True)
class Measurement:
    """When one base URL was measured, aware UTC."""

    base_url: str
    at: datetime


def measured_target(store: StateStore, base_url: str) -> tuple[MeasuredTarget, Measurement] | None:
    """Give what was measured of the target with this base URL; None where nothing was, or it cannot be read.

    Raises: StoreError.
    """
    found = _load(store, TARGET, base_url)
    if found is None:
        return None
    said, measurement = found
    try:
        limit = said["max_entries"]
        target = MeasuredTarget(
            strategy=WriteStrategy(said["strategy"]),
            atomic=said["atomic"] is True,
            max_entries=None if limit is None else int(limit),
        )
    except (KeyError, TypeError, ValueError):
        return None
    return target, measurement


def measured_source(store: StateStore, base_url: str) -> tuple[MeasuredSource, Measurement] | None:
    """Give what was measured of the source with this base URL; as `measured_target`."""
    found = _load(store, SOURCE, base_url)
    if found is None:
        return None
    said, measurement = found
    try:
        source = MeasuredSource(
            page_size=int(said["page_size"]),
            overlap_seconds=float(said["overlap_seconds"]),
            incremental=said["incremental"] is True,
        )
    except (KeyError, TypeError, ValueError):
        return None
    return source, measurement


def remember(
    store: StateStore, measured: MeasuredTarget | MeasuredSource, measurement: Measurement
) -> None:
    """Keep what was measured; after a crash in between, the older facts count as never measured.

    Raises: StoreError.
    """
    name = TARGET if isinstance(measured, MeasuredTarget) else SOURCE
    whose = {"base_url": measurement.base_url, "at": measurement.at.isoformat()}
    store.set_setting(f"{name}-of", None)
    store.set_setting(name, json.dumps(asdict(measured)))
    store.set_setting(f"{name}-of", json.dumps(whose))


def _load(store: StateStore, name: str, base_url: str) -> tuple[dict[str, Any], Measurement] | None:
    try:
        whose = json.loads(store.setting(f"{name}-of") or "null")
        said = json.loads(store.setting(name) or "null")
        if whose["base_url"] != base_url or not isinstance(said, dict):
            return None
        return said, Measurement(base_url, datetime.fromisoformat(whose["at"]))
    except (KeyError, TypeError, ValueError):
        return None
