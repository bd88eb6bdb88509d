"""How we speak TLS, what a failed handshake means, and what somebody has to do; nothing is ever tried without TLS.

OpenSSL's own text is not passed on: it may hold names of the certificate.
"""

from __future__ import annotations

import ssl
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util.ssl_ import create_urllib3_context

_BY_VERIFY_CODE: Final[Mapping[int, str]] = {  # OpenSSL, X509_V_ERR_…
    9: "its certificate is not valid yet; check this machine's clock",
    10: "its certificate has expired; the server has to renew it",
    18: "its certificate is signed by itself; name it in ca_file if it is the right one",
    19: "its authority is signed by itself and not known here; name it in ca_file",
    20: "its certificate's authority is not trusted; name it in ca_file",
    21: "its certificate's authority is not trusted; name it in ca_file",
    62: "its certificate is for another host; check the host in the URL",
    64: "its certificate is for another address; check the host in the URL",
}
_UNTRUSTED: Final = "its certificate is not trusted; name its authority in ca_file"
_TOO_OLD: Final = "it offers no TLS 1.2 or newer, and older ones are never used"
_NOT_OURS: Final = (
    "it wants a client certificate and got none that it takes; set client_cert_file and "
    "client_key_file to the registered ones"
)
_BAD_PAIR: Final = "client_cert_file and client_key_file are no PEM pair without a password"
_BY_REASON: Final[Mapping[str, str]] = {  # OpenSSL, SSL_R_…
    "TLSV1_ALERT_PROTOCOL_VERSION": _TOO_OLD,
    "UNSUPPORTED_PROTOCOL": _TOO_OLD,
    "NO_PROTOCOLS_AVAILABLE": _TOO_OLD,
    "WRONG_SSL_VERSION": _TOO_OLD,
    "VERSION_TOO_LOW": _TOO_OLD,
    "WRONG_VERSION_NUMBER": "what answers there speaks no TLS; check the port in the URL",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": _NOT_OURS,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": _NOT_OURS,
    "SSLV3_ALERT_BAD_CERTIFICATE": _NOT_OURS,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _NOT_OURS,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "our client certificate has expired; renew client_cert_file",
    "TLSV1_ALERT_UNKNOWN_CA": _NOT_OURS,
    "TLSV1_ALERT_ACCESS_DENIED": _NOT_OURS,
    "KEY_VALUES_MISMATCH": _BAD_PAIR,
    "NO_START_LINE": _BAD_PAIR,
    "PEM_LIB": _BAD_PAIR,
}
_OPEN_TO_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def advice(error: BaseException) -> str | None:
    """Say what to do about the TLS error among everything that led to this one; None without any."""
    for cause in chain(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _BY_VERIFY_CODE.get(getattr(cause, "verify_code", 0), _UNTRUSTED)
        if isinstance(cause, ssl.SSLError) and cause.reason in _BY_REASON:
            return _BY_REASON[cause.reason]
        if isinstance(cause, ssl.SSLEOFError):
            return "it hung up on us; where it wants a client certificate, set client_cert_file"
    return None


def context_of(ca_file: str | None, cert_file: str | None, key_file: str | None) -> ssl.SSLContext:
    """Make what connections are made with, of PEM files: authorities instead of the built-in ones, our certificate.

    Raises: OSError, of which ssl.SSLError is one, for files that cannot be used and a key that others can read.
    """
    context = create_urllib3_context()
    context.load_verify_locations(ca_file or DEFAULT_CA_BUNDLE_PATH)
    if cert_file is not None:
        if problem := rights_problem(Path(key_file or cert_file)):
            raise PermissionError(problem)
        # Without a password of its own OpenSSL would ask for one at the terminal.
        context.load_cert_chain(cert_file, key_file, password="")
    return context


def rights_problem(file: Path) -> str | None:
    """Say what is wrong with the rights on a file that holds a private key, or None.

    Raises: OSError when it is not there.
    """
    if file.stat().st_mode & _OPEN_TO_OTHERS:
        return "can be read by others than its owner; take their rights away (chmod 600)"
    return None


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and everything that led to it, the nearest first."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        # urllib3 hands some errors on as an argument alone.
        yield from (inner for inner in cause.args if isinstance(inner, OSError))
        cause = cause.__cause__ or cause.__context__
