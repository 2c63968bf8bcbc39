"""Windows with what comes before and after them, in frames and in seconds: they are slices of their episodes."""

from __future__ import annotations

import gc
import tracemalloc
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capture.sources.numbered_pattern import read_counter
from kinesphere.dataset import Dataset, open_dataset
from kinesphere.errors import InvalidInput
from kinesphere.objects.store import Objects, open_objects
from kinesphere.streaming import time_grid
from kinesphere.streaming.stream import WindowStream
from kinesphere.streaming.window_index import index_windows
from kinesphere.trajectory import MISSING
from kinesphere.transforms.transform import Batch
from storage.publishing.version_writer import write_version
from storage.shards.shard_writer import ShardRecord, write_shard
from tests.kinesphere.video.test_video_windows import add_video
from tests.support.expected_windows import dataset_of, expected_windows, same_batches, take, windows_of
from tests.support.generated_trajectories import make_row, make_table
from tests.support.uneven_recordings import timed_trajectory, uneven_times, write_uneven
from tests.support.video_clips import uneven_times as uneven_clip_times

KEYS = ["grip", "hands_world", "wrist_pose", "valid", "timestamp"]
PROPERTY = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def uneven(store: Objects) -> list[ShardRecord]:
    """Shards of uneven times, of which few are kept, so that a small episode is searched as a long one is."""
    return write_uneven(store)


@PROPERTY
@given(
    lengths=st.lists(st.integers(1, 200) | st.just(1200), min_size=1, max_size=4),
    window=st.integers(1, 80),
    stride=st.integers(1, 90),
    history=st.integers(0, 60) | st.just(0),
    future=st.integers(0, 60) | st.just(0),
    order=st.sampled_from([{}, {"shuffle": True}, {"shuffle": True, "sampling": "random"}]),
    pool=st.sampled_from([1, 100, 400, 10**6]),
    sampled=st.sampled_from(["float32", "int16", 0.7, 10.0, 30.0, 90.0]),
)
def test_windows_are_slices_of_their_episodes_padded_at_both_ends(
    store: Objects, uneven: list[ShardRecord], lengths: list[int], window: int, stride: int, history: int, future: int,
    order: dict[str, Any], pool: int, sampled: Any,
) -> None:  # fmt: skip
    dataset = dataset_of(store, uneven, lengths)
    options: dict[str, Any] = {"stride": stride, "seed": 4, "pool_frames": window + pool} | order
    rate = None if isinstance(sampled, str) else sampled
    options |= {"dtype": sampled} if rate is None else {"rate": rate}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time_grid, "_COARSE_FRAMES", 32)
        batches = list(dataset.stream(window, 50, KEYS, history=history, future=future, **options))
        alone = list(dataset.stream(window, 50, ["valid"], **options))
    assert windows_of(batches) == windows_of(alone), "what comes along decides nothing"
    episodes = [dataset.episode(row, KEYS, rate=rate) for row in range(len(lengths))]
    frames = [len(episode["valid"]) for episode in episodes]
    expected = expected_windows(frames, window, stride)
    assert (sorted(windows_of(batches)) if order else windows_of(batches)) == expected
    for batch in batches:
        check(batch, episodes, history, history + window + future)


def check(batch: Batch, episodes: list[dict[str, Any]], history: int, frames: int) -> None:
    """That each window is the slice of its episode, and what is not there is padded."""
    for place, (row, first) in enumerate(zip(batch["episode"], batch["frame"], strict=True)):
        at = np.arange(first - history, first - history + frames)
        there = (at >= 0) & (at < len(episodes[row]["valid"]))
        np.testing.assert_array_equal(batch["mask"][place], there)
        for key in KEYS:
            found, want = batch[key][place], episodes[row][key][at[there]]
            assert found.shape == (frames, *want.shape[1:])
            if found.dtype == np.int16:
                assert (found[~there] == MISSING).all()
                want = np.where(np.isnan(want), MISSING, np.rint(want * 1e4)).astype(np.int16)
            elif found.dtype == np.float32:
                assert np.isnan(found[~there]).all()
            else:
                assert not found[~there].any()
            assert found[there].tobytes() == want.tobytes()


