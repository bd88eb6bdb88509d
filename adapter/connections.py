"""The ways to the configured servers: their clients, and how each is told who we are.

The second half of the composition root: settings in, concrete parts out. The heavy ones (HTTP, JOSE)
are imported where they are first needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapter.errors import ConfigError, NotAuthorised

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from adapter.ports import Clock
    from adapter.settings import AuthSettings, ServerSettings, Settings
    from adapter.traffic import Meter
    from adapter.transport.auth import Auth
    from adapter.transport.fhir_server import RestFhirServer, ServerConfig
    from adapter.transport.smart import SmartAuth


def server_of(
    settings: ServerSettings,
    clock: Clock,
    auth: Auth | None = None,
    meter: Meter = lambda _: None,
) -> RestFhirServer:
    """Make the client of one FHIR server; raises ConfigError when no server was named.

    `auth`: how requests are authorised; None for what the settings say. `meter`: is told of every request.
    """
    from adapter.fhir.refused_alone import read_bundle
    from adapter.transport.fhir_server import RestFhirServer

    auth = auth or auth_of(settings, clock)
    return RestFhirServer(
        _config_of(settings),
        read_json=read_bundle,
        clock=clock,
        auth=auth,
        meter=meter,
    )


def auths_of(
    settings: Settings, clock: Clock, *, creates: bool = False, scopes: Sequence[str] = ()
) -> dict[str, Auth]:
    """Make the ways to authorise: for "source", and for "target" where that is another one.

    Each asks for no more than the mode needs on that server.

    Args:
        settings: of both servers, and the mode.
        clock: says when an assertion ends.
        creates: the target does not let clients choose ids.
        scopes: what the source is asked for by a command that does no pass; empty for what passes need.

    Raises: ConfigError when a credential cannot be used.

    """
    from adapter.sync.permissions import needed

    observe, is_one = settings.mode == "observe", _is_one_server(settings)
    group = settings.poll.group is not None
    asked = needed(source=True, target=is_one, observe=observe, creates=creates, group=group)
    auths = {"source": auth_of(settings.source, clock, scopes or asked)}
    if not is_one:
        asked = needed(source=False, target=True, observe=observe, creates=creates)
        auths["target"] = auth_of(settings.target, clock, asked)
    return auths


def auth_of(settings: ServerSettings, clock: Clock, scopes: Sequence[str] = ()) -> Auth:
    """Make the way to prove who we are to one server.

    Args:
        settings: of that server.
        clock: says when an assertion ends.
        scopes: to ask for where the settings name none; only SMART has such.

    Raises: ConfigError when a credential cannot be used.

    """
    from adapter.transport import auth

    given = settings.auth
    match given.kind:
        case "bearer" if given.token_file is not None:
            return auth.TokenFileAuth(given.token_file)
        case "bearer":
            return auth.BearerAuth(_secret(given, "token"))
        case "basic":
            return auth.BasicAuth(given.username or "", _secret(given, "password"))
        case "header":
            return auth.HeaderAuth(given.header_name or "", _secret(given, "header_value"))
        case "smart":
            return _smart_of(settings, clock, scopes)
        case _:
            return auth.NoAuth()


def _secret(settings: AuthSettings, name: str) -> str:
    value = getattr(settings, name)
    return str(value.get_secret_value()) if value else ""


def _smart_of(settings: ServerSettings, clock: Clock, scopes: Sequence[str]) -> SmartAuth:
    from adapter.fhir.strict_json import read_json
    from adapter.transport.smart import KeyFile, SmartAuth, SmartClient, TokenEndpoint

    given = settings.auth
    assert given.key_file is not None  # the settings hold that it is there for this kind
    keys = KeyFile(given.key_file, read_json, given.key_id)
    try:
        keys.keys()
    except NotAuthorised as error:  # while it runs the same is a refusal; at the start, a setting
        raise ConfigError([f"auth.key_file: {error}"]) from error
    client = SmartClient(given.client_id or "", given.scopes or tuple(scopes), given.token_url)
    endpoint = TokenEndpoint(_config_of(settings), client, clock=clock, read_json=read_json)
    return SmartAuth(client, keys=keys, endpoint=endpoint)


def _config_of(settings: ServerSettings) -> ServerConfig:
    from adapter.transport.fhir_server import ServerConfig

    return ServerConfig(
        base_url=settings.base_url,
        ca_file=_text(settings.ca_file),
        client_cert_file=_text(settings.client_cert_file),
        client_key_file=_text(settings.client_key_file),
        read_timeout_seconds=settings.timeout_seconds,
        page_size=settings.page_size,
        rebase_links=settings.rebase_links,
        post_searches=settings.post_searches,
    )


def _text(file: Path | None) -> str | None:
    return str(file) if file else None


def _is_one_server(settings: Settings) -> bool:
    """Tell whether results are written where they are read, as the same user."""
    source, target = settings.source, settings.target
    compared = ("url", "auth", "ca_file", "client_cert_file", "client_key_file")
    return target.url is None or all(
        getattr(source, name) == getattr(target, name) for name in compared
    )
