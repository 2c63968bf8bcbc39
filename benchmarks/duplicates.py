"""Which duplicates are found, what is called one falsely, and what it takes: `python -m benchmarks.duplicates`.

Clips are scaled to 640 pixels, put through transformations, extracted, and looked for in an index that holds the
originals and generated motions. False alarms are counted among parts of one clip that do not overlap: the same person,
room and light doing the same thing, which is the hardest case. Folder `--work` keeps what was made, for the next run.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from annotate.duplicates.alignment import Alignment
from annotate.duplicates.change_fingerprint import WINDOW, ChangeFingerprint, ChangeHasher
from annotate.duplicates.comparison import EVIDENCE, compare_change, compare_motion, compare_video
from annotate.duplicates.duplicates import WINDOW_FLIPS, WINDOW_QUERIES, DuplicateIndex
from annotate.duplicates.fingerprint import Fingerprint
from annotate.duplicates.hamming_index import HammingIndex
from annotate.duplicates.hamming_segment import FLIPS
from annotate.duplicates.motion_fingerprint import RATE, MotionFingerprint, motion_fingerprint
from annotate.duplicates.signal_windows import hyperplanes
from annotate.duplicates.video_fingerprint import VideoFingerprint, VideoHasher
from kinesphere.objects.store import open_objects
from pose.extractors.mediapipe_extractor import ExtractorSettings, MediaPipeExtractor
from pose.geometry.intrinsics import assumed_intrinsics
from pose.networks.models import fetch_clip, hand_model, pose_model
from storage.footage.video_reader import VideoFrame, open_video
from studio.commands.output import native_logs_aside, print_table
from tests.support.generated_trajectories import make_trajectory
from tests.support.transformed_videos import TRANSFORMATIONS, Transformation, transform

WIDTH = 640
PARTS = ("found", "cost", "index")
HASHES = 30
"""A recording's hashes in the measurement of the index: half a minute."""
Made = Callable[[int, int], NDArray[np.uint8]]
BATCH = 10_000
"""Recordings whose hashes are made together."""
TAKES = 100
"""Recordings in one room, in the index of pictures."""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", type=Path, help="videos of different takes; by default the demo's clip")
    parser.add_argument("--work", type=Path, help="folder that keeps transformed clips and fingerprints")
    parser.add_argument("--sizes", type=int, nargs="*", default=[1_000, 100_000], help="recordings in the index")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="parts to measure (default: all)")
    options = parser.parse_args()
    clips: list[Path] = options.clips or [fetch_clip()]
    with tempfile.TemporaryDirectory() as folder:
        work: Path = options.work or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        if "found" in options.only:
            with native_logs_aside():
                prints = {clip.stem: _fingerprints(clip, work) for clip in clips}
            _recall(prints, Path(folder))
            _false_alarms(prints)
        if "cost" in options.only:
            _cost(clips[0], Path(folder))
        if "index" in options.only:
            for size in options.sizes:
                search(size, Path(folder) / f"index-{size}")


def _fingerprints(clip: Path, work: Path) -> dict[str, Fingerprint]:
    """Of the clip as it is and after each transformation."""
    extractor = MediaPipeExtractor(pose_model(), hand_model(), ExtractorSettings())
    found = {}
    for name, how in TRANSFORMATIONS.items():
        stem = f"{clip.stem}-{name.replace(' ', '_').replace('%', 'pc')}"
        file = work / f"{stem}.npz"
        if not file.exists():
            path = transform(clip, work / f"{stem}.mp4", how, width=WIDTH)
            file.write_bytes(_fingerprint(path, extractor).to_bytes())
        found[name] = Fingerprint.from_bytes(file.read_bytes(), file.name)
    return found


