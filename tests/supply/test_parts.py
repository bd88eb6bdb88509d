"""S8, S28: the lock holds hashes and floors, a changed file is refused, and two builds are one wheel."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata as metadata
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.supply.audit import LOCK, entries_of

ROOT = Path(__file__).parents[2]
LOCKS = [LOCK, ROOT / "requirements-dev.lock"]
# Below these are advisories: CVE-2026-25645 and older; GHSA-mf9v-mfxr-j63j, GHSA-qccp-gfcp-xxvc.
FLOORS = {"requests": "2.34.2", "urllib3": "2.7.0"}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_entry_of_a_lock_has_its_hashes(lock: Path) -> None:
    logical = lock.read_text("utf-8").replace("\\\n", " ").splitlines()
    entries = [line for line in logical if line.strip() and not line.lstrip().startswith("#")]
    assert len(entries) == len(entries_of(lock)) > 40
    for line in entries:
        assert re.match(r"[A-Za-z0-9._-]+(\[[^]]*\])?==\S+", line), line
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", line), line


@pytest.mark.parametrize("name", FLOORS)
def test_nothing_below_the_floor_can_be_installed(name: str) -> None:
    for lock in LOCKS:
        assert Version(entries_of(lock)[name]) >= Version(FLOORS[name])
    stated = [Requirement(text) for text in metadata.requires("her2-adapter") or ()]
    (one,) = [requirement for requirement in stated if requirement.name == name]
    below = [f"{FLOORS[name].rpartition('.')[0]}.0", "1.0"]
    assert not list(one.specifier.filter(version for version in below if version != FLOORS[name]))
    assert FLOORS[name] in one.specifier


def _runtime(
    name: str = "her2-adapter", extras: frozenset[str] = frozenset({"postgres"})
) -> set[str]:
    """Give everything that the installed product needs, by its own metadata."""
    found: set[str] = set()
    waiting = [(name, extras)]
    while waiting:
        current, wanted = waiting.pop()
        for text in metadata.requires(current) or ():
            requirement = Requirement(text)
            marker = requirement.marker
            if marker and not any(marker.evaluate({"extra": one}) for one in {"", *wanted}):
                continue
            plain = re.sub(r"[-_.]+", "-", requirement.name).lower()
            if plain not in found or requirement.extras:
                found.add(plain)
                waiting.append((plain, frozenset(requirement.extras)))
    return found


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What `make sbom` lists: name → version."""
    file = tmp_path_factory.mktemp("sbom") / "sbom.cdx.json"
    subprocess.run(
        ["make", "-s", "-o", ".venv/.dev", "-C", ROOT, "sbom", f"SBOM={file}"],
        check=True,
        capture_output=True,
    )
    document = json.loads(file.read_text("utf-8"))
    assert document["bomFormat"] == "CycloneDX"
    assert document["metadata"]["component"]["name"] == "her2-adapter"
    assert all(one["purl"].startswith("pkg:pypi/") for one in document["components"])
    return {
        re.sub(r"[-_.]+", "-", one["name"]).lower(): one["version"]
        for one in document["components"]
    }


def test_the_list_of_parts_names_everything_that_runs(listed: dict[str, str]) -> None:
    needed = _runtime()
    assert len(needed) > 25
    assert needed <= listed.keys()
    assert listed == entries_of(LOCK)


def test_the_list_of_parts_names_everything_that_is_imported(listed: dict[str, str]) -> None:
    homes = metadata.packages_distributions()
    for file in (ROOT / "adapter").rglob("*.py"):
        if file.name == "pytest_plugin.py":
            continue  # loaded by pytest alone, in other people's tests
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name.split(".")[0] for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [(node.module or "").split(".")[0]]
            for name in names:
                if name not in sys.stdlib_module_names and name != "adapter":
                    parts = {re.sub(r"[-_.]+", "-", one).lower() for one in homes[name]}
                    assert parts & listed.keys(), f"{file}: {name}"


def _tiny_wheel(folder: Path) -> str:
    wheel = folder / "tiny_part-1.0-py3-none-any.whl"
    about = "tiny_part-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny_part.py", "VALUE = 1\n")
        archive.writestr(
            f"{about}/METADATA", "Metadata-Version: 2.1\nName: tiny-part\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{about}/RECORD", "")
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def test_a_file_whose_hash_is_another_is_not_installed(tmp_path: Path) -> None:
    right = _tiny_wheel(tmp_path)
    wrong = ("1" if right[0] == "0" else "0") + right[1:]
    for digest, installs in ((right, True), (wrong, False)):
        target, lock = tmp_path / digest[:8], tmp_path / "lock.txt"
        lock.write_text(f"tiny-part==1.0 --hash=sha256:{digest}\n")
        options = [
            "--disable-pip-version-check",
            "--require-hashes",
            "--no-deps",
            "--no-index",
            "--find-links",
            tmp_path,
        ]
        ended = subprocess.run(
            [sys.executable, "-m", "pip", "install", *options, "--target", target, "-r", lock],
            capture_output=True,
            text=True,
        )
        assert (ended.returncode == 0) is installs, ended.stderr
        assert (target / "tiny_part.py").exists() is installs


def test_every_installation_of_ours_asks_for_hashes() -> None:
    for file in ("Makefile", "Dockerfile"):
        for line in (ROOT / file).read_text("utf-8").splitlines():
            if "-r requirements" in line:
                assert "--require-hashes" in line, line


def test_two_builds_are_one_wheel(tmp_path: Path) -> None:
    """From this folder, and from a copy with other times on its files."""
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("adapter", "mappings", "fixtures"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, copy / name)
    for file in copy.rglob("*"):
        os.utime(file, (1_000_000_000, 1_000_000_000))
    built = []
    for number, place in enumerate((ROOT, copy)):
        out = tmp_path / f"out-{number}"
        subprocess.run(
            [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, place],
            check=True,
            capture_output=True,
            env={**os.environ, "SOURCE_DATE_EPOCH": "1764028800"},
        )
        built += [hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in out.glob("*.whl")]
    assert len(built) == 2
    assert built[0] == built[1]
