"""Protects searches: every page, only what was asked for, never from a cache, never without end.

A filter that the server drops would hand us other people's results; a page lost is a result lost.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
import responses

from adapter.errors import (
    NotAuthorised,
    ParameterDropped,
    PermanentServerError,
    SearchExpired,
    ServerError,
    TemporaryServerError,
)
from adapter.transport.bundles import dropped_parameter, page_of
from adapter.transport.fhir_server import LONGEST_GET_URL
from tests.fakes.clock import FakeClock
from tests.unit.transport.conftest import BASE, MakeServer
from tests.unit.transport.loopback import Loopback, answer

URL = f"{BASE}/Observation"
FHIR = "application/fhir+json"
Entry = dict[str, Any]


def observation(number: int = 1, **more: Any) -> Entry:
    return {"resourceType": "Observation", "id": f"o{number}", **more}


def match(resource: Any) -> Entry:
    return {"resource": resource, "search": {"mode": "match"}}


def issue(severity: str, code: str = "processing", text: str = "something") -> Entry:
    resource = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": severity, "code": code, "diagnostics": text}],
    }
    return {"resource": resource, "search": {"mode": "outcome"}}


def searchset(*entries: Any, **links: str) -> dict[str, Any]:
    """A page; `links` by relation, `self_` for the self link."""
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset"}
    bundle["link"] = [{"relation": rel.rstrip("_"), "url": url} for rel, url in links.items()]
    if entries:
        bundle["entry"] = list(entries)
    return bundle


def test_a_search_says_that_it_wants_no_cache_and_strict_handling(
    make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(answer(searchset(next="?page=2")), answer(searchset()))
    list(make_server(loopback.base).search("Observation", [("code", "x")]))
    for request in loopback.requests:
        assert request.headers["cache-control"] == "no-cache"
        assert request.headers["prefer"] == "handling=strict"
        assert request.headers["accept"] == FHIR


def test_a_long_search_is_posted_and_says_the_same(
    make_server: MakeServer, loopback: Loopback
) -> None:
    patients = ",".join(f"Patient/{number}" for number in range(1000))
    params = [("patient", patients), ("code", "http://loinc.org|85319-2")]
    loopback.will(answer(searchset(self_=f"{loopback.base}/Observation/_search")))
    list(make_server(loopback.base).search("Observation", params))
    (request,) = loopback.requests
    assert (request.method, request.target) == ("POST", "/fhir/Observation/_search")
    assert parse_qsl(request.body.decode()) == [*params, ("_count", "500")]
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["cache-control"] == "no-cache"
    assert request.headers["prefer"] == "handling=strict"


@pytest.mark.parametrize(("spare", "method"), [(0, "GET"), (-1, "POST")])
def test_a_search_is_posted_only_when_its_url_would_be_too_long(
    spare: int, method: str, make_server: MakeServer, mocked: responses.RequestsMock
) -> None:
    fixed = len(f"{URL}?_id=&_count=1")
    mocked.add(method, URL if method == "GET" else f"{URL}/_search", json=searchset())
    value = "x" * (LONGEST_GET_URL - fixed - spare)
    list(make_server().search("Observation", [("_id", value), ("_count", "1")]))
    assert mocked.calls[0].request.method == method


def test_a_posted_search_is_tried_again_like_any_read(
    make_server: MakeServer, mocked: responses.RequestsMock
) -> None:
    mocked.post(f"{URL}/_search", status=500)
    mocked.post(f"{URL}/_search", json=searchset())
    assert len(list(make_server().search("Observation", [("_id", "x" * 5000)]))) == 1


def test_parameters_arrive_as_they_were_given(make_server: MakeServer, loopback: Loopback) -> None:
    params = [
        ("code", "http://loinc.org|85319-2,http://loinc.org|85318-4"),
        ("_lastUpdated", "ge2026-03-01T08:00:00+00:00"),
        ("_lastUpdated", "lt2026-03-02"),
        ("identifier", "a&b=c#d|\\$e ü"),
        ("_include:iterate", "Observation:specimen"),
        ("_count", "7"),
    ]
    loopback.will(answer(searchset()))
    list(make_server(loopback.base).search("Observation", params))
    target = urlsplit(loopback.requests[0].target)
    assert target.path == "/fhir/Observation"
    assert parse_qsl(target.query) == params


def test_the_page_size_is_asked_for_when_the_search_names_none(
    make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(answer(searchset()), answer(searchset()))
    server = make_server(loopback.base, page_size=250)
    list(server.search("Observation", []))
    list(server.search("Observation", [("_count", "3")]))
    counts = [parse_qs(urlsplit(r.target).query)["_count"] for r in loopback.requests]
    assert counts == [["250"], ["3"]]


@pytest.mark.parametrize("empty", [0, 1, 2, 3])
def test_an_empty_page_with_a_next_link_is_not_the_end(
    empty: int, make_server: MakeServer, loopback: Loopback
) -> None:
    for number in range(4):
        entries = [] if number == empty else [match(observation(number))]
        links = {} if number == 3 else {"next": f"{loopback.base}?_getpages=x&page={number}"}
        loopback.will(answer(searchset(*entries, **links)))
    pages = list(make_server(loopback.base).search("Observation", []))
    found = [resource["id"] for page in pages for resource in page.matches]
    assert found == [f"o{number}" for number in range(4) if number != empty]


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5])
def test_a_circle_of_pages_ends_with_an_error(
    length: int, make_server: MakeServer, loopback: Loopback
) -> None:
    for number in range(length + 1):
        page = searchset(match(observation(number)), next=f"?page={number % length}")
        loopback.will(answer(page))
    with pytest.raises(PermanentServerError, match="circle"):
        list(make_server(loopback.base).search("Observation", []))
    assert len(loopback.requests) == length + 1


def test_a_first_page_that_leads_to_itself_ends_with_an_error(
    make_server: MakeServer, mocked: responses.RequestsMock
) -> None:
    mocked.get(URL, json=searchset(next=f"{URL}?_count=500"))
    with pytest.raises(PermanentServerError, match="circle"):
        list(make_server().search("Observation", []))
    assert len(mocked.calls) == 1


def test_a_search_without_end_stops_at_the_budget_with_an_error(
    make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(*[answer(searchset(next=f"?page={number}")) for number in range(20)])
    with pytest.raises(PermanentServerError, match="more than 7 pages"):
        list(make_server(loopback.base, max_pages=7).search("Observation", []))
    assert len(loopback.requests) == 7


def test_a_search_of_exactly_the_budget_is_complete(
    make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(answer(searchset(next="?page=2")), answer(searchset()))
    assert len(list(make_server(loopback.base, max_pages=2).search("Observation", []))) == 2


@pytest.mark.parametrize("status", [400, 404, 410])
def test_a_search_that_expires_between_pages_has_to_begin_again(
    status: int, make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(answer(searchset(next="?page=2")), answer(status=f"{status} Gone"))
    pages = make_server(loopback.base).search("Observation", [])
    next(pages)
    with pytest.raises(SearchExpired, match="begin again"):
        next(pages)
    assert len(loopback.requests) == 2


def test_the_first_page_gone_is_no_expired_search(
    make_server: MakeServer, mocked: responses.RequestsMock
) -> None:
    mocked.get(URL, status=404)
    with pytest.raises(PermanentServerError):
        next(make_server().search("Observation", []))


def test_a_page_is_asked_for_again_without_losing_the_ones_before(
    make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(
        answer(searchset(match(observation(1)), next="?page=2")),
        answer(status="502 Bad Gateway"),
        answer(searchset(match(observation(2)))),
    )
    pages = list(make_server(loopback.base).search("Observation", []))
    assert [page.matches[0]["id"] for page in pages] == ["o1", "o2"]


@pytest.mark.parametrize("url", [None, 7, "", {}])
def test_a_next_link_without_an_address_is_not_taken_for_the_end(
    url: Any, make_server: MakeServer, mocked: responses.RequestsMock
) -> None:
    bundle = searchset() | {"link": [{"relation": "next", "url": url}]}
    mocked.get(URL, json=bundle)
    with pytest.raises(PermanentServerError, match="next link"):
        list(make_server().search("Observation", []))


SENT = [
    ("patient", "Patient/1,Patient/2"),
    ("code", "http://loinc.org|85319-2"),
    ("_lastUpdated", "ge2026-01-01"),
    ("_lastUpdated", "lt2026-02-01"),
    ("status:not", "entered-in-error"),
    ("_sort", "_lastUpdated"),
    ("_include", "Observation:specimen"),
    ("_count", "500"),
]
ECHOED = [
    ("_lastUpdated", "lt2026-02-01T00:00:00.000Z"),
    ("status:not", "entered-in-error"),
    ("patient", f"{BASE}/Patient/1,Patient/2"),
    ("code", "http://loinc.org|85319-2"),
    ("_lastUpdated", "ge2026-01-01"),
    ("_count", "100"),
]


def echo(params: list[tuple[str, str]]) -> str:
    return f"{URL}?" + "&".join(f"{name}={value}" for name, value in params)


def test_a_self_link_that_holds_every_filter_is_accepted_however_it_is_written(
    make_server: MakeServer, mocked: responses.RequestsMock
) -> None:
    mocked.get(URL, json=searchset(self_=echo(ECHOED)))
    assert len(list(make_server().search("Observation", SENT))) == 1


@pytest.mark.parametrize("dropped", range(5), ids=[name for name, _ in ECHOED[:5]])
def test_a_filter_that_the_server_dropped_is_an_error(
    dropped: int, make_server: MakeServer, mocked: responses.RequestsMock
) -> None:
    left = ECHOED[:dropped] + ECHOED[dropped + 1 :]
    mocked.get(URL, json=searchset(match(observation()), self_=echo(left)))
    with pytest.raises(ParameterDropped, match=ECHOED[dropped][0]):
        list(make_server().search("Observation", SENT))


@pytest.mark.parametrize(
    ("sent", "self_link", "dropped"),
    [
        ([("code", "a")], f"{URL}?code=", "code"),
        ([("code", "a")], URL, "code"),
        ([("code", "a")], f"{URL}?Code=a", "code"),
        ([("code:not", "a")], f"{URL}?code=a", "code:not"),
        ([("code:in", "v"), ("code", "a")], f"{URL}?code=a", "code:in"),
        ([("code", "a"), ("code", "b")], f"{URL}?code=a", "code"),
        ([("code", "a"), ("code", "a")], f"{URL}?code=a", None),
        ([("code", "a,b")], f"{URL}?code=a%2Cb", None),
        ([("subject:Patient", "1")], f"{URL}?subject=Patient%2F1", None),
        ([("subject:Patient", "1")], f"{URL}?patient=1", "subject:Patient"),
        ([("_has:Observation:patient:code", "a")], f"{URL}?x=1", "_has:Observation:patient:code"),
        ([("_id", "a")], "?_id=a", None),
        ([("_include:iterate", "a"), ("_total", "none")], URL, None),
    ],
)
def test_names_must_come_back_and_values_need_not_be_the_same(
    sent: list[tuple[str, str]], self_link: str, dropped: str | None
) -> None:
    assert dropped_parameter(sent, self_link) == dropped


def test_the_self_link_of_later_pages_is_not_held_to_the_parameters(
    make_server: MakeServer, loopback: Loopback
) -> None:
    first = searchset(self_=f"{loopback.base}/Observation?code=a", next="?page=2")
    loopback.will(answer(first), answer(searchset(self_=f"{loopback.base}?_getpages=1")))
    assert len(list(make_server(loopback.base).search("Observation", [("code", "a")]))) == 2


WRONG_BODIES = [
    ("login page", 200, "text/html", b"<html>login</html>"),
    ("login page called JSON", 200, FHIR, b"<html>login</html>"),
    ("Bundle called HTML", 200, "text/html", b'{"resourceType":"Bundle","type":"searchset"}'),
    ("Bundle without a content type", 200, "", b'{"resourceType":"Bundle","type":"searchset"}'),
    ("XML", 200, "application/fhir+xml", b'<Bundle xmlns="http://hl7.org/fhir"/>'),
    ("nothing", 200, FHIR, b""),
    ("no content", 204, FHIR, b""),
    ("part of it", 206, FHIR, b'{"resourceType":"Bundle","type":"searchset"}'),
    ("accepted for later", 202, FHIR, b'{"resourceType":"Bundle","type":"searchset"}'),
    ("another resource", 200, FHIR, b'{"resourceType":"Observation","id":"a"}'),
    ("no resource", 200, FHIR, b'{"error":"x"}'),
    ("a history", 200, FHIR, b'{"resourceType":"Bundle","type":"history"}'),
    ("a batch response", 200, FHIR, b'{"resourceType":"Bundle","type":"batch-response"}'),
    ("a Bundle without a type", 200, FHIR, b'{"resourceType":"Bundle"}'),
    ("a list", 200, FHIR, b"[]"),
    ("a string", 200, FHIR, b'"Bundle"'),
    ("null", 200, FHIR, b"null"),
    ("cut", 200, FHIR, b'{"resourceType":"Bundle","type":"search'),
    ("two objects", 200, FHIR, b'{"resourceType":"Bundle","type":"searchset"}{}'),
    ("a key twice", 200, FHIR, b'{"resourceType":"Bundle","type":"x","type":"searchset"}'),
    ("not a number", 200, FHIR, b'{"resourceType":"Bundle","type":"searchset","total":NaN}'),
    ("UTF-16", 200, FHIR, '{"resourceType":"Bundle","type":"searchset"}'.encode("utf-16")),
    ("deep", 200, FHIR, b"[" * 100_000),
    ("blanks", 200, FHIR, b" \n "),
    ("a byte order mark", 200, FHIR, b'\xef\xbb\xbf{"resourceType":"Bundle","type":"searchset"}'),
    ("half a surrogate", 200, FHIR, b'{"resourceType":"Bundle","type":"searchset","id":"\\ud800"}'),
    (
        "an infinite number",
        200,
        FHIR,
        b'{"resourceType":"Bundle","type":"searchset","total":1e400}',
    ),
    ("a Bundle in a list", 200, FHIR, b'[{"resourceType":"Bundle","type":"searchset"}]'),
    ("entries as an object", 200, FHIR, b'{"resourceType":"Bundle","type":"searchset","entry":{}}'),
    ("an outcome", 200, FHIR, b'{"resourceType":"OperationOutcome","issue":[]}'),
]


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [row[1:] for row in WRONG_BODIES],
    ids=[row[0] for row in WRONG_BODIES],
)
def test_what_is_no_searchset_is_asked_for_again_and_never_taken_for_an_empty_one(
    status: int,
    content_type: str,
    body: bytes,
    make_server: MakeServer,
    loopback: Loopback,
) -> None:
    loopback.will(*[answer(body, status=f"{status} Whatever", content_type=content_type)] * 2)
    with pytest.raises(TemporaryServerError) as refused:
        list(make_server(loopback.base, attempts=2).search("Observation", []))
    assert len(loopback.requests) == 2
    assert refused.value.code in REFUSALS


REFUSALS = {
    "byte-order-mark",
    "duplicate-key",
    "entries-no-list",
    "lone-surrogate",
    "malformed-json",
    "no-fhir-json",
    "no-searchset",
    "not-a-number",
    "not-an-object",
    "not-utf8",
    "number-out-of-range",
    "too-deep",
    "trailing-text",
}


@pytest.mark.parametrize(
    "content_type",
    ["application/fhir+json; charset=UTF-8", "Application/JSON", "application/json+fhir"],
)
def test_the_names_of_json_that_servers_use_are_accepted(
    content_type: str, make_server: MakeServer, mocked: responses.RequestsMock
) -> None:
    mocked.get(URL, json=searchset(), content_type=content_type)
    assert len(list(make_server().search("Observation", []))) == 1


def test_matches_and_included_resources_are_told_apart() -> None:
    specimen = {"resourceType": "Specimen", "id": "s"}
    other = observation(2)
    page = page_of(
        searchset(
            match(observation(1)),
            {"resource": specimen, "search": {"mode": "include"}},
            {"resource": other, "search": {"mode": "include"}},
            {"resource": observation(3)},
            {"resource": {"resourceType": "Patient", "id": "p"}},
        ),
        "Observation",
    )
    assert [resource["id"] for resource in page.matches] == ["o1", "o3"]
    assert [resource["id"] for resource in page.included] == ["s", "o2", "p"]
    assert page.warnings == ()


UNUSABLE = [
    match({"resourceType": "Observation"}),
    match(observation() | {"id": ""}),
    match(observation() | {"id": 7}),
    match(observation() | {"id": "a/b"}),
    match(observation() | {"id": ".."}),
    match(observation() | {"id": "a" * 65}),
    match(observation() | {"id": "CANARY Smith"}),
    match({"resourceType": "Patient", "id": "p"}),
    match({"id": "a"}),
    match(None),
    match("text"),
    {"search": {"mode": "match"}},
    {"resource": observation(), "search": {"mode": "unheard-of"}},
    None,
    "text",
    match(observation(meta={"tag": [{"system": "s", "code": "SUBSETTED"}]})),
    {
        "resource": {
            "resourceType": "Specimen",
            "id": "s",
            "meta": {"tag": [{"code": "SUBSETTED"}]},
        },
        "search": {"mode": "include"},
    },
]


@pytest.mark.parametrize("entry", UNUSABLE, ids=range(len(UNUSABLE)))
def test_an_unusable_entry_is_refused_alone_and_counted(entry: Any) -> None:
    page = page_of(searchset(match(observation(1)), entry, match(observation(2))), "Observation")
    assert [resource["id"] for resource in page.matches] == ["o1", "o2"]
    assert page.included == ()
    assert len(page.warnings) == 1
    assert page.warnings[0].startswith("1 search entries refused")
    assert "CANARY" not in page.warnings[0]


def test_a_result_of_an_unheard_of_mode_is_kept_apart_so_that_nobody_is_decided_without_it() -> (
    None
):
    odd = {"resource": observation(), "search": {"mode": "unheard-of"}}
    (unusable,) = page_of(searchset(odd), "Observation").unusable
    assert unusable["id"] == observation()["id"]


@pytest.mark.parametrize("meta", [{}, {"tag": None}, {"tag": [None]}, {"tag": [{"code": "x"}]}, 1])
def test_other_tags_shorten_nothing(meta: Any) -> None:
    assert len(page_of(searchset(match(observation(meta=meta))), "Observation").matches) == 1


@pytest.mark.parametrize(
    ("said", "total"),
    [({"total": 7}, 7), ({}, None), ({"total": "7"}, None), ({"total": True}, None)],
)
def test_the_number_of_all_matches_is_taken_where_the_server_says_it(
    said: dict[str, Any], total: int | None
) -> None:
    assert (
        page_of({**searchset(match(observation(1))), "total": None, **said}, "Observation").total
        == total
    )


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("severity", ["warning", "information"])
def test_a_warning_among_the_entries_is_passed_on(severity: str, position: int) -> None:
    entries = [match(observation(1)), match(observation(2))]
    entries.insert(position, issue(severity, text='unknown "CANARY"'))
    page = page_of(searchset(*entries), "Observation")
    assert len(page.matches) == 2
    assert page.warnings == ("processing unknown …",)


OUTCOMES = [
    ("error", "timeout", TemporaryServerError, 2),
    ("fatal", "exception", TemporaryServerError, 2),
    ("error", "forbidden", NotAuthorised, 1),
    ("error", "invalid", PermanentServerError, 1),
]


@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize(("severity", "code", "error", "attempts"), OUTCOMES)
def test_an_error_among_the_entries_fails_the_search(
    severity: str,
    code: str,
    error: type[ServerError],
    attempts: int,
    position: int,
    make_server: MakeServer,
    mocked: responses.RequestsMock,
) -> None:
    entries = [match(observation())]
    entries.insert(position, issue(severity, code))
    mocked.get(URL, json=searchset(*entries))
    with pytest.raises(ServerError) as raised:
        list(make_server(attempts=2).search("Observation", []))
    assert type(raised.value) is error
    assert len(mocked.calls) == attempts


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("Sun, 01 Mar 2026 07:58:00 GMT", datetime(2026, 3, 1, 7, 58, tzinfo=UTC)),
        ("Sun, 01 Mar 2026 09:58:00 +0200", datetime(2026, 3, 1, 7, 58, tzinfo=UTC)),
        ("yesterday", None),
        ("", None),
    ],
)
def test_each_page_tells_the_servers_time(
    date: str, expected: datetime | None, make_server: MakeServer, mocked: responses.RequestsMock
) -> None:
    mocked.get(URL, json=searchset(), headers={"Date": date} if date else {})
    (page,) = make_server().search("Observation", [])
    assert page.server_time == expected


@pytest.mark.parametrize("resource_type", ["", "../admin", "Observation?x", "Observation/_history"])
def test_what_is_no_resource_type_is_not_sent(
    resource_type: str, make_server: MakeServer, mocked: responses.RequestsMock
) -> None:
    with pytest.raises(PermanentServerError):
        next(make_server().search(resource_type, []))


def test_pages_are_fetched_only_when_they_are_wanted(
    make_server: MakeServer, loopback: Loopback, clock: FakeClock
) -> None:
    loopback.will(answer(searchset(match(observation()), next="?page=2")))
    next(make_server(loopback.base).search("Observation", []))
    assert len(loopback.requests) == 1
    assert clock.sleeps == []


@pytest.mark.parametrize(
    ("name", "method"),
    [("patient", "POST"), ("subject", "POST"), ("subject:Patient", "POST"), ("code", "GET")],
)
def test_where_asked_for_a_search_that_names_patients_is_posted(
    name: str, method: str, make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(answer(searchset()))
    list(make_server(loopback.base, post_searches=True).search("Observation", [(name, "a")]))
    (request,) = loopback.requests
    assert request.method == method
    assert (name in request.target) == (method == "GET")
