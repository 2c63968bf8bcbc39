"""Windows a second of our stream and of other formats, same data, one run: `python -m benchmarks.storage`.

`--peers PYTHON` names the interpreter of an environment with numpy, h5py, pyarrow, webdataset, mosaicml-streaming.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import zarr
from numpy.typing import NDArray

from benchmarks import storage_peers
from benchmarks.erasure import print_erasures
from benchmarks.spine import extraction
from benchmarks.spine import storage as stored_size
from benchmarks.storage_peers import BATCH, WINDOW, measured, random_windows
from benchmarks.storage_requests import requests_per_1000_windows
from benchmarks.storage_versions import print_versions
from kinesphere.dataset import Dataset, open_dataset
from kinesphere.objects.store import open_objects
from kinesphere.streaming.sampling import SAMPLINGS
from kinesphere.streaming.stream_settings import StreamSettings
from kinesphere.streaming.stream_speed import DTYPES, measure_stream
from kinesphere.trajectory import ARRAYS, Trajectory, to_stored
from pose.networks.models import fetch_clip
from storage.publishing.version_writer import write_version
from storage.shards.shard_writer import ShardRecord, write_shard
from studio.commands.output import print_table
from tests.support.generated_trajectories import make_row, make_table

KEYS = ("body_image", "body_world", "hands_image", "hands_world")
FRAMES_A_SHARD = 36_000
Measured = dict[str, tuple[float, float]]


def like(trajectory: Trajectory, frames: int, seed: int) -> Trajectory:
    """The clip's trajectory to and fro, with a millimetre (a thousandth of the picture) of jitter, gaps as they are."""
    random = np.random.default_rng(seed)
    there = np.arange(len(trajectory))
    order = np.resize(np.concatenate([there, there[::-1]]), frames + seed)[seed:]
    arrays = {name: values[order] for name, values in trajectory.arrays.items()}
    for name in KEYS:
        arrays[name] = arrays[name] + random.normal(0, 1e-3, arrays[name].shape).astype(np.float32)
    arrays["timestamp"] = np.arange(frames, dtype=np.int64) * 33_333_333
    return replace(trajectory, recording=f"r{seed:04d}", contributor=f"c{seed:04d}", arrays=arrays)


def write(trajectory: Trajectory, folder: Path, hours: float) -> tuple[Dataset, list[str]]:
    """Write the tracks as a dataset of ours and as plain `.npy`; gives how the writing went as well."""
    objects = open_objects(folder / "ours", create=True)
    (folder / "plain").mkdir()
    shards: list[ShardRecord] = []
    count = max(1, round(hours * 3600 * 30 / FRAMES_A_SHARD))
    plain = {
        name: np.lib.format.open_memmap(
            folder / f"plain/{name}.npy", "w+", np.int16, (count * FRAMES_A_SHARD, *ARRAYS[name].shape)
        )
        for name in KEYS
    }
    encoding = 0.0
    for seed in range(count):
        track = like(trajectory, FRAMES_A_SHARD, seed)
        began = time.perf_counter()
        shards.append(write_shard(objects, [track]))
        encoding += time.perf_counter() - began
        for name, values in plain.items():
            stored, _ = to_stored(ARRAYS[name], track.arrays[name])
            values[seed * FRAMES_A_SHARD : (seed + 1) * FRAMES_A_SHARD] = stored
    write_version(objects, "tracks", make_table([make_row(shard) for shard in shards]))
    frames = count * FRAMES_A_SHARD
    size = sum(shard.size_bytes for shard in shards) / frames
    facts = [
        f"{frames:,} frames",
        f"{size:.0f} bytes a frame, all arrays",
        f"{frames / encoding:,.0f} frames/s written",
    ]
    return open_dataset(folder / "ours/datasets/tracks"), facts


def memory_mapped(folder: Path, *, scaled: bool) -> Iterator[object]:
    """The ceiling: windows cut out of memory-mapped arrays as NumPy does it."""
    arrays = [np.load(folder / f"plain/{name}.npy", mmap_mode="r") for name in KEYS]
    random = np.random.default_rng(0)
    step = np.arange(WINDOW)
    while True:
        at = random.integers(0, len(arrays[0]) - WINDOW, BATCH)[:, None] + step
        batch: list[NDArray[np.int16]] = [values[at] for values in arrays]
        yield [values * np.float32(1e-4) for values in batch] if scaled else batch


