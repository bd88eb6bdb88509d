"""What every section of the settings is, and the kinds of value that several of them have."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

SHORTEST_KEY = 32
"""Characters of a key for the audit trail, and of a token or secret that somebody shows us."""


class Section(BaseModel):
    """One section: frozen, and without keys that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def is_loopback(host: str) -> bool:
    """Say whether a host's name or address is this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _existing_file(path: Path) -> Path:
    if not path.is_file():
        raise ValueError("names no file; give the path of an existing one")
    return path


def _existing_folder(path: Path) -> Path:
    if not path.is_dir():
        raise ValueError("names no folder; give the path of an existing one")
    return path


def _long_secret(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value()) < SHORTEST_KEY:
        raise ValueError(f"must have {SHORTEST_KEY} characters or more: openssl rand -hex 32")
    return secret


Seconds = Annotated[float, Field(ge=0, le=10_000_000, allow_inf_nan=False)]
SomeSeconds = Annotated[float, Field(gt=0, le=10_000_000, allow_inf_nan=False)]
ExistingFile = Annotated[Path, AfterValidator(_existing_file)]
ExistingFolder = Annotated[Path, AfterValidator(_existing_folder)]
LongSecret = Annotated[SecretStr, AfterValidator(_long_secret)]
