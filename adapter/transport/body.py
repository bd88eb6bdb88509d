"""Reads the body of an answer: streamed, bounded, and known to be whole.

`requests` expands a 200 MB gzip bomb in full, and returns half of a gzip body that was cut as if
it were all of it. So the bytes are taken raw and unpacked here: both sizes have a cap, and a
compressed body counts only when its end marker was seen. It does not look into what was read.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from http.client import HTTPException
from typing import Protocol

from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from adapter.errors import PermanentServerError, TemporaryServerError

_CHUNK_BYTES = 65_536
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS  # zlib tells the two apart by their first bytes


def read_body(
    raw: BaseHTTPResponse, encoding: str, *, max_bytes: int, out_of_time: Callable[[], bool]
) -> bytes:
    """Read and unpack a body to its end.

    Args:
        raw: the answer, nothing of it read.
        encoding: its Content-Encoding, "" when it has none.
        max_bytes: cap on the wire, and again unpacked.
        out_of_time: asked after each piece; a server that drips is never silent long enough for
            a read timeout.

    Raises: TemporaryServerError when the body breaks off, is damaged or takes too long;
        PermanentServerError when it is larger than `max_bytes`.

    """
    unpacker = _unpacker(encoding)
    parts: list[bytes] = []
    room = on_wire_left = max_bytes
    while chunk := _next_chunk(raw, out_of_time):
        on_wire_left -= len(chunk)
        part = unpacker.unpack(chunk, room=room)
        room -= len(part)
        if on_wire_left < 0 or room < 0:
            raise PermanentServerError(
                f"the answer is larger than {max_bytes} bytes; ask for smaller pages or raise it",
                code="too-large",
            )
        parts.append(part)
    if not unpacker.is_whole():
        raise TemporaryServerError(
            "the compressed answer broke off before its end", code="cut-gzip"
        )
    return b"".join(parts)


def _next_chunk(raw: BaseHTTPResponse, out_of_time: Callable[[], bool]) -> bytes:
    try:
        # read1 returns what has arrived; read would wait for the whole chunk, drip by drip.
        chunk = raw.read1(_CHUNK_BYTES, decode_content=False) or b""
    except (HTTPError, HTTPException, OSError) as error:
        if out_of_time():
            raise _too_slow() from error
        raise TemporaryServerError(
            f"the answer broke off before its end ({type(error).__name__})",
            code="cut-answer",
        ) from error
    # Asked after each piece: what ends because the time is over, and has no length, looks whole.
    if out_of_time():
        raise _too_slow()
    return chunk


def _too_slow() -> TemporaryServerError:
    return TemporaryServerError("the answer took longer than one request may take", code="too-slow")


class _Unpacker(Protocol):
    def unpack(self, chunk: bytes, *, room: int) -> bytes: ...

    def is_whole(self) -> bool: ...


class _Identity:
    def unpack(self, chunk: bytes, *, room: int) -> bytes:  # noqa: ARG002
        return chunk

    def is_whole(self) -> bool:
        return True  # urllib3 holds Content-Length and chunked bodies to their ends


class _Inflate:
    """Unpacks gzip and zlib; gives at most one byte more than there is room for."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._began = False

    def unpack(self, chunk: bytes, *, room: int) -> bytes:
        self._began = True
        unpacked = b""
        try:
            while chunk and len(unpacked) <= room:
                if self._stream.eof:  # gzip may be several members, one after the other (RFC 1952)
                    self._stream = zlib.decompressobj(_GZIP_OR_ZLIB)
                unpacked += self._stream.decompress(chunk, room + 1 - len(unpacked))
                chunk = self._stream.unconsumed_tail or self._stream.unused_data
        except zlib.error as error:
            raise TemporaryServerError(
                "the compressed answer is damaged", code="damaged-gzip"
            ) from error
        return unpacked

    def is_whole(self) -> bool:
        return self._stream.eof or not self._began


def _unpacker(encoding: str) -> _Unpacker:
    match encoding.strip().lower():
        case "" | "identity":
            return _Identity()
        case "gzip" | "x-gzip" | "deflate":
            return _Inflate()
        case _:
            raise TemporaryServerError(
                "the answer has a Content-Encoding that was not asked for", code="foreign-encoding"
            )
