"""Says in sentences what the servers allow us beside what was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from adapter.transport.auth import Auth
    from adapter.transport.smart import ScopeReport


def granted_sentences(auths: Mapping[str, Auth]) -> Iterator[str]:
    """Tell of each token that was given which scopes it has, and which are missing.

    `auths`: "source" and "target" → the way to authorise, as `Adapter.auths`; those without scopes
    are passed over.
    """
    from adapter.transport.smart import SmartAuth  # heavy: it signs

    for role, auth in auths.items():
        if isinstance(auth, SmartAuth) and auth.scopes is not None:
            yield from _sentences(role, auth.scopes)


def _sentences(role: str, report: ScopeReport) -> Iterator[str]:
    if report.granted is None:
        yield f"The {role} does not say which scopes it granted; asked: {' '.join(report.asked)}"
        return
    yield f"Granted by the {role}: {' '.join(report.granted)}"
    if report.missing:
        yield (
            f"Degraded: the {role} did not grant, or only in part: {' '.join(report.missing)}; "
            "what it hides looks as if it were not there"
        )
    if report.extra:
        yield f"The {role} granted more than was asked for: {' '.join(report.extra)}"
