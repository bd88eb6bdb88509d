"""Between passes: how it goes, what was not understood, what is parked; and taking results back."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from adapter.cli.alone import writing_at_once
from adapter.cli.exit_codes import DONE, INTERRUPTED, NEEDS_OPERATOR
from adapter.cli.passes import instant, patient_asked
from adapter.cli.printing import Block, print_blocks, say
from adapter.cli.progress import shown_progress
from adapter.cli.shared import PolicyName, Shared
from adapter.cli.signals import stop_on_signals
from adapter.traffic import requests_in

if TYPE_CHECKING:
    from adapter.audit import AuditEvent
    from adapter.ports import ParkedCase, PassRecord, StateStore
    from adapter.sync.withdraw import Selection

Check = Annotated[
    bool,
    typer.Option(
        "--check", help="End in 5 when it is stale, a brake is engaged or an overlay is refused."
    ),
]
Keys = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY …]", help="Ids as `parked list` shows them; none for all."),
]
All = Annotated[bool, typer.Option("--all", help="Everything of this namespace and policy.")]
RuleId = Annotated[str | None, typer.Option("--rule", metavar="ID", help="What this rule decided.")]
PolicyVersion = Annotated[
    str | None,
    typer.Option("--policy", metavar="V", help="What this policy decided: name, version, or both."),
]
WrittenSince = Annotated[
    str | None, typer.Option("--since", metavar="D", help="What was written from this day on.")
]
OfPatient = Annotated[
    str | None, typer.Option("--patient", metavar="ID", help="What is about this patient.")
]
STOP_IT: Final = "It would write again what its rules still say: stop it, withdraw, start it."
Preview = Annotated[bool, typer.Option("--preview", help="Show what would be withdrawn.")]


def status(shared: Shared, check: Check = False) -> int:
    """Tell how it goes: the last passes, how fresh they are, the queue, what is parked, the brake, the mappings.

    And whether the decision table is the one that was signed. No server is asked, so it can serve as
    a health check.
    """
    from adapter.bootstrap import open_state
    from adapter.cli.in_force_text import mapping_facts
    from adapter.cli.signing import signature_facts
    from adapter.store import place_of
    from adapter.sync.options import STALE_INTERVALS

    settings = shared.settings(quiet=True)
    now = datetime.now(UTC)
    with open_state(settings) as store:
        passes = store.passes()
        fresh_within = timedelta(seconds=STALE_INTERVALS * settings.poll.interval_seconds)
        facts = {"state": place_of(settings.store.url)}
        facts |= _facts(store, now, fresh_within) | mapping_facts(store)
    facts |= signature_facts(settings)
    rows = [{"kind": "status", **facts}, *map(_pass_row, passes)]
    if shared.form.value == "table":
        listed = [{"fact": name.replace("_", " "), "value": facts[name]} for name in facts]
        blocks = [Block("Status", {"fact": "", "value": ""}, listed)]
        blocks.append(Block("Last passes", _PASS_COLUMNS, rows[1:]))
    else:
        blocks = [Block("", {}, rows)]
    print_blocks(shared.form, blocks)
    if not check:
        return DONE
    troubles = _troubles(facts, fresh_within)
    say(*troubles)
    return NEEDS_OPERATOR if troubles else DONE


_PASS_COLUMNS: Final = {
    "started_at": "Started",
    "seconds": "Seconds",
    "pass": "Kind",
    "outcome": "Outcome",
    "fetched": "Results",
    "writes": "Written",
    "parked": "Parked",
    "requests": "Requests",
}


def _facts(store: StateStore, now: datetime, fresh_within: timedelta) -> dict[str, Any]:
    from adapter.sync.reading.discover import RESULTS
    from adapter.sync.releasing import engaged, first_contact_stopped
    from adapter.sync.report import GOOD, LOOKS_AT_ALL

    # A pass over patients who were asked for says nothing of all the others, however many came since.
    last_good = store.latest_pass(LOOKS_AT_ALL, GOOD)
    good = last_good.ended_at if last_good else None
    watermark = store.watermark(RESULTS)
    return {
        "last_good_pass": good.isoformat() if good else None,
        "seconds_since": round((now - good).total_seconds()) if good else None,
        "fresh": good is not None and now - good <= fresh_within,
        "queue": store.queue_length(),
        "parked": len(store.parked()),
        "unmapped": sum(one.entry.kind == "not-read" for one in store.worklist()),
        "brake_engaged": engaged(store) is not None or first_contact_stopped(store),
        "read_up_to": watermark.isoformat() if watermark else None,
    }


def _pass_row(record: PassRecord) -> dict[str, Any]:
    counts = record.counts
    return {
        "kind": "pass",
        "started_at": record.started_at.isoformat(timespec="seconds"),
        "seconds": round((record.ended_at - record.started_at).total_seconds(), 1),
        "pass": record.kind,
        "outcome": record.outcome,
        "fetched": counts.get("fetched", 0),
        "writes": counts.get("writes", 0),
        "parked": counts.get("parked", 0),
        "requests": requests_in(counts),
        "counts": dict(counts),
    }


def _troubles(facts: dict[str, Any], fresh_within: timedelta) -> list[str]:
    troubles = []
    if facts["brake_engaged"]:
        troubles.append(
            "A brake is engaged: look at `her2-adapter brake show`, then decide "
            "(`brake release --by NAME`, or `sync --backfill` on a first pass)"
        )
    if not facts["fresh"]:
        since = facts["last_good_pass"] or "the start"
        troubles.append(
            f"Stale: no pass has ended well since {since}; expected within "
            f"{fresh_within.total_seconds():.0f} s"
        )
    if facts["mappings_refused"]:
        troubles.append(facts["mappings_refused"])
    return troubles


def parked(shared: Shared) -> None:
    """List the results that the server refuses for good, with its reason."""
    from adapter.bootstrap import open_state

    with open_state(shared.settings(quiet=True)) as store:
        cases = store.parked()
    rows = [
        {
            "key": case.key,
            "patient": case.patient,
            "reason": case.reason,
            "attempts": case.attempts,
            "parked_at": case.parked_at.isoformat(timespec="seconds"),
        }
        for case in cases
    ]
    columns = {
        "key": "Key",
        "patient": "Patient",
        "reason": "Reason",
        "attempts": "Attempts",
        "parked_at": "Parked",
    }
    print_blocks(shared.form, [Block("Parked", columns, rows)])
    say(f"{len(rows)} parked")


def retry(shared: Shared, keys: Keys = None) -> None:
    """Take results off the parked list, so that the next pass sends them again."""
    from adapter.bootstrap import open_state

    with open_state(shared.settings(quiet=True)) as store:
        cases = store.parked()
        wrong = set(keys or ()) - {case.key for case in cases}
        if wrong:
            raise typer.BadParameter(f"not parked: {', '.join(sorted(wrong))}")
        chosen = [case for case in cases if not keys or case.key in keys]
        # First the queue: a crash in between leaves a case parked, and never forgotten.
        store.enqueue(sorted({case.patient for case in chosen}), reason="retry")
        store.record([_retried(case) for case in chosen])
        store.unpark([case.key for case in chosen])
    rows = [{"key": case.key, "patient": case.patient} for case in chosen]
    columns = {"key": "Key", "patient": "Patient"}
    print_blocks(shared.form, [Block("To be sent again", columns, rows)])
    say(f"{len(rows)} will be sent again by the next pass")


def _retried(case: ParkedCase) -> AuditEvent:
    from adapter.audit import AuditAction, AuditEvent
    from adapter.bootstrap import actor

    details = {"derived": f"Observation/{case.key}"}
    return AuditEvent(
        AuditAction.UNPARKED,
        "to-be-sent-again",
        actor(),
        datetime.now(UTC),
        patient=case.patient,
        details=details,
    )


def withdraw(  # noqa: PLR0913 - each parameter is an option of the command
    shared: Shared,
    everything: All = False,
    rule: RuleId = None,
    policy: PolicyVersion = None,
    since: WrittenSince = None,
    patient: OfPatient = None,
    preview: Preview = False,
) -> int:
    """Take our own derived results back: entered-in-error, with Provenance; nothing is deleted.

    A running adapter on this state is stopped first: it would write again what its rules still say.
    """
    from adapter.bootstrap import open_adapter
    from adapter.cli.pass_report import print_pass
    from adapter.sync.cycle import Interrupts
    from adapter.sync.lease import LEASE_SECONDS
    from adapter.sync.withdraw import withdraw_ours

    if everything == bool(rule or policy or since or patient):
        raise typer.BadParameter(
            "say what to withdraw: --all, or some of --rule, --policy, --since, --patient"
        )
    selection, family = _selection(rule, policy, since)
    selection = replace(selection, patient=patient_asked(patient) if patient else None)
    settings = shared.settings(quiet=True, policy__name=family)
    if settings.mode == "observe" and not preview:
        raise typer.BadParameter(
            "mode is observe: nothing is written; --preview shows what is meant"
        )
    with (
        stop_on_signals() as stop,
        shown_progress() as watched,
        open_adapter(settings, stop.event, watched=watched) as adapter,
    ):
        parts = adapter.parts
        with (
            nullcontext()
            if preview
            else writing_at_once(
                parts.store, parts.clock, "withdraw", STOP_IT, lease_seconds=LEASE_SECONDS
            )
        ) as lease:
            report = withdraw_ours(
                parts,
                adapter.options,
                selection,
                preview=preview,
                interrupts=Interrupts.of(lease, stop.is_set) if lease else None,
            )
    print_pass(report, shared.form)
    if not report.rows and not stop.is_set():
        _refuse_unknown_rule(rule)
        say("No derived result of ours fits what was asked for")
    elif preview:
        say("Nothing was written; without --preview these are marked entered-in-error")
    return INTERRUPTED if stop.is_set() else DONE


def _refuse_unknown_rule(rule: str | None) -> None:
    """Refuse a rule that decided nothing here and that no version in use has: it is a slip of the pen.

    Asked only where nothing was found, because what a rule of an earlier version decided can be taken back too.
    """
    from adapter.her2.rules import ALL_RULES

    known = [one.id for one in ALL_RULES]
    if rule is not None and rule not in known:
        near = get_close_matches(rule, known, 1)
        raise typer.BadParameter(
            f"--rule: no rule {rule} is known, and nothing was decided by it"
            f"{f'; did you mean {near[0]}?' if near else ''}"
        )


def _selection(
    rule: str | None, policy: str | None, since: str | None
) -> tuple[Selection, PolicyName | None]:
    """Read what to withdraw; a policy's name also says whose results they are."""
    from adapter.sync.withdraw import Selection

    name, _, version = (policy or "").partition("|")
    is_named = name in set(PolicyName)
    if version and not is_named:
        raise typer.BadParameter(f"{name}: knows {', '.join(PolicyName)}")
    # Each policy is a family of its own, so its name alone selects all that it wrote.
    chosen = policy if version or not is_named else None
    return Selection(
        rule=rule, policy=chosen or None, since=instant(since) if since else None
    ), PolicyName(name) if is_named else None
