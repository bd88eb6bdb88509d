"""What can go wrong with one HTTP exchange."""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """One way in which an exchange goes wrong; "after" means that the server has carried the request out."""

    ERROR_BEFORE = "500 before the commit"
    ERROR_AFTER = "500 after the commit"
    TOO_MANY = "429 with Retry-After"
    UNAVAILABLE = "503"
    UNAUTHORISED = "401 once"
    SHORT_BODY = "body shorter than its Content-Length"
    CUT_CHUNKED = "chunked body that is cut"
    CUT_GZIP = "gzip that is cut, with the right Content-Length"
    GARBAGE = "200 with garbage for JSON"
    LOGIN_PAGE = "200 with HTML"
    DELIVERED_TWICE = "request delivered twice"
    SILENT_AFTER = "connection closed after the commit"
    SILENT_BEFORE = "connection closed before the request is passed on"
    ELSEWHERE = "redirect to another host"
