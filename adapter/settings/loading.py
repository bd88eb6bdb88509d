"""Puts flags, environment, TOML file and defaults together, and lists everything wrong in them."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import EnvSettingsSource

from adapter.errors import ConfigError
from adapter.settings.model import PREFIX, Settings
from adapter.settings.names import (
    CONFIG_VARIABLE,
    FIELDS,
    SECRET_FILES,
    SERVICE_LINK,
    SETTINGS_KEYS,
    SHORT_FORMS,
    VARIABLE_KEYS,
    VARIABLES,
    is_section,
    near_miss,
    variable_of,
)

_SIDES = ("source", "target")
_TWICE = "is set twice; keep one of the two"
_UNREADABLE = "unreadable"  # reported once; the setting itself is not called missing as well

_BOUNDS = {
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be {ge:g} or more",
    "less_than_equal": "must be {le:g} or less",
}
_KINDS = {
    "int": "must be a whole number",
    "float": "must be a number",
    "finite": "must be a number",
    "bool": "must be true or false",
    "string": "must be text",
    "path": "must be a path",
}
_SHAPES = {"output.profiles": "must be true, false, or a list of the profiles' URLs"}


@dataclass(frozen=True)
class _Given:
    value: Any
    origin: str


def load_settings(config_file: Path | None, overrides: Mapping[str, Any]) -> Settings:
    """Put flags, environment, TOML file and defaults together, and check all of it.

    Args:
        config_file: the TOML file, or None for the one that HER2_CONFIG names, if any.
        overrides: what the command line says, by dotted name; None means not said.

    Raises:
        ConfigError: one sentence for each wrong, unknown or contradictory setting, all of them.

    """
    problems: list[str] = []
    given: dict[str, _Given] = {}
    named = os.environ.get(CONFIG_VARIABLE)
    file = config_file or (Path(named) if named else None)
    for layer in (
        _from_file(file, problems) if file else {},
        _from_environment(problems),
        _from_flags(overrides, problems),
    ):
        _overlay(given, layer)
    _read_token_files(given, problems)
    _inherit_source(given, problems)
    settings = _validate(given, problems)
    if settings is None or problems:
        raise ConfigError(problems)
    return settings


def _leaves(nested: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted names with their values; a table that is not a section is a value."""
    for name, value in nested.items():
        key = prefix + name
        if is_section(key) and isinstance(value, Mapping):
            yield from _leaves(value, f"{key}.")
        else:
            yield key, value


def _known(key: str, origin: str, problems: list[str]) -> bool:
    if key in FIELDS:
        return True
    if is_section(key):
        problems.append(f"{key} ({origin}): is a section; set its keys one by one")
    else:
        problems.append(f"{key} ({origin}): is not a setting{near_miss(key, SETTINGS_KEYS)}")
    return False


def _from_file(file: Path, problems: list[str]) -> dict[str, _Given]:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        problems.append(f"{file}: cannot be read ({error.strerror}); name an existing TOML file")
        return {}
    except ValueError as error:
        # The text of the parser names line and column, and quotes at most one character.
        place = f" ({error})" if isinstance(error, tomllib.TOMLDecodeError) else ""
        problems.append(f"{file}: is not TOML in UTF-8{place}")
        return {}
    return {
        key: _Given(value, str(file))
        for key, value in _leaves(content)
        if _known(key, str(file), problems)
    }


def _from_environment(problems: list[str]) -> dict[str, _Given]:
    present = {name.upper(): text for name, text in os.environ.items() if text}
    for name in sorted(present):
        if not name.startswith(PREFIX) or name in VARIABLES or SERVICE_LINK.fullmatch(name):
            continue
        problems.append(f"{name}: is not a setting{near_miss(name, VARIABLES)}")
    source = EnvSettingsSource(Settings)
    # A variable named like a section (HER2_POLICY, HER2_SOURCE) would hide those of its keys.
    source.env_vars = {
        name: text
        for name, text in source.env_vars.items()
        if name.upper() in VARIABLE_KEYS.keys() - SHORT_FORMS.keys()
    }
    layer = {key: _Given(value, variable_of(key)) for key, value in _leaves(source())}
    for name, key in SHORT_FORMS.items():
        if name in present:
            _add_once(layer, key, _Given(present[name], name), problems)
    for name, key in SECRET_FILES.items():
        if name in present:
            _add_once(layer, key, _read_secret(Path(present[name]), name, problems), problems)
    return layer


def _from_flags(overrides: Mapping[str, Any], problems: list[str]) -> dict[str, _Given]:
    return {
        key: _Given(value, "flag")
        for key, value in overrides.items()
        if value is not None and _known(key, "flag", problems)
    }


