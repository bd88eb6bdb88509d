"""A laboratory's life from one seed: content to begin with, then one edit after the other, the same for every run.

It knows nothing of a server: it hands out what is to be put and deleted, and remembers what then stands.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.workloads.content import (
    ANSWERS,
    STATUSES,
    Json,
    merged,
    patient,
    reference,
    result,
    specimen,
    unrelated,
)

KINDS = ("create", "correct", "status", "entered-in-error", "delete", "move", "merge", "unrelated")
_WEIGHTS = (6, 5, 2, 2, 2, 1, 1, 1)


@dataclass(frozen=True)
class Edit:
    """One change that a laboratory makes: `put` in this order, then `delete` ("Type/id")."""

    kind: str
    put: tuple[Json, ...] = ()
    delete: tuple[str, ...] = ()

    def apply(self, put: Callable[[Json], Any], delete: Callable[[str], Any]) -> None:
        """Send it, through what stores one resource and what deletes one."""
        for one in self.put:
            put(one)
        for name in self.delete:
            delete(name)


class Workload:
    """The content and edits of one seed; ids begin with `prefix`, so that workloads can share a server."""

    def __init__(self, seed: int, *, prefix: str = "w") -> None:
        self._chance = random.Random(f"{prefix} {seed}")
        self._prefix = prefix
        self.stands: dict[str, Json] = {}
        self._patients: list[str] = []
        self._samples: list[str] = []

    def begin(self, patients: int) -> Edit:
        """Give that many patients, each with a specimen or two and a result or more."""
        put = [one for _ in range(patients) for one in self._new_patient()]
        return self._noted(Edit("begin", tuple(put)))

    def edits(self, number: int) -> Iterator[Edit]:
        """Give that many edits, each of what stands when it is asked for; `begin` comes first."""
        for _ in range(number):
            yield self.edit()

    def edit(self) -> Edit:
        """Give one edit of what stands now."""
        (kind,) = self._chance.choices(KINDS, _WEIGHTS)
        made = getattr(self, f"_{kind.replace('-', '_')}")()
        return self._noted(Edit(kind, *made) if made else Edit("create", *self._create()))

    def _noted(self, edit: Edit) -> Edit:
        self.stands.update({reference(one): one for one in edit.put})
        for name in edit.delete:
            self.stands.pop(name, None)
        return edit

    def _new_patient(self) -> list[Json]:
        name = f"{self._prefix}-p{len(self._patients)}"
        self._patients.append(name)
        first = f"{name}-a"
        blocks = [specimen(first, name)]
        if self._chance.random() < 0.3:
            parent = first if self._chance.random() < 0.5 else None
            blocks.append(specimen(f"{name}-b", name, parent=parent))
        self._samples += [one["id"] for one in blocks]
        made = [self._result("ihc", first, name)]
        made += [self._result("ish", one["id"], name) for one in blocks if self._is_lucky()]
        return [patient(name), *blocks, *made]

    def _is_lucky(self) -> bool:
        return self._chance.random() < 0.4

    def _result(self, slot: str, sample: str, of: str) -> Json:
        status = self._chance.choice(STATUSES) if self._chance.random() < 0.1 else "final"
        repeat = slot.endswith("2") and self._chance.random() < 0.5
        answer = self._chance.choice(ANSWERS[slot])
        return result(slot, answer, of=of, sample=sample, status=status, repeat=repeat)

    def _owner(self, sample: str) -> str:
        subject: str = self.stands[f"Specimen/{sample}"]["subject"]["reference"]
        return subject.removeprefix("Patient/")

    def _results(self) -> list[Json]:
        """Every HER2 result that stands."""
        return [one for one in self.stands.values() if "specimen" in one]

    def _create(self) -> tuple[tuple[Json, ...]]:
        if self._chance.random() < 0.2:
            return (tuple(self._new_patient()),)
        sample = self._chance.choice(self._samples)
        return ((self._result(self._chance.choice(list(ANSWERS)), sample, self._owner(sample)),),)

    def _correct(self) -> tuple[tuple[Json, ...]] | None:
        if not self._results():
            return None
        old = self._chance.choice(self._results())
        slot = old["id"].rpartition("-")[2]
        fresh = result(
            slot,
            self._chance.choice(ANSWERS[slot]),
            of=old["subject"]["reference"].removeprefix("Patient/"),
            sample=old["specimen"]["reference"].removeprefix("Specimen/"),
            status="corrected",
        )
        return ((fresh,),)

    def _status(self) -> tuple[tuple[Json, ...]] | None:
        return self._changed(self._chance.choice(STATUSES))

    def _entered_in_error(self) -> tuple[tuple[Json, ...]] | None:
        return self._changed("entered-in-error")

    def _changed(self, status: str) -> tuple[tuple[Json, ...]] | None:
        if not self._results():
            return None
        return (({**self._chance.choice(self._results()), "status": status},),)

    def _delete(self) -> tuple[tuple[Json, ...], tuple[str, ...]] | None:
        if not self._results():
            return None
        return (), (reference(self._chance.choice(self._results())),)

    def _move(self) -> tuple[tuple[Json, ...]]:
        """A specimen was booked to the wrong patient: it moves with its results and its blocks."""
        sample = self._chance.choice(self._samples)
        others = [one for one in self._patients if one != self._owner(sample)]
        to = self._chance.choice(others or self._patients)
        return (tuple(self._moved(self._owner(sample), to)),)

    def _merge(self) -> tuple[tuple[Json, ...]]:
        """Two records of one person: one is replaced by the other, and all that was its own follows."""
        gone, kept = self._chance.choice(self._patients), self._chance.choice(self._patients)
        if gone == kept:
            return self._move()
        return ((merged(gone, kept), *self._moved(gone, kept)),)

    def _moved(self, of: str, to: str) -> list[Json]:
        named = {"reference": f"Patient/{of}"}
        return [
            {**one, "subject": {"reference": f"Patient/{to}"}}
            for one in self.stands.values()
            if one.get("subject") == named
        ]

    def _unrelated(self) -> tuple[tuple[Json, ...]]:
        of = self._chance.choice(self._patients)
        return ((unrelated(f"{of}-hb", of, self._chance.randint(80, 160) / 10),),)
