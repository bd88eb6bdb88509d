"""The demo's script: example patients on a server, three passes, an amendment and a withdrawal.

On the sandbox or on a real server. What it puts on a real server carries a tag of its own and ids
that begin with it; it reads, changes and removes nothing else there. It prints nothing itself: a
`Stage` shows what happens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from adapter.bootstrap import Adapter
from adapter.errors import PermanentServerError
from adapter.fhir.identity import relative_reference
from adapter.fhir.references import reference_to
from adapter.fhir.shapes import child, objects, references
from adapter.fhir.strict_json import read_json, write_json
from adapter.ports import FhirServer, JsonObject
from adapter.settings import (
    OutputSettings,
    PolicySettings,
    ServerSettings,
    Settings,
    StoreSettings,
    TargetSettings,
)
from adapter.sync.cycle import Cycle, PassOptions, PassReport
from adapter.sync.planning.ownership import NAMESPACE_SYSTEM
from adapter.sync.withdraw import Selection, withdraw_ours
from adapter.terminology.systems import BASE

TAG_SYSTEM: Final = f"{BASE}/CodeSystem/demo"
"""System of the tag on every example resource; its code is the run's name."""
PREFIX: Final = "demo-"
"""Every run's name begins so, and so do its namespace and its ids on a real server."""
MEMORY: Final = "sqlite://"
"""The state of a demo is forgotten at its end."""

_EXAMPLE_TYPES: Final = ("DiagnosticReport", "Observation", "Condition", "Specimen", "Patient")
"""What the examples are made of, in an order in which nothing is removed before what names it."""


class Stage(Protocol):
    """Shows a demo to somebody."""

    def say(self, text: str) -> None:
        """Show a sentence."""
        ...

    def show(self, report: PassReport, *, only_changes: bool) -> None:
        """Show what a pass decided, or only what it changed."""
        ...


@dataclass(frozen=True)
class Run:
    """One demo: its name, what its ids begin with, and how the writes at the server are counted.

    `writes`: gives the number of writes so far, as the server counts them; None where it does not,
    and then the versions that it confirmed are counted. `patients_only`: look at the example
    patients alone, because others are on the server too. `examples`: the folder with the cases.
    """

    name: str
    prefix: str = ""
    writes: Callable[[], int] | None = None
    patients_only: bool = False
    examples: Path = field(default_factory=lambda: fixtures_folder())


def fixtures_folder() -> Path:
    """Find the example patients: in the wheel, else in the checkout."""
    package = Path(__file__).parent
    packed = package / "_data" / "fixtures"
    return packed if packed.is_dir() else package.parent / "fixtures"


def sandbox_settings(base_url: str, *, name: str, policy: str | None) -> Settings:
    """Make settings for the sandbox that take nothing from the environment or any file."""
    chosen = PolicySettings.model_validate({"name": policy} if policy else {})
    return Settings(
        source=ServerSettings(url=base_url),
        target=TargetSettings(url=base_url),
        policy=chosen,
        output=OutputSettings(namespace=name),
        store=StoreSettings(url=MEMORY),
    )


def run_demo(stage: Stage, adapter: Adapter, run: Run) -> bool:
    """Play the whole script.

    Args:
        stage: where it is shown.
        adapter: whole, with a namespace of its own and a state that may be forgotten.
        run: which server it is.

    Returns:
        Whether the second pass wrote nothing, as it must.

    Raises:
        ServerError: as the port says.

    """
    target = adapter.parts.target
    patients = load_examples(target, "input.json", run)
    stage.say(f"1. {len(patients)} example patients were put on {target.base_url}.")
    cycle = Cycle(adapter.parts, adapter.options)
    asked = PassOptions(patients=patients) if run.patients_only else PassOptions()
    stage.say("2. First pass: read, decide, write.")
    first, written = _counted_pass(cycle, asked, run)
    stage.show(first, only_changes=False)
    stage.say(f"   The server was written to: {written} versions (results, Provenances, Device).")
    _, repeated = _counted_pass(cycle, asked, run)
    by = "counted at the server" if run.writes else "counted by the client"
    stage.say(f"3. Second pass, nothing had changed: {repeated} writes, {by}.")
    load_examples(target, "later.json", run)
    stage.say(
        "4. The laboratory amends one result (IHC 1+ is really 2+) and withdraws another "
        "(entered in error). Third pass:"
    )
    third, _ = _counted_pass(cycle, asked, run)
    stage.show(third, only_changes=True)
    return repeated == 0


def _counted_pass(cycle: Cycle, asked: PassOptions, run: Run) -> tuple[PassReport, int]:
    before = run.writes() if run.writes else 0
    report = cycle.run_pass(asked)
    return report, run.writes() - before if run.writes else report.writes


