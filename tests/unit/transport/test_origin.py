"""Protects where requests go: no link of a server takes our credentials to another address.

One row for each way in which readers of URLs disagree, or servers really name themselves wrongly.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
import requests
import responses

from adapter.errors import ConfigError, ForeignOrigin
from adapter.transport.fhir_server import ServerConfig
from adapter.transport.origin import base_url_problem, normal_base, resolve_link
from tests.unit.transport.conftest import MakeServer
from tests.unit.transport.loopback import Loopback, answer

BASE = "https://fhir.example.org/r4"
REQUEST = f"{BASE}/Observation?code=1"

ALLOWED = [
    # link, what is called
    (f"{BASE}?_getpages=1c-2", f"{BASE}?_getpages=1c-2"),
    (f"{BASE}/?_getpages=1", f"{BASE}/?_getpages=1"),
    (f"{BASE}/Observation?_page=2&code=a%7Cb", f"{BASE}/Observation?_page=2&code=a%7Cb"),
    ("HTTPS://FHIR.Example.ORG/r4?_getpages=1", f"{BASE}?_getpages=1"),
    ("https://fhir.example.org:443/r4?_getpages=1", f"{BASE}?_getpages=1"),
    ("https://fhir.example.org:/r4?_getpages=1", f"{BASE}?_getpages=1"),
    ("//fhir.example.org/r4?_getpages=1", f"{BASE}?_getpages=1"),
    ("/r4?_getpages=1", f"{BASE}?_getpages=1"),
    ("/r4/Observation?ct=x", f"{BASE}/Observation?ct=x"),
    ("?ct=x", f"{BASE}/Observation?ct=x"),
    ("Observation?ct=x", f"{BASE}/Observation?ct=x"),
    (f"{BASE}/Observation/_search?x=1", f"{BASE}/Observation/_search?x=1"),
    (f"{BASE}/$everything?page=1", f"{BASE}/$everything?page=1"),
    (f"{BASE}?next=https://evil.com/..%2f", f"{BASE}?next=https://evil.com/..%2f"),
    (f"{BASE}?a=b@evil.com", f"{BASE}?a=b@evil.com"),
]

REFUSED = [
    # another host
    "https://evil.com/r4?_getpages=1",
    "https://fhir.example.org.evil.com/r4?x=1",
    "https://evil-fhir.example.org/r4?x=1",
    "https://example.org/r4?x=1",
    "https://fhir.example.org./r4?x=1",
    "https://fhir.example.org%2eevil.com/r4?x=1",
    "https://fhir%2eexample.org/r4?x=1",
    "https://fhir.example.org%00.evil.com/r4?x=1",
    "https://127.0.0.1/r4?x=1",
    "https://2130706433/r4?x=1",
    "https://0x7f000001/r4?x=1",
    "https://[::1]/r4?x=1",
    "https://[::ffff:127.0.0.1]/r4?x=1",
    "https://169.254.169.254/latest/meta-data",
    "https://localhost/r4?x=1",
    "//evil.com/r4?x=1",
    "///evil.com/r4?x=1",
    "////evil.com/r4?x=1",
    "https:///evil.com/r4",
    "https://fhir。example。org.evil.com/r4",
    "https://fhír.example.org/r4?x=1",
    "https://xn--fhr-qma.example.org/r4?x=1",
    "https://fhir.example.org⁄r4.evil.com/",
    # user information
    "https://user@fhir.example.org/r4?x=1",
    "https://user:secret@fhir.example.org/r4?x=1",
    "https://fhir.example.org@evil.com/r4?x=1",
    "https://fhir.example.org:443@evil.com/r4?x=1",
    "https://@fhir.example.org/r4?x=1",
    # another port or scheme
    "https://fhir.example.org:8443/r4?x=1",
    "https://fhir.example.org:80/r4?x=1",
    "https://fhir.example.org:443:443/r4?x=1",
    "https://fhir.example.org:0/r4?x=1",
    "https://fhir.example.org:99999/r4?x=1",
    "https://fhir.example.org:4４3/r4?x=1",
    "http://fhir.example.org/r4?x=1",
    "http://fhir.example.org:443/r4?x=1",
    "ftp://fhir.example.org/r4",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "data:application/json,{}",
    "gopher://fhir.example.org/r4",
    "blob:https://fhir.example.org/r4",
    # backslashes, spaces, control characters
    "https://fhir.example.org\\@evil.com/r4?x=1",
    "https:\\\\evil.com/r4",
    "\\\\evil.com/r4",
    "/\\evil.com/r4",
    "https://fhir.example.org/r4\\..\\admin",
    " https://evil.com/r4",
    "https://fhir.example.org/r4?x=1\r\nX-Api-Key: 1",
    "https://fhir.example.org/\tr4?x=1",
    "ht\ntps://evil.com/r4",
    "https://evil.com\x00.fhir.example.org/r4",
    # out of the base's path
    "https://fhir.example.org/?x=1",
    "https://fhir.example.org/r4evil?x=1",
    "https://fhir.example.org/R4?x=1",
    "https://fhir.example.org/admin",
    "https://fhir.example.org/r4/../admin",
    "https://fhir.example.org/r4/..",
    "https://fhir.example.org/r4/./Observation",
    "https://fhir.example.org/r4/%2e%2e/admin",
    "https://fhir.example.org/r4/.%2E/admin",
    "https://fhir.example.org/r4/%252e%252e/admin",
    "https://fhir.example.org/r4/..;/admin",
    "https://fhir.example.org/r4/..%2fadmin",
    "https://fhir.example.org/r4/%2fadmin",
    "https://fhir.example.org/r4%2fObservation?x=1",
    "https://fhir.example.org/r4//evil.com/x",
    "https://fhir.example.org//r4?x=1",
    "../admin",
    "../../r4?x=1",
    "/admin",
    # no address at all
    "https://",
    "https:",
    "https://[::1",
    "https://fhir.example.org/r4?x=1#fragment",
    "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",
]


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(REFUSED) >= 60


@pytest.mark.parametrize(("link", "called"), ALLOWED, ids=[link for link, _ in ALLOWED])
def test_a_link_below_the_base_is_called_at_the_configured_host(link: str, called: str) -> None:
    assert resolve_link(link, base_url=BASE, request_url=REQUEST) == called


@pytest.mark.parametrize("link", REFUSED, ids=ascii)
def test_a_link_out_of_the_base_is_refused(link: str) -> None:
    with pytest.raises(ForeignOrigin) as raised:
        resolve_link(link, base_url=BASE, request_url=REQUEST)
    for secret in ("evil", "secret", "passwd"):
        assert secret not in str(raised.value)


@pytest.mark.parametrize("link", [link for link in REFUSED if "?x=1" in link], ids=ascii)
def test_a_rebased_link_only_ever_reaches_the_configured_base(link: str) -> None:
    try:
        called = resolve_link(link, base_url=BASE, request_url=REQUEST, rebase=True)
    except ForeignOrigin:
        return
    assert called.split("?")[0] in (BASE, f"{BASE}/Observation")
    prepared = requests.Request("GET", called).prepare().url
    assert urlsplit(prepared or "").netloc == "fhir.example.org"


def test_rebasing_keeps_the_query_and_the_type_of_the_request() -> None:
    def rebased(link: str) -> str:
        return resolve_link(link, base_url=BASE, request_url=REQUEST, rebase=True)

    assert rebased("http://internal:8080/fhir?_getpages=1&x=a%7Cb") == f"{BASE}?_getpages=1&x=a%7Cb"
    assert rebased("http://internal/Observation?ct=1") == f"{BASE}/Observation?ct=1"
    assert rebased("http://internal/f/Observation/_search?ct=1") == f"{BASE}/Observation?ct=1"
    with pytest.raises(ForeignOrigin, match="no query"):
        rebased("http://internal/fhir/Observation")


def test_an_international_host_is_compared_as_it_is_called() -> None:
    base = "https://fhir.straße.example/r4"
    assert normal_base(base) == "https://fhir.xn--strae-oqa.example/r4"
    link = "https://FHIR.xn--strae-oqa.example/r4?p=1"
    assert resolve_link(link, base_url=base, request_url=base) == f"{normal_base(base)}?p=1"
    with pytest.raises(ForeignOrigin):  # what an older reading of the same name would call
        resolve_link("https://fhir.strasse.example/r4?p=1", base_url=base, request_url=base)


def test_a_base_without_a_path_holds_links_to_its_host() -> None:
    base = "http://[::1]:8080"
    assert resolve_link("/?p=1", base_url=base, request_url=base) == "http://[::1]:8080/?p=1"
    with pytest.raises(ForeignOrigin):
        resolve_link("http://[::1]//evil.com?p=1", base_url=base, request_url=base)


@pytest.mark.parametrize(
    "url",
    [
        "fhir.example.org/r4",
        "ftp://fhir.example.org/r4",
        "https://user:secret@fhir.example.org/r4",
        "https://fhir.example.org/r4?tenant=secret",
        "https://fhir.example.org/r4#secret",
        "https://fhir.example.org/a/../secret",
        "https://fhir.example.org//secret",
        "https://fhir.example.org/r4 ",
        "https://fhir.example.org:port/r4",
        "https:///r4",
        "",
    ],
)
def test_a_base_url_that_is_none_is_refused_without_being_repeated(url: str) -> None:
    assert base_url_problem(url)
    with pytest.raises(ConfigError) as raised:
        ServerConfig(url, page_size=0, attempts=-1, ca_file="no-such.pem")
    assert len(raised.value.problems) == 4
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("url", ["https://Fhir.Example.org:443/r4/", "https://fhir.example.org/r4"])
def test_a_base_url_has_one_normal_form(url: str, make_server: MakeServer) -> None:
    assert make_server(url).base_url == BASE


def test_a_next_link_to_another_server_is_not_followed(
    make_server: MakeServer, loopback: Loopback
) -> None:
    canary = Loopback()
    page = {"resourceType": "Bundle", "type": "searchset"}
    next_link = {"relation": "next", "url": f"{canary.base}?_getpages=1"}
    loopback.will(answer({**page, "link": [next_link]}), answer(page))
    with pytest.raises(ForeignOrigin):
        list(make_server(loopback.base).search("Observation", []))
    canary.stop()
    assert canary.connections == 0


def test_a_next_link_to_another_address_of_the_server_is_rebased_when_allowed(
    make_server: MakeServer, mocked: responses.RequestsMock
) -> None:
    page = {"resourceType": "Bundle", "type": "searchset"}
    next_link = {"relation": "next", "url": "http://fhir-internal:8080/fhir?_getpages=1"}
    as_fhir = "application/fhir+json"
    mocked.get(f"{BASE}/Observation", json={**page, "link": [next_link]}, content_type=as_fhir)
    mocked.get(f"{BASE}?_getpages=1", json=page, content_type=as_fhir)
    assert len(list(make_server(rebase_links=True).search("Observation", []))) == 2
