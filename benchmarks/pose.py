"""The extractor beside the plain MediaPipe loop, clip by clip, in one run: `python -m benchmarks.pose [CLIP ...]`.

The ways take turns, `--rounds` times, and each number is the median of its rounds; `x plain` is that of the ratios
within a round, since a machine is not equally fast all the time. Libraries are loaded before the clock starts, networks
after it. `network share` is the processor time inside the networks over the time that the whole run took: over 1 where
they run side by side. `without decoding` leaves reading the video out, which everybody has to do, and is for one core;
so is `at most`: what `x plain` would be if nothing but the networks and the reading took any time. Processor time is
steadier than wall time where other programs run: see the load that is printed.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.plain_loop import plain_frames
from kinesphere.trajectory import Valid
from pose.extractors.mediapipe_extractor import ExtractorSettings, MediaPipeExtractor
from pose.networks.models import fetch_clip, hand_model, pose_model
from storage.footage.video_reader import VideoFrame, VideoReader, open_video
from studio.commands.output import native_logs_aside, print_table

SAME_PLACE = 0.05
"""In image widths: where a hand was not seen in the frame before, another hand this near to it is the same."""


@dataclass(frozen=True)
class Measured:
    """What one way of doing it found in one clip, and what it took."""

    frames: int
    seconds: float
    processor_seconds: float
    network_seconds: float
    decoding_seconds: float
    body: int
    hands: int
    flips: int
    hand_jitter: float
    body_jitter: float
    gigabytes: float


def main() -> None:
    """Print one table a clip, or with `--way` measure one way in this process and print it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", type=Path, help="videos; by default the demo's clip")
    parser.add_argument("--rounds", type=int, default=3, help="how often each way is measured")
    parser.add_argument("--way", choices=["plain", "raw", "smooth"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    clips: list[Path] = options.clips or [fetch_clip()]
    if options.way is not None:
        with native_logs_aside():
            found = _plain(clips[0]) if options.way == "plain" else _ours(clips[0], options.way)
        print(json.dumps(asdict(found)))
        return
    for clip in clips:
        _compare(clip, options.rounds)


def _compare(clip: Path, rounds: int) -> None:
    cases = [(cores, way) for cores in (1, 2) for way in ("plain", "raw", "smooth")]
    measured: dict[tuple[int, str], list[Measured]] = {case: [] for case in cases}
    for _ in range(rounds):
        for cores, way in cases:
            measured[cores, way].append(_in_process(clip, way, cores))
    columns = ["", "frames/s", "cpu ms", "x plain", "at most", "network share", "without decoding"]
    columns += ["body", "hands", "side flips", "jitter hand, body"]
    rows: list[tuple[object, ...]] = []
    for cores, way in cases:
        runs = measured[cores, way]
        found, frames = runs[0], runs[0].frames
        pairs = list(zip(measured[cores, "plain"], runs, strict=True))
        at_most = share = beside = ""
        if way != "plain":
            share = f"{statistics.median(run.network_seconds / run.seconds for run in runs):.2f}"
        if way != "plain" and cores == 1:
            needed = (plain.seconds / (run.network_seconds + run.decoding_seconds) for plain, run in pairs)
            at_most = f"{statistics.median(needed):.2f}"
            rest = (run.network_seconds / (run.processor_seconds - run.decoding_seconds) for run in runs)
            beside = f"{statistics.median(rest):.2f}"
        rows.append(
            (
                f"{way}, {cores} core{'s' * (cores > 1)}",
                f"{statistics.median(frames / run.seconds for run in runs):.1f}",
                f"{statistics.median(run.processor_seconds / frames for run in runs) * 1000:.1f}",
                f"{statistics.median(plain.seconds / run.seconds for plain, run in pairs):.2f}",
                at_most,
                share,
                beside,
                found.body,
                found.hands,
                f"{found.flips / frames:.2%}",
                f"{found.hand_jitter:.2f}, {found.body_jitter:.2f}",
            )
        )
    peak = max(run.gigabytes for runs in measured.values() for run in runs)
    load = os.getloadavg()[1]
    title = f"{clip.name}: {frames} frames; peak {peak:.2f} GB; median of {rounds}; load {load:.1f}; "
    print_table(title + "jitter in thousandths of the picture", columns, rows)


def _in_process(clip: Path, way: str, cores: int) -> Measured:
    """Measure in a fresh process that may use so many cores."""
    allowed = set(sorted(os.sched_getaffinity(0))[:cores])
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.pose", str(clip), "--way", way],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, allowed),
    )
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def _plain(clip: Path) -> Measured:
    """What everybody writes: both landmarkers on each whole frame, one after the other; sides as the model says."""
    importlib.import_module("mediapipe.tasks.python.vision")
    began, processor = time.perf_counter(), time.process_time()
    frames = list(plain_frames(clip))
    took = time.perf_counter() - began, time.process_time() - processor
    bodies, hands = (np.array([frame.body for frame in frames]), np.array([frame.hands for frame in frames]))
    return _measured(bodies[..., :2], hands[..., :2], *took, 0.0, 0.0)


def _ours(clip: Path, way: str) -> Measured:
    """The extractor as `kinesphere process` uses it, reading the video and deriving poses included."""
    for library in ("ai_edge_litert.interpreter", "cv2"):
        importlib.import_module(library)
    settings = ExtractorSettings(filter="none" if way == "raw" else "smooth")
    extractor = MediaPipeExtractor(pose_model(), hand_model(), settings)
    began, processor = time.perf_counter(), time.process_time()
    with _time_in_networks() as spent, _time_in_reading() as reading:
        arrays = extractor.extract(open_video(clip), recording="benchmark", contributor="nobody").arrays
    took = time.perf_counter() - began, time.process_time() - processor
    hands = arrays["hands_image"][..., :2].copy()
    for side, flag in enumerate((Valid.LEFT_HAND, Valid.RIGHT_HAND)):
        hands[arrays["valid"] & flag == 0, side] = np.nan  # what was filled in was not found
    return _measured(arrays["body_image"][..., :2], hands, *took, sum(spent), sum(reading))


@contextmanager
def _time_in_networks() -> Iterator[list[float]]:
    """Collects the processor time of every run of a network, in the thread that runs it."""
    from ai_edge_litert.interpreter import Interpreter

    spent: list[float] = []
    plain = Interpreter.invoke

    def timed(self: Any) -> None:
        began = time.thread_time()
        plain(self)
        spent.append(time.thread_time() - began)

    with patch.object(Interpreter, "invoke", timed):
        yield spent


@contextmanager
def _time_in_reading() -> Iterator[list[float]]:
    """Collects the processor time that frames take to decode, in the thread that reads them: all of it on one core."""
    spent: list[float] = []
    plain = VideoReader.frames

    def timed(self: VideoReader) -> Iterator[VideoFrame]:
        frames = plain(self)
        while True:
            began = time.thread_time()
            frame = next(frames, None)
            spent.append(time.thread_time() - began)
            if frame is None:
                return
            yield frame

    with patch.object(VideoReader, "frames", timed):
        yield spent


def _measured(
    bodies: NDArray[Any],
    hands: NDArray[Any],
    seconds: float,
    processor_seconds: float,
    network_seconds: float,
    decoding_seconds: float,
) -> Measured:
    return Measured(
        frames=len(bodies),
        seconds=seconds,
        processor_seconds=processor_seconds,
        network_seconds=network_seconds,
        decoding_seconds=decoding_seconds,
        body=int(np.isfinite(bodies[:, 0, 0]).sum()),
        hands=int(np.isfinite(hands[:, :, 0, 0]).sum()),
        flips=_flips(hands),
        hand_jitter=_jitter(hands),
        body_jitter=_jitter(bodies),
        gigabytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    )


def _jitter(track: NDArray[Any]) -> float:
    """RMS third difference over four frames in a row, in thousandths of the picture."""
    third = np.diff(track, n=3, axis=0)
    return float(np.sqrt(np.nanmean(third**2)) * 1000) if np.isfinite(third).any() else float("nan")


def _flips(hands: NDArray[Any]) -> int:
    """How often a hand goes on in the next frame as the other one: nearer to it than to where its own was."""
    roots = hands[:, :, 0]
    own = np.linalg.norm(roots[1:] - roots[:-1], axis=2)
    other = np.linalg.norm(roots[1:] - roots[:-1, ::-1], axis=2)
    return int(np.count_nonzero(other < np.where(np.isnan(own), SAME_PLACE, own)))


if __name__ == "__main__":
    main()
