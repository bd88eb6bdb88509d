"""Our Subscriptions on the source server, so that it wakes the poller: create, show, remove."""

from __future__ import annotations

import textwrap
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from adapter.cli.exit_codes import DONE, INTERRUPTED, NEEDS_OPERATOR
from adapter.cli.passes import instant
from adapter.cli.printing import Block, Output, number_of, print_blocks, say
from adapter.cli.shared import Shared
from adapter.cli.signals import stop_on_signals
from adapter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from adapter.audit import AuditAction
    from adapter.bootstrap import Adapter
    from adapter.settings import Settings
    from adapter.subscriptions.hook import Hook
    from adapter.subscriptions.keeper import Keeper, Standing


class SigningForm(StrEnum):
    """How notifications show where they come from."""

    HEADER = "header"
    HMAC = "hmac"


class PayloadForm(StrEnum):
    """What notifications carry."""

    NONE = "none"
    JSON = "json"


Signed = Annotated[
    SigningForm,
    typer.Option(
        "--signing", help="The secret in a header (R4), or the HMAC of each body (Medplum)."
    ),
]
Payload = Annotated[
    PayloadForm,
    typer.Option("--payload", help="Bodies of notifications; nobody reads them here."),
]
End = Annotated[
    str | None, typer.Option("--end", metavar="D", help="When the server may forget it (UTC).")
]
Wait = Annotated[
    float, typer.Option("--wait", metavar="S", min=0, help="Wait so long until it is active.")
]
WithOwn = Annotated[
    bool,
    typer.Option("--with-own", help="Also for our own results; where a server refuses _tag:not."),
]
_COLUMNS: Final = {
    "reference": "Subscription",
    "done": "Done",
    "status": "Status",
    "criteria": "Criteria",
    "endpoint": "Endpoint",
    "signing": "Signing",
    "payload": "Payload",
    "end": "End",
    "error": "Error",
}


def create(  # noqa: PLR0913 - each parameter is an option of the command
    shared: Shared,
    signing: Signed = SigningForm.HEADER,
    payload: Payload = PayloadForm.NONE,
    end: End = None,
    wait: Wait = 60.0,
    with_own: WithOwn = False,
) -> int:
    """Make the source server call our webhook when a HER2 result changes; again, it replaces what differs.

    The secret (http.webhook.secret) then stands in the Subscription on the server, for all who may read it there. Ends
    in 5 where one is not active within the wait.
    """
    from adapter.audit import AuditAction
    from adapter.subscriptions.hook import ACTIVE, criteria_of
    from adapter.sync.reading.proving import Proving
    from adapter.sync.reading.searches import Searches

    settings = shared.settings(quiet=True)
    hook = _hook(settings, signing, payload, instant(end) if end else None)
    with _opened(settings) as (adapter, keeper):
        searches = Searches.of(adapter.parts, adapter.options.read)
        Proving(searches).prepare()
        done = keeper.establish(hook, criteria_of(searches.forms, with_own=with_own))
        _record(adapter, AuditAction.SUBSCRIBED, done)
        found = keeper.settled(done, wait)
        _print(shared, "Subscriptions", found)
        if keeper.stopped():
            return INTERRUPTED
    waiting = [one for one in found if one.status and one.status != ACTIVE]
    if not waiting:
        say(f"Active: {number_of(len([one for one in found if one.status]), 'subscription')}")
        return DONE
    say(
        f"{number_of(len(waiting), 'subscription')} not active after {wait:g} s. The poll goes on without it. "
        "A server that activates nothing by itself is no R4 server in this; Medplum takes --signing hmac"
    )
    return NEEDS_OPERATOR


def show(shared: Shared) -> int:
    """Show our Subscriptions on the source server, without their secret."""
    with _opened(shared.settings(quiet=True)) as (_, keeper):
        found = keeper.show()
    _print(shared, "Subscriptions", found)
    say(number_of(len(found), "subscription"))
    return DONE


def remove(shared: Shared) -> int:
    """Take our Subscriptions away from the source server; where it deletes none, they are switched off.

    The poll goes on as before.
    """
    from adapter.audit import AuditAction

    with _opened(shared.settings(quiet=True)) as (adapter, keeper):
        found = keeper.remove()
        _record(adapter, AuditAction.UNSUBSCRIBED, found)
    _print(shared, "Removed", found)
    say(number_of(len(found), "subscription"))
    return DONE


@contextmanager
def _opened(settings: Settings) -> Iterator[tuple[Adapter, Keeper]]:
    """Open the source with the scopes that this needs, and no more; say which were granted."""
    from adapter.bootstrap import open_adapter
    from adapter.cli.granted_text import granted_sentences
    from adapter.subscriptions.keeper import Keeper
    from adapter.sync.permissions import FOR_SUBSCRIPTIONS

    with (
        stop_on_signals() as stop,
        open_adapter(settings, stop.event, scopes=FOR_SUBSCRIPTIONS) as adapter,
    ):
        parts = adapter.parts
        yield adapter, Keeper(parts.source, parts.clock, settings.output.namespace, stop.is_set)
        say(*granted_sentences(adapter.auths))


def _hook(
    settings: Settings, signing: SigningForm, payload: PayloadForm, end: datetime | None
) -> Hook:
    """Put together how we are called; raises ConfigError naming every setting that is missing."""
    from adapter.subscriptions.hook import FHIR_JSON, Hook, Signing

    webhook = settings.http.webhook
    missing = [name for name in ("endpoint", "secret") if getattr(webhook, name) is None]
    if webhook.endpoint is None or webhook.secret is None:
        raise ConfigError(
            [f"http.webhook.{name}: is missing; a subscription needs it" for name in missing]
        )
    return Hook(
        endpoint=webhook.endpoint,
        secret=webhook.secret.get_secret_value(),
        header_name=webhook.header_name,
        namespace=settings.output.namespace,
        signing=Signing(signing.value),
        payload=FHIR_JSON if payload is PayloadForm.JSON else "",
        end=end,
    )


def _record(adapter: Adapter, action: AuditAction, done: Sequence[Standing]) -> None:
    """Record in the audit trail what was changed; nothing where nothing was."""
    from collections import Counter

    from adapter.subscriptions.keeper import Done
    from adapter.sync.auditing import Auditor

    counts = Counter(one.done.value for one in done if one.done is not Done.UNCHANGED)
    if counts:
        parts = adapter.parts
        auditor = Auditor(parts.context, parts.actor)
        event = auditor.happened(action, "done", at=parts.clock.now(), facts=dict(counts))
        parts.store.record([event])


def _print(shared: Shared, title: str, found: Sequence[Standing]) -> None:
    rows = [_row(one) for one in found]
    if shared.form is Output.TABLE:
        for row in rows:  # fifty codes would leave no room for anything else
            row["criteria"] = textwrap.shorten(
                row["criteria"].replace(",", ", "), 60, placeholder="…"
            )
    shown = {name: text for name, text in _COLUMNS.items() if any(row[name] for row in rows)}
    print_blocks(shared.form, [Block(title, shown, rows)])


def _row(one: Standing) -> dict[str, Any]:
    from adapter.transport.outcome import Issue

    # The server's own text about its trouble: cut like every text of a server, it may hold anything.
    error = Issue("error", "", one.error).summary() if one.error else ""
    return {"kind": "subscription", **{name: getattr(one, name) for name in _COLUMNS}} | {
        "done": one.done.value,
        "error": error,
    }
