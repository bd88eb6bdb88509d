"""One interaction as asked for, whether it came alone or as an entry of a bundle."""

from __future__ import annotations

from dataclasses import dataclass

from adapter.sandbox.json_text import JsonObject
from adapter.sandbox.search import Pairs


@dataclass(frozen=True, slots=True)
class Call:
    """Method, path below the base, decoded query, and what came with them.

    `resource` is the parsed body of a write; `if_none_exist` a query string; `target` is set when
    it is settled which resource a write is about, and `is_there` when a conditional create found
    that resource, so that nothing is left to do; `by_criteria` when the target was found or chosen by a
    search.
    """

    method: str
    path: str
    base_url: str
    query: Pairs = ()
    resource: JsonObject | None = None
    if_match: str | None = None
    if_none_match: str | None = None
    if_modified_since: str | None = None
    if_none_exist: str | None = None
    target: tuple[str, str] | None = None
    is_there: bool = False
    by_criteria: bool = False

    @property
    def is_conditional(self) -> bool:
        """Whether a search settles what this write is about."""
        is_update = self.method == "PUT" and "/" not in self.path
        return is_update or (self.method == "POST" and self.if_none_exist is not None)