def load_examples(target: FhirServer, file: str, run: Run) -> tuple[str, ...]:
    """Put one file of every example folder on a server, one transaction each.

    Returns:
        The patients in them, "Patient/<id>".

    """
    patients = []
    for path in sorted(run.examples.glob(f"*/{file}")):
        bundle = _of_run(read_json(path.read_bytes()), run)
        target.transact(write_json(bundle))
        names = [str(entry["request"]["url"]) for entry in bundle["entry"]]
        patients += [name for name in names if name.startswith("Patient/")]
    return tuple(patients)


def _of_run(bundle: JsonObject, run: Run) -> JsonObject:
    """Give every resource of a transaction the run's tag, and its ids the run's prefix."""
    entries = []
    for entry in bundle["entry"]:
        resource = _with_prefix(entry["resource"], run.prefix)
        meta = child(resource, "meta")
        tags = [*objects(meta.get("tag")), {"system": TAG_SYSTEM, "code": run.name}]
        marked = {**resource, "id": run.prefix + resource["id"], "meta": {**meta, "tag": tags}}
        entries.append(
            {"resource": marked, "request": {"method": "PUT", "url": reference_to(marked)}}
        )
    return {**bundle, "entry": entries}


def _with_prefix(value: Any, prefix: str) -> Any:
    if isinstance(value, list):
        return [_with_prefix(item, prefix) for item in value]
    if not isinstance(value, dict):
        return value
    copied = {key: _with_prefix(item, prefix) for key, item in value.items()}
    kind, slash, logical_id = str(copied.get("reference", "")).partition("/")
    if slash:
        copied["reference"] = f"{kind}/{prefix}{logical_id}"
    return copied


def clean_up(stage: Stage, adapter: Adapter, name: str) -> None:
    """Remove what a run put on a server; where it may not be removed, mark it entered in error.

    Args:
        stage: where it is told.
        adapter: whole, of the run's namespace.
        name: the run.

    Raises:
        ServerError: as the port says.

    """
    target = adapter.parts.target
    ours = tuple(_put_by(target, name))
    if not ours:
        stage.say(f"Nothing of {name} is on {target.base_url}.")
        return
    entries = [{"request": {"method": "DELETE", "url": one}} for one in ours]
    body = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    try:
        target.transact(write_json(body))
    except PermanentServerError as error:
        stage.say(f"The server does not remove them ({error}); they are entered in error instead.")
        _enter_in_error(adapter, name)
    else:
        stage.say(f"Removed: {len(ours)} resources of {name}; the Device of this version stays.")


def _put_by(target: FhirServer, name: str) -> Iterator[str]:
    """Name everything of a run; the tags are looked at again, as a server may ignore a parameter."""
    derived: dict[str, JsonObject] = {}
    provenances: list[JsonObject] = []
    asked = [("_tag", f"{NAMESPACE_SYSTEM}|{name}"), ("_revinclude", "Provenance:target")]
    for page in target.search("Observation", asked):
        found = (one for one in page.matches if _is_tagged(one, NAMESPACE_SYSTEM, name))
        derived |= {reference_to(one): one for one in found}
        provenances += page.included
    for one in provenances:
        targets = {relative_reference(text, (target.base_url,)) for text in _targets(one)}
        if one.get("resourceType") == "Provenance" and targets and targets <= derived.keys():
            yield reference_to(one)
    yield from derived
    for kind in _EXAMPLE_TYPES:
        for page in target.search(kind, [("_tag", f"{TAG_SYSTEM}|{name}")]):
            yield from (
                reference_to(one) for one in page.matches if _is_tagged(one, TAG_SYSTEM, name)
            )


def _targets(provenance: Mapping[str, Any]) -> Sequence[str]:
    return references(provenance.get("target"))


def _is_tagged(resource: JsonObject, system: str, code: str) -> bool:
    tags = objects(child(resource, "meta").get("tag"))
    return any((tag.get("system"), tag.get("code")) == (system, code) for tag in tags)


def _enter_in_error(adapter: Adapter, name: str) -> None:
    """Withdraw the derived results and the example results of a run."""
    withdraw_ours(adapter.parts, adapter.options, Selection(), preview=False)
    target = adapter.parts.target
    entries = [
        {
            "resource": {**one, "status": "entered-in-error"},
            "request": {"method": "PUT", "url": reference_to(one)},
        }
        for page in target.search("Observation", [("_tag", f"{TAG_SYSTEM}|{name}")])
        for one in page.matches
        if _is_tagged(one, TAG_SYSTEM, name)
    ]
    if entries:
        body = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        target.transact(write_json(body))
