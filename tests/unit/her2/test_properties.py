"""Laws that hold for any results whatever: one answer, with a reason, whatever the order; nothing raises."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.her2 import POLICIES, Category, classify
from adapter.her2.cases import group
from adapter.her2.joins import unused_links
from adapter.her2.model import (
    Adjudication,
    Assay,
    Comparator,
    Evidence,
    IhcResult,
    IhcScore,
    IshGroup,
    IshResult,
    Link,
    Measurement,
    OverallResult,
    Probe,
    Reason,
    RepeatMarker,
    ResultStatus,
    ResultWord,
    SampleLinks,
    Source,
    Staining,
    TumourSite,
)
from adapter.her2.rules import ALL_RULES

numbers = st.builds(
    Measurement,
    st.decimals("-1", "60", places=2, allow_nan=False),
    st.sampled_from(Comparator),
    st.none() | st.just(Decimal(12)),
)
TEST_WORDS = [word for word in ResultWord if word is not ResultWord.NEGATIVE_OR_EQUIVOCAL]
ihc_results = st.builds(
    IhcResult,
    scores=st.sampled_from([(), *[(s,) for s in IhcScore], (IhcScore.ONE_PLUS, IhcScore.TWO_PLUS)]),
    word=st.none() | st.sampled_from(TEST_WORDS),
    percent=st.none() | numbers,
    staining=st.none() | st.sampled_from(Staining),
    uniform_intense_percent=st.none() | numbers,
    off_scale=st.booleans(),
)
ish_results = st.builds(
    IshResult,
    word=st.none() | st.sampled_from(TEST_WORDS),
    stated_group=st.none() | st.sampled_from(IshGroup),
    probe=st.none() | st.sampled_from(Probe),
    ratio=st.none() | numbers,
    her2_copies=st.none() | numbers,
    cep17_copies=st.none() | numbers,
    second_population=st.booleans(),
)
overall_results = st.builds(
    OverallResult, st.sampled_from(ResultWord), st.sampled_from(Adjudication)
)
some_references = st.frozensets(st.sampled_from(["a", "b"]), max_size=2)
sample_links = st.builds(
    SampleLinks,
    specimen=st.none() | st.sampled_from(["Specimen/1", "Specimen/2", "Specimen/3"]),
    specimen_identifiers=some_references,
    parents=st.frozensets(st.sampled_from(["Specimen/1", "Specimen/9"]), max_size=1),
    accessions=some_references,
    reports=some_references,
    reported_specimens=st.frozensets(st.sampled_from(["Specimen/1", "Specimen/2"]), max_size=2),
    orders=some_references,
    side=st.none() | st.sampled_from(["left", "right"]),
    collected_day=st.none() | st.just("2026-01-10"),
)


@st.composite
def all_evidence(draw: st.DrawFn) -> list[Evidence]:
    size = draw(st.integers(0, 5))
    return [
        Evidence(
            Source(
                f"Observation/{index}",
                "1",
                draw(st.sampled_from(ResultStatus)),
                issued=draw(st.none() | st.sampled_from(["2026-01-01T00:00:00Z", "2026-02", "?"])),
            ),
            draw(st.sampled_from(["Patient/1", "Patient/2"])),
            draw(st.sampled_from(Assay)),
            ihc=draw(st.none() | ihc_results),
            ish=draw(st.none() | ish_results),
            overall=draw(st.none() | overall_results),
            links=draw(sample_links),
            site=draw(st.sampled_from(TumourSite)),
            marker=draw(st.none() | st.sampled_from(RepeatMarker)),
            unreadable=draw(st.none() | st.just(Reason("unreadable-value", "?"))),
            scored_at=draw(st.none() | st.sampled_from(["2009", "2020-02-02", "2026"])),
        )
        for index in range(size)
    ]


ends = st.sampled_from(["Specimen/1", "Specimen/2", "Specimen/3", "Observation/0", "Observation/1"])
some_links = st.lists(
    st.builds(Link, ends, ends, st.just("A"), st.just(date(2026, 11, 1)), st.just("one tumour")),
    max_size=4,
)


@settings(max_examples=300, deadline=None)
@given(all_evidence(), some_links, st.randoms(use_true_random=False))
def test_links_only_ever_join_whole_samples_of_one_patient(results, links, random) -> None:
    plain, linked = group(results), group(results, links)

    assert linked == group(random.sample(results, len(results)), random.sample(links, len(links)))
    for case in plain:
        [whole] = [one for one in linked if set(case.evidence) <= set(one.evidence)]
        assert whole.subject == case.subject
        assert whole.joined_by or len(whole.evidence) == len(case.evidence)
    assert len({(case.subject, case.key) for case in linked}) == len(linked)
    assert {case.key for case in linked} <= {case.key for case in plain}
    used = {link for case in linked for link in case.joined_by}
    assert not used & {one.link for one in unused_links(linked, links)}


@settings(max_examples=300, deadline=None)
@given(all_evidence(), st.randoms(use_true_random=False), st.sampled_from(sorted(POLICIES)))
def test_the_order_of_arrival_never_matters(results, random, policy: str) -> None:
    shuffled = random.sample(results, len(results))

    ours = [(case, classify(case, POLICIES[policy])) for case in group(results)]
    theirs = [(case, classify(case, POLICIES[policy])) for case in group(shuffled)]

    assert ours == theirs


@settings(max_examples=300, deadline=None)
@given(all_evidence(), st.sampled_from(sorted(POLICIES)))
def test_every_input_gives_exactly_one_category_with_a_reason(results, policy: str) -> None:
    cases = group(results)
    keys = [(case.subject, case.key) for case in cases]

    assert len(set(keys)) == len(keys)
    assert sorted(e.source.reference for case in cases for e in case.evidence) == sorted(
        e.source.reference for e in results
    )
    for case in cases:
        answer = classify(case, POLICIES[policy])
        assert isinstance(answer.category, Category)
        assert answer.rule in ALL_RULES
        assert not answer.review or answer.reasons
        assert answer.category is not Category.NEEDS_REVIEW or answer.review
        told = {*answer.used, *(reference for reference, _ in answer.set_aside)}
        assert told == {e.source.reference for e in case.evidence}


@settings(max_examples=100, deadline=None)
@given(all_evidence())
def test_delivering_a_result_twice_changes_nothing(results) -> None:
    def answers(evidence):
        return {
            (case.subject, case.key): classify(case).category
            for case in group({e.source.reference: e for e in evidence}.values())
        }

    assert answers(results) == answers([*results, *results])


def test_rule_ids_are_unique() -> None:
    assert len({rule.id for rule in ALL_RULES}) == len(ALL_RULES)
