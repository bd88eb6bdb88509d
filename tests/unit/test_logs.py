"""Protects patients: nothing of theirs reaches a log, whatever a caller hands to the logger."""

from __future__ import annotations

import ast
import io
import json
import logging
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import structlog

from adapter import logs
from adapter.errors import StoreError, TemporaryServerError

BASE = "https://fhir.hospital.test/r4"
Log = Callable[[], list[dict[str, Any]]]

CANARIES = (
    "Canary Jane Q.",
    "MRN-CANARY-4711",
    "1961-02-03",
    "IHC 3+ CANARY",
    "http://canary.test/Patient?name=Jane",
)


@pytest.fixture(autouse=True)
def _clean_logging() -> Iterator[None]:
    """Give logging back as it was: it belongs to the process, and other tests share it."""
    root, before = logging.getLogger(), list(logging.getLogger().handlers)
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    logging.captureWarnings(False)
    root.handlers[:] = before


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def log(stream: io.StringIO) -> Any:
    logs.configure("json", "debug", stream, base_urls=[BASE])
    return structlog.get_logger("adapter.test")


def told(stream: io.StringIO) -> list[dict[str, Any]]:
    """Every line as the JSON object that it must be."""
    text = stream.getvalue()
    assert text.endswith("\n")
    lines = text[:-1].split("\n")
    objects = [json.loads(line) for line in lines]
    assert all(isinstance(entry, dict) for entry in objects)
    return objects


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("event_id", "0a1b2c3d4e5f"),
        ("version_id", "17"),
        ("version", "2026.11.1-rc1"),
        ("key", "0a1b2c3d-0000-8000-8000-000000000000"),
        ("reference", "Observation/abc/_history/7"),
        ("patient", "Patient/1"),
        ("references", ["Observation/1", "Specimen/s-1"]),
        ("version", "0.1.0"),
        ("policy", "asco-cap-2023|1.0.0"),
        ("fhir_version", "4.0.1"),
        ("reason", "code-unknown"),
        ("reasons", ["code-unknown", "no-result"]),
        ("method", "POST"),
        ("path", "/r4/Observation/_search"),
        ("status", 503),
        ("counts", {"low": 3, "needs-review": 0}),
        ("seconds", 1.25),
        ("observe", True),
        ("file", "/var/lib/her2/state.sqlite"),
        ("overlay", "St. Example's"),
        ("overridden", 2),
        ("holder", "host-1:4242"),
        ("url", f"{BASE}/Observation"),
        ("url", BASE),
        ("resource_type", "Observation"),
        ("error", "TemporaryServerError"),
    ],
)
def test_what_an_operator_needs_is_told(
    log: Any, stream: io.StringIO, key: str, value: object
) -> None:
    log.info("pass_ended", **{key: value})
    (entry,) = told(stream)
    assert entry[key] == value
    assert "dropped" not in entry


OPERATORS_OWN = {"file", "set_aside", "holder", "host", "overlay"}
MADE_BY_THE_LOGGER = {"event", "level", "timestamp", "exc_info"}


@pytest.mark.parametrize("canary", CANARIES)
@pytest.mark.parametrize("key", sorted(logs.ALLOWED_KEYS - OPERATORS_OWN - MADE_BY_THE_LOGGER))
def test_a_patients_value_under_an_allowed_key_is_dropped(
    log: Any, stream: io.StringIO, key: str, canary: str
) -> None:
    log.info("pass_ended", **{key: canary})
    (entry,) = told(stream)
    assert entry["dropped"] == [key]
    assert canary not in stream.getvalue()


@pytest.mark.parametrize("wrap", [list, tuple, set, lambda values: {"name": values}, str])
@pytest.mark.parametrize("key", ["references", "reasons", "counts", "name", "resource", "body"])
def test_canaries_inside_other_values_are_dropped(
    log: Any, stream: io.StringIO, key: str, wrap: Callable[[list[str]], object]
) -> None:
    log.warning("pass_ended", **{key: wrap(list(CANARIES))})
    assert told(stream)[0]["dropped"] == [key]
    assert "anary" not in stream.getvalue()


