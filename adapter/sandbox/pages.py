"""Bundles of search results and histories, page by page, under opaque tokens.

What belongs to a result set is settled by the first request and stays so while a client pages;
what is shown of it is always the present content, and what was deleted meanwhile is left out.
"""

from __future__ import annotations

import re
import secrets
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from adapter.sandbox.json_text import JsonObject
from adapter.sandbox.outcomes import Refused, bad_request

_token = re.compile(r"(?P<results>[A-Za-z0-9_-]{22})\.(?P<start>\d{1,9})")


@dataclass(frozen=True, slots=True)
class ResultSet:
    """All results of one request: `keys` in order, and `entries` which shows some of them.

    `again` looks for the keys anew, where that can be done.
    """

    bundle_type: str
    self_url: str
    total: int | None
    page_size: int
    keys: Sequence[Any]
    entries: Callable[[Sequence[Any]], list[JsonObject]]
    again: Callable[[], Sequence[Any]] | None = None


class Pages:
    """Result sets that have more than one page; used inside the storage's transaction only."""

    def __init__(self, kept_result_sets: int) -> None:
        """Keep so many result sets; then the oldest is forgotten, and answered with 410."""
        self._limit = kept_result_sets
        self._kept: OrderedDict[str, ResultSet] = OrderedDict()

    def forget(self) -> None:
        """Forget every result set, as a server does that restarts."""
        self._kept.clear()

    def first(self, results: ResultSet, base_url: str) -> JsonObject:
        """Build the first page, and keep the rest for `following`."""
        name = secrets.token_urlsafe(16)
        if len(results.keys) > results.page_size:
            self._kept[name] = results
            while len(self._kept) > self._limit:
                self._kept.popitem(last=False)
        return _page(results, 0, results.self_url, f"{base_url}?_page={name}")

    def following(self, token: str, base_url: str, *, is_kept: bool = True) -> JsonObject:
        """Build the page that a next link asked for; of what is found now unless `is_kept`.

        Raises: Refused with 400 for what is no token, 410 for one that is no longer kept.
        """
        found = _token.fullmatch(token)
        if found is None:
            raise bad_request("_page: not a token of this server")
        results = self._kept.get(found["results"])
        if results is None:
            raise Refused(410, "expired", "this page is no longer kept: search again")
        if not is_kept and results.again is not None:
            results = replace(results, keys=results.again())
        address = f"{base_url}?_page={found['results']}"
        return _page(results, int(found["start"]), f"{base_url}?_page={token}", address)


def _page(results: ResultSet, start: int, self_url: str, address: str) -> JsonObject:
    end = start + results.page_size
    links = [{"relation": "self", "url": self_url}]
    if end < len(results.keys):
        links.append({"relation": "next", "url": f"{address}.{end}"})
    bundle: JsonObject = {"resourceType": "Bundle", "type": results.bundle_type}
    if results.total is not None:
        bundle["total"] = results.total
    bundle["link"] = links
    entries = results.entries(results.keys[start:end])
    if entries:
        bundle["entry"] = entries
    return bundle
