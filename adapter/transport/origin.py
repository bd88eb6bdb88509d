"""Which addresses may be called: only those below the configured base of the FHIR server.

A server names the next page of a search by a link, and that link decides where our credentials
and patients' ids go. So it is taken apart and compared piece by piece, never as text: comparing
beginnings lets "https://fhir.example.org.evil.com" and "https://fhir.example.org@evil.com" pass.
What is called in the end is put together from the *configured* scheme, host and port and the
link's path and query, so that no two readers of a URL can disagree about the host.

It does not follow anything, and it knows no redirects: those are refused in `http`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

import requests

from adapter.errors import ForeignOrigin

_DEFAULT_PORTS = {"http": 80, "https": 443}
# Spaces and control characters: URL readers drop them at different places.
_FORBIDDEN_IN_URL = re.compile(r"[\x00-\x20\x7f\\]")
# What FHIR puts behind its base: nothing, or a slash and types, ids, _history, $operations. No
# percent, and no semicolon: some servers read "..;" as "..".
_PATH_BELOW_BASE = re.compile(r"(?:/[A-Za-z0-9\-._~$]+)*/?")


@dataclass(frozen=True)
class _Address:
    scheme: str
    host: str
    port: int
    path: str
    query: str

    @property
    def origin(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = _DEFAULT_PORTS[self.scheme]
        return f"{self.scheme}://{host}" + ("" if self.port == default else f":{self.port}")


def base_url_problem(url: str) -> str | None:
    """Say what is wrong with a configured base URL, or None; the URL itself is not repeated.

    It may hold a password by mistake, and that must not reach a log.
    """
    try:
        address = _parse(url)
    except ValueError as error:
        return str(error)
    if address.query:
        return "must not have a query"
    if not _has_plain_segments(address.path):
        return "must not have empty, '.' or '..' segments in its path"
    return None


def normal_base(url: str) -> str:
    """Write a valid base URL in its normal form: ASCII host, no default port, no last slash."""
    address = _parse(url)
    return address.origin + address.path.rstrip("/")


def origin_of(url: str) -> str:
    """Give scheme, host and port of a valid address, in their normal form."""
    return _parse(url).origin


def endpoint_at(url: str, origin: str) -> str:
    """Turn an address that a server states into the URL to call, if it lies at this origin.

    Args:
        url: absolute, as stated; a query is kept.
        origin: the only scheme, host and port that may be called.

    Raises: ForeignOrigin; its message does not repeat the address.

    """
    allowed = _parse(origin)
    try:
        stated = _parse(url)
    except ValueError as error:
        raise ForeignOrigin(f"an address that {allowed.origin} states {error}") from error
    if (stated.scheme, stated.host, stated.port) != (allowed.scheme, allowed.host, allowed.port):
        raise ForeignOrigin(f"an address that {allowed.origin} states leads to another server")
    if not _has_plain_segments(stated.path):
        raise ForeignOrigin(f"an address that {allowed.origin} states has no plain path")
    return allowed.origin + stated.path + (f"?{stated.query}" if stated.query else "")


def resolve_link(link: str, *, base_url: str, request_url: str, rebase: bool = False) -> str:
    """Turn a server's next link into the URL to call, or refuse it.

    Args:
        link: as the server wrote it, absolute or relative.
        base_url: the configured base, valid.
        request_url: the URL whose answer held the link; relative links start there (FHIR R4 http,
            "paging": the link is opaque to the client).
        rebase: keep only the link's query and send it to the configured base (and to the request's
            resource type, where the link ends in it too).

    Returns: a URL below the configured base.
    Raises: ForeignOrigin; its message does not repeat the link, which may hold patient data.

    """
    base = _parse(base_url)
    try:
        target = _parse(_joined(request_url, link))
    except ValueError as error:
        raise ForeignOrigin(f"a link of {base.origin} {error}; it was not followed") from error
    root = base.path.rstrip("/")
    if rebase:
        return _rebased(target, base=base, request_url=request_url)
    if (target.scheme, target.host, target.port) != (base.scheme, base.host, base.port):
        raise ForeignOrigin(
            f"a link of {base.origin} leads to another server and was not followed; if this server "
            "does not know its public address, set rebase_links"
        )
    below = target.path.removeprefix(root)
    inside = target.path.startswith(root) and _PATH_BELOW_BASE.fullmatch(below)
    if not (inside and _has_plain_segments(below)):
        raise ForeignOrigin(
            f"a link of {base.origin} leaves the configured base {root or '/'} and was not followed"
        )
    return base.origin + target.path + (f"?{target.query}" if target.query else "")


def _rebased(target: _Address, *, base: _Address, request_url: str) -> str:
    if not target.query:
        # Without its query a link would ask for everything that the server holds.
        raise ForeignOrigin(f"a link of {base.origin} has no query that could be kept")
    root = base.path.rstrip("/")
    asked = urlsplit(request_url).path.removeprefix(root).strip("/").split("/")[0]
    last = target.path.rstrip("/").rsplit("/", 1)[-1]
    same_type = asked != "" and last in (asked, "_search")
    return f"{base.origin}{root}{f'/{asked}' if same_type else ''}?{target.query}"


def _joined(request_url: str, link: str) -> str:
    """Make a link absolute; refuses what only some readers of URLs would normalise."""
    _refuse_hidden_characters(link)  # urljoin would drop some of them without a word
    path = re.split(r"[?#]", link, maxsplit=1)[0].lower()
    segments = path.replace("%2e", ".").split("/")
    if any(segment in (".", "..") for segment in segments):
        raise ValueError("has '.' or '..' segments")
    if re.match(r"[a-z][a-z0-9+.\-]*:(?!//[^/])", path):  # "https:Observation" is relative to some
        raise ValueError("is not an absolute http or https address")
    try:
        return urljoin(request_url, link)
    except ValueError as error:  # its text would repeat the link
        raise ValueError("has no valid host or port") from error


def _parse(url: str) -> _Address:
    """Take an absolute http(s) URL apart; ValueError says what is wrong, without the URL."""
    _refuse_hidden_characters(url)
    try:
        parts = urlsplit(url)
        port = parts.port
        host = _ascii_host(parts)
    except ValueError as error:
        raise ValueError("has no valid host or port") from error
    if parts.scheme not in _DEFAULT_PORTS:
        raise ValueError("is not an absolute http or https address")
    if "@" in parts.netloc:
        raise ValueError("has a user name or password in it")
    if not host or port == 0:
        raise ValueError("has no valid host or port")
    if "#" in url:
        raise ValueError("has a fragment")
    default = _DEFAULT_PORTS[parts.scheme]
    return _Address(parts.scheme, host, port or default, parts.path, parts.query)


def _refuse_hidden_characters(url: str) -> None:
    if _FORBIDDEN_IN_URL.search(url):
        raise ValueError("has spaces, control characters or backslashes")


def _ascii_host(parts: SplitResult) -> str:
    """Give the host as requests will call it: lower case, internationalised names as IDNA 2008."""
    host = parts.hostname or ""
    if host.isascii():
        return host
    try:
        prepared = requests.Request("GET", f"https://{host}/").prepare()
    except requests.exceptions.RequestException as error:
        raise ValueError("not a host name") from error
    return urlsplit(prepared.url or "").hostname or ""


def _has_plain_segments(path: str) -> bool:
    segments = path.strip("/").split("/") if path.strip("/") else []
    return "//" not in path and not any(segment in ("", ".", "..") for segment in segments)
