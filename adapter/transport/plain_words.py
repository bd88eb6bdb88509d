"""Of a server's own words, those that cannot be about a person: a list, and nothing else.

A server repeats what was sent to it ("Name Smith is not valid"), in quotes or without them, and no
pattern tells a name from a word. So only known words of servers come through, with resource types,
references to ids of ours and HAPI's message codes; each run of others becomes one "…".
"""

from __future__ import annotations

import re
from typing import Final

_REMOVED: Final = "…"
_PIECE: Final = re.compile(r"HAPI-\d{3,5}|[A-Z][A-Za-z]{2,40}/[A-Za-z0-9\-.]{1,64}|[A-Za-z]+|\S")
_BEFORE_SEPARATOR: Final = re.compile(r" (?=[,.:;)\]])|(?<=[(\[]) ")
_REFERENCE: Final = re.compile(r"([A-Z][A-Za-z]{2,40})/[A-Za-z0-9\-.]{1,64}")
_SEPARATOR: Final = frozenset(",.:;()[]")
_ACRONYMS: Final = frozenset({"FHIR", "HTTP", "ID", "JSON", "MUST", "SHALL", "URL", "XML"})
_RESOURCE_TYPES: Final = """
Bundle Condition Device DiagnosticReport Encounter Observation OperationOutcome Organization Patient
Practitioner Procedure Provenance Resource ServiceRequest Specimen
"""
_LISTED: Final = """
abort aborted accept accepted allowed already ambiguous available bad blocked busy cancelled cannot
caused changed closed committed conflict conflicting constraint contains corrupt crashed created
deadlock deleted denied different disabled does down duplicate duplicated empty error errors exceed
exceeded exceeds exception exhausted exist existing exists expected expired fail failed failing
failure fault forbidden found gone ignored illegal inactive incomplete incorrect internal invalid
known limit limited lock locked lost malformed mandatory matched matches mismatch missing must
multiple needed none not null occurred only open overload overloaded permitted possible precondition
present problem processed processing prohibited reached read refused rejected released required retry
rolled running supported temporarily temporary terminated throttled timeout timed transient
unauthorized unavailable unexpected unique unknown unprocessable unsupported updated used valid
violated violates violation wait while wrong

access account attribute authentication authorization back batch body bundle bytes cache capability
cardinality chosen class client clients code coding collection column condition connection content
contained count create data database delete dependency display document element elements entries
entry expression extension fhir field file focus form format gateway header history id identifier
ids index instance integrity interaction issue item json key length level line link list logical
maximum media memory message meta method minimum mode model name narrative number object operation
page paging parameter parameters parse parsed parser path pool profile property proxy query queue
quota rate record reference referenced references referential request requests resource resources
response result results rule rules schema scope scopes search security server service session set
size space specified statement status storage structure subject syntax system table target
tenant text thread threads time token tokens transaction type types update updates url user value
values version versions write xml

a after all an and any are as at be because been before but by can could do for from had has have if
in into is it its later may more most no of on one or other others out over per please same should so
supplied such than that the their then there these this to too trying try two under until was
were when which will with within without would you your
"""
_TYPES: Final = frozenset(_RESOURCE_TYPES.split())
_WORDS: Final = frozenset(_LISTED.split())


def plain_words(text: str, longest: int) -> str:
    """Keep what cannot be about a person, at most `longest` characters of it."""
    kept: list[str] = []
    length = 0
    begins = True
    for found in _PIECE.finditer(text):
        piece = found.group()
        said = piece if _is_plain(piece, begins=begins) else _REMOVED
        begins = piece == "."
        if said == _REMOVED and kept and kept[-1] == _REMOVED:
            continue
        kept.append(said)
        length += len(said) + 1
        if length > 2 * longest:
            break
    return _BEFORE_SEPARATOR.sub("", " ".join(kept))[:longest]


def _is_plain(piece: str, *, begins: bool) -> bool:
    """Tell whether a piece may stand; `begins`: a sentence, where a word has a capital (a name has one anywhere)."""
    reference = _REFERENCE.fullmatch(piece)
    if reference is not None:
        return reference[1] in _TYPES
    if piece in _SEPARATOR or piece in _TYPES or piece in _ACRONYMS or piece.startswith("HAPI-"):
        return True
    return piece.lower() in _WORDS and (begins or piece.islower())
