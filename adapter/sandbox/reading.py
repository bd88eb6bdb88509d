"""The interactions that change nothing: read, vread, history, search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import quote, urlencode

from adapter.sandbox.calls import Call
from adapter.sandbox.json_text import JsonObject, JsonText
from adapter.sandbox.outcomes import bad_request, gone, not_found
from adapter.sandbox.pages import Pages, ResultSet
from adapter.sandbox.replies import Reply, instant
from adapter.sandbox.routing import Route
from adapter.sandbox.rules import ServerRules
from adapter.sandbox.seams import Seams
from adapter.sandbox.search import ACCEPTED_WITHOUT_EFFECT, Include, Pairs, Search, read_search
from adapter.sandbox.search_values import instant_range
from adapter.sandbox.storage import Key, Storage, StoredVersion


class Reading:
    """Reading interactions; each is called inside the storage's transaction."""

    def __init__(self, storage: Storage, rules: ServerRules, seams: Seams) -> None:
        self._storage = storage
        self._rules = rules
        self._seams = seams
        self.pages = Pages(rules.kept_result_sets)

    def read(self, route: Route, call: Call) -> Reply:
        """Read the current version; 304 when If-None-Match or If-Modified-Since says it is known.

        Raises: Refused with 404 when it never existed, 410 when it was deleted.
        """
        _only_formats(call.query)
        version = self._storage.current(route.key)
        if version is None:
            raise not_found(f"{route.resource_type}/{route.logical_id}")
        if version.body is None:
            raise gone(version.name)
        if _is_known(version, call):
            return Reply(HTTPStatus.NOT_MODIFIED, None, version)
        return Reply(HTTPStatus.OK, JsonText(version.body), version)

    def vread(self, route: Route, call: Call) -> Reply:
        """Read one version.

        Raises: Refused with 404 when there is none such, 410 when that version is the deletion.
        """
        _only_formats(call.query)
        version = self._storage.version(route.key, route.version)
        if version is None:
            raise not_found(f"{route.resource_type}/{route.logical_id}/_history/{route.version}")
        if version.body is None:
            raise gone(version.name)
        return Reply(HTTPStatus.OK, JsonText(version.body), version)

    def history(self, route: Route, call: Call) -> Reply:
        """Give all versions of a resource, a type or the server, the newest first.

        Raises: Refused with 404 for an instance that never existed, 400 for an unknown parameter.
        """
        if route.logical_id and self._storage.current(route.key) is None:
            raise not_found(f"{route.resource_type}/{route.logical_id}")
        size, since = self._rules.default_page, None
        for name, value in call.query:
            if name == "_count" and value.isascii() and value.isdigit() and 0 < int(value) < 10**9:
                size = min(int(value), self._rules.max_page)
            elif name == "_since":
                since = _moment(name, value)
            elif name not in ACCEPTED_WITHOUT_EFFECT:
                raise bad_request(f"history: {name} is unknown or its value wrong")
        keys = self._storage.history(route.resource_type or None, route.logical_id or None, since)

        def entries(sequence_numbers: Sequence[int]) -> list[JsonObject]:
            versions = self._storage.by_sequence(sequence_numbers)
            return [_history_entry(version, call.base_url) for version in versions]

        results = ResultSet("history", _self_url(call, call.query), len(keys), size, keys, entries)
        return Reply(HTTPStatus.OK, self.pages.first(results, call.base_url))

    def search(self, route: Route, call: Call) -> Reply:
        """Search one type, and give the first page.

        Raises: Refused with 400 for anything in the search that is not understood.
        """
        search = read_search(route.resource_type, call.query, call.base_url, self._rules)
        ids = self._found(search)
        shown = ids if search.page_size else []

        def entries(page_of_ids: Sequence[str]) -> list[JsonObject]:
            return self._search_entries(search, page_of_ids, call.base_url)

        results = ResultSet(
            "searchset",
            _self_url(call, search.used),
            len(ids) if search.with_total else None,
            search.page_size or 1,
            shown,
            entries,
            lambda: self._found(search),
        )
        return Reply(HTTPStatus.OK, self.pages.first(results, call.base_url))

    def page(self, call: Call) -> Reply:
        """Give a further page of a search or history.

        Raises: Refused with 400 when it is no next link, 410 when the token is no longer kept.
        """
        match call.query:
            case (("_page", token),):
                is_kept = self._seams.keeps_result_sets()
                page = self.pages.following(token, call.base_url, is_kept=is_kept)
                return Reply(HTTPStatus.OK, page)
            case _:
                raise bad_request("searching over all types is not supported", code="not-supported")

    def _found(self, search: Search) -> list[str]:
        ids = self._storage.find(search.resource_type, search.matches, search.order)
        return [one for one in ids if self._seams.finds((search.resource_type, one))]

    def _search_entries(
        self, search: Search, ids: Sequence[str], base_url: str
    ) -> list[JsonObject]:
        found = self._storage.living(search.resource_type, ids)
        matches = [found[logical_id] for logical_id in ids if logical_id in found]
        included = self._included(matches, search.includes)
        return [
            {
                "fullUrl": f"{base_url}/{version.name}",
                "resource": JsonText(version.body or ""),
                "search": {"mode": mode},
            }
            for mode, versions in (("match", matches), ("include", included))
            for version in versions
        ]

    def _included(
        self, matches: Iterable[StoredVersion], includes: tuple[Include, ...]
    ) -> list[StoredVersion]:
        known = {(match.resource_type, match.logical_id) for match in matches}
        fresh, included = set(known), list[StoredVersion]()
        while fresh and includes:
            reached: set[Key] = set()
            for include in includes:
                reached |= self._followed(include, fresh)
            found = self._all_living(reached - known)
            included += found
            fresh = {(version.resource_type, version.logical_id) for version in found}
            known |= fresh
            # What was included is followed further only where the client said so.
            includes = tuple(include for include in includes if include.iterate)
        return included

    def _followed(self, include: Include, start: set[Key]) -> set[Key]:
        if include.reverse:
            return {
                referrer
                for key in start
                if include.target_type in (None, key[0])
                for referrer in self._storage.referrers_of(
                    key, resource_type=include.source_type, parameter=include.parameter
                )
            }
        ids = [
            logical_id
            for resource_type, logical_id in start
            if resource_type == include.source_type
        ]
        reached = self._storage.targets_of(include.source_type, include.parameter, ids)
        return {key for key in reached if include.target_type in (None, key[0])}

    def _all_living(self, keys: set[Key]) -> list[StoredVersion]:
        by_type: dict[str, list[str]] = {}
        for resource_type, logical_id in sorted(keys):
            by_type.setdefault(resource_type, []).append(logical_id)
        return [
            version
            for resource_type, ids in by_type.items()
            for version in self._storage.living(resource_type, ids).values()
            if self._seams.finds((resource_type, version.logical_id))
        ]


