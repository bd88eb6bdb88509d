"""The HTTP exchange of a pass: noted while it happens, and sent again with no logic behind it.

It is noted at `requests.Session.send`, below everything that is the adapter's own, by a wrapper that
keeps a reference to each request and a copy of each answer's bytes; that costs microseconds a
request, and they count as the adapter's. Sending again reads every answer to its end and looks into
none, but for the next links of searches: a server makes new ones for every search.
"""

import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from unittest.mock import patch
from urllib.parse import urljoin, urlsplit

import requests

TIMEOUT_SECONDS = 300
_NOT_THERE = {404, 410}  # never there, and deleted by the emptying before


class ReplayDiffersError(Exception):
    """The server did not answer the same request as it did before; the figures mean nothing."""


@dataclass
class Exchange:
    """One request with what is needed to send it again, and its answer as it came."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    status: int
    encoding: str
    answer: bytearray = field(default_factory=bytearray)

    @cached_property
    def next_link(self) -> str | None:
        """The next link in a searchset that answered it, absolute."""
        if self.status != requests.codes.ok:
            return None
        raw = bytes(self.answer)
        text = zlib.decompress(raw, 32 + zlib.MAX_WBITS) if self.encoding else raw
        return _next_link(json.loads(text), self.url)

    @property
    def is_write(self) -> bool:
        """Whether it asks the server to change something; reads in a batch and searches do not."""
        if self.method == "GET" or urlsplit(self.url).path.endswith("/_search"):
            return False
        entries = json.loads(self.body or b"{}").get("entry", [])
        return not entries or any(each["request"]["method"] != "GET" for each in entries)


@contextmanager
def noted(into: list[Exchange]) -> Iterator[None]:
    """Note every request that is sent through `requests` while the block lasts."""
    send: Callable[..., requests.Response] = requests.Session.send

    def send_and_note(
        session: requests.Session, request: requests.PreparedRequest, **options: Any
    ) -> requests.Response:
        response = send(session, request, **options)
        exchange = Exchange(
            method=request.method or "",
            url=request.url or "",
            headers=dict(request.headers),
            body=request.body if isinstance(request.body, bytes) else None,
            status=response.status_code,
            encoding=response.headers.get("Content-Encoding", ""),
        )
        response.raw = _Copying(response.raw, exchange.answer)
        into.append(exchange)
        return response

    with patch.object(requests.Session, "send", send_and_note):
        yield


def replay(session: requests.Session, exchanges: Sequence[Exchange]) -> None:
    """Send the same requests again, one after the other, over kept-open connections.

    Raises:
        ReplayDiffersError: when an answer has another status, or lacks its next link.

    """
    links: dict[str, str | None] = {}
    for each in exchanges:
        url = links.get(each.url, each.url)
        if url is None:
            raise ReplayDiffersError(f"a search of {urlsplit(each.url).path} has fewer pages now")
        answer = session.request(
            each.method,
            url,
            headers=each.headers,
            data=each.body,
            timeout=TIMEOUT_SECONDS,
            allow_redirects=False,
        )
        if (
            answer.status_code != each.status
            and not {answer.status_code, each.status} <= _NOT_THERE
        ):
            where = f"{each.method} {urlsplit(each.url).path}"
            raise ReplayDiffersError(f"{where}: {answer.status_code}, before {each.status}")
        if each.next_link is not None:
            links[each.next_link] = _next_link(answer.json(), url)


class _Copying:
    """The raw stream of an answer, of which a copy is kept as it is read."""

    def __init__(self, raw: Any, copy: bytearray) -> None:
        self._raw = raw
        self._copy = copy

    def read1(self, *args: Any, **options: Any) -> bytes:
        """Read what has arrived, as the adapter's transport does."""
        chunk: bytes = self._raw.read1(*args, **options)
        self._copy += chunk
        return chunk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


def _next_link(answer: Any, url: str) -> str | None:
    if answer.get("resourceType") != "Bundle":
        return None
    links = (link["url"] for link in answer.get("link", ()) if link.get("relation") == "next")
    link = next(links, None)
    return None if link is None else urljoin(url, link)
