"""The patients of a file, one id a line, written by somebody else's job and read anew for each pass.

Replace the file by renaming a finished one over it: half a file is a shorter list. Lines that are no id are
left out and told by their number, because what stands there may name somebody.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapter.errors import ListUnusable
from adapter.ports import ListedPatients

LARGEST: Final = 64 * 2**20
"""Bytes; ids of about half a million patients."""
_NAMED: Final = re.compile(r"(?:Patient/)?([A-Za-z0-9\-.]{1,64})")  # FHIR R4, datatypes: id


def patient_named(text: str) -> str | None:
    """Give "Patient/<id>" of an id with or without the type before it; None where it is no id of FHIR."""
    found = _NAMED.fullmatch(text)
    return f"Patient/{found[1]}" if found else None


@dataclass(frozen=True)
class PatientsOfFile:
    """Implements PatientList; empty lines and what follows a # are left out."""

    path: Path

    def read(self) -> ListedPatients:
        """Read it as it is now; raises ListUnusable where it cannot be read, is too large or names nobody."""
        patients, wrong = self.lines()
        if not patients:
            raise ListUnusable(
                f"{self.path} names no patient: nobody is looked at, and nothing is withdrawn"
            )
        warnings = (
            (f"{self.path}: {len(wrong)} lines are no patient id and are left out, the first is line {wrong[0]}",)
            if wrong
            else ()
        )  # fmt: skip
        return ListedPatients(tuple(sorted(patients)), warnings)

    def lines(self) -> tuple[frozenset[str], tuple[int, ...]]:
        """Give the patients that the lines name, and the numbers of those that are no id; raises ListUnusable."""
        lines = self._text().splitlines()
        words = [(number, line.partition("#")[0].strip()) for number, line in enumerate(lines, 1)]
        read = [(number, patient_named(word)) for number, word in words if word]
        wrong = tuple(number for number, found in read if found is None)
        return frozenset(found for _, found in read if found is not None), wrong

    def _text(self) -> str:
        try:
            if self.path.stat().st_size > LARGEST:
                raise ListUnusable(f"{self.path} is larger than {LARGEST} bytes")
            return self.path.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise ListUnusable(
                f"{self.path} cannot be read ({error.strerror}): nobody is looked at, and nothing is withdrawn"
            ) from error
        except UnicodeDecodeError:
            raise ListUnusable(f"{self.path} is not text in UTF-8") from None