def zarr_at_random(dataset: Dataset, folder: Path) -> Iterator[object]:
    """Our own shards, read by zarr-python."""
    shard = dataset.episodes["shard"][0].as_py()
    group = zarr.open_group(folder / f"ours/shards/{shard}.zarr", mode="r")
    arrays = [group[name] for name in KEYS]

    def read(start: int) -> list[NDArray[np.int16]]:
        return [np.asarray(a[start : start + WINDOW], np.int16) for a in arrays if isinstance(a, zarr.Array)]

    return random_windows(read, FRAMES_A_SHARD)


def worker_megabytes(folder: Path, dtype: str, sampling: str) -> float:
    """What a process of its own takes at most while it streams some pools, imports included."""
    code = f"""
import itertools
import kinesphere
dataset = kinesphere.open_dataset({str(folder / "ours/datasets/tracks")!r})
stream = dataset.stream({WINDOW}, {BATCH}, {KEYS!r}, shuffle=True, dtype={dtype!r}, sampling={sampling!r})
for batch in itertools.islice(stream, 2000 if {sampling!r} == "pool" else 200):
    del batch
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024


def peers(python: str, folder: Path, seconds: float) -> tuple[Measured, list[str]]:
    """What `benchmarks.storage_peers` measures in its own environment, and what it could not."""
    command = [python, storage_peers.__file__, str(folder / "plain"), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {}, [f"peers: {done.stderr.strip().splitlines()[-1]}"]
    found = json.loads(done.stdout.splitlines()[-1])
    return (
        {peer: (values[0], values[1]) for peer, values in found.items() if not isinstance(values, str)},
        [f"{peer}: {values}" for peer, values in found.items() if isinstance(values, str)],
    )


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--hours", type=float, default=10.0)
    arguments.add_argument("--seconds", type=float, default=10.0, help="for each row")
    arguments.add_argument("--peers", default=sys.executable, metavar="PYTHON")
    options = arguments.parse_args()
    _, trajectory = extraction(fetch_clip())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dataset, facts = write(trajectory, folder, options.hours)
        facts += [" ".join(row) for row in stored_size(like(trajectory, 9000, 1))]
        rows: Measured = {}
        for dtype in DTYPES:
            scaled = dtype == "float32"
            rows[f"memmap {dtype}, random"] = measured(memory_mapped(folder, scaled=scaled), options.seconds)
            for sampling in SAMPLINGS:
                settings = StreamSettings(WINDOW, BATCH, KEYS, shuffle=True, dtype=dtype, sampling=sampling)
                speed = measure_stream(dataset, settings, options.seconds)
                rows[f"kinesphere {dtype}, {sampling}"] = (speed.windows_per_second, speed.windows_per_cpu_second)
                facts.append(f"{dtype}, {sampling}: first batch in {speed.first_batch_seconds:.2f} s, a worker takes "
                             f"{worker_megabytes(folder, dtype, sampling):.0f} MB, its stream stated at most "
                             f"{speed.memory_bound_bytes / 2**20:.0f} MB")  # fmt: skip
        facts += requests_per_1000_windows(dataset, folder, KEYS, window=WINDOW, batch_size=BATCH)
        rows["zarr-python int16, random"] = measured(zarr_at_random(dataset, folder), options.seconds)
        others, missing = peers(options.peers, folder, options.seconds)
        print_versions(folder)
    rows |= others
    ours = rows["kinesphere int16, pool"][0]
    print_table(
        f"Windows of {WINDOW} frames of {', '.join(KEYS)}",
        ["loader", "windows/s", "windows/CPU-s", "kinesphere int16 over it"],
        [(name, f"{wall:,.0f}", f"{cpu:,.0f}", f"{ours / wall:.2f}") for name, (wall, cpu) in rows.items()],
    )
    print("\n".join([*facts, *missing]))
    print_erasures()


if __name__ == "__main__":
    main()
