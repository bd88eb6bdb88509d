"""Tokens and secrets in files are read again: a new one works at once, and a revoked one no more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.web.running import Running, running

OLD, NEW = "old-" + "x" * 40, "new-" + "y" * 40
SECRET, LATER = "s" * 40, "t" * 40


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    found = {"watch": tmp_path / "watch", "secret": tmp_path / "secret"}
    put(found["watch"], OLD)
    put(found["secret"], SECRET)
    monkeypatch.setenv("HER2_HTTP__WATCH_TOKEN_FILE", str(found["watch"]))
    monkeypatch.setenv("HER2_HTTP__WEBHOOK__SECRET_FILE", str(found["secret"]))
    return found


@pytest.fixture
def served(files: dict[str, Path], tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path, tokens=False) as one:
        yield one


def put(file: Path, text: str) -> None:
    beside = file.with_suffix(".new")
    beside.write_text(f"{text}\n", "utf-8")
    beside.rename(file)


def ready(served: Running, token: str) -> int:
    return served.get("/readyz", token).status_code


def test_a_token_that_is_replaced_stops_working_and_the_new_one_works(
    served: Running, files: dict[str, Path]
) -> None:
    assert (ready(served, OLD), ready(served, NEW)) == (200, 401)
    put(files["watch"], NEW)
    assert (ready(served, OLD), ready(served, NEW)) == (401, 200)


@pytest.mark.parametrize("spoilt", ["", "short", "two\nlines" * 20, SECRET])
def test_what_is_no_token_changes_nothing_and_readiness_says_so(
    spoilt: str, served: Running, files: dict[str, Path]
) -> None:
    put(files["watch"], spoilt)
    told = served.get("/readyz", OLD)
    assert told.status_code == 200
    assert str(files["watch"]) in told.json()["attention"]["secrets"]
    assert not spoilt or spoilt not in told.text
    put(files["watch"], NEW)
    assert "secrets" not in served.get("/readyz", NEW).json()["attention"]


def test_a_secret_of_the_webhook_that_is_replaced_wakes_nobody_any_more(
    served: Running, files: dict[str, Path]
) -> None:
    webhook = served.service.webhook
    assert webhook is not None

    def refused(secret: str) -> bool:
        before = webhook.counts["refused"]
        served.post("/webhook", headers={"X-Webhook-Secret": secret})
        return webhook.counts["refused"] > before

    assert (refused(SECRET), refused(LATER)) == (False, True)
    put(files["secret"], LATER)
    assert (refused(SECRET), refused(LATER)) == (True, False)
