"""Video of windows: exactly the frames that the trajectory was extracted from, in any order, or an error."""

from __future__ import annotations

import gc
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from capture.sources.numbered_pattern import read_counter
from kinesphere.dataset import Dataset, open_dataset
from kinesphere.errors import CorruptObject, InvalidInput
from kinesphere.objects.store import Objects, open_objects
from kinesphere.streaming.window_index import Integers
from kinesphere.video.seeking import SeekingVideo
from kinesphere.video.video_windows import VideoWindows
from storage.footage.video_reader import open_video
from storage.publishing.version_writer import write_version
from storage.shards.shard_writer import write_shard
from tests.support.expected_windows import same_batches, take
from tests.support.generated_trajectories import make_row, make_table, make_trajectory
from tests.support.video_clips import cut_off, make_clip, uneven_times

SIZE = (144, 192)
KEYS = ["grip", "video"]
OPTIONS: dict[str, Any] = {"shuffle": True, "seed": 5, "stride": 3, "pool_frames": 128}
CLIPS: tuple[dict[str, Any], ...] = (
    {"times": uneven_times(70, 1), "g": "10", "bf": "0"},
    {"times": uneven_times(90, 2), "g": "12", "bf": "3"},
    {"frames": 40, "g": "8", "turned": 90},
    {"frames": 6, "start": 4500},
)
"""The last is shorter than a window."""


