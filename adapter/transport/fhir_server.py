"""A FHIR R4 server over REST: the port `FhirServer` on top of `http`.

It asks and reads; it does not decide anything clinical, does not keep state between calls beyond
open connections, and follows nothing but next links below the configured base. JSON is read by the
strict reader that it is given.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote, urlencode

from adapter.errors import (
    InputError,
    NotAuthorised,
    NotFhirR4,
    ParameterDropped,
    PartlyCarriedOut,
    PermanentServerError,
    ResourceRefused,
    SearchExpired,
    ServerError,
    TemporaryServerError,
    UnknownOutcome,
)
from adapter.ports import (
    REFUSED_ALONE,
    Capability,
    Clock,
    EntryOutcome,
    JsonObject,
    JsonReader,
    Read,
    RefusedResource,
    SearchPage,
    SearchParams,
    SingleWrite,
)
from adapter.traffic import Meter
from adapter.transport.auth import Auth
from adapter.transport.bundles import (
    batch_of_reads,
    batch_reads,
    dropped_parameter,
    entries_of,
    is_the_one,
    link_of,
    names_on,
    page_of,
    split_reference,
    transaction_outcomes,
    version_said,
)
from adapter.transport.capability import capability_of
from adapter.transport.http import Answer, Call, Http
from adapter.transport.later import ACCEPTED, Later
from adapter.transport.origin import normal_base, resolve_link
from adapter.transport.outcome import error_in, issues_of, redirect_refusal, refusal
from adapter.transport.server_config import ServerConfig

__all__ = ["RestFhirServer", "ServerConfig"]

FHIR_JSON = "application/fhir+json"
_JSON_TYPES = frozenset({FHIR_JSON, "application/json", "application/json+fhir", "text/json"})
# HAPI answers a repeated search from a cache of 60 s, and a result would look unchanged; a proxy
# may do the same to a read.
_READ_HEADERS = {"Accept": FHIR_JSON, "Cache-Control": "no-cache"}
_SEARCH_HEADERS = {
    **_READ_HEADERS,
    # An unknown parameter should be an error, not ignored: then it would find too much.
    "Prefer": "handling=strict",
}
_WRITES = {"POST": "create", "PUT": "update", "DELETE": "delete"}
_CRITERIA = re.compile(r"[A-Za-z0-9\-._~%=&:,/|+]+")
LONGEST_GET_URL = 4_000  # HAPI refuses about 8 KB, with HTML; proxies before it may refuse less
BATCH_READS = 50

_Found = tuple[SearchPage, str | None]
"""A page and the address of its next link."""


class RestFhirServer:
    """One FHIR R4 server; implements the port `FhirServer`. Safe to use from several threads."""

    def __init__(
        self,
        config: ServerConfig,
        *,
        read_json: JsonReader,
        clock: Clock,
        auth: Auth,
        meter: Meter = lambda _: None,
    ) -> None:
        """Open nothing yet.

        `read_json` reads every body, strictly; in a page or a batch it may put a RefusedResource in place of
        one resource. `meter` is told of every request.
        """
        self._config = config
        self._base_url = normal_base(config.base_url)
        self._read_json = read_json
        self._http = Http(config, clock=clock, auth=auth, meter=meter)
        self._batches_refused = False
        self._later = Later(self._http, clock, self._base_url, self._resource)

    @property
    def base_url(self) -> str:
        """Base URL without a trailing slash, host in lower case."""
        return self._base_url

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_class: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def capability(self) -> Capability:
        """Ask for the CapabilityStatement.

        Raises: NotFhirR4 when something else answers, or another version of FHIR;
            NotAuthorised, TemporaryServerError.
        """
        url = f"{self._base_url}/metadata"
        call = Call("GET", url, _READ_HEADERS, interaction="capabilities")

        def accept(answer: Answer) -> Capability:
            if answer.status in (404, 410) or (answer.status == 200 and not _is_json(answer)):
                raise NotFhirR4(
                    f"no FHIR server answers at {self._base_url}; is it the FHIR base URL?",
                    status=answer.status,
                )
            return capability_of(self._resource(answer, call), base_url=self._base_url)

        return self._http.send(call, accept)

    def read(self, reference: str) -> JsonObject | None:
        """Read "Type/id", or the version "Type/id/_history/v"; None for 404 and 410.

        Raises: PermanentServerError for a reference that is neither: nothing is sent then, because
            an address from a resource must never decide where a request goes. ResourceRefused for
            one that is there and, asked for twice, no strict JSON.
        """
        _require_reference(reference)
        found = self._read_one(reference)
        if isinstance(found, RefusedResource):
            raise ResourceRefused(
                f"{reference} is no strict JSON ({found.code})", status=200, code=found.code
            )
        return found

    def _read_one(self, reference: str) -> Read:
        call = Call("GET", f"{self._base_url}/{reference}", _READ_HEADERS)

        def accept(answer: Answer) -> Read:
            if answer.status in (404, 410):
                return None
            try:
                resource = self._resource(answer, call)
            except TemporaryServerError as error:
                if error.code not in REFUSED_ALONE:
                    raise
                kind, _, rest = reference.partition("/")
                known = {"resourceType": kind, "id": rest.partition("/")[0]}
                return RefusedResource(known, error.code)
            if not is_the_one(resource, reference):
                raise TemporaryServerError(
                    f"the server answered another resource, or part of one, to {reference}",
                    status=answer.status,
                    code="another-resource",
                )
            return resource

        found = self._http.send(call, accept)
        return self._http.send(call, accept) if isinstance(found, RefusedResource) else found

    def read_all(self, references: Iterable[str]) -> dict[str, Read]:
        """Read many, 50 in a batch Bundle; what a batch does not answer with its resource is read alone.

        So what is gone costs a request of its own. A server that refuses batches is asked singly from then on.

        Returns: for each reference its resource, None for 404 and 410, or that it is no strict JSON.
        Raises: as `read`; PermanentServerError before anything is sent if one is no reference.
        """
        wanted = tuple(dict.fromkeys(references))
        for reference in wanted:
            _require_reference(reference)
        found: dict[str, Read] = {}
        for start in range(0, len(wanted), BATCH_READS):
            chunk = wanted[start : start + BATCH_READS]
            if len(chunk) > 1 and not self._batches_refused:
                found.update(self._read_batch(chunk))
            for reference in chunk:
                if reference not in found:
                    found[reference] = self._read_one(reference)
        return found

    def search(self, resource_type: str, params: SearchParams) -> Iterator[SearchPage]:
        """Search, page by page until there is no next link.

        Args:
            resource_type: e.g. "Observation".
            params: values FHIR-escaped by the caller, not percent-encoded; `_count` is added when
                it is not among them.

        Raises: PermanentServerError when the server dropped a parameter, repeats a page, or has
            more than `max_pages`; ForeignOrigin for a next link out of the server;
            TemporaryServerError when an answer is no searchset, or the search expires on the way.

        """
        if not resource_type.isascii() or not resource_type.isalpha():
            raise PermanentServerError("a search needs the name of a resource type")
        if not any(name == "_count" for name, _ in params):
            params = (*params, ("_count", str(self._config.page_size)))
        call = self._first_call(resource_type, params)
        echo = params if call.method == "GET" else ()  # HAPI echoes nothing of a POST
        seen: set[str] = set()
        for _ in range(self._config.max_pages):
            seen.add(call.url)
            page, link = self._page(call, resource_type, echo, is_first=len(seen) == 1)
            yield page
            if link is None:
                return
            if link in seen:
                raise PermanentServerError(
                    f"the search for {resource_type} runs in a circle", code="circle-of-pages"
                )
            call, echo = Call("GET", link, _SEARCH_HEADERS, interaction="page"), ()
        raise PermanentServerError(
            f"the search for {resource_type} has more than {self._config.max_pages} pages",
            code="too-many-pages",
        )

    def transact(self, bundle: bytes) -> tuple[EntryOutcome, ...]:
        """Send a transaction Bundle as these very bytes.

        After 425, 429 and 503 the same bytes are sent again; after everything that leaves open
        whether the write landed, nothing is.

        Returns: one outcome per entry, in order.
        Raises: VersionConflict, AmbiguousMatch, NotAuthorised, other PermanentServerError;
            TemporaryServerError when the server could not be reached or stays too busy;
            UnknownOutcome when it was sent and no usable answer came; InputError when the
            bundle itself is no JSON (nothing is sent).
        """
        sent = len(entries_of(self._read_json(bundle)))
        headers = {**_READ_HEADERS, "Content-Type": FHIR_JSON, "Prefer": "return=representation"}
        call = Call("POST", self._base_url, headers, bundle, True, "transaction")

        def accept(answer: Answer) -> Answer | tuple[EntryOutcome, ...]:
            if answer.status >= 300:
                raise self._refusal(answer, call)
            if answer.status == ACCEPTED:
                return answer
            try:
                return transaction_outcomes(self._resource(answer, call), sent=sent)
            except PartlyCarriedOut:
                raise
            except UnknownOutcome as error:
                raise UnknownOutcome(str(error), status=answer.status, code=error.code) from error
            except ServerError as error:
                raise UnknownOutcome(
                    f"the transaction was sent, but {error}", status=answer.status, code=error.code
                ) from error

        found = self._http.send(call, accept)
        return self._later.outcomes(found, call, sent=sent) if isinstance(found, Answer) else found

    def write(self, one: SingleWrite) -> EntryOutcome:
        """Create, update or delete one resource; sent again as `transact` sends a bundle again.

        A delete of what is not there (404, 410) is an outcome, not an error.

        Raises: as `transact`; PermanentServerError for an address that no write of ours has.
        """
        _require_writable(one.url)
        headers = {**_READ_HEADERS, "Content-Type": FHIR_JSON, "Prefer": "return=representation"}
        if one.if_match is not None:
            headers["If-Match"] = one.if_match
        if one.if_none_exist is not None:
            headers["If-None-Exist"] = one.if_none_exist
        body = one.body or None
        url = f"{self._base_url}/{one.url}"
        call = Call(one.method, url, headers, body, True, _WRITES.get(one.method, "update"))

        def accept(answer: Answer) -> Answer | EntryOutcome:
            if one.method == "DELETE" and answer.status in (404, 410):
                return EntryOutcome(answer.status, None)
            if answer.status >= 300:
                raise self._refusal(answer, call)
            return answer if answer.status == ACCEPTED else self._written(answer, call)

        found = self._http.send(call, accept)
        if not isinstance(found, Answer):
            return found
        return self._later.outcomes(found, call, sent=1)[0]

    def _written(self, answer: Answer, call: Call) -> EntryOutcome:
        """Read what a single write answered: the resource where it is one, else the ETag alone."""
        said = {"etag": answer.headers.get("ETag"), "location": answer.headers.get("Location")}
        if call.method == "DELETE" or not answer.body:
            made = _reference_in(said["location"])
            return EntryOutcome(answer.status, version_said(said, None), reference=made)
        try:
            resource = self._resource(answer, call)
        except ServerError as error:
            raise UnknownOutcome(
                f"the write was sent, but {error}", status=answer.status
            ) from error
        if issues := issues_of(resource):
            if error_in(issues) is not None:
                raise UnknownOutcome(
                    f"the write was answered {answer.status} with an error in it",
                    status=answer.status,
                )
            return EntryOutcome(answer.status, version_said(said, None))
        return EntryOutcome(answer.status, version_said(said, resource), resource)

    def _first_call(self, resource_type: str, params: SearchParams) -> Call:
        query = urlencode(list(params), quote_via=quote, safe=",:/")
        url = f"{self._base_url}/{resource_type}"
        is_short = len(url) + 1 + len(query) <= LONGEST_GET_URL
        is_open = not (self._config.post_searches and _name_patients(params))
        if is_short and is_open:
            return Call("GET", f"{url}?{query}", _SEARCH_HEADERS, interaction="search")
        headers = {**_SEARCH_HEADERS, "Content-Type": "application/x-www-form-urlencoded"}
        body = query.encode("ascii")
        return Call("POST", f"{url}/_search", headers, body, interaction="search")

    def _page(
        self, call: Call, resource_type: str, echo: SearchParams, *, is_first: bool
    ) -> _Found:
        def accept(answer: Answer) -> _Found:
            if not is_first and answer.status in (400, 404, 410):
                raise SearchExpired(
                    f"the search for {resource_type} expired on the server between two pages; "
                    "it has to begin again",
                    status=answer.status,
                    code="search-expired",
                )
            bundle = self._resource(answer, call)
            if bundle.get("resourceType") != "Bundle" or bundle.get("type") != "searchset":
                raise TemporaryServerError(
                    "the answer to a search is no searchset Bundle",
                    status=answer.status,
                    code="no-searchset",
                )
            used = link_of(bundle, "self") if echo else None
            if used is not None and (name := dropped_parameter(echo, used)):
                raise ParameterDropped(
                    f"the server left the search parameter {name} out of its search for "
                    f"{resource_type}; its answer would hold results that were not asked for",
                    code="parameter-dropped",
                )
            page = page_of(bundle, resource_type, server_time=answer.server_time)
            return page, self._next(bundle, call)

        found = self._http.send(call, accept)
        if not found[0].refused:
            return found
        # Once more: what was damaged on its way comes whole, what is stored so comes again.
        with suppress(ServerError):  # the address of a page may be good for one time only
            again = self._http.send(call, accept)
            if names_on(found[0]) <= names_on(again[0]):
                return again
        return found

    def _next(self, bundle: JsonObject, call: Call) -> str | None:
        link = link_of(bundle, "next")
        if link is None:
            return None
        return resolve_link(
            link, base_url=self._base_url, request_url=call.url, rebase=self._config.rebase_links
        )

    def _read_batch(self, references: tuple[str, ...]) -> dict[str, Read]:
        body = json.dumps(batch_of_reads(references)).encode("ascii")
        headers = {**_READ_HEADERS, "Content-Type": FHIR_JSON}
        call = Call("POST", self._base_url, headers, body, interaction="batch")
        accept: Callable[[Answer], JsonObject] = lambda answer: self._resource(answer, call)  # noqa: E731
        try:
            bundle = self._http.send(call, accept)
        except NotAuthorised as error:
            if error.status != 403:
                raise
            self._batches_refused = True  # a scope may allow reads and no batch
            return {}
        except PermanentServerError:
            self._batches_refused = True
            return {}
        return dict(batch_reads(bundle, references))

    def _resource(self, answer: Answer, call: Call) -> JsonObject:
        """Give the resource in a good answer; whatever else comes with a 2xx is not one."""
        if answer.status >= 300:
            raise self._refusal(answer, call)
        if answer.status not in (200, 201) or not _is_json(answer):
            raise TemporaryServerError(
                f"the server answered {answer.status} with something that is no FHIR JSON",
                status=answer.status,
                code="no-fhir-json",
            )
        try:
            return self._read_json(answer.body)
        except InputError as error:
            raise TemporaryServerError(
                f"the server's answer cannot be read ({error.code})",
                status=answer.status,
                code=error.code,
            ) from error

    def _refusal(self, answer: Answer, call: Call) -> ServerError:
        if answer.status < 400:
            return redirect_refusal(answer, base_url=self._base_url, request_url=call.url)
        return refusal(
            answer,
            read_json=self._read_json,
            retry_after=self._http.retry_after_seconds(answer),
            writes=call.writes,
        )


def _name_patients(params: SearchParams) -> bool:
    return any(re.split(r"[:.]", name)[0] in ("patient", "subject") for name, _ in params)


def _is_json(answer: Answer) -> bool:
    media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return media_type in _JSON_TYPES


def _require_reference(reference: str) -> None:
    if split_reference(reference) is None:
        # Not repeated: a reference that is no reference may be an address with a patient in it.
        raise PermanentServerError("what should be read is no 'Type/id'; nothing was sent")


def _require_writable(url: str) -> None:
    """Refuse an address that no write of ours has: it is "Type", "Type/id" or "Type?criteria"."""
    path, mark, criteria = url.partition("?")
    parts = split_reference(path)
    is_one = parts is not None and parts[2] is None and not mark
    of_type = path.isascii() and path.isalpha() and (not mark or _CRITERIA.fullmatch(criteria))
    if not (is_one or of_type):
        raise PermanentServerError(
            "what should be written has no 'Type' or 'Type/id'; nothing was sent"
        )


_LOCATION: Final = re.compile(
    r"(?:.*/)?([A-Z][A-Za-z]{0,63}/[A-Za-z0-9\-.]{1,64})(?:/_history/[^/]+)?"
)


def _reference_in(location: str | None) -> str | None:
    """Give "Type/id" of a Location (FHIR R4 http.html, create); the base before it may be that of a proxy."""
    found = _LOCATION.fullmatch(location or "")
    return found[1] if found else None
