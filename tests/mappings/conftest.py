"""The shipped vocabulary, loaded once for the tests of the data."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapter.terminology.catalogue import Catalogue, load_catalogue

MAPPINGS = Path(__file__).resolve().parents[2] / "mappings"


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return load_catalogue(MAPPINGS)
