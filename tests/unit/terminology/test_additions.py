"""What a person asks for becomes one row, or a refusal that says what to write instead; nothing is guessed."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.cli import mapping_rows
from adapter.errors import MappingError
from adapter.terminology import systems
from adapter.terminology.additions import Asked, RowKind, additions_of
from adapter.terminology.overlay import NewCode, NewName, NewPhrase
from adapter.terminology.overlay_folder import possible_meanings
from adapter.terminology.vocabulary import AnswerKind, TestRole
from tests.fakes.site import catalogue

LOINC = "http://loinc.org"
LOCAL = {"system": "urn:lab", "code": "A7"}
IHC, ISH, OVERALL = AnswerKind.IHC, AnswerKind.ISH, AnswerKind.OVERALL


def added(means: str, **asked: Any) -> tuple[Any, ...]:
    return additions_of(Asked(means, **asked), catalogue(), possible_meanings())


def test_a_role_makes_a_row_of_the_test_codes() -> None:
    assert added("ihc", **LOCAL, display="HER2 IHC") == (
        NewCode(systems.TEST_ROLES, systems.TEST_ROLE_SYSTEM, "urn:lab", "A7", "ihc", "HER2 IHC"),
    )


def test_no_word_can_mean_a_test_and_an_answer() -> None:
    assert not set(TestRole) & frozenset().union(*possible_meanings().values())


@pytest.mark.parametrize(
    ("means", "under", "rows"),
    [
        ("group-4", (), [(systems.ISH_ANSWERS, "group-4")]),
        ("off-scale", (), [(systems.IHC_ANSWERS, "off-scale")]),
        ("2+", (IHC,), [(systems.IHC_ANSWERS, "2+")]),
        (
            "positive",
            (ISH, OVERALL),
            [(systems.ISH_ANSWERS, "positive"), (systems.OVERALL_ANSWERS, "positive")],
        ),
        ("amplified", (ISH,), [(systems.ISH_ANSWERS, "positive")]),
        ("not-amplified", (ISH,), [(systems.ISH_ANSWERS, "negative")]),
        ("not-amplified", (IHC,), [(systems.IHC_ANSWERS, "not-amplified")]),
    ],
)
def test_an_answer_stands_under_the_tests_that_are_named(
    means: str, under: tuple[AnswerKind, ...], rows: list[tuple[str, str]]
) -> None:
    assert [(one.target, one.meaning) for one in added(means, **LOCAL, under=under)] == rows


def test_a_code_system_is_written_by_its_canonical_url() -> None:
    (row,) = added("ihc", system=" LOINC ", code="1234-4")
    assert row.system == LOINC


def test_a_phrase_is_tidied_and_stands_below_its_concept() -> None:
    assert added("result.positive", phrase=" Stark  Überexprimiert", language="de") == (
        NewPhrase("stark überexprimiert", "result.positive", "result", "positive", "de"),
    )
    (row,) = added("group-1", phrase="grp one")
    assert row.concept == "ish-result.group-1"


def test_another_name_of_a_code_system_needs_the_system_alone() -> None:
    assert added("loinc", system="urn:ln") == (NewName("urn:ln", LOINC),)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"means": "2+", **LOCAL}, "under several tests: .*ihc, overall"),
        ({"means": "2+", **LOCAL, "under": (ISH,)}, "cannot be said under ish"),
        ({"means": "pos", **LOCAL}, "means nothing that the adapter knows"),
        ({"means": "ihc", **LOCAL, "kind": RowKind.ANSWER}, "nothing that an answer can mean"),
        ({"means": "ihc", "code": "A7"}, "without its code system"),
        ({"means": "ihc", "system": "urn:lab"}, "give a phrase with --phrase"),
        ({"means": "2+", "under": (IHC,)}, "give a phrase with --phrase"),
        ({"means": "ish", "system": LOINC, "code": "85319-2"}, "known already: ihc"),
        ({"means": "result.positive", "phrase": "Negativ"}, "known already: result.negative"),
        ({"means": "ish-result.positive", "phrase": "not-amplified"}, "known already"),
        ({"means": "positive", "phrase": "foo"}, r"ish-result\.positive, .*result\.positive"),
        ({"means": "nonsense", "phrase": "foo"}, "names no one code of her2-word"),
        ({"means": "result.positive", "kind": RowKind.WORD}, "with --phrase"),
        ({"means": LOINC, "system": "LN"}, "known already as a name of http://loinc.org"),
        ({"means": LOINC}, "without its code system"),
        ({"means": "urn:x", "system": "urn:y", "kind": RowKind.SYSTEM}, "no known code system"),
    ],
    ids=lambda value: "" if isinstance(value, str) else " ".join(map(str, value.values())),
)
def test_what_is_not_clear_or_known_already_is_refused(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(MappingError, match=says):
        added(**asked)


def test_the_command_offers_what_the_vocabulary_knows() -> None:
    assert [one.value for one in mapping_rows.RowKind] == [one.value for one in RowKind]
    assert [one.value for one in mapping_rows.UnderTest] == [one.value for one in AnswerKind]
