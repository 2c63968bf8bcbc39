"""Batches of real streams, and the statistics of what they hold."""

from __future__ import annotations

import pytest

from kinesphere import Statistics
from kinesphere.dataset import Dataset
from kinesphere.transforms.transform import Batch


@pytest.fixture(scope="module")
def batches(kitchen: Dataset) -> list[Batch]:
    """All windows of 50 frames, one episode shorter than that."""
    return list(kitchen.stream(50, 16, stride=25))


@pytest.fixture(scope="module")
def batch(batches: list[Batch]) -> Batch:
    return batches[-1]


@pytest.fixture(scope="module")
def statistics(kitchen: Dataset) -> Statistics:
    return kitchen.statistics()


@pytest.fixture(scope="module")
def action_statistics(kitchen: Dataset) -> Statistics:
    return kitchen.action_statistics(4)
