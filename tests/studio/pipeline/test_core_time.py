"""Processor time is shared out among jobs, and nothing of it is lost or counted twice."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.pipeline.core_time import CoreTime, Meter


def test_what_passes_while_two_run_is_halved() -> None:
    now = [0.0]
    time = CoreTime(clock=lambda: now[0])
    now[0] = 5  # nobody runs
    with time.measured() as first:
        now[0] = 7
        with time.measured() as second:
            now[0] = 11
        now[0] = 12
    assert (first.core_seconds, second.core_seconds) == (2 + 2 + 1, 2)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 100)), max_size=40))
def test_the_sum_over_all_jobs_is_the_time_in_which_any_ran(steps: list[tuple[bool, float]]) -> None:
    now, busy = [0.0], 0.0
    time = CoreTime(clock=lambda: now[0])
    running: list[ExitStack] = []
    meters: list[Meter] = []
    for begins, seconds in steps:
        if begins or not running:
            running.append(ExitStack())
            meters.append(running[-1].enter_context(time.measured()))
        else:
            running.pop(0).close()
        now[0] += seconds
        busy += seconds if running else 0
    for stack in running:
        stack.close()
    assert sum(meter.core_seconds for meter in meters) == pytest.approx(busy)
