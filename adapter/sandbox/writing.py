"""The interactions that change something, as one unit of work: create, update, delete.

A Writer lives as long as one database transaction. What it wrote is checked at the end, because
inside a transaction bundle a reference may name what a later entry creates.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

from adapter.sandbox.json_text import JsonObject, read_json, write_json
from adapter.sandbox.outcomes import Refused, bad_request, version_differs
from adapter.sandbox.references import local_target, references_in
from adapter.sandbox.replies import Reply, instant
from adapter.sandbox.rules import ServerRules
from adapter.sandbox.seams import Seams
from adapter.sandbox.search_parameters import index_rows
from adapter.sandbox.storage import Key, Storage, StoredVersion, microseconds
from adapter.sandbox.validation import check_id, check_resource

_entity_tag = re.compile(r'(?:W/)?"(?P<version>[^"]*)"')


class Writer:
    """Writes of one database transaction, all with the same lastUpdated."""

    def __init__(
        self, storage: Storage, rules: ServerRules, seams: Seams, *, now: datetime, base_url: str
    ) -> None:
        moment = seams.moment(now)
        self._moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        self._storage = storage
        self._seams = seams
        self._refuses_deletes = (
            rules.refuse_delete_of_referenced or seams.refuses_deleting_referenced()
        )
        self._refuses_deleted = (
            rules.refuse_reference_to_deleted or seams.refuses_deleting_referenced()
        )
        self._base_url = base_url
        self._written: dict[Key, JsonObject] = {}
        self._deleted: list[Key] = []
        self.versions_made = 0

    def create(self, key: Key, resource: JsonObject) -> Reply:
        """Store a new resource under an id that is free; an id in the body is ignored.

        Raises: Refused with 400 or 422 when the resource is not acceptable.
        """
        check_resource(resource, key[0])
        return self._store(key, resource, "POST", version=1, status=HTTPStatus.CREATED)

    def update(self, key: Key, resource: JsonObject, if_match: str | None) -> Reply:
        """Store a new version, or the first one; equal content makes none (200, version kept).

        Raises: Refused with 400 or 422 when the resource is not acceptable, 412 when `if_match` names
            another version than the current one.
        """
        check_resource(resource, key[0])
        check_id(resource, key[1])
        current = self._storage.current(key)
        _check_version(key, current, if_match)
        if current is None:
            return self._store(key, resource, "PUT", version=1, status=HTTPStatus.CREATED)
        if current.body is None:
            return self._store(
                key, resource, "PUT", version=current.version + 1, status=HTTPStatus.CREATED
            )
        is_equal = _content(read_json(current.body.encode())) == _content(resource)
        if is_equal and not self._seams.versions_equal_content():
            # Still checked at the end: a reference may have lost its target meanwhile.
            self._written[key] = resource
            return Reply(HTTPStatus.OK, None, current, is_write=True)
        return self._store(key, resource, "PUT", version=current.version + 1, status=HTTPStatus.OK)

    def delete(self, key: Key, if_match: str | None) -> Reply:
        """Delete; what is deleted already or never was is no error (http.html#delete).

        Raises: Refused with 412 when `if_match` names another version than the current one.
        """
        current = self._storage.current(key)
        _check_version(key, current, if_match)
        if current is None or current.body is None:
            return Reply(HTTPStatus.NO_CONTENT, None, current, is_write=True)
        number = current.version + 1
        version_id = self._seams.version_id(key, number)
        deletion = StoredVersion(
            *key, number, version_id, "DELETE", microseconds(self._moment), None
        )
        self._storage.append(deletion, ())
        self._seams.wrote(key)
        self._deleted.append(key)
        self.versions_made += 1
        return Reply(HTTPStatus.NO_CONTENT, None, deletion, is_write=True)

    def check_consistency(self) -> None:
        """Refuse the whole unit of work when a reference in it leads nowhere.

        Raises: Refused with 400 for a reference to a resource of this server that does not exist or an
            unresolved URN; 409 for the delete of what others refer to, where that is a rule.
        """
        for resource in self._written.values():
            for place, reference in references_in(resource):
                self._check_target(place, reference)
        if self._refuses_deletes:
            for key in self._deleted:
                if self._storage.referrers_of(key) - {key}:
                    raise Refused(409, "conflict", f"{key[0]}/{key[1]} is referred to by others")

    def _check_target(self, place: str, reference: str) -> None:
        if reference.startswith("urn:"):
            raise bad_request("no entry of a bundle has this URN", expression=place)
        target = local_target(reference, self._base_url)
        if target is None:
            return
        current = self._storage.current(target.key)
        name = f"{target.resource_type}/{target.logical_id}"
        if current is None:
            raise bad_request(f"{name} does not exist", code="not-found", expression=place)
        if current.body is None and self._refuses_deleted:
            raise bad_request(f"{name} was deleted", code="deleted", expression=place)

    def _store(
        self, key: Key, resource: JsonObject, method: str, *, version: int, status: int
    ) -> Reply:
        version_id = self._seams.version_id(key, version)
        resource = self._seams.content(resource)
        content = {name: value for name, value in resource.items() if name not in ("id", "meta")}
        stored: JsonObject = {
            "resourceType": content.pop("resourceType"),
            "id": key[1],
            "meta": {
                **resource.get("meta", {}),
                "versionId": version_id,
                "lastUpdated": instant(self._moment),
            },
            **content,
        }
        new = StoredVersion(
            *key, version, version_id, method, microseconds(self._moment), write_json(stored)
        )
        self._storage.append(new, index_rows(stored, self._base_url))
        self._seams.wrote(key)
        self._written[key] = stored
        self.versions_made += 1
        return Reply(status, None, new, is_write=True)


def _check_version(key: Key, current: StoredVersion | None, if_match: str | None) -> None:
    if if_match is None:
        return
    found = _entity_tag.fullmatch(if_match.strip())
    if found is None and if_match.strip() != "*":
        raise bad_request('If-Match is not an entity tag such as W/"3"')
    if current is None or current.body is None:
        raise version_differs(f"{key[0]}/{key[1]}")
    if found is not None and found["version"] != current.version_id:
        raise version_differs(f"{key[0]}/{key[1]}")


def _content(resource: Mapping[str, Any]) -> JsonObject:
    """Return what makes a version: all but the two elements of meta that the server sets itself."""
    meta = {
        name: value
        for name, value in resource.get("meta", {}).items()
        if name not in ("versionId", "lastUpdated")
    }
    rest = {name: value for name, value in resource.items() if name != "meta"}
    return {**rest, "meta": meta} if meta else rest
