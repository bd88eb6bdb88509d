"""How far a pass is, on stderr, for somebody who looks at a terminal; elsewhere nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from adapter.sync.passed_on import PassedOn

if TYPE_CHECKING:
    from adapter.ports import (
        EntryOutcome,
        FhirServer,
        JsonObject,
        Read,
        SearchPage,
        SearchParams,
        SingleWrite,
    )


class Watched(PassedOn):
    """A FHIR server that tells how much was read from and written to it; else it changes nothing."""

    def __init__(self, server: FhirServer, told: Callable[[int, int], None]) -> None:
        """`told` is given how many resources were read and versions written since it was last told."""
        super().__init__(server)
        self._told = told

    def read(self, reference: str) -> JsonObject | None:
        """Read, and tell of it."""
        found = self.server.read(reference)
        self._told(1, 0)
        return found

    def read_all(self, references: Iterable[str]) -> dict[str, Read]:
        """Read many, and tell how many."""
        found = self.server.read_all(references)
        self._told(len(found), 0)
        return found

    def search(self, resource_type: str, params: SearchParams) -> Iterator[SearchPage]:
        """Search, and tell of each page."""
        for page in self.server.search(resource_type, params):
            self._told(len(page.matches) + len(page.included), 0)
            yield page

    def transact(self, bundle: bytes) -> tuple[EntryOutcome, ...]:
        """Write, and tell how many versions were made."""
        outcomes = self.server.transact(bundle)
        self._told(0, len(outcomes))
        return outcomes

    def write(self, one: SingleWrite) -> EntryOutcome:
        """Write one, and tell of it."""
        outcome = self.server.write(one)
        self._told(0, 1)
        return outcome


@contextmanager
def shown_progress() -> Iterator[Callable[[FhirServer], FhirServer]]:
    """Show a bar for as long as the block lasts, fed by the servers wrapped with what it gives."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda server: server
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[read]} read, {task.fields[written]} written"),
        BarColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        counter = _Counter(progress, progress.add_task("pass", total=None, read=0, written=0))
        yield lambda server: Watched(server, counter.add)


class _Counter:
    """Adds up what was read and written, from several threads."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task
        self._read = self._written = 0

    def add(self, read: int, written: int) -> None:
        self._read += read
        self._written += written
        self._progress.update(self._task, read=self._read, written=self._written)
