"""Frozen settings, validated once: flag > environment > TOML file > default.

`load_settings` gives every wrong setting at once, with what to do about it; values are never quoted
when they could be a secret. Nothing here connects to anything.

Environment: `HER2_SECTION__KEY` (`HER2_POLL__INTERVAL_SECONDS`), four short forms (SHORT_FORMS),
and for every secret `HER2_SECTION__KEY_FILE`, a file that holds it. An empty variable counts as not
set, which is what a compose file makes of one it does not know.
"""

from adapter.settings.describe import SettingRow, describe
from adapter.settings.http import DEFAULT_ADDRESS, Address, HttpSettings
from adapter.settings.loading import load_settings
from adapter.settings.model import (
    AuthSettings,
    BrakeSettings,
    LogSettings,
    OutputSettings,
    PolicySettings,
    ServerSettings,
    Settings,
    StoreSettings,
    TargetSettings,
)
from adapter.settings.names import (
    CONFIG_VARIABLE,
    SECRET_KEYS,
    SETTINGS_KEYS,
    SHORT_FORMS,
    VARIABLES,
    variable_of,
)
from adapter.settings.poll import PollSettings
from adapter.settings.secret_files import http_secret_files, reading_http
from adapter.settings.section import is_loopback
from adapter.settings.webhook import WebhookSettings

__all__ = [
    "CONFIG_VARIABLE",
    "DEFAULT_ADDRESS",
    "SECRET_KEYS",
    "SETTINGS_KEYS",
    "SHORT_FORMS",
    "VARIABLES",
    "Address",
    "AuthSettings",
    "BrakeSettings",
    "HttpSettings",
    "LogSettings",
    "OutputSettings",
    "PolicySettings",
    "PollSettings",
    "ServerSettings",
    "SettingRow",
    "Settings",
    "StoreSettings",
    "TargetSettings",
    "WebhookSettings",
    "describe",
    "http_secret_files",
    "is_loopback",
    "load_settings",
    "reading_http",
    "variable_of",
]
