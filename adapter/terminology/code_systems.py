"""Names of code systems: one canonical url for each, and the form its codes have.

Servers name one system in many ways ("LOINC", an OID, an edition of SNOMED CT). The names are rows
of NamingSystem resources; a name that no row holds stays as it is, and a code under it is not
found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from adapter.terminology.mapping_files import MappingFile, extension, objects
from adapter.terminology.systems import CODE_FORM_EXTENSION, PREFIX_EXTENSION


@dataclass(frozen=True)
class CodeSystemNames:
    """Every known name of every known code system.

    `exact`: name in lower case → canonical url. `prefixes`: (beginning in lower case, canonical
    url). `forms`: canonical url → name of the form of its codes ("loinc", "sctid"). `titles`:
    canonical url → what a person calls it. `spellings`: canonical url → its exact names as written.
    """

    exact: Mapping[str, str] = field(default_factory=dict)
    prefixes: tuple[tuple[str, str], ...] = ()
    forms: Mapping[str, str] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)
    spellings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def canonical(self, system: str) -> str:
        """Give a system's canonical url by any of its names; an unknown name only loses its blanks.

        Case is ignored: "Loinc" and "http://LOINC.org" name nothing else.
        """
        name = system.strip()
        folded = name.lower()
        if folded in self.exact:
            return self.exact[folded]
        return next((url for start, url in self.prefixes if folded.startswith(start)), name)

    def names_of(self, system: str) -> tuple[str, ...]:
        """Give every listed name of a system as it is written, itself first; none of the beginnings."""
        return self.spellings.get(self.canonical(system), (system,))

    def form(self, system: str) -> str:
        """Give the name of the form of this system's codes, "" when none is stated."""
        return self.forms.get(self.canonical(system), "")

    def and_also(self, aliases: Mapping[str, str]) -> CodeSystemNames:
        """Add a site's names: name → canonical url."""
        exact, spellings = dict(self.exact), dict(self.spellings)
        for name, url in aliases.items():
            exact[name.strip().lower()] = url
            spellings[url] = tuple(dict.fromkeys((*spellings.get(url, (url,)), name.strip())))
        return replace(self, exact=exact, spellings=spellings) if aliases else self


def system_named(name: str, names: CodeSystemNames, systems: Iterable[str]) -> str | None:
    """Give the code system that a name stands for, None when it stands for none.

    Args:
        name: as a server or a site writes it.
        names: the names that are known.
        systems: canonical urls in use; one that no NamingSystem lists is its own name.

    """
    canonical = names.canonical(name)
    folded = canonical.lower()
    own = {system.lower(): system for system in systems}
    return canonical if canonical != name.strip() else own.get(folded, names.exact.get(folded))


def read_names(files: Iterable[MappingFile]) -> CodeSystemNames:
    """Collect the names that the NamingSystem resources among these files give; later files win.

    Source: FHIR R4, NamingSystem.uniqueId; the preferred uri is the canonical url.
    """
    exact: dict[str, str] = {}
    prefixes: dict[str, str] = {}
    forms: dict[str, str] = {}
    titles: dict[str, str] = {}
    spellings: dict[str, tuple[str, ...]] = {}
    for file in files:
        if file.kind != "NamingSystem":
            continue
        url = preferred_uri(file)
        titles[url] = file.metadata("title")
        for name in objects(file.resource.get("uniqueId")):
            written = str(name.get("value", "")).strip()
            if extension(name, PREFIX_EXTENSION) is True:
                prefixes[written.lower()] = url
            else:
                exact[written.lower()] = url
                spellings[url] = tuple(dict.fromkeys((*spellings.get(url, (url,)), written)))
        form = extension(file.resource, CODE_FORM_EXTENSION)
        if isinstance(form, str):
            forms[url] = form
    return CodeSystemNames(
        exact=exact,
        prefixes=tuple(prefixes.items()),
        forms=forms,
        titles=titles,
        spellings=spellings,
    )


def other_scheme(url: str) -> str:
    """Give an http url as https and the other way round, without an ending slash; else what came.

    Servers confuse the two, and no two code systems differ by the scheme alone.
    """
    name = url.rstrip("/")
    if name.startswith("https://"):
        return "http://" + name.removeprefix("https://")
    return "https://" + name.removeprefix("http://") if name.startswith("http://") else url


def preferred_uri(file: MappingFile) -> str:
    """Give the uri that a NamingSystem marks as preferred, "" when it marks none."""
    return next(
        (
            str(name.get("value", ""))
            for name in objects(file.resource.get("uniqueId"))
            if name.get("type") == "uri" and name.get("preferred") is True
        ),
        "",
    )


def well_formed(code: str, form: str) -> bool:
    """Tell whether a code has the form of its system, check digit included; any, if unknown.

    "loinc": a LOINC number with its mod-10 check digit, or an answer (LA), list (LL) or part (LP)
    code, whose digits are not checked. "sctid": a SNOMED CT identifier with its Verhoeff digit.
    """
    if form == "loinc":
        return _is_loinc(code)
    if form == "sctid":
        return code.isascii() and code.isdigit() and 6 <= len(code) <= 18 and _verhoeff(code)
    return True


def _is_loinc(code: str) -> bool:
    number, dash, digit = code.rpartition("-")
    if not (dash and code.isascii() and len(digit) == 1 and digit.isdigit()):
        return False
    if number[:2] in {"LA", "LL", "LP"}:
        return number[2:].isdigit()
    return number.isdigit() and int(digit) == _mod10(number)


def _mod10(number: str) -> int:
    """Compute LOINC's check digit: every second digit from the right counts twice (Luhn)."""
    total = 0
    for place, character in enumerate(reversed(number)):
        value = int(character) * (2 if place % 2 == 0 else 1)
        total += value // 10 + value % 10
    return -total % 10


_SHUFFLE = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
"""Verhoeff's permutation; a digit is shuffled as often as its place from the right counts."""


def _verhoeff(code: str) -> bool:
    """Tell whether the Verhoeff check of a SNOMED CT identifier holds.

    Source: SNOMED CT Technical Implementation Guide, Check-digit; Verhoeff 1969.
    """
    check = 0
    for place, character in enumerate(reversed(code)):
        digit = int(character)
        for _ in range(place % 8):
            digit = _SHUFFLE[digit]
        check = _turn(check, digit)
    return check == 0


def _turn(first: int, second: int) -> int:
    """Compose two symmetries of a pentagon: 0 to 4 turn it, 5 to 9 turn it over first."""
    flip = 5 if (first < 5) != (second < 5) else 0
    return (first + second if first < 5 else first - second) % 5 + flip