def _fingerprint(path: Path, extractor: MediaPipeExtractor) -> Fingerprint:
    pictures, changes = VideoHasher(), ChangeHasher()

    def look(frame: VideoFrame) -> None:
        pictures(frame)
        changes(frame)

    with open_video(path) as video:
        trajectory = extractor.extract(
            video,
            recording=path.stem,
            contributor="nobody",
            intrinsics=assumed_intrinsics(video.width, video.height),
            on_frame=look,
        )
    return Fingerprint(pictures.fingerprint, motion_fingerprint(trajectory), changes.fingerprint)


def _recall(prints: dict[str, dict[str, Fingerprint]], folder: Path) -> None:
    """By transformation: the largest share that each way finds, a dash where it does not, and what the index gives.

    The index is also asked without changes, as it was before they were looked at.
    """
    rows = []
    with DuplicateIndex(folder / "duplicates", open_objects(folder / "objects", create=True)) as index:
        for clip, found in prints.items():
            index.add(clip, found["as it is"])
        nothing = VideoFingerprint(np.empty(0, np.int64), np.empty((0, 32), np.uint8), np.empty((0, 32), np.uint8))
        for seed in range(200):
            index.add(f"generated {seed}", Fingerprint(nothing, motion_fingerprint(make_trajectory(300, seed=seed))))
        for name in TRANSFORMATIONS:
            row = [name]
            for clip, found in prints.items():
                original, changed = found["as it is"], found[name]
                for way in _ways(changed, original):
                    row.append(f"{max(way[0].matched, way[0].other_matched):.0%}" if way else "–")
                for query in (Fingerprint(changed.video, changed.motion), changed):
                    named = [match.recording for match in index.find("new", query)]
                    wrong = len([match for match in named if match != clip])
                    row.append(("found" if clip in named else "–") + (f", {wrong} wrong" if wrong else ""))
            rows.append(row)
    heads = [f"{clip.split('-')[0]} {way}" for clip in prints for way in (*EVIDENCE, "index before", "index")]
    print_table("Recall", ["transformation", *heads], rows)


def _ways(one: Fingerprint, other: Fingerprint) -> list[tuple[Alignment, bool] | None]:
    return [
        compare_video(one.video, other.video),
        compare_change(one.change, other.change),
        compare_motion(one.motion, other.motion),
    ]


def _false_alarms(prints: dict[str, dict[str, Fingerprint]]) -> None:
    """Among halves and thirds of a clip that do not overlap, one of them transformed, and among different clips."""
    counts = {"parts of one clip": np.zeros(5, int), "different clips": np.zeros(5, int)}
    for clip, found in prints.items():
        for name, how in TRANSFORMATIONS.items():
            if how.part != (0, 1):
                continue
            for parts in (2, 3):
                for one, other in permutations(range(parts), 2):
                    pair = _part(found[name], one, parts), _part(found["as it is"], other, parts)
                    counts["parts of one clip"] += _alarms(*pair)
        for other_clip in prints.keys() - {clip}:
            for changed in found.values():
                counts["different clips"] += _alarms(changed, prints[other_clip]["as it is"])
    rows = [[name, *(str(number) for number in numbers)] for name, numbers in counts.items()]
    print_table("False alarms", ["pairs that are no duplicates", "pairs", *EVIDENCE, "any"], rows)


def _alarms(one: Fingerprint, other: Fingerprint) -> NDArray[np.int64]:
    found = [way is not None for way in _ways(one, other)]
    return np.array([1, *found, any(found)])


def _part(whole: Fingerprint, which: int, parts: int) -> Fingerprint:
    """One of so many parts of equal length."""
    pictures, points, changes = (
        slice(*np.linspace(0, length, parts + 1).astype(int)[which : which + 2])
        for length in (len(whole.video), len(whole.motion.signal), len(whole.change.signal))
    )
    video = whole.video
    return Fingerprint(
        VideoFingerprint(video.times_ns[pictures], video.hashes[pictures], video.mirrored[pictures]),
        MotionFingerprint(whole.motion.signal[points]),
        ChangeFingerprint(whole.change.signal[changes]),
    )