def _add_once(layer: dict[str, _Given], key: str, given: _Given, problems: list[str]) -> None:
    earlier = layer.setdefault(key, given)
    if earlier.value != given.value:
        problems.append(f"{key} ({earlier.origin}, {given.origin}): {_TWICE}")


def _read_secret(file: Path, origin: str, problems: list[str]) -> _Given:
    return _Given(read_secret(file, origin, problems), origin)


def read_secret(file: Path, origin: str, problems: list[str]) -> str:
    """Read a secret; what is wrong with its file is added to the problems."""
    try:
        text = file.read_text(encoding="utf-8-sig").rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        problems.append(f"{origin}: names no file that can be read as text")
        return _UNREADABLE
    if not text:
        problems.append(f"{origin}: names an empty file")
        return _UNREADABLE
    return text


def _overlay(given: dict[str, _Given], layer: Mapping[str, _Given]) -> None:
    """Put a stronger layer over the weaker ones; a token and its file replace each other."""
    for side in _SIDES:
        pair = {f"{side}.auth.token", f"{side}.auth.token_file"}
        if pair & layer.keys():
            for key in pair:
                given.pop(key, None)
    given.update(layer)


def _read_token_files(given: dict[str, _Given], problems: list[str]) -> None:
    for side in _SIDES:
        file, key = given.get(f"{side}.auth.token_file"), f"{side}.auth.token"
        if file is None:
            continue
        if key in given:
            problems.append(f"{key} ({given[key].origin}, {file.origin}): {_TWICE}")
            continue
        given[key] = _read_secret(Path(str(file.value)), file.origin, problems)


def _inherit_source(given: dict[str, _Given], problems: list[str]) -> None:
    """Fill in the target from the source where both are one server, and from nothing otherwise.

    Credentials never go to another server than the one they were given for.
    """
    target_url, source_url = given.get("target.url"), given.get("source.url")
    if target_url and (source_url is None or not _same_url(target_url.value, source_url.value)):
        kind = given.get("source.auth.kind")
        if kind and kind.value != "none" and "target.auth.kind" not in given:
            problems.append(
                "target.auth.kind: is not set, and the source's credentials are not used for "
                "another server; set it (none, bearer, basic, header or smart)"
            )
        return
    own_auth = any(key.startswith("target.auth.") for key in given)
    for key in [key for key in given if key.startswith("source.")]:
        twin = key.replace("source.", "target.", 1)
        if twin not in given and not (own_auth and key.startswith("source.auth.")):
            given[twin] = _Given(given[key].value, f"as {key}")


def _same_url(first: object, second: object) -> bool:
    return str(first).rstrip("/").lower() == str(second).rstrip("/").lower()


def _validate(given: Mapping[str, _Given], problems: list[str]) -> Settings | None:
    nested: dict[str, Any] = {}
    for key, value in given.items():
        *sections, name = key.split(".")
        place = nested
        for section in sections:
            place = place.setdefault(section, {})
        place[name] = value.value
    try:
        settings = Settings(**nested)
    except ValidationError as error:
        problems.extend(_sentences(error, given))
        return None
    return settings.with_origins({key: value.origin for key, value in given.items()})


def _sentences(error: ValidationError, given: Mapping[str, _Given]) -> list[str]:
    """Say what is wrong, once for each setting; not again for a target that is the source."""
    wrong: dict[str, ErrorDetails] = {}
    for detail in error.errors(include_url=False):
        wrong.setdefault(_key_of(detail), detail)
    sentences = []
    for key, detail in wrong.items():
        twin = key.replace("target.", "source.", 1)
        if twin != key and twin in wrong and _is_inherited(key, given):
            continue
        place = f"{key} ({given[key].origin})" if key in given else key
        value = given[key].value if key in given else None
        sentences.append(f"{place}: {_SHAPES.get(key) or _what_is_wrong(detail, value)}")
    return sentences


def _key_of(detail: ErrorDetails) -> str:
    parts = [str(part) for part in detail["loc"]]
    while parts and ".".join(parts) not in FIELDS:  # a union names its branches too
        parts.pop()
    return ".".join(parts)


def _is_inherited(key: str, given: Mapping[str, _Given]) -> bool:
    # A credential that is missing was given nowhere: the kind tells whose it would be.
    told_by = given.get(key) or given.get("target.auth.kind")
    return told_by is not None and told_by.origin.startswith("as source.")


def _what_is_wrong(detail: ErrorDetails, value: object) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        choices = re.findall(r"'([^']*)'", context["expected"])
        return f"must be one of {', '.join(choices)}{near_miss(str(value), choices)}"
    if kind in _BOUNDS:
        return _BOUNDS[kind].format(**context)
    return _KINDS.get(kind.split("_")[0], detail["msg"])
