"""Our criteria and our secret in Medplum's hands: what it would notify of, and whether we take its signature."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from adapter.subscriptions.hook import criteria_of
from adapter.sync.reading.forms import Forms
from adapter.sync.reading.wanted import Wanted
from adapter.terminology.catalogue import load_catalogue
from adapter.web.webhook import Secrets
from tests.servers import medplum
from tests.servers.required import executable, skip_or_fail

pytestmark = pytest.mark.real

SECRET = "correct-horse-battery-staple-0001"
SCRIPT = Path(medplum.__file__).with_name("medplum") / "notify.mjs"


def observation(system: str, code: str, **more: Any) -> dict[str, Any]:
    coding = {"system": system, "code": code}
    return {"resourceType": "Observation", "id": "o", "code": {"coding": [coding]}, **more}


LOINC, CAP = "http://loinc.org", "http://cap.org/eCC"
OURS = {"system": "https://w3id.org/her2-adapter/CodeSystem/her2-adapter", "code": "derived"}
IHC = observation(LOINC, "85319-2", valueString="2+ – schwach")
RESOURCES = {
    "a HER2 result": IHC,
    "one by a code of a system": observation(CAP, "79483"),
    "one inside another test": observation(LOINC, "1234-5", component=[{"code": IHC["code"]}]),
    "another test": observation(LOINC, "1234-5"),
    "that code of another system": observation("http://lab.example.org", "79483"),
    "our own": observation(LOINC, "48676-1", meta={"tag": [OURS]}),
}


def notified(param: str) -> dict[str, dict[str, Any]]:
    """What Medplum makes of our criteria by this parameter: each resource, by its name."""
    forms = Forms(tokens=Wanted.of(load_catalogue()).tokens, code_params=(param,))
    (criteria,) = criteria_of(forms)
    with skip_or_fail():
        folder, node = medplum.installed(), executable("node", "apt install nodejs")
    asked = {"criteria": criteria, "secret": SECRET, "resources": list(RESOURCES.values())}
    ran = subprocess.run(
        [node, str(SCRIPT), str(folder)],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(zip(RESOURCES, json.loads(ran.stdout), strict=True))


@pytest.mark.parametrize(
    ("param", "matching"),
    [
        ("code", {"a HER2 result", "one by a code of a system"}),
        ("combo-code", {"a HER2 result", "one by a code of a system", "one inside another test"}),
    ],
)
def test_it_notifies_of_her2_results_and_not_of_ours(param: str, matching: set[str]) -> None:
    assert {name for name, one in notified(param).items() if one["matches"]} == matching


def test_what_it_signs_we_take_and_nothing_else() -> None:
    for one in notified("code").values():
        body = one["body"].encode()
        for sent, is_ours in ((body, True), (body + b" ", False)):
            judging = Secrets("X-Webhook-Secret", (SECRET.encode(),)).judge(
                [(b"x-signature", one["signature"].encode())]
            )
            judging.take(sent)
            assert judging.is_ours is is_ours
