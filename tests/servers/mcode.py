"""mCODE's profile for a tumour marker test, from the npm registry, for `$validate` on a server.

Only what that profile leads to is taken: the profiles of patient and specimen, the extensions and
the value sets. US Core, on which mCODE rests, is not on the registry; without it HAPI gives
warnings, no errors.
"""

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from tests.servers.cache import CACHE, download, made_once
from tests.servers.required import executable

TUMOR_MARKER_TEST = "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-tumor-marker-test"
"""The canonical URL to validate against."""

_PACKAGE = "hl7.fhir.us.mcode"
_VERSION = "4.0.0"
_KINDS = frozenset({"StructureDefinition", "ValueSet", "CodeSystem"})
# Texts of a profile that name other definitions without needing them.
_NOT_FOLLOWED = frozenset({"text", "mapping", "contact"})
_REQUEST_SECONDS = 60.0


def definitions() -> list[dict[str, Any]]:
    """Return the resources that tumor-marker-test needs, as parsed JSON, itself among them.

    Raises:
        MissingPartError: without npm, or when the registry cannot be reached.
    """
    package = made_once(CACHE / f"{_PACKAGE}-{_VERSION}", _fetch_into)
    known = {each["url"]: each for each in _read(package)}
    needed: dict[str, dict[str, Any]] = {}
    waiting = [TUMOR_MARKER_TEST]
    while waiting:
        url = waiting.pop().partition("|")[0]
        if url in known and url not in needed:
            needed[url] = known[url]
            waiting.extend(_texts(known[url]))
    return list(needed.values())


def put_onto(base_url: str) -> None:
    """Store the definitions on a FHIR server, each under its own id."""
    for each in definitions():
        where = f"{base_url}/{each['resourceType']}/{each['id']}"
        requests.put(where, json=each, timeout=_REQUEST_SECONDS).raise_for_status()


def is_on(base_url: str) -> bool:
    """Say whether the server holds the profile already."""
    found = requests.get(
        f"{base_url}/StructureDefinition",
        params={"url": TUMOR_MARKER_TEST, "_summary": "count"},
        headers={"Cache-Control": "no-cache"},
        timeout=_REQUEST_SECONDS,
    )
    found.raise_for_status()
    return bool(found.json()["total"])


def _fetch_into(folder: Path) -> None:
    npm = executable("npm", "apt install npm")
    download([npm, "pack", f"{_PACKAGE}@{_VERSION}"], what="the mCODE package", folder=folder)


def _read(package: Path) -> Iterator[dict[str, Any]]:
    with tarfile.open(package / f"{_PACKAGE}-{_VERSION}.tgz") as archive:
        for member in archive:
            path = Path(member.name)
            content = archive.extractfile(member)
            if path.parent == Path("package") and path.suffix == ".json" and content is not None:
                resource = json.load(content)
                if resource.get("resourceType") in _KINDS:
                    yield resource


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key not in _NOT_FOLLOWED:
                yield from _texts(each)
