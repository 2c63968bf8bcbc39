"""What the gate costs: checks, searches for duplicates, erasures. `python -m benchmarks.gate`."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from annotate.checks.checks import run_checks
from annotate.checks.evidence import Evidence, Footage, ImageSampler
from annotate.duplicates.change_fingerprint import ChangeFingerprint, ChangeHasher
from annotate.duplicates.comparison import EVIDENCE, Query
from annotate.duplicates.duplicates import CANDIDATES
from annotate.duplicates.fingerprint import Fingerprint
from annotate.duplicates.motion_fingerprint import motion_fingerprint
from annotate.duplicates.video_fingerprint import VideoFingerprint, VideoHasher
from benchmarks.duplicates import search
from benchmarks.erasure import print_erasures
from kinesphere.trajectory import Trajectory
from pose.extractors.extractor import ExtractionReport
from pose.extractors.mediapipe_extractor import MediaPipeExtractor
from pose.networks.models import fetch_clip, hand_model, pose_model
from storage.footage.video_reader import VideoFrame, open_video
from storage.tasks.criteria import Criteria
from studio.commands.output import print_table
from tests.support.generated_trajectories import make_trajectory

RATE = 30.0
SIZES = ((1280, 720), (1920, 1080))
SEARCHED = (1_000, 100_000, 1_000_000)
Row = tuple[str, ...]


@cache
def frames_of(width: int, height: int, count: int = 90) -> tuple[VideoFrame, ...]:
    """The first frames of the real clip at another size, decoded: what the measurements get while extraction runs."""
    found: list[VideoFrame] = []
    with open_video(fetch_clip()) as video:
        for frame in video.frames():
            if len(found) == count:
                break
            image = np.asarray(cv2.resize(frame.image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
            found.append(VideoFrame(frame.index, frame.timestamp_ns, image))
    return tuple(found)


@cache
def extracted(clip: Path) -> tuple[Trajectory, ExtractionReport]:
    """The real clip, through the networks."""
    report = ExtractionReport()
    with open_video(clip) as video:
        found = MediaPipeExtractor(pose_model(), hand_model()).extract(
            video, recording="benchmark", contributor="c", report=report
        )
    return found, report


def measured(width: int, height: int, repeats: int) -> Row:
    """Light, sharpness, blur, frozen frames and shake, measured of every frame as it passes by."""
    return watching("measuring", width, height, lambda: [ImageSampler()], repeats)


def fingerprinted(width: int, height: int, repeats: int) -> Row:
    """Hashes of pictures and of changes, of every frame as it passes by."""
    return watching("fingerprinting", width, height, lambda: [VideoHasher(), ChangeHasher()], repeats)


def watching(
    what: str, width: int, height: int, make: Callable[[], Sequence[Callable[[VideoFrame], None]]], repeats: int
) -> Row:
    """What watchers take, each of whose frames was made a moment ago, as a frame is that has just been decoded."""
    frames, processor, clock = frames_of(width, height), [], []
    for _ in range(repeats):
        watchers, used, waited = make(), 0.0, 0.0
        for frame in frames:
            fresh = replace(frame, image=frame.image.copy())
            began, began_clock = time.process_time(), time.perf_counter()
            for watcher in watchers:
                watcher(fresh)
            used += time.process_time() - began
            waited += time.perf_counter() - began_clock
        processor.append(used)
        clock.append(waited)
    return _table_row(f"{what} {width}x{height}", processor, clock, len(frames) / RATE)


def compared(repeats: int) -> Row:
    """Half a minute with as many others as the indexes may name, each of them named by one index and another take."""
    others = [_half_minute(seed) for seed in range(1, 1 + CANDIDATES)]

    def compare() -> None:
        query = Query.of(_half_minute(0))
        for evidence in EVIDENCE:
            assert not any(query.compare(other, first=(evidence,)) for other in others), "another take is no duplicate"

    return row(f"comparing with {len(EVIDENCE) * CANDIDATES} others", compare, 30.0, repeats)


@cache
def _half_minute(seed: int) -> Fingerprint:
    """Generated takes, of which four each are in one room."""
    random, pictures = np.random.default_rng(seed), 120
    room = np.random.default_rng(seed % (CANDIDATES // 4)).integers(0, 256, 32, dtype=np.uint8)
    bits = np.unpackbits(np.tile(room, (pictures, 1)), axis=1) ^ (random.random((pictures, 256)) < 0.06)
    hashes = np.packbits(bits, axis=1)
    changes = random.standard_normal((300, 5)).cumsum(0).astype(np.float32)
    return Fingerprint(
        VideoFingerprint(np.arange(pictures) * 250_000_000, hashes, hashes),
        motion_fingerprint(make_trajectory(900, seed=seed)),
        ChangeFingerprint(np.abs(changes)),
    )


def judged(minutes: int, repeats: int) -> Row:
    """All built-in checks at the end of a recording, which is the real clip over and over."""
    evidence = long_evidence(minutes)
    seconds = minutes * 60.0
    return row(f"judging {minutes} min", lambda: run_checks(Criteria(), fresh(evidence)), seconds, repeats)


def long_evidence(minutes: int) -> Evidence:
    """The trajectory and the measurements of the real clip, repeated to so many minutes."""
    trajectory, report = extracted(fetch_clip())
    frames = round(minutes * 60 * RATE)
    times = np.arange(frames, dtype=np.int64) * round(1e9 / RATE)
    at = np.arange(frames) % len(trajectory)
    arrays = {name: trajectory.arrays[name][at] for name in trajectory.specs} | {"timestamp": times}
    samples, once = ImageSampler(), ImageSampler()
    for frame in frames_of(*SIZES[0]):
        once(frame)
    samples.motion_times_ns = times[1:].tolist()
    samples.motions = [once.motions[index % len(once.motions)] for index in range(frames - 1)]
    samples.times_ns = times[:: round(RATE / 2)].tolist()
    samples.measurements = [once.measurements[index % len(once.measurements)] for index in range(len(samples.times_ns))]
    size = trajectory.image_width, trajectory.image_height
    longer = Trajectory("benchmark", "c", trajectory.extractor, *size, "relative", trajectory.intrinsics, arrays)
    seen = ExtractionReport(report.others[at], report.raw_wrists[at])
    return Evidence(Footage(times, *size, samples), longer, seen)


def fresh(evidence: Evidence) -> Evidence:
    """The same without what was computed of it before."""
    old = evidence.footage
    return Evidence(Footage(old.times_ns, old.width, old.height, old.samples), evidence.trajectory, evidence.report)


def row(what: str, work: Callable[[], object], real_seconds: float, repeats: int) -> Row:
    """One line of the table: processor time and time on the clock, as medians, and their share of real time."""
    processor, clock = [], []
    for _ in range(repeats):
        began, began_clock = time.process_time(), time.perf_counter()
        work()
        processor.append(time.process_time() - began)
        clock.append(time.perf_counter() - began_clock)
    return _table_row(what, processor, clock, real_seconds)


def _table_row(what: str, processor: Sequence[float], clock: Sequence[float], real_seconds: float) -> Row:
    used, waited = statistics.median(processor), statistics.median(clock)
    frame = used * 1000 / (real_seconds * RATE)
    return what, f"{frame:.3f} ms", f"{used / real_seconds:.2%}", f"{waited / real_seconds:.2%}"


def rows(repeats: int) -> Iterator[Row]:
    """All lines; add others here."""
    for width, height in SIZES:
        yield measured(width, height, repeats)
        yield fingerprinted(width, height, repeats)
    yield compared(repeats)
    for minutes in (1, 10):
        yield judged(minutes, repeats)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="of which the median counts (default: %(default)s)")
    parser.add_argument("--sizes", type=int, nargs="*", default=SEARCHED, help="recordings among which duplicates are")
    options = parser.parse_args()
    cv2.setNumThreads(1)  # as in `kinesphere process`
    columns = ["what", "processor time a frame", "of real time", "on the clock"]
    print_table(f"The gate, at {RATE:g} frames/s, beyond extraction", columns, list(rows(options.repeats)))
    with tempfile.TemporaryDirectory() as folder:
        for recordings in options.sizes:
            search(recordings, Path(folder) / f"index-{recordings}")
    print_erasures()


if __name__ == "__main__":
    main()
