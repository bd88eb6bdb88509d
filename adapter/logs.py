"""What may be logged, and how it looks: one event a line on stderr, as JSON or for a console.

Only keys of an allow-list come through, and only when their value has the shape that the key
promises: a logical id, a version, a count, a reason code, a duration, a path below the configured
server. Everything else is left out, and its name is listed under `dropped`. So a name, an
identifier or a result cannot reach a log by mistake. An exception is told by its class, by the
message of our own classes, and by the place where it was raised: no local variables, no text of a
library. The messages of other libraries are not logged, only that they said something.

Every line has an `event_id` of its own, by which it can be quoted and found: the one that a caller was told, or a new
one. On a console warnings and errors have one; beside the others it would hide what people read.
"""

from __future__ import annotations

import logging
import math
import re
import sys
import unicodedata
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from threading import Lock
from time import monotonic
from types import TracebackType
from typing import Literal, TextIO
from urllib.parse import urlsplit

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from adapter import errors
from adapter.errors import AdapterError

LONGEST_TEXT = 512
"""A longer text is cut."""

LONGEST_LIST = 20
"""A longer list is cut; its length is told."""

_EVENT = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+){0,11}")
_CODE = re.compile(r"[a-z][a-z0-9._-]{0,63}")  # from a letter on: a date of birth is none
_HASH = re.compile(  # what we make ourselves: a UUID, or a hash in hexadecimal
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{12,64}"
)
_VERSION_ID = re.compile(rf"(W/)?[0-9]{{1,6}}|{_HASH.pattern}")
_RESOURCE_TYPES = (
    "Bundle|Condition|Device|DiagnosticReport|Encounter|Group|Observation|Organization|Patient|Provenance|"
    "ServiceRequest|Specimen"
)
_REFERENCE = re.compile(
    rf"({_RESOURCE_TYPES})/[A-Za-z0-9\-.]{{1,64}}(/_history/[A-Za-z0-9\-.]{{1,64}})?"
)
_VERSION = re.compile(
    r"([a-z][a-z0-9-]{0,31}[|/])?v?[0-9]{1,4}(\.[0-9]{1,8}){0,3}([-+.][a-z0-9.]{1,16})?"
)
_URL_PATH = re.compile(r"(/[A-Za-z0-9\-._~$]{0,64}){1,16}")
_SCOPE = re.compile(r"system/(\*|[A-Z][A-Za-z]{1,63})\.[a-z*]{1,5}")
_CLASS_NAME = re.compile(r"[A-Z][A-Za-z0-9]{0,50}(Error|Exception|Timeout|Warning)")
_LIGHT = ("debug", "info")
_KEY_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")

Format = Literal["console", "json"]
Level = Literal["debug", "info", "warning", "error"]
_Shape = Callable[[object], object]


class _NotAllowed(Exception):
    """The value has not the shape that its key promises."""


def encoded(text: str) -> str:
    r"""Write characters that a terminal or a viewer could obey as `\x1b` or `\u2028`, and cut.

    These are all that Unicode calls other than printable: controls, line and paragraph separators, marks that turn the
    direction of writing or cannot be seen, lone surrogates, what nobody has defined yet (S14). A blank stays.
    """
    safe = text if text.isprintable() else "".join(map(_shown, text))
    return safe if len(safe) <= LONGEST_TEXT else safe[: LONGEST_TEXT - 1] + "…"


