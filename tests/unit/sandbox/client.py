"""A plain client for the sandbox's own tests, and the resources they send; nothing of the adapter."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import requests

LOINC = "http://loinc.org"
IHC = "85319-2"
FISH = "85318-4"
JSON_HEADERS = {"Content-Type": "application/fhir+json"}

Json = dict[str, Any]


class Client:
    """Sends FHIR requests and hands back what came, unjudged."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.session = requests.Session()
        self.session.trust_env = False

    def send(
        self, method: str, path: str = "", body: Any = None, **headers: str
    ) -> requests.Response:
        """Send one request, a body as JSON unless it is bytes; `if_match` becomes If-Match."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            named = {**JSON_HEADERS, **named}
        url = path if path.startswith("http") else f"{self.base_url}/{path}".rstrip("/")
        return self.session.request(method, url, data=body, headers=named, timeout=10)

    def get(self, path: str, **headers: str) -> requests.Response:
        return self.send("GET", path, **headers)

    def put(self, resource: Json, **headers: str) -> requests.Response:
        path = f"{resource['resourceType']}/{resource['id']}"
        return self.send("PUT", path, resource, **headers)

    def post(self, resource: Json, **headers: str) -> requests.Response:
        return self.send("POST", resource["resourceType"], resource, **headers)

    def delete(self, path: str, **headers: str) -> requests.Response:
        return self.send("DELETE", path, **headers)

    def stored(self, resource: Json) -> Json:
        """Create a resource and return it as stored."""
        answer = self.post(resource)
        assert answer.status_code == 201, answer.text
        return _object(answer)

    def search(self, resource_type: str, *parameters: tuple[str, str]) -> requests.Response:
        return self.get(f"{resource_type}?{urlencode(parameters)}")

    def found(self, resource_type: str, *parameters: tuple[str, str]) -> list[str]:
        """Return the ids of all matches on the first page, in order."""
        answer = self.search(resource_type, *parameters)
        assert answer.status_code == 200, answer.text
        return ids(answer.json())

    def bundle(self, kind: str, *entries: Json, **headers: str) -> requests.Response:
        body = {"resourceType": "Bundle", "type": kind, "entry": list(entries)}
        return self.send("POST", "", body, **headers)

    def transaction(self, *entries: Json, **headers: str) -> requests.Response:
        return self.bundle("transaction", *entries, **headers)

    def batch(self, *entries: Json, **headers: str) -> requests.Response:
        return self.bundle("batch", *entries, **headers)


def ids(bundle: Json, mode: str = "match") -> list[str]:
    """Return the ids of the matches (or includes) of a searchset, in order."""
    return [
        entry["resource"]["id"]
        for entry in bundle.get("entry", [])
        if entry["search"]["mode"] == mode
    ]


def link(bundle: Json, relation: str) -> str | None:
    """Return the URL of a bundle's link, or None."""
    urls = [one["url"] for one in bundle["link"] if one["relation"] == relation]
    return urls[0] if urls else None


def issue(answer: requests.Response) -> Json:
    """Return the only issue of the OperationOutcome that a refusal carries."""
    assert answer.headers["Content-Type"].startswith("application/fhir+json")
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    (only,) = outcome["issue"]
    assert isinstance(only, dict)
    assert only["severity"] == "error"
    return only


def _object(answer: requests.Response) -> Json:
    content = answer.json()
    assert isinstance(content, dict)
    return content


def reference(resource: Json) -> Json:
    return {"reference": f"{resource['resourceType']}/{resource['id']}"}


def patient(**elements: Any) -> Json:
    return {"resourceType": "Patient", **elements}


def observation(code: str = IHC, **elements: Any) -> Json:
    concept = {"coding": [{"system": LOINC, "code": code}]}
    return {"resourceType": "Observation", "status": "final", "code": concept, **elements}


def create_entry(resource: Json, full_url: str | None = None, **conditions: str) -> Json:
    request = {"method": "POST", "url": resource["resourceType"], **conditions}
    entry = {"resource": resource, "request": request}
    return {"fullUrl": full_url, **entry} if full_url else entry


def update_entry(resource: Json, **conditions: str) -> Json:
    url = f"{resource['resourceType']}/{resource['id']}"
    return {"resource": resource, "request": {"method": "PUT", "url": url, **conditions}}


def get_entry(url: str) -> Json:
    return {"request": {"method": "GET", "url": url}}


def delete_entry(url: str, **conditions: str) -> Json:
    return {"request": {"method": "DELETE", "url": url, **conditions}}