def test_a_state_fits_a_stream_with_another_history_and_no_other_rate(kitchen: Dataset) -> None:
    def stream(**changes: Any) -> WindowStream:
        arguments: dict[str, Any] = {"window": 16, "batch_size": 40, "keys": ["grip"], "shuffle": True}
        return kitchen.stream(**arguments | changes)

    state = take(stream(), 7)
    with_more = stream(history=5, future=9)
    with_more.load_state_dict(state)
    resumed = stream()
    resumed.load_state_dict(state)
    assert windows_of(list(with_more)) == windows_of(list(resumed))
    with pytest.raises(InvalidInput, match=r"rate was None and is 20\.0"):
        stream(rate=20.0).load_state_dict(state)
    with pytest.raises(InvalidInput, match=r"rate was 20\.0 and is None"):
        stream().load_state_dict(stream(rate=20).state_dict())


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Two filmed recordings of uneven times, and one's end as an episode of its own."""
    folder = tmp_path_factory.mktemp("films")
    objects = open_objects(folder)
    rows = [add_video(objects, folder, number, times=uneven_clip_times(60, number), g="10") for number in (1, 2)]
    rows.append(rows[0] | {"episode": "end", "first_frame": 31, "length": 29})
    write_version(objects, "filmed", make_table(rows))
    return open_dataset(folder / "datasets/filmed")


def test_video_comes_along_with_its_frames(filmed: Dataset) -> None:
    seen_padding = 0
    for batch in filmed.stream(8, 7, ["video"], history=5, future=3, stride=6, shuffle=True):
        for video, mask, row, first in zip(*(batch[k] for k in ("video", "mask", "episode", "frame")), strict=True):
            for step in np.flatnonzero(mask):
                assert read_counter(video[step]) == (31 if row == 2 else 0) + first - 5 + step
            assert not video[~mask].any()
            seen_padding += int((~mask).sum())
    assert seen_padding > 10


@pytest.mark.parametrize("rate", [9.0, 77.0])
def test_at_a_rate_the_picture_is_the_nearest_frames(filmed: Dataset, rate: float) -> None:
    for batch in filmed.stream(8, 7, ["timestamp", "video"], history=3, stride=9, shuffle=True, rate=rate):
        assert set(batch) == {"timestamp", "video", "mask", "episode", "frame"}
        for video, mask, row, first in zip(*(batch[k] for k in ("video", "mask", "episode", "frame")), strict=True):
            times = filmed.episode(int(row), ["timestamp"])["timestamp"]
            grid = filmed.episode(int(row), ["timestamp"], rate=rate)["timestamp"]
            for step in np.flatnonzero(mask):
                nearest = np.abs(times - grid[first - 3 + step]).argmin()
                assert read_counter(video[step]) == (31 if row == 2 else 0) + nearest
    episode = filmed.episode(2, ["video", "timestamp"], rate=rate)
    times = filmed.episode(2, ["timestamp"])["timestamp"]
    nearest = [int(np.abs(times - time).argmin()) for time in episode["timestamp"]]
    assert [read_counter(image) for image in episode["video"]] == [31 + place for place in nearest]


