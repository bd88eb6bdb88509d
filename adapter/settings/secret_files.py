"""The secrets of `http` that came from files, read again while the service runs: a revoked token must stop working."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from adapter.settings.http import HttpSettings
from adapter.settings.loading import read_secret
from adapter.settings.names import SECRET_FILES


def http_secret_files() -> dict[str, Path]:
    """Give the setting of each secret under `http` that a variable names a file of, with that file."""
    present = {name.upper(): text for name, text in os.environ.items() if text}
    return {
        key: Path(present[variable])
        for variable, key in SECRET_FILES.items()
        if variable in present and key.startswith("http.")
    }


def reading_http(http: HttpSettings, files: Mapping[str, Path]) -> Callable[[], HttpSettings]:
    """Give what reads the files again, and checks what they hold as at the start.

    It raises ValueError for a file that cannot be read, is empty, or holds what is no such secret.
    """

    def read() -> HttpSettings:
        given: dict[str, Any] = http.model_dump()
        for key, file in files.items():
            *sections, name = key.split(".")[1:]
            section = given
            for one in sections:
                section = section[one]
            problems: list[str] = []
            section[name] = read_secret(file, key, problems)
            if problems:
                raise ValueError("; ".join(problems))
        return HttpSettings.model_validate(given)

    return read
