"""The whole error tree, by what the caller does next.

    AdapterError                     root; cli: exit code and one sentence
    ├── ConfigError                  wrong setting(s), all of them at once; start fails, exit 2
    ├── InputError                   a file or stream that is not FHIR JSON; exit 2
    ├── InvalidRecord                what we would write is not valid FHIR R4: park the case
    ├── MappingError                 every defect of the mappings, with file and JSON path; start fails
    ├── ServerError                  the FHIR server, or the way to it
    │   ├── TemporaryServerError     timeout, DNS, 408, 425, 429, 5xx: try again later
    │   │   ├── ResourceRefused      one resource is no strict JSON: whatever needs it waits
    │   │   └── UnknownOutcome       a write was sent and nobody knows whether it landed: read again
    │   │       └── PartlyCarriedOut a transaction landed in part: the server has no real ones
    │   └── PermanentServerError     other 4xx: park the case, the pass goes on
    │       ├── NotAuthorised        401, 403: nothing can be read or written; exit 3
    │       ├── NotFhirR4            the server is not one that this adapter can talk to; exit 3
    │       ├── ForeignOrigin        a link or redirect leaves the configured server; never followed
    │       ├── VersionConflict      409, or 412 on If-Match: read again, plan again
    │       └── AmbiguousMatch       412 because several resources match: repair
    ├── ListUnusable                 the list of patients is not there, empty or cut: try again later, exit 3
    ├── BrakeEngaged                 a pass would change or withdraw too much; an operator decides, exit 5
    └── StoreError                   the state store cannot be read or written
        ├── StateDamaged             what it holds cannot be right: only a start makes it anew
        └── LeaseLost                another adapter holds the lease: stop writing now

Messages say what happened, to which resource id, and what to do. They never hold patient data: a server's
OperationOutcome is cut at 256 characters, and a body that is not an OperationOutcome is not quoted.
"""

from __future__ import annotations

from collections.abc import Sequence


class AdapterError(Exception):
    """Root of every error this package raises on purpose."""


class ConfigError(AdapterError):
    """One or more wrong settings; `problems` lists all of them, secrets masked."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


class InputError(AdapterError):
    """A file or stream that is not the FHIR JSON it should be; `code` is a stable reason code."""

    def __init__(self, message: str, *, code: str) -> None:
        self.code = code
        super().__init__(message)


class InvalidRecord(AdapterError):
    """A resource that we would write breaks FHIR R4; `problems` name the elements, not what they hold."""

    def __init__(self, reference: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(f"{reference} is not valid FHIR R4: {'; '.join(self.problems)}")


class MappingError(AdapterError):
    """The mappings are invalid; `defects` lists every defect as "file: JSON path: what is wrong"."""

    def __init__(self, defects: Sequence[str]) -> None:
        self.defects = tuple(defects)
        super().__init__("; ".join(self.defects))


class ServerError(AdapterError):
    """Something between us and a FHIR server.

    `status`: the HTTP status, or None when there was no answer. `code`: a stable reason code where the answer itself
    was refused (docs/limits.md lists them), else "".
    """

    def __init__(self, message: str, *, status: int | None = None, code: str = "") -> None:
        self.status = status
        self.code = code
        super().__init__(message)


class TemporaryServerError(ServerError):
    """Worth another try; `retry_after_seconds` is what the server asked for, or None."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after_seconds: float | None = None,
        code: str = "",
    ) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message, status=status, code=code)


class SearchExpired(TemporaryServerError):
    """The server does not know the next page any more, although it gave the address of it."""


class ResourceRefused(TemporaryServerError):
    """The server holds a resource that is no strict JSON; `code` says why. It can be corrected there at any time."""


class UnknownOutcome(TemporaryServerError):
    """A write was sent, and it is not known whether the server carried it out."""


class PartlyCarriedOut(UnknownOutcome):
    """A transaction was answered entry by entry, as a batch; `statuses`: of each entry, None where none was given."""

    def __init__(self, message: str, statuses: Sequence[int | None]) -> None:
        self.statuses = tuple(statuses)
        super().__init__(message, status=200)


class PermanentServerError(ServerError):
    """The server refuses for good; sending the same again will not help."""


class NotAuthorised(PermanentServerError):
    """401 or 403: the credentials or their scopes do not suffice."""


class NotFhirR4(PermanentServerError):
    """What answers is not a FHIR R4 (4.0.x) or R4B (4.3.0) server."""


class ForeignOrigin(PermanentServerError):
    """A link or redirect points outside the configured server, and is not followed."""


class ParameterDropped(PermanentServerError):
    """The server left a search parameter out, so that it would find what was not asked for."""


class VersionConflict(PermanentServerError):
    """The resource has another version than the plan saw (409, or 412 on If-Match)."""


class AmbiguousMatch(PermanentServerError):
    """A conditional write matches several resources (412)."""


class ListUnusable(AdapterError):
    """The list of patients cannot be read, or names nobody; no result changes because of it."""


class BrakeEngaged(AdapterError):
    """The pass stopped before writing, because it would have changed or withdrawn too much."""


class StoreError(AdapterError):
    """The state store cannot be read or written."""


class StateDamaged(StoreError):
    """What is stored cannot be right: the file is damaged, or is no state store's."""


class LeaseLost(StoreError):
    """Another adapter holds the writer's lease."""
