"""SMART from the settings on: what is asked for, what is told of it, and that it is enough."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import Event

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from adapter.bootstrap import open_adapter
from adapter.errors import ConfigError, NotAuthorised
from adapter.ports import (
    EntryOutcome,
    FhirServer,
    JsonObject,
    Read,
    SearchPage,
    SearchParams,
    SingleWrite,
)
from adapter.sandbox.server import Sandbox
from adapter.settings import Settings, load_settings
from adapter.sync.cycle import Cycle
from adapter.sync.passed_on import PassedOn
from adapter.sync.permissions import needed
from adapter.transport.smart import SmartAuth
from tests.cli.conftest import Run, load
from tests.servers.authorisation import AuthorisationServer, serving
from tests.unit.transport.smart.conftest import jwk, write_keys

BOTH_WAYS = (
    "system/Observation.rs system/Patient.r system/Specimen.rs system/DiagnosticReport.rs "
    "system/Condition.r system/ServiceRequest.r system/Provenance.rs system/Device.rs "
    "system/Observation.u system/Provenance.u system/Device.u"
)
READING = (
    "system/Observation.rs system/Patient.r system/Specimen.rs system/DiagnosticReport.rs "
    "system/Condition.r system/ServiceRequest.r system/Provenance.rs system/Device.rs"
)


@pytest.fixture
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP384R1())


@pytest.fixture
def key_file(tmp_path: Path, key: ec.EllipticCurvePrivateKey) -> Path:
    return write_keys(tmp_path / "keys.json", [jwk(key, "one")])


@pytest.fixture
def authority(key: ec.EllipticCurvePrivateKey) -> Iterator[AuthorisationServer]:
    with serving(AuthorisationServer(keys={"one": key.public_key()})) as served:
        yield served


@pytest.fixture
def smart(key_file: Path, authority: AuthorisationServer, sandbox: Sandbox) -> dict[str, str]:
    return {
        "HER2_FHIR_URL": sandbox.base_url,
        "HER2_SOURCE__AUTH__KIND": "smart",
        "HER2_SOURCE__AUTH__CLIENT_ID": "her2",
        "HER2_SOURCE__AUTH__KEY_FILE": str(key_file),
        "HER2_SOURCE__AUTH__TOKEN_URL": authority.token_url,
    }


def test_writing_asks_for_the_scopes_that_a_pass_needs(
    run: Run, smart: dict[str, str], authority: AuthorisationServer
) -> None:
    ended = run("config", "--check", **smart)
    assert ended.code == 0, ended.err
    assert [form["scope"] for form in authority.forms] == [BOTH_WAYS]
    assert f"Granted by the source: {BOTH_WAYS}" in ended.err
    assert "Degraded" not in ended.err


def test_observing_asks_for_reading_alone(
    run: Run, smart: dict[str, str], authority: AuthorisationServer
) -> None:
    assert run("config", "--check", **smart, HER2_MODE="observe").code == 0
    assert [form["scope"] for form in authority.forms] == [READING]


def test_another_target_is_asked_for_what_is_written_there(
    key_file: Path, authority: AuthorisationServer
) -> None:
    auth = {"kind": "smart", "client_id": "her2", "key_file": str(key_file)}
    sides = {"source": "https://one.example/r4", "target": "https://two.example/r4"}
    said = {f"{side}.auth.{name}": value for side in sides for name, value in auth.items()}
    said |= {f"{side}.auth.token_url": authority.token_url for side in sides}
    said |= {f"{side}.url": url for side, url in sides.items()}
    with open_adapter(load_settings(None, said | {"store.url": "sqlite://"}), Event()) as adapter:
        for side in sides:
            adapter.auths[side].headers()
    source, target = [form["scope"].split() for form in authority.forms]
    assert source == list(needed(source=True, target=False))
    assert not [scope for scope in source if scope.endswith((".u", ".c"))]
    assert {scope.split(".")[0] for scope in target} == {
        "system/Observation",
        "system/Provenance",
        "system/Device",
    }


def test_scopes_of_the_site_are_asked_for_as_they_are(
    run: Run, smart: dict[str, str], authority: AuthorisationServer
) -> None:
    scopes = "system/*.rs system/Observation.u"
    assert run("config", "--check", **smart, HER2_SOURCE__AUTH__SCOPES=scopes).code == 0
    assert [form["scope"] for form in authority.forms] == [scopes]


@pytest.mark.parametrize(
    ("granted", "says"),
    [
        ("system/Observation.rs", "Degraded: the source did not grant, or only in part: "),
        (f"{BOTH_WAYS} system/Observation.d", "more than was asked for: system/Observation.d"),
        (None, "does not say which scopes it granted"),
    ],
    ids=["fewer", "more", "none"],
)
def test_a_difference_between_asked_and_granted_is_said(
    granted: str | None,
    says: str,
    run: Run,
    smart: dict[str, str],
    authority: AuthorisationServer,
) -> None:
    authority.scope = granted
    ended = run("config", "--check", **smart, HER2_LOG__FORMAT="json")
    assert says in ended.err
    (line,) = [text for text in ended.err.splitlines() if "token_scopes_differ" in text]
    assert "dropped" not in json.loads(line)


def test_the_doctor_names_the_scopes_that_the_token_lacks_and_the_line_to_grant(
    run: Run, smart: dict[str, str], authority: AuthorisationServer
) -> None:
    authority.scope = "system/*.rs system/Observation.u"
    ended = run("doctor", "--read-only", **smart)

    assert ended.code == 5
    rows = {line["kind"]: line for line in ended.lines}
    assert rows["scopes"]["missing"] == ["system/Device.u", "system/Provenance.u"]
    assert rows["scopes"]["asked"] == BOTH_WAYS.split()
    assert rows["remedy"]["text"] == BOTH_WAYS


def test_a_key_file_that_others_can_read_stops_the_start(
    run: Run, smart: dict[str, str], key_file: Path, authority: AuthorisationServer
) -> None:
    key_file.chmod(0o644)
    ended = run("config", "--check", **smart)
    assert (ended.code, authority.forms) == (2, [])
    assert "chmod 600" in ended.err


def test_no_secret_shows_in_any_output(
    run: Run, smart: dict[str, str], authority: AuthorisationServer, key_file: Path
) -> None:
    secret = json.loads(key_file.read_text())["keys"][0]["d"]
    authority.outages = [(400, {"error": "invalid_client"})]
    told = ""
    for arguments in (["config"], ["config", "--check"], ["config", "--check"], ["sync"]):
        ended = run(*arguments, **smart, HER2_LOG__LEVEL="debug")
        told += ended.out + ended.err
    assert authority.valid_tokens
    for canary in (secret, "token-1", "token-2", *authority.assertions):
        assert canary not in told


class Enforcing(PassedOn):
    """Allows what scopes allow, letter by letter, as a strict server would."""

    def __init__(self, server: FhirServer, scopes: Iterable[str]) -> None:
        super().__init__(server)
        self.allowed = {
            (scope.removeprefix("system/").split(".")[0], letter)
            for scope in scopes
            for letter in scope.rpartition(".")[2]
        }
        self.used: set[tuple[str, str]] = set()

    def _require(self, kind: str, letter: str) -> None:
        self.used.add((kind, letter))
        if (kind, letter) not in self.allowed:
            raise NotAuthorised(f"{kind}.{letter} is not allowed", status=403)

    def read(self, reference: str) -> JsonObject | None:
        self._require(reference.partition("/")[0], "r")
        return super().read(reference)

    def read_all(self, references: Iterable[str]) -> dict[str, Read]:
        wanted = list(references)
        for reference in wanted:
            self._require(reference.partition("/")[0], "r")
        return super().read_all(wanted)

    def search(self, resource_type: str, params: SearchParams) -> Iterator[SearchPage]:
        self._require(resource_type, "s")
        for name, value in params:
            if name == "_revinclude":
                self._require(value.partition(":")[0], "s")
        return super().search(resource_type, params)

    def transact(self, bundle: bytes) -> tuple[EntryOutcome, ...]:
        for entry in json.loads(bundle)["entry"]:
            request = entry["request"]
            letter = {"PUT": "u", "POST": "c", "GET": "r", "DELETE": "d"}[request["method"]]
            self._require(request["url"].partition("/")[0].partition("?")[0], letter)
        return super().transact(bundle)

    def write(self, one: SingleWrite) -> EntryOutcome:
        letter = {"PUT": "u", "POST": "c", "DELETE": "d"}[one.method]
        self._require(one.url.partition("/")[0].partition("?")[0], letter)
        return super().write(one)


def _settings(sandbox: Sandbox, tmp_path: Path, mode: str, strategy: str = "auto") -> Settings:
    state = f"sqlite:///{tmp_path / mode}.sqlite"
    said = {"source.url": sandbox.base_url, "store.url": state, "mode": mode}
    return load_settings(None, said | {"target.write_strategy": strategy})


@pytest.mark.parametrize(
    ("mode", "strategy"),
    [
        ("write", "client-ids"),
        ("write", "conditional-update"),
        ("write", "conditional-create"),
        ("observe", "auto"),
    ],
)
def test_the_scopes_asked_for_are_enough_for_passes(
    mode: str, strategy: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    load(sandbox)
    made: list[Enforcing] = []
    creates = strategy.startswith("conditional")
    scopes = needed(source=True, target=True, observe=mode == "observe", creates=creates)

    def strict(server: FhirServer) -> FhirServer:
        made.append(Enforcing(server, scopes))
        return made[-1]

    with open_adapter(
        _settings(sandbox, tmp_path, mode, strategy), Event(), watched=strict
    ) as adapter:
        cycle = Cycle(adapter.parts, adapter.options)
        reports = [cycle.run_pass(), cycle.run_pass()]
    assert [report.outcome for report in reports] == [
        "observed" if mode == "observe" else "done"
    ] * 2
    (server,) = made
    assert server.used - server.allowed <= {("Patient", "s")}  # refused, and told as a warning


def test_no_kind_of_settings_makes_smart_without_a_usable_key(tmp_path: Path) -> None:
    file = write_keys(tmp_path / "key.pem", b"no key")
    said = {"kind": "smart", "client_id": "her2", "key_file": str(file)}
    flags = {f"source.auth.{name}": value for name, value in said.items()}
    flags |= {"source.url": "https://one.example/r4", "store.url": "sqlite://"}
    settings = load_settings(None, flags)
    with pytest.raises(ConfigError, match="holds no private key"), open_adapter(settings, Event()):
        pass
    assert SmartAuth.__name__ not in repr(settings)