@pytest.mark.parametrize(
    ("lengths", "shape"),
    [
        ({"window": 1.0}, (20, 1, 0, 0)),
        ({"window": 2, "history": 0.5, "future": 1.25, "stride": 0.1}, (2, 2, 10, 25)),
        ({"window": timedelta(seconds=3), "history": timedelta(0), "future": 0.0}, (60, 1, 0, 0)),
        ({"window": 0.333, "rate": 30}, (10, 1, 0, 0)),
        ({"window": np.float32(0.5), "stride": np.int64(3), "rate": np.int32(20)}, (10, 3, 0, 0)),
        ({"window": 1.0, "stride": timedelta(milliseconds=500), "rate": 29.98}, (30, 15, 0, 0)),
    ],
)
def test_lengths_in_seconds_are_frames_at_the_rate(
    kitchen: Dataset, lengths: dict[str, Any], shape: tuple[int, ...]
) -> None:
    arguments: dict[str, Any] = {"batch_size": 4, "keys": ["grip"], "rate": 20.0}
    stream = kitchen.stream(**arguments | lengths)
    state = stream.state_dict()
    found = stream.settings.shape
    assert (found.window, found.stride, found.history, found.future) == shape
    assert next(iter(stream))["grip"].shape == (4, found.history + found.window + found.future, 2)
    in_frames = kitchen.stream(shape[0], 4, ["grip"], stride=shape[1], rate=stream.settings.frame_rate)
    assert in_frames.state_dict() == state


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ({"window": 1.5}, r"window should be a whole number, at least 1, got 1\.5: seconds need rate="),
        ({"history": timedelta(seconds=1)}, r"history should be a whole number, .*: seconds need rate="),
        ({"history": -1}, "history should be a whole number, at least 0, got -1"),
        ({"future": -0.5, "rate": 20}, r"future should be at least 0 frames \(0 s\), got -0\.5"),
        ({"window": 0.33, "rate": 30}, r"window of 0\.33 s is 9\.9 frames at 30 .* give 10 frames \(0\.333333 s"),
        ({"stride": 0.01, "rate": 30}, r"stride of 0\.01 s is 0\.3 frames .* give 1 frames"),
        ({"stride": 0.001, "rate": 30}, r"stride should be at least 1 frames \(0\.0333333 s\), got 0\.001"),
        ({"window": "1s", "rate": 30}, "window should be a whole number of frames or seconds, got '1s'"),
        ({"window": float("nan"), "rate": 30}, "window should be a whole number of frames or seconds, got nan"),
    ],
)  # fmt: skip
def test_lengths_that_are_none_are_refused(kitchen: Dataset, lengths: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        kitchen.stream(**{"window": 8, "batch_size": 4} | lengths)


class Halved:
    """A transform that says what it needs: keeps every second row, and adds how many hands were found."""

    keys = ("valid", "mask")

    def __call__(self, batch: Batch) -> Batch:
        """Change a batch."""
        kept = {name: values[::2] for name, values in batch.items()}
        return kept | {"hands": ((kept["valid"] & 6) > 0).sum(axis=1)}


def flattened(batch: Batch) -> Batch:
    """Change arrays where they are."""
    batch["grip"][~batch["mask"]] = 0
    batch["grip"] *= -1
    return batch


def test_transforms_change_each_batch_last_and_in_turn(kitchen: Dataset) -> None:
    arguments: dict[str, Any] = {"window": 16, "batch_size": 40, "keys": ["grip", "valid"], "shuffle": True}
    arguments |= {"history": 4}
    plain = list(kitchen.stream(**arguments))
    stream = kitchen.stream(**arguments, transform=[flattened, Halved()])
    for want, found in zip(plain, stream, strict=True):
        assert set(found) == {*want, "hands"}
        np.testing.assert_array_equal(found["frame"], want["frame"][::2])
        np.testing.assert_array_equal(found["grip"], (-np.where(want["mask"][..., None], want["grip"], 0))[::2])
        np.testing.assert_array_equal(found["hands"], ((want["valid"] & 6) > 0).sum(axis=1)[::2])
    once = kitchen.stream(**arguments, transform=flattened)
    state = take(once, 3)
    assert state == take(kitchen.stream(**arguments), 3), "states know nothing of transforms"
    assert same_batches([next(iter(once))], [flattened(plain[3])])


def test_a_transform_that_needs_other_keys_is_refused_by_name(kitchen: Dataset) -> None:
    with pytest.raises(InvalidInput, match=r"transform Halved needs valid: add it to keys=\['grip'\]"):
        kitchen.stream(8, 4, ["grip"], transform=[flattened, Halved()])
    with pytest.raises(InvalidInput, match="a transform is a function of a batch, or a list of such; got 3"):
        kitchen.stream(8, 4, ["grip"], transform=[3])  # type: ignore[list-item]


def test_an_error_in_a_transform_goes_through_and_its_batch_comes_again(kitchen: Dataset) -> None:
    failing = {"now": False}

    def sometimes(batch: Batch) -> Batch:
        if failing["now"]:
            raise ZeroDivisionError("mine")
        return batch

    plain = list(kitchen.stream(16, 40, ["grip"]))
    stream = kitchen.stream(16, 40, ["grip"], transform=sometimes)
    taken = [next(iter(stream)) for _ in range(2)]
    failing["now"] = True
    with pytest.raises(ZeroDivisionError, match="mine"):
        next(iter(stream))
    failing["now"] = False
    assert same_batches([*taken, *stream], plain)


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:This DataLoader will create .* worker processes:UserWarning")
@pytest.mark.parametrize("workers", [0, 2])
def test_loaders_workers_resample_and_transform(kitchen: Dataset, workers: int) -> None:
    from torch.utils.data import DataLoader

    options: dict[str, Any] = {"stride": 0.5, "history": 0.2, "rate": 20.0, "shuffle": True, "transform": Halved()}
    batches = list(kitchen.stream(1.0, 20, ["grip", "valid"], **options))
    dataset = kitchen.torch(1.0, 20, ["grip", "valid"], **options)
    loader: Any = DataLoader(dataset, batch_size=None, num_workers=workers)
    assert same_batches([{name: each.numpy() for name, each in batch.items()} for batch in loader], batches)


@pytest.mark.parametrize(
    "options",
    [
        {"history": 500, "future": 500, "stride": 64, "batch_size": 2},
        {"history": 1000, "stride": 256, "pool_frames": 1100, "batch_size": 8},
        {"rate": 60.0, "stride": 64},
        {"rate": 60.0, "stride": 96, "history": 64, "sampling": "random"},
        {"rate": 2.0, "history": 8, "stride": 2, "pool_frames": 8192},
        {"rate": 15.0, "window": 3000, "stride": 300, "pool_frames": 8192, "batch_size": 2},
    ],
    ids=str,
)
def test_memory_stays_under_the_stated_bound(tmp_path: Path, options: dict[str, Any]) -> None:
    objects = open_objects(tmp_path)
    shard = write_shard(objects, [timed_trajectory(uneven_times(10_000, 1, dropped=0.01), seed=1)])
    rows = [make_row(shard, episode=f"e{place}") for place in range(12)]
    dataset = Dataset(objects, write_version(objects, "large", make_table(rows)))
    arguments: dict[str, Any] = {"window": 64, "batch_size": 16, "shuffle": True, "pool_frames": 16384}
    stream = dataset.stream(**arguments | options, keys=["body_world", "hands_world", "wrist_pose"])
    take(stream, 3)  # what is imported and cached on first use is not the stream's
    stream.skip_epoch()
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    batches = sum(1 for _ in stream)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert batches >= 10
    assert peak - before < stream.memory_bound_bytes


@given(
    lengths=st.lists(st.integers(1, 300), min_size=1, max_size=12),
    history=st.integers(0, 90),
    future=st.integers(0, 90),
    frames=st.integers(40, 900),
    seed=st.integers(0, 1000),
)
def test_no_choice_of_blocks_carries_more_than_is_stated(
    lengths: list[int], history: int, future: int, frames: int, seed: int
) -> None:
    each = np.array(lengths, np.int64)
    index = index_windows(each, 20, 3, 40, history=history, future=future)
    start, stop = index.carried(np.arange(len(index)), each)
    assert (start >= 0).all() and (stop <= each[index.episode]).all()
    order = np.random.default_rng(seed).permutation(len(index))
    chosen = order[np.cumsum(index.frames[order]) <= frames]
    assert (stop - start)[chosen].sum() <= index.most_carried(each, frames)
