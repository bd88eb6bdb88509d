"""What settings are called: dotted names, environment variables, short forms, near misses."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from adapter.settings.model import PREFIX, Settings
from adapter.settings.section import Section


def _walk(section: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in section.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            yield from _walk(kind, f"{prefix}{name}.")
        else:
            yield prefix + name, field


def variable_of(key: str) -> str:
    """Return the environment variable of a setting: HER2_POLL__SWEEP_HOURS of poll.sweep_hours."""
    return PREFIX + key.upper().replace(".", "__")


FIELDS: Mapping[str, FieldInfo] = dict(_walk(Settings))
"""Every setting's field by its dotted name."""

SETTINGS_KEYS: tuple[str, ...] = tuple(FIELDS)
"""Every setting by its dotted name, in the order of the sections."""

SECRET_KEYS: frozenset[str] = frozenset(
    key
    for key in FIELDS
    if key.endswith(
        (".token", "_token", ".secret", "_secret", ".password", ".header_value", ".audit_key")
    )
) | {"store.url"}
"""The settings that are, or may hold, a secret: each has a variable `…_FILE` too."""

SHORT_FORMS: Mapping[str, str] = {
    "HER2_FHIR_URL": "source.url",
    "HER2_STATE_URL": "store.url",
    "HER2_POLICY": "policy.name",
    "HER2_SITE_MAPPINGS": "policy.site_mappings",
}
"""The short variables, and the setting that each one means."""

COMMAND_VARIABLE = "HER2_ADAPTER"
"""Where scripts around the adapter say which command to call; it sets nothing here."""

CONFIG_VARIABLE = "HER2_CONFIG"
"""Names the TOML file when no flag does."""

VARIABLE_KEYS: Mapping[str, str] = {variable_of(key): key for key in FIELDS} | dict(SHORT_FORMS)
"""The setting that each variable holds."""

SECRET_FILES: Mapping[str, str] = {
    f"{variable}_FILE": key
    for variable, key in VARIABLE_KEYS.items()
    if key in SECRET_KEYS and not key.endswith(".token")
}
"""The secret whose file each variable names; a token's file is a setting of its own."""

VARIABLES: frozenset[str] = frozenset(
    {*VARIABLE_KEYS, *SECRET_FILES, CONFIG_VARIABLE, COMMAND_VARIABLE}
)
"""Every environment variable that means something here."""

# Kubernetes tells each pod of each service like this; a service named her2-… looks like a setting.
SERVICE_LINK = re.compile(r"HER2_\w*?(_SERVICE_HOST|_SERVICE_PORT(_\w+)?|_PORT(_\d+_(TC|UD)P\w*)?)")


_BEGUN: Final = 3
"""Letters from which on the beginning of a word is taken for it."""


def is_section(key: str) -> bool:
    """Say whether a dotted name is a section, so that settings stand below it."""
    return any(known.startswith(f"{key}.") for known in SETTINGS_KEYS)


def near_miss(word: str, words: Iterable[str]) -> str:
    """Return "; did you mean …?" for the closest of the words, or nothing when none is close."""
    known = list(words)
    # Who wrote the beginning of one word alone means that one, however short the others are.
    begun = [one for one in known if len(word) >= _BEGUN and one.startswith(word.lower())]
    close = begun if len(begun) == 1 else difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""
