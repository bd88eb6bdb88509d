"""The signed table: `table --sign` records who has read it, and `status` says whether it still is that one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import adapter
from adapter.cli.printing import Block, Output, print_blocks, say

if TYPE_CHECKING:
    from adapter.offline.signatures import Signature, SignedTable
    from adapter.settings import Settings

_COLUMNS: Final = {
    "name": "Signed by",
    "signed_at": "At",
    "policy": "Policy",
    "policy_version": "Version",
    "choices": "Choices",
    "grid_sha256": "SHA-256 of the table",
    "mappings": "Mappings",
    "overlays": "Overlays",
}


def sign(settings: Settings, name: str, form: Output) -> None:
    """Record that somebody has read the decision table as it is now, and print what was signed.

    Raises:
        InputError: without a name, or when the file cannot be read or written.
        ConfigError: when nothing says where the site keeps its signatures.
        MappingError: when the vocabulary has defects: such an adapter does not start.

    """
    from adapter.errors import ConfigError
    from adapter.offline.signatures import Signature, add_signature, cleaned_name, line_of

    path = signature_file(settings)
    if path is None:
        raise ConfigError(
            [
                "policy.signatures is not set: a signature goes into the folder policy.site_mappings, "
                "or into the file that --sign-file or HER2_POLICY__SIGNATURES names"
            ]
        )
    signature = Signature(
        name=cleaned_name(name),
        signed_at=datetime.now(UTC).replace(microsecond=0),
        table=_table_of(settings),
        software=adapter.__version__,
    )
    add_signature(path, signature)
    row = {"kind": "signature", "file": str(path), **line_of(signature)}
    print_blocks(form, [Block("Signature", _COLUMNS, [row])])
    say(
        f"{signature.name} has read the decision table ({signature.table.policy_text}); {path} says so.",
        "The signature says that the table was read, not that it was validated.",
    )


def signature_file(settings: Settings) -> Path | None:
    """Find the file of signatures: its own setting, else in the folder of the site's mappings."""
    from adapter.offline.signatures import FILE_NAME

    folder = settings.policy.site_mappings
    return settings.policy.signatures or (folder / FILE_NAME if folder else None)


def signature_facts(settings: Settings) -> dict[str, Any]:
    """Say for `status` how the configured table stands signed.

    `signature` is current, changed, none or unreadable; `vocabulary_changed` is None where nothing
    is signed. Only with a signature to compare to are table and vocabulary looked at.
    """
    from adapter.errors import InputError, MappingError
    from adapter.offline.signatures import read_signatures

    path = signature_file(settings)
    try:
        signatures = read_signatures(path) if path else ()
        if signatures:
            return _compared(signatures, _table_of(settings))
    except InputError as error:
        return _facts("unreadable", str(error))
    except MappingError as error:
        defects = f"the mappings have defects ({len(error.defects)}): her2-adapter mappings check"
        return _facts("unreadable", f"cannot be compared with what was signed; {defects}")
    return _facts("none", "nobody has signed it")


def _compared(signatures: tuple[Signature, ...], now: SignedTable) -> dict[str, Any]:
    from adapter.offline.signatures import (
        Standing,
        differences,
        has_other_vocabulary,
        standing,
    )

    how, signature = standing(signatures, now)
    if signature is None:
        return _facts("none", "nobody has signed it")
    sentence = f"signed by {signature.name} on {signature.signed_on}"
    if how is Standing.CHANGED:
        sentence = (
            f"has changed since {signature.name} signed it on {signature.signed_on} "
            f"({'; '.join(differences(signature.table, now))})"
        )
    has_other_words = has_other_vocabulary(signature.table, now)
    if has_other_words:
        sentence += "; the vocabulary has changed since"
    return _facts(how.value, sentence, signature) | {"vocabulary_changed": has_other_words}


def _facts(how: str, sentence: str, signature: Signature | None = None) -> dict[str, Any]:
    return {
        "decision_table": sentence,
        "signature": how,
        "signed_by": signature.name if signature else None,
        "signed_on": signature.signed_on if signature else None,
        "vocabulary_changed": None,
    }


def _table_of(settings: Settings) -> SignedTable:
    """Compute the table as it decides now, with these settings and this vocabulary."""
    from adapter.bootstrap import catalogue_of, policy_of
    from adapter.cli.grid_pages import cell_line, cells
    from adapter.her2.policy import choices
    from adapter.offline.signatures import SignedTable, grid_hash

    policy, catalogue = policy_of(settings), catalogue_of(settings)
    return SignedTable(
        policy=policy.name,
        policy_version=policy.version,
        choices=choices(policy),
        grid_sha256=grid_hash(cell_line(*cell) for cell in cells(policy)),
        mappings=catalogue.version,
        overlays=catalogue.overlay_versions,
    )
