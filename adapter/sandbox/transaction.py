"""Batch and transaction bundles.

Source: FHIR R4, http.html#transaction: order of processing (DELETE, POST, PUT, GET), replacement of
links to entries, conditional references, all or nothing. Departures, all towards strictness:
conditional references see the server as it was before the transaction, and links inside narrative
are not replaced.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from adapter.sandbox.counts import Counts
from adapter.sandbox.entries import (
    PROCESSING_ORDER,
    Entry,
    addresses_of,
    naming,
    read_call,
    refuse_same_criteria,
    refused_entry,
)
from adapter.sandbox.interactions import Interactions, criteria_pairs
from adapter.sandbox.json_text import JsonObject
from adapter.sandbox.outcomes import Refused, bad_request
from adapter.sandbox.references import is_conditional, replace_links
from adapter.sandbox.replies import Preference, Reply, as_entry


class Bundles:
    """Carries out batch and transaction bundles."""

    def __init__(self, interactions: Interactions, counts: Counts) -> None:
        self._interactions = interactions
        self._counts = counts

    def perform(
        self, bundle: JsonObject, base_url: str, preference: Preference | None
    ) -> JsonObject:
        """Carry out a bundle and build the response bundle, entries in the order they came.

        Raises: Refused with 400 for what is no batch or transaction; for a transaction also the refusal
            of the first entry that fails, nothing having been stored.
        """
        if bundle.get("resourceType") != "Bundle":
            raise bad_request("the base takes a Bundle", expression="resourceType")
        raw_entries = bundle.get("entry", [])
        if not isinstance(raw_entries, list):
            raise bad_request("entry is a list", code="structure", expression="Bundle.entry")
        response_type = f"{bundle.get('type')}-response"
        seams = self._interactions.seams
        match bundle.get("type"):
            case "transaction" if seams.transaction_answer():
                self._counts.interaction("transaction")
                response_type = seams.transaction_answer()
                entries = self._piecemeal(raw_entries, base_url, preference)
            case "transaction":
                self._counts.interaction("transaction")
                replies = self._transaction(raw_entries, base_url)
                entries = [as_entry(reply, preference) for reply in replies]
            case "batch":
                self._counts.interaction("batch")
                entries = [
                    self._batch_entry(index, raw, base_url, preference)
                    for index, raw in enumerate(raw_entries)
                ]
            case _:
                raise bad_request("the base takes a batch or transaction", expression="Bundle.type")
        response: JsonObject = {"resourceType": "Bundle", "type": response_type}
        if entries:
            response["entry"] = entries
        return response

    def _batch_entry(
        self, index: int, raw: Any, base_url: str, preference: Preference | None
    ) -> JsonObject:
        try:
            self._interactions.seams.batch_entry()
            entry = self._read_entry(index, raw, base_url)
            return as_entry(self._interactions.perform(entry.call), preference)
        except Refused as refusal:
            return refused_entry(refusal)

    def _piecemeal(
        self, raw_entries: list[Any], base_url: str, preference: Preference | None
    ) -> list[JsonObject]:
        """Carry out a transaction entry by entry: what fails alone is refused, the rest stays."""
        entries = self._read_entries(raw_entries, base_url)
        addresses: dict[str, str] = {}
        answers: dict[int, JsonObject] = {}
        for entry in sorted(entries, key=lambda one: PROCESSING_ORDER[one.call.method]):
            try:
                self._interactions.seams.batch_entry()
                with self._interactions.unit_of_work(base_url) as writer:
                    settled = self._settled(entry)
                    addresses |= addresses_of([settled])
                    linked = self._linked(settled, addresses)
                    reply = self._interactions.carry_out(linked.call, writer)
                answers[entry.index] = as_entry(reply, preference)
            except Refused as refusal:
                answers[entry.index] = refused_entry(refusal)
        return [answers[entry.index] for entry in entries]

    def _transaction(self, raw_entries: list[Any], base_url: str) -> list[Reply]:
        entries = self._read_entries(raw_entries, base_url)
        refuse_same_criteria(entries)
        beforehand = self._interactions.settled_beforehand([entry.call for entry in entries])
        if beforehand:
            entries = [
                replace(entry, call=call) for entry, call in zip(entries, beforehand, strict=True)
            ]
        with self._interactions.unit_of_work(base_url) as writer:
            settled = entries if beforehand else [self._settled(entry) for entry in entries]
            addresses = addresses_of(settled)
            replies: dict[int, Reply] = {}
            linked = [self._linked(entry, addresses) for entry in settled]
            for entry in sorted(linked, key=lambda one: PROCESSING_ORDER[one.call.method]):
                with naming(entry.index):
                    replies[entry.index] = self._interactions.carry_out(entry.call, writer)
        return [replies[entry.index] for entry in entries]

    def _read_entries(self, raw_entries: list[Any], base_url: str) -> list[Entry]:
        entries = []
        for index, raw in enumerate(raw_entries):
            with naming(index):
                entries.append(self._read_entry(index, raw, base_url))
        return entries

    def _settled(self, entry: Entry) -> Entry:
        with naming(entry.index):
            return replace(entry, call=self._interactions.settle(entry.call))

    def _linked(self, entry: Entry, addresses: dict[str, str]) -> Entry:
        call = entry.call
        if call.target is None or call.resource is None:
            return entry
        # http://elsewhere/fhir/Observation/1 → http://elsewhere/fhir: relative references in that
        # entry mean resources there (bundle.html#references).
        root = "/".join(entry.full_url.split("/")[:-2])

        def replacement(link: str) -> str:
            address = addresses.get(link) or addresses.get(f"{root}/{link}")
            if address is None and is_conditional(link):
                return self._conditional_target(link, call.base_url)
            return address or link

        with naming(entry.index):
            return replace(
                entry, call=replace(call, resource=replace_links(call.resource, replacement))
            )

    def _conditional_target(self, link: str, base_url: str) -> str:
        resource_type, _, query = link.partition("?")
        found = self._interactions.one_match(resource_type, criteria_pairs(query), base_url)
        if found is None:
            raise bad_request(f"a conditional reference: no {resource_type} matches")
        return f"{resource_type}/{found}"

    def _read_entry(self, index: int, raw: Any, base_url: str) -> Entry:
        call, asked = read_call(raw, base_url)
        self._counts.interaction(asked.interaction)
        full_url = raw.get("fullUrl", "")
        if not isinstance(full_url, str):
            raise bad_request("fullUrl is a string", code="structure")
        return Entry(index, full_url, call)
