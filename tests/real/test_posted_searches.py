"""S13: where a site keeps patients' ids out of URLs, every kind of server still gives the same results."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from adapter.sandbox.server import Sandbox
from tests.live.adapter_under_test import AdapterUnderTest
from tests.live.laboratory import Laboratory
from tests.live.records import Records, category_of
from tests.servers.hapi import HapiServer
from tests.servers.medplum import MedplumServer

pytestmark = pytest.mark.real


@pytest.fixture
def targets(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every address that is asked for, by whomever in this process."""
    seen: list[str] = []
    send = requests.adapters.HTTPAdapter.send

    def noted(
        self: requests.adapters.HTTPAdapter, request: requests.PreparedRequest, **more: object
    ) -> requests.Response:
        seen.append(f"{request.method} {request.url}")
        return send(self, request, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", noted)
    return seen


def _same_results(base_url: str, state: Path, targets: list[str]) -> None:
    laboratory, records = Laboratory(base_url), Records(base_url)
    laboratory.ihc("anna", "2+")
    laboratory.fish("anna", "Negative")
    laboratory.ihc("berta", "3+")
    patients = [laboratory.patient(name) for name in ("anna", "berta")]
    adapter = AdapterUnderTest(base_url, state, source__post_searches=True)
    targets.clear()
    adapter.run(patients=patients)
    asked = list(targets)
    found = [category_of(records.only(patient)) for patient in patients]
    adapter.stop()
    laboratory.close()
    records.close()
    assert found == ["low", "positive"]
    assert any(one.startswith("POST") and one.endswith("/_search") for one in asked)
    by_patient = [one for one in asked if "patient=" in one or "subject=" in one]
    assert by_patient == []


def test_the_sandbox_gives_the_same(tmp_path: Path, targets: list[str]) -> None:
    with Sandbox() as sandbox:
        _same_results(sandbox.base_url, tmp_path / "state.sqlite", targets)


def test_hapi_gives_the_same(hapi: HapiServer, tmp_path: Path, targets: list[str]) -> None:
    _same_results(hapi.base_url, tmp_path / "state.sqlite", targets)


def test_medplum_gives_the_same(medplum: MedplumServer, tmp_path: Path, targets: list[str]) -> None:
    _same_results(medplum.base_url, tmp_path / "state.sqlite", targets)
