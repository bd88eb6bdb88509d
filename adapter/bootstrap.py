"""The composition root: settings in, the concrete parts out. Nothing is decided here.

Heavy parts (HTTP, SQL, the FHIR models) are imported where they are first needed, so that a command
that needs none of them starts at once.
"""

from __future__ import annotations

import os
import pwd
import socket
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import Event
from typing import TYPE_CHECKING

import adapter
from adapter.connections import auths_of, server_of
from adapter.errors import MappingError, StoreError
from adapter.her2.policy import POLICIES
from adapter.measurements import server_chooses_ids, with_measured
from adapter.terminology.catalogue import load_catalogue
from adapter.terminology.layers import all_defects, read_site_of
from adapter.terminology.looks import SiteFolders
from adapter.terminology.mapping_files import SITE_TABLE
from adapter.terminology.systems import OBSERVATION_PROFILE
from adapter.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from adapter.fhir.record.derive import DeriveContext
    from adapter.her2.model import Link, Policy
    from adapter.ports import FhirServer, PatientList, StateStore
    from adapter.settings import Settings
    from adapter.sync.cycle import Parts
    from adapter.sync.options import SyncOptions
    from adapter.sync.reloading import Refresh
    from adapter.terminology.catalogue import Catalogue
    from adapter.transport.auth import Auth


class SystemClock:
    """The real clock; implements `Clock`. A sleep ends early once `stop` is set."""

    def __init__(self, stop: Event) -> None:
        self._stop = stop

    def now(self) -> datetime:
        """Give the present instant, aware, UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait, at most until a stop is asked for."""
        self._stop.wait(seconds)


@dataclass(frozen=True)
class Adapter:
    """A whole adapter, connected to nothing yet: its parts, how passes run, and who we are where.

    `auths`: "source" and, where it is another server or user, "target" → the way to authorise. `refresh`: the parts
    of the next pass, where the site's folder has changed.
    """

    settings: Settings
    parts: Parts
    options: SyncOptions
    auths: Mapping[str, Auth]
    refresh: Refresh


def overlays_of(settings: Settings) -> tuple[Path, ...]:
    """Give the folders of the site's own maps; none where no site has any."""
    overlay = settings.policy.site_mappings
    return (overlay,) if overlay else ()


def with_site(settings: Settings, overlays: Sequence[Path] | None = None) -> Settings:
    """Fill in the policies of site.toml where nobody set them; their origin is then that file.

    Args:
        settings: what was set by flag, variable or file stays.
        overlays: folders, a later one wins; None for the settings' own.

    Raises:
        MappingError: with every defect of the maps, when a site.toml has one.

    """
    chosen: dict[str, str] = {}
    for name, value in _site_choices(settings, overlays):
        if f"policy.{name}" not in settings.origins:
            chosen[name] = value
    if not chosen:
        return settings
    policy = settings.policy.model_copy(update=chosen)
    origins = {f"policy.{name}": SITE_TABLE for name in chosen}
    filled = settings.model_copy(update={"policy": policy})
    return filled.with_origins({**settings.origins, **origins})


def overruled(settings: Settings) -> tuple[str, ...]:
    """Say which policy of site.toml has no effect, because something else was set explicitly."""
    return tuple(
        f"policy.{name} is {getattr(settings.policy, name)} "
        f"({settings.origins[f'policy.{name}']}), not {value} as {SITE_TABLE} has it"
        for name, value in _site_choices(settings, None)
        if settings.origins.get(f"policy.{name}", SITE_TABLE) != SITE_TABLE
        and getattr(settings.policy, name) != value
    )


def _site_choices(settings: Settings, overlays: Sequence[Path] | None) -> Iterator[tuple[str, str]]:
    folders = overlays_of(settings) if overlays is None else overlays
    for folder in folders:
        site, defects = read_site_of(folder)
        if defects:
            raise MappingError(all_defects(folders))
        yield from site.policy.items()


def policy_of(settings: Settings, overlays: Sequence[Path] | None = None) -> Policy:
    """Choose the policy, with the site's choices in it; arguments and errors as `with_site`."""
    chosen = with_site(settings, overlays).policy
    return replace(
        POLICIES[chosen.name],
        earlier_editions=chosen.earlier_editions,
        zero_plus=chosen.zero_plus,
        tumour_site=chosen.tumour_site,
    )


