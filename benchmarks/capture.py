"""The recorder beside the loops that people write, on one generated camera: `python -m benchmarks.capture`."""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from capture.recorder.recorder import finish, journal_path, record
from capture.sources.numbered_pattern import Pattern, read_counter
from capture.sources.paced_source import PacedSource
from capture.sources.pattern_source import PatternSource
from capture.sources.source import CapturedFrame
from storage.footage.video_reader import open_video
from storage.recordings.recording import Origin
from studio.commands.output import print_table

RATE = 30.0
KILLS_AT_ONCE = 5
Row = tuple[str, ...]

RECORDER = """
import sys
from pathlib import Path
from capture.recorder.recorder import record
from capture.sources.pattern_source import PatternSource
record(PatternSource(640, 480), Path(sys.argv[1]), on_progress=lambda p: print(p.frames, flush=True))
"""


def frames_recorded(width: int, height: int, seconds: float) -> Row:
    """Frames kept of frames produced, and the processor time of recording them beside that of drawing them."""
    began = time.process_time()
    drawn = sum(1 for _ in _until(PatternSource(width, height, RATE), seconds))
    drawing = time.process_time() - began
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        report = record(PatternSource(width, height, RATE), Path(folder) / "take.mp4", seconds=seconds)
        recording = time.process_time() - began - drawing
        numbers = [read_counter(frame.image) for frame in open_video(Path(folder) / "take.mp4").frames()]
    assert numbers == list(range(report.frames)), "a frame is missing in the middle"
    return (
        f"{width}x{height}x{RATE:g}, {seconds:g} s",
        f"{report.frames} of {drawn}",
        str(report.dropped),
        f"{recording / seconds:.2f} of a core",
        report.encoder,
    )


def first_frame(times: int) -> list[float]:
    """Seconds from starting the command to the first frame of the take."""
    waits = []
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder:
            workspace = _workspace(Path(folder))
            words = ["record", "--source", "test", "--seconds", "0.5", "-t", "t", "-c", "c", "--yes", "--json"]
            pressed = datetime.now().astimezone()
            done = subprocess.run(
                [sys.executable, "-m", "studio", *words, "-w", str(workspace)], check=True, capture_output=True
            )
        started = datetime.fromisoformat(json.loads(done.stdout)["report"]["started_at"])
        waits.append((started - pressed).total_seconds())
    return waits


def lost_at_kill(kills: int) -> list[float]:
    """Seconds between the last frame that a killed recorder leaves and the moment of `kill -9`."""
    lost: list[float] = []
    chance = random.Random(0)
    while len(lost) < kills:
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / f"{number}.mp4" for number in range(min(KILLS_AT_ONCE, kills - len(lost)))]
            for path, process in [(path, _recorder(path)) for path in paths]:
                wanted = chance.randrange(45, 120)
                assert process.stdout is not None
                next(line for line in process.stdout if int(line) >= wanted)
                killed = datetime.now().astimezone()
                process.kill()
                process.communicate()
                began = Origin.model_validate_json(journal_path(path).read_bytes()).started_at
                assert began is not None
                finish(path)
                last = began + timedelta(microseconds=open_video(path).times[-1] / 1000)
                lost.append((killed - last).total_seconds())
    return lost


class DarkWebcam(PacedSource):
    """The test camera, which does not give one frame in ten, at random, as a webcam in bad light does."""

    def __init__(self, frames: int) -> None:
        super().__init__("withheld", 640, 480, RATE)
        chance = random.Random(1)
        self.given = [0] + [number for number in range(1, frames) if chance.random() >= 0.1]

    def pictures(self) -> Iterator[tuple[VideoFrame, int]]:
        pattern = Pattern(self.width, self.height)
        for number in self.given:
            yield pattern.frame(number), round(number * 1e9 / RATE)


@dataclass(frozen=True)
class Way:
    """A way of recording frames and their times."""

    name: str
    record: Callable[[DarkWebcam, Path], NDArray[np.float64]]
    """Records a source to a path and gives the seconds that it says its frames were taken at."""


def kinesphere_recorder(source: DarkWebcam, path: Path) -> NDArray[np.float64]:
    """Our recorder; the times are the container's."""
    record(source, path)
    return np.array(open_video(path).times) / 1e9


def opencv_loop(source: DarkWebcam, path: Path) -> NDArray[np.float64]:
    """What everybody writes: read a picture, `cv2.VideoWriter.write` it, at the camera's nominal rate."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), RATE, (source.width, source.height))
    for captured in source.frames():
        writer.write(captured.frame.to_ndarray(format="bgr24"))
    writer.release()
    with av.open(str(path)) as container:
        return np.array([frame.time for frame in container.decode(video=0)], np.float64)


def index_over_rate(source: DarkWebcam, path: Path) -> NDArray[np.float64]:
    """LeRobot's way: frame i is stamped i / fps, whenever it came."""
    count = sum(1 for _ in source.frames())
    return np.arange(count) / RATE


WAYS = (
    Way("ours", kinesphere_recorder),
    Way("cv2 read and write", opencv_loop),
    Way("LeRobot's i / fps", index_over_rate),
)


def stamped(seconds: float) -> list[Row]:
    """How far from the truth the times of frames are, for each way, on the same frames."""
    rows: list[Row] = []
    for way in WAYS:
        source = DarkWebcam(round(seconds * RATE))
        with tempfile.TemporaryDirectory() as folder:
            said = way.record(source, Path(folder) / "take.mp4")
        true = np.array(source.given) / RATE
        error = np.abs(said - true[: len(said)]) * 1000
        rows.append(
            (
                way.name,
                f"{len(said)} of {len(true)}",
                f"{np.median(error):.2f} ms",
                f"{np.quantile(error, 0.99):.2f} ms",
                f"{error.max():.2f} ms",
            )
        )
    return rows


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each take (default: %(default)s)")
    parser.add_argument("--kills", type=int, default=50, help="recorders to kill (default: %(default)s)")
    options = parser.parse_args()
    rows: list[Row] = [frames_recorded(width, height, options.seconds) for width, height in ((1280, 720), (1920, 1080))]
    print_table("Frames kept", ["camera", "kept of produced", "dropped", "recording takes", "encoder"], rows)
    lost = lost_at_kill(options.kills)
    waits = first_frame(5)
    rows = [
        (f"lost at kill -9, of {options.kills}", f"{statistics.median(lost):.2f} s", f"{max(lost):.2f} s"),
        ("from the command to the first frame, of 5", f"{statistics.median(waits):.2f} s", f"{max(waits):.2f} s"),
    ]
    print_table("Seconds", ["", "median", "worst"], rows)
    rows = stamped(options.seconds)
    title = "Error of frame times, one frame in ten withheld"
    print_table(title, ["recorder", "frames", "median", "99th percentile", "worst"], rows)


def _until(source: PatternSource, seconds: float) -> Iterator[CapturedFrame]:
    first_ns = None
    for captured in source.frames():
        first_ns = captured.captured_ns if first_ns is None else first_ns
        if captured.captured_ns - first_ns >= seconds * 1e9:
            return
        yield captured


def _recorder(path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", RECORDER, str(path)], stdout=subprocess.PIPE, text=True)


def _workspace(folder: Path) -> Path:
    from storage.tasks.task import Task
    from storage.workspace import create_workspace

    made = create_workspace(folder / "workspace")
    made.catalog.add_task(Task(name="t", title="T", instructions="Rehearse.", consent="I agree."))
    made.catalog.add_contributor("c")
    made.catalog.close()
    return folder / "workspace"


if __name__ == "__main__":
    main()
