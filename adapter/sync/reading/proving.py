"""Proving the searches on one pair of servers, so that none is used which was not seen to do what it should.

A search is proved on a resource known to match, because HAPI answers an unknown modifier, and
Medplum an unknown parameter, with an empty 200. One that fails is not used, and `Searches.warnings`
says so in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from adapter.errors import PermanentServerError, ServerError, TemporaryServerError
from adapter.fhir.identity import relative_reference
from adapter.fhir.shapes import child, string
from adapter.ports import JsonObject
from adapter.sync.reading.forms import FormChoice, Forms
from adapter.sync.reading.pool import referenced
from adapter.sync.reading.search_params import Params, at_or_after, last_updated
from adapter.sync.reading.searches import ABOUT_ONE, OF_ONE, REPORTS, Searches
from adapter.sync.reading.slices import FAILED
from adapter.sync.reading.trial import Trial
from adapter.sync.references import patient_of
from adapter.terminology.systems import ADAPTER_SYSTEM

EVER: Final = "ge1970-01-01T00:00:00.000Z"
"""A `_lastUpdated` that leaves nothing out."""
MOST_TRIED: Final = 10
"""Of so many patients of a list the results are looked for, to prove the searches on one of them."""
MOST_FAILED_AT: Final = 2
"""At so many of these a server may fail; at more it is the server, which is not asked for the others."""
NOBODY: Final = "Patient/zz-no-such-patient"
"""A patient that no server has."""
NO_RESULT: Final = "Observation/zz-no-such-result"
"""A result that no server has."""


@dataclass(frozen=True)
class Proving:
    """Proves the searches `of` one pair of servers, and changes what of them does not hold."""

    of: Searches

    def prepare(self, patients: Sequence[str] = ()) -> None:
        """Choose the forms by what the server says it has, then prove them once.

        Nothing can be proved on a server without a HER2 result: it is tried again at the next pass. So is how ours are
        found, for as long as none of them stands.

        Args:
            patients: whom the searches are for, where one that names no patient may be refused: they are proved
                on results of theirs; none for those on the list.

        Raises: ServerError as the port says, ListUnusable.

        """
        if self.of.proved:
            if not self.of.own_proved:
                self.prove_own()
            return
        if self.of.by_patient:
            self._prepare_for(
                patients or (self.of.listed.read().patients if self.of.listed else ())
            )
            return
        self.of.warnings.clear()
        self.of.incremental = self.of.may_poll
        known = self._ask_capability()
        self.prove_own()
        choice = FormChoice(
            self._trial(),
            self.of.wanted,
            known,
            self.of.laboratory,
            self.of.warn,
        )
        unproved = choice.find_samples()
        if not choice.samples and self._trial().refuses([("_lastUpdated", EVER)]):
            self._sweep_only("the server does not search by _lastUpdated")
        of_patient = self._prove_results(choice.samples[0]) if choice.samples else []
        if of_patient:
            self._prove_lists(choice.samples, *of_patient[0])
        self.of.forms = choice.choose(unproved, of_patient)
        self.of.proved = bool(choice.samples)

    def _prepare_for(self, patients: Sequence[str]) -> None:
        """Prove the searches on a result of one of these patients.

        Where none of the first few has one the searches are used unproved, one patient at a time, and others
        are tried at the next pass.
        """
        self.of.warnings.clear()
        self.of.incremental = False
        self.of.patients_at_once = 1
        known = self._ask_capability()
        self.prove_own()
        tried = (
            (patient, name) for patient in patients[:MOST_TRIED] for name in ("patient", "subject")
        )
        unproved: tuple[FormChoice, Forms] | None = None
        failing: dict[str, ServerError] = {}
        for patient, name in tried:
            trial = Trial(self.of.source, ((name, patient),))
            choice = FormChoice(trial, self.of.wanted, known, self.of.laboratory, self.of.warn)
            try:
                forms = choice.find_samples()
            except ServerError as error:
                failing.update({patient: error} if error.status == FAILED else {})
                if error.status not in ABOUT_ONE or len(failing) > MOST_FAILED_AT:
                    raise
                continue  # another patient may show it
            unproved = unproved or (choice, forms)
            # A server that leaves the parameter out in silence shows somebody else's result.
            if any(patient_of(one, self.of.source.base_url) == patient for one in choice.samples):
                self.of.patient_param = name
                self.of.forms = choice.choose(forms, [(name, patient)])
                if self._takes_several(choice.samples[0], name, patient, patients):
                    self.of.patients_at_once = None
                self.of.proved = True
                return
        if failing and unproved is None:
            # Nobody has shown what the server searches by: results would be missed in silence.
            raise next(iter(failing.values()))
        self.of.forms = Forms(tokens=self.of.wanted.tokens)
        if unproved is not None:
            choice, forms = unproved
            self.of.forms = choice.choose(forms, [])

    def _takes_several(
        self, sample: JsonObject, name: str, patient: str, patients: Sequence[str]
    ) -> bool:
        """Tell whether a search that names two patients finds the results of either, in any order."""
        other = next((one for one in patients if one != patient), None)
        by_id, trial = ("_id", str(sample["id"])), self._trial()
        try:
            return other is not None and all(
                trial.finds([by_id, (name, together)])
                for together in (f"{patient},{other}", f"{other},{patient}")
            )
        except PermanentServerError as error:
            if error.status not in OF_ONE:
                raise
            return False  # the other's record may be protected, or gone

    def _prove_lists(self, samples: Sequence[JsonObject], name: str, patient: str) -> None:
        """Prove that a search may name several patients; else each is asked for alone."""
        owners = (patient_of(one, self.of.source.base_url) for one in samples)
        others = [one for one in owners if one is not None and one != patient]
        if self._takes_several(samples[0], name, patient, others or [NOBODY]):
            self.of.patients_at_once = None
            return
        self.of.patients_at_once = 1
        self.of.warn(
            "the server does not search results of several patients: each is asked for alone"
        )

    def know_owners(self) -> None:
        """Look at all of ours once, where the target cannot be asked by source whose they are.

        From then on every search shows what changes of it. Where discovery is by patient it is known of whom the walk
        has come to. Raises: ServerError as the port says.
        """
        if self.of.own_by_source and not self.of.own_by_source_proved:
            self._prove_by_source()
        if not (self.of.own_by_source or self.of.owners.is_whole or self.of.by_patient):
            self._look_at_all_of_ours()

    def _look_at_all_of_ours(self) -> None:
        try:
            for _ in self.of.own():
                pass
        except TemporaryServerError as error:
            if error.status != FAILED or not self.of.own_incremental:
                raise
            # What cannot be given of it is left out by the time at which it was changed (unread.py).
            for _ in self.of.own([("_lastUpdated", EVER)], is_all=True):
                pass

    def _prove_by_source(self) -> None:
        """Prove on one of ours that the target finds it by its source, and not by another."""
        trial = self.of.trial_of_target()
        found = trial.a_page(self.of.own_params)
        sample = found[0] if found else {}
        source = next(referenced(sample, "derivedFrom", self.of.source.base_url), None)
        if source is None:
            return  # nothing of ours stands, so that nobody has what was another's before
        by_id = ("_id", str(sample["id"]))
        self.of.own_by_source = trial.finds([by_id, ("derived-from", self.of.on_target(source))])
        self.of.own_by_source &= not trial.finds(
            [by_id, ("derived-from", self.of.on_target(NO_RESULT))]
        )
        self.of.own_by_source_proved = True

    def _ask_capability(self) -> frozenset[str]:
        """Take from the server's own statement what it searches Observations by."""
        known = self.of.source.capability().search_params
        is_one = self.of.source.base_url == self.of.target.base_url
        of_target = known if is_one else self.of.target.capability().search_params
        self.of.own_by_source = "derived-from" in of_target.get("Observation", frozenset())
        self.of.own_by_source_proved = False
        observation = known.get("Observation", frozenset())
        if known and "result" not in known.get("DiagnosticReport", frozenset()):
            self._drop_include(REPORTS)
        if "has-member" not in observation:
            self._drop_include("Observation:has-member")
        return observation

    def _prove_results(self, sample: JsonObject) -> Params:
        """Prove what every search is narrowed by; gives the one that narrows to the patient."""
        by_id = ("_id", str(sample["id"]))
        changed = last_updated(sample)
        if changed is None:
            self._sweep_only("the server does not say when a result was changed")
        elif not self._trial().finds([by_id, ("_lastUpdated", at_or_after(changed))]):
            self._sweep_only("the server does not search by _lastUpdated")
        reference = string(child(sample, "subject"), "reference")
        subject = relative_reference(reference, (self.of.source.base_url,))
        if subject is None:
            return []
        for name in ("patient", "subject"):
            if self._trial().finds([by_id, (name, subject)]):
                self.of.patient_param = name
                return [(name, subject)]
        self.of.patient_param = None
        self.of.warn("the server does not search results by patient: every pass is a full sweep")
        return []

    def prove_own(self) -> None:
        """Prove how our own results are found, on one of them; else find them by their tag.

        Raises: ServerError as the port says.
        """
        trial = self.of.trial_of_target()
        tag: Params = [("_tag", f"{ADAPTER_SYSTEM}|derived")]
        found = trial.a_page(self.of.own_params) or trial.a_page(tag)
        if not found:
            return
        sample = found[0]
        self.of.own_proved = True
        by_id = ("_id", str(sample["id"]))
        if not trial.finds([*self.of.own_params, by_id]):
            self.of.own_params = tag
            self.of.warn(
                "the server does not search identifiers by system: our own results are found by tag"
            )
        changed = last_updated(sample)
        self.of.own_incremental = (
            not self.of.by_patient
            and changed is not None
            and trial.finds([*self.of.own_params, by_id, ("_lastUpdated", at_or_after(changed))])
        )

    def _trial(self) -> Trial:
        return Trial(self.of.source, clock=self.of.clock)

    def _sweep_only(self, why: str) -> None:
        """Claim no incremental reading: only reading everything notices what was changed."""
        self.of.incremental = False
        self.of.warn(f"{why}: every pass is a full sweep")

    def _drop_include(self, value: str) -> None:
        self.of.includes = [include for include in self.of.includes if include[1] != value]
