"""docs/operate.md and deploy/: every setting, metric and signal is explained, and systemd takes the unit."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapter.settings import HttpSettings
from adapter.settings.names import VARIABLES
from adapter.web.families import SIGNALS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operate.md").read_text("utf-8")
UNIT = (ROOT / "deploy" / "systemd" / "her2-adapter.service").read_text("utf-8")


def test_every_setting_of_http_is_explained() -> None:
    missing = [name for name in HttpSettings.model_fields if f"`http.{name}`" not in PAGE]
    assert missing == []


def test_every_metric_and_signal_is_explained() -> None:
    code = "".join(
        (ROOT / "adapter" / "web" / f"{name}.py").read_text("utf-8")
        for name in ("families", "metrics")
    )
    names = set(re.findall(r'"her2_([a-z_]+)"', code))
    assert len(names) > 20
    assert [name for name in sorted(names) if not re.search(rf"`{name}(_total)?[`{{]", PAGE)] == []
    assert [signal for signal in SIGNALS if f"`{signal}`" not in PAGE] == []


def test_every_variable_of_the_unit_is_a_real_setting() -> None:
    named = set(re.findall(r"\bHER2_[A-Z0-9_]+", UNIT + PAGE))
    assert named
    assert named <= VARIABLES


def test_every_credential_that_is_named_is_loaded() -> None:
    loaded = set(re.findall(r"^LoadCredential=([a-z-]+):", UNIT, re.MULTILINE))
    assert set(re.findall(r"(?:%d|DIRECTORY})/([a-z-]+)", UNIT)) == loaded


def test_the_unit_may_do_as_little_as_it_needs() -> None:
    for line in (
        "DynamicUser=yes",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "StateDirectory=her2-adapter",
        "Restart=on-failure",
        "CapabilityBoundingSet=",
        "LimitCORE=0",
    ):
        assert f"\n{line}\n" in UNIT


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not here: the unit was not verified")
    file = tmp_path / "her2-adapter.service"
    file.write_text(re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", UNIT))
    checked = subprocess.run(
        [analyze, "verify", "--man=no", file], capture_output=True, text=True, timeout=60
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_container_of_the_sandbox_is_asked_at_healthz() -> None:
    compose: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    ours = compose["services"]["adapter"]
    assert ours["command"] == ["run", "--http"]
    assert "http://127.0.0.1:8765/healthz" in ours["healthcheck"]["test"][-1]
