"""The go-live report: what was observed, what would be written, and where laboratory and adapter differ."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from adapter.cli.documents import Page, Part
from adapter.cli.golive_input import of_input, of_limits
from adapter.cli.golive_load import of_load, of_work
from adapter.cli.golive_words import (
    AGREEMENT,
    GRAVE,
    SHORTLY,
    STATEMENT,
    day_of,
    facts,
    minute,
    span,
)
from adapter.cli.lines import told
from adapter.cli.printing import Block, number_of
from adapter.golive import findings
from adapter.golive.open_points import open_points
from adapter.her2.compared import Comparison
from adapter.her2.model import OPEN_CATEGORIES, Category
from adapter.her2.rules import ALL_RULES
from adapter.sync.options import DiscoverBy
from adapter.sync.planning.plan import Action

if TYPE_CHECKING:
    from adapter.golive.findings import WhyGroup
    from adapter.golive.look import Look
    from adapter.sync.report import ComparedRow

TITLE: Final = "HER2 adapter: report before go-live"
SIGNERS: Final = ("Pathologist", "Operations", "Data protection")
_NO_ANSWER: Final = OPEN_CATEGORIES | {Category.INDETERMINATE}
_RULES: Final = {rule.id: rule for rule in ALL_RULES}
_ACTIONS: Final = {
    Action.CREATE: "Create",
    Action.UPDATE: "Update",
    Action.RETRACT: "Withdraw",
    Action.REPAIR: "Repair",
    Action.COMPLETE: "Complete",
    Action.SKIP: "Unchanged",
    Action.WAIT: "Wait",
}


def page(look: Look) -> Page:
    """Write the whole report; without the footer, which tells the hash of the rest."""
    return Page(
        TITLE,
        STATEMENT,
        (
            _in_short(look),
            _observed(look),
            _would_write(look),
            _against_laboratory(look),
            of_input(look),
            of_load(look),
            of_limits(look),
            _signatures(),
        ),
    )


def _in_short(look: Look) -> Part:
    period, report = look.period, look.report
    samples = [row for row in report.rows if row.action is not Action.RETRACT]
    found = findings.disagreements(report.compared)
    told_of = {
        "observed": f"{span(86_400 * period.days)}, {'1 pass' if period.passes == 1 else f'{period.passes} passes'}",
        "HER2 results read": report.fetched,
        "tumour samples with an answer": len(samples),
        "of these undecided": sum(row.category in OPEN_CATEGORIES for row in samples),
        "would be written": sum(row.action in findings.WRITES for row in report.rows),
        "samples that the laboratory concluded on itself": len(report.compared),
        "of these not in agreement": len(found),
        "written while observed": number_of(period.writes, "version"),
    }
    points = open_points(look)
    rows = [{"kind": "open-point", "point": point} for point in points]
    settled = () if points else ("Nothing is open that this report could see.",)
    return Part(
        "In short",
        (
            f"Made on {minute(look.made_at)} by {look.made_by}; nothing was written to a server for it.",
            *settled,
        ),
        (facts("in-short", told_of), Block("To settle before signing", {"point": "What"}, rows)),
    )


def _observed(look: Look) -> Part:
    setup, period, gap = look.setup, look.period, look.period.longest_gap
    chosen = ", ".join(f"{name} {value}" for name, value in sorted(setup.choices.items()))
    # By a list or by requests a poll looks at the queue alone, and says nothing of all the others.
    whole = "" if setup.options.read.discovery is DiscoverBy.CHANGES else " over everybody"
    told_of: dict[str, Any] = {
        "server": setup.source_url,
        "written to": setup.target_url or "the same server",
        "server says it is": setup.server,
        "mode": setup.mode,
        "adapter": setup.software,
        "policy": f"{setup.policy}: {setup.guideline}",
        "choices of the site": chosen,
        "mappings": setup.mappings,
        "overlays": ", ".join(setup.overlays) or "none",
        "decision table": setup.signature_says,
        "measured by the doctor": day_of(setup.measured_at) or "never",
        "asked for": f"from {minute(look.asked_since)}" if look.asked_since else "all that is kept",
        "first pass began": minute(period.since),
        "last pass ended": minute(period.until),
        f"longest time between two good passes{whole}": f"{span(gap.seconds)}, until {minute(gap.ended)}"
        if gap
        else "there were no two",
    }
    ended = [
        {"kind": "passes-ended", "outcome": name, "error": "", "passes": number}
        for name, number in period.outcomes.items()
        if name != "failed"
    ]
    ended += [
        {"kind": "passes-ended", "outcome": "failed", "error": name, "passes": number}
        for name, number in period.failures.items()
    ]
    versions = [
        {
            "kind": "versions",
            "first_at": minute(one.first_at),
            "starts": one.starts,
            "software": one.software,
            "policy": one.policy,
            "mappings": one.mappings,
        }
        for one in look.versions
    ]
    columns = {"first_at": "From", "starts": "Starts", "software": "Adapter"}
    return Part(
        "1. What was observed",
        (),
        (
            facts("observed", told_of),
            Block(
                "How passes ended",
                {"outcome": "Ended", "error": "Error", "passes": "Passes"},
                ended,
            ),
            Block(
                "Under which versions the service decided",
                {**columns, "policy": "Policy", "mappings": "Mappings"},
                versions,
            ),
        ),
    )


def _would_write(look: Look) -> Part:
    report = look.report
    counted = findings.by_category(report.rows)
    used = [one for one in _ACTIONS if any(actions[one] for _, actions in counted)]
    rows = [
        {
            "kind": "category",
            "category": name,
            **{one.value: actions[one] for one in used},
            "samples": actions.total(),
        }
        for name, actions in counted
    ]
    patients = len({row.patient for row in report.rows})
    columns = {"category": "Category", **{one.value: _ACTIONS[one] for one in used}}
    return Part(
        "2. What would be written",
        (
            f"{number_of(len(report.rows), 'sample')} of {number_of(patients, 'patient')}, as the server stands now.",
            *report.brake.reasons,
        ),
        (
            Block("By category", {**columns, "samples": "Samples"}, rows),
            of_work(look),
            _why("Undecided", "undecided", findings.undecided(report.rows)),
            _why("Decided, with a call for a look", "for-review", findings.for_review(report.rows)),
        ),
    )


def _why(title: str, kind: str, groups: list[WhyGroup]) -> Block:
    rows = [
        {
            "kind": kind,
            "samples": one.samples,
            "category": one.category,
            "rule": one.rule,
            "basis": rule.basis.value if (rule := _RULES.get(one.rule)) else "",
            "says": rule.sentence if rule else "",
            "reasons": told(one.reasons),
        }
        for one in groups
    ]
    columns = {"samples": "Samples", "category": "Category", "says": "Rule", "basis": "Basis"}
    return Block(title, {**columns, "reasons": "Reasons"}, rows)


def _against_laboratory(look: Look) -> Part:
    compared = look.report.compared
    counts = findings.by_comparison(compared)
    stands = [
        {"kind": "comparison", "how": how.value, "says": AGREEMENT[how], "samples": counts[how]}
        for how in Comparison
    ]
    shown = [_disagreement(one) for one in findings.disagreements(compared)]
    return Part(
        "3. Beside the laboratory's own result",
        tuple(_of_comparison(look)),
        (
            Block("How answers stand to it", {"says": "What", "samples": "Samples"}, stands),
            Block("Every disagreement, positive against negative first", _DISAGREEMENT, shown),
            _cross(compared),
            _finer(compared),
        ),
    )


def _of_comparison(look: Look) -> Iterator[str]:
    number = len(look.report.compared)
    if not number:
        yield "No sample has an overall result or a coded conclusion of its laboratory: nothing was compared."
        return
    yield (
        f"{number_of(number, 'sample')} with an overall result, or a coded conclusion, of the laboratory itself. "
        "An agreement says that two statements fit, not that either is right."
    )
    shown = findings.disagreements(look.report.compared)
    if not shown:
        yield "None disagrees."
        return
    definite = sum(one.row.category not in _NO_ANSWER for one in shown)
    if definite:
        yield f"{number_of(definite, 'sample')} of those below would be given a definite category all the same."
    else:
        yield (
            "None of the samples below would be given a definite category: each stays open until the laboratory has "
            "settled it."
        )


_DISAGREEMENT: Final = {
    "patient": "Patient",
    "sample": "Sample",
    "laboratory": "Laboratory",
    "by_tests": "Single results give",
    "category": "Derived",
    "what": "What",
    "reasons": "Reasons",
    "sources": "Sources",
}


def _disagreement(one: ComparedRow) -> dict[str, Any]:
    row, is_grave = one.row, findings.is_grave(one)
    return {
        "kind": "disagreement",
        "patient": row.patient,
        "sample": row.sample,
        "laboratory": findings.said_by(one),
        "by_tests": one.compared.by_tests.value,
        "category": row.category,
        "how": one.compared.how.value,
        "is_grave": is_grave,
        "what": GRAVE if is_grave else SHORTLY[one.compared.how],
        "rule": row.rule,
        "reasons": told(row.reasons),
        "sources": list(row.sources),
        "derived": row.derived,
    }


def _cross(compared: tuple[ComparedRow, ...]) -> Block:
    counted = findings.cross_table(compared)
    used = sorted({name for _, counts in counted for name in counts})
    rows = [
        {"kind": "cross", "laboratory": said, **{name: counts[name] for name in used}}
        for said, counts in counted
    ]
    return Block(
        "What the laboratory says, by derived category",
        {"laboratory": "Laboratory", **{name: name for name in used}},
        rows,
    )


def _finer(compared: tuple[ComparedRow, ...]) -> Block:
    rows = [
        {"kind": "finer", "category": category, "rule": rule, "samples": number}
        for (category, rule), number in findings.finer(compared)
    ]
    return Block(
        "Negative for the laboratory, and low or ultralow by its scores: expected, what the adapter is for",
        {"category": "Derived", "rule": "Rule", "samples": "Samples"},
        rows,
    )


def _signatures() -> Part:
    rows = [
        {"kind": "signature", "role": role, "name": "", "date": "", "signature": ""}
        for role in SIGNERS
    ]
    columns = {"role": "For", "name": "Name", "date": "Date", "signature": "Signature"}
    said = "Signed: the results above were seen, and the adapter may write as section 2 says."
    return Part("7. Signatures", (said, STATEMENT), (Block("", columns, rows),), is_form=True)
