"""Whom the passes look at, how often the source is asked, and how much is read."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from adapter.settings.section import ExistingFile, Seconds, Section, SomeSeconds

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")  # FHIR R4, datatypes: id


def _group(text: str) -> str:
    kind, _, logical_id = text.partition("/")
    if kind != "Group" or not _ID.fullmatch(logical_id):
        raise ValueError("must be a reference such as Group/123 on the source server")
    return text


class PollSettings(Section):
    """How often the source is asked, how far back each time, and how much is read.

    `discovery`: by what is known whom to look at: what changed, a list of `patients`, or `requests` alone. The
    list is `patients_file`, one id a line, or the FHIR `group` on the source; each is read anew for each pass.
    """

    discovery: Literal["changes", "patients", "requests"] = "changes"
    patients_file: ExistingFile | None = Field(default=None, validate_default=True)
    group: Annotated[str, AfterValidator(_group)] | None = Field(
        default=None, validate_default=True
    )
    interval_seconds: SomeSeconds = 60.0
    overlap_seconds: Seconds = 600.0
    sweep_hours: float = Field(default=24.0, gt=0, le=8784, allow_inf_nan=False)
    absence_confirm_seconds: Seconds = 600.0
    laboratory_sweep: Literal["auto", "on", "off"] = "auto"

    @field_validator("patients_file", "group")
    @classmethod
    def _fits_discovery(cls, value: Any, info: ValidationInfo) -> Any:
        discovery = info.data.get("discovery")
        if discovery is None:  # it is wrong itself, and reported so
            return value
        if value is not None and discovery != "patients":
            raise ValueError(f"is given, but poll.discovery is {discovery}; set it to patients")
        if info.field_name == "group" and discovery == "patients":
            file = info.data.get("patients_file", value)  # one that is wrong itself is reported
            if value is None and "patients_file" in info.data and file is None:
                raise ValueError(
                    "is missing: poll.discovery patients needs poll.group or poll.patients_file"
                )
            if value is not None and "patients_file" in info.data and file is not None:
                raise ValueError("is given beside poll.patients_file; keep one of the two")
        return value