def test_an_unknown_key_is_dropped_and_named(log: Any, stream: io.StringIO) -> None:
    log.info("pass_ended", display="Canary Jane", birthDate="1961-02-03", cases=2)
    (entry,) = told(stream)
    assert entry["dropped"] == ["?", "display"]
    assert entry["cases"] == 2


def test_a_key_that_is_itself_a_canary_is_not_named(log: Any, stream: io.StringIO) -> None:
    log.info("pass_ended", **{"Canary Jane": 1})
    assert told(stream)[0]["dropped"] == ["?"]
    assert "Canary" not in stream.getvalue()


def test_an_event_that_is_a_sentence_is_not_told(log: Any, stream: io.StringIO) -> None:
    log.info("Wrote the result of Canary Jane", cases=1)
    (entry,) = told(stream)
    assert (entry["event"], entry["dropped"]) == ("unnamed_event", ["event"])
    assert "Canary" not in stream.getvalue()


def test_values_bound_to_the_logger_or_the_context_are_checked_too(
    log: Any, stream: io.StringIO
) -> None:
    structlog.contextvars.bind_contextvars(pass_id="0123456789ab", name="Canary Jane")
    log.bind(note="Canary note").info("pass_ended")
    (entry,) = told(stream)
    assert (entry["pass_id"], entry["dropped"]) == ("0123456789ab", ["name", "note"])


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.test/r4/Observation",
        "https://fhir.hospital.test.evil.test/r4/Observation",
        "https://user:secret@fhir.hospital.test/r4/Observation",
        "http://fhir.hospital.test/r4/Observation",
        "https://fhir.hospital.test/r4evil/Observation",
        "https://fhir.hospital.test/other",
        f"{BASE}/Patient/Canary%20Jane",
        "https://[broken",
    ],
)
def test_a_url_that_is_not_below_a_configured_server_is_dropped(
    log: Any, stream: io.StringIO, url: str
) -> None:
    log.info("request_sent", url=url)
    assert told(stream)[0]["dropped"] == ["url"]


def test_the_query_of_a_url_is_never_told(log: Any, stream: io.StringIO) -> None:
    log.info("request_sent", url=f"{BASE}/Observation?patient=Canary#Canary")
    assert told(stream)[0]["url"] == f"{BASE}/Observation"
    assert "Canary" not in stream.getvalue()


def test_without_configured_servers_no_url_is_told(stream: io.StringIO) -> None:
    logs.configure("json", "info", stream)
    structlog.get_logger().info("request_sent", url=BASE)
    assert told(stream)[0]["dropped"] == ["url"]


def _raise_with_a_canary_in_its_locals(error: Exception) -> None:
    patient_name = "Canary local"
    if patient_name:
        raise error


HOSTILE = {
    "line feed": 'a\n{"event":"forged"}',
    "carriage return": "a\rforged",
    "ansi": "a\x1b[2J\x1b[31mred",
    "c1 control": "a\x9b31mred",
    "line separator": "a\u2028forged\u2029forged",
    "next line": "a\x85forged",
    "right to left": "a\u202egnorw",
    "zero width": "a\u200bb\ufeff",
    "NUL and delete": "a\0b\x7f",
    "lone surrogate": "a\ud800b",
    "quotes": 'a","event":"forged',
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("style", ["json", "console"])
def test_one_event_is_one_line_whatever_a_value_holds(
    stream: io.StringIO, style: logs.Format, text: str
) -> None:
    logs.configure(style, "info", stream)
    log = structlog.get_logger()
    log.info("lease_taken", holder=text)
    try:
        _raise_with_a_canary_in_its_locals(StoreError(text))
    except StoreError:
        log.exception("pass_failed")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202e\ud800]", stream.getvalue())
    if style == "json":
        entries = told(stream)
        assert [entry["event"] for entry in entries] == ["lease_taken", "pass_failed"]
        assert entries[0]["holder"] == entries[1]["error_message"]


