"""The least costly course, held against all courses there are."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pose.tracking import least_cost_path as module
from pose.tracking.least_cost_path import LONGEST_STEP, durations, least_cost_path, memory


@settings(max_examples=40)
@given(st.data(), st.integers(1, 5), st.integers(1, 3), st.sampled_from([1, 2, 512]))
def test_it_is_the_cheapest_of_all_and_says_what_the_others_cost(
    data: st.DataObject, rows: int, states: int, block: int
) -> None:
    numbers = st.floats(-5, 5, width=32)
    costs = data.draw(arrays(np.float64, (rows, states), elements=numbers))
    changes = data.draw(arrays(np.float64, (rows - 1, states, states), elements=numbers))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_ROWS", block)
        path, through = least_cost_path(costs, lambda rows: changes[rows])

    def cost(course: tuple[int, ...]) -> float:
        at = sum(costs[row, state] for row, state in enumerate(course))
        return float(at + sum(changes[row, a, b] for row, (a, b) in enumerate(itertools.pairwise(course))))

    courses = {course: cost(course) for course in itertools.product(range(states), repeat=rows)}
    assert cost(tuple(path.tolist())) == pytest.approx(min(courses.values()), abs=1e-9)
    for row, state in itertools.product(range(rows), range(states)):
        cheapest = min(price for course, price in courses.items() if course[row] == state)
        assert through[row, state] == pytest.approx(cheapest, abs=1e-9)


def test_nothing_has_no_course() -> None:
    path, through = least_cost_path(np.zeros((0, 3)), lambda rows: np.zeros((0, 3, 3)))
    assert path.shape == (0,) and through.shape == (0, 3)


def test_a_pause_counts_for_a_step_and_is_forgotten() -> None:
    times = np.array([0, 0.05, 0.1, 60, 60.05])
    assert durations(times)[:2] == pytest.approx([0.05, 0.05])
    assert (durations(times)[2:4] == LONGEST_STEP).all()
    assert memory(times) == pytest.approx([1, 1, 0, 1])
    assert durations(times[:1]) == pytest.approx([LONGEST_STEP]) and not len(durations(times[:0]))
