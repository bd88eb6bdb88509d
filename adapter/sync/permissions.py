"""Which permissions a pass needs on its servers, as SMART scopes; the least that it can work with.

Source: SMART App Launch 2.2, "FHIR resource scopes": `r` reads one, `s` searches, `u` updates (also
where an update makes a new resource under an id we chose), `c` creates under an id of the server's.
"""

from __future__ import annotations

from typing import Final

FROM_SOURCE: Final = (
    "system/Observation.rs",
    "system/Patient.r",
    "system/Specimen.rs",
    "system/DiagnosticReport.rs",
    "system/Condition.r",
    "system/ServiceRequest.r",
)
"""To read results and what is around them."""

FOR_SUBSCRIPTIONS: Final = ("system/Observation.rs", "system/Subscription.cruds")
"""To manage our Subscriptions, and to try which searches their criteria may use; no pass asks for it."""

_OURS: Final = ("Observation", "Provenance", "Device")
"""What the adapter writes, and reads again to compare."""


def needed(
    *,
    source: bool,
    target: bool,
    observe: bool = False,
    creates: bool = False,
    group: bool = False,
) -> tuple[str, ...]:
    """Give the scopes to ask one server for, each once.

    Args:
        source: results are read there.
        target: ours are read there, and written.
        observe: nothing is written.
        creates: the server does not let clients choose ids.
        group: a FHIR Group of the source says whom to look at.

    """
    asked = list(FROM_SOURCE) if source else []
    if source and group:
        asked.append("system/Group.r")
    if target:
        asked += [f"system/{kind}.rs" for kind in _OURS]
    if target and not observe:
        asked += [f"system/{kind}.u" for kind in _OURS]
        asked += [f"system/{kind}.c" for kind in _OURS if creates]
    return tuple(dict.fromkeys(asked))
