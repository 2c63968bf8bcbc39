"""The diversity report: groups, what is missing, and what is not shown to others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.diversity.diversity import (
    NOT_DECLARED,
    Contribution,
    DiversityReport,
    contributions,
    diversity,
    for_publication,
)
from storage.catalog.people.attributes import ATTRIBUTES
from tests.support.episode_rows import row
from tests.support.generated_trajectories import make_table

HANDEDNESS = st.sampled_from([None, *ATTRIBUTES["handedness"]])
PEOPLE = st.lists(st.tuples(HANDEDNESS, st.integers(1, 9)), min_size=1, max_size=40)


def report(people: Sequence[tuple[str | None, int]], *, more: int | None = None) -> DiversityReport:
    rows = [
        Contribution(f"c{number}", "pour", 1, 3600.0 * hours, {"handedness": value} if value else {})
        for number, (value, hours) in enumerate(people)
    ]
    return diversity(rows, ATTRIBUTES, more=more)


def test_contributions_are_summed_by_person_and_task() -> None:
    table = make_table([row("ben", 2, "cut"), row("anna", 1), row("anna", 3), row("anna", 5, "cut")])
    found = contributions(table, {"anna": {"region": "EU"}})
    assert [(one.contributor, one.task, one.episodes, one.seconds) for one in found] == [
        ("anna", "cut", 1, 5.0), ("anna", "pour", 2, 4.0), ("ben", "cut", 1, 2.0),
    ]  # fmt: skip
    assert [one.attributes for one in found] == [{"region": "EU"}, {"region": "EU"}, {}]
    made = diversity(found, ATTRIBUTES)
    assert (made.contributors, made.episodes) == (2, 4) and made.hours == pytest.approx(11 / 3600)
    assert made.effective_contributors_simpson == pytest.approx(1 / ((9 / 11) ** 2 + (2 / 11) ** 2))
    assert [(group.name, group.contributors, group.episodes) for group in made.by_task.groups] == [
        ("cut", 2, 2), ("pour", 1, 2),
    ]  # fmt: skip
    (region,) = made.by_attribute
    assert [group.name for group in region.groups] == ["EU", NOT_DECLARED]
    assert region.effective_shannon == 1, "who declared nothing is no group"


def test_the_rarest_group_is_missed_most() -> None:
    made = report([("right", 1)] * 30 + [("left", 1)] * 6 + [("both", 1)] * 10)
    assert [one.value for one in made.missing[:2]] == ["left", "both"]
    first = made.missing[0]
    assert (first.more, first.attribute) == (5, "handedness")
    (handedness,) = made.by_attribute
    assert first.effective_before == handedness.effective_shannon
    then = report([("right", 1)] * 30 + [("left", 1)] * 11 + [("both", 1)] * 10)
    assert first.effective_after == pytest.approx(then.by_attribute[0].effective_shannon)
    assert "5 more contributors with handedness 'left', recording as much as the mean," in first.sentence


@given(PEOPLE, st.integers(1, 20))
def test_what_is_said_to_be_missing_does_what_is_said(people: Sequence[tuple[str | None, int]], more: int) -> None:
    made = report(people, more=more)
    mean = made.hours / made.contributors
    assert [one.gain for one in made.missing] == sorted((one.gain for one in made.missing), reverse=True)  # type: ignore[type-var]
    for one in made.missing:
        rows = [
            Contribution(f"c{number}", "pour", 1, 3600.0 * hours, {"handedness": value} if value else {})
            for number, (value, hours) in enumerate(people)
        ]
        rows += [Contribution(f"x{place}", "pour", 1, 3600 * mean, {"handedness": one.value}) for place in range(more)]
        then = diversity(rows, ATTRIBUTES)
        assert one.effective_after == pytest.approx(then.by_attribute[0].effective_shannon)
        assert one.effective_after is not None and one.effective_before is not None
        assert one.effective_after > one.effective_before


@given(PEOPLE, st.integers(2, 8))
def test_no_hidden_group_can_be_reckoned_from_what_is_shown(
    people: Sequence[tuple[str | None, int]], smallest: int
) -> None:
    full = report(people)
    shown = for_publication(full, smallest)
    for before, after in zip(full.by_attribute, shown.by_attribute, strict=True):
        sizes = {group.name: group.contributors or 0 for group in before.groups}
        hidden = [group.name for group in after.groups if not group.is_shown]
        assert set(hidden) >= {name for name, size in sizes.items() if size < smallest}
        if hidden:
            # all that the shown groups leave of the whole
            rest = full.contributors - sum(group.contributors or 0 for group in after.groups)
            assert rest >= smallest or len(hidden) == len(sizes)
            assert after.effective_shannon is after.effective_simpson is None
            assert all(one.gain is one.effective_after is None for one in shown.missing)
            assert hidden == sorted(hidden)
        else:
            assert after == before


def test_what_is_published_names_nobody() -> None:
    full = report([("right", 2)] * 20 + [("left", 1)] * 2)
    assert "c0" in json.dumps(asdict(full))
    published = for_publication(full)
    text = json.dumps(asdict(published))
    assert not any(f'"c{number}"' in text for number in range(22))
    assert published.hidden_below == 5 and full.hidden_below is None
    assert [one.value for one in published.missing] == [one.value for one in full.missing], "who is sought may be said"
    assert "is not shown" in published.missing[0].sentence


def test_where_nobody_declared_anything_nothing_is_guessed() -> None:
    made = report([(None, 3), (None, 1)])
    assert made.by_attribute == () and made.missing == ()
    empty = diversity([], ATTRIBUTES)
    assert (empty.contributors, empty.effective_contributors_shannon, empty.top_1_percent_share) == (0, 0, 0)


def test_other_is_never_sought() -> None:
    rows = [Contribution(f"c{n}", "pour", 1, 60.0, {"environment": "kitchen"}) for n in range(9)]
    values = {one.value for one in diversity(rows, ATTRIBUTES).missing}
    assert values == set(ATTRIBUTES["environment"]) - {"other", "kitchen"}
