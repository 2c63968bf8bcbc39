"""Balanced epochs: every group gets its share, every window its rate, all through the epoch."""

from collections import Counter

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinesphere.dataset import Dataset
from kinesphere.objects.store import Objects
from storage.publishing.version_writer import write_version
from storage.shards.shard_writer import ShardRecord
from tests.support.expected_windows import expected_windows, windows_of
from tests.support.generated_trajectories import make_row, make_table

PROPERTY = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])


@PROPERTY
@given(
    lengths=st.lists(st.integers(1, 120), min_size=2, max_size=9),
    groups=st.lists(st.sampled_from(["a", "b", "c", None]), min_size=9, max_size=9),
    window=st.integers(1, 40),
    pool=st.sampled_from([20, 100, 10**6]),
    epoch=st.integers(0, 3),
)
def test_a_balanced_epoch_gives_every_group_its_share_and_every_window_its_rate(
    store: Objects, two_shards: list[ShardRecord], lengths: list[int], groups: list[str | None], window: int, pool: int,
    epoch: int,
) -> None:  # fmt: skip
    rows = [
        make_row(two_shards[place % 2], episode=f"e{place}", first_frame=place, length=length, label=groups[place])
        for place, length in enumerate(lengths)
    ]
    dataset = Dataset(store, write_version(store, "balanced", make_table(rows)))
    stream = dataset.stream(window, 7, ["valid"], shuffle=True, balance="label", epoch=epoch, pool_frames=window + pool)
    drawn = Counter(windows_of(list(stream)))
    windows = expected_windows(lengths, window, 1)
    assert drawn.total() == len(windows) == stream.windows
    assert set(drawn) <= set(windows)
    for group in set(groups[: len(lengths)]):
        members = [(episode, frame) for episode, frame in windows if groups[episode] == group]
        share = sum(drawn[member] for member in members)
        exact = len(windows) / len(set(groups[: len(lengths)]))
        assert abs(share - exact) < 1
        assert {drawn[member] for member in members} <= {share // len(members), -(-share // len(members))}


def test_the_windows_drawn_once_more_are_chosen_at_random_and_anew_each_epoch(kitchen: Dataset) -> None:
    stream = kitchen.stream(16, 50, ["valid"], shuffle=True, balance="recording")
    longest = max(range(6), key=lambda row: kitchen.episodes["length"][row].as_py())
    epochs = [sorted(frame for episode, frame in windows_of(list(stream)) if episode == longest) for _ in range(2)]
    for frames in epochs:
        assert len(frames) == len(set(frames)) < 685, "this recording has more windows than its share"
        assert np.ptp(frames) > 500, "not one stretch of it"
    assert epochs[0] != epochs[1]


def test_balance_mixes_a_small_group_into_the_whole_epoch(kitchen: Dataset) -> None:
    stream = kitchen.stream(16, 50, ["valid"], shuffle=True, balance="recording", pool_frames=512)
    order = [episode for episode, _ in windows_of(list(stream))]
    third = len(order) // 3
    for row in range(6):
        in_thirds = [order[at : at + third].count(row) for at in (0, third, 2 * third)]
        assert min(in_thirds) > 0.1 * sum(in_thirds), f"recording {row} comes all through the epoch"