def _history_entry(version: StoredVersion, base_url: str) -> JsonObject:
    entry: JsonObject = {"fullUrl": f"{base_url}/{version.name}"}
    if version.body is not None:
        entry["resource"] = JsonText(version.body)
    entry["request"] = {
        "method": version.method,
        "url": version.resource_type if version.method == "POST" else version.name,
    }
    status = {"POST": "201 Created", "PUT": "200 OK", "DELETE": "204 No Content"}[version.method]
    entry["response"] = {
        "status": status,
        "etag": version.etag,
        "lastModified": instant(version.updated_at),
    }
    return entry


def _self_url(call: Call, used: Pairs) -> str:
    path = call.path.removesuffix("/_search")
    query = urlencode(used, quote_via=quote)
    return f"{call.base_url}/{path}" + (f"?{query}" if query else "")


def _only_formats(query: Pairs) -> None:
    for name, value in query:
        if name not in ACCEPTED_WITHOUT_EFFECT and (name, value) != ("_summary", "false"):
            raise bad_request(f"{name} has no meaning for a read", code="not-supported")


def _moment(name: str, value: str) -> int:
    try:
        return instant_range(value)[0]
    except ValueError as error:
        raise bad_request(f"{name}: not a date (is a + in the URL escaped as %2B?)") from error


def _is_known(version: StoredVersion, call: Call) -> bool:
    if call.if_none_match is not None:
        tags = [tag.strip().removeprefix("W/") for tag in call.if_none_match.split(",")]
        return f'"{version.version_id}"' in tags
    if call.if_modified_since is None:
        return False
    try:
        since = parsedate_to_datetime(call.if_modified_since)
    except ValueError as error:
        raise bad_request("If-Modified-Since is not an HTTP date") from error
    return version.updated_at.replace(microsecond=0) <= since
