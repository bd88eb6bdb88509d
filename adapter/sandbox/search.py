"""Read a whole search: conditions, order, paging, totals, and what is to be included with it.

Every parameter is either obeyed or refused; `_elements`, `_format` and `_pretty` alone are accepted
without effect, and left out of the self link, which tells the client so (search.html#conformance).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from adapter.sandbox.matching import Match
from adapter.sandbox.outcomes import bad_request
from adapter.sandbox.resource_types import RESOURCE_TYPES
from adapter.sandbox.rules import ServerRules
from adapter.sandbox.search_parameters import Kind, parameters_of
from adapter.sandbox.search_values import match_of

Pairs = tuple[tuple[str, str], ...]

ACCEPTED_WITHOUT_EFFECT = frozenset({"_elements", "_format", "_pretty"})
ARRANGING = ACCEPTED_WITHOUT_EFFECT | {
    "_count",
    "_include",
    "_revinclude",
    "_sort",
    "_summary",
    "_total",
}
"""Parameters that say how results come, not which; all others filter."""

_once_only = frozenset({"_count", "_sort", "_summary", "_total"})
_sortable = {"_id": "logical_id", "_lastUpdated": "last_updated"}


@dataclass(frozen=True, slots=True)
class Include:
    """`_include`, or `_revinclude` with `reverse`: the references of `source_type` to follow."""

    source_type: str
    parameter: str
    target_type: str | None
    reverse: bool
    iterate: bool


@dataclass(frozen=True, slots=True)
class Search:
    """A search as understood.

    `page_size` None asks for the total alone; `used` are the parameters that had an effect, as the
    self link repeats them.
    """

    resource_type: str
    matches: tuple[Match, ...] = ()
    order: str = "seq"
    page_size: int | None = None
    with_total: bool = True
    includes: tuple[Include, ...] = ()
    used: Pairs = field(default=())


def read_search(resource_type: str, parameters: Pairs, base_url: str, rules: ServerRules) -> Search:
    """Read the parameters of a search.

    Raises: Refused with 400 for the first parameter that is unknown, repeated wrongly or has a bad
        value.
    """
    search = Search(resource_type, page_size=rules.default_page)
    seen: set[str] = set()
    count_alone = False
    for name, value in parameters:
        if name in ACCEPTED_WITHOUT_EFFECT:
            continue
        if name in _once_only and name in seen:
            raise bad_request(f"{name} is given twice")
        seen.add(name)
        used = (name, value)
        if name == "_count":
            size = _page_size(value, rules)
            used = (name, str(size))
            count_alone |= size == 0
            search = replace(search, page_size=size)
        elif name == "_sort":
            search = replace(search, order=_order(value))
        elif name == "_total":
            search = replace(search, with_total=_with_total(value))
        elif name == "_summary":
            count_alone |= _asks_for_count(value)
        elif name.partition(":")[0] in ("_include", "_revinclude"):
            include = _include(resource_type, name, value)
            search = replace(search, includes=(*search.includes, include))
        else:
            match = match_of(resource_type, name, value, base_url)
            search = replace(search, matches=(*search.matches, match))
        search = replace(search, used=(*search.used, used))
    return replace(search, page_size=None, with_total=True) if count_alone else search


def read_criteria(resource_type: str, parameters: Pairs, base_url: str) -> tuple[Match, ...]:
    """Read the criteria of a conditional write or reference.

    Raises: Refused with 400 when there are none, or when one only arranges results (`_count` say).
    """
    if not parameters:
        raise bad_request("a conditional request needs search criteria")
    return tuple(match_of(resource_type, name, value, base_url) for name, value in parameters)


def _page_size(value: str, rules: ServerRules) -> int:
    if not value.isascii() or not value.isdigit() or len(value) > 9:
        raise bad_request("_count is a whole number, zero or more")
    return min(int(value), rules.max_page)


def _order(value: str) -> str:
    terms = []
    for key in value.split(","):
        column = _sortable.get(key.removeprefix("-"))
        if column is None:
            raise bad_request("_sort: only _id and _lastUpdated", code="not-supported")
        terms.append(f"{column} DESC" if key.startswith("-") else column)
    # The id settles ties, so that pages neither repeat nor lose a resource.
    return ", ".join([*terms, "logical_id"])


def _with_total(value: str) -> bool:
    if value not in ("none", "estimate", "accurate"):
        raise bad_request("_total is none, estimate or accurate")
    return value != "none"


def _asks_for_count(value: str) -> bool:
    if value not in ("count", "false"):
        raise bad_request("_summary: only count and false", code="not-supported")
    return value == "count"


def _include(searched_type: str, name: str, value: str) -> Include:
    plain, _, modifier = name.partition(":")
    if modifier not in ("", "iterate"):
        raise bad_request(f"unknown modifier in {name!r}", code="not-supported")
    source_type, parameter_name, target_type = (*value.split(":"), "", "")[:3]
    parameter = parameters_of(source_type).get(parameter_name)
    if (
        source_type not in RESOURCE_TYPES
        or parameter is None
        or parameter.kind is not Kind.REFERENCE
        or value.count(":") > 2
        or (target_type and target_type not in (parameter.targets or RESOURCE_TYPES))
    ):
        raise bad_request(f"{plain}: not Type:reference-parameter[:Type]", code="not-supported")
    reverse = plain == "_revinclude"
    if not reverse and not modifier and source_type != searched_type:
        raise bad_request(f"_include of {source_type} here needs _include:iterate")
    return Include(source_type, parameter_name, target_type or None, reverse, bool(modifier))
