"""What a Subscription of ours says: the criteria, where the server calls us, and how it shows who it is.

Pure. R4 gives a Subscription no identifier, so that ours are known by a tag, which names the namespace too. The secret
stands in the Subscription for everybody who may read it on the server (docs/webhook.md). Source: FHIR R4,
subscription.html; Medplum, "Subscription extensions", signatures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final
from urllib.parse import quote

from adapter.fhir.shapes import child, objects, string
from adapter.ports import JsonObject, SearchParams
from adapter.sync.reading.forms import Forms
from adapter.sync.reading.search_params import within_budget
from adapter.terminology.systems import ADAPTER_SYSTEM, SUBSCRIPTION_SYSTEM

REST_HOOK: Final = "rest-hook"
FHIR_JSON: Final = "application/fhir+json"
REQUESTED: Final = "requested"
ACTIVE: Final = "active"
OFF: Final = "off"
SIGNING_EXTENSION: Final = "https://www.medplum.com/fhir/StructureDefinition/subscription-secret"
"""Where Medplum reads the key by which it signs every body."""
_REASON: Final = "Wakes the HER2 adapter when a HER2 result may have changed"
_NOT_OURS: Final = ("_tag:not", f"{ADAPTER_SYSTEM}|derived")
_LEFT_OPEN: Final = ",:/|"
"""What stays readable in criteria: servers decode them as they decode the query of a search."""


class Signing(StrEnum):
    """How a notification shows that it comes from our server."""

    HEADER = "header"
    """The shared secret in a header, as R4 has it."""
    HMAC = "hmac"
    """The HMAC of the body under the shared secret, as Medplum has it."""


@dataclass(frozen=True)
class Hook:
    """Where and how the server calls us.

    `payload`: the media type of the bodies; "" for none, and we need none. `end`: aware; when the server may forget
    the Subscription, None for never. `namespace`: keeps test, demo and production apart.
    """

    endpoint: str
    secret: str = field(repr=False)
    header_name: str
    namespace: str
    signing: Signing = Signing.HEADER
    payload: str = ""
    end: datetime | None = None

    def subscription(self, criteria: str) -> JsonObject:
        """Write the Subscription to these criteria, without an id.

        Medplum activates nothing by itself and notifies of what is active; R4 servers want to activate.
        """
        channel: JsonObject = {"type": REST_HOOK, "endpoint": self.endpoint}
        if self.payload:
            channel["payload"] = self.payload
        resource: JsonObject = {
            "resourceType": "Subscription",
            "meta": {"tag": [tag(self.namespace)]},
            "status": REQUESTED,
            "reason": _REASON,
            "criteria": criteria,
            "channel": channel,
        }
        if self.end is not None:
            resource["end"] = self.end.astimezone(UTC).isoformat(timespec="seconds")
        if self.signing is Signing.HMAC:
            resource["status"] = ACTIVE
            resource["extension"] = [{"url": SIGNING_EXTENSION, "valueString": self.secret}]
        else:
            channel["header"] = [f"{self.header_name}: {self.secret}"]
        return resource


def criteria_of(forms: Forms, *, with_own: bool = False) -> tuple[str, ...]:
    """Write the searches that find HER2 results by code as criteria, each once.

    Names of tests and the category of laboratories are left out: servers match them late or not at all, and the poll
    finds what they would find.

    Args:
        forms: as they were tried on the server.
        with_own: also what we wrote ourselves, for a server that cannot leave a tag out.

    """
    more: SearchParams = () if with_own else (_NOT_OURS,)
    return tuple(
        f"Observation?{_query([(param, tokens), *more])}"
        for param in forms.code_params
        for tokens in within_budget(forms.tokens)
    )


def tag(namespace: str) -> dict[str, str]:
    """Give the tag that ours are known by."""
    return {"system": SUBSCRIPTION_SYSTEM, "code": namespace}


def is_ours(resource: JsonObject, namespace: str) -> bool:
    """Tell whether a Subscription is of this namespace."""
    wanted = tag(namespace)
    return any(
        all(string(one, name) == value for name, value in wanted.items())
        for one in objects(child(resource, "meta").get("tag"))
    )


def says_the_same(stored: JsonObject, wanted: JsonObject) -> bool:
    """Tell whether what stands does what is wanted: it is on, and equal in all that a server leaves as it is."""
    return string(stored, "status") in (REQUESTED, ACTIVE) and _said(stored) == _said(wanted)


def without_secret(stored: JsonObject) -> JsonObject:
    """Copy a Subscription switched off and without what its notifications are known by."""
    channel = {name: value for name, value in child(stored, "channel").items() if name != "header"}
    kept = {name: value for name, value in stored.items() if name not in ("extension", "error")}
    return {**kept, "status": OFF, "channel": channel}


def signing_of(stored: JsonObject) -> str:
    """Name how a Subscription shows who it is; "none" where it does not."""
    if _signing_key(stored):
        return Signing.HMAC.value
    return Signing.HEADER.value if child(stored, "channel").get("header") else "none"


def _said(resource: JsonObject) -> Mapping[str, Any]:
    channel = child(resource, "channel")
    return {
        "criteria": string(resource, "criteria"),
        "end": _instant(string(resource, "end")),
        "type": string(channel, "type"),
        "endpoint": string(channel, "endpoint"),
        "payload": string(channel, "payload"),
        "header": channel.get("header") or [],
        "key": _signing_key(resource),
    }


def _signing_key(resource: JsonObject) -> str:
    found = objects(resource.get("extension"))
    return next(
        (string(one, "valueString") for one in found if one.get("url") == SIGNING_EXTENSION), ""
    )


def _instant(text: str) -> datetime | str:
    """Read an instant, which servers spell in their own way; what is none stays."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text


def _query(params: SearchParams) -> str:
    return "&".join(f"{name}={quote(value, safe=_LEFT_OPEN)}" for name, value in params)
