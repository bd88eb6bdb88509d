"""The wheel is whole: built, installed into an empty environment, it knows its vocabulary, fixtures and migrations."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT],
        check=True,
        capture_output=True,
    )
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`her2-adapter` in an environment that holds the wheel; its dependencies are those of this one."""
    home = tmp_path_factory.mktemp("empty")
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    site = Path(
        subprocess.run(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
    )
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site, wheel],
        check=True,
        capture_output=True,
    )
    ours = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    # Only the third-party packages are lent; the checkout itself must not be importable.
    (site / "lent.pth").write_text(f"{ours}\n", encoding="utf-8")
    script = home / "bin" / "her2-adapter"
    script.write_text(
        f"#!{python}\nimport sys\n"
        f"sys.path[:] = [p for p in sys.path if p != {str(ROOT)!r}]\n"
        "from adapter.__main__ import main\nsys.exit(main())\n",
        encoding="utf-8",
    )
    script.chmod(0o755)
    return script


def run(command: Path, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("HER2_", "PYTHON"))}
    return subprocess.run(
        [command, *arguments],
        input=text,
        capture_output=True,
        text=True,
        cwd=command.parent,
        env=environment,
        timeout=60,
    )


def test_the_wheel_holds_mappings_fixtures_and_migrations(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    assert any(n.startswith("adapter/_data/mappings/") and n.endswith(".json") for n in names)
    assert any(n.startswith("adapter/_data/fixtures/") and n.endswith(".json") for n in names)
    assert any("/migrations/versions/" in n for n in names)
    assert "adapter/py.typed" in names
    assert not [n for n in names if n.startswith(("tests", "benchmarks"))]


def test_the_installed_command_is_the_wheels_own(command: Path) -> None:
    asked = run(command, "--version")

    assert asked.returncode == 0, asked.stderr
    assert "0." in asked.stdout


def test_the_installed_command_classifies_and_knows_its_mappings(command: Path) -> None:
    fixture = next((ROOT / "fixtures").glob("*/input.json"))
    classified = run(command, "classify", "-o", "ndjson", "-", text=fixture.read_text("utf-8"))
    checked = run(command, "mappings", "check")

    assert classified.returncode == 0, classified.stderr
    assert [json.loads(line)["kind"] for line in classified.stdout.splitlines()]
    assert checked.returncode == 0, checked.stderr