def _cost(clip: Path, folder: Path) -> None:
    """Of fingerprinting 720p in percent of real time, and of a comparison of two half minutes."""
    path = transform(clip, folder / "720p.mp4", Transformation(), width=1280)
    pictures, changes, spent, duration = VideoHasher(), ChangeHasher(), [0.0, 0.0], 0
    with open_video(path) as video:
        for frame in video.frames():
            if frame.index == 0:
                VideoHasher()(frame)  # what is made once does not count
            spent = [spent[0] + _seconds(pictures, frame), spent[1] + _seconds(changes, frame)]
            duration = frame.timestamp_ns
    random = np.random.default_rng(0)
    hashes = random.integers(0, 256, (120, 32), dtype=np.uint8)
    video_print = VideoFingerprint(np.arange(120) * 250_000_000, hashes, hashes)
    motion = motion_fingerprint(make_trajectory(900))
    seen = changes.fingerprint.signal
    half_minute = ChangeFingerprint(np.concatenate([seen] * (300 // len(seen) + 1))[:300])
    rows = [
        ["hashes of pictures at 720p", f"{spent[0] / duration * 1e11:.2f} % of real time"],
        ["changes at 720p", f"{spent[1] / duration * 1e11:.2f} % of real time"],
        ["comparing two half minutes, pictures", _milliseconds(lambda: compare_video(video_print, video_print))],
        ["comparing two half minutes, changes", _milliseconds(lambda: compare_change(half_minute, half_minute))],
        ["comparing two half minutes, motion", _milliseconds(lambda: compare_motion(motion, motion))],
        ["hashes of half a minute", f"{video_print.hashes.nbytes * 2} bytes"],
        ["changes of half a minute", f"{half_minute.signal.nbytes} bytes"],
        ["motion of half a minute", f"{motion.signal.nbytes} bytes, {len(motion.signal) / RATE:.0f} s"],
    ]
    print_table("Cost", ["what", "takes"], rows)


def _milliseconds(work: Callable[[], object]) -> str:
    start = time.perf_counter()
    work()
    return f"{(time.perf_counter() - start) * 1e3:.0f} ms"


def _seconds(hasher: VideoHasher | ChangeHasher, frame: VideoFrame) -> float:
    start = time.thread_time()  # other programs do not count
    hasher(frame)
    return time.thread_time() - start


def search(recordings: int, folder: Path) -> None:
    """Time and memory of an index, by what is in it: what a search asks for half a minute, of which some is there.

    Pictures are 120 hashes, one a second both ways round; windows of changes, or of motions, are `WINDOW_QUERIES`.
    """
    rows, asks = [], {"pictures": (_pictures, 120, FLIPS), "windows": (_windows, WINDOW_QUERIES, WINDOW_FLIPS)}
    for what, how in asks.items():
        rows.append([f"{recordings:,}", what, *_searched(recordings, folder / what, *how)])
        shutil.rmtree(folder / what)
    heads = [
        "recordings",
        "of",
        "build",
        "first search",
        "search",
        "pairs",
        "found",
        "add",
        "remove",
        "on disk",
        "peak memory",
    ]
    print_table("Index", heads, rows)


def _searched(recordings: int, folder: Path, made: Made, asked: int, flips: int) -> list[str]:
    """One row of the table; `made` gives the hashes, (recordings, `HASHES`, 32), of so many from a seed."""
    times, sought = np.arange(HASHES) * 1000, recordings // 2 // BATCH
    start = time.perf_counter()
    with HammingIndex(folder) as index:
        batches = (made(min(BATCH, recordings), seed) for seed in range(max(1, recordings // BATCH)))
        index.add_many(
            (f"{seed}-{n}", times, part) for seed, batch in enumerate(batches) for n, part in enumerate(batch)
        )
    built = time.perf_counter() - start
    random = np.random.default_rng(0)
    near = made(min(BATCH, recordings), sought)[0]
    near = np.stack(
        [np.packbits(np.unpackbits(row) ^ (random.permutation(256) < at + 2)) for at, row in enumerate(near)]
    )
    others = made(asked // HASHES - 1, recordings)
    queries = np.concatenate([near, others.reshape(-1, 32)])
    with HammingIndex(folder) as index:
        searches = [_timed_search(index, queries, flips, f"{sought}-0") for _ in range(3)]
        start = time.perf_counter()
        index.add("new", times, near)
        added = time.perf_counter() - start
        start = time.perf_counter()
        index.remove(f"{sought}-0")
        removed = time.perf_counter() - start
    size = sum(file.stat().st_size for file in folder.rglob("*"))
    return [
        f"{built:.1f} s",
        f"{searches[0][0] * 1e3:.0f} ms",
        f"{min(spent for spent, *_ in searches) * 1e3:.0f} ms",
        f"{searches[0][2]:,}",
        f"{searches[0][1]} of {HASHES}",
        f"{added * 1e3:.0f} ms",
        f"{removed * 1e3:.0f} ms",
        f"{size / 1e9:.2f} GB",
        _peak_memory(),
    ]


def _pictures(recordings: int, seed: int) -> NDArray[np.uint8]:
    """Hashes in rooms of `TAKES` recordings: any two of one room about 28 bits apart, as those of the sample clips."""
    random = np.random.default_rng([1, seed])
    rooms = random.integers(0, 256, (recordings // TAKES + 1, 1, 32), dtype=np.uint8).repeat(TAKES, 0)[:recordings]
    changed = np.zeros((recordings, HASHES, 32), np.uint8)
    for _ in range(15):  # bits of each hash, some of them twice
        at = random.integers(0, 256, (recordings, HASHES, 1))
        bits = np.take_along_axis(changed, at // 8, axis=2) | (1 << at % 8).astype(np.uint8)
        np.put_along_axis(changed, at // 8, bits, axis=2)
    return np.asarray(rooms ^ changed, np.uint8)


def _windows(recordings: int, seed: int) -> NDArray[np.uint8]:
    """Hashes of smooth windows of changes, with the power of those of five real clips: they crowd as these do."""
    random = np.random.default_rng([2, seed])
    time_of = (np.arange(WINDOW) + 0.5) * np.pi / WINDOW
    waves = (
        np.cos(np.arange(1, 9)[:, None] * time_of) * np.sqrt([0.47, 0.18, 0.09, 0.08, 0.06, 0.03, 0.03, 0.02])[:, None]
    )
    channels = np.diag(np.sqrt([0.06, 0.47, 0.22, 0.15, 0.09]))
    basis = np.einsum("wt,kc->wktc", waves, channels).reshape(-1, WINDOW, 5).astype(np.float32)
    mixed = random.standard_normal((recordings * HASHES, len(basis)), np.float32)
    # What `windows.angle_bits` makes of them, by way of the few waves that they are sums of.
    planes = basis.reshape(len(basis), -1) @ hyperplanes(5 * WINDOW)
    return np.packbits(mixed @ planes > 0, axis=1).reshape(recordings, HASHES, 32)


def _peak_memory() -> str:
    """So far, with the files that are mapped."""
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB"


def _timed_search(
    index: HammingIndex, queries: NDArray[np.uint8], flips: int, recording: str
) -> tuple[float, int, int]:
    """Seconds on the clock, how many of the recording's hashes were found, and pairs that were found in all."""
    start = time.perf_counter()
    found = index.neighbours(queries, flips=flips)
    spent = time.perf_counter() - start
    its_own = found.query[found.owner == found.recordings.index(recording)]
    hit = len(set(range(HASHES)) & set(its_own.tolist()))
    assert hit == HASHES or flips < FLIPS, "a hash was missed"
    return spent, hit, len(found.query)


if __name__ == "__main__":
    main()
