"""What kind of server the fake is: who chooses ids, what it makes of conditions, transactions and big bundles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl

from adapter.errors import PermanentServerError
from adapter.ports import JsonObject


class Transactions(StrEnum):
    """What becomes of a transaction: whole or not at all, refused, or each entry for itself."""

    ATOMIC = "atomic"
    NONE = "none"
    BATCH = "batch"


@dataclass
class Habits:
    """`is_blind`: whether a conditional write does not see what matches, as when two of them race."""

    client_ids: bool = True
    conditional_update: bool = True
    transactions: Transactions = Transactions.ATOMIC
    refusal_of_transactions: int = 405
    max_entries: int | None = None
    is_blind: Callable[[], bool] = lambda: False

    def refuse_bundle(self, entries: int) -> None:
        """Refuse a bundle for what it is, or for its size."""
        if self.transactions is Transactions.NONE:
            raise PermanentServerError("no transactions", status=self.refusal_of_transactions)
        if self.max_entries is not None and entries > self.max_entries:
            raise PermanentServerError("too many entries", status=413)

    def refuse_entry(self, entry: JsonObject, *, is_new: bool) -> None:
        """Refuse a way of writing that this server does not know."""
        method, url = entry["request"]["method"], entry["request"]["url"]
        if method == "PUT" and "?" in url and not self.conditional_update:
            raise PermanentServerError("no conditional update", status=412)
        if method == "PUT" and "?" not in url and is_new and not self.client_ids:
            raise PermanentServerError("no ids of clients", status=405)


def criteria_of(entry: JsonObject) -> tuple[str, list[tuple[str, str]]] | None:
    """Type and search parameters of a conditional write, none of a plain POST; None for a PUT under an id."""
    request = entry["request"]
    kind, mark, query = str(request["url"]).partition("?")
    if request["method"] == "POST":
        return kind, parse_qsl(request["ifNoneExist"] or "")
    return (kind, parse_qsl(query)) if mark else None


def linked(resource: JsonObject, names: Mapping[Any, str]) -> JsonObject:
    """Copy a resource, references to a fullUrl of its bundle replaced by what the entry is stored as."""

    def walk(value: Any) -> Any:
        if isinstance(value, list):
            return [walk(item) for item in value]
        if isinstance(value, dict):
            return {key: walk(item) for key, item in value.items()}
        return names.get(value, value) if isinstance(value, str) else value

    copied: JsonObject = walk(resource)
    return copied
