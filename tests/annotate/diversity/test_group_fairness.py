"""What groups get: a group that gets clearly less is told, others are not, and nothing is told of small groups."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.diversity.diversity import Contribution, diversity, for_publication
from annotate.diversity.fairness_table import HEADINGS, fairness_rows, fairness_sentences, how_measured
from annotate.diversity.group_fairness import (
    MEASURES,
    AttributeFairness,
    FairnessReport,
    compare_groups,
    interval,
    times_worse,
)
from annotate.diversity.received_quality import ContributorQuality, VersionQuality
from storage.catalog.people.attributes import ATTRIBUTES

PLAIN = ContributorQuality("", 900, 0.95, 0.8, 0.8, 0.01, 0.02)


def person(**changes: float | None) -> ContributorQuality:
    return replace(PLAIN, **changes)  # type: ignore[arg-type]


def compared(
    groups: Mapping[Any, Sequence[ContributorQuality]], *, smallest: int | None = 5, seconds: float = 3600.0
) -> FairnessReport:
    """By handedness, None if not declared; ids follow from places. `smallest` None: for those who may know them."""
    people: list[ContributorQuality] = []
    declared: dict[str, dict[str, str]] = {}
    for hand, own in groups.items():
        for one in own:
            people.append(replace(one, contributor=f"c{len(people):03d}"))
            declared[people[-1].contributor] = {"handedness": hand} if hand else {}
    rows = [Contribution(one.contributor, "pour", 1, seconds, declared[one.contributor]) for one in people]
    report = diversity(rows, ATTRIBUTES)
    if smallest is not None:
        report = for_publication(report, smallest)
    return compare_groups(VersionQuality(tuple(people), len(people), len(people), 9000, 1), declared, report)


def only(found: FairnessReport) -> AttributeFairness:
    (handedness,) = found.by_attribute
    return handedness


def spread(number: int, **middle: float) -> list[ContributorQuality]:
    """So many people around some numbers, 4 % up and down."""
    factors = np.linspace(0.96, 1.04, number)
    return [person(**{name: float(value * factor) for name, value in middle.items()}) for factor in factors]


def test_a_group_with_twice_the_uncertainty_is_told() -> None:
    found = compared({"left": spread(6, wrist_sd=0.042), "right": spread(9, wrist_sd=0.021)})
    (worse,) = only(found).worse
    assert (worse.attribute, worse.group, worse.best, worse.measure) == ("handedness", "left", "right", "wrist_sd")
    assert worse.ratio == pytest.approx(2, rel=0.01)
    assert worse.sentence.startswith(
        "Contributors with handedness 'left' get less certain wrists than those with 'right': 0.042 m (0.04"
    )
    assert worse.sentence.endswith(", 2.0 times as much.") and "against 0.021 m (0.02" in worse.sentence
    assert fairness_sentences(only(found)) == [worse.sentence]
    left = next(group for group in only(found).groups if group.name == "left")
    number = left.numbers["wrist_sd"]
    assert (left.contributors, number.people) == (6, 6) and left.hours == pytest.approx(6)
    assert number.value is not None and number.low is not None and number.high is not None
    assert number.value == pytest.approx(0.042)
    assert 0.96 * 0.042 <= number.low < number.value < number.high <= 1.04 * 0.042
    json.dumps(asdict(found), allow_nan=False)


@pytest.mark.parametrize(
    ("measure", "value", "words"),
    [
        ("body", 0.7, "get a body found in fewer frames than those with 'right': 70.0% ("),
        ("left_hand", 0.6, "get the left hand found in fewer frames"),
        ("right_hand", 0.2, "get the right hand found in fewer frames"),
        ("unsure", 0.1, "get more frames that may be of somebody else"),
    ],
)
def test_a_group_that_less_is_found_of_is_told(measure: str, value: float, words: str) -> None:
    found = compared({"left": spread(8, **{measure: value}), "right": [person()] * 8})
    assert [(one.group, one.measure) for one in only(found).worse] == [("left", measure)]
    assert words in only(found).worse[0].sentence


def test_groups_that_get_the_same_are_not_told() -> None:
    found = compared({"left": spread(6, wrist_sd=0.02), "right": spread(12, wrist_sd=0.02), "both": [person()] * 5})
    assert only(found).worse == () and only(found).compared == 3
    assert fairness_sentences(only(found)) == ["No group of handedness gets clearly less than the best."]


def test_what_is_little_or_may_be_chance_is_not_told() -> None:
    little = compared({"left": spread(9, wrist_sd=0.025), "right": spread(9, wrist_sd=0.020)})
    assert only(little).worse == (), "1.25 times"
    tiny = compared({"left": [person(unsure=0.015)] * 9, "right": [person(unsure=0.001)] * 9})
    assert only(tiny).worse == (), "fifteen times, and yet nothing"
    wide = [person(wrist_sd=value) for value in (0.015, 0.018, 0.04, 0.045, 0.05)]
    chance = compared({"left": wide, "right": spread(5, wrist_sd=0.02)})
    assert only(chance).worse == (), "two of five get as much as others"


def test_one_person_is_one_however_much_they_recorded() -> None:
    busy = person(wrist_sd=0.4, body=0.1, frames=10_000_000)
    groups = {"left": [busy, *spread(6, wrist_sd=0.02)], "right": spread(7, wrist_sd=0.02)}
    assert only(compared(groups)).worse == ()
    few = compared({"left": spread(6, wrist_sd=0.04), "right": spread(6, wrist_sd=0.02)})
    many = compared(
        {
            hand: [replace(one, frames=10**7) for one in spread(6, wrist_sd=sd)]
            for hand, sd in (("left", 0.04), ("right", 0.02))
        }
    )
    assert few == many, "frames of one person are not independent"


def test_of_too_few_people_numbers_have_no_interval_and_are_not_compared() -> None:
    groups = {"left": spread(4, wrist_sd=0.2), "right": spread(9, wrist_sd=0.02)}
    inside = compared(groups, smallest=None)
    rows = dict(fairness_rows(only(inside), inside))
    assert rows["left"][0] == "4" and rows["left"][-1] == "0.200 m (too few people for an interval)"
    assert only(inside).worse == () and only(inside).compared == 1
    assert "cannot be compared: fewer than two of them have 5 people" in fairness_sentences(only(inside))[0]
    outside = compared(groups)
    cells = dict(fairness_rows(only(outside), outside))
    assert cells["left"] == ("fewer than 5, or not shown", *[""] * (len(HEADINGS) - 1))
    assert "0.2" not in json.dumps(asdict(outside))


def test_who_declared_nothing_is_shown_and_not_compared() -> None:
    found = compared({"left": spread(6, wrist_sd=0.02), "right": spread(6, wrist_sd=0.02), None: spread(6, wrist_sd=1)})
    assert only(found).worse == () and only(found).compared == 2
    assert dict(fairness_rows(only(found), found))["(not declared)"][-1].startswith("1.000 m (")


def test_where_shards_are_older_it_says_that_nothing_was_measured() -> None:
    old = [person(wrist_sd=None)] * 6
    found = compared({"left": old, "right": spread(6, wrist_sd=0.02), "both": [*spread(5, wrist_sd=0.02), *old]})
    cells = dict(fairness_rows(only(found), found))
    assert cells["left"][-1] == "not measured" and cells["left"][2].startswith("95.0% (")
    assert cells["both"][-1].endswith(", of 5 people")
    assert only(found).worse == () and only(found).compared == 3


def test_a_group_of_whom_few_are_measured_is_not_given_away() -> None:
    mixed = [*spread(2, wrist_sd=0.3), *[person(wrist_sd=None)] * 4]
    groups = {"left": mixed, "right": spread(6, wrist_sd=0.02), "both": spread(9, wrist_sd=0.02)}
    found = compared(groups)
    cells = dict(fairness_rows(only(found), found))
    assert cells["left"][-1] == "too few people" == cells["right"][-1], "with the others' the two could be reckoned"
    assert cells["left"][2].startswith("95.0%") and cells["both"][-1].startswith("0.020 m")
    inside = compared(groups, smallest=None)
    assert dict(fairness_rows(only(inside), inside))["left"][-1].endswith(
        "too few people for an interval), of 2 people"
    )


HANDS = st.sampled_from([None, *ATTRIBUTES["handedness"]])
SOME = st.lists(st.tuples(HANDS, st.booleans()), min_size=1, max_size=40)


@given(SOME, st.integers(2, 8))
@settings(deadline=None)
def test_no_number_of_fewer_people_is_shown_or_can_be_reckoned(
    people: Sequence[tuple[str | None, bool]], smallest: int
) -> None:
    groups: dict[str | None, list[ContributorQuality]] = {}
    for hand, is_stated in people:
        groups.setdefault(hand, []).append(person(wrist_sd=0.02 if is_stated else None))
    found = compared(groups, smallest=smallest)
    for attribute in found.by_attribute:
        for name, measured in (("body", len(people)), ("wrist_sd", sum(stated for _, stated in people))):
            shown = [
                group.numbers[name].people or 0
                for group in attribute.groups
                if name in group.numbers and group.numbers[name].value is not None
            ]
            assert all(count >= smallest for count in shown)
            assert measured - sum(shown) == 0 or measured - sum(shown) >= smallest or not shown


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    random = np.random.default_rng(5)
    for is_share in (True, False):
        held = 0
        for _ in range(200):
            low, high = interval(random.lognormal(0, 0.4, 25).tolist(), is_share) or (1.0, 0.0)
            held += low <= (math.exp(0.08) if is_share else 1.0) <= high
        assert 0.8 <= held / 200 <= 0.97, is_share
    assert interval([0.1] * 4, True) is None
    assert interval([0.25] * 5, True) == (0.25, 0.25)
    some = random.random(40).tolist()
    assert interval(some, False) == interval(some[::-1], False), "the same people, the same result"


def test_intervals_of_thousands_are_found_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).random(50).tolist()
    monkeypatch.setattr("annotate.diversity.group_fairness._NUMBERS_AT_A_TIME", 64)
    low, high = interval(values, True) or (0.0, 0.0)
    assert low < np.mean(values) < high and high - low < 0.2


def test_how_many_times_worse() -> None:
    found, unsure, sd = MEASURES["body"], MEASURES["unsure"], MEASURES["wrist_sd"]
    assert times_worse(0.9, 0.95, found) == pytest.approx(2), "twice as many frames lack it"
    assert times_worse(0.1, 0.3, found) == pytest.approx(3), "a third of the frames has it"
    assert times_worse(0.1, 0.02, unsure) == pytest.approx(5)
    assert times_worse(0.03, 0.02, sd) == pytest.approx(1.5)
    assert times_worse(0.9, 1.0, found) == times_worse(0.0, 0.5, found) == math.inf
    assert times_worse(1.0, 1.0, found) == times_worse(0.0, 0.0, unsure) == 1


def test_a_group_that_lacks_what_the_best_never_lacks_has_no_ratio() -> None:
    (worse,) = only(compared({"left": [person(body=0.8)] * 5, "right": [person(body=1.0)] * 5})).worse
    assert worse.ratio is None and "80.0% (80.0 to 80.0) against 100.0% (100.0 to 100.0)." in worse.sentence


def test_it_says_what_was_looked_at() -> None:
    found = compared({"left": [person()] * 5})
    assert "9,000 frames of all 5 recordings" in how_measured(found)
    assert "extractors" not in how_measured(found)
    part = replace(found, recordings=3, extractors=2)
    assert "of 3 of 5 recordings, drawn with a fixed seed" in how_measured(part)
    assert "2 extractors or settings" in how_measured(part)
