"""Who has read which decision table: a file of the site, one JSON line for each signature.

A signature says that a person has read the table as it then was, not that anybody validated it.
The file is never a mapping: its name does not end like one, so signing leaves the version of the
site's vocabulary as it is. Lines are only ever added.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from adapter.errors import InputError
from adapter.offline.whole_files import write_whole

FILE_NAME: Final = "signatures.jsonl"
"""What the file is called in a site's folder of mappings."""
LONGEST_NAME: Final = 200
"""Characters of a name."""

_CELL: Final = ("ihc", "ish", "category", "review", "asco_cap", "rule")
"""What of a cell is signed. The words of a rule may be corrected without a new signature."""
_READ: Final = "read"


@dataclass(frozen=True)
class SignedTable:
    """What a signature is about.

    `choices`: the site's choices in the policy by name. `grid_sha256`: of all cells, see `grid_hash`.
    `mappings`, `overlays`: the vocabulary as every Provenance names it.
    """

    policy: str
    policy_version: str
    choices: Mapping[str, str]
    grid_sha256: str
    mappings: str
    overlays: tuple[str, ...] = ()

    @property
    def policy_text(self) -> str:
        """The policy with the site's choices, for people."""
        chosen = ", ".join(f"{name} {choice}" for name, choice in sorted(self.choices.items()))
        return f"{self.policy} {self.policy_version}; {chosen}"


@dataclass(frozen=True)
class Signature:
    """One person's signature. `signed_at`: aware, UTC. `software`: the adapter's version."""

    name: str
    signed_at: datetime
    table: SignedTable
    software: str

    @property
    def signed_on(self) -> str:
        """The day, UTC."""
        return self.signed_at.date().isoformat()


class Standing(StrEnum):
    """How signatures stand to the table that decides now."""

    CURRENT = "current"
    CHANGED = "changed"
    NONE = "none"


def grid_hash(cells: Iterable[Mapping[str, Any]]) -> str:
    """Give the SHA-256 of the decision table, whatever the order of its cells.

    Args:
        cells: the lines that `table` prints; ihc, ish, category, review, asco_cap and rule count.

    """
    signed = [[cell[name] for name in _CELL] for cell in cells]
    text = json.dumps(sorted(signed, key=lambda cell: cell[:2]), separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def cleaned_name(name: str) -> str:
    """Give the name of who signs, with single blanks; raises InputError when it is none."""
    cleaned = " ".join(name.split())
    if not cleaned or not cleaned.isprintable() or len(cleaned) > LONGEST_NAME:
        raise InputError(
            f"a signature needs the name of who has read the table, up to {LONGEST_NAME} "
            "printable characters",
            code="no-name",
        )
    return cleaned


def standing(
    signatures: Sequence[Signature], now: SignedTable
) -> tuple[Standing, Signature | None]:
    """Say how the table of now stands signed, and by which signature.

    The newest signature of this very table counts; without one, the newest of all tells since when
    it has changed. The vocabulary is not compared: it says what is read, not what follows from it.
    """
    newest_first = sorted(signatures, key=lambda one: one.signed_at, reverse=True)
    for signature in newest_first:
        if not differences(signature.table, now):
            return Standing.CURRENT, signature
    if newest_first:
        return Standing.CHANGED, newest_first[0]
    return Standing.NONE, None


def differences(signed: SignedTable, now: SignedTable) -> tuple[str, ...]:
    """Name each thing that makes the table of now another one than was signed, () for the same."""
    pairs = {
        "policy": (signed.policy, now.policy),
        "version": (signed.policy_version, now.policy_version),
        **{
            name: (signed.choices.get(name, "not stated"), now.choices.get(name, "not stated"))
            for name in sorted({*signed.choices, *now.choices})
        },
    }
    said = [f"{name} {was}, now {is_}" for name, (was, is_) in pairs.items() if was != is_]
    if signed.grid_sha256 != now.grid_sha256:
        said.append("other answers in the table")
    return tuple(said)


def has_other_vocabulary(signed: SignedTable, now: SignedTable) -> bool:
    """Tell whether codes and words may be read otherwise than when the table was signed."""
    return (signed.mappings, signed.overlays) != (now.mappings, now.overlays)


def read_signatures(path: Path) -> tuple[Signature, ...]:
    """Read the signatures of a site in the order written; none where there is no file.

    Raises:
        InputError: when the file cannot be read or a line of it is no signature.

    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as signatures", code="no-file") from error
    return tuple(
        _signature(line, f"{path}: line {number}")
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip()
    )


def add_signature(path: Path, signature: Signature) -> None:
    """Add a signature to the file of a site, or begin one; what stands there stays as it is.

    Raises:
        InputError: when the file cannot be written, or what stands there is no list of signatures.

    """
    read_signatures(path)
    before = path.read_bytes() if path.exists() else b""
    if before and not before.endswith(b"\n"):
        before += b"\n"
    line = json.dumps(line_of(signature), ensure_ascii=False)
    write_whole(path, before + f"{line}\n".encode())


def line_of(signature: Signature) -> dict[str, Any]:
    """Make the line of one signature."""
    table = signature.table
    return {
        "name": signature.name,
        "signed_at": signature.signed_at.isoformat(timespec="seconds"),
        "statement": _READ,
        "policy": table.policy,
        "policy_version": table.policy_version,
        "choices": dict(table.choices),
        "grid_sha256": table.grid_sha256,
        "mappings": table.mappings,
        "overlays": list(table.overlays),
        "software": signature.software,
    }


def _signature(line: str, where: str) -> Signature:
    try:
        return _as_signature(json.loads(line))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{where} is no signature of a table", code="no-signature") from error


def _as_signature(said: Any) -> Signature:
    """Read one line; raises what a missing or misshapen part of it leads to."""
    signed_at = datetime.fromisoformat(said["signed_at"])
    if signed_at.tzinfo is None or said["statement"] != _READ:
        raise ValueError("no time zone, or another statement than that of having read it")
    return Signature(
        name=str(said["name"]),
        signed_at=signed_at,
        table=SignedTable(
            policy=str(said["policy"]),
            policy_version=str(said["policy_version"]),
            choices={str(name): str(choice) for name, choice in said["choices"].items()},
            grid_sha256=str(said["grid_sha256"]),
            mappings=str(said["mappings"]),
            overlays=tuple(str(one) for one in said["overlays"]),
        ),
        software=str(said["software"]),
    )
