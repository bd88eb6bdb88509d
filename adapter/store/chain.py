"""The arithmetic of the audit trail: the chain of HMACs, pseudonyms, and what is sealed. Pure but for chance.

The chain's HMAC covers a person's pseudonym and sealed details, never the person: with the person's key deleted the
chain still verifies (S15). Sealing is JWE (RFC 7516) with `dir` and A256GCM, so that others can open it with the key.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

PERSON_KEY_BYTES: Final = 32
"""A256GCM takes keys of this length."""
CHAINED: Final = ("seq", "at", "actor", "action", "outcome", "subject", "facts", "sealed")
"""The columns that a row's HMAC covers, in this order."""
_ANCHOR: Final = re.compile(r"([0-9]{1,18}):([0-9a-f]{64}):([0-9a-f]{64})")
_SEAL: Final = {"alg": "dir", "enc": "A256GCM"}


def mac_of(key: bytes, previous: str, row: Mapping[str, Any]) -> str:
    """Give a row's HMAC-SHA-256 as hexadecimal digits.

    Args:
        key: the chain's key.
        previous: the HMAC of the row before, "" for the first row.
        row: the columns of CHAINED.

    Raises:
        TypeError: a value has no form in JSON, so that it cannot be what was stored.

    """
    said = json.dumps([previous, *(row[name] for name in CHAINED)], separators=(",", ":"))
    return hmac.digest(key, said.encode(), "sha256").hex()


def fits(keys: Sequence[bytes], previous: str, row: Mapping[str, Any]) -> bool:
    """Tell whether a row's HMAC is right under one of these keys."""
    try:
        return any(hmac.compare_digest(mac_of(key, previous, row), str(row["mac"])) for key in keys)
    except (TypeError, UnicodeError):
        return False


def head_of(seq: int, mac: str) -> str:
    """Write down the trail's last row, for a person to keep elsewhere."""
    return f"{seq}:{mac}"


def anchor_of(key: bytes, seq: int, mac: str) -> str:
    """Write down the trail's last row so that nobody without the key can: cutting the tail off is noticed."""
    head = head_of(seq, mac)
    return f"{head}:{hmac.digest(key, f'head {head}'.encode(), 'sha256').hex()}"


def read_anchor(text: str) -> tuple[int, str] | None:
    """Give number and HMAC of the row that an anchor names; None when it is no anchor."""
    found = _ANCHOR.fullmatch(text)
    return (int(found[1]), found[2]) if found else None


def pseudonym(key: bytes, patient: str) -> str:
    """Give a person's name in the trail; without their key nobody can make it from the id."""
    return hmac.digest(key, patient.encode(), "sha256").hex()


def seal(key: bytes, details: Mapping[str, Any]) -> str:
    """Close details with a person's key: JWE in its compact form."""
    said = json.dumps(details, sort_keys=True).encode()
    return jwe.encrypt_compact(dict(_SEAL), said, OctKey.import_key(key))


def unseal(key: bytes, text: str) -> Mapping[str, Any] | None:
    """Open details; None when the key is another one or the text is damaged."""
    try:
        opened = jwe.decrypt_compact(text, OctKey.import_key(key)).plaintext
        found: dict[str, Any] = json.loads(opened or b"")
    except (JoseError, ValueError):
        return None
    return found


def digest_of(content: bytes) -> str:
    """Give the SHA-256 of some bytes as hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
