"""By which parameters HER2 results are found, and how these are chosen for one server.

By code, by the name of the test, and where that is not enough among all laboratory results. A form
is tried on a result that it must find, because HAPI answers an unknown modifier, and Medplum an
unknown parameter, with an empty 200; and on a value that nothing has, because a server that ignores
a parameter would send everything. What stays out of reach is said in words. Why:
docs/adr/0011-finding-what-no-code-names.md.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from adapter.fhir.identity import is_own
from adapter.fhir.shapes import child, codings, objects, string, texts
from adapter.ports import JsonObject, SearchParams
from adapter.sync.options import LaboratorySweep
from adapter.sync.reading.search_params import escaped, last_updated, token_of
from adapter.sync.reading.trial import Trial
from adapter.sync.reading.wanted import Wanted

LABORATORY: Final = ("category", "laboratory")
"""All results of laboratories. Source: FHIR R4, valueset-observation-category."""
MOST_UNASKED: Final = 20_000
"""So many laboratory results are read without being asked for: 40 pages, 5 s of HAPI (measured)."""
_SETTING: Final = "poll.laboratory_sweep"
_MISSED: Final = "a HER2 result that no known code names"


class Names(Enum):
    """How a server compares the name of a test."""

    ANYWHERE = "anywhere"
    FROM_LEFT = "from-left"
    NOT_TRIED = "not-tried"
    NOT_AT_ALL = "not-at-all"


_SAID: Final = {
    Names.FROM_LEFT: f"the server compares names of tests from the left only: {_MISSED} is found "
    "where its name begins with HER2, a synonym, or the assay before it",
    Names.NOT_TRIED: f"that the server searches tests by name could not be tried: {_MISSED} "
    "may be missed",
    Names.NOT_AT_ALL: f"the server does not search tests by name: {_MISSED} is missed",
}


@dataclass(frozen=True)
class Forms:
    """The searches in use. `tokens` go with `code_params`, names with `name_params`."""

    tokens: tuple[str, ...] = ()
    code_params: tuple[str, ...] = ("code",)
    name_params: tuple[str, ...] = ()
    laboratory: bool = False


@dataclass
class FormChoice:
    """Chooses the forms for a server whose Observations have the search parameters `known`."""

    trial: Trial
    wanted: Wanted
    known: Collection[str]
    laboratory: LaboratorySweep
    warn: Callable[[str], None]
    samples: list[JsonObject] = field(default_factory=list)

    def find_samples(self) -> Forms:
        """Find HER2 results to try on; gives the forms to go on with, none of them proved.

        A sample is not our own; those that say when they were changed come first.
        """
        forms = Forms(tokens=self.wanted.tokens, name_params=self._names_looked_at())
        self.samples = self._samples([("code", ",".join(self.wanted.tokens))])
        if not self.samples:
            self.samples = self._samples([("code", ",".join(self.wanted.codes))])
            if self.samples:
                forms = Forms(self.wanted.codes, forms.code_params, forms.name_params)
                self.warn(
                    "the server does not search a code without its system: results under another "
                    "name of LOINC or SNOMED CT may be missed"
                )
        for name in forms.name_params:
            self.samples = self.samples or self._samples([(name, ",".join(self.wanted.names))])
        return forms

    def choose(self, forms: Forms, of_patient: SearchParams) -> Forms:
        """Prove the forms on the samples, or leave them unproved where there are none.

        Args:
            forms: as `find_samples` gave them.
            of_patient: restricts to the patient of the first sample; empty where that cannot be.

        """
        codes = self._code_params()
        names, compared = self._name_params(forms.name_params, codes, of_patient)
        laboratory = self._reads_laboratory(compared)
        if self.samples and compared in _SAID:
            self._say_what_is_missed(compared, laboratory=laboratory)
        return Forms(forms.tokens, codes, names, laboratory)

    def _samples(self, params: SearchParams) -> list[JsonObject]:
        for matches in self.trial.some(params):
            usable = [one for one in matches if not is_own(one) and self.wanted.is_candidate(one)]
            if usable:
                return sorted(usable, key=lambda one: last_updated(one) is None)
        return []

    def _code_params(self) -> tuple[str, ...]:
        """Take combo-code alone where it is proved: one search finds codes and components."""
        for name in ("combo-code", "component-code"):
            if name not in self.known:
                continue
            tokens = self._tokens_for(name)
            if all(self.trial.finds([_by_id(one), (name, token)]) for one, token in tokens):
                is_enough = name == "combo-code" and tokens
                return (name,) if is_enough else ("code", name)
            self.warn(f"the server does not search by {name}: not used")
        if self.known:
            self.warn(
                "the server cannot search components: a HER2 result inside another test may be missed"
            )
        return ("code",)

    def _tokens_for(self, name: str) -> list[tuple[JsonObject, str]]:
        """Give a result with a code of a component and, for combo-code, one with its own code."""
        wanted = [_component_token] if name == "component-code" else [_own_token, _component_token]
        found = (
            next(((one, token) for one in self.samples if (token := read(one))), None)
            for read in wanted
        )
        return [pair for pair in found if pair is not None]

    def _names_looked_at(self) -> tuple[str, ...]:
        """Give what can search by name, as far as it does not ignore the name it is given."""
        combined = "combo-code" if "combo-code" in self.known else "component-code"
        names = ("code:text", *([f"{combined}:text"] if combined in self.known else []))
        return tuple(name for name in names if self.trial.looks_at(name))

    def _name_params(
        self, names: tuple[str, ...], codes: tuple[str, ...], of_patient: SearchParams
    ) -> tuple[tuple[str, ...], Names]:
        if not names:
            return (), Names.NOT_AT_ALL
        sample = self._called(self.samples)
        if sample is None and self.samples and of_patient:
            # Any test of the patient will do: it is the search that is tried, not the name.
            tests = self.trial.a_page(of_patient)
            sample = self._called([one for one in tests if not is_own(one)])
        wanted = [name for name in names if name.removesuffix(":text") in codes]
        wanted.sort(key=lambda name: name != "combo-code:text")
        if sample is None:
            return tuple(wanted or names), Names.NOT_TRIED
        for name in dict.fromkeys((*wanted, *names[:1])):
            compared = self._compared(name, sample)
            if compared is not Names.NOT_AT_ALL:
                components = [one for one in wanted if one == "component-code:text"]
                return tuple(dict.fromkeys((name, *components))), compared
        return (), Names.NOT_AT_ALL

    def _called(self, results: Sequence[JsonObject]) -> JsonObject | None:
        """Find a result with a name of several words, else with any."""
        named = [one for one in results if texts(one.get("code"))]
        several = (one for one in named if " " in texts(one.get("code"))[0])
        return next(several, named[0] if named else None)

    def _compared(self, param: str, sample: JsonObject) -> Names:
        """Try the beginning of a result's name, in small letters, and then its last word."""
        name = texts(sample.get("code"))[0].lower()
        beginning = name[: max(3, len(name) // 2)].rstrip()
        if not self.trial.finds([_by_id(sample), (param, escaped(beginning))]):
            return Names.NOT_AT_ALL
        _, blank, last = name.rpartition(" ")
        is_anywhere = blank and not name.startswith(last)
        if is_anywhere and self.trial.finds([_by_id(sample), (param, escaped(last))]):
            return Names.ANYWHERE
        return Names.FROM_LEFT

    def _reads_laboratory(self, compared: Names) -> bool:
        """Decide whether all laboratory results are read, to look through their names here."""
        if self.laboratory is LaboratorySweep.OFF or compared is Names.ANYWHERE:
            return False
        if not self._searches_category():
            self.warn("the server does not search laboratory results by category: not used")
            return False
        if self.laboratory is LaboratorySweep.ON or self.trial.within:
            return True  # of one patient there are few
        number = self.trial.number([LABORATORY])
        if number is not None and number <= MOST_UNASKED:
            return True
        many = "an unknown number of" if number is None else str(number)
        self.warn(f"the server holds {many} laboratory results: not read unless {_SETTING} is on")
        return False

    def _searches_category(self) -> bool:
        name, value = LABORATORY
        if (self.known and name not in self.known) or not self.trial.looks_at(name):
            return False
        sample = next((one for one in self.samples if _is_laboratory(one)), None)
        return sample is None or self.trial.finds([_by_id(sample), (name, value)])

    def _say_what_is_missed(self, compared: Names, *, laboratory: bool) -> None:
        if not laboratory:
            self.warn(_SAID[compared])
        elif compared is not Names.FROM_LEFT:
            self.warn(f"{_SAID[compared]}, unless its category is laboratory")


def _by_id(resource: JsonObject) -> tuple[str, str]:
    return "_id", str(resource["id"])


def _own_token(resource: JsonObject) -> str | None:
    return token_of(resource.get("code"))


def _component_token(resource: JsonObject) -> str | None:
    tokens = (token_of(child(part, "code")) for part in objects(resource.get("component")))
    return next((token for token in tokens if token), None)


def _is_laboratory(resource: JsonObject) -> bool:
    listed = objects(resource.get("category"))
    return any(string(one, "code") == LABORATORY[1] for each in listed for one in codings(each))
