"""Asking HAPI whether a resource is valid."""

from __future__ import annotations

from typing import Any

import requests

from tests.servers.hapi import HapiServer

Json = dict[str, Any]

TIMEOUT_SECONDS = 120


def validated(hapi: HapiServer, resource: Json, profile: str | None = None) -> list[Json]:
    """Give the issues of `$validate`."""
    answer = requests.post(
        f"{hapi.base_url}/{resource['resourceType']}/$validate",
        params={"profile": profile} if profile else {},
        json=resource,
        timeout=TIMEOUT_SECONDS,
    )
    issues: list[Json] = answer.json()["issue"]
    return issues


def errors_of(issues: list[Json]) -> list[str]:
    """Give the sentences of those that make a resource invalid."""
    return [one["diagnostics"] for one in issues if one["severity"] in {"error", "fatal"}]
