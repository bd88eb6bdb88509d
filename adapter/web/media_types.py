"""Which media types a FHIR request may have, and which it may ask for: JSON in UTF-8, R4.

Source: FHIR R4, http.html (mime-type, fhirVersion, _format); RFC 9110, 8.3.1 and 12.5.1.
"""

from __future__ import annotations

from email.message import Message
from typing import Final

FHIR_JSON: Final = "application/fhir+json"
_JSON: Final = frozenset({FHIR_JSON, "application/json"})
_ACCEPTABLE: Final = _JSON | {"*/*", "application/*"}
_FORMATS: Final = _JSON | {"json"}
_VERSIONS: Final = frozenset({"", "4.0"})


def is_fhir_json(content_type: str) -> bool:
    """Tell whether a Content-Type is JSON of R4 in UTF-8."""
    kind, parameters = _parts(content_type)
    return kind in _JSON and _is_r4(parameters) and parameters.get("charset", "utf-8") == "utf-8"


def accepts_fhir_json(accept: str, format_: str | None = None) -> bool:
    """Tell whether FHIR JSON may be the answer.

    Args:
        accept: the Accept headers joined by commas, "" where there is none.
        format_: the parameter `_format`, which overrules them; None where there is none.

    """
    if format_ is not None:
        # A form-encoded blank is what is left of a plus sign that nobody escaped.
        return _parts(format_.replace(" ", "+"))[0] in _FORMATS
    return not accept.strip() or any(_is_acceptable(one) for one in accept.split(","))


def prefers(accept: str, wanted: str, otherwise: str) -> bool:
    """Tell whether one type is asked for by name, and no less than another (RFC 9110, 12.5.1).

    Args:
        accept: the Accept headers joined by commas.
        wanted: the type that is given only where it is named.
        otherwise: the type that is given else.

    """
    qualities: dict[str, float] = {}
    for one in accept.split(","):
        kind, parameters = _parts(one)
        qualities[kind] = max(_quality(parameters), qualities.get(kind, 0.0))
    asked = qualities.get(wanted, 0.0)
    return asked > 0 and asked >= qualities.get(otherwise, 0.0)


def _quality(parameters: dict[str, str]) -> float:
    """Give what `q` says; 0 where it is no number."""
    try:
        return float(parameters.get("q", "1"))
    except ValueError:
        return 0.0


def _is_acceptable(media_range: str) -> bool:
    kind, parameters = _parts(media_range)
    return _quality(parameters) > 0 and kind in _ACCEPTABLE and _is_r4(parameters)


def _is_r4(parameters: dict[str, str]) -> bool:
    return parameters.get("fhirversion", "") in _VERSIONS


def _parts(text: str) -> tuple[str, dict[str, str]]:
    """Take a media type apart: the type, and its parameters by name; all in lower case.

    One that cannot be taken apart is no type at all. The parser of e-mail counts the parts of a parameter (RFC 2231),
    which no header of HTTP has, and fails on numbers that nobody writes.
    """
    message = Message()
    message["Content-Type"] = text.strip()
    try:
        given = message.get_params(failobj=[])
    except ValueError:
        return "", {}
    parameters = {name.lower(): str(value).strip().lower() for name, value in given[1:]}
    return (given[0][0].strip().lower() if given else ""), parameters
