"""The sections, their defaults, and what a value must be; every wrong value is named at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit, urlunsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from adapter.errors import ConfigError
from adapter.settings.http import HttpSettings
from adapter.settings.poll import PollSettings
from adapter.settings.section import (
    ExistingFile,
    ExistingFolder,
    LongSecret,
    Section,
    SomeSeconds,
    is_loopback,
)

PREFIX = "HER2_"
"""With this begins every environment variable of ours."""

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")  # FHIR R4, datatypes: id
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, section 5.6.2
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749, section 3.3
_VISIBLE_ASCII = re.compile(r"[\x20-\x7e]+")
_STORE_KINDS = ("sqlite://", "postgresql://", "postgresql+psycopg://", "postgres://")


def _base_url(text: str) -> str:
    """Clean a FHIR base URL; raises ValueError saying what is wrong, never quoting it."""
    if not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        raise ValueError("holds a character that no URL has; write it percent-encoded")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("is not a URL; it looks like https://fhir.example.org/fhir") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise ValueError("must be a whole URL; it looks like https://fhir.example.org/fhir")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user or a password; use auth.* for them")
    if "?" in text or "#" in text:
        raise ValueError("must not hold a query or a fragment; give the FHIR base alone")
    if {".", ".."} & set(parts.path.split("/")):
        raise ValueError("must not hold . or .. as a path segment")
    return urlunsplit((parts.scheme, parts.netloc.lower(), parts.path.rstrip("/"), "", ""))


def _is_loopback(url: str) -> bool:
    return is_loopback(urlsplit(url).hostname or "")


def _organization(text: str) -> str:
    kind, _, logical_id = text.partition("/")
    if kind != "Organization" or not _ID.fullmatch(logical_id):
        raise ValueError("must be a reference such as Organization/123 on the target server")
    return text


def _namespace(text: str) -> str:
    if not _ID.fullmatch(text):
        raise ValueError("takes 1 to 64 letters, digits, hyphens and dots")
    return text


def _profile_list(value: object) -> object:
    """Read the comma-separated canonicals of an environment variable."""
    if isinstance(value, str) and ":" in value:
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _token_url(text: str) -> str:
    """Check where signed assertions go; raises ValueError saying what is wrong, never quoting it."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        raise ValueError("must be a whole URL; it looks like https://idp.example.org/token")
    if "@" in parts.netloc or "#" in text or {"", ".", ".."} & set(parts.path.split("/")[1:]):
        raise ValueError("must not hold a user, a fragment or empty path segments")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(text)):
        raise ValueError("would send credentials unencrypted; use https")
    return text


def _scope_list(value: object) -> object:
    """Read the scopes of an environment variable, parted by blanks or commas."""
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