def test_an_error_of_ours_is_told_by_class_message_place_and_causes(
    log: Any, stream: io.StringIO
) -> None:
    try:
        try:
            _raise_with_a_canary_in_its_locals(ValueError("Canary Jane"))
        except ValueError as cause:
            raise TemporaryServerError("The server answered 503.") from cause
    except TemporaryServerError:
        log.exception("pass_failed")
    (entry,) = told(stream)
    assert (entry["error"], entry["error_message"]) == (
        "TemporaryServerError",
        "The server answered 503.",
    )
    assert entry["caused_by"] == ["ValueError"]
    assert re.fullmatch(r"[\w.]+:\d+ \w+", entry["raised_at"])
    assert "Canary" not in stream.getvalue()


def test_an_error_of_a_library_is_told_by_class_and_place_only(
    log: Any, stream: io.StringIO
) -> None:
    try:
        _raise_with_a_canary_in_its_locals(ValueError("Canary Jane"))
    except ValueError as error:
        log.exception("pass_failed")
        log.warning("pass_failed", exc_info=error)
        log.warning("pass_failed", exc_info=(type(error), error, error.__traceback__))
        log.warning("pass_failed", error=error)
    entries = told(stream)
    assert [entry["error"] for entry in entries] == ["ValueError"] * 4
    assert "error_message" not in entries[0]
    assert entries[0]["raised_at"].endswith("_raise_with_a_canary_in_its_locals")
    assert "anary J" not in stream.getvalue()


def test_a_long_message_and_a_long_list_are_cut(log: Any, stream: io.StringIO) -> None:
    log.error("pass_failed", exc_info=StoreError("x" * 10_000))
    log.info("pass_ended", references=[f"Observation/{n}" for n in range(100)])
    first, second = told(stream)
    assert len(first["error_message"]) == logs.LONGEST_TEXT
    assert second["references"][-1] == "and 80 more"
    assert len(second["references"]) == logs.LONGEST_LIST + 1


@pytest.mark.parametrize("number", [float("nan"), float("inf"), True, "7"])
def test_a_number_is_a_finite_number(log: Any, stream: io.StringIO, number: object) -> None:
    log.info("pass_ended", seconds=number, cases=number)
    assert told(stream)[0]["dropped"] == ["cases", "seconds"]


def test_an_instant_keeps_its_offset_and_a_naive_one_is_dropped(
    log: Any, stream: io.StringIO
) -> None:
    nepal = timezone(timedelta(hours=5, minutes=45))
    log.info("pass_ended", since=datetime(2026, 3, 1, tzinfo=nepal))
    log.info("pass_ended", since=datetime(2026, 3, 1, tzinfo=UTC).replace(tzinfo=None))
    first, second = told(stream)
    assert first["since"] == "2026-03-01T00:00:00+05:45"
    assert second["dropped"] == ["since"]


def test_a_value_of_none_is_left_out_without_a_word(log: Any, stream: io.StringIO) -> None:
    log.info("request_retried", status=None, attempt=2)
    assert told(stream)[0].keys() == {"event", "event_id", "level", "timestamp", "attempt"}


def test_every_line_has_an_id_of_its_own(log: Any, stream: io.StringIO) -> None:
    for say in (log.debug, log.info, log.warning, log.error):
        say("pass_ended", cases=1)
    logging.getLogger("urllib3").warning("x")
    ids = [entry["event_id"] for entry in told(stream)]
    assert len(set(ids)) == 5
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in ids)


def test_the_id_that_a_caller_was_told_is_that_of_the_line(log: Any, stream: io.StringIO) -> None:
    log.error("request_failed", event_id="0123456789abcdef")
    log.error("request_failed", event_id="Canary Jane")
    first, second = told(stream)
    assert first["event_id"] == "0123456789abcdef"
    assert re.fullmatch("[0-9a-f]{32}", second["event_id"])
    assert second["dropped"] == ["event_id"]


