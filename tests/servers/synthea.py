"""Women with breast cancer from Synthea: FHIR that nobody of this project wrote.

Synthea gives each patient a transaction Bundle with `urn:uuid:` references inside, and conditional
ones ("Practitioner?identifier=…") to hospitals and staff that it writes into Bundles of their own:
those have to be on the server first. Seed and date are fixed, so every machine gets the same.
"""

import hashlib
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.servers.cache import CACHE, download, made_once
from tests.servers.java import BRIEF, java
from tests.servers.required import executable

_PROJECT = Path(__file__).with_name("synthea")
# 250 women, of whom about ten have had a HER2 test by that day.
_ARGUMENTS = (
    *("-g", "F", "-a", "45-80", "-p", "250", "-m", "breast_cancer*"),
    *("-s", "7", "-cs", "7", "-r", "20260101", "-e", "20260101"),
)
_HER2_TESTS = frozenset({"85319-2", "85318-4"})
_SURROUNDINGS = "surroundings.json"
_REQUEST_SECONDS = 120.0


@dataclass(frozen=True)
class LoadedPatient:
    """A patient as she is on the server now."""

    reference: str
    """`Patient/<id>`, as the server chose it."""
    bundle: dict[str, Any]
    """The transaction Bundle that Synthea wrote, not changed."""

    @property
    def her2_results(self) -> list[dict[str, Any]]:
        """Her HER2 Observations as Synthea wrote them."""
        return [each for each in _resources(self.bundle) if _is_her2_result(each)]


def bundles_with_her2() -> list[dict[str, Any]]:
    """Return the transaction Bundles of the patients with a HER2 result, always in one order.

    Raises:
        MissingPartError: without Java or Maven, or when Maven Central cannot be reached.
    """
    return [_parsed(path) for path in sorted(_generated().glob("patient-*.json"))]


def load_into(base_url: str) -> list[LoadedPatient]:
    """Store the patients, and first the hospitals and staff that they refer to, on a server.

    Hospitals and staff are created once however often this runs; patients each time anew.
    """
    _post(base_url, _parsed(_generated() / _SURROUNDINGS))
    loaded = []
    for bundle in bundles_with_her2():
        places = _post(base_url, bundle)
        reference = "/".join(places[0].split("/")[:2])
        loaded.append(LoadedPatient(reference, bundle))
    return loaded


def _post(base_url: str, bundle: dict[str, Any]) -> list[str]:
    answer = requests.post(base_url, json=bundle, timeout=_REQUEST_SECONDS)
    answer.raise_for_status()
    responses = [entry["response"] for entry in answer.json()["entry"]]
    refused = [each for each in responses if not each["status"].startswith("20")]
    if refused:
        raise RuntimeError(f"{len(refused)} entries of a Synthea Bundle refused: {refused[0]}")
    return [each["location"] for each in responses]


def _generated() -> Path:
    settings = "\0".join([(_PROJECT / "pom.xml").read_text(encoding="utf-8"), *_ARGUMENTS])
    digest = hashlib.sha256(settings.encode()).hexdigest()[:16]
    return made_once(CACHE / "synthea" / f"patients-{digest}", _generate_into)


def _generate_into(folder: Path) -> None:
    pom = _PROJECT / "pom.xml"
    digest = hashlib.sha256(pom.read_bytes()).hexdigest()[:16]
    libraries = made_once(CACHE / "synthea" / f"lib-{digest}", _fetch_into)
    output = folder / "output"
    subprocess.run(
        [
            *(java(), *BRIEF, "-cp", f"{libraries}/*", "App", *_ARGUMENTS),
            f"--exporter.baseDirectory={output}",
        ],
        cwd=folder,
        capture_output=True,
        check=True,
    )
    _keep_what_is_needed(output / "fhir", folder)
    shutil.rmtree(output)


def _fetch_into(folder: Path) -> None:
    maven = executable("mvn", "apt install maven")
    download(
        [
            *(maven, "--quiet", "--batch-mode", "--file", str(_PROJECT / "pom.xml")),
            *("dependency:copy-dependencies", f"-DoutputDirectory={folder}"),
        ],
        what="Synthea",
        folder=folder,
    )


def _keep_what_is_needed(written: Path, folder: Path) -> None:
    surroundings: list[dict[str, Any]] = []
    kept = []
    for path in sorted(written.glob("*.json")):
        bundle = _parsed(path)
        if path.name.startswith(("hospitalInformation", "practitionerInformation")):
            surroundings += bundle["entry"]
        elif any(_is_her2_result(each) for each in _resources(bundle)):
            kept.append(path)
    texts = [path.read_text(encoding="utf-8") for path in kept]
    # By content, not by name: Synthea's file names are the patients' names.
    for number, text in enumerate(sorted(texts), start=1):
        (folder / f"patient-{number:02}.json").write_text(text, encoding="utf-8")
    referred = [each for each in surroundings if _is_referred_to(each["request"], texts)]
    batch = {"resourceType": "Bundle", "type": "batch", "entry": referred}
    (folder / _SURROUNDINGS).write_text(json.dumps(batch), encoding="utf-8")


def _is_referred_to(request: dict[str, Any], texts: list[str]) -> bool:
    condition = request.get("ifNoneExist")
    reference = f'"{request["url"]}?{condition}"'
    return condition is not None and any(reference in text for text in texts)


def _is_her2_result(resource: dict[str, Any]) -> bool:
    codings = resource.get("code", {}).get("coding", [])
    return resource["resourceType"] == "Observation" and any(
        each["code"] in _HER2_TESTS for each in codings
    )


def _resources(bundle: dict[str, Any]) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in bundle["entry"]]


def _parsed(path: Path) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return parsed
