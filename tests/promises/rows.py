"""The figures to reach: one row for each promise that a number can show."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One promise: what is done, and what has to come out; `words` find it by a test's own name for it."""

    name: str
    test: str
    target: str
    words: tuple[str, ...]

    def means(self, promise: str) -> bool:
        """Tell whether a test that measured `promise` measured this row."""
        return any(word in promise.lower() for word in self.words)


ROWS = (
    Row(
        "kills",
        "the process is killed (SIGKILL) at random instants and at every named crash point, on the "
        "sandbox and on HAPI; the server's content is then held against the oracle",
        "120 in CI, 1,000 by hand: 0 lost, 0 doubled, Provenance 1:1, state intact",
        ("kill", "torture"),
    ),
    Row(
        "network faults",
        "at least 14 kinds, of TCP and of HTTP",
        "3 seeds each in CI, 50 by hand: 0 lost, 0 doubled, right within 2 passes after the fault",
        ("network", "fault"),
    ),
    Row(
        "state machine",
        "create, correct, enter in error, delete, merge, late commit, crash, restart, lost state, "
        "second instance, fault: in any order",
        "2,000 examples of 30 steps, all equal to the oracle",
        ("state machine", "stateful"),
    ),
    Row(
        "fuzz",
        "fuzzed resources, structure and bytes",
        "100,000: 0 tracebacks, 0 hangs over 1 s, 0 categories that the oracle does not give",
        ("fuzz",),
    ),
    Row(
        "shuffles",
        "order, keys, whitespace, page size and duplicate delivery shuffled",
        "10,000: identical derived bytes",
        ("shuffle",),
    ),
    Row(
        "quiet pass",
        "a second pass over 1,000 patients where nothing happened",
        "0 writes",
        ("quiet",),
    ),
    Row("foreign hosts", "hosts contacted that nobody configured", "0", ("foreign", "origin")),
    Row(
        "canaries",
        "every string of 500 patients and every secret carries a canary; logs, errors, metrics, "
        "database and files are searched",
        "0 found",
        ("canar",),
    ),
    Row(
        "vulnerabilities",
        "known vulnerabilities of the locked dependencies, where an advisory source answers",
        "0",
        ("vulnerab", "advisor"),
    ),
    Row(
        "guards",
        "each guard of the product removed in turn",
        "at least 25; every removal turns a test red",
        ("guard",),
    ),
    Row(
        "same scenarios",
        "the same scenarios on HAPI, on Medplum's fhir-router and on the sandbox",
        "all equal to the oracle",
        ("scenario",),
    ),
    Row(
        "soak",
        "a service in a process of its own, edits, passes and calls over HTTP without rest",
        "45 seconds in CI: no file, thread or backlog kept; by hand, hours: less than 1 MB an hour (C8)",
        ("soak",),
    ),
    Row(
        "replay",
        "derived results derived again from the source versions that their Provenance names",
        "1,000: all sources found, the same category each time",
        ("replay", "resolvable"),
    ),
)