def _shown(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _matching(pattern: re.Pattern[str]) -> _Shape:
    def shape(value: object) -> object:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise _NotAllowed
        return str(value)

    return shape


def _list_of(item: _Shape) -> _Shape:
    def shape(value: object) -> object:
        if isinstance(value, str) or not isinstance(value, Sequence | set | frozenset):
            raise _NotAllowed
        members = sorted(value, key=str) if isinstance(value, set | frozenset) else list(value)
        shown = [item(member) for member in members[:LONGEST_LIST]]
        return (
            [*shown, f"and {len(members) - LONGEST_LIST} more"] if members[LONGEST_LIST:] else shown
        )

    return shape


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _NotAllowed
    return value


def _duration(value: object) -> object:
    return round(float(str(_number(value))), 3)


def _flag(value: object) -> object:
    if not isinstance(value, bool):
        raise _NotAllowed
    return value


def _counts(value: object) -> object:
    if not isinstance(value, Mapping):
        raise _NotAllowed
    return {str(_code(name)): _number(count) for name, count in value.items()}


def _instant(value: object) -> object:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise _NotAllowed
    return value.isoformat()


def _operator_text(value: object) -> object:
    """Take what the operator chose and no FHIR server sent: a file, a host's name."""
    if not isinstance(value, str | Path):
        raise _NotAllowed
    return encoded(str(value))


def _error(value: object) -> object:
    if isinstance(value, BaseException):
        return type(value).__name__
    known = isinstance(value, str) and (value in vars(errors) or _CLASS_NAME.fullmatch(value))
    if not known:
        raise _NotAllowed
    return value


_code = _matching(_CODE)
_hash = _matching(_HASH)
_reference = _matching(_REFERENCE)

_SHAPES: Mapping[str, _Shape] = {
    "event": _matching(_EVENT),
    "level": _code,
    "timestamp": _matching(re.compile(r"[0-9T:.Z+-]{1,40}")),
    "logger": _matching(re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,99}")),
    **dict.fromkeys(("event_id", "pass_id", "key", "bundle"), _hash),
    "keys": _list_of(_hash),
    **dict.fromkeys(
        ("reference", "patient", "specimen", "observation", "provenance", "device", "source"),
        _reference,
    ),
    **dict.fromkeys(("references", "patients", "observations", "sources"), _list_of(_reference)),
    "resource_type": _matching(re.compile(_RESOURCE_TYPES)),
    **dict.fromkeys(
        ("version", "schema", "software", "fhir_version", "policy", "mappings"),
        _matching(_VERSION),
    ),
    "version_id": _matching(_VERSION_ID),
    "method": _matching(re.compile("GET|PUT|POST|DELETE|PATCH|HEAD")),
    "path": _matching(_URL_PATH),
    **dict.fromkeys(
        ("reason", "kind", "outcome", "mode", "phase", "interaction", "stands", "fate", "rung"),
        _code,
    ),
    **dict.fromkeys(("reasons", "missing"), _list_of(_code)),
    **dict.fromkeys(("scopes_missing", "scopes_extra"), _list_of(_matching(_SCOPE))),
    "counts": _counts,
    **dict.fromkeys(
        ("count", "total", "status", "attempt", "attempts", "cases", "pages", "queued", "parked"),
        _number,
    ),
    **dict.fromkeys(
        ("created", "updated", "withdrawn", "unchanged", "fencing", "limit", "bytes", "port"),
        _number,
    ),
    **dict.fromkeys(("added", "overridden"), _number),
    **dict.fromkeys(
        ("seconds", "duration_seconds", "wait_seconds", "lag_seconds", "timeout_seconds"),
        _duration,
    ),
    **dict.fromkeys(("observe", "backfill", "dry_run", "atomic"), _flag),
    **dict.fromkeys(("since", "until", "watermark"), _instant),
    **dict.fromkeys(("file", "set_aside", "holder", "host", "overlay"), _operator_text),
    "files": _list_of(_operator_text),
    "error": _error,
}

ALLOWED_KEYS = frozenset(_SHAPES) | {"url", "exc_info"}
"""The keys that may be given to a logger; `url` only below the configured servers."""


def configure(
    format: Format = "console",  # noqa: A002 - the setting's name
    level: Level = "info",
    stream: TextIO | None = None,
    *,
    base_urls: Sequence[str] = (),
) -> None:
    """Set up logging for this process; may be called again.

    Args:
        format: "json" for one JSON object a line, "console" for people.
        level: the lowest level that is written.
        stream: where to write, or None for stderr as it is now; never stdout, which carries data.
        base_urls: the configured FHIR servers; a `url` below another one is left out.

    """
    out = stream or sys.stderr
    render: Processor = (
        structlog.processors.JSONRenderer(allow_nan=False)
        if format == "json"
        else structlog.dev.ConsoleRenderer(colors=out.isatty(), pad_event_to=0, pad_level=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _told_error,
            _AllowList(tuple(base_urls)),
            _identified if format == "json" else _identified_if_grave,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_LinesFactory(out),
        cache_logger_on_first_use=False,
    )
    _silence_libraries()


def _identified(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Give the line an id where it came without one."""
    event.setdefault("event_id", uuid.uuid4().hex)
    return event


def _identified_if_grave(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Give it one where it is something to look into."""
    return event if event.get("level") in _LIGHT else _identified(logger, method, event)


def _told_error(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace `exc_info` by what may be told of an exception."""
    error = _exception_of(event.pop("exc_info", None))
    event.pop("stack_info", None)
    if error is not None:
        event["error"] = error
        event[_TOLD] = {
            "error_message": encoded(str(error)) if isinstance(error, AdapterError) else None,
            "raised_at": _place(error.__traceback__),
            "caused_by": _causes(error),
        }
    return event


_TOLD = "told by this module"  # no keyword can have this name


def _exception_of(exc_info: object) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1] if isinstance(exc_info[1], BaseException) else None
    return sys.exc_info()[1] if exc_info else None


def _causes(error: BaseException) -> list[str]:
    names: list[str] = []
    cause = error.__cause__
    while cause is not None and len(names) < LONGEST_LIST:
        names.append(type(cause).__name__)
        cause = cause.__cause__
    return names


def _place(trace: TracebackType | None) -> str | None:
    """Return module, line and function of the last frame of ours, else of the last frame."""
    place, ours = None, False
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", "?"))
        mine = module.partition(".")[0] == __name__.partition(".")[0]
        if mine or not ours:
            place = f"{module}:{trace.tb_lineno} {trace.tb_frame.f_code.co_name}"
        ours = ours or mine
        trace = trace.tb_next
    return place


class _AllowList:
    """Lets through what the allow-list knows, in the shape it asks for, and names the rest."""

    def __init__(self, base_urls: tuple[str, ...]) -> None:
        self._bases = tuple(urlsplit(url.rstrip("/")) for url in base_urls)

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        told = event.pop(_TOLD, {})
        kept: dict[str, object] = {}
        dropped: list[str] = []
        for key, value in event.items():
            if value is None:
                continue
            shape = self._url if key == "url" else _SHAPES.get(key, _refused)
            try:
                kept[key] = shape(value)
            except _NotAllowed:
                dropped.append(key if _KEY_NAME.fullmatch(key) else "?")
        kept.setdefault("event", "unnamed_event")
        kept |= {name: value for name, value in told.items() if value}
        return kept | {"dropped": sorted(set(dropped))} if dropped else kept

    def _url(self, value: object) -> object:
        """Keep a URL below a configured server, without its query: that may name patients."""
        try:
            parts = urlsplit(value if isinstance(value, str) else "")
        except ValueError:
            raise _NotAllowed from None
        for base in self._bases:
            below = parts.path.removeprefix(base.path)
            is_ours = (parts.scheme, parts.netloc) == (base.scheme, base.netloc)
            if (
                is_ours
                and parts.path == base.path + below
                and (not below or _URL_PATH.fullmatch(below))
            ):
                return f"{base.geturl()}{below}"
        raise _NotAllowed


def _refused(_value: object) -> object:
    raise _NotAllowed


class _Lines:
    """Writes lines to a stream. A stream that cannot be written to must not stop a pass."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = Lock()

    def msg(self, line: str) -> None:
        """Write one line, whole, and flush it."""
        with self._lock, suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()

    debug = info = warning = error = critical = msg


class _LinesFactory:
    """Gives every logger the same `_Lines`, so that lines of several threads do not mix."""

    def __init__(self, stream: TextIO) -> None:
        self._lines = _Lines(stream)

    def __call__(self, *_names: object) -> _Lines:
        return self._lines


class _LibraryHandler(logging.Handler):
    """Says that a library said something; its text may hold a URL, a value or a row.

    Of each logger once in a second at most: a server without files to open says so a million times a minute.
    """

    def __init__(self, level: int, seconds_now: Callable[[], float] = monotonic) -> None:
        super().__init__(level)
        self._now = seconds_now
        self._said_at: dict[tuple[str, int], float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        kind, now = (record.name, record.levelno), self._now()
        if now - self._said_at.get(kind, -1.0) < 1.0:
            return
        self._said_at[kind] = now
        error = record.exc_info[1] if record.exc_info else None
        log = structlog.get_logger()
        log.log(
            max(record.levelno, logging.WARNING), "library_message", logger=record.name, error=error
        )


def _silence_libraries() -> None:
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _LibraryHandler)]:
        root.removeHandler(handler)
    root.addHandler(_LibraryHandler(logging.WARNING))
    # Warnings of Python go the same way: pydantic's quote the value they warn of.
    logging.captureWarnings(True)