def catalogue_of(settings: Settings, overlays: Sequence[Path] | None = None) -> Catalogue:
    """Load the vocabulary with the site's overlays; raises MappingError with every defect.

    `overlays`: other folders than the settings' own.
    """
    return load_catalogue(overlays=overlays_of(settings) if overlays is None else overlays)


def links_of(settings: Settings, overlays: Sequence[Path] | None = None) -> tuple[Link, ...]:
    """Load the samples that a person joined in the site's overlays; arguments and errors as `catalogue_of`."""
    from adapter.terminology.links import load_links

    return load_links(overlays_of(settings) if overlays is None else overlays)


def context_of(settings: Settings, catalogue: Catalogue, now: datetime) -> DeriveContext:
    """Put together what the record says beyond the result."""
    from adapter.fhir.record.derive import DeriveContext  # not needed to classify

    output = settings.output
    profiles = output.profiles
    if isinstance(profiles, bool):
        profiles = (OBSERVATION_PROFILE,) if profiles else ()
    return DeriveContext(
        now=now,
        policy=policy_of(settings),
        output=catalogue.output,
        software_version=adapter.__version__,
        mappings_version=catalogue.version,
        overlay_versions=catalogue.overlay_versions,
        namespace=output.namespace,
        organization=output.organization,
        profiles=profiles,
        snomed=output.snomed,
        keep_target_version=settings.target.keep_target_version,
    )


def reread(settings: Settings, parts: Parts) -> Parts:
    """Give the parts with the site's mappings as they lie on the disk now, and all else as it was.

    Args:
        settings: as they were given, without what a site.toml filled in.
        parts: those of the start; the shipped mappings stay theirs.

    Raises:
        MappingError: with every defect; then nothing of what lies there is to be used.

    """
    try:
        chosen = with_site(settings)
        catalogue, links = catalogue_of(chosen), links_of(chosen)
        context = context_of(chosen, catalogue, parts.clock.now())
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        # At start this would be a traceback and an end; a running adapter goes on with what it has.
        raise MappingError(
            [f"{settings.policy.site_mappings}: $: cannot be read: {type(error).__name__}"]
        ) from error
    if catalogue.version != parts.catalogue.version:
        raise MappingError(
            ["shipped mappings: $: are others than at the start: the adapter was upgraded; restart"]
        )
    return replace(parts, catalogue=catalogue, context=context, links=links)


def options_of(settings: Settings, *, incremental: bool = True) -> SyncOptions:
    """Translate the settings into what `sync` asks for; `incremental` as `measurements` gave it."""
    from adapter.sync.options import (
        BrakeLimits,
        DiscoverBy,
        LaboratorySweep,
        ReadLimits,
        SendLimits,
        SyncOptions,
    )
    from adapter.sync.strategy import WriteStrategy

    poll, brake, target = settings.poll, settings.brake, settings.target
    return SyncOptions(
        read=ReadLimits(
            page_size=settings.source.page_size,
            overlap_seconds=poll.overlap_seconds,
            sweep_hours=poll.sweep_hours,
            absence_confirm_seconds=poll.absence_confirm_seconds,
            laboratory_sweep=LaboratorySweep(poll.laboratory_sweep),
            narratives=settings.narratives == "suggest",
            incremental=incremental,
            discovery=DiscoverBy(poll.discovery),
        ),
        send=SendLimits(
            batch_cases=target.batch_cases,
            cases_per_minute=target.cases_per_minute,
            writers=2,
            strategy=None
            if target.write_strategy == "auto"
            else WriteStrategy(target.write_strategy),
            atomic=None if target.transactions == "auto" else target.transactions == "atomic",
        ),
        brakes=BrakeLimits(
            withdraw_floor=brake.withdraw_floor,
            withdraw_percent=brake.withdraw_percent,
            change_floor=brake.change_floor,
            change_percent=brake.change_percent,
            first_pass=brake.first_pass,
        ),
        observe=settings.mode == "observe",
    )


