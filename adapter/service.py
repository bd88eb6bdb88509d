"""`run` as a service: the loop in the thread that was started, and beside it HTTP for those who call it.

The composition root of `web`: what the routes need is made here and handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from threading import Event
from typing import TYPE_CHECKING

import structlog

import adapter
from adapter.bootstrap import Adapter, holder_of
from adapter.errors import ConfigError
from adapter.renewed import Renewed
from adapter.settings import (
    DEFAULT_ADDRESS,
    Address,
    HttpSettings,
    Settings,
    WebhookSettings,
    http_secret_files,
    is_loopback,
    reading_http,
)
from adapter.sync.inbox import Inbox, InboxLimits
from adapter.sync.loop import Loop, LoopOptions
from adapter.sync.pulse import Pulse
from adapter.sync.report import PassReport

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from adapter.offline.operation import DerivedBundle
    from adapter.web.access import Access
    from adapter.web.metrics import Metrics
    from adapter.web.routes import Route
    from adapter.web.server import HttpServer
    from adapter.web.webhook import Secrets, Webhook

log = structlog.get_logger(__name__)


class Service:
    """A loop and, where it was asked for, the HTTP side of it.

    `tell` is given every report. A stop is asked for by setting `stop`.
    """

    def __init__(
        self, parts: Adapter, stop: Event, tell: Callable[[PassReport], None] = lambda _: None
    ) -> None:
        self.settings: Settings = parts.settings
        self.stop = stop
        self._adapter = parts
        self._told = [tell]
        http = self.settings.http
        self.inbox = Inbox(
            InboxLimits(
                asks=http.sync_queue,
                patients_at_once=http.sync_patients,
                settle_seconds=http.settle_seconds,
                settle_most_seconds=http.settle_most_seconds,
            )
        )
        self.pulse = Pulse(parts.parts.clock.now())
        self.loop = Loop(
            parts.parts,
            parts.options,
            LoopOptions(
                interval_seconds=self.settings.poll.interval_seconds, holder=holder_of("run")
            ),
            stopped=self._stopped,
            tell=self._tell,
            inbox=self.inbox,
            pulse=self.pulse,
            refresh=parts.refresh,
        )
        files = http_secret_files()
        self._secrets = Renewed("http-secrets", list(files.values()), reading_http(http, files))
        self.webhook = webhook_of(self._secrets.now, self.inbox.wake)
        self._http: HttpServer | None = None

    def run(self) -> None:
        """Run passes, and answer while they run, until stopped.

        Raises: ConfigError when the address or the certificate cannot be used, or HTTP ended by itself.
        """
        if self.settings.http.address is None:
            self.loop.run()
            return
        with self.answering():
            self.loop.run()
        if not self.stop.is_set():
            raise ConfigError(["http: the server ended by itself; the log says why"])

    @contextmanager
    def answering(self) -> Iterator[HttpServer]:
        """Answer over HTTP for as long as the block lasts."""
        from adapter.web.server import HttpServer, Tls, listen

        http = self.settings.http
        address = Address.of(http.address or DEFAULT_ADDRESS)
        listening = listen(address.host, address.port)
        tls = Tls(str(http.cert_file), str(http.key_file) if http.key_file else None)
        try:
            self._http = HttpServer(self.app(), listening, tls if http.cert_file else None)
            self._http.start()
        except ConfigError:
            listening.close()
            raise
        log.info("http_started", host=self._http.address[0], port=self._http.address[1])
        try:
            yield self._http
        finally:
            self._http.stop()

    def app(self) -> Starlette:
        """Put the application together."""
        from adapter.web.access import RenewedAccess
        from adapter.web.app import create_app

        routes = self.routes()
        self.metrics.expect(tuple(row.path for row in routes))
        access = RenewedAccess(lambda: access_of(self._secrets.now()))
        return create_app(routes, access, watcher=self.metrics.watch)

    def routes(self) -> tuple[Route, ...]:
        """Give the table of routes."""
        from adapter.fhir.strict_json import read_json
        from adapter.terminology.systems import BASE
        from adapter.web.derive_operation import DeriveOperation
        from adapter.web.health import Health
        from adapter.web.openapi import described
        from adapter.web.sync_route import SyncRoute

        parts, http = self._adapter.parts, self.settings.http
        health = Health(
            self.pulse,
            parts.store,
            parts.clock,
            interval_seconds=self.settings.poll.interval_seconds,
            stopping=self.stop.is_set,
            attention=self._attention,
            traffic=parts.traffic.counts,
        )
        sync = SyncRoute(
            self.inbox,
            parts.store,
            read_json,
            http.sync_patients,
            http.sync_wait_seconds,
            observes=self._adapter.options.observe,
        )
        derive = DeriveOperation(
            self.derived, http.derive_megabytes * 1024 * 1024, BASE, adapter.__version__
        )
        notified = self.webhook.routes() if self.webhook else ()
        watched = (*health.routes(), *self.metrics.routes())
        rows = (*watched, *sync.routes(), *derive.routes(), *notified)
        return described(rows, adapter.__version__)

    @cached_property
    def metrics(self) -> Metrics:
        """What Prometheus reads; counts from its first use on."""
        from adapter.fhir.reasons import SENTENCES
        from adapter.web.metrics import Metrics, Sources

        parts, webhook = self._adapter.parts, self.webhook
        sources = Sources(
            pulse=self.pulse,
            store=parts.store,
            clock=parts.clock,
            inbox=self.inbox,
            interval_seconds=self.settings.poll.interval_seconds,
            traffic=parts.traffic.counts,
            mappings_refused=lambda: bool(self._adapter.refresh.in_force.refused),
            build=self._build,
            token_seconds=self._token_seconds,
            notifications=lambda: webhook.counts if webhook else {},
            reasons=frozenset(SENTENCES),
        )
        metrics = Metrics(sources)
        self._told.append(metrics.tell)
        return metrics

    def derived(self, body: bytes, *, complete: bool | None) -> DerivedBundle:
        """Answer a Bundle by the rules of this moment; for any thread. Raises: InputError."""
        from adapter.offline.operation import Rules, derive_bundle

        parts = self.loop.parts  # the loop may have taken others since the last call
        context = replace(parts.context, now=parts.clock.now())
        return derive_bundle(body, Rules(parts.catalogue, context, parts.links), complete=complete)

    def _tell(self, report: PassReport) -> None:
        for tell in self._told:
            tell(report)

    def _build(self) -> dict[str, str]:
        context = self.loop.parts.context
        return {
            "version": context.software_version,
            "policy": f"{context.policy.name}|{context.policy.version}",
            "mappings": " ".join(self._adapter.refresh.in_force.versions),
        }

    def _token_seconds(self) -> dict[str, float]:
        """Give how long each server's token holds, where it is one that we asked for."""
        from adapter.transport.smart import SmartAuth

        auths = self._adapter.auths.items()
        left = {role: auth.seconds_left for role, auth in auths if isinstance(auth, SmartAuth)}
        return {role: seconds for role, seconds in left.items() if seconds is not None}

    def _attention(self) -> dict[str, str]:
        """Say what a person has to look at beside what the passes tell."""
        said = {
            "mappings": self._adapter.refresh.in_force.refusal,
            "secrets": self._secrets.refusal,
            "certificate": "" if self._http is None else self._http.refusal,
        }
        return {code: sentence for code, sentence in said.items() if sentence}

    def _stopped(self) -> bool:
        """Whether to stop: it was asked for, or nobody can reach us any more."""
        return self.stop.is_set() or (self._http is not None and not self._http.lives)


def webhook_of(now: Callable[[], HttpSettings], wake: Callable[[], None]) -> Webhook | None:
    """Make the webhook, which calls `wake`; None without a secret, so that it is not offered."""
    from adapter.web.webhook import RenewedSecrets, Webhook

    if now().webhook.secret is None:
        return None
    return Webhook(RenewedSecrets(lambda: _secrets_of(now().webhook)), wake)


def _secrets_of(settings: WebhookSettings) -> Secrets:
    from adapter.web.webhook import Secrets

    given = (settings.secret, settings.earlier_secret)
    known = tuple(one.get_secret_value().encode() for one in given if one is not None)
    return Secrets(settings.header_name, known)


def access_of(http: HttpSettings) -> Access:
    """Translate the settings into who may use what."""
    from adapter.web.access import Access, Role

    given = {
        Role.WATCH: http.watch_token,
        Role.DERIVE: http.derive_token,
        Role.SYNC: http.sync_token,
    }
    tokens = {role: secret.get_secret_value() for role, secret in given.items() if secret}
    host = Address.of(http.address or DEFAULT_ADDRESS).host
    return Access(
        tokens,
        is_loopback=is_loopback(host),
        takes_notifications=http.webhook.secret is not None,
    )