def add_video(objects: Objects, folder: Path, number: int, **clip: Any) -> dict[str, Any]:
    """Write a recording's video and a trajectory of its frames; gives the row of its episode."""
    recording = f"20261123-094500-{number:08x}"
    path = folder / f"recordings/{recording}/video.mp4"
    path.parent.mkdir(parents=True)
    make_clip(path, **clip)
    reader = open_video(path)
    made = make_trajectory(len(reader.times), seed=number, recording=recording)
    made = replace(made, arrays={**made.arrays, "timestamp": np.array(reader.times, np.int64)})
    return make_row(write_shard(objects, [made]), image_width=reader.width, image_height=reader.height)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four recordings whose frames come at uneven times, with and without B-frames, one stored lying on its side."""
    folder = tmp_path_factory.mktemp("videos")
    objects = open_objects(folder)
    rows = [add_video(objects, folder, number, **clip) for number, clip in enumerate(CLIPS)]
    first = rows[0]
    half = first | {"episode": f"{first['recording']}/1", "first_frame": 31, "length": 39}
    write_version(objects, "filmed", make_table([*rows, half]))
    return folder


@pytest.fixture(scope="module")
def filmed(folder: Path) -> Dataset:
    return open_dataset(folder / "datasets/filmed")


@pytest.fixture(scope="module")
def films(filmed: Dataset, folder: Path) -> list[list[Any]]:
    """The frames of each episode as a player shows them."""
    firsts = [0, 0, 0, 0, 31]
    return [
        [frame.image for frame in open_video(folder / f"recordings/{recording}/video.mp4").frames()][first:]
        for recording, first in zip(filmed.episodes["recording"].to_pylist(), firsts, strict=True)
    ]


@pytest.mark.parametrize("shuffle", [True, False])
def test_every_window_has_exactly_the_frames_of_its_trajectory(
    filmed: Dataset, films: list[list[Any]], shuffle: bool
) -> None:
    first_numbers = [0, 0, 0, 0, 31]
    seen_padding = 0
    windows = 0
    for batch in filmed.stream(8, 7, KEYS, **OPTIONS | {"shuffle": shuffle}):
        assert set(batch) == {"grip", "video", "mask", "episode", "frame"}
        assert batch["video"].dtype == np.uint8 and batch["video"].shape[1:] == (8, *SIZE, 3)
        for video, mask, row, first in zip(*(batch[k] for k in ("video", "mask", "episode", "frame")), strict=True):
            there = int(mask.sum())
            for step in range(there):
                assert read_counter(video[step]) == first_numbers[row] + first + step
                np.testing.assert_array_equal(video[step], films[row][first + step])
            assert not video[there:].any()
            seen_padding += 8 - there
            windows += 1
    assert (windows, seen_padding) == (filmed.stream(8, 7, stride=3).windows, 2)


def test_frames_are_found_in_any_order_one_window_a_time(filmed: Dataset) -> None:
    times = filmed.episode(1, ["timestamp"])["timestamp"]
    order = np.random.default_rng(0).permutation(len(times))
    windows = VideoWindows(filmed.videos(np.arange(5), None))
    out = np.empty((1, 1, *SIZE, 3), np.uint8)
    for frame in order:
        windows.read(np.array([1]), times[[[frame]]], np.ones((1, 1), np.bool_), out)
        assert read_counter(out[0, 0]) == frame
    windows.close()


def test_between_frames_the_one_before_is_given(filmed: Dataset) -> None:
    times = filmed.episode(0, ["timestamp"])["timestamp"]
    wanted = np.concatenate([times[:-1] + np.diff(times) * 9 // 10, [times[-1] + 10**10]])[None]
    windows = VideoWindows(filmed.videos(np.arange(5), None))
    out = np.empty((*wanted.shape, *SIZE, 3), np.uint8)
    windows.read(np.array([0]), wanted, np.ones(wanted.shape, np.bool_), out, exact=False)
    assert [read_counter(image) for image in out[0]] == list(range(len(times)))
    with pytest.raises(CorruptObject, match=r"video\.mp4' has no frame at .* where its trajectory has one"):
        windows.read(np.array([0]), wanted, np.ones(wanted.shape, np.bool_), out)
    windows.close()


def test_a_stream_with_video_is_resumed_and_shared_as_any_other(filmed: Dataset) -> None:
    whole = list(filmed.stream(8, 7, KEYS, **OPTIONS))
    stream = filmed.stream(8, 7, KEYS, **OPTIONS)
    state = json.loads(json.dumps(take(stream, 3)))
    resumed = filmed.stream(8, 7, KEYS, **OPTIONS)
    resumed.load_state_dict(state)
    assert same_batches(list(resumed), whole[3:])
    ranks = [list(filmed.stream(8, 7, KEYS, rank=rank, world_size=2, **OPTIONS)) for rank in range(2)]
    assert same_batches([ranks[place % 2][place // 2] for place in range(len(whole))], whole)
    only = list(filmed.stream(8, 7, ["video"], **OPTIONS))
    assert all(set(batch) == {"video", "mask", "episode", "frame"} for batch in only)
    assert all((a["video"] == b["video"]).all() for a, b in zip(only, whole, strict=True))


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:This DataLoader will create .* worker processes:UserWarning")
def test_forked_workers_give_the_same_video(filmed: Dataset) -> None:
    from torch.utils.data import DataLoader

    dataset = filmed.torch(8, 7, KEYS, **OPTIONS)
    loader = DataLoader(dataset, batch_size=None, num_workers=2, multiprocessing_context="fork")
    whole = filmed.stream(8, 7, KEYS, **OPTIONS)
    for batch, want in zip(loader, whole, strict=True):
        assert np.array_equal(batch["video"].numpy(), want["video"])


def test_video_of_a_store_comes_the_same_and_is_asked_for_once(filmed: Dataset, folder: Path, tmp_path: Path) -> None:
    remote = open_dataset(folder / "datasets/filmed", cache=tmp_path)  # with a cache, local objects are read as remote
    whole = list(filmed.stream(8, 7, KEYS, **OPTIONS))
    assert same_batches(list(remote.stream(8, 7, KEYS, **OPTIONS)), whole)
    before = remote.requests
    assert same_batches(list(remote.stream(8, 7, KEYS, **OPTIONS)), whole)
    assert remote.requests == before


def test_frames_are_scaled_to_the_size_asked_for(filmed: Dataset) -> None:
    batch = next(iter(filmed.stream(8, 7, KEYS, video_size=(96, 128), **OPTIONS)))
    assert batch["video"].shape == (7, 8, 96, 128, 3)
    numbers = {0: 0, 1: 0, 2: 0, 3: 0, 4: 31}
    for video, row, first in zip(batch["video"], batch["episode"], batch["frame"], strict=True):
        assert read_counter(video[0]) == numbers[int(row)] + first


def test_videos_of_several_sizes_are_refused_unless_scaled(tmp_path: Path) -> None:
    objects = open_objects(tmp_path)
    rows = [add_video(objects, tmp_path, number, size=size) for number, size in enumerate([(192, 144), (256, 192)])]
    write_version(objects, "mixed", make_table(rows))
    dataset = open_dataset(tmp_path / "datasets/mixed")
    with pytest.raises(InvalidInput, match=r"mixed@1 have 2 sizes \(192x144, 256x192\); give video_size"):
        dataset.stream(8, 4, KEYS)
    assert next(iter(dataset.stream(8, 4, KEYS, where="image_width = 256")))["video"].shape == (4, 8, 192, 256, 3)
    assert sum(len(b["video"]) for b in dataset.stream(8, 4, KEYS, video_size=(96, 128))) == 26


def test_an_episode_gives_all_its_frames_unless_they_fill_the_memory(filmed: Dataset, films: list[list[Any]]) -> None:
    episode = filmed.episode(4, ["grip", "video"])
    assert set(episode) == {"grip", "video"}
    np.testing.assert_array_equal(episode["video"], films[4])
    assert "video" not in filmed.episode(4)
    assert filmed.episode(4, ["video"], video_size=(10, 20))["video"].shape == (39, 10, 20, 3)
    with pytest.raises(InvalidInput, match=r"takes .* GiB decoded \(39 frames of 30000x30000\); give a smaller"):
        filmed.episode(4, ["video"], video_size=(30000, 30000))


def test_what_a_version_says_of_its_video_is_kept(filmed: Dataset, folder: Path) -> None:
    objects = open_objects(folder)
    dataset = Dataset(objects, write_version(objects, "filmed", filmed.episodes))
    dataset.manifest = {**dataset.manifest, "video": "none"}
    with pytest.raises(InvalidInput, match="filmed@1 was published without video"):
        dataset.stream(8, 4, KEYS)
    dataset.manifest = {**dataset.manifest, "video": "blurred"}
    with pytest.raises(CorruptObject, match=r"object 'recordings/.*/blurred\.mp4' is missing"):
        next(iter(dataset.stream(8, 4, KEYS)))
    for path in (folder / "recordings").glob("*/video.mp4"):
        path.with_name("blurred.mp4").write_bytes(path.read_bytes())
    blurred = next(iter(dataset.stream(8, 4, KEYS)))
    assert [read_counter(image) for image in blurred["video"][0]] == list(range(8))


@pytest.mark.parametrize("damage", ["deleted", "emptied", "cut off", "another"])
def test_a_video_that_cannot_be_read_is_an_error_that_names_it(tmp_path: Path, damage: str) -> None:
    objects = open_objects(tmp_path)
    row = add_video(objects, tmp_path, 1, times=uneven_times(40))
    write_version(objects, "filmed", make_table([row]))
    path = next(tmp_path.glob("recordings/*/video.mp4"))
    if damage == "deleted":
        path.unlink()
    elif damage == "emptied":
        path.write_bytes(b"")
    elif damage == "cut off":
        cut_off(path, path)
    else:
        make_clip(path, times=uneven_times(40, 9))
    with pytest.raises(CorruptObject, match=f"object '{path.relative_to(tmp_path)}' .*restore it from a copy"):
        list(open_dataset(tmp_path / "datasets/filmed").stream(8, 4, KEYS))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"video_size": (0, 10)}, r"video_size should be \(height, width\) in pixels, got \(0, 10\)"),
        ({"video_size": (10, 10), "keys": ["grip"]}, "video_size is for keys="),
        ({"keys": ["video", "video"]}, "each once"),
    ],
)
def test_an_argument_out_of_range_is_refused(filmed: Dataset, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        filmed.stream(**{"window": 8, "batch_size": 4, "keys": KEYS, **arguments})


def test_the_stated_bound_counts_the_video(filmed: Dataset) -> None:
    rows: Integers = np.arange(5)
    with_video = filmed.stream(8, 64, KEYS, **OPTIONS)
    without = filmed.stream(8, 64, ["grip", "timestamp"], **OPTIONS)
    frames = 4 * 64 * 8 * 144 * 192 * 3
    assert with_video.memory_bound_bytes - without.memory_bound_bytes >= frames
    assert with_video.memory_parts["video"] == filmed.videos(rows, None).memory_bound_bytes
    assert with_video.scales == without.scales
    assert filmed.videos(rows, None).shape == (*SIZE, 3)


def test_an_opened_and_closed_video_leaves_no_garbage_that_holds_pictures(folder: Path) -> None:
    path = next(folder.glob("recordings/*/video.mp4"))
    SeekingVideo(path, "first").close()
    gc.collect()
    gc.disable()
    try:
        before = large_pictures()
        for _ in range(5):
            SeekingVideo(path, "again").close()
        assert large_pictures() == before
    finally:
        gc.enable()


def large_pictures() -> int:
    return sum(type(found) is av.VideoFrame and found.width > 16 for found in gc.get_objects())
