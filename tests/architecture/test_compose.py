"""The compose file and the Dockerfile, as far as they can be held without a container engine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from adapter.settings.names import VARIABLES

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "Dockerfile"
OUR_VARIABLE = re.compile(r"\bHER2_[A-Z0-9_]+")


def test_the_compose_file_is_valid_by_the_compose_specification() -> None:
    checked = subprocess.run(
        [
            Path(sys.executable).with_name("check-jsonschema"),
            "--builtin-schema",
            "vendor.compose-spec",
            COMPOSE,
        ],
        capture_output=True,
        text=True,
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_variable_of_ours_is_a_real_setting() -> None:
    for file in (COMPOSE, DOCKERFILE):
        named = set(OUR_VARIABLE.findall(file.read_text("utf-8")))

        assert named
        assert named <= VARIABLES


def _adapter() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]
    (ours,) = [one for one in services.values() if one.get("build")]
    return dict(ours)


def test_the_container_may_do_as_little_as_it_needs() -> None:
    """S29: no root, no capability, no new privilege, nothing writable but its state and /tmp, no core dump."""
    ours = _adapter()
    assert ours["read_only"] is True
    assert ours["cap_drop"] == ["ALL"]
    assert ours["security_opt"] == ["no-new-privileges:true"]
    assert ours["tmpfs"] == ["/tmp"]
    assert ours["ulimits"] == {"core": 0}
    assert not {"privileged", "cap_add", "devices", "pid", "network_mode", "ports"} & ours.keys()


def test_nothing_is_published_beyond_this_machine() -> None:
    services = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]
    published = [port for one in services.values() for port in one.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_every_image_is_pinned_and_the_last_user_is_not_root() -> None:
    lines = DOCKERFILE.read_text("utf-8").splitlines()
    images = [line.split()[1] for line in lines if line.startswith("FROM ")]
    images += [
        one["image"]
        for one in yaml.safe_load(COMPOSE.read_text("utf-8"))["services"].values()
        if "image" in one
    ]
    assert len(images) >= 4
    for image in images:
        tag = image.partition(":")[2]
        assert re.match(r"v?\d+\.\d+", tag), f"{image} moves"
    if not all("@sha256:" in image for image in images):
        assert "replace both tags by digests" in DOCKERFILE.read_text("utf-8")
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users[-1:] == ["her2"]
    assert any("--uid 10001" in line for line in lines)


def test_the_container_tells_its_health() -> None:
    text = DOCKERFILE.read_text("utf-8")
    assert "\nHEALTHCHECK " in text
    assert 'CMD ["her2-adapter", "status", "--check"]' in text
    assert "--require-hashes" in text


def test_no_memory_image_of_the_process_is_written() -> None:
    """Not in a container alone: the command sets its own limit before it reads a secret."""
    code = (
        "import resource, adapter.__main__ as m\n"
        "m.without_core_dumps()\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE)[0])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "0"
