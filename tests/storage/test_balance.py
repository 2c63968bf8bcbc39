"""Balanced epochs: every group gets its share, every window its rate, all through the epoch."""

from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.dataset import Dataset
from storage.objects import Objects
from storage.shards import ShardRecord
from storage.versions import write_version
from tests.generated import make_row, make_table
from tests.windows import expected_windows, windows_of

PROPERTY = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


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


def test_balance_mixes_a_small_group_into_the_whole_epoch(kitchen: Dataset) -> None:
    stream = kitchen.stream(64, 50, ["valid"], shuffle=True, balance="recording")
    for batch in list(stream)[:-1]:
        assert len(set(batch["episode"].tolist())) == 6, "each of the six recordings is a sixth of the epoch"
