"""What a search or a condition shows is taken for ours only where it carries the very key that was asked for.

Protects one Provenance for each version, and what belongs to others, from servers that leave a parameter out without
a word (FHIR R4 search, 3.1.1.5: a server may ignore what it does not know).
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapter.errors import AmbiguousMatch, PermanentServerError, UnknownOutcome
from adapter.ports import JsonObject, SearchPage, SearchParams
from adapter.sync.strategy import WriteStrategy
from adapter.sync.writing.ladder import Ladder
from tests.fakes.clock import FakeClock
from tests.fakes.habits import Habits, Transactions
from tests.fakes.server import FakeFhirServer
from tests.fakes.site import Site

CONSENT = "Provenance/aaa-consent"
PACEMAKER = "Device/aaa-pacemaker"
MANNERS = {
    f"{rung}, {transactions}": Habits(
        client_ids=False,
        conditional_update=rung == "conditional-update",
        transactions=transactions,
    )
    for rung in ("conditional-update", "conditional-create")
    for transactions in Transactions
}
every_manner = pytest.mark.parametrize("habits", MANNERS.values(), ids=MANNERS.keys())


class Deaf(FakeFhirServer):
    """A server that does not hear some parameters: "Type.name" in searches, types in the conditions of writes."""

    unheard: frozenset[str] = frozenset()
    unconditional: frozenset[str] = frozenset()
    refuses_several = False

    def search(self, resource_type: str, params: SearchParams):  # type: ignore[no-untyped-def]
        heard = [one for one in params if f"{resource_type}.{one[0]}" not in self.unheard]
        pages: list[SearchPage] = list(super().search(resource_type, heard))
        return iter(pages)

    def _settled(self, entry: JsonObject, *, is_blind: bool) -> str:
        kind = entry["resource"]["resourceType"]
        is_conditional = "id" not in entry["resource"]
        if entry["request"]["method"] == "POST" and not entry["request"]["ifNoneExist"]:
            self.given += 1
            return f"{kind}/srv-{self.given}"
        if is_conditional and kind in self.unconditional and (standing := self.all(kind)):
            if len(standing) > 1 and self.refuses_several:
                raise AmbiguousMatch("multiple matches", status=412)
            return f"{kind}/{standing[0]['id']}"
        return super()._settled(entry, is_blind=is_blind)


def deaf_site(habits: Habits, *unheard: str, unconditional: str = "") -> tuple[Site, Deaf]:
    server = Deaf(FakeClock())
    server.unheard = frozenset(unheard)
    server.unconditional = frozenset(filter(None, [unconditional]))
    server.habits = replace(habits)
    clerk = {"recorded": "2026-01-01T00:00:00Z", "agent": [{"who": {"display": "Clerk"}}]}
    consent = {"resourceType": "Provenance", "id": "aaa-consent", **clerk}
    server.put({**consent, "target": [{"reference": "Consent/1"}]})
    server.put({"resourceType": "Device", "id": "aaa-pacemaker", "type": {"text": "pacemaker"}})
    return Site(server=server), server


def assert_ours_alone(site: Site) -> None:
    """One Provenance for each version of ours, a Device of ours, and nothing of others touched."""
    for one in site.derived():
        versions = len(site.server.history(f"Observation/{one['id']}"))
        assert len(site.provenances(one)) == versions, one["id"]
        assert one["device"]["reference"] != PACEMAKER
    for of_others in (CONSENT, PACEMAKER):
        assert len(site.server.history(of_others)) == 1
        assert f"DELETE {of_others}" not in site.server.calls


def amended_once_refused(site: Site) -> None:
    """Two results stand, and are amended; that of p is refused at first."""
    for patient in "pq":
        site.laboratory.ihc(patient, "0")
    site.settle()
    site.server.refuse = lambda one: (
        "no" if one["resourceType"] == "Observation" and "derivedFrom" in one else None
    )
    site.laboratory.amend("Observation/ihc-p-a", "3+")
    site.run()
    site.server.refuse = lambda _: None
    site.laboratory.amend("Observation/ihc-p-a", "1+")
    site.laboratory.amend("Observation/ihc-q-a", "3+")
    site.settle()
    site.clock.advance(hours=1)
    site.run(full_sweep=True)
    assert site.categories() == {"p": "low", "q": "positive"}


@every_manner
@pytest.mark.parametrize(
    "unheard",
    [["Provenance._tag"], ["Device.identifier"], ["Provenance._tag", "Provenance.target"]],
)
def test_a_search_that_leaves_the_key_out_gives_nobody_elses(
    habits: Habits, unheard: list[str]
) -> None:
    site, _ = deaf_site(habits, *unheard)
    amended_once_refused(site)
    assert_ours_alone(site)


@pytest.mark.parametrize(
    ("habits", "refuses_several"),
    [
        pytest.param(habits, several, id=f"{name}-{'ambiguous' if several else 'met'}")
        for name, habits in MANNERS.items()
        for several in (False, True)
        # A transaction that is refused whole writes nothing at all.
        if not (several and habits.transactions is Transactions.ATOMIC)
    ],
)
def test_a_condition_that_finds_a_provenance_of_others_leaves_no_result_without_one(
    habits: Habits, refuses_several: bool
) -> None:
    site, server = deaf_site(habits, "Provenance._tag", unconditional="Provenance")
    server.refuses_several = refuses_several
    amended_once_refused(site)
    assert_ours_alone(site)


def test_where_a_search_by_identifier_shows_others_no_conditional_update_is_sent() -> None:
    site, server = deaf_site(
        MANNERS["conditional-update, atomic"], "Device.identifier", unconditional="Device"
    )
    site.laboratory.ihc("p", "3+")
    with pytest.raises(UnknownOutcome):
        site.run()
    assert site.derived() == []
    assert len(server.history(PACEMAKER)) == 1
    assert not [one for one in server.calls if one.startswith("PUT Device?")]


def test_a_rung_that_was_proved_is_not_left_for_one_search_that_shows_others() -> None:
    site, server = deaf_site(MANNERS["conditional-update, atomic"])
    site.laboratory.ihc("p", "0")
    site.settle()
    server.unheard = frozenset({"Device.identifier"})
    site.laboratory.amend("Observation/ihc-p-a", "3+")
    with pytest.raises(PermanentServerError):
        site.run()
    server.unheard = frozenset()
    site.settle()
    rung = Ladder(site.store, server.base_url, site.options.send).manner.strategy
    assert rung is WriteStrategy.CONDITIONAL_UPDATE
    assert site.categories() == {"p": "positive"}
