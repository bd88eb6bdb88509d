"""Simulated kills at the n-th step: a BaseException, which no handler of ours can swallow."""

from __future__ import annotations


class Killed(BaseException):
    """The process is gone."""


class CrashPoints:
    """Counts the steps that fakes take and kills the process at step `at` (None: never)."""

    def __init__(self, at: int | None = None) -> None:
        self.at = at
        self.steps = 0

    def step(self) -> None:
        """One more point at which a process can die."""
        self.steps += 1
        if self.steps == self.at:
            raise Killed(f"at step {self.steps}")
