"""What the doctor measured, put into the settings that nobody gave; for the composition root.

An explicit setting wins always. What was measured of another base URL is not believed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adapter.ports import StateStore
    from adapter.settings import Settings
    from adapter.sync.options import SendLimits


def with_measured(settings: Settings, store: StateStore) -> tuple[Settings, bool]:
    """Fill in what the doctor measured of this source where nobody set it; the origin then names the doctor.

    Returns:
        The settings, and whether a pass may ask for what changed; where nothing was measured it may, as far as its
        own proofs go.

    Raises:
        StoreError.

    """
    from adapter.sync.measured import measured_source
    from adapter.transport.origin import normal_base

    url = settings.source.url
    found = measured_source(store, normal_base(url)) if url else None
    if found is None:
        return settings, True
    measured, measurement = found
    source, poll, origins = settings.source, settings.poll, dict(settings.origins)
    said = f"doctor, {measurement.at:%Y-%m-%d}"
    if "source.page_size" not in origins and measured.page_size != source.page_size:
        source = source.model_copy(update={"page_size": measured.page_size})
        origins["source.page_size"] = said
    if "poll.overlap_seconds" not in origins and measured.overlap_seconds != poll.overlap_seconds:
        poll = poll.model_copy(update={"overlap_seconds": measured.overlap_seconds})
        origins["poll.overlap_seconds"] = said
    filled = settings.model_copy(update={"source": source, "poll": poll})
    return filled.with_origins(origins), measured.incremental


def with_kept_measurements(settings: Settings, *, connect: bool) -> Settings:
    """Fill in as `with_measured` from the state store, where there is one; makes none.

    `connect`: also ask a store that is no file. Raises: StoreError.
    """
    from adapter.store import is_kept, open_store

    if not is_kept(settings.store.url, connect=connect):
        return settings
    with open_store(settings.store.url) as store:
        return with_measured(settings, store)[0]


def server_chooses_ids(settings: Settings, store: StateStore, limits: SendLimits) -> bool:
    """Tell whether results are written to the target without ids of ours: asked for, measured, or found by writing."""
    from adapter.sync.writing.ladder import Ladder
    from adapter.transport.origin import normal_base

    url = normal_base(settings.target.url or settings.source.base_url)
    return not Ladder(store, url, limits).manner.strategy.chooses_ids
