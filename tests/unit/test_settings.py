"""Protects settings: who wins, that every mistake is named at once, and that no secret is shown."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from adapter.errors import ConfigError
from adapter.settings import (
    SECRET_KEYS,
    SETTINGS_KEYS,
    SHORT_FORMS,
    VARIABLES,
    Settings,
    describe,
    load_settings,
    variable_of,
)
from adapter.settings.names import near_miss

URL = "https://fhir.hospital.test/r4"
SECRET = "s3cr3t-canary"


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("HER2_"):
            monkeypatch.delenv(name)


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    return monkeypatch


def toml(folder: Path, text: str) -> Path:
    file = folder / "her2.toml"
    file.write_text(text, encoding="utf-8")
    return file


def load(**overrides: Any) -> Settings:
    """Load with flags only; `source__url` stands for the flag of source.url."""
    return load_settings(None, {key.replace("__", "."): value for key, value in overrides.items()})


def problems(file: Path | None = None, flags: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as refused:
        load_settings(file, flags or {})
    return refused.value.problems


def test_without_anything_given_the_defaults_hold() -> None:
    settings = load()
    assert settings.source.url is None
    assert (settings.mode, settings.store.url) == ("write", "sqlite:///her2-adapter.sqlite")
    assert (settings.target.batch_cases, settings.target.cases_per_minute) == (25, None)
    assert (settings.brake.first_pass, settings.brake.withdraw_floor) == (500, 3)
    assert (settings.policy.name, settings.policy.zero_plus) == ("asco-cap-2023", "dated")
    assert (settings.poll.interval_seconds, settings.poll.overlap_seconds) == (60, 600)
    assert settings.output.profiles is False


@pytest.mark.parametrize(
    ("in_file", "in_environment", "as_flag", "expected", "origin"),
    [
        (None, None, None, 60, "default"),
        (30, None, None, 30, "her2.toml"),
        (30, "20", None, 20, "HER2_POLL__INTERVAL_SECONDS"),
        (30, "20", 10, 10, "flag"),
        (30, None, 10, 10, "flag"),
        (30, "", None, 30, "her2.toml"),
    ],
)
def test_flag_beats_environment_beats_file_beats_default(
    env: pytest.MonkeyPatch,
    tmp_path: Path,
    in_file: int | None,
    in_environment: str | None,
    as_flag: int | None,
    expected: int,
    origin: str,
) -> None:
    if in_environment is not None:
        env.setenv("HER2_POLL__INTERVAL_SECONDS", in_environment)
    text = "" if in_file is None else f"[poll]\ninterval_seconds = {in_file}\n"
    settings = load_settings(toml(tmp_path, text), {"poll.interval_seconds": as_flag})
    assert settings.poll.interval_seconds == expected
    row = next(row for row in describe(settings) if row.name == "poll.interval_seconds")
    assert row.value == str(expected)
    assert row.origin.endswith(origin)
    assert row.default == "60"


@pytest.mark.parametrize(("variable", "key"), SHORT_FORMS.items())
def test_a_short_form_means_its_setting(
    env: pytest.MonkeyPatch, tmp_path: Path, variable: str, key: str
) -> None:
    value = {
        "source.url": URL,
        "store.url": "sqlite:///other.sqlite",
        "policy.name": "basic",
        "policy.site_mappings": str(tmp_path),
    }[key]
    env.setenv(variable, value)
    rows = {row.name: row for row in describe(load())}
    assert (rows[key].value, rows[key].origin) == (value, variable)


def test_a_short_form_hides_nothing_of_its_section(env: pytest.MonkeyPatch) -> None:
    env.setenv("HER2_POLICY", "basic")
    env.setenv("HER2_POLICY__ZERO_PLUS", "zero")
    policy = load().policy
    assert (policy.name, policy.zero_plus) == ("basic", "zero")


def test_a_short_and_a_long_form_that_differ_are_refused(env: pytest.MonkeyPatch) -> None:
    env.setenv("HER2_FHIR_URL", URL)
    env.setenv("HER2_SOURCE__URL", URL)
    assert load().source.url == URL
    env.setenv("HER2_SOURCE__URL", "https://other.test/r4")
    assert problems() == (
        "source.url (HER2_SOURCE__URL, HER2_FHIR_URL): is set twice; keep one of the two",
    )


def test_the_file_named_in_the_environment_is_read(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    env.setenv("HER2_CONFIG", str(toml(tmp_path, 'mode = "observe"\n')))
    assert load().mode == "observe"


def test_settings_cannot_be_changed_afterwards() -> None:
    settings = load()
    with pytest.raises(ValidationError, match="frozen"):
        settings.mode = "observe"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        settings.source.url = URL  # type: ignore[misc]


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        (URL, URL),
        (f"{URL}/", URL),
        (f"{URL}//", URL),
        ("HTTPS://FHIR.Hospital.Test/R4/", "https://fhir.hospital.test/R4"),
        ("https://fhir.hospital.test", "https://fhir.hospital.test"),
        ("https://fhir.hospital.test:8443/r4", "https://fhir.hospital.test:8443/r4"),
        ("https://[2001:db8::1]/r4", "https://[2001:db8::1]/r4"),
        ("http://localhost:8080/fhir", "http://localhost:8080/fhir"),
        ("http://127.0.0.1:8080/fhir", "http://127.0.0.1:8080/fhir"),
        ("http://127.9.9.9/fhir", "http://127.9.9.9/fhir"),
        ("http://[::1]:8080/fhir", "http://[::1]:8080/fhir"),
    ],
)
def test_a_base_url_is_cleaned(given: str, clean: str) -> None:
    settings = load(source__url=given)
    assert (settings.source.url, settings.source.base_url) == (clean, clean)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("fhir.hospital.test/r4", "must be a whole URL"),
        ("ftp://fhir.hospital.test/r4", "must be a whole URL"),
        ("https:///r4", "must be a whole URL"),
        ("https://fhir.hospital.test:notaport/r4", "is not a URL"),
        ("https://[broken/r4", "is not a URL"),
        (f"https://user:{SECRET}@fhir.hospital.test/r4", "must not hold a user or a password"),
        (f"https://{SECRET}@fhir.hospital.test/r4", "must not hold a user or a password"),
        (f"{URL}?apikey={SECRET}", "must not hold a query"),
        (f"{URL}?", "must not hold a query"),
        (f"{URL}#{SECRET}", "must not hold a query or a fragment"),
        (f"{URL}/../admin", "must not hold . or .."),
        ("https://fhir.hospital.test/r 4", "a character that no URL has"),
        ("https://fhir.hospital.test\\@evil.test/r4", "a character that no URL has"),
        ("https://fhir.hospital.test/r4\nHost: evil", "a character that no URL has"),
        ("http://fhir.hospital.test/r4", "would send health records unencrypted"),
        ("http://localhost.evil.test/r4", "would send health records unencrypted"),
        ("http://127.0.0.1.evil.test/r4", "would send health records unencrypted"),
        ("http://0.0.0.0/r4", "would send health records unencrypted"),
    ],
)
def test_a_wrong_base_url_is_refused_without_quoting_it(url: str, says: str) -> None:
    (problem,) = problems(flags={"source.url": url})
    assert problem.startswith("source.url (flag): ")
    assert says in problem
    assert SECRET not in problem
    assert "evil" not in problem


def test_plain_http_beyond_loopback_needs_to_be_allowed() -> None:
    settings = load(source__url="http://hapi:8080/fhir", source__allow_http=True)
    assert settings.source.url == settings.target.url == "http://hapi:8080/fhir"


def test_a_command_that_needs_a_server_says_how_to_name_one() -> None:
    with pytest.raises(ConfigError, match="set HER2_FHIR_URL, or url under"):
        _ = load().source.base_url


def test_every_wrong_setting_is_named_at_once(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = toml(
        tmp_path,
        """
        mode = "obserb"
        colour = 1
        log = 3
        [source]
        urrl = "x"
        page_size = 0
        [output]
        organization = "Practitioner/1"
        namespace = "a b"
        [policy]
        site_mappings = "/nowhere/at/all"
        """,
    )
    env.setenv("HER2_SORCE__URL", URL)
    env.setenv("HER2_SOURCE", "{}")
    env.setenv("HER2_SOURCE__TIMEOUT_SECONDS", "nan")
    env.setenv("HER2_SOURCE__AUTH__KIND", "basic")
    env.setenv("HER2_TARGET__BATCH_CASES", "1.5")
    env.setenv("HER2_BRAKE__CHANGE_PERCENT", "101")
    env.setenv("HER2_OUTPUT__PROFILES", "maybe")
    env.setenv("HER2_OUTPUT__SNOMED", "perhaps")
    found = problems(file, {"store.url": "mysql://u:p@h/d", "source.url": "x", "nonsense": 1})
    name = str(file)
    assert sorted(found) == sorted(
        [
            f"colour ({name}): is not a setting",
            f"log ({name}): is a section; set its keys one by one",
            f"source.urrl ({name}): is not a setting; did you mean source.url?",
            "HER2_SORCE__URL: is not a setting; did you mean HER2_SOURCE__URL?",
            "HER2_SOURCE: is not a setting; did you mean HER2_SOURCE__URL?",
            "nonsense (flag): is not a setting",
            f"mode ({name}): must be one of write, observe; did you mean observe?",
            "source.url (flag): must be a whole URL; it looks like https://fhir.example.org/fhir",
            f"source.page_size ({name}): must be 1 or more",
            "source.timeout_seconds (HER2_SOURCE__TIMEOUT_SECONDS): must be a number",
            "source.auth.username: is missing: auth.kind basic needs it",
            "source.auth.password: is missing: auth.kind basic needs it",
            "target.batch_cases (HER2_TARGET__BATCH_CASES): must be a whole number",
            "brake.change_percent (HER2_BRAKE__CHANGE_PERCENT): must be 100 or less",
            f"output.organization ({name}): must be a reference such as Organization/123 "
            "on the target server",
            f"output.namespace ({name}): takes 1 to 64 letters, digits, hyphens and dots",
            "output.profiles (HER2_OUTPUT__PROFILES): must be true, false, or a list of the "
            "profiles' URLs",
            "output.snomed (HER2_OUTPUT__SNOMED): must be true or false",
            f"policy.site_mappings ({name}): names no folder; give the path of an existing one",
            "store.url (flag): must be sqlite:///path/to/file.sqlite or "
            "postgresql+psycopg://user:password@host/database",
        ]
    )


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("target.batch_cases", [0, 101]),
        ("target.cases_per_minute", [0]),
        ("target.write_strategy", ["put", ""]),
        ("target.transactions", ["batch", True]),
        ("poll.interval_seconds", [0, -1, float("inf"), float("nan")]),
        ("poll.overlap_seconds", [-1]),
        ("poll.sweep_hours", [0]),
        ("brake.first_pass", [-1]),
        ("brake.withdraw_percent", [-0.1, 100.1]),
        ("source.timeout_seconds", [0]),
    ],
)
def test_numbers_out_of_bounds_are_refused(key: str, values: list[float]) -> None:
    for value in values:
        (problem,) = problems(flags={key: value})
        assert problem.startswith(f"{key} (flag): must be")


@pytest.mark.parametrize("value", [1, 100])
def test_batch_cases_takes_both_of_its_bounds(value: int) -> None:
    assert load(target__batch_cases=value).target.batch_cases == value


AUTH = {
    "bearer": {"token": SECRET},
    "basic": {"username": "reader", "password": SECRET},
    "header": {"header_name": "X-Api-Key", "header_value": SECRET},
}


@pytest.mark.parametrize("kind", AUTH)
def test_each_way_to_authorise_takes_its_credentials(kind: str) -> None:
    flags = {f"source.auth.{name}": value for name, value in AUTH[kind].items()}
    settings = load_settings(None, {"source.url": URL, "source.auth.kind": kind, **flags})
    auth = settings.source.auth
    given = {name: getattr(auth, name) for name in AUTH[kind]}
    plain = {
        name: value if isinstance(value, str) else value.get_secret_value()
        for name, value in given.items()
    }
    assert plain == AUTH[kind]
    assert settings.target.auth == auth
    shown = repr(settings) + str(settings) + str(describe(settings))
    assert SECRET not in shown


@pytest.mark.parametrize("kind", AUTH)
def test_a_way_to_authorise_without_its_credentials_is_refused(kind: str) -> None:
    found = problems(flags={"source.url": URL, "source.auth.kind": kind})
    assert list(found) == [
        f"source.auth.{name}: is missing: auth.kind {kind} needs it" for name in AUTH[kind]
    ]


@pytest.mark.parametrize("kind", AUTH)
def test_credentials_that_are_not_used_are_refused(kind: str) -> None:
    flags = {f"source.auth.{name}": value for name, value in AUTH[kind].items()}
    found = problems(flags=flags)
    assert len(found) == len(flags)
    assert all(f"set it to {kind}" in problem and SECRET not in problem for problem in found)


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "caf\u00e9", "\x00"])
def test_a_token_that_no_header_can_carry_is_refused_without_quoting_it(value: str) -> None:
    flags = {"source.auth.kind": "bearer", "source.auth.token": value}
    (problem,) = problems(flags=flags)
    assert problem == "source.auth.token (flag): holds a character that no header can carry"


def test_a_header_name_must_be_one() -> None:
    flags = {
        "source.auth.kind": "header",
        "source.auth.header_name": "X Api: Key",
        "source.auth.header_value": "v",
    }
    assert problems(flags=flags) == ("source.auth.header_name (flag): is not the name of a header",)


@pytest.mark.parametrize("key", sorted(SECRET_KEYS))
def test_every_secret_can_come_from_a_file(
    env: pytest.MonkeyPatch, tmp_path: Path, key: str
) -> None:
    long = key.startswith("http.") or key == "store.audit_key"
    secret = (
        "postgresql://user:pw@host/db" if key == "store.url" else SECRET * 8 if long else SECRET
    )
    file = tmp_path / "secret"
    file.write_text(f"{secret}\n")
    env.setenv(f"{variable_of(key)}_FILE", str(file))
    if key == "http.webhook.earlier_secret":  # beside the one that replaces it
        env.setenv(variable_of("http.webhook.secret"), "n" * 40)
    side, _, name = key.rpartition(".")
    for kind, credentials in AUTH.items():
        if name in credentials:
            env.setenv(variable_of(f"{side}.kind"), kind)
            for other in credentials.keys() - {name}:
                env.setenv(variable_of(f"{side}.{other}"), credentials[other])
    value: Any = load()
    for part in key.split("."):
        value = getattr(value, part)
    assert (value if isinstance(value, str) else value.get_secret_value()) == secret


def test_a_short_key_for_the_audit_trail_is_refused_and_not_quoted() -> None:
    (told,) = problems(flags={"store.audit_key": "tooshort"})
    assert told.startswith("store.audit_key (flag): must have 32 characters or more")
    assert "tooshort" not in told


def test_the_short_form_of_the_store_can_come_from_a_file(
    env: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "url").write_text("postgresql://user:pw@host/db\n")
    env.setenv("HER2_STATE_URL_FILE", str(tmp_path / "url"))
    assert load().store.url == "postgresql://user:pw@host/db"


def test_a_tokens_file_is_remembered_because_it_may_be_renewed(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(SECRET)
    file = toml(
        tmp_path,
        f'[source]\nurl = "{URL}"\n[source.auth]\nkind = "bearer"\n'
        f'token_file = "{tmp_path / "token"}"\n',
    )
    auth = load_settings(file, {}).source.auth
    assert auth.token_file == tmp_path / "token"
    assert auth.token is not None
    assert auth.token.get_secret_value() == SECRET


def test_a_token_beats_the_token_file_of_a_weaker_layer(
    env: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = '[source.auth]\nkind = "bearer"\ntoken_file = "/nowhere"\n'
    env.setenv("HER2_SOURCE__AUTH__TOKEN", SECRET)
    auth = load_settings(toml(tmp_path, text), {}).source.auth
    assert auth.token_file is None
    assert auth.token is not None
    assert auth.token.get_secret_value() == SECRET


def test_a_token_and_its_file_together_are_refused(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("other")
    env.setenv("HER2_SOURCE__AUTH__KIND", "bearer")
    env.setenv("HER2_SOURCE__AUTH__TOKEN", SECRET)
    env.setenv("HER2_SOURCE__AUTH__TOKEN_FILE", str(tmp_path / "token"))
    (problem,) = problems()
    assert "is set twice" in problem
    assert SECRET not in problem


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "names no file that can be read"), (b"", "empty file"), (b"\xff\xfe", "as text")],
)
@pytest.mark.parametrize("name", ["TOKEN", "PASSWORD"])
def test_a_secret_file_that_cannot_be_used_is_named_once(
    env: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, says: str, name: str
) -> None:
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    env.setenv("HER2_SOURCE__AUTH__KIND", {"TOKEN": "bearer", "PASSWORD": "basic"}[name])
    if name == "PASSWORD":
        env.setenv("HER2_SOURCE__AUTH__USERNAME", "reader")
    variable = f"HER2_SOURCE__AUTH__{name}_FILE"
    env.setenv(variable, str(tmp_path / "secret"))
    (problem,) = problems()
    assert problem.startswith(f"{variable}: ")
    assert says in problem


def test_the_target_is_the_source_unless_told_otherwise() -> None:
    flags = {
        "source.url": URL,
        "source.auth.kind": "bearer",
        "source.auth.token": SECRET,
        "source.page_size": 100,
        "source.rebase_links": True,
        "target.batch_cases": 5,
        "target.page_size": 50,
    }
    settings = load_settings(None, flags)
    assert settings.target.url == settings.source.url
    assert settings.target.auth == settings.source.auth
    assert (settings.target.page_size, settings.target.batch_cases) == (50, 5)
    assert settings.target.rebase_links
    origins = {row.name: row.origin for row in describe(settings)}
    assert origins["target.url"] == "as source.url"
    assert origins["target.page_size"] == "flag"


def test_credentials_of_the_source_never_go_to_another_server() -> None:
    flags = {
        "source.url": URL,
        "source.auth.kind": "bearer",
        "source.auth.token": SECRET,
        "target.url": "https://other.test/r4",
    }
    (problem,) = problems(flags=flags)
    assert problem.startswith("target.auth.kind: is not set")
    settings = load_settings(None, {**flags, "target.auth.kind": "none"})
    assert settings.target.auth.token is None


def test_permissions_of_the_source_do_not_hold_for_another_server() -> None:
    flags = {
        "source.url": "http://hapi:8080/fhir",
        "source.allow_http": True,
        "target.url": "http://elsewhere:8080/fhir",
    }
    (problem,) = problems(flags=flags)
    assert problem.startswith("target.url (flag): would send health records unencrypted")


def test_a_stricter_target_is_told_although_its_url_is_the_sources() -> None:
    flags = {
        "source.url": "http://hapi:8080/fhir",
        "source.allow_http": True,
        "target.allow_http": False,
    }
    (problem,) = problems(flags=flags)
    assert problem.startswith("target.url (as source.url): would send health records")


def test_missing_credentials_of_both_servers_are_both_told() -> None:
    flags = {"source.auth.kind": "bearer", "target.auth.kind": "bearer"}
    assert problems(flags=flags) == (
        "source.auth.token: is missing: auth.kind bearer needs it",
        "target.auth.token: is missing: auth.kind bearer needs it",
    )


def test_the_same_server_named_twice_keeps_its_credentials() -> None:
    flags = {
        "source.url": URL,
        "source.auth.kind": "bearer",
        "source.auth.token": SECRET,
        "target.url": f"{URL}/",
    }
    assert load_settings(None, flags).target.auth.kind == "bearer"


def test_the_target_may_use_other_credentials_on_the_same_server() -> None:
    flags = {
        "source.url": URL,
        "source.auth.kind": "bearer",
        "source.auth.token": "reads",
        "target.auth.kind": "basic",
        "target.auth.username": "writer",
        "target.auth.password": "writes",
    }
    settings = load_settings(None, flags)
    assert (settings.target.url, settings.target.auth.token) == (URL, None)
    assert settings.target.auth.username == "writer"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("https://a.test/P1, https://a.test/P2", ("https://a.test/P1", "https://a.test/P2")),
    ],
)
def test_profiles_are_a_switch_or_a_list(env: pytest.MonkeyPatch, text: str, value: object) -> None:
    env.setenv("HER2_OUTPUT__PROFILES", text)
    assert load().output.profiles == value


def test_profiles_may_be_a_list_in_the_file(tmp_path: Path) -> None:
    file = toml(tmp_path, '[output]\nprofiles = ["https://a.test/P1"]\n')
    assert load_settings(file, {}).output.profiles == ("https://a.test/P1",)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read (No such file or directory)"),
        (b"mode = ", "is not TOML"),
        (b"mode = '\xff'", "is not TOML in UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(
    tmp_path: Path, content: bytes | None, says: str
) -> None:
    file = tmp_path / "her2.toml"
    if content is not None:
        file.write_bytes(content)
    (problem,) = problems(file)
    assert says in problem


@pytest.mark.parametrize(
    "name",
    [
        "HER2_ADAPTER_SERVICE_HOST",
        "HER2_ADAPTER_SERVICE_PORT",
        "HER2_ADAPTER_SERVICE_PORT_HTTP",
        "HER2_ADAPTER_PORT",
        "HER2_ADAPTER_PORT_8080_TCP",
        "HER2_ADAPTER_PORT_8080_TCP_ADDR",
    ],
)
def test_what_kubernetes_says_of_a_service_is_no_misspelt_setting(
    env: pytest.MonkeyPatch, name: str
) -> None:
    env.setenv(name, "tcp://10.0.0.1:8080")
    load()


@pytest.mark.parametrize("key", SETTINGS_KEYS)
def test_every_setting_has_its_variable_and_is_described(key: str) -> None:
    assert variable_of(key) in VARIABLES
    assert key in {row.name for row in describe(load())}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://user:s3cr3t@host/db", "postgresql://user:********@host/db"),
        ("postgresql://user:s3@cr3t/x@host/db", "postgresql://user:********@host/db"),
        ("postgresql://host/db?password=s3cr3t", "postgresql://host/db?********"),
        ("sqlite:////var/lib/her2/state.sqlite", "sqlite:////var/lib/her2/state.sqlite"),
    ],
)
def test_the_stores_password_is_masked(url: str, shown: str) -> None:
    settings = load(store__url=url)
    row = next(row for row in describe(settings) if row.name == "store.url")
    assert row.value == shown
    assert "s3cr3t" not in repr(settings)


def test_no_secret_reaches_the_message_of_any_mistake(env: pytest.MonkeyPatch) -> None:
    for key in SECRET_KEYS:
        env.setenv(variable_of(key), f"{SECRET}\n{SECRET}")
    env.setenv("HER2_SOURCE__AUTH__KIND", "bearer")
    env.setenv("HER2_TARGET__AUTH__KIND", "header")
    with pytest.raises(ConfigError) as refused:
        load()
    error: BaseException | None = refused.value
    while error is not None:
        assert SECRET not in str(error) + repr(error)
        error = error.__cause__ or error.__context__


def test_policy_names_are_those_of_the_core() -> None:
    from adapter.her2.policy import POLICIES

    for name in POLICIES:
        assert load(policy__name=name).policy.name == name
    (problem,) = problems(flags={"policy.name": "none of these"})
    assert all(name in problem for name in POLICIES)


def test_loading_settings_imports_none_of_the_heavy_parts() -> None:
    """`her2-adapter config` should feel instant."""
    script = (
        "import sys, adapter.settings; "
        "print([m for m in ('sqlalchemy', 'fhir', 'requests', 'rich', 'alembic') if m in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_variable_that_names_the_command_is_no_misspelt_setting(
    env: pytest.MonkeyPatch,
) -> None:
    env.setenv("HER2_ADAPTER", "/opt/her2/bin/her2-adapter")
    load()


def _smart(tmp_path: Path, **more: object) -> dict[str, object]:
    key = tmp_path / "key.pem"
    key.write_text("a key")
    said = {"kind": "smart", "client_id": "her2", "key_file": str(key), **more}
    return {"source.url": URL} | {f"source.auth.{name}": value for name, value in said.items()}


def test_smart_takes_its_client_key_scopes_and_endpoint(
    env: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    env.setenv("HER2_SOURCE__AUTH__SCOPES", "system/Observation.rs, system/Patient.r")
    flags = _smart(tmp_path, token_url="https://idp.example.org/token?tenant=1", key_id="k1")
    settings = load_settings(None, flags)
    auth = settings.source.auth
    assert (auth.client_id, auth.key_file, auth.key_id) == ("her2", tmp_path / "key.pem", "k1")
    assert auth.scopes == ("system/Observation.rs", "system/Patient.r")
    assert auth.token_url == "https://idp.example.org/token?tenant=1"
    assert settings.target.auth == auth


def test_smart_without_its_client_and_key_is_refused() -> None:
    found = problems(flags={"source.url": URL, "source.auth.kind": "smart"})
    assert found == (
        "source.auth.client_id: is missing: auth.kind smart needs it",
        "source.auth.key_file: is missing: auth.kind smart needs it",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("client_id", "her2"),
        ("key_id", "k1"),
        ("scopes", "system/Observation.rs"),
        ("token_url", "https://idp.example.org/token"),
    ],
)
def test_what_belongs_to_smart_is_refused_elsewhere(name: str, value: str) -> None:
    (problem,) = problems(flags={"source.url": URL, f"source.auth.{name}": value})
    assert problem.endswith("is given, but auth.kind is none; set it to smart")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://idp.example.org/token", "unencrypted"),
        ("https://user:secret@idp.example.org/token", "must not hold a user"),
        ("https://idp.example.org/a/../token", "path segments"),
        ("https://idp.example.org//token", "path segments"),
        ("https://idp.example.org/token#secret", "fragment"),
        ("https://idp.example.org\\@secret.example/token", "must be a whole URL"),
        ("idp.example.org/token", "must be a whole URL"),
        ("https://[::1/token", "must be a whole URL"),
        ("https://idp.example.org:port/token", "must be a whole URL"),
    ],
)
def test_a_token_endpoint_must_be_an_encrypted_address(url: str, says: str, tmp_path: Path) -> None:
    (problem,) = problems(flags=_smart(tmp_path, token_url=url))
    assert says in problem
    assert "secret" not in problem


@pytest.mark.parametrize("scopes", ["", " , ", 'system/Observation.rs "x"'])
def test_scopes_must_be_scopes(scopes: str, tmp_path: Path) -> None:
    (problem,) = problems(flags=_smart(tmp_path, scopes=scopes))
    assert "takes scopes such as system/Observation.rs" in problem


def test_a_client_key_without_its_certificate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key.pem").touch()
    flags = {"source.url": URL, "source.client_key_file": str(tmp_path / "key.pem")}
    (problem,) = problems(flags=flags)
    assert problem.endswith("is given without client_cert_file; set both")


LISTS = {
    "neither": ({"poll.discovery": "patients"}, ("poll.group: is missing",)),
    "both": (
        {"poll.discovery": "patients", "poll.patients_file": __file__, "poll.group": "Group/1"},
        ("poll.group (flag): is given beside poll.patients_file",),
    ),
    "file-for-changes": (
        {"poll.patients_file": __file__},
        ("poll.patients_file (flag): is given, but poll.discovery is changes",),
    ),
    "both-for-requests": (
        {"poll.discovery": "requests", "poll.patients_file": __file__, "poll.group": "Group/1"},
        ("poll.patients_file (flag): is given, but", "poll.group (flag): is given, but"),
    ),
    "no-such-file": (
        {"poll.discovery": "patients", "poll.patients_file": "/nowhere/at-all"},
        ("poll.patients_file (flag): names no file",),
    ),
    "no-group": (
        {"poll.discovery": "patients", "poll.group": "Patient/1"},
        ("poll.group (flag): must be a reference such as Group/123",),
    ),
    "no-way": ({"poll.discovery": "list"}, ("poll.discovery (flag): must be one of",)),
}


@pytest.mark.parametrize(("flags", "said"), LISTS.values(), ids=LISTS)
def test_lists_of_patients_that_fit_no_way_of_discovery_are_named_at_once(
    flags: Mapping[str, Any], said: tuple[str, ...]
) -> None:
    found = problems(flags=flags)
    assert len(found) == len(said)
    assert all(one.startswith(beginning) for one, beginning in zip(found, said, strict=True))


@pytest.mark.parametrize(
    "flags", [{"poll__patients_file": __file__}, {"poll__group": "Group/her2-patients"}]
)
def test_one_list_is_enough(flags: Mapping[str, Any]) -> None:
    assert load(poll__discovery="patients", **flags).poll.discovery == "patients"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"http.watch_token": "t" * 40, "http.sync_token": "t" * 40}, "http.sync_token"),
        ({"http.derive_token": "t" * 40, "http.sync_token": "t" * 40}, "http.sync_token"),
        ({"http.watch_token": "t" * 40, "http.derive_token": "t" * 40}, "http.derive_token"),
        (
            {"http.sync_token": "t" * 40, "http.webhook.secret": "t" * 40},
            "stands in the Subscription",
        ),
        ({"http.webhook.header_name": "Content-Length"}, "HTTP itself needs"),
        ({"http.sync_patients": 801}, "must be 800 or less"),
    ],
)
def test_one_secret_for_two_and_what_cannot_work_is_refused_without_quoting_it(
    given: dict[str, Any], says: str
) -> None:
    (told,) = problems(flags=given)
    assert says in told
    assert "tttt" not in told


def test_each_role_with_a_secret_of_its_own_is_taken() -> None:
    names = ("watch_token", "derive_token", "sync_token", "webhook.secret")
    load_settings(
        None, {f"http.{name}": letter * 40 for name, letter in zip(names, "wdsh", strict=True)}
    )


@pytest.mark.parametrize(
    ("word", "meant"),
    [("asco", "; did you mean asco-cap-2023?"), ("b", ""), ("basik", "; did you mean basic?")],
)
def test_the_beginning_of_one_word_means_that_word(word: str, meant: str) -> None:
    assert near_miss(word, ["asco-cap-2023", "basic"]) == meant


def test_a_byte_order_mark_before_settings_or_a_secret_is_no_part_of_them(
    env: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file, secret = tmp_path / "her2.toml", tmp_path / "token"
    file.write_bytes(b"\xef\xbb\xbf[poll]\ninterval_seconds = 7\n")
    secret.write_bytes(b"\xef\xbb\xbf" + b"t" * 40 + b"\r\n")
    env.setenv("HER2_HTTP__SYNC_TOKEN_FILE", str(secret))
    settings = load_settings(file, {})
    assert settings.poll.interval_seconds == 7
    assert settings.http.sync_token is not None
    assert settings.http.sync_token.get_secret_value() == "t" * 40


def test_a_sqlite_url_with_too_few_slashes_is_a_wrong_setting() -> None:
    assert "three slashes" in problems(flags={"store.url": "sqlite://her2.sqlite"})[0]
