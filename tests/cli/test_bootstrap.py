"""The composition root: each setting arrives where it works, and credentials only where they belong."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from time import monotonic
from typing import get_args

import pytest

import adapter
from adapter.bootstrap import (
    SystemClock,
    catalogue_of,
    context_of,
    open_adapter,
    options_of,
    overruled,
    policy_of,
    with_site,
)
from adapter.connections import auth_of
from adapter.errors import ConfigError, MappingError
from adapter.her2.policy import ASCO_CAP_2023, CHOICES
from adapter.measurements import server_chooses_ids
from adapter.settings import AuthSettings, PolicySettings, ServerSettings, Settings, load_settings
from adapter.store import open_store
from adapter.sync.measured import MeasuredSource, Measurement, remember
from adapter.terminology.systems import OBSERVATION_PROFILE
from adapter.transport.auth import BasicAuth, BearerAuth, HeaderAuth, NoAuth, TokenFileAuth
from tests.fakes.clock import FakeClock
from tests.unit.terminology.mapping_sets import site_toml

URL = "https://fhir.test/r4"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _nobodys_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("HER2_"):
            monkeypatch.delenv(name)


def settings(**given: object) -> Settings:
    said = {"source__url": URL, "store__url": "sqlite://", **given}
    return load_settings(None, {name.replace("__", "."): value for name, value in said.items()})


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({}, NoAuth),
        ({"kind": "bearer", "token": "t"}, BearerAuth),
        ({"kind": "basic", "username": "u", "password": "p"}, BasicAuth),
        ({"kind": "header", "header_name": "X-Key", "header_value": "v"}, HeaderAuth),
    ],
    ids=["none", "bearer", "basic", "header"],
)
def test_each_kind_of_authentication_is_made(given: dict[str, str], kind: type) -> None:
    assert type(auth_of(ServerSettings(url=URL, auth=AuthSettings(**given)), FakeClock())) is kind


def test_a_token_file_is_read_for_each_request(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("one\n")
    made = auth_of(
        settings(source__auth__kind="bearer", source__auth__token_file=str(file)).source,
        FakeClock(),
    )
    assert isinstance(made, TokenFileAuth)
    file.write_text("two\n")

    assert made.headers() == {"Authorization": "Bearer two"}


def test_the_limits_arrive_in_the_passes() -> None:
    options = options_of(
        settings(
            mode="observe",
            source__page_size=20,
            target__batch_cases=3,
            target__cases_per_minute=60,
            poll__overlap_seconds=1,
            poll__sweep_hours=2,
            poll__absence_confirm_seconds=4,
            brake__first_pass=5,
            brake__withdraw_floor=6,
            brake__withdraw_percent=7,
            brake__change_floor=8,
            brake__change_percent=9,
        )
    )

    assert options.observe
    assert (options.read.page_size, options.read.overlap_seconds) == (20, 1)
    assert (options.read.sweep_hours, options.read.absence_confirm_seconds) == (2, 4)
    assert (options.send.batch_cases, options.send.cases_per_minute) == (3, 60)
    brakes = options.brakes
    assert (brakes.first_pass, brakes.withdraw_floor, brakes.withdraw_percent) == (5, 6, 7)
    assert (brakes.change_floor, brakes.change_percent) == (8, 9)


def test_the_sites_choices_arrive_in_the_policy() -> None:
    policy = policy_of(
        settings(
            policy__earlier_editions="strict",
            policy__zero_plus="zero",
            policy__tumour_site="required",
        )
    )

    assert (policy.name, policy.earlier_editions) == ("asco-cap-2023", "strict")
    assert (policy.zero_plus, policy.tumour_site) == ("zero", "required")


def test_a_sites_policies_count_where_nobody_set_them(tmp_path: Path) -> None:
    site_toml(tmp_path, '[policy]\nzero_plus = "zero"\ntumour_site = "required"')
    given = settings(policy__site_mappings=str(tmp_path), policy__tumour_site="optional")
    filled = with_site(given)

    policy = policy_of(given)
    assert (policy.zero_plus, policy.tumour_site) == ("zero", "optional")
    assert policy_of(filled) == policy
    assert filled.origins["policy.zero_plus"] == "site.toml"
    assert filled.origins["policy.tumour_site"] == "flag"
    said = "policy.tumour_site is optional (flag), not required as site.toml has it"
    assert overruled(given) == overruled(filled) == (said,)


def test_a_site_that_agrees_with_the_settings_has_nothing_to_say(tmp_path: Path) -> None:
    site_toml(tmp_path, '[policy]\nzero_plus = "zero"')
    given = settings(policy__site_mappings=str(tmp_path), policy__zero_plus="zero")

    assert overruled(given) == ()
    assert with_site(given) is given
    assert with_site(settings()).policy.zero_plus == "dated"


def test_the_sites_policies_arrive_in_the_passes(tmp_path: Path) -> None:
    site_toml(tmp_path, '[policy]\nzero_plus = "zero"')
    with open_adapter(settings(policy__site_mappings=str(tmp_path)), Event()) as whole:
        context = whole.parts.context
        assert context.policy.zero_plus == "zero"
        assert context.overlay_versions == whole.parts.catalogue.overlay_versions
        assert context.overlay_versions[0].startswith("1.0.0+")
        assert whole.settings.policy.zero_plus == "zero"


def test_of_several_folders_the_last_has_the_policy(tmp_path: Path) -> None:
    folders = [
        site_toml(tmp_path / value, f'[policy]\nzero_plus = "{value}"')
        for value in ("zero", "ultralow")
    ]

    assert policy_of(settings(), folders).zero_plus == "ultralow"
    assert policy_of(settings(), []).zero_plus == "dated"


def test_a_broken_site_toml_stops_the_policy_with_all_defects(tmp_path: Path) -> None:
    site_toml(tmp_path, "[policy]\nzero_plus = 'low'")
    (tmp_path / "map.json").write_text("{")

    with pytest.raises(MappingError) as refused:
        policy_of(settings(policy__site_mappings=str(tmp_path)))
    assert {defect.partition(":")[0] for defect in refused.value.defects} == {
        "map.json",
        "site.toml",
    }


def test_the_settings_know_the_choices_of_the_core() -> None:
    fields = PolicySettings.model_fields
    for name, values in CHOICES.items():
        assert set(get_args(fields[name].annotation)) == set(values)
        assert fields[name].default == values[0] == getattr(ASCO_CAP_2023, name)


def test_the_record_says_what_the_settings_ask_for() -> None:
    given = settings(
        output__namespace="test",
        output__organization="Organization/1",
        output__profiles=True,
        output__snomed=True,
        target__keep_target_version=False,
    )
    catalogue = catalogue_of(given)
    context = context_of(given, catalogue, NOW)

    assert (context.namespace, context.organization) == ("test", "Organization/1")
    assert context.profiles == (OBSERVATION_PROFILE,)
    assert context.snomed
    assert not context.keep_target_version
    assert (context.software_version, context.mappings_version) == (
        adapter.__version__,
        catalogue.version,
    )
    assert context_of(settings(), catalogue, NOW).profiles == ()


def test_one_server_is_one_client() -> None:
    with open_adapter(settings(), Event()) as whole:
        assert whole.parts.source is whole.parts.target


@pytest.mark.parametrize(
    "given",
    [
        {"target__url": "https://other.test/r4"},
        {
            "source__auth__kind": "bearer",
            "source__auth__token": "read",
            "target__url": URL,
            "target__auth__kind": "bearer",
            "target__auth__token": "write",
        },
    ],
    ids=["another-server", "another-user"],
)
def test_another_server_or_user_is_another_client(given: dict[str, object]) -> None:
    with open_adapter(settings(**given), Event()) as whole:
        assert whole.parts.source is not whole.parts.target


def keep_measured(folder: Path, base_url: str) -> str:
    """Keep what a doctor measured of this base in a new state file; gives its URL."""
    url = f"sqlite:///{folder / 'state.sqlite'}"
    with open_store(url) as store:
        measured = MeasuredSource(page_size=50, overlap_seconds=900.0, incremental=False)
        remember(store, measured, Measurement(base_url, NOW))
    return url


def test_what_the_doctor_measured_counts_where_nobody_set_it(tmp_path: Path) -> None:
    kept = keep_measured(tmp_path, URL)
    with open_adapter(settings(store__url=kept), Event()) as whole:
        read, origins = whole.options.read, whole.settings.origins
        assert (read.page_size, read.overlap_seconds, read.incremental) == (50, 900.0, False)
        assert (
            origins["source.page_size"] == origins["poll.overlap_seconds"] == "doctor, 2026-03-01"
        )
    with open_adapter(settings(store__url=kept, source__page_size=7), Event()) as whole:
        assert (whole.options.read.page_size, whole.options.read.overlap_seconds) == (7, 900.0)


def test_what_was_measured_of_another_server_is_not_believed(tmp_path: Path) -> None:
    kept = keep_measured(tmp_path, "https://other.test/r4")
    with open_adapter(settings(store__url=kept), Event()) as whole:
        read = whole.options.read
        assert (read.page_size, read.overlap_seconds, read.incremental) == (500, 600.0, True)


def test_without_a_server_nothing_starts() -> None:
    with (
        pytest.raises(ConfigError, match="HER2_FHIR_URL"),
        open_adapter(load_settings(None, {"store.url": "sqlite://"}), Event()),
    ):
        pass


def test_a_sleep_ends_when_a_stop_is_asked_for() -> None:
    stop = Event()
    stop.set()
    clock = SystemClock(stop)
    before = monotonic()
    clock.sleep(60)

    assert monotonic() - before < 5
    assert clock.now().tzinfo is UTC


@pytest.mark.parametrize(
    ("asked", "creates"), [("auto", False), ("client-ids", False), ("conditional-update", True)]
)
def test_rights_to_create_are_asked_for_where_ids_are_not_ours(
    tmp_path: Path, asked: str, creates: bool
) -> None:
    given = settings(source__url=URL, target__write_strategy=asked)
    with open_store(f"sqlite:///{tmp_path / 'state.sqlite'}") as store:
        assert server_chooses_ids(given, store, options_of(given).send) is creates


def test_a_running_adapter_takes_what_its_site_toml_says_now(tmp_path: Path) -> None:
    folder = site_toml(tmp_path / "lab", '[policy]\nzero_plus = "zero"')
    given = settings(policy__site_mappings=folder, policy__tumour_site="optional")
    with open_adapter(given, Event()) as made:
        assert made.refresh() is None
        choices = '[policy]\nzero_plus = "ultralow"\ntumour_site = "required"'
        site_toml(folder, choices, version="1.1.0")
        parts = made.refresh()
        assert made.refresh() is None

    assert parts is not None
    policy = parts.context.policy
    assert (policy.zero_plus, policy.tumour_site) == ("ultralow", "optional")
    assert parts.store is made.parts.store
    assert made.refresh.in_force.versions == (
        made.parts.catalogue.version,
        *parts.catalogue.overlay_versions,
    )
    assert parts.basis != made.parts.basis
