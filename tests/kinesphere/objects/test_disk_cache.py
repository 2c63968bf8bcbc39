"""The disk cache: what was read once is read from the disk, never wrong, never more than the limit."""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import re
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from capture.sources.numbered_pattern import read_counter
from kinesphere import clear_cache
from kinesphere.dataset import Dataset, open_dataset
from kinesphere.errors import CorruptObject, InvalidInput, NotFound
from kinesphere.objects.cached_objects import CACHE_VARIABLE, open_file, with_cache
from kinesphere.objects.disk_cache import DEFAULT_CACHE_BYTES, LEAST_CACHE_BYTES, PIECE_BYTES, DiskCache, Piece
from kinesphere.objects.store import Objects, open_objects
from kinesphere.video.seeking import SeekingVideo
from tests.support.expected_windows import same_batches
from tests.support.generated_trajectories import make_dataset
from tests.support.video_clips import make_clip

KEYS = ["body_world", "grip"]
WINDOW = 32
"""A sixteenth of the pool, 256 frames, is a block: about 225 windows."""
OPTIONS: dict[str, Any] = {"shuffle": True, "seed": 5, "pool_frames": 4096}


@pytest.fixture(scope="module")
def remote(s3_url: str) -> Iterator[str]:
    """A dataset of three shards on an S3 server."""
    objects = open_objects(s3_url)
    make_dataset(objects, "kitchen", {"anna": [1100, 300], "ben": [600], "cleo": [700]}, seed=3)
    yield f"{s3_url}/datasets/kitchen"


