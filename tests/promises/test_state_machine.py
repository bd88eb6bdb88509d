"""F3: any mix of what laboratories, servers, people and crashes do ends where the oracle says.

A failing history is printed shrunk, as calls of BesideALaboratory: it becomes a named test in the room it belongs to.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.promises.beside_a_laboratory import BesideALaboratory

FULL = os.environ.get("HER2_PROVE") == "full"
EXAMPLES, STEPS = (20_000 if FULL else 2_000), 30


@pytest.fixture
def quiet_logs() -> Iterator[None]:
    """Tens of thousands of passes say nothing."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


@pytest.mark.usefixtures("quiet_logs")
def test_every_history_ends_as_the_oracle_says(
    record_property: Callable[[str, object], None],
) -> None:
    record_property("promise", "state machine")

    run_state_machine_as_test(
        BesideALaboratory,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=not FULL,  # the same in every CI run; by hand it looks elsewhere each time
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

    happened = BesideALaboratory.happened
    record_property(
        "figure",
        f"{BesideALaboratory.examples:,} histories of up to {STEPS} steps, all equal to the oracle: "
        + ", ".join(f"{number:,} {what}" for what, number in happened.most_common()),
    )
    assert BesideALaboratory.examples >= EXAMPLES
    assert set(happened) >= {
        *("report", "late", "status", "entered-in-error", "delete", "move", "merge", "hide"),
        *("fault", "search-fault", "foreign-edit", "kill", "lose-state", "second-instance"),
    }
