"""Effective numbers: their known limits, and what is said about more contributors is what then comes out."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinesphere.errors import InvalidInput
from kinesphere.splits import Splits
from storage.publishing.hill_numbers import (
    contributors_needed,
    diversity_numbers,
    effective_number,
    manifest_summary,
    seconds_by,
    shares_of,
    top_share,
)
from tests.support.episode_rows import row
from tests.support.generated_trajectories import make_table

AMOUNTS = st.lists(st.just(0.0) | st.floats(1e-6, 1e9), min_size=1, max_size=60).filter(any)


@given(st.integers(1, 500), st.floats(1e-6, 1e9))
def test_equal_contributors_count_each_as_one(number: int, amount: float) -> None:
    for order in (1, 2):
        assert effective_number([amount] * number, order) == pytest.approx(number)


@given(AMOUNTS)
def test_order_2_is_at_most_order_1_which_is_at_most_how_many_there_are(amounts: list[float]) -> None:
    there = sum(amount > 0 for amount in amounts)
    first, second = (effective_number(amounts, order) for order in (1, 2))
    assert 1 - 1e-9 <= second <= first * (1 + 1e-9) <= there * (1 + 2e-9)


@given(AMOUNTS, st.floats(1e-3, 1e3))
def test_units_and_order_do_not_matter(amounts: list[float], factor: float) -> None:
    scaled = [amount * factor for amount in reversed(amounts)]
    for order in (1, 2):
        assert effective_number(scaled, order) == pytest.approx(effective_number(amounts, order), rel=1e-6)


@given(AMOUNTS)
def test_two_copies_of_a_spread_are_twice_as_diverse(amounts: list[float]) -> None:
    """The doubling property, by which Jost tells true diversities from indices."""
    for order in (1, 2):
        assert effective_number(amounts * 2, order) == pytest.approx(2 * effective_number(amounts, order))


def test_known_values() -> None:
    assert effective_number([], 1) == effective_number([0, 0], 2) == 0
    assert effective_number([1, 1, 2], 2) == pytest.approx(1 / (1 / 16 + 1 / 16 + 1 / 4))
    assert effective_number([1, 1, 2], 1) == pytest.approx(math.exp(0.5 * math.log(4) + 0.5 * math.log(2)))
    assert diversity_numbers([3.0, 1.0])["largest_share"] == 0.75
    for wrong in ([-1.0], [math.nan], [math.inf]):
        with pytest.raises(InvalidInput, match="not negative"):
            shares_of(wrong)
    with pytest.raises(InvalidInput, match="1 or 2"):
        effective_number([1], 3)


def test_the_top_is_of_the_largest_and_at_least_one() -> None:
    amounts = [*range(1, 101)]
    assert top_share(amounts, 1) == pytest.approx(100 / 5050)
    assert top_share(amounts, 10) == pytest.approx(sum(range(91, 101)) / 5050)
    assert top_share([1, 3], 1) == 0.75 and top_share([], 10) == 0


@given(st.lists(st.floats(0.1, 1e4), max_size=30), st.floats(1, 60))
def test_as_many_as_are_needed_are_enough_and_one_fewer_is_not(amounts: list[float], least: float) -> None:
    mean = sum(amounts) / len(amounts) if amounts else 1.0
    more = contributors_needed(amounts, least)
    assert effective_number([*amounts, *[mean] * more], 2) >= least * (1 - 1e-6)
    if more:
        assert effective_number([*amounts, *[mean] * (more - 1)], 2) <= least * (1 + 1e-6)


def test_a_summary_counts_by_time_and_names_nobody() -> None:
    table = make_table([row("anna", 3, "pour"), row("anna", 3, "cut"), row("ben", 2, "pour")])
    assert seconds_by(table, "contributor") == {"anna": 6.0, "ben": 2.0}
    assert list(seconds_by(table, "label")) == [""]
    splits = Splits((("train", 0.5), ("test", 0.5)), "kitchen")
    summary = manifest_summary(table, splits.to_json())
    assert summary["contributors"]["effective_simpson"] == pytest.approx(1.6)
    assert summary["tasks"]["largest_share"] == pytest.approx(5 / 8)
    assert sum(part["seconds"] for part in summary["splits"].values()) == 8
    assert "anna" not in str(summary) and "ben" not in str(summary)
