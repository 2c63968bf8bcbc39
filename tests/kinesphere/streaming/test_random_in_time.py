"""Random sampling gives the very windows that pools give, with history, future and rate."""

from typing import Any

import numpy as np
import pytest

from kinesphere.dataset import Dataset


@pytest.mark.parametrize(
    "options", [{"history": 5, "future": 9}, {"rate": 20.0}, {"rate": 25.0, "history": 4, "future": 40}], ids=str
)
def test_windows_drawn_at_random_are_those_of_the_unshuffled_epoch(kitchen: Dataset, options: dict[str, Any]) -> None:
    keys = ["grip", "timestamp", "wrist_pose"]
    windows = {}
    for batch in kitchen.stream(16, 50, keys, stride=7, **options):
        for place, (row, frame) in enumerate(zip(batch["episode"], batch["frame"], strict=True)):
            windows[row, frame] = {key: batch[key][place].copy() for key in (*keys, "mask")}
    seen = set()
    for batch in kitchen.stream(16, 50, keys, stride=7, shuffle=True, sampling="random", pool_frames=900, **options):
        for place, (row, frame) in enumerate(zip(batch["episode"], batch["frame"], strict=True)):
            seen.add((row, frame))
            for key, want in windows[row, frame].items():
                np.testing.assert_array_equal(batch[key][place], want)
    assert seen == set(windows)
