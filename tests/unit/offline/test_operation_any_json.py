"""Whatever is posted, `$her2-derive` answers or refuses by a code; nothing else is raised, and no result is lost."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from adapter.bootstrap import catalogue_of, context_of
from adapter.errors import InputError
from adapter.offline.operation import Rules, derive_bundle
from adapter.settings import Settings
from tests.promises.spoiling import change_bytes, spoil_structure

EXAMPLE = Path(__file__).parents[3] / "fixtures" / "ihc-2-plus-fish-negative" / "input.json"
SPOILT = 400
OUTCOMES = ("used", "not-her2", "not-applicable", "unreadable", "ignored", "no-result")

Json = dict[str, Any]


@pytest.fixture(scope="module")
def rules() -> Rules:
    settings = Settings()
    catalogue = catalogue_of(settings)
    now = datetime(2026, 11, 26, 9, 30, tzinfo=UTC)
    return Rules(catalogue, context_of(settings, catalogue, now))


@pytest.fixture(scope="module")
def resources(rules: Rules) -> list[Json]:
    """Results, what stands of them with its Provenance, a report, and the specimen at the end."""
    given = [entry["resource"] for entry in json.loads(EXAMPLE.read_bytes())["entry"]]
    made = json.loads(derive_bundle(EXAMPLE.read_bytes(), rules).content)
    own = [entry["resource"] for entry in made["entry"]]
    own[0]["meta"]["versionId"] = "3"
    results = [one for one in given if one["resourceType"] == "Observation"]
    rest = [one for one in given if one["resourceType"] not in ("Observation", "Specimen")]
    [specimen] = [one for one in given if one["resourceType"] == "Specimen"]
    return [*results, *own, *rest, specimen]


def entries(resources: list[Json], random: Random) -> list[Any]:
    """Entries as servers send them, and sometimes one that is none."""
    made: list[Any] = []
    for one in resources:
        entry: Json = {"resource": one}
        if random.random() < 0.5:
            entry["fullUrl"] = random.choice(("https://a.test/r4/x/1", "urn:uuid:1", "", 7, None))
        made.append(entry)
    if random.random() < 0.2:
        nothing = (
            None,
            7,
            [],
            {"resource": []},
            {"resource": {"id": "n"}},
            {"resource": {"resourceType": 1}},
        )
        made.insert(random.randrange(len(made)), random.choice(nothing))
    return made


@pytest.mark.parametrize("complete", [False, True], ids=["collection", "transaction"])
def test_spoilt_bundles_are_answered_or_refused(
    rules: Rules, resources: list[Json], complete: bool
) -> None:
    answered, refused = 0, list[tuple[str, str]]()
    for seed in range(SPOILT):
        random = Random(seed)
        order = list(resources)
        first = random.randrange(len(order) - 1)
        order.insert(0, order.pop(first))
        spoilt = spoil_structure(order, random).resources
        bundle = {
            "resourceType": "Bundle",
            "type": "collection",
            "entry": entries(spoilt, random),
        }
        body = json.dumps(bundle).encode()
        if random.random() < 0.2:
            body = change_bytes(body, random)
        try:
            given = derive_bundle(body, rules, complete=complete)
        except InputError as error:
            refused.append((error.code, str(error)))
            continue
        answered += 1
        kind = json.loads(given.content)["type"]
        assert kind == ("transaction" if complete else "collection"), seed
        counted = sum(given.counts.get(name, 0) for name in OUTCOMES)
        assert counted == given.counts["results"], seed

    assert SPOILT / 3 < answered < SPOILT
    assert [code for code, _ in refused if not re.fullmatch(r"[a-z][a-z0-9-]+", code)] == []
    assert [sentence for _, sentence in refused if "ihc-2-plus" in sentence] == []
