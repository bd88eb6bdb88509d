"""What a request asks for, and small changes to answers, as several habits need them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from adapter.sandbox.exchange import FhirRequest, FhirResponse
from adapter.sandbox.json_text import JsonObject, NotJson, read_json, write_json
from adapter.sandbox.outcomes import Refused
from adapter.sandbox.routing import route

WRITING = frozenset({"create", "update", "delete", "bundle"})
"""Interactions that may change something; a bundle is taken as one."""

_form_type = "application/x-www-form-urlencoded"


def interaction_of(request: FhirRequest) -> str:
    """Return what a request asks for, as routing.py names it; empty where it is refused."""
    try:
        return route(request.method, request.path).interaction
    except Refused:
        return ""


def is_write(request: FhirRequest) -> bool:
    """Say whether a request may change something."""
    return interaction_of(request) in WRITING


def is_search(request: FhirRequest) -> bool:
    """Say whether a request is a search, its further pages not counted."""
    return interaction_of(request) == "search-type"


def is_metadata(request: FhirRequest) -> bool:
    """Say whether a request asks what the server can do."""
    return interaction_of(request) == "capabilities"


def reads(request: FhirRequest) -> bool:
    """Say whether a request reads or searches."""
    return interaction_of(request) in ("read", "vread", "search-type", "page")


def url_of(request: FhirRequest) -> str:
    """Return the URL that was asked for, with the parameters of a form in it."""
    path = request.path.removesuffix("/_search")
    query = request.query if request.method != "POST" else urlencode(pairs_of(request))
    address = f"{request.base_url}/{path}" if path else request.base_url
    return f"{address}?{query}" if query else address


def empty_page(self_url: str) -> JsonObject:
    """Return a page of search results that holds nothing."""
    link = [{"relation": "self", "url": self_url}]
    return {"resourceType": "Bundle", "type": "searchset", "link": link}


def pairs_of(request: FhirRequest) -> list[tuple[str, str]]:
    """Return the parameters of a search, those in a form included, decoded."""
    pairs = parse_qsl(request.query, keep_blank_values=True)
    if request.method == "POST":
        pairs += parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)
    return pairs


def with_pairs(request: FhirRequest, pairs: list[tuple[str, str]]) -> FhirRequest:
    """Return the same search with other parameters."""
    text = urlencode(pairs, quote_via=quote)
    if request.method == "POST":
        return replace(request, query="", body=text.encode())
    return replace(request, query=text)


def edited(answer: FhirResponse, edit: Callable[[JsonObject], JsonObject]) -> FhirResponse:
    """Return an answer with its resource edited; one without a resource stays as it is."""
    resource = resource_in(answer)
    return answer if resource is None else replace(answer, body=write_json(edit(resource)))


def edited_page(answer: FhirResponse, edit: Callable[[JsonObject], JsonObject]) -> FhirResponse:
    """Return an answer edited if it is a page of search results, and as it is otherwise."""
    return edited(answer, lambda found: edit(found) if is_page(found) else found)


def is_page(resource: JsonObject) -> bool:
    """Say whether a resource is a page of search results."""
    return resource.get("resourceType") == "Bundle" and resource.get("type") == "searchset"


def resource_in(answer: FhirResponse) -> JsonObject | None:
    """Return the resource in an answer, decimals with their digits; None where there is none."""
    try:
        found: Any = read_json(answer.body.encode())
    except NotJson:
        return None
    return found if isinstance(found, dict) else None


def link_of(page: JsonObject, relation: str) -> str | None:
    """Return a link of a page, or None."""
    urls = [link["url"] for link in page.get("link", ()) if link["relation"] == relation]
    return urls[0] if urls else None


def with_link(page: JsonObject, relation: str, url: str | None) -> JsonObject:
    """Return a page with a link set, or removed for None."""
    links = [link for link in page.get("link", ()) if link["relation"] != relation]
    if url is not None:
        links.append({"relation": relation, "url": url})
    return {**page, "link": links}
