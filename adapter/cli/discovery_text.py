"""What people are told at start: by what it is known whom to look at, and how late a change is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adapter.settings import Settings


def discovery_sentence(settings: Settings) -> str:
    """Say in one line whom the passes look at, how often, and what nobody notices."""
    poll = settings.poll
    hours = f"{poll.sweep_hours:g} h"
    match poll.discovery:
        case "patients":
            named = poll.group or f"the file {poll.patients_file}"
            return (
                f"Discovery: the patients of {named}, each read every {hours} (poll.sweep_hours), new ones at the next "
                f"pass; a change is seen up to {hours} late, and of nobody else"
            )
        case "requests":
            return (
                "Discovery: only the patients that somebody asks for (POST /sync, sync --patient); no change is seen "
                "by itself, nor a change of rules or mappings applied"
            )
        case _:
            return (
                f"Discovery: what changed on the source, asked for every {poll.interval_seconds:g} s, and everything "
                f"every {hours}; where the source cannot be asked, everything each time"
            )


def log_discovery(settings: Settings) -> None:
    """Tell the log the same."""
    import structlog

    poll = settings.poll
    list_of = {"reference": poll.group} if poll.group else {}
    file = {"file": poll.patients_file} if poll.patients_file else {}
    structlog.get_logger(__name__).info(
        "discovery",
        kind=poll.discovery,
        seconds=poll.sweep_hours * 3600,
        wait_seconds=poll.interval_seconds,
        **list_of,
        **file,
    )
