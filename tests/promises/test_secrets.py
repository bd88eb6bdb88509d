"""S11: a secret of every kind goes into every command, and is searched for in everything that comes out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec

from adapter.sandbox.server import Sandbox
from tests.cli.conftest import ROOT, load
from tests.servers.authorisation import AuthorisationServer, serving
from tests.unit.transport.smart.conftest import jwk, write_keys

CANARY = "SECRET-CANARY"
COMMANDS = (
    ["config"],
    ["config", "--check"],
    ["sync"],
    ["subscribe", "create", "--wait", "0"],
    ["subscribe", "show"],
    ["subscribe", "remove"],
    ["audit", "show"],
)


def _run(arguments: list[str], environment: dict[str, str], folder: Path) -> str:
    """Run a command as a process of its own, and look at its command line while it runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "adapter", *arguments],
        cwd=folder,
        env={**{k: v for k, v in os.environ.items() if not k.startswith("HER2_")}, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    line = Path(f"/proc/{process.pid}/cmdline")
    shown = line.read_text("utf-8") if line.exists() else ""
    out, err = process.communicate(timeout=120)
    return shown + out + err


@pytest.mark.parametrize("kind", ["bearer", "basic", "header", "smart"])
def test_no_secret_is_in_any_output_file_or_command_line(
    kind: str, tmp_path: Path, record_property: Any
) -> None:
    state = tmp_path / "state"
    secrets = tmp_path / "secrets"
    state.mkdir()
    secrets.mkdir()
    key = ec.generate_private_key(ec.SECP384R1())
    file = write_keys(secrets / "keys.json", [jwk(key, "one")])
    client = trustme.CA().issue_cert("adapter.example.org").private_key_and_cert_chain_pem
    client.write_to_path(str(secrets / "client.pem"))
    (secrets / "client.pem").chmod(0o600)
    given = {
        "bearer": {"TOKEN": CANARY},
        "basic": {"USERNAME": "reader", "PASSWORD": CANARY},
        "header": {"HEADER_NAME": "X-Api-Key", "HEADER_VALUE": CANARY},
        "smart": {"CLIENT_ID": "her2", "KEY_FILE": str(file)},
    }[kind]
    with Sandbox() as sandbox, serving(AuthorisationServer(keys={"one": key.public_key()})) as idp:
        load(sandbox, "ihc-1-plus", "ihc-3-plus")
        if kind == "smart":
            given["TOKEN_URL"] = idp.token_url
        environment = {
            "HER2_FHIR_URL": sandbox.base_url,
            "HER2_SOURCE__AUTH__KIND": kind,
            "HER2_SOURCE__CLIENT_CERT_FILE": str(secrets / "client.pem"),
            "HER2_STORE__AUDIT_KEY": f"{CANARY}-{'k' * 40}",
            "HER2_HTTP__SYNC_TOKEN": f"{CANARY}-{'t' * 40}",
            "HER2_HTTP__WEBHOOK__ENDPOINT": "https://her2.example.org/webhook",
            "HER2_HTTP__WEBHOOK__SECRET": f"{CANARY}-{'w' * 40}",
            "HER2_HTTP__WEBHOOK__EARLIER_SECRET": f"{CANARY}-{'e' * 40}",
            "HER2_LOG__LEVEL": "debug",
            "HER2_POLL__OVERLAP_SECONDS": "1",
            **{f"HER2_SOURCE__AUTH__{name}": value for name, value in given.items()},
        }
        told = "".join(_run(arguments, environment, state) for arguments in COMMANDS)
        canaries = [CANARY, jwk(key, "one")["d"], *idp.assertions, *idp.valid_tokens]
    pem = (secrets / "client.pem").read_text().splitlines()[1]
    assert str(file if kind == "smart" else kind) in told
    files = [path for path in state.rglob("*") if path.is_file()]
    assert files
    kept = b"".join(path.read_bytes() for path in files).decode("latin-1")
    for canary in [*canaries, pem]:
        assert canary not in told
        assert canary not in kept
    record_property("promise", "canaries")
    record_property(
        "figure",
        f"a secret of kind {kind} in {len(COMMANDS)} commands: in no output, command line or file "
        f"({len(files)} files of the state)",
    )


def test_no_option_of_a_command_takes_a_secret() -> None:
    shown = json.loads(
        subprocess.run(
            [sys.executable, "-c", _OPTIONS], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
    )
    assert len(shown) > 30
    words = ("token", "password", "secret", "credential", "key-file", "header")
    assert not [one for one in shown if any(word in one for word in words)]


_OPTIONS = """
import json, typer
from adapter.cli.app import app
def walk(command):
    for one in getattr(command, "commands", {}).values():
        yield from walk(one)
    for parameter in command.params:
        yield from parameter.opts
print(json.dumps(sorted({f"{name}" for name in walk(typer.main.get_command(app))})))
"""