class Log(logging.Handler):
    """Counts what the server itself says it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        found = re.search(r"GET /bucket/(\S*)", record.getMessage())
        if found and "list-type" not in found[1]:
            self.reads.append(found[1])

    def shards(self) -> int:
        """Reads of shards since this was asked last."""
        count = sum("/shards/" in path for path in self.reads)
        self.reads.clear()
        return count


@pytest.fixture
def log(remote: str) -> Iterator[Log]:
    logger = logging.getLogger("werkzeug")
    handler, level = Log(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.setLevel(level)
    logger.removeHandler(handler)


def epoch(dataset: Dataset, **options: Any) -> list[Any]:
    return list(dataset.stream(WINDOW, 50, KEYS, **OPTIONS | options))


def test_the_server_is_asked_once_for_each_piece_and_never_again(remote: str, log: Log, tmp_path: Path) -> None:
    plain = open_dataset(remote)
    log.reads.clear()
    before = plain.requests
    want = epoch(plain)
    first_without = log.shards()
    assert first_without == plain.requests - before
    assert epoch(plain)
    second_without = log.shards()
    blocks, arrays, shards = 14, len(KEYS), 3
    assert second_without <= blocks * arrays, (
        "one for each block and array at most: indexes are kept, neighbours joined"
    )
    assert first_without <= shards + blocks * arrays, "a small array comes whole, with its index"
    assert second_without / plain.stream(WINDOW, 50, KEYS).windows * 1000 < 12

    cached = open_dataset(remote, cache=tmp_path / "cache")
    log.reads.clear()
    assert same_batches(epoch(cached), want)
    assert log.shards() == 3 * (1 + len(KEYS))
    assert same_batches(epoch(cached), want)
    again = open_dataset(remote, cache=tmp_path / "cache")
    assert same_batches(epoch(again, shuffle=True), want)
    assert log.shards() == 0


def test_threads_that_begin_together_read_metadata_and_index_once(
    remote: str, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kinesphere.shards.array_reader.WHOLE_BYTES", 0)  # as if the array were large
    dataset = open_dataset(remote)
    shard = dataset.episodes["shard"][0].as_py()
    log.reads.clear()
    together = threading.Barrier(8)

    def read(start: int) -> None:
        together.wait()
        dataset.shards.read(shard, "grip", start, start + 64)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(read, range(0, 512, 64)))
    assert sum(path.endswith("zarr.json") for path in log.reads) == 1
    assert log.shards() == 1 + 1 + 8


def test_verified_reading_compares_hashes_through_the_cache_too(remote: str, log: Log, tmp_path: Path) -> None:
    for _ in range(2):
        assert epoch(open_dataset(remote, cache=tmp_path / "cache", verify=True))
    assert log.shards() == 3 * (1 + len(KEYS))


def test_a_damaged_piece_is_found_and_fetched_anew(remote: str, log: Log, tmp_path: Path) -> None:
    dataset = open_dataset(remote, cache=tmp_path / "cache")
    want = epoch(dataset)
    pieces = sorted((tmp_path / "cache").glob("*/*"))
    for path, damaged in zip(pieces, ("flipped", "cut", "emptied"), strict=False):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 16
        path.write_bytes({"flipped": content, "cut": content[:-5], "emptied": bytearray()}[damaged])
    log.reads.clear()
    assert same_batches(epoch(open_dataset(remote, cache=tmp_path / "cache")), want)
    assert log.shards() == 3
    assert same_batches(epoch(open_dataset(remote, cache=tmp_path / "cache")), want)
    assert log.shards() == 0


def test_what_was_damaged_in_the_store_is_read_anew_once_it_is_restored(s3_url: str, tmp_path: Path) -> None:
    objects = open_objects(f"{s3_url}/damaged")
    make_dataset(objects, "kitchen", {"anna": [300]})
    dataset = open_dataset(f"{s3_url}/damaged/datasets/kitchen", cache=tmp_path)
    for part in ("grip/c/0/0", "zarr.json"):
        key = f"shards/{dataset.episodes['shard'][0].as_py()}.zarr/{part}"
        good = objects.get(key)
        objects.put(key, good[:40] + b"?" + good[41:])
        with pytest.raises(CorruptObject, match=f"object '{key}'"):
            epoch(open_dataset(f"{s3_url}/damaged/datasets/kitchen", cache=tmp_path))
        objects.put(key, good)
        assert epoch(open_dataset(f"{s3_url}/damaged/datasets/kitchen", cache=tmp_path))
        clear_cache(tmp_path)


def test_a_version_that_is_gone_is_not_opened_from_the_cache(s3_url: str, tmp_path: Path) -> None:
    objects = open_objects(f"{s3_url}/gone")
    make_dataset(objects, "kitchen", {"anna": [300]})
    location = f"{s3_url}/gone/datasets/kitchen"
    assert epoch(open_dataset(location, cache=tmp_path))
    objects.delete("datasets/kitchen/versions/000001.json")
    with pytest.raises(NotFound):
        open_dataset(location, cache=tmp_path)


def test_the_environment_names_a_cache_for_remote_data_only(
    remote: str, kitchen: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    assert epoch(open_dataset(remote))
    assert list((tmp_path / "cache").glob("*/*"))
    shutil.rmtree(tmp_path / "cache")
    local = open_objects(tmp_path)
    assert with_cache(local, None, None) is local
    assert not (tmp_path / "cache").exists()


def test_local_folders_such_as_network_disks_are_cached_if_asked(tmp_path: Path) -> None:
    objects = open_objects(tmp_path / "store", create=True)
    make_dataset(objects, "kitchen", {"anna": [300], "ben": [200]})
    dataset = open_dataset(tmp_path / "store/datasets/kitchen", cache=tmp_path / "cache")
    want = epoch(dataset)
    shutil.rmtree(tmp_path / "store/shards")
    assert same_batches(epoch(pickle.loads(pickle.dumps(dataset))), want)
    assert clear_cache(tmp_path / "cache") == 6
    with pytest.raises(CorruptObject, match="is missing"):
        epoch(open_dataset(tmp_path / "store/datasets/kitchen", cache=tmp_path / "cache"))


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_reads_what_is_cached(remote: str, tmp_path: Path) -> None:
    dataset = open_dataset(remote, cache=tmp_path)
    assert epoch(dataset)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply_async(len, [epoch(dataset)]).get(20) == pool.apply_async(_batches, [dataset]).get(20)


def _batches(dataset: Dataset) -> int:
    return len(epoch(dataset))


def test_video_is_read_through_the_cache(s3_url: str, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", 30)
    remote = open_objects(f"{s3_url}/films")
    remote.put("recordings/r/video.mp4", clip)
    objects = with_cache(remote, tmp_path / "cache", None)
    for _ in range(2):
        with open_file(objects, "recordings/r/video.mp4") as file:
            video = SeekingVideo(file, "clip")
            image = next(video.images([200_000_000]))
            video.close()
        assert read_counter(image) == 6
    assert remote.requests.total == 1


def pieces(cache: DiskCache, name: str, number: int) -> bool:
    """Read a piece; says whether it had to be fetched."""
    fetched = []

    def fetch(start: int, stop: int) -> Piece:
        fetched.append(start)
        return Piece(bytes([number % 256]) * (stop - start), 2**40)

    (piece,) = cache.pieces(name, [number], fetch)
    assert piece == Piece(bytes([number % 256]) * PIECE_BYTES, 2**40)
    return bool(fetched)


def disk_use(folder: Path) -> int:
    taken = 0
    for path in folder.glob("*/*"):
        with suppress(FileNotFoundError):  # renamed or removed by another process meanwhile
            taken += path.stat().st_size
    return taken


def test_the_limit_holds_and_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, LEAST_CACHE_BYTES)
    for number in range(50):
        assert pieces(cache, "object", number)
    assert not pieces(cache, "object", 0)
    for number in range(50, 90):
        assert pieces(cache, "object", number)
        assert disk_use(tmp_path) <= LEAST_CACHE_BYTES
        assert not pieces(cache, "object", 0), "what is used all the time stays"
    assert pieces(cache, "object", 1)
    assert not pieces(cache, "object", 89)


def _fill(folder: Path, worker: int) -> int:
    cache = DiskCache(folder, LEAST_CACHE_BYTES)
    most = 0
    for number in range(20):
        pieces(cache, f"object {worker}", number)
        most = max(most, disk_use(folder) if number % 5 == 0 else 0)
    return most


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_four_processes_at_once_keep_the_limit(tmp_path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        most = pool.starmap(_fill, [(tmp_path, worker) for worker in range(4)])
    assert max(*most, disk_use(tmp_path)) <= LEAST_CACHE_BYTES
    assert not list(tmp_path.glob("*/*.part"))


def test_threads_that_want_the_same_piece_share_one_download(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path)
    fetched = []
    together = threading.Barrier(8)

    def fetch(start: int, stop: int) -> Piece:
        fetched.append((start // PIECE_BYTES, stop // PIECE_BYTES))
        threading.Event().wait(0.2)
        return Piece(bytes(stop - start), 2**40)

    def read(_: int) -> int:
        together.wait()
        return len(cache.pieces("object", range(2, 6), fetch))

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(read, range(8))) == [4] * 8
    assert fetched == [(2, 6)]


def test_a_failed_download_fails_for_all_who_wait_and_is_tried_again(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path)

    def fail(start: int, stop: int) -> Piece:
        raise CorruptObject("gone")

    for _ in range(2):
        with pytest.raises(CorruptObject, match="gone"):
            cache.pieces("object", [0, 1], fail)
    assert pieces(cache, "object", 0)


def test_a_full_disk_is_told_once_and_reading_goes_on(small_disk: Path) -> None:
    cache = DiskCache(small_disk)
    with pytest.warns(RuntimeWarning, match=r"cannot be written \(No space left on device\); reading goes on"):
        assert all(pieces(cache, "object", number) for number in range(4))
    assert not pieces(cache, "object", 0)
    assert pieces(cache, "object", 3)
    assert not list(small_disk.glob("*/*.part"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_read_and_told(tmp_path: Path) -> None:
    assert pieces(DiskCache(tmp_path), "object", 0)
    for path in (tmp_path, *tmp_path.iterdir()):
        path.chmod(0o500)
    cache = DiskCache(tmp_path)
    assert not pieces(cache, "object", 0)
    with pytest.warns(RuntimeWarning, match="Permission denied"):
        assert pieces(cache, "object", 1)


def test_a_cache_that_cannot_be_used_is_refused_when_it_is_opened(kitchen: Dataset, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InvalidInput, match=r"cannot use .*/file/cache as a cache: Not a directory; name another"):
        DiskCache(tmp_path / "file/cache", DEFAULT_CACHE_BYTES)
    with pytest.raises(InvalidInput, match=r"cache_bytes should be .*, at least 67108864, got 10"):
        DiskCache(tmp_path / "cache", 10)


def test_objects_of_any_size_are_read_as_without_a_cache(tmp_path: Path) -> None:
    objects = open_objects(tmp_path / "store", create=True)
    sizes = [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES + 5]
    for whole_first in (True, False):
        cached: Objects = with_cache(objects, tmp_path / f"cache{whole_first}", None)
        for size in sizes:
            key = f"shards/{size}"
            objects.put(key, os.urandom(size))
            ranges = [(start, stop) for start in (0, size // 2, size - 1) for stop in (size // 2 + 1, size)]
            reads: list[tuple[int, int] | None] = [(a, b) for a, b in ranges if 0 <= a < b <= size]
            for byte_range in [None, *reads] if whole_first else [*reads, None, None]:
                assert cached.get(key, byte_range) == objects.get(key, byte_range)
