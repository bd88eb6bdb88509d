"""OperationOutcomes, and the refusal that every part of the sandbox raises to send one.

Source: FHIR R4, OperationOutcome and http.html (status codes). No value of a resource is quoted.
"""

from __future__ import annotations

from adapter.sandbox.json_text import JsonObject


class Refused(Exception):
    """The request is answered with this status and an OperationOutcome; nothing was stored for it.

    It never leaves the sandbox, so it is not part of the adapter's own error tree.
    """

    def __init__(
        self, status: int, code: str, diagnostics: str, *, expression: str | None = None
    ) -> None:
        self.status = status
        self.code = code
        self.diagnostics = diagnostics
        self.expression = expression
        super().__init__(diagnostics)

    def outcome(self) -> JsonObject:
        """Build the OperationOutcome (severity error) that tells the client why."""
        return outcome(self.code, self.diagnostics, expression=self.expression)

    def in_entry(self, index: int) -> Refused:
        """Return the same refusal, naming the entry of the bundle that caused it."""
        where = f"Bundle.entry[{index}]"
        return Refused(
            self.status,
            self.code,
            f"{where}: {self.diagnostics}",
            expression=self.expression or where,
        )


def outcome(
    code: str, diagnostics: str, *, severity: str = "error", expression: str | None = None
) -> JsonObject:
    """Build an OperationOutcome with one issue; `code` is from the R4 value set issue-type."""
    issue: JsonObject = {"severity": severity, "code": code, "diagnostics": diagnostics}
    if expression is not None:
        issue["expression"] = [expression]
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def bad_request(
    diagnostics: str, *, code: str = "invalid", expression: str | None = None
) -> Refused:
    """Build a 400."""
    return Refused(400, code, diagnostics, expression=expression)


def not_found(what: str) -> Refused:
    """Build a 404 for a resource or version that never existed, or a route that does not exist."""
    return Refused(404, "not-found", f"{what} is not known")


def gone(what: str) -> Refused:
    """Build a 410 for a resource that was deleted."""
    return Refused(410, "deleted", f"{what} was deleted")


def several_match(what: str) -> Refused:
    """Build the 412 of a conditional write whose criteria match more than one resource."""
    return Refused(412, "multiple-matches", f"{what}: several resources match the criteria")


def version_differs(what: str) -> Refused:
    """Build the 412 of a write whose If-Match names another version than the current one."""
    return Refused(412, "conflict", f"{what} has another version than If-Match says")
