"""TCGA-BRCA for the tests that need it; where the file is missing they skip with one loud line."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapter.terminology.catalogue import Catalogue, load_catalogue
from tests.registries.tcga.fields import ROOT, FileMissingError, Sample, file, samples
from tests.registries.tcga.run import ENCODINGS, Run, run
from tests.servers.required import announcements


@pytest.fixture(scope="session")
def tcga_file() -> Path:
    """The file. Unlike a part that can be installed, its absence fails no run, REQUIRE_REAL or not."""
    try:
        return file()
    except FileMissingError as missing:
        announcements.add(f"NOT TESTED: {missing}")
        raise pytest.skip.Exception(str(missing)) from None


@pytest.fixture(scope="session")
def tcga_samples(tcga_file: Path) -> list[Sample]:
    """Every tumour sample of the file."""
    return samples(tcga_file)


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    """The shipped vocabulary."""
    return load_catalogue(ROOT / "mappings")


@pytest.fixture(scope="session")
def runs(tcga_samples: list[Sample], catalogue: Catalogue) -> dict[str, Run]:
    """The whole file, answered in every encoding."""
    return {encoding: run(tcga_samples, encoding, catalogue) for encoding in ENCODINGS}


@pytest.fixture(params=list(ENCODINGS))
def answered(request: pytest.FixtureRequest, runs: dict[str, Run]) -> Run:
    """The whole file, answered in one encoding after the other."""
    return runs[request.param]