@pytest.mark.parametrize(
    ("level", "has_one"), [("debug", 0), ("info", 0), ("warning", 1), ("error", 1), ("critical", 1)]
)
def test_on_a_console_what_is_to_be_looked_into_has_an_id(
    stream: io.StringIO, level: str, has_one: int
) -> None:
    logs.configure("console", "debug", stream)
    getattr(structlog.get_logger(), level)("pass_ended", cases=1)
    assert len(re.findall(r"event_id=[0-9a-f]{32}\b", stream.getvalue())) == has_one


def test_other_libraries_are_told_by_name_only(log: Any, stream: io.StringIO) -> None:
    logging.getLogger("urllib3.connectionpool").warning("GET /Patient?name=%s", "Canary")
    logging.getLogger("urllib3.connectionpool").debug("GET /Patient?name=%s", "Canary")
    (entry,) = told(stream)
    assert (entry["event"], entry["logger"]) == ("library_message", "urllib3.connectionpool")
    assert "Canary" not in stream.getvalue()


def test_a_library_that_says_the_same_a_thousand_times_a_second_fills_no_disk(
    log: Any, stream: io.StringIO
) -> None:
    for number in range(1000):
        logging.getLogger("asyncio").error("socket.accept() failed %d", number)
    logging.getLogger("urllib3.connectionpool").warning("another")
    assert [one["logger"] for one in told(stream)] == ["asyncio", "urllib3.connectionpool"]


@pytest.mark.filterwarnings("default")
def test_a_warning_of_python_does_not_quote_its_text(
    stream: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("json", "info", stream)
    warnings.warn("input_value='Canary'", UserWarning, stacklevel=1)
    assert told(stream)[0]["logger"] == "py.warnings"
    assert "Canary" not in stream.getvalue() + capsys.readouterr().err


def test_the_level_is_kept_and_configuring_again_replaces_it(stream: io.StringIO) -> None:
    logs.configure("json", "warning", stream)
    structlog.get_logger().info("pass_ended")
    assert stream.getvalue() == ""
    logs.configure("json", "debug", stream)
    structlog.get_logger().debug("pass_ended")
    logging.getLogger("alembic").warning("once")
    assert [entry["level"] for entry in told(stream)] == ["debug", "warning"]


def test_logs_go_to_stderr_and_never_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "info")
    structlog.get_logger().info("pass_ended")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert json.loads(captured.err)["event"] == "pass_ended"


class _FullDisk(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def test_a_log_that_cannot_be_written_does_not_stop_the_work() -> None:
    logs.configure("json", "info", _FullDisk())
    structlog.get_logger().info("pass_ended")


def _log_calls() -> Iterator[tuple[str, ast.Call]]:
    levels = {"debug", "info", "warning", "error", "exception", "critical"}
    for file in sorted(Path(logs.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            owner = getattr(node.func.value, "id", getattr(node.func.value, "attr", ""))
            if node.func.attr in levels and owner.strip("_").lower() in {"log", "logger"}:
                yield f"{file.name}:{node.lineno}", node


CALLS: Mapping[str, ast.Call] = dict(_log_calls())


def test_there_are_log_calls_to_look_at() -> None:
    assert len(CALLS) >= 3


@pytest.mark.parametrize("place", sorted(CALLS))
def test_every_event_in_the_package_is_a_constant_with_known_keys(place: str) -> None:
    call = CALLS[place]
    event = call.args[0]
    assert isinstance(event, ast.Constant), "an event is a constant, never put together"
    assert re.fullmatch(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*", str(event.value))
    unknown = {keyword.arg for keyword in call.keywords} - logs.ALLOWED_KEYS
    assert unknown == set(), "these would be dropped: add them to logs.py, or rename them"
