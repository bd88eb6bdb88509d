"""Shows the settings: value, origin and default, with every secret masked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from adapter.settings.model import Settings
from adapter.settings.names import FIELDS

_MASK = "********"


@dataclass(frozen=True)
class SettingRow:
    """One setting as `her2-adapter config` shows it; `value` and `default` as text, secrets masked.

    `origin`: "default", "flag", the variable's name, the file's name, or "as source.…".
    """

    name: str
    value: str
    origin: str
    default: str


def describe(settings: Settings) -> tuple[SettingRow, ...]:
    """Tell every setting: its value, where that came from, and its default; secrets are masked."""
    rows = []
    for key, field in FIELDS.items():
        value: Any = settings
        for name in key.split("."):
            value = getattr(value, name)
        origin = settings.origins.get(key, "default")
        rows.append(SettingRow(key, _shown(key, value), origin, _shown(key, field.default)))
    return tuple(rows)


def _shown(key: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return _MASK
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return ", ".join(value)
    if key == "store.url":
        # A password may hold @ and /, though it should not; a query may hold a password.
        value = re.sub(r"(//[^:@]*:).*(@)", rf"\g<1>{_MASK}\g<2>", str(value))
        return re.sub(r"\?.*", f"?{_MASK}", value)
    return str(value)