def _scopes_if_any(scopes: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if scopes is not None and not (scopes and all(_SCOPE.fullmatch(scope) for scope in scopes)):
        raise ValueError("takes scopes such as system/Observation.rs, parted by blanks")
    return scopes


def _store_url(text: str) -> str:
    if not text.startswith(_STORE_KINDS):
        raise ValueError(
            "must be sqlite:///path/to/file.sqlite or "
            "postgresql+psycopg://user:password@host/database"
        )
    if text.startswith("sqlite:") and not (text.startswith("sqlite:///") or text == "sqlite://"):
        raise ValueError(
            "needs three slashes before a file, four before an absolute path: sqlite:///file.sqlite"
        )
    return text


_Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
_Count = Annotated[int, Field(ge=0)]
_CREDENTIALS = {
    "token": "bearer",
    "username": "basic",
    "password": "basic",
    "header_name": "header",
    "header_value": "header",
    "client_id": "smart",
    "key_file": "smart",
}
_OF_SMART = ("key_id", "scopes", "token_url")


class AuthSettings(Section):
    """How requests are authorised: nothing, a bearer token, a password, one own header, or SMART.

    `token_file`: where `token` came from when it was given as a file; such a file may be renewed.
    SMART Backend Services: `client_id` as registered; `key_file` holds the private key (PEM, JWK or
    JWKS), `key_id` its `kid`; `scopes` None for what the mode needs; `token_url` None for what the
    server's own SMART configuration names at the FHIR base's own host.
    """

    kind: Literal["none", "bearer", "basic", "header", "smart"] = "none"
    token: SecretStr | None = Field(default=None, validate_default=True)
    token_file: Path | None = None
    username: str | None = Field(default=None, validate_default=True)
    password: SecretStr | None = Field(default=None, validate_default=True)
    header_name: str | None = Field(default=None, validate_default=True)
    header_value: SecretStr | None = Field(default=None, validate_default=True)
    client_id: str | None = Field(default=None, validate_default=True)
    key_file: ExistingFile | None = Field(default=None, validate_default=True)
    key_id: str | None = None
    scopes: Annotated[
        tuple[str, ...] | None, BeforeValidator(_scope_list), AfterValidator(_scopes_if_any)
    ] = None
    token_url: Annotated[str, AfterValidator(_token_url)] | None = None

    @field_validator(*_OF_SMART)
    @classmethod
    def _is_of_smart(cls, value: Any, info: ValidationInfo) -> Any:
        kind = info.data.get("kind")
        if value and kind not in (None, "smart"):
            raise ValueError(f"is given, but auth.kind is {kind}; set it to smart")
        return value

    @field_validator(*_CREDENTIALS)
    @classmethod
    def _fits_kind(cls, value: Any, info: ValidationInfo) -> Any:
        kind, needed_by = info.data.get("kind"), _CREDENTIALS[info.field_name or ""]
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if kind is None:  # it is wrong itself, and reported so
            return value
        if kind == needed_by and not text:
            raise ValueError(f"is missing: auth.kind {kind} needs it")
        if kind != needed_by and text:
            raise ValueError(f"is given, but auth.kind is {kind}; set it to {needed_by}")
        if text and needed_by in ("bearer", "header") and not _VISIBLE_ASCII.fullmatch(text):
            raise ValueError("holds a character that no header can carry")
        if text and info.field_name == "header_name" and not _HEADER_NAME.fullmatch(text):
            raise ValueError("is not the name of a header")
        return value


class ServerSettings(Section):
    """A FHIR server. `url` is its base, cleaned; None when no server was named.

    `ca_file`: certificates to trust instead of the usual ones. `client_cert_file`, `client_key_file`:
    our own, for a server that asks for one (mutual TLS); the key may be in the first. `post_searches`:
    searches that name patients go in a body, so that no access log holds their ids. `allow_http`: without TLS beyond
    loopback too. `rebase_links`: the server gives next links of a host it cannot be reached at.
    """

    allow_http: bool = False
    url: Annotated[str, AfterValidator(_base_url)] | None = None
    auth: AuthSettings = AuthSettings()
    ca_file: ExistingFile | None = None
    client_cert_file: ExistingFile | None = None
    client_key_file: ExistingFile | None = None
    timeout_seconds: SomeSeconds = 60.0
    page_size: int = Field(default=500, ge=1, le=10_000)
    rebase_links: bool = False
    post_searches: bool = False

    @field_validator("client_key_file")
    @classmethod
    def _has_certificate(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        if file is not None and info.data.get("client_cert_file", file) is None:
            raise ValueError("is given without client_cert_file; set both")
        return file

    @field_validator("url")
    @classmethod
    def _is_encrypted(cls, url: str | None, info: ValidationInfo) -> str | None:
        is_open = url is not None and url.startswith("http:") and not _is_loopback(url)
        if is_open and not info.data.get("allow_http"):
            raise ValueError(
                "would send health records unencrypted; use https, or set allow_http "
                "where the network itself is protected"
            )
        return url

    @property
    def base_url(self) -> str:
        """The base URL of a server that must be there; raises ConfigError when none was named."""
        if self.url is None:
            raise ConfigError(
                ["source.url is not set: set HER2_FHIR_URL, or url under [source] in the file"]
            )
        return self.url


class TargetSettings(ServerSettings):
    """The server written to; without a url of its own the source, with the same credentials.

    `write_strategy`: how a new result gets its id. `transactions`: `single` writes one resource at a time. With
    `auto` it is as a doctor measured it, else found by trying.
    """

    write_strategy: Literal["auto", "client-ids", "conditional-update", "conditional-create"] = (
        "auto"
    )
    transactions: Literal["auto", "atomic", "single"] = "auto"
    batch_cases: int = Field(default=25, ge=1, le=100)
    cases_per_minute: int | None = Field(default=None, ge=1)
    keep_target_version: bool = True


class PolicySettings(Section):
    """Which rules decide, and the site's choices in them; `site_mappings` is a folder.

    `signatures`: the file that says who has read the decision table; None for the one in that folder.
    """

    name: Literal["asco-cap-2023", "basic"] = "asco-cap-2023"
    earlier_editions: Literal["limit", "strict"] = "limit"
    zero_plus: Literal["dated", "ultralow", "zero"] = "dated"
    tumour_site: Literal["optional", "required"] = "optional"
    site_mappings: ExistingFolder | None = None
    signatures: Path | None = None


class OutputSettings(Section):
    """What the written record says beyond the result.

    `profiles`: False for no meta.profile, True for our own, or canonicals to name.
    """

    organization: Annotated[str, AfterValidator(_organization)] | None = None
    namespace: Annotated[str, AfterValidator(_namespace)] = "default"
    profiles: Annotated[bool | tuple[str, ...], BeforeValidator(_profile_list)] = False
    snomed: bool = False


class BrakeSettings(Section):
    """When a pass stops before it writes: results created first, withdrawn, changed."""

    first_pass: _Count = 500
    withdraw_floor: _Count = 3
    withdraw_percent: _Percent = 5.0
    change_floor: _Count = 20
    change_percent: _Percent = 5.0


class StoreSettings(Section):
    """Where the state is kept; the URL may hold a password, so it is not in the repr."""

    url: Annotated[str, AfterValidator(_store_url)] = Field(
        default="sqlite:///her2-adapter.sqlite", repr=False
    )
    audit_key: LongSecret | None = None


class LogSettings(Section):
    """How the log on stderr looks, and from which level on."""

    format: Literal["console", "json"] = "console"
    level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(BaseSettings):
    """All settings, frozen; made by `load_settings` alone."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        enable_decoding=False,  # no JSON in a variable: one variable, one setting
    )

    source: ServerSettings = ServerSettings()
    target: TargetSettings = TargetSettings()
    poll: PollSettings = PollSettings()
    policy: PolicySettings = PolicySettings()
    output: OutputSettings = OutputSettings()
    brake: BrakeSettings = BrakeSettings()
    mode: Literal["write", "observe"] = "write"
    narratives: Literal["off", "suggest"] = "off"
    store: StoreSettings = StoreSettings()
    log: LogSettings = LogSettings()
    http: HttpSettings = HttpSettings()
    _origins: Mapping[str, str] = PrivateAttr(default_factory=dict)

    @property
    def origins(self) -> Mapping[str, str]:
        """Where each setting that was given came from, by dotted name."""
        return self._origins

    def with_origins(self, origins: Mapping[str, str]) -> Self:
        """Return a copy that knows where its values came from."""
        copy = self.model_copy()
        copy._origins = dict(origins)
        return copy

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what `load_settings` has put together; it reads the sources itself, to name them."""
        return (init_settings,)
