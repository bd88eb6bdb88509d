"""When a pass must stop before it writes: too much withdrawn, changed or first created. Pure.

A scope that was narrowed looks like results that are gone, and a wrong mapping looks like many
corrections. Both are decided by a person, with the preview in hand. Creations count at first
contact only. Withdrawals for absence add up over passes: where patients are woken one by one, a
narrowed scope would else take a hospital's results away drop by drop.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from adapter.sync.options import BrakeLimits
from adapter.sync.planning.plan import Action, Planned


@dataclass(frozen=True)
class Load:
    """What a pass would do, and what stands.

    `existing`: derived results that stand and are not withdrawn. `first_contact`: the server held
    none of ours. `held`: key of each derived Observation that would be withdrawn for absence or
    change its category → a mark of what would be done to it. `gone`: the marks of those that would
    be withdrawn for absence. `lately`: how many others were withdrawn for absence by earlier passes
    and not released by a person (releasing.py says how far back).
    """

    gone: frozenset[str] = frozenset()
    lately: int = 0
    changes: int = 0
    creations: int = 0
    existing: int = 0
    first_contact: bool = False
    held: Mapping[str, str] = field(default_factory=dict)

    @property
    def withdrawals(self) -> int:
        """How many would be withdrawn for absence."""
        return len(self.gone)

    def plus(self, other: Load) -> Load:
        """Add another load up; whether it is first contact stays as it is."""
        return replace(
            self,
            gone=self.gone | other.gone,
            changes=self.changes + other.changes,
            creations=self.creations + other.creations,
            existing=self.existing + other.existing,
            held={**self.held, **other.held},
        )


@dataclass(frozen=True)
class BrakeState:
    """Whether the pass may write, and what stopped it: `reasons` are sentences for the operator."""

    engaged: bool
    reasons: tuple[str, ...] = ()
    load: Load = Load()


RELEASED = BrakeState(engaged=False)


def load_of(planned: Iterable[Planned], *, existing: int) -> Load:
    """Add up decisions on patients who have `existing` active derived results."""
    decisions = list(planned)
    return Load(
        gone=frozenset(_mark(one) for one in decisions if one.is_for_absence),
        changes=sum(one.is_change for one in decisions),
        creations=sum(one.action is Action.CREATE for one in decisions),
        existing=existing,
        held={one.key: _mark(one) for one in decisions if one.is_for_absence or one.is_change},
    )


def _mark(planned: Planned) -> str:
    """Give what would be done to a result in sixteen digits: a preview can be held against it later."""
    done = (planned.key, planned.action.value, planned.reason, planned.before, planned.after)
    return hashlib.sha256(repr(done).encode()).hexdigest()[:16]


def judge(load: Load, limits: BrakeLimits, *, shown: frozenset[str] = frozenset()) -> BrakeState:
    """Decide whether a pass may change and withdraw as much as it wants to.

    Args:
        load: what the pass would do.
        limits: see BrakeLimits.
        shown: the marks of what an operator was shown and releases; a pass that wants nothing
            beyond these is let through.

    """
    beyond = frozenset(load.held.values()) - shown
    if shown and not beyond:
        return BrakeState(False, (), load)
    may_withdraw = max(limits.withdraw_floor, limits.withdraw_percent / 100 * load.existing)
    may_change = max(limits.change_floor, limits.change_percent / 100 * load.existing)
    reasons = []
    if load.gone and load.withdrawals + load.lately > may_withdraw:
        beside = f", beside {load.lately} that were so lately" if load.lately else ""
        reasons.append(
            f"{load.withdrawals} of {load.existing} derived results would be withdrawn because sources cannot be "
            f"read any more{beside}; at most {int(may_withdraw)} are without being asked. Check what the "
            "adapter's account may read."
        )
    if load.changes > may_change:
        reasons.append(
            f"{load.changes} of {load.existing} derived results would change their category; at most "
            f"{int(may_change)} do without being asked. Check the mappings and the policy."
        )
    if reasons and shown:
        reasons.append(
            f"{len(beyond)} of these were not in the preview that was released. Look again with "
            "`her2-adapter brake show`."
        )
    return BrakeState(bool(reasons), tuple(reasons), load)


def judge_first_contact(load: Load, limits: BrakeLimits, *, allowed: bool) -> BrakeState:
    """Decide whether a first pass may create that much; `allowed`: it was asked for."""
    if not load.first_contact or allowed or load.creations <= limits.first_pass:
        return BrakeState(False, (), load)
    reason = (
        f"a first pass would create {load.creations} results, more than {limits.first_pass}. Look at the counts, then "
        "run `her2-adapter sync --backfill` for all of them, or `--since DATE` for what changed from a day on."
    )
    return BrakeState(True, (reason,), load)
