"""The compose file and the Dockerfile, as far as they can be held without a container engine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

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


def test_the_container_runs_as_a_user_and_tells_its_health() -> None:
    text = DOCKERFILE.read_text("utf-8")

    assert "\nUSER her2" in text
    assert 'CMD ["her2-adapter", "status", "--check"]' in text
    assert "--require-hashes" in text
    assert "read_only: true" in COMPOSE.read_text("utf-8")