def list_of(settings: Settings, source: FhirServer) -> PatientList | None:
    """Give the list of patients that the settings name; None where whom to look at is known otherwise."""
    from adapter.patient_file import PatientsOfFile
    from adapter.sync.reading.group import PatientsOfGroup

    poll = settings.poll
    if poll.group is not None:
        return PatientsOfGroup(source, poll.group)
    return None if poll.patients_file is None else PatientsOfFile(poll.patients_file)


def actor() -> str:
    """Name the account and host of this process, for the audit trail."""
    try:
        account = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may run under a number that no account has
        account = f"uid-{os.getuid()}"
    return f"{account}@{socket.gethostname()}"


def holder_of(command: str) -> str:
    """Name this process as a holder of the writer's lease, and no other one: people read it."""
    return f"her2-adapter {command}, {actor()}, process {os.getpid()}, {uuid.uuid4().hex[:8]}"


def require_state(settings: Settings) -> None:
    """Refuse to go on where no state was kept yet: who asks after it looks in the wrong place. Raises StoreError."""
    from adapter.store import is_kept, place_of

    if not is_kept(settings.store.url, connect=True):
        raise StoreError(
            f"There is no state store {place_of(settings.store.url)}, and none is made for this: "
            "name that of the service (store.url, HER2_STATE_URL), or run a pass first"
        )


@contextmanager
def open_state(
    settings: Settings, *, may_make: bool = False, sets_aside: bool = False
) -> Iterator[StateStore]:
    """Open the state store for as long as the block lasts; raises StoreError.

    `may_make`: one that is not there is made; else it is refused. `sets_aside`: so is one that is damaged, where
    nobody else has it open.
    """
    from adapter.store import open_store

    if not may_make:
        require_state(settings)
    secret = settings.store.audit_key
    key = secret.get_secret_value().encode() if secret else None
    with open_store(settings.store.url, audit_key=key, sets_aside=sets_aside) as store:
        yield store


@contextmanager
def open_adapter(
    settings: Settings,
    stop: Event,
    *,
    watched: Callable[[FhirServer], FhirServer] = lambda server: server,
    scopes: Sequence[str] = (),
    sets_aside: bool = False,
) -> Iterator[Adapter]:
    """Put a whole adapter together, and close its connections at the end of the block.

    Args:
        settings: where to read and write, and how.
        stop: ends every wait early once it is set.
        watched: wraps each server, so that somebody can show how far a pass is.
        scopes: what the source is asked for by a command that does no pass; empty for what passes need.
        sets_aside: a damaged state is set aside and made anew; for a service, and for a pass in its stead.

    Raises:
        ConfigError, MappingError, StoreError: before anything is asked of a server.

    """
    from adapter.sync.cycle import Parts
    from adapter.sync.reloading import Reloading

    settings.source.base_url  # noqa: B018 - raises a sentence of its own before anything is opened
    clock = SystemClock(stop)
    given, folders = settings, SiteFolders(overlays_of(settings))
    seen = folders.look()
    settings = with_site(settings)
    catalogue, links = catalogue_of(settings), links_of(settings)
    with ExitStack() as opened:
        store = opened.enter_context(open_state(settings, may_make=True, sets_aside=sets_aside))
        settings, incremental = with_measured(settings, store)
        options = options_of(settings, incremental=incremental)
        creates = server_chooses_ids(settings, store, options.send)
        auths = auths_of(settings, clock, creates=creates, scopes=scopes)
        traffic = Traffic()
        meter = traffic.meter("source")
        source = opened.enter_context(server_of(settings.source, clock, auths["source"], meter))
        target = source
        if "target" in auths:
            meter = traffic.meter("target")
            target = opened.enter_context(server_of(settings.target, clock, auths["target"], meter))
        reads = watched(source)
        writes = reads if target is source else watched(target)
        parts = Parts(
            source=reads,
            target=writes,
            store=store,
            clock=clock,
            catalogue=catalogue,
            context=context_of(settings, catalogue, clock.now()),
            links=links,
            actor=actor(),
            traffic=traffic,
            listed=list_of(settings, reads),
        )
        refresh = Reloading(
            parts,
            folders,
            seen if folders.look() == seen else None,
            load=lambda: reread(given, parts),
        )
        yield Adapter(settings, parts, options, auths, refresh)
