"""What can be measured by reads alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from adapter.doctor.bench import Bench
from adapter.doctor.findings import REFUSED, Finding, Topic, measured, not_measured
from adapter.errors import NotAuthorised, ParameterDropped, PermanentServerError
from adapter.fhir.references import reference_to
from adapter.ports import JsonObject
from adapter.sync.permissions import needed
from adapter.sync.reading.proving import Proving
from adapter.sync.reading.search_params import at_or_after, last_updated
from adapter.sync.reading.searches import Searches
from adapter.sync.reading.sweep import results_of_everybody
from adapter.sync.reading.trial import REFUSALS, Trial

PAGE_SIZES: Final = (500, 250, 100, 50)
"""Page sizes tried, from the one in use down."""
UNKNOWN: Final = "zz-no-such-parameter"
_NOWHERE: Final = "her2-doctor-no-such-id"
_BAD_CLOCK_SECONDS: Final = 120.0
_DATE_SECONDS: Final = 2.0
_ENOUGH_TIMES: Final = 5


def access(bench: Bench, *, is_source: bool, is_target: bool, group: bool = False) -> Finding:
    """Read and search each type that the adapter reads; a denial names the scope that is missing.

    `group`: a FHIR Group says whom to look at.
    """
    denied, kinds = [], []
    for scope in needed(source=is_source, target=is_target, observe=True, group=group):
        kind, _, letters = scope.removeprefix("system/").partition(".")
        kinds.append(kind)
        denied += [f"{kind}.{letter}" for letter in letters if _is_denied(bench, kind, letter)]
    says = f"denied: {', '.join(denied)}" if denied else f"nothing was denied: {', '.join(kinds)}"
    return measured(Topic.ACCESS, says, works=not denied)


def _is_denied(bench: Bench, kind: str, letter: str) -> bool:
    """Ask twice: one 401 may be a token that has just ended."""
    for _ in range(2):
        try:
            if letter == "r":
                bench.read(f"{kind}/{_NOWHERE}")
            else:
                bench.first(kind, [("_count", "1")])
        except NotAuthorised:
            continue
        except PermanentServerError:
            return False  # a search of everything may be refused; that it may be asked is all that counts here
        return False
    return True


def forms(searches: Searches) -> Iterator[Finding]:
    """Prove the searches in use as a pass does, and tell whether changes can be asked for."""
    Proving(searches).prepare()
    said = "; ".join(searches.warnings)
    if not searches.by_patient and _refuses_everybody(searches):
        says = "a search that names no patient is refused: no pass by what changed can run"
        yield measured(Topic.FORMS, says, works=False, value=REFUSED)
        return
    if not searches.proved:
        yield not_measured(
            Topic.FORMS, said or "no HER2 result was found there that they could be tried on"
        )
        return
    used = ", ".join([*searches.forms.code_params, *searches.forms.name_params])
    yield measured(Topic.FORMS, said or f"by {used}: proved on a result", works=not said)
    if searches.by_patient:
        yield not_measured(
            Topic.LAST_UPDATED, "poll.discovery does not ask the source what changed"
        )
        return
    words = "finds what changed" if searches.incremental else "does not find what changed"
    yield measured(Topic.LAST_UPDATED, words, works=searches.incremental)


def _refuses_everybody(searches: Searches) -> bool:
    try:
        next(results_of_everybody(searches, alone=True), None)
    except PermanentServerError as error:
        if isinstance(error, NotAuthorised) or error.status not in REFUSALS:
            raise
        return True
    return False


def changes(bench: Bench, probe: JsonObject) -> Finding:
    """Ask for one Observation by its own time of change, and by one that has not come yet.

    `probe`: one of ours, or {} where none was written: then any other.
    """
    anyone = [("_count", "1")]
    sample = bench.read(reference_to(probe)) if probe else bench.first("Observation", anyone)
    instant = last_updated(sample) if sample else None
    if sample is None:
        return not_measured(Topic.LAST_UPDATED, "the server holds no Observation to try it on")
    if instant is None:
        return measured(Topic.LAST_UPDATED, "resources say no time of change", works=False)
    trial, by_id = Trial(bench.server), ("_id", str(sample["id"]))
    if not trial.finds([by_id, ("_lastUpdated", at_or_after(instant))]):
        return measured(Topic.LAST_UPDATED, "does not find what changed", works=False)
    if trial.finds([by_id, ("_lastUpdated", at_or_after(instant + timedelta(days=1)))]):
        return measured(Topic.LAST_UPDATED, "is ignored: finds what did not change", works=False)
    return measured(Topic.LAST_UPDATED, "finds what changed, and nothing else", works=True)


def unknown_parameter(bench: Bench) -> Finding:
    """Search with a parameter that no server has: a misspelt search must not find everything."""
    topic = Topic.UNKNOWN_PARAMETER
    try:
        found = bench.first("Observation", [(UNKNOWN, "1"), ("_count", "1")])
    except ParameterDropped:
        return measured(topic, "is left out, and the self link says so", works=True, value="said")
    except PermanentServerError as error:
        if isinstance(error, NotAuthorised) or error.status not in REFUSALS:
            raise
        return measured(topic, f"is refused ({error.status})", works=True, value="refused")
    if found is not None:
        says = "is ignored in silence: no search is trusted before it was tried"
        return measured(topic, says, works=False, value="ignored")
    if bench.first("Observation", [("_count", "1")]) is None:
        return not_measured(topic, "the server holds no Observation to try it on")
    says = "finds nothing, in silence: no search is trusted before it was tried"
    return measured(topic, says, works=False, value="finds-nothing")


def page_size(bench: Bench, wanted: int) -> Finding:
    """Ask for large pages of all Observations, and count what comes."""
    refused = []
    for size in dict.fromkeys([wanted, *(size for size in PAGE_SIZES if size < wanted)]):
        try:
            pages = bench.search("Observation", [("_count", str(size))])
            found = len(next(pages).matches)
            is_last = found < size and not any(page.matches for page in pages)
        except PermanentServerError as error:
            if isinstance(error, NotAuthorised) or error.status not in REFUSALS:
                raise
            refused.append(str(size))
            continue
        asked = f"{size} asked for" + (f", {', '.join(refused)} refused" if refused else "")
        if is_last:
            why = f"{asked}, and the server holds {found} in all: a lower limit could not show"
            return not_measured(Topic.PAGE_SIZE, why)
        return measured(Topic.PAGE_SIZE, f"{found} ({asked})", works=True, value=found)
    return not_measured(Topic.PAGE_SIZE, "the server refuses a search of all Observations")


def clock(bench: Bench) -> Finding:
    """Compare the server's Date with our clock, and see how fine its times of change are."""
    page = next(bench.search("Observation", [("_count", "20")]))
    here, there = bench.clock.now(), page.server_time
    if there is None:
        return not_measured(Topic.CLOCK, "the server sends no Date")
    ahead = (there - here).total_seconds()
    # A Date has whole seconds, and the answer was on its way.
    apart = 0.0 if abs(ahead) <= _DATE_SECONDS else round(ahead)
    side = "ahead of" if apart > 0 else "behind"
    says = f"{abs(apart):.0f} s {side} ours" if apart else "as ours"
    return measured(
        Topic.CLOCK,
        says + _precision(page.matches),
        works=abs(apart) < _BAD_CLOCK_SECONDS,
        value=apart,
    )


def _precision(resources: Sequence[JsonObject]) -> str:
    """Tell how fine times of change are; nothing where there are too few to tell by."""
    instants = [instant for one in resources if (instant := last_updated(one))]
    if any(instant.microsecond for instant in instants):
        return "; times of change to the fraction of a second"
    return "; times of change to the second" if len(instants) >= _ENOUGH_TIMES else ""
